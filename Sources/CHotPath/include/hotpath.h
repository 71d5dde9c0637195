// The few machine instructions that Swift cannot spell: prefetches and vector compares for the scanner.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/// Asks for the cache line at `address`, to be read soon. Any address is allowed.
static inline void meterd_prefetch_read(const void *address) { __builtin_prefetch(address, 0, 3); }

/// Asks for the first cache lines, at most four, of `count` bytes.
static inline void meterd_prefetch_lines(const void *address, size_t count) {
  const char *line = (const char *)address;
  __builtin_prefetch(line, 0, 3);
  if (count > 64) __builtin_prefetch(line + 64, 0, 3);
  if (count > 128) __builtin_prefetch(line + 128, 0, 3);
  if (count > 192) __builtin_prefetch(line + 192, 0, 3);
}

/// Asks for the cache line at `address`, to be written soon. Any address is allowed.
static inline void meterd_prefetch_write(const void *address) { __builtin_prefetch(address, 1, 3); }

/// Whether the first `count` bytes of both are the same. Both must be readable for `count` bytes.
static inline _Bool meterd_equal(const void *left, const void *right, size_t count) {
  return memcmp(left, right, count) == 0;
}

// ---- Eight bytes at a time: the portable form of everything below, and the form that tests compare with ----

static inline uint64_t meterd_load64(const void *address) {
  uint64_t word;
  memcpy(&word, address, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

/// The number that `count` (1 … 18) decimal digits state, or −1 where one of the bytes is no digit.
static inline int64_t meterd_digits(const void *address, size_t count) {
  const uint8_t *bytes = (const uint8_t *)address;
  int64_t value = 0;
  for (; count >= 8; bytes += 8, count -= 8) {
    uint64_t word = meterd_load64(bytes) ^ 0x3030303030303030ULL;
    // A byte of a digit is now 0 … 9: adding 0x76 keeps it below 0x80, and it was below 0x80 before.
    if (((word + 0x7676767676767676ULL) | word) & 0x8080808080808080ULL) return -1;
    // Neighbours become pairs, pairs fours, fours the eight: the first byte is the most significant digit.
    word = (word * 10) + (word >> 8);
    word = (((word & 0x000000ff000000ffULL) * 0x000f424000000064ULL) +
            (((word >> 16) & 0x000000ff000000ffULL) * 0x0000271000000001ULL)) >> 32;
    value = value * 100000000 + (int64_t)(word & 0xffffffffULL);
  }
  for (; count > 0; bytes++, count--) {
    uint8_t digit = (uint8_t)(*bytes - '0');
    if (digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/// 0x80 in every byte of `word` that is 0, else 0. Exact: no carry runs from one byte to the next.
static inline uint64_t meterd_zero_bytes(uint64_t word) {
  const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;
  return ~(((word & low) + low) | word | low);
}

/// 0x80 in every byte of `word` that is a control character, a backslash, or not ASCII.
static inline uint64_t meterd_unusual_bytes(uint64_t word) {
  const uint64_t ones = 0x0101010101010101ULL, high = 0x80 * ones;
  uint64_t control = ~((word & ~high) + 0x60 * ones) & high;  // bit 7 stays clear below 0x20
  return control | (word & high) | meterd_zero_bytes(word ^ 0x5c * ones);
}

/// One bit for each byte whose 0x80 is set; the first byte is bit 0.
static inline uint32_t meterd_gather_bits(uint64_t high_bits) {
  return (uint32_t)(((high_bits >> 7) * 0x0102040810204080ULL) >> 56);
}

/// What sixteen bytes hold: bit i of `quotes` for a quotation mark at byte i, `unusual` the same for any control
/// character, backslash or byte beyond ASCII.
typedef struct {
  uint32_t quotes, unusual;
} meterd_sixteen;

static inline meterd_sixteen meterd_classify_portable(const uint8_t *bytes) {
  const uint64_t quote = 0x2222222222222222ULL;
  uint64_t first = meterd_load64(bytes), second = meterd_load64(bytes + 8);
  meterd_sixteen result;
  result.quotes = meterd_gather_bits(meterd_zero_bytes(first ^ quote)) |
                  meterd_gather_bits(meterd_zero_bytes(second ^ quote)) << 8;
  result.unusual =
      meterd_gather_bits(meterd_unusual_bytes(first)) | meterd_gather_bits(meterd_unusual_bytes(second)) << 8;
  return result;
}

static inline meterd_sixteen meterd_classify(const uint8_t *bytes) {
#if defined(__SSE2__)
  __m128i block = _mm_loadu_si128((const __m128i *)bytes);
  // Signed: bytes beyond ASCII are negative, so one compare finds them and the control characters.
  __m128i odd = _mm_or_si128(_mm_cmplt_epi8(block, _mm_set1_epi8(0x20)), _mm_cmpeq_epi8(block, _mm_set1_epi8(0x5c)));
  meterd_sixteen result = {(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8(0x22))),
                           (uint32_t)_mm_movemask_epi8(odd)};
  return result;
#else
  return meterd_classify_portable(bytes);
#endif
}

/// The number of bytes from `bytes` up to the first that ends or complicates a JSON string (quotation mark, backslash,
/// control character, not ASCII), or `count`.
static inline size_t meterd_plain_run(const uint8_t *bytes, size_t count) {
  size_t at = 0;
  for (; at + 16 <= count; at += 16) {
    meterd_sixteen found = meterd_classify(bytes + at);
    uint32_t stop = found.quotes | found.unusual;
    if (stop != 0) return at + (size_t)__builtin_ctz(stop);
  }
  for (; at < count; at++) {
    uint8_t byte = bytes[at];
    if (byte == 0x22 || byte == 0x5c || byte < 0x20 || byte >= 0x80) return at;
  }
  return count;
}
