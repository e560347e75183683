/* payload_masked.h: the loops of payload.c where the processor has AVX-512 with masks for bytes, which make a vector of any
 * length. Up to 512 bytes nothing but two classes of sizes branches: the lengths of blocks are random, and a branch on them
 * that is mispredicted costs more than all the vectors. A masked-out byte is neither read nor written; where its page would
 * fault the processor takes thousands of times as long to find out, so what lies against a guard is left to other loops.
 */
#include <immintrin.h>

#define MASKED __attribute__((target("avx512f,avx512bw,bmi2"), always_inline)) static inline

enum { MASKED_WORDS = 8, MASKED_BYTES = 64, MASKED_UNROLLED = 8 };

/* Masks of the first `n` bytes of a vector, n < 64; of the second vector's share of n bytes, n <= 128; and, `whole` vectors
 * being filled, of each one from the window's place on. */
MASKED __mmask64 first_bytes(size_t n) { return _bzhi_u64(~UINT64_C(0), (unsigned)n); }
MASKED __mmask64 second_share(size_t n) { return first_bytes((n > MASKED_BYTES ? n : MASKED_BYTES) - MASKED_BYTES); }
static const uint64_t masked_window[2 * MASKED_UNROLLED] = {
    ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0),
};

/* The words of the vector whose first has this key; and of the one after v. */
MASKED __m512i words_from(uint64_t key)
{
    const uint64_t step = PAYLOAD_STEP;
    const __m512i steps = (__m512i)(__v8du){0, step, 2 * step, 3 * step, 4 * step, 5 * step, 6 * step, 7 * step};
    return _mm512_add_epi64(_mm512_set1_epi64((long long)key), steps);
}
MASKED __m512i words_after(__m512i v)
{
    return _mm512_add_epi64(v, _mm512_set1_epi64((long long)(MASKED_WORDS * PAYLOAD_STEP)));
}

MASKED __mmask64 wrong_bytes(const unsigned char *from, __mmask64 mask, __m512i v)
{
    return _mm512_mask_cmpneq_epi8_mask(mask, _mm512_maskz_loadu_epi8(mask, from), v);
}

/* Is what the vectors of n bytes reach, masked out or not, on the page of the last byte? */
static inline bool masks_suit(const void *p, size_t n)
{
    const size_t whole = n / MASKED_BYTES, reach = n <= 2 * MASKED_BYTES      ? 2 * MASKED_BYTES
                                                   : whole <= MASKED_UNROLLED ? (MASKED_UNROLLED + 1) * MASKED_BYTES
                                                                              : (whole + 1) * MASKED_BYTES;
    const uintptr_t at = (uintptr_t)p;
    return n && ((at + n - 1) ^ (at + reach - 1)) < 4096;
}

__attribute__((target("avx512f,avx512bw,bmi2"))) static void fill_masked(unsigned char *to, size_t n, uint64_t key)
{
    const size_t whole = n / MASKED_BYTES, rest = whole * MASKED_BYTES;
    __m512i v = words_from(key);
    if (n <= 2 * MASKED_BYTES) {
        _mm512_mask_storeu_epi8(to, first_bytes(n), v);
        _mm512_mask_storeu_epi8(to + MASKED_BYTES, second_share(n), words_after(v));
        return;
    }
    if (whole <= MASKED_UNROLLED) {
        const uint64_t *masks = masked_window + MASKED_UNROLLED - whole;
        for (unsigned i = 0; i < MASKED_UNROLLED; i++, v = words_after(v))
            _mm512_mask_storeu_epi8(to + i * MASKED_BYTES, masks[i], v);
    } else {
        for (size_t at = 0; at < rest; at += MASKED_BYTES, v = words_after(v)) _mm512_storeu_si512(to + at, v);
    }
    _mm512_mask_storeu_epi8(to + rest, first_bytes(n % MASKED_BYTES), words_from(key_at(key, rest)));
}

__attribute__((target("avx512f,avx512bw,bmi2"))) static bool differs_masked(const unsigned char *from, size_t n,
                                                                            uint64_t key)
{
    const size_t whole = n / MASKED_BYTES, rest = whole * MASKED_BYTES;
    __m512i v = words_from(key);
    if (n <= 2 * MASKED_BYTES)
        return (wrong_bytes(from, first_bytes(n), v) |
                wrong_bytes(from + MASKED_BYTES, second_share(n), words_after(v))) != 0;
    __mmask64 wrong = wrong_bytes(from + rest, first_bytes(n % MASKED_BYTES), words_from(key_at(key, rest)));
    if (whole <= MASKED_UNROLLED) {
        const uint64_t *masks = masked_window + MASKED_UNROLLED - whole;
        for (unsigned i = 0; i < MASKED_UNROLLED; i++, v = words_after(v))
            wrong |= wrong_bytes(from + i * MASKED_BYTES, masks[i], v);
    } else {
        __m512i bad = _mm512_setzero_si512();
        for (size_t at = 0; at < rest; at += MASKED_BYTES, v = words_after(v))
            bad = _mm512_or_si512(bad, _mm512_xor_si512(_mm512_loadu_si512(from + at), v));
        wrong |= _mm512_test_epi64_mask(bad, bad);
    }
    return wrong != 0;
}

#undef MASKED
