/* payload.c: payload.h is the manual. Explicit vectors, because gcc does not vectorise the verifying loop by itself; wider
 * ones where the processor turns out to have them. */
#include "payload.h"

#include <endian.h>
#include <string.h>

uint64_t payload_key(uint32_t seed, uint64_t generation)
{
    uint64_t x = generation * UINT64_C(0xD6E8FEB86659FD93) + seed + 1;
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return x ^ x >> 32;
}

/* Words lie in memory with their lowest byte first on every machine, so that reports are the same. Byte i of one; and
 * the word that begins `bytes` (below 8) into `low`, which `high` follows. */
#define BYTE_OF(word, i) ((unsigned char)((word) >> 8 * (i)))
#define JOIN(low, high, bytes) ((low) >> 8 * (bytes) | (high) << (63 - 8 * (bytes)) << 1)

/* The key of what begins at byte `at`, a multiple of 8; and the word of which `end` % 8 bytes are behind the one whose
 * key is `low`. */
static inline uint64_t key_at(uint64_t key, size_t at) { return key + at / sizeof key * PAYLOAD_STEP; }
static inline uint64_t word_of(uint64_t low, size_t end) { return JOIN(low, low + PAYLOAD_STEP, end % sizeof low); }

static inline void put_word(unsigned char *p, uint64_t word)
{
    word = htole64(word);
    memcpy(p, &word, sizeof word);
}

static inline uint64_t word_differs(const unsigned char *p, uint64_t word)
{
    uint64_t seen;
    memcpy(&seen, p, sizeof seen);
    return seen ^ htole64(word);
}

#define LANES 2
#define TARGET
#define WIDE_NAME(name) name##_16
#include "payload_wide.h"

/* Four words at once, and eight, on any x86 that can. The tests of the narrower ones set the bytes of the widest. */
#ifndef PAYLOAD_WIDEST
#define PAYLOAD_WIDEST 64
#endif
#if (defined(__x86_64__) || defined(__i386__)) && PAYLOAD_WIDEST >= 32
#define LANES 4
#define TARGET __attribute__((target("avx2")))
#define WIDE_NAME(name) name##_32
#include "payload_wide.h"

static bool has_32;

__attribute__((constructor)) static void look_at_processor(void)
{
    __builtin_cpu_init();
    has_32 = __builtin_cpu_supports("avx2");
}
#else
enum { has_32 = 0, WIDE_32 = 64 };
#define fill_32 fill_16
#define differs_32 differs_16
#endif

#if defined(__x86_64__) && PAYLOAD_WIDEST >= 64
#include "payload_masked.h"

static bool has_masks;

__attribute__((constructor)) static void look_for_masks(void)
{
    __builtin_cpu_init();
    has_masks = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("bmi2");
}
#else
enum { has_masks = 0 };
#define masks_suit(p, n) false
#define fill_masked fill_16
#define differs_masked differs_16
#endif

void payload_fill(void *p, size_t n, uint64_t key)
{
    unsigned char *to = p;
    if (has_masks && masks_suit(to, n)) {
        fill_masked(to, n, key);
    } else if (n >= WIDE_32 && has_32) {
        fill_32(to, n, key);
    } else if (n >= WIDE_16) {
        fill_16(to, n, key);
    } else if (n >= sizeof key) {
        /* One word from either end; two, if there are two. */
        const uint64_t low = key_at(key, n - sizeof key);
        put_word(to, key);
        if (n >= 2 * sizeof key) {
            put_word(to + sizeof key, key + PAYLOAD_STEP);
            put_word(to + n - 2 * sizeof key, word_of(low - PAYLOAD_STEP, n));
        }
        put_word(to + n - sizeof low, word_of(low, n));
    } else {
        for (size_t i = 0; i < n; i++) to[i] = BYTE_OF(key, i);
    }
}

/* The first wrong byte of a range that is known to hold one. */
static __attribute__((cold, noinline)) size_t first_wrong(const unsigned char *p, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != BYTE_OF(key_at(key, i), i % sizeof key)) return i;
    return n;
}

size_t payload_verify(const void *p, size_t n, uint64_t key)
{
    const unsigned char *from = p;
    uint64_t wrong = 0;
    if (has_masks && masks_suit(p, n)) return differs_masked(from, n, key) ? first_wrong(p, n, key) : n;
    if (n >= WIDE_32 && has_32) return differs_32(from, n, key) ? first_wrong(p, n, key) : n;
    if (n >= WIDE_16) {
        wrong = differs_16(from, n, key);
    } else if (n >= sizeof key) {
        const uint64_t low = key_at(key, n - sizeof key);
        wrong = word_differs(from, key) | word_differs(from + n - sizeof key, word_of(low, n));
        if (n >= 2 * sizeof key)
            wrong |= word_differs(from + sizeof key, key + PAYLOAD_STEP) |
                     word_differs(from + n - 2 * sizeof key, word_of(low - PAYLOAD_STEP, n));
    } else {
        for (size_t i = 0; i < n; i++) wrong |= from[i] ^ BYTE_OF(key, i);
    }
    return wrong ? first_wrong(p, n, key) : n;
}

bool payload_same(const void *p, size_t at, uint64_t key)
{
    _Static_assert(PAYLOAD_STRETCH == WIDE_16, "two vectors are compared");
    return !differs_16((const unsigned char *)p + at, PAYLOAD_STRETCH, key_at(key, at));
}

bool payload_zero(const void *p, size_t n, size_t *at)
{
    const unsigned char *from = p;
    size_t i = 0;
    uint64_t word;
    for (; n - i >= sizeof word; i += sizeof word) {
        memcpy(&word, from + i, sizeof word);
        if (word) break;
    }
    for (; i < n; i++)
        if (from[i]) {
            *at = i;
            return false;
        }
    return true;
}

void payload_fill_block(void *p, size_t n, uint64_t key)
{
    if (n <= PAYLOAD_WHOLE_MAX) {
        payload_fill(p, n, key);
        return;
    }
    payload_fill(p, PAYLOAD_EDGE, key);
    payload_fill((unsigned char *)p + n - PAYLOAD_EDGE, PAYLOAD_EDGE, ~key);
}

size_t payload_verify_block(const void *p, size_t n, uint64_t key)
{
    if (n <= PAYLOAD_WHOLE_MAX) return payload_verify(p, n, key);
    size_t wrong = payload_verify(p, PAYLOAD_EDGE, key);
    if (wrong < PAYLOAD_EDGE) return wrong;
    wrong = payload_verify((const unsigned char *)p + n - PAYLOAD_EDGE, PAYLOAD_EDGE, ~key);
    return n - PAYLOAD_EDGE + wrong;
}
