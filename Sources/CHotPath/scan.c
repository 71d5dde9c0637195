#include "scan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// Sixty-four bytes: the mask of quotation marks, and whether any byte is unusual.
static inline uint32_t classify_baseline(const uint8_t *bytes, uint64_t *mask) {
  meterd_sixteen a = meterd_classify(bytes), b = meterd_classify(bytes + 16);
  meterd_sixteen c = meterd_classify(bytes + 32), d = meterd_classify(bytes + 48);
  *mask = a.quotes | (uint64_t)b.quotes << 16 | (uint64_t)c.quotes << 32 | (uint64_t)d.quotes << 48;
  return a.unusual | b.unusual | c.unusual | d.unusual;
}

static inline uint32_t classify_portable(const uint8_t *bytes, uint64_t *mask) {
  uint32_t unusual = 0;
  *mask = 0;
  for (int i = 0; i < 4; i++) {
    meterd_sixteen sixteen = meterd_classify_portable(bytes + 16 * i);
    *mask |= (uint64_t)sixteen.quotes << (16 * i);
    unusual |= sixteen.unusual;
  }
  return unusual;
}

// ---- What needs no vectors. The record's last byte is a closing brace, so that no run goes beyond it. ----

static __attribute__((noinline)) size_t skip_spaces(const uint8_t *bytes, size_t at) {
  while (bytes[at] == ' ') at++;
  return at;
}

/// The rest of a number from its fraction or exponent on; 0 where it is malformed.
static __attribute__((noinline)) size_t long_number_length(const uint8_t *bytes, size_t at) {
  if (bytes[at] == '.') {
    size_t digits = ++at;
    while ((uint8_t)(bytes[at] - '0') <= 9) at++;
    if (at == digits) return 0;
  }
  if ((bytes[at] | 0x20) == 'e') {
    at++;
    if (bytes[at] == '+' || bytes[at] == '-') at++;
    size_t digits = at;
    while ((uint8_t)(bytes[at] - '0') <= 9) at++;
    if (at == digits) return 0;
  }
  return at;
}

/// The length of a number that starts with a digit; 0 where it is malformed. What follows it is not judged.
static inline size_t number_length(const uint8_t *bytes) {
  size_t at = 1;
  while ((uint8_t)(bytes[at] - '0') <= 9) at++;
  if (bytes[0] == '0' && at > 1) return 0;
  if (bytes[at] == '.' || (bytes[at] | 0x20) == 'e') return long_number_length(bytes, at);
  return at;
}

/// The length of a negative number or a word; 0 where it is neither.
static __attribute__((noinline)) size_t other_length(const uint8_t *bytes, size_t left) {
  switch (bytes[0]) {
    case '-': {
      if ((uint8_t)(bytes[1] - '0') > 9) return 0;
      size_t length = number_length(bytes + 1);
      return length == 0 ? 0 : length + 1;
    }
    case 't': return left > 4 && meterd_equal(bytes, "true", 4) ? 4 : 0;
    case 'f': return left > 5 && meterd_equal(bytes, "false", 5) ? 5 : 0;
    case 'n': return left > 4 && meterd_equal(bytes, "null", 4) ? 4 : 0;
    default: return 0;
  }
}

/// What a value is that starts with this byte and is no string.
static inline int32_t code_of(uint8_t first) {
  return first == 't' ? METERD_TRUE : first == 'f' ? METERD_FALSE : first == 'n' ? METERD_ABSENT : METERD_NUMBER;
}

/// Whether a value of a concept is taken, in the order of preference: 1, 0, or −1 where it has none, or the same name has
/// been there before.
static __attribute__((noinline)) int prefer(meterd_scanner *scanner, uint32_t concept, uint32_t preference) {
  uint8_t *held = &scanner->preferences[concept];
  if (scanner->fields[concept].code != METERD_ABSENT) {
    if (!(scanner->preferred >> concept & 1) || *held == preference) return -1;
    if (*held < preference) return 0;
  }
  *held = (uint8_t)preference;
  return 1;
}

#define SCAN(name) name##_baseline
#define SCAN_TARGET
#define SCAN_HELPER static
#define SCAN_CLASSIFY classify_baseline
#include "scan_body.h"

#define SCAN(name) name##_portable
#define SCAN_TARGET
#define SCAN_HELPER static
#define SCAN_CLASSIFY classify_portable
#define SCAN_MASKS_ONLY
#include "scan_body.h"
#undef SCAN_MASKS_ONLY

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

AVX2 static inline uint32_t classify_avx2(const uint8_t *bytes, uint64_t *mask) {
  const __m256i quote = _mm256_set1_epi8(0x22), backslash = _mm256_set1_epi8(0x5c), space = _mm256_set1_epi8(0x20);
  __m256i low = _mm256_loadu_si256((const __m256i *)bytes);
  __m256i high = _mm256_loadu_si256((const __m256i *)(bytes + 32));
  *mask = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, quote)) |
          (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, quote)) << 32;
  // Signed: the least of both is below a space where either is a control character or beyond ASCII.
  __m256i odd = _mm256_cmpgt_epi8(space, _mm256_min_epi8(low, high));
  __m256i slash = _mm256_or_si256(_mm256_cmpeq_epi8(low, backslash), _mm256_cmpeq_epi8(high, backslash));
  return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(odd, slash));
}

#define SCAN(name) name##_avx2
#define SCAN_TARGET AVX2 static
#define SCAN_HELPER AVX2 static
#define SCAN_CLASSIFY classify_avx2
#include "scan_body.h"

_Bool meterd_quote_masks(const uint8_t *bytes, size_t count, uint64_t *masks) {
  return __builtin_cpu_supports("avx2") ? meterd_quote_masks_avx2(bytes, count, masks)
                                        : meterd_quote_masks_baseline(bytes, count, masks);
}

_Bool meterd_scan(meterd_scanner *scanner, const uint8_t *bytes, size_t count) {
  // Every processor with AVX2 has BMI.
  return __builtin_cpu_supports("avx2") ? meterd_scan_avx2(scanner, bytes, count)
                                        : meterd_scan_baseline(scanner, bytes, count);
}
#else
_Bool meterd_quote_masks(const uint8_t *bytes, size_t count, uint64_t *masks) {
  return meterd_quote_masks_baseline(bytes, count, masks);
}

_Bool meterd_scan(meterd_scanner *scanner, const uint8_t *bytes, size_t count) {
  return meterd_scan_baseline(scanner, bytes, count);
}
#endif
