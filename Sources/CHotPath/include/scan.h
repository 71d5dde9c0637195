// The inner loop of decoding: one pass over a record of the common shape. Written in C for its vector compares, and
// compiled twice, for any processor and for those with AVX2 and BMI.
#pragma once
#include "hotpath.h"

/// What a value is. `METERD_ABSENT` is also `null`.
enum {
  METERD_ABSENT = 0,
  METERD_STRING,
  METERD_NUMBER,
  METERD_TRUE,
  METERD_FALSE,
  METERD_CONTAINER,
  METERD_NOT_TEXT,
};

/// A value: the content of a string without its quotation marks, or the JSON text of anything else.
typedef struct {
  const void *_Nullable start;
  int32_t count;
  int32_t code;
} meterd_value;

/// A name and what it stands for. The first and last eight bytes say everything about a name of up to sixteen; a shorter
/// one than eight is padded with zeros, twice. `count` 0: an empty place of a table.
typedef struct {
  uint64_t first, last;
  const void *_Nullable name;
  int32_t count;
  int32_t slot;
} meterd_name;

/// A member of an object of dimensions.
typedef struct {
  const void *_Nonnull name;
  int32_t name_count;
  /// The object's place in the order of preference.
  int32_t preference;
  meterd_value value;
} meterd_member;

enum {
  /// The longest record that the scanner takes.
  METERD_SCAN_BYTES = 4096,
  METERD_SCAN_MEMBERS = 64,
  /// How many members of an event have their names remembered.
  METERD_SCAN_LAYOUT = 16,
  /// Slots: concept in the low eight bits, preference above; or for the general path only.
  METERD_CONCEPTS = 7,
  METERD_CONCEPT_DIMENSIONS = 7,
};

/// What the scanner works on; all memory is the caller's.
typedef struct {
  /// A table as meterd_find_name wants it.
  const meterd_name *_Nonnull names;
  size_t name_mask;
  /// METERD_SCAN_LAYOUT names, first all zero: what stood at each place of the last record.
  meterd_name *_Nonnull layout;
  /// METERD_CONCEPTS values, filled by the scanner.
  meterd_value *_Nonnull fields;
  /// METERD_SCAN_MEMBERS members of objects of dimensions.
  meterd_member *_Nonnull members;
  int32_t member_count;
  /// The objects of dimensions of this record, by preference, and the preferences of its values.
  uint32_t objects;
  uint8_t preferences[METERD_CONCEPTS];
  /// Bit c: concept c has an order of preference, so that a second name of it is no ambiguity.
  uint32_t preferred;
} meterd_scanner;

static inline size_t meterd_name_place(uint64_t first, uint64_t last, size_t count, size_t mask) {
  uint64_t mixed = (first ^ last * 0x9e3779b97f4a7c15ULL ^ count) * 0xd6e8feb86659fd93ULL;
  return (size_t)(mixed >> 40) & mask;
}

/// The first and last word of a name of at least one byte; of its start on, `readable` bytes may be read.
static inline void meterd_name_words(
    const uint8_t *_Nonnull name, size_t count, size_t readable, uint64_t *_Nonnull first, uint64_t *_Nonnull last) {
  if (count >= 8) {
    *first = meterd_load64(name);
    *last = meterd_load64(name + count - 8);
    return;
  }
  uint64_t word = 0;
  if (readable >= 8) {
    word = meterd_load64(name) & ((1ULL << (count * 8)) - 1);
  } else {
    // At the very end of the record: rare, and not worth vectors.
#pragma clang loop vectorize(disable) unroll(disable)
    for (size_t i = 0; i < count; i++) word |= (uint64_t)name[i] << (8 * i);
  }
  *first = *last = word;
}

/// The slot of a name, or −1. The table has `mask` + 1 places (a power of two), some of them empty.
static inline int32_t meterd_find_name(const meterd_name *_Nonnull table, size_t mask, const uint8_t *_Nonnull name,
                                       size_t count, uint64_t first, uint64_t last) {
  for (size_t place = meterd_name_place(first, last, count, mask);; place = (place + 1) & mask) {
    const meterd_name *entry = &table[place];
    if (entry->count == 0) return -1;
    if (entry->first == first && entry->last == last && (size_t)entry->count == count &&
        (count <= 16 || meterd_equal(entry->name, name, count)))
      return entry->slot;
  }
}

/// Reads a record of the common shape: one object; ASCII without backslashes or control characters; strings, numbers,
/// words, and objects of those; no concept twice but by preference. Fills `fields` and `members`.
///
/// 0 where the record is of any other shape: then it has not been judged at all. The names must have a slot below
/// METERD_CONCEPTS, METERD_CONCEPT_DIMENSIONS, or one above, which makes the record one of another shape.
_Bool meterd_scan(meterd_scanner *_Nonnull scanner, const uint8_t *_Nonnull bytes, size_t count);

/// The same without the instructions that not every processor has; for tests.
_Bool meterd_scan_baseline(meterd_scanner *_Nonnull scanner, const uint8_t *_Nonnull bytes, size_t count);

/// The quotation marks of `count` bytes (16 … METERD_SCAN_BYTES): bit i of word w is byte 64w + i. Returns whether all bytes
/// are simple. `masks` has room for METERD_SCAN_BYTES / 64 words. For tests: one for each way of finding them.
_Bool meterd_quote_masks(const uint8_t *_Nonnull bytes, size_t count, uint64_t *_Nonnull masks);
_Bool meterd_quote_masks_baseline(const uint8_t *_Nonnull bytes, size_t count, uint64_t *_Nonnull masks);
_Bool meterd_quote_masks_portable(const uint8_t *_Nonnull bytes, size_t count, uint64_t *_Nonnull masks);
