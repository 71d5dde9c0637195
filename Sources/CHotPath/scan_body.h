// The scanner, for one kind of processor: included with SCAN(name), SCAN_TARGET, SCAN_HELPER (before functions of
// its own) and SCAN_CLASSIFY set.
//
// Every byte outside of strings is looked at, and every string ends at the next quotation mark, since there are no
// backslashes. The record's last byte is a closing brace: a run of spaces, digits or letters ends there at the latest, so
// only a step over a byte that may be that brace is checked against the end.

SCAN_TARGET _Bool SCAN(meterd_quote_masks)(const uint8_t *bytes, size_t count, uint64_t *masks) {
  uint32_t unusual = 0;
  size_t base = 0;
  for (; base + 64 <= count; base += 64) {
    uint64_t mask;
    unusual |= SCAN_CLASSIFY(bytes + base, &mask);
    *masks++ = mask;
  }
  if (base < count) {
    uint64_t mask = 0;
    for (size_t lane = 0; base + lane < count; lane += 16) {
      size_t left = count - base - lane;
      // The last bytes are read as part of the sixteen that end with the record: nothing beyond it is touched.
      size_t back = left < 16 ? 16 - left : 0;
      meterd_sixteen sixteen = meterd_classify(bytes + base + lane - back);
      mask |= (uint64_t)(sixteen.quotes >> back) << lane;
      unusual |= sixteen.unusual;
    }
    *masks = mask;
  }
  return unusual == 0;
}

#ifndef SCAN_MASKS_ONLY

/// Where a reader is: the next byte, and the quotation marks that are still to come.
typedef struct {
  size_t at;
  size_t word;
  uint64_t mask;
} SCAN(reader);

/// The next quotation mark. Behind the last one is the mark of the sentinel, beyond the record.
#define NEXT_QUOTE(position)                                             \
  do {                                                                   \
    while (__builtin_expect(reader.mask == 0, 0)) reader.mask = masks[++reader.word]; \
    position = reader.word * 64 + (size_t)__builtin_ctzll(reader.mask);  \
    reader.mask &= reader.mask - 1;                                      \
  } while (0)
#define SKIP_SPACES() \
  if (__builtin_expect(bytes[reader.at] == ' ', 0)) reader.at = skip_spaces(bytes, reader.at)
#define NEED(condition) \
  if (__builtin_expect(!(condition), 0)) return 0

/// Reads a name and its colon.
#define READ_NAME(name, length)                              \
  do {                                                       \
    size_t open, close;                                      \
    SKIP_SPACES();                                           \
    NEED(bytes[reader.at] == '"');                           \
    NEXT_QUOTE(open);                                        \
    NEXT_QUOTE(close);                                       \
    NEED(close < count);                                     \
    name = bytes + open + 1;                                 \
    length = close - open - 1;                               \
    reader.at = close + 1;                                   \
    SKIP_SPACES();                                           \
    NEED(bytes[reader.at] == ':');                           \
    reader.at++;                                             \
    SKIP_SPACES();                                           \
  } while (0)

/// Reads a string, a number or a word.
#define READ_VALUE(value)                                                    \
  do {                                                                       \
    uint8_t first = bytes[reader.at];                                        \
    if (first == '"') {                                                      \
      size_t open, close;                                                    \
      NEXT_QUOTE(open);                                                      \
      NEXT_QUOTE(close);                                                     \
      NEED(close < count);                                                   \
      value.start = bytes + open + 1;                                        \
      value.count = (int32_t)(close - open - 1);                             \
      value.code = METERD_STRING;                                            \
      reader.at = close + 1;                                                 \
    } else {                                                                 \
      size_t length = (uint8_t)(first - '0') <= 9 ? number_length(bytes + reader.at) \
                                                  : other_length(bytes + reader.at, count - reader.at); \
      NEED(length > 0);                                                      \
      value.start = bytes + reader.at;                                       \
      value.count = (int32_t)length;                                         \
      value.code = code_of(first);                                           \
      reader.at += length;                                                   \
    }                                                                        \
  } while (0)

