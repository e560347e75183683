/* payload.c: payload.h is the manual. Explicit vectors, because gcc does not vectorise the verifying loop by itself. */
#include "payload.h"

#include <string.h>

#define LANES 2u
#define WIDE (2 * LANES * sizeof(uint64_t))

typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t))));

uint64_t payload_key(uint32_t seed, uint64_t generation)
{
    uint64_t x = generation * UINT64_C(0xD6E8FEB86659FD93) + seed + 1;
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return x ^ x >> 32;
}

/* Byte i of a word as it lies in memory; and the word that begins `bytes` (below 8) into `low`, which `high` follows. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_OF(word, i) ((unsigned char)((word) >> 8 * (i)))
#define JOIN(low, high, bytes) ((low) >> 8 * (bytes) | (high) << (63 - 8 * (bytes)) << 1)
#else
#define BYTE_OF(word, i) ((unsigned char)((word) >> (56 - 8 * (i))))
#define JOIN(low, high, bytes) ((low) << 8 * (bytes) | (high) >> (63 - 8 * (bytes)) >> 1)
#endif

/* The key of what begins at byte `at`, a multiple of 8; and the word that lies at any byte. */
static inline uint64_t key_at(uint64_t key, size_t at) { return key + at / sizeof key * PAYLOAD_STEP; }

static inline uint64_t word_at(uint64_t key, size_t at)
{
    const uint64_t low = key_at(key, at);
    return JOIN(low, low + PAYLOAD_STEP, at % sizeof key);
}

/* A range of no round length is done from both ends, over bytes in its middle that are then done twice: so its length
 * costs few branches, and random ones are mispredicted by every processor. Where the last whole vectors begin: */
static inline size_t last_wide(size_t n) { return (n - WIDE) / sizeof(uint64_t) * sizeof(uint64_t); }

void payload_fill(void *p, size_t n, uint64_t key)
{
    unsigned char *to = p;
    if (n >= WIDE) {
        const size_t last = last_wide(n);
        const uint64_t k = key_at(key, last);
        lanes a = {key, key + PAYLOAD_STEP}, b = a + 2 * PAYLOAD_STEP;
        for (size_t at = 0; at < last; at += WIDE, a += 4 * PAYLOAD_STEP, b += 4 * PAYLOAD_STEP) {
            memcpy(to + at, &a, sizeof a);
            memcpy(to + at + sizeof a, &b, sizeof b);
        }
        a = (lanes){k, k + PAYLOAD_STEP};
        b = a + 2 * PAYLOAD_STEP;
        memcpy(to + last, &a, sizeof a);
        memcpy(to + last + sizeof a, &b, sizeof b);
    } else if (n >= sizeof(lanes)) {
        const uint64_t second = key + PAYLOAD_STEP, third = word_at(key, n - 2 * sizeof key);
        memcpy(to, &key, sizeof key);
        memcpy(to + sizeof key, &second, sizeof second);
        memcpy(to + n - 2 * sizeof third, &third, sizeof third);
    } else if (n >= sizeof key) {
        memcpy(to, &key, sizeof key);
    } else {
        for (size_t i = 0; i < n; i++) to[i] = BYTE_OF(key, i);
        return;
    }
    const uint64_t last = word_at(key, n - sizeof key);
    memcpy(to + n - sizeof last, &last, sizeof last);
}

/* The first wrong byte of a range that is known to hold one. */
static size_t first_wrong(const unsigned char *p, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t word = key + i / sizeof key * PAYLOAD_STEP;
        unsigned char bytes[sizeof word];
        memcpy(bytes, &word, sizeof word);
        if (p[i] != bytes[i % sizeof word]) return i;
    }
    return n;
}

static inline uint64_t word_differs(const unsigned char *p, uint64_t word)
{
    uint64_t seen;
    memcpy(&seen, p, sizeof seen);
    return seen ^ word;
}

/* Not 0 in the lanes that differ. Through a pointer, because 32-bit x86 cannot return a vector without SSE. */
static inline void wide_differs(lanes *bad, const unsigned char *p, const lanes *a, const lanes *b)
{
    lanes x, y;
    memcpy(&x, p, sizeof x);
    memcpy(&y, p + sizeof x, sizeof y);
    *bad |= (x ^ *a) | (y ^ *b);
}

size_t payload_verify(const void *p, size_t n, uint64_t key)
{
    const unsigned char *from = p;
    uint64_t wrong = 0;
    if (n >= WIDE) {
        const size_t last = last_wide(n);
        const uint64_t k = key_at(key, last);
        lanes a = {key, key + PAYLOAD_STEP}, b = a + 2 * PAYLOAD_STEP, bad = {0, 0};
        for (size_t at = 0; at < last; at += WIDE, a += 4 * PAYLOAD_STEP, b += 4 * PAYLOAD_STEP)
            wide_differs(&bad, from + at, &a, &b);
        a = (lanes){k, k + PAYLOAD_STEP};
        b = a + 2 * PAYLOAD_STEP;
        wide_differs(&bad, from + last, &a, &b);
        wrong = bad[0] | bad[1];
    } else if (n >= sizeof(lanes)) {
        wrong = word_differs(from, key) | word_differs(from + sizeof key, key + PAYLOAD_STEP) |
                word_differs(from + n - 2 * sizeof key, word_at(key, n - 2 * sizeof key));
    } else if (n >= sizeof key) {
        wrong = word_differs(from, key);
    } else {
        for (size_t i = 0; i < n; i++) wrong |= from[i] ^ BYTE_OF(key, i);
        return wrong ? first_wrong(p, n, key) : n;
    }
    wrong |= word_differs(from + n - sizeof key, word_at(key, n - sizeof key));
    return wrong ? first_wrong(p, n, key) : n;
}

bool payload_same(const void *p, size_t at, uint64_t key)
{
    const uint64_t k = key_at(key, at);
    const lanes a = {k, k + PAYLOAD_STEP}, b = a + 2 * PAYLOAD_STEP;
    lanes bad = {0, 0};
    _Static_assert(PAYLOAD_STRETCH == WIDE, "two vectors are compared");
    wide_differs(&bad, (const unsigned char *)p + at, &a, &b);
    return !(bad[0] | bad[1]);
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
