/* test_shadow.c: the shadow against one byte for each granule: random ranges over chunk borders, of every granule. */
#include "shadow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHUNK ((uintptr_t)1 << 20)
#define BASE ((uintptr_t)0x40000000 - 8 * 1024) /* a chunk ends 8 KiB behind it */
#define SPAN ((size_t)16 * 1024)
#define RANGES_MAX 256u
#define ROUNDS 20000u

static struct shadow shadow;
static unsigned char owned[SPAN]; /* the reference, by granules */
static size_t granule;
static struct range {
    uintptr_t at;
    size_t bytes;
} ranges[RANGES_MAX];
static size_t range_count;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545F4914F6CDD1D) >> 16;
}

/* ---- The reference ----------------------------------------------------------------------------------------------- */

static size_t first_granule(uintptr_t at) { return (at - BASE) / granule; }
static size_t last_granule(uintptr_t at, size_t bytes) { return (at + bytes - 1 - BASE) / granule; }

static bool naive_insert(uintptr_t at, size_t bytes)
{
    for (size_t g = first_granule(at); g <= last_granule(at, bytes); g++)
        if (owned[g]) return false;
    memset(owned + first_granule(at), 1, last_granule(at, bytes) - first_granule(at) + 1);
    return true;
}

static void naive_remove(uintptr_t at, size_t bytes)
{
    memset(owned + first_granule(at), 0, last_granule(at, bytes) - first_granule(at) + 1);
}

static bool naive_has_gap(uintptr_t from, uintptr_t to, size_t bytes)
{
    size_t need = bytes / granule, run = 0;
    if (from >= to || need == 0) return from < to;
    for (size_t g = first_granule(from); g <= last_granule(to - 1, 1); g++) {
        run = owned[g] ? 0 : run + 1;
        if (run == need) return true;
    }
    return false;
}

static uintptr_t naive_next(uintptr_t from, uintptr_t to, bool is_owned)
{
    for (uintptr_t at = from; at < to; at = BASE + (first_granule(at) + 1) * granule)
        if (owned[first_granule(at)] == is_owned) return at;
    return to;
}

/* ---- Tests --------------------------------------------------------------------------------------------------------- */

static void random_range(uint64_t *random, uintptr_t *at, size_t *bytes)
{
    static const size_t longest[] = {1, 16, 64, 200, 1100, 5000};
    *bytes = 1 + random_next(random) % longest[random_next(random) % 6];
    *at = BASE + random_next(random) % (SPAN - *bytes);
    if (random_next(random) % 4) *at -= *at % granule; /* as blocks lie; BASE is a multiple of every granule */
}

static void compare_queries(uint64_t *random)
{
    uintptr_t from = BASE + random_next(random) % SPAN, to = BASE + random_next(random) % (SPAN + 1);
    if (from > to) {
        uintptr_t swap = from;
        from = to;
        to = swap;
    }
    size_t bytes = random_next(random) % (random_next(random) % 2 ? 300 : 9000);
    if (shadow_has_gap(&shadow, from, to, bytes) != naive_has_gap(from, to, bytes))
        fail_msg("gap of %zu bytes in [%zu, %zu), granule %zu", bytes, (size_t)(from - BASE), (size_t)(to - BASE),
                 granule);
    if (shadow_next_owned(&shadow, from, to) != naive_next(from, to, true))
        fail_msg("next owned in [%zu, %zu), granule %zu", (size_t)(from - BASE), (size_t)(to - BASE), granule);
    if (shadow_next_free(&shadow, from, to) != naive_next(from, to, false))
        fail_msg("next free in [%zu, %zu), granule %zu", (size_t)(from - BASE), (size_t)(to - BASE), granule);
}

static void fill_and_empty(uint64_t *random)
{
    memset(owned, 0, sizeof owned);
    range_count = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uintptr_t at;
        size_t bytes;
        random_range(random, &at, &bytes);
        if (range_count < RANGES_MAX && random_next(random) % 5 > (i / 1000 % 2 ? 2 : 0)) {
            bool free_before = naive_insert(at, bytes);
            if (shadow_insert(&shadow, at, bytes) != free_before)
                fail_msg("insert of [%zu, +%zu), granule %zu", (size_t)(at - BASE), bytes, granule);
            if (free_before) ranges[range_count++] = (struct range){at, bytes};
        } else if (range_count) {
            struct range *r = &ranges[random_next(random) % range_count];
            shadow_remove(&shadow, r->at, r->bytes);
            naive_remove(r->at, r->bytes);
            *r = ranges[--range_count];
        }
        compare_queries(random);
    }
}

static void ranges_are_those_of_the_reference(void **state)
{
    (void)state;
    uint64_t random = 1;
    assert_int_equal((BASE + SPAN / 2) % CHUNK, 0);
    for (granule = 1; granule <= 64; granule *= 2) {
        assert_true(shadow_open(&shadow, granule));
        fill_and_empty(&random);
        shadow_clear(&shadow);
        assert_true(shadow_next_owned(&shadow, BASE, BASE + SPAN) == BASE + SPAN);
        fill_and_empty(&random); /* a cleared one is as good as new */
        shadow_close(&shadow);
    }
}

