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

uint64_t payload_key_at(uint64_t key, size_t offset) { return key + offset / sizeof key * STEP; }

/* Byte i of a word as it lies in memory. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BYTE_OF(word, i) ((unsigned char)((word) >> 8 * (i)))
#define JOIN(low, high, bytes) ((low) >> 8 * (bytes) | (high) << (64 - 8 * (bytes)))
#else
#define BYTE_OF(word, i) ((unsigned char)((word) >> (56 - 8 * (i))))
#define JOIN(low, high, bytes) ((low) << 8 * (bytes) | (high) >> (64 - 8 * (bytes)))
#endif

void payload_fill(void *p, size_t n, uint64_t key)
{
    unsigned char *to = p, *end = to + n;
    if (n >= WIDE) {
        lanes a = {key, key + STEP}, b = {key + 2 * STEP, key + 3 * STEP}, step = {4 * STEP, 4 * STEP};
        for (; (size_t)(end - to) >= WIDE; to += WIDE, a += step, b += step) {
            memcpy(to, &a, sizeof a);
            memcpy(to + sizeof a, &b, sizeof b);
        }
        key = a[0];
    }
    for (; (size_t)(end - to) >= sizeof key; to += sizeof key, key += STEP) memcpy(to, &key, sizeof key);
    size_t tail = (size_t)(end - to);
    if (tail && n >= sizeof key) { /* the last eight bytes at once, across two words */
        uint64_t both = JOIN(key - STEP, key, tail);
        memcpy(end - sizeof both, &both, sizeof both);
        return;
    }
    for (size_t i = 0; i < tail; i++) to[i] = BYTE_OF(key, i);
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
    uint64_t word, wrong = 0, k = key;
    if (n >= WIDE) {
        lanes a = {k, k + STEP}, b = {k + 2 * STEP, k + 3 * STEP}, step = {4 * STEP, 4 * STEP}, bad = {0, 0}, x, y;
        for (; (size_t)(end - from) >= WIDE; from += WIDE, a += step, b += step) {
            memcpy(&x, from, sizeof x);
            memcpy(&y, from + sizeof x, sizeof y);
            bad |= (x ^ a) | (y ^ b);
        }
        wrong = bad[0] | bad[1];
        k = a[0];
    }
    for (; (size_t)(end - from) >= sizeof word; from += sizeof word, k += STEP) {
        memcpy(&word, from, sizeof word);
        wrong |= word ^ k;
    }
    size_t tail = (size_t)(end - from);
    if (tail && n >= sizeof word) {
        memcpy(&word, end - sizeof word, sizeof word);
        wrong |= word ^ JOIN(k - STEP, k, tail);
    } else {
        for (size_t i = 0; i < tail; i++) wrong |= from[i] ^ BYTE_OF(k, i);
    }
    return wrong ? first_wrong(p, n, key) : n;
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
