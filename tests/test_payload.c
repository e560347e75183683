/* test_payload.c: contents against a reference that makes them byte by byte, at every small length and misalignment. */
#include "payload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH_MAX 300u
#define ALIGNMENTS 16u
#define MARGIN 16u
#define CANARY 0x7e

static const uint64_t keys[] = {0, 1, UINT64_MAX, UINT64_C(0x0123456789abcdef)};
#define KEYS (sizeof keys / sizeof *keys)

static unsigned char space[MARGIN + ALIGNMENTS + LENGTH_MAX + MARGIN];

/* Byte i of the contents, by the definition: word j is key + j * step, its lowest byte first. */
static unsigned char byte_at(uint64_t key, size_t i)
{
    return (unsigned char)((key + i / 8 * PAYLOAD_STEP) >> i % 8 * 8);
}

static void contents_are_those_of_the_reference(void **state)
{
    (void)state;
    for (size_t k = 0; k < KEYS; k++)
        for (size_t shift = 0; shift < ALIGNMENTS; shift++)
            for (size_t n = 0; n <= LENGTH_MAX; n++) {
                unsigned char *p = space + MARGIN + shift;
                memset(space, CANARY, sizeof space);
                payload_fill(p, n, keys[k]);
                for (size_t i = 0; i < n; i++)
                    if (p[i] != byte_at(keys[k], i)) fail_msg("byte %zu of %zu, misaligned by %zu", i, n, shift);
                for (unsigned char *q = space; q < space + sizeof space; q++)
                    if (q < p || q >= p + n) assert_int_equal(*q, CANARY);
                assert_true(payload_verify(p, n, keys[k]) == n);
            }
}

static void every_wrong_byte_is_found_at_its_offset(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LENGTH_MAX; n++) {
        unsigned char *p = space + MARGIN + n % ALIGNMENTS;
        uint64_t key = payload_key(7, n);
        payload_fill(p, n, key);
        for (size_t i = 0; i < n; i++) {
            unsigned char flip = (unsigned char)(1u << i % 8);
            p[i] ^= flip;
            if (payload_verify(p, n, key) != i) fail_msg("byte %zu of %zu is wrong, not found there", i, n);
            p[n - 1] ^= 0xff; /* the first of two is told */
            assert_true(payload_verify(p, n, key) == i || i == n - 1);
            p[n - 1] ^= 0xff;
            p[i] ^= flip;
        }
        assert_true(payload_verify(p, n, key) == n);
    }
}

static void bytes_around_the_contents_do_not_matter(void **state)
{
    (void)state;
    for (size_t n = 0; n <= LENGTH_MAX; n++) {
        unsigned char *p = space + MARGIN + 3;
        payload_fill(p, n, 5);
        memset(space, 0xff, MARGIN + 3);
        memset(p + n, 0xff, MARGIN);
        assert_true(payload_verify(p, n, 5) == n);
    }
}

static void shifted_and_foreign_copies_are_found(void **state)
{
    (void)state;
    static unsigned char from[LENGTH_MAX + 128], to[LENGTH_MAX];
    for (uint64_t generation = 1; generation < 200; generation++) {
        uint64_t key = payload_key(3, generation);
        payload_fill(from, sizeof from, key);
        for (size_t shift = 1; shift < 128; shift++) {
            memcpy(to, from + shift, 64);
            assert_true(payload_verify(to, 64, key) < 64);
        }
        memcpy(to, from, LENGTH_MAX / 2); /* half a copy */
        memset(to + LENGTH_MAX / 2, 0, LENGTH_MAX - LENGTH_MAX / 2);
        size_t wrong = payload_verify(to, LENGTH_MAX, key);
        assert_true(wrong >= LENGTH_MAX / 2 && wrong < LENGTH_MAX / 2 + 8);
        assert_true(payload_verify(from, 16, payload_key(3, generation + 1)) < 16);
        assert_true(payload_verify(from, 16, payload_key(4, generation)) < 16);
    }
}