static void a_range_over_many_chunks(void **state)
{
    (void)state;
    const uintptr_t at = 5 * CHUNK - 3;
    const size_t bytes = 3 * CHUNK + 5;
    assert_true(shadow_open(&shadow, 1));
    assert_true(shadow_insert(&shadow, at, bytes));
    for (uintptr_t chunk = 4; chunk <= 8; chunk++)
        assert_false(shadow_insert(&shadow, chunk == 4 ? at : chunk * CHUNK, 1));
    assert_false(shadow_insert(&shadow, at - 1, bytes + 2));
    assert_true(shadow_insert(&shadow, at - 1, 1)); /* a refused insert has changed nothing */
    assert_true(shadow_insert(&shadow, at + bytes, 1));
    assert_true(shadow_next_free(&shadow, at, at + 2 * bytes) == at + bytes + 1);
    assert_false(shadow_has_gap(&shadow, at, at + bytes, 1));
    assert_true(shadow_has_gap(&shadow, at, at + bytes + 2, 1));
    shadow_remove(&shadow, at, bytes);
    assert_true(shadow_has_gap(&shadow, at, at + bytes, bytes));
    assert_false(shadow_has_gap(&shadow, at - 1, at + bytes + 1, bytes + 1));
    assert_true(shadow_insert(&shadow, at, bytes));
    shadow_close(&shadow);
}

static void a_partial_granule_is_owned_whole(void **state)
{
    (void)state;
    assert_true(shadow_open(&shadow, 16));
    assert_true(shadow_insert(&shadow, BASE, 1));
    assert_false(shadow_insert(&shadow, BASE + 15, 1));
    assert_true(shadow_insert(&shadow, BASE + 16, 17));
    assert_false(shadow_insert(&shadow, BASE + 47, 1));
    assert_true(shadow_insert(&shadow, BASE + 48, 1));
    shadow_remove(&shadow, BASE + 16, 17);
    assert_true(shadow_insert(&shadow, BASE + 16, 32));
    shadow_close(&shadow);
}

static void giants_are_held_against_giants_and_by_what_follows(void **state)
{
    (void)state;
    assert_true(shadow_open(&shadow, 16));
    /* Addresses only: nothing of them is touched. */
    const uintptr_t at = (uintptr_t)1 << 28;
    assert_true(shadow_insert(&shadow, at, SHADOW_GIANT));
    assert_false(shadow_insert(&shadow, at + SHADOW_GIANT - 1, SHADOW_GIANT));
    assert_false(shadow_insert(&shadow, at - SHADOW_GIANT + 1, SHADOW_GIANT));
    assert_false(shadow_insert(&shadow, at - 1, SHADOW_GIANT + 2));
    assert_false(shadow_insert(&shadow, at + SHADOW_GIANT / 2, 1));
    assert_true(shadow_insert(&shadow, at - 16, 16));
    assert_true(shadow_insert(&shadow, at + SHADOW_GIANT, 2 * SHADOW_GIANT));
    assert_true(shadow_insert(&shadow, at - 2 * SHADOW_GIANT, SHADOW_GIANT));
    shadow_remove(&shadow, at, SHADOW_GIANT);
    assert_true(shadow_insert(&shadow, at + SHADOW_GIANT / 2, 1));
    assert_false(shadow_insert(&shadow, at + SHADOW_GIANT, 1)); /* the others are still there */
    assert_false(shadow_insert(&shadow, at - 2 * SHADOW_GIANT, 1));
    shadow_clear(&shadow);
    assert_true(shadow_insert(&shadow, at - 2 * SHADOW_GIANT, 5 * SHADOW_GIANT));
    shadow_close(&shadow);
}

static void the_largest_range_that_is_no_giant(void **state)
{
    (void)state;
    const uintptr_t at = (uintptr_t)1 << 28;
    assert_true(shadow_open(&shadow, 16));
    assert_true(shadow_insert(&shadow, at, SHADOW_GIANT - 1));
    assert_false(shadow_insert(&shadow, at + SHADOW_GIANT - 2, 1));
    assert_true(shadow_insert(&shadow, at + SHADOW_GIANT, 1));
    shadow_remove(&shadow, at, SHADOW_GIANT - 1);
    assert_true(shadow_insert(&shadow, at + SHADOW_GIANT - 2, 1));
    shadow_close(&shadow);
}

static void more_giants_than_are_watched_do_no_harm(void **state)
{
    (void)state;
    if (sizeof(void *) < 8) skip();
    assert_true(shadow_open(&shadow, 16));
    const uintptr_t at = (uintptr_t)((uint64_t)1 << 40 & UINTPTR_MAX);
    for (uintptr_t i = 0; i < 2 * SHADOW_GIANTS_MAX; i++)
        assert_true(shadow_insert(&shadow, at + i * SHADOW_GIANT, SHADOW_GIANT));
    for (uintptr_t i = 0; i < 2 * SHADOW_GIANTS_MAX; i++) shadow_remove(&shadow, at + i * SHADOW_GIANT, SHADOW_GIANT);
    assert_int_equal(shadow.giant_count, 0);
    shadow_close(&shadow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_those_of_the_reference),
        cmocka_unit_test(a_range_over_many_chunks),
        cmocka_unit_test(a_partial_granule_is_owned_whole),
        cmocka_unit_test(giants_are_held_against_giants_and_by_what_follows),
        cmocka_unit_test(the_largest_range_that_is_no_giant),
        cmocka_unit_test(more_giants_than_are_watched_do_no_harm),
    };
    return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
