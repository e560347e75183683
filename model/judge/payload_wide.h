/* payload_wide.h: the loops of payload.c over WIDE bytes at a time. Included once for each width of vector, with LANES
 * words in one, TARGET as the attribute that allows it, and WIDE_NAME() making the names; so it has no guard.
 *
 * A range of no round length is done from both ends, over bytes in its middle that are then done twice: so its length
 * costs few branches, and random ones are mispredicted by every processor. `n` is at least WIDE_NAME(WIDE).
 */
typedef uint64_t WIDE_NAME(lanes) __attribute__((vector_size(LANES * sizeof(uint64_t))));
#if LANES == 4
typedef long long WIDE_NAME(signed_lanes) __attribute__((vector_size(LANES * sizeof(long long))));
#endif

enum { WIDE_NAME(WIDE) = 2 * sizeof(WIDE_NAME(lanes)) };

/* The words of one vector, as multiples of PAYLOAD_STEP added to the first. */
#if LANES == 2
#define RAMP ((WIDE_NAME(lanes)){0, PAYLOAD_STEP})
#define ORDERED(v) (BYTE_ORDER == LITTLE_ENDIAN ? (v) : (WIDE_NAME(lanes)){htole64((v)[0]), htole64((v)[1])})
#define ANY(v) (((v)[0] | (v)[1]) != 0)
#elif LANES == 4
#define RAMP ((WIDE_NAME(lanes)){0, PAYLOAD_STEP, 2 * PAYLOAD_STEP, 3 * PAYLOAD_STEP})
#define ORDERED(v) (v) /* of x86 alone */
#define ANY(v) (!__builtin_ia32_ptestz256((WIDE_NAME(signed_lanes))(v), (WIDE_NAME(signed_lanes))(v)))
#endif

TARGET static inline void WIDE_NAME(fill)(unsigned char *to, size_t n, uint64_t key)
{
    const size_t half = sizeof(WIDE_NAME(lanes)), last = (n - 2 * half) / sizeof key * sizeof key;
    const uint64_t last_key = key_at(key, last);
    WIDE_NAME(lanes) a = RAMP + key, b = a + LANES * PAYLOAD_STEP, x, y;
    for (size_t at = 0; at < last; at += 2 * half, a += 2 * LANES * PAYLOAD_STEP, b += 2 * LANES * PAYLOAD_STEP) {
        x = ORDERED(a), y = ORDERED(b);
        memcpy(to + at, &x, half);
        memcpy(to + at + half, &y, half);
    }
    a = RAMP + last_key;
    b = a + LANES * PAYLOAD_STEP;
    x = ORDERED(a), y = ORDERED(b);
    memcpy(to + last, &x, half);
    memcpy(to + last + half, &y, half);
    put_word(to + n - sizeof key, word_of(last_key + (2 * LANES - 1) * PAYLOAD_STEP, n));
}

TARGET static inline bool WIDE_NAME(differs)(const unsigned char *from, size_t n, uint64_t key)
{
    const size_t half = sizeof(WIDE_NAME(lanes)), last = (n - 2 * half) / sizeof key * sizeof key;
    const uint64_t last_key = key_at(key, last);
    WIDE_NAME(lanes) a = RAMP + key, b = a + LANES * PAYLOAD_STEP, x, y, bad = {0};
    for (size_t at = 0; at < last; at += 2 * half, a += 2 * LANES * PAYLOAD_STEP, b += 2 * LANES * PAYLOAD_STEP) {
        memcpy(&x, from + at, half);
        memcpy(&y, from + at + half, half);
        bad |= (x ^ ORDERED(a)) | (y ^ ORDERED(b));
    }
    a = RAMP + last_key;
    b = a + LANES * PAYLOAD_STEP;
    memcpy(&x, from + last, half);
    memcpy(&y, from + last + half, half);
    bad |= (x ^ ORDERED(a)) | (y ^ ORDERED(b));
    const uint64_t end = word_of(last_key + (2 * LANES - 1) * PAYLOAD_STEP, n);
    return ANY(bad) || word_differs(from + n - sizeof end, end);
}

#undef ANY
#undef ORDERED
#undef RAMP
#undef LANES
#undef TARGET
#undef WIDE_NAME
