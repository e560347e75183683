/* payload.c: payload.h is the manual. Explicit vectors, because gcc does not vectorise the verifying loop by itself. */
#include "payload.h"

#include <string.h>

#define STEP UINT64_C(0x9E3779B97F4A7C15) /* odd, no byte of it repeats: neighbouring words differ in every byte */
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

/* What lies at byte `at` of the contents. A range of no round length is done from both ends, over bytes in its middle
 * that are then done twice: so its length costs few branches, and random ones are mispredicted by every processor. */
static inline uint64_t word_at(uint64_t key, size_t at)
{
    const unsigned into = at % sizeof key;
    const uint64_t low = key + at / sizeof key * STEP;
    return JOIN(low, low + STEP, into);
}

/* Through a pointer, because 32-bit x86 has no way to return a vector without SSE. */
static inline void lanes_at(lanes *l, uint64_t key, size_t at)
{
    const unsigned into = at % sizeof key;
    const uint64_t k = key + at / sizeof key * STEP;
    const lanes low = {k, k + STEP}, high = low + STEP;
    *l = JOIN(low, high, into);
}

void payload_fill(void *p, size_t n, uint64_t key)
{
    unsigned char *to = p, *end = to + n;
    if (n >= sizeof(lanes)) {
        lanes a = {key, key + STEP}, b = a + 2 * STEP;
        for (; (size_t)(end - to) > WIDE; to += WIDE, a += 4 * STEP, b += 4 * STEP) {
            memcpy(to, &a, sizeof a);
            memcpy(to + sizeof a, &b, sizeof b);
        }
        size_t last = n > WIDE ? n - WIDE : 0;
        lanes_at(&a, key, last);
        lanes_at(&b, key, n - sizeof b);
        memcpy((unsigned char *)p + last, &a, sizeof a);
        memcpy(end - sizeof b, &b, sizeof b);
    } else if (n >= sizeof key) {
        uint64_t last = word_at(key, n - sizeof key);
        memcpy(to, &key, sizeof key);
        memcpy(end - sizeof last, &last, sizeof last);
    } else {
        for (size_t i = 0; i < n; i++) to[i] = BYTE_OF(key, i);
    }
}

/* The first wrong byte of a range that is known to hold one. */
static size_t first_wrong(const unsigned char *p, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t word = key + i / sizeof key * STEP;
        unsigned char bytes[sizeof word];
        memcpy(bytes, &word, sizeof word);
        if (p[i] != bytes[i % sizeof word]) return i;
    }
    return n;
}

size_t payload_verify(const void *p, size_t n, uint64_t key)
{
    const unsigned char *from = p, *end = from + n;
    uint64_t wrong = 0;
    if (n >= sizeof(lanes)) {
        lanes a = {key, key + STEP}, b = a + 2 * STEP, bad = {0, 0}, x, y;
        for (; (size_t)(end - from) > WIDE; from += WIDE, a += 4 * STEP, b += 4 * STEP) {
            memcpy(&x, from, sizeof x);
            memcpy(&y, from + sizeof x, sizeof y);
            bad |= (x ^ a) | (y ^ b);
        }
        size_t last = n > WIDE ? n - WIDE : 0;
        lanes_at(&a, key, last);
        lanes_at(&b, key, n - sizeof b);
        memcpy(&x, (const unsigned char *)p + last, sizeof x);
        memcpy(&y, end - sizeof y, sizeof y);
        bad |= (x ^ a) | (y ^ b);
        wrong = bad[0] | bad[1];
    } else if (n >= sizeof key) {
        uint64_t first, last;
        memcpy(&first, from, sizeof first);
        memcpy(&last, end - sizeof last, sizeof last);
        wrong = (first ^ key) | (last ^ word_at(key, n - sizeof key));
    } else {
        for (size_t i = 0; i < n; i++) wrong |= from[i] ^ BYTE_OF(key, i);
    }
    return wrong ? first_wrong(p, n, key) : n;
}

bool payload_same(const void *p, size_t at, uint64_t key)
{
    const unsigned char *from = (const unsigned char *)p + at;
    lanes a, b, x, y;
    _Static_assert(PAYLOAD_STRETCH == WIDE, "two vectors are compared");
    lanes_at(&a, key, at);
    lanes_at(&b, key, at + sizeof a);
    memcpy(&x, from, sizeof x);
    memcpy(&y, from + sizeof x, sizeof y);
    x = (x ^ a) | (y ^ b);
    return !(x[0] | x[1]);
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