/// Reads an object of plain values, behind its opening brace, to behind its closing one, which is not the record's last
/// byte. Keeps its members if it has a preference (≥ 0).
SCAN_HELPER __attribute__((noinline)) _Bool SCAN(read_members)(
    meterd_scanner *scanner, const uint8_t *bytes, size_t count, const uint64_t *masks, SCAN(reader) *outer,
    int32_t preference) {
  SCAN(reader) reader = *outer;
  SKIP_SPACES();
  if (bytes[reader.at] == '}') {
    reader.at++;
  } else {
    for (;;) {
      const uint8_t *name;
      size_t length;
      meterd_value value;
      READ_NAME(name, length);
      READ_VALUE(value);
      if (preference >= 0) {
        NEED(scanner->member_count < METERD_SCAN_MEMBERS);
        scanner->members[scanner->member_count++] =
            (meterd_member){.name = name, .name_count = (int32_t)length, .preference = preference, .value = value};
      }
      SKIP_SPACES();
      uint8_t next = bytes[reader.at++];
      if (next == '}') break;
      NEED(next == ',');
    }
  }
  NEED(reader.at < count);
  *outer = reader;
  return 1;
}

SCAN_TARGET _Bool SCAN(meterd_scan)(meterd_scanner *scanner, const uint8_t *bytes, size_t count) {
  NEED(count >= 16 && count <= METERD_SCAN_BYTES && bytes[0] == '{' && bytes[count - 1] == '}');
  uint64_t masks[METERD_SCAN_BYTES / 64 + 1];
  NEED(SCAN(meterd_quote_masks)(bytes, count, masks));
  masks[(count + 63) / 64] = 1;

  meterd_value *fields = scanner->fields;
  memset(fields, 0, METERD_CONCEPTS * sizeof *fields);
  scanner->member_count = 0;
  scanner->objects = 0;
  meterd_name *remembered = scanner->layout, *last_remembered = remembered + METERD_SCAN_LAYOUT - 1;
  SCAN(reader) reader = {1, 0, masks[0]};

  for (;;) {
    const uint8_t *name;
    size_t length;
    meterd_value value;
    READ_NAME(name, length);

    int32_t slot = -1;
    if (length > 0) {
      uint64_t head, tail;
      meterd_name_words(name, length, (size_t)(bytes + count - name), &head, &tail);
      if (remembered->first == head && remembered->last == tail && (size_t)remembered->count == length) {
        slot = remembered->slot;
      } else {
        slot = meterd_find_name(scanner->names, scanner->name_mask, name, length, head, tail);
        if (length <= 16)
          *remembered = (meterd_name){.first = head, .last = tail, .count = (int32_t)length, .slot = slot};
      }
    }
    // Beyond the last remembered place, all names share it.
    remembered += remembered < last_remembered;

    if (bytes[reader.at] == '{') {
      // An object: of dimensions, or unknown.
      NEED(slot < 0 || (slot & 0xff) == METERD_CONCEPT_DIMENSIONS);
      int32_t preference = slot < 0 ? -1 : slot >> 8;
      if (preference >= 0) {
        NEED(!(scanner->objects >> preference & 1));
        scanner->objects |= 1u << preference;
      }
      reader.at++;
      SCAN(reader) inner = reader;  // the address of `reader` itself would keep it in memory
      NEED(SCAN(read_members)(scanner, bytes, count, masks, &inner, preference));
      reader = inner;
    } else {
      READ_VALUE(value);
      if (slot >= 0 && value.code != METERD_ABSENT) {
        uint32_t concept = (uint32_t)slot & 0xff;
        NEED(concept < METERD_CONCEPTS);
        // A second value of a concept is for the rules of preference, here, or of ambiguity, there.
        if (__builtin_expect((fields[concept].code != METERD_ABSENT) | (scanner->preferred != 0), 0)) {
          int taken = prefer(scanner, concept, (uint32_t)slot >> 8);
          NEED(taken >= 0);
          if (taken) fields[concept] = value;
        } else {
          fields[concept] = value;
        }
      } else {
        // What only the general path can read it must read even if it is absent.
        NEED(slot < 0 || (slot & 0xff) <= METERD_CONCEPT_DIMENSIONS);
      }
    }

    // Behind a value: a comma (not the record's last byte, which is a brace), or the end.
    SKIP_SPACES();
    uint8_t next = bytes[reader.at];
    if (next != ',') break;
    reader.at++;
  }
  // The brace that ends the object, and nothing after it: what else there may be is for the general path to judge.
  return reader.at == count - 1;
}

#undef NEXT_QUOTE
#undef SKIP_SPACES
#undef READ_NAME
#undef READ_VALUE
#undef NEED
#endif
#undef SCAN
#undef SCAN_TARGET
#undef SCAN_HELPER
#undef SCAN_CLASSIFY