static void keys_of_neighbours_differ(void **state)
{
    (void)state;
    enum { SEEDS = 16, GENERATIONS = 256 };
    static uint64_t all[SEEDS * GENERATIONS];
    for (uint32_t seed = 0; seed < SEEDS; seed++)
        for (uint32_t g = 0; g < GENERATIONS; g++) {
            uint64_t key = payload_key(seed, g);
            for (uint32_t i = 0; i < seed * GENERATIONS + g; i++) assert_true(all[i] != key);
            all[seed * GENERATIONS + g] = key;
        }
}

static void contents_go_on_under_the_key_at_an_offset(void **state)
{
    (void)state;
    payload_fill(space, LENGTH_MAX, 9);
    for (size_t offset = 0; offset < LENGTH_MAX; offset += 8)
        assert_true(payload_verify(space + offset, LENGTH_MAX - offset, 9 + offset / 8 * PAYLOAD_STEP) ==
                    LENGTH_MAX - offset);
}

static void zero_finds_the_first_byte_that_is_not(void **state)
{
    (void)state;
    size_t at = SIZE_MAX;
    for (size_t n = 0; n <= LENGTH_MAX; n++) {
        unsigned char *p = space + MARGIN + n % ALIGNMENTS;
        memset(space, CANARY, sizeof space);
        memset(p, 0, n);
        assert_true(payload_zero(p, n, &at));
        for (size_t i = 0; i < n; i++) {
            p[i] = 0x80;
            p[n - 1] |= 1;
            assert_false(payload_zero(p, n, &at));
            assert_true(at == i);
            p[i] = p[n - 1] = 0;
        }
    }
}

static void large_blocks_are_held_at_their_edges(void **state)
{
    (void)state;
    const size_t sizes[] = {PAYLOAD_WHOLE_MAX - 1, PAYLOAD_WHOLE_MAX, PAYLOAD_WHOLE_MAX + 1, PAYLOAD_WHOLE_MAX + 4099};
    unsigned char *p = malloc(PAYLOAD_WHOLE_MAX + 8192);
    assert_non_null(p);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t n = sizes[s];
        bool whole = n <= PAYLOAD_WHOLE_MAX;
        memset(p, 0, PAYLOAD_WHOLE_MAX + 8192);
        payload_fill_block(p, n, 11);
        assert_true(payload_verify_block(p, n, 11) == n);
        assert_true(payload_verify_block(p, n, 12) == 0);
        assert_int_equal(p[n], 0);
        const size_t seen[] = {0, 1, PAYLOAD_EDGE - 1, n - PAYLOAD_EDGE, n - 2, n - 1};
        for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
            p[seen[i]] ^= 4;
            assert_true(payload_verify_block(p, n, 11) == seen[i]);
            p[seen[i]] ^= 4;
        }
        const size_t between[] = {PAYLOAD_EDGE, n / 2, n - PAYLOAD_EDGE - 1};
        for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
            p[between[i]] ^= 4;
            assert_true(payload_verify_block(p, n, 11) == (whole ? between[i] : n));
            p[between[i]] ^= 4;
        }
        /* Of a large block the two ends are contents of their own: one copied over the other shows. */
        if (whole) continue;
        memcpy(p + n - PAYLOAD_EDGE, p, PAYLOAD_EDGE);
        assert_true(payload_verify_block(p, n, 11) == n - PAYLOAD_EDGE);
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents_are_those_of_the_reference),
        cmocka_unit_test(every_wrong_byte_is_found_at_its_offset),
        cmocka_unit_test(bytes_around_the_contents_do_not_matter),
        cmocka_unit_test(shifted_and_foreign_copies_are_found),
        cmocka_unit_test(keys_of_neighbours_differ),
        cmocka_unit_test(contents_go_on_under_the_key_at_an_offset),
        cmocka_unit_test(zero_finds_the_first_byte_that_is_not),
        cmocka_unit_test(large_blocks_are_held_at_their_edges),
    };
    return cmocka_run_group_tests_name("payload", tests, NULL, NULL);
}
