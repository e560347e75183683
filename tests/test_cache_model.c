/* test_cache_model.c: classes, alignments, merging, and what is known of slabs and the objects in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache_model.h"

#include <stdlib.h>

#define PAGE 4096u

static struct cache_model *m;

static int set_up(void **state)
{
    (void)state;
    m = calloc(1, sizeof *m);
    if (!m) return -1;
    cache_model_fresh(m);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (m->shadow_ready) shadow_close(&m->shadow);
    free(m);
    return 0;
}

/* ---- Arithmetic ------------------------------------------------------------------------------------------------------ */

static void classes_are_the_smallest_that_hold(void **state)
{
    (void)state;
    static const uint32_t plain[] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
    for (size_t n = 1, i = 0; n <= KMALLOC_CACHE_MAX; n++) {
        if (n > plain[i]) i++;
        assert_int_equal(kmalloc_class_bytes(kmalloc_class(n, 8)), plain[i]);
    }
}

static void a_large_minimum_leaves_classes_out(void **state)
{
    (void)state;
    assert_int_equal(kmalloc_class_bytes(kmalloc_class(1, 64)), 64);
    assert_int_equal(kmalloc_class_bytes(kmalloc_class(65, 64)), 128);
    assert_int_equal(kmalloc_class_bytes(kmalloc_class(129, 64)), 192);
    assert_int_equal(kmalloc_class_bytes(kmalloc_class(1, 128)), 128);
    assert_int_equal(kmalloc_class_bytes(kmalloc_class(129, 128)), 256);
}

/* C5, C6 and B57 to the largest kmalloc and beyond; a prime step meets every residue. */
static void rounding_is_monotone_and_complete_at_once(void **state)
{
    (void)state;
    static const unsigned minimums[] = {8, 64, 128};
    for (size_t i = 0; i < sizeof minimums / sizeof minimums[0]; i++) {
        size_t before = 0;
        for (size_t n = 0; n < KMALLOC_MAX + 2 * PAGE; n += n < 3 * PAGE ? 1 : 257) {
            size_t rounded = kmalloc_roundup(n, minimums[i], PAGE);
            assert_true(rounded >= n && rounded >= before);
            assert_int_equal(kmalloc_roundup(rounded, minimums[i], PAGE), rounded);
            if (n > 4 && n >= minimums[i] && n <= KMALLOC_MAX) assert_true(rounded < 2 * n); /* C28 */
            before = rounded;
        }
    }
    assert_int_equal(kmalloc_roundup(KMALLOC_MAX + 1, 8, PAGE), KMALLOC_MAX + 1);
    assert_int_equal(kmalloc_roundup(8193, 8, PAGE), 16384);
}

static void every_class_keeps_the_alignment_of_what_it_holds(void **state)
{
    (void)state;
    for (size_t n = 1; n <= KMALLOC_MAX; n += n < 3 * PAGE ? 1 : 509) {
        size_t rounded = kmalloc_roundup(n, 8, PAGE), align = kmalloc_alignment(n, 8);
        assert_true(align >= 8 && (n % align == 0 || align == 8));
        assert_true((rounded & (~rounded + 1)) >= align);
    }
    assert_int_equal(kmalloc_alignment(96, 8), 32);
    assert_int_equal(kmalloc_alignment(192, 8), 64);
    assert_int_equal(kmalloc_alignment(100, 64), 64);
}

static void types_follow_from_the_mask_and_the_machine(void **state)
{
    (void)state;
    assert_int_equal(kmalloc_type_of(GFP_KERNEL, true), KMALLOC_NORMAL);
    assert_int_equal(kmalloc_type_of(GFP_KERNEL | GFP_BIT_RECLAIMABLE, true), KMALLOC_RECLAIM);
    assert_int_equal(kmalloc_type_of(GFP_DMA | GFP_BIT_RECLAIMABLE, true), KMALLOC_DMA);
    assert_int_equal(kmalloc_type_of(GFP_DMA | GFP_BIT_RECLAIMABLE, false), KMALLOC_NORMAL);
}

static void small_objects_share_a_line(void **state)
{
    (void)state;
    assert_int_equal(cache_alignment(40, 0, 0), 8);
    assert_int_equal(cache_alignment(40, 16, 0), 16);
    assert_int_equal(cache_alignment(40, 4, 0), 8);
    assert_int_equal(cache_alignment(33, 0, CACHE_HWCACHE_ALIGN), 64);
    assert_int_equal(cache_alignment(32, 0, CACHE_HWCACHE_ALIGN), 32);
    assert_int_equal(cache_alignment(3, 0, CACHE_HWCACHE_ALIGN), 8);
    assert_int_equal(cache_alignment(40, 256, CACHE_HWCACHE_ALIGN), 256);
}

/* ---- Merging (B81) -------------------------------------------------------------------------------------------------------- */

static void cache(unsigned number, uint32_t size, uint32_t align, unsigned flags, bool constructor)
{
    m->caches[number] = (struct known_cache){
        .size = size, .align = cache_alignment(size, align, flags), .flags = flags, .constructor = constructor};
}

static bool alike(void)
{
    bool one = cache_model_mergeable(m, 0, 1, 8);
    assert_int_equal(one, cache_model_mergeable(m, 1, 0, 8));
    return one;
}

static void like_caches_may_be_merged_and_others_not(void **state)
{
    (void)state;
    static const unsigned never[] = {CACHE_RED_ZONE, CACHE_POISON, CACHE_FAILSLAB, CACHE_NO_MERGE};
    cache(0, 40, 0, 0, false);
    cache(1, 40, 0, 0, false);
    assert_true(alike());
    cache(1, 38, 0, 0, false); /* less than a word is wasted */
    assert_true(alike());
    cache(1, 32, 0, 0, false);
    assert_false(alike());
    cache(1, 40, 16, 0, false); /* 48 bytes each */
    assert_false(alike());
    cache(1, 40, 0, 0, true);
    assert_false(alike());
    cache(1, 40, 0, CACHE_DMA, false);
    assert_false(alike());
    cache(0, 40, 0, CACHE_DMA, false);
    assert_true(alike());
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        cache(0, 40, 0, never[i], false);
        cache(1, 40, 0, never[i], false);
        assert_false(alike());
    }
}

static void a_class_of_kmalloc_is_a_cache_like_others(void **state)
{
    (void)state;
    const unsigned class = GROUP_KMALLOC + kmalloc_class(64, 8) * KMALLOC_TYPES;
    cache(0, 64, 0, 0, false);
    assert_true(cache_model_mergeable(m, 0, class + KMALLOC_NORMAL, 8));
    assert_false(cache_model_mergeable(m, 0, class + KMALLOC_DMA, 8));
    assert_false(cache_model_mergeable(m, 0, class + KMALLOC_TYPES, 8));
}

/* ---- Slabs ----------------------------------------------------------------------------------------------------------------- */

static void a_slab_is_empty_partial_and_full_by_its_objects(void **state)
{
    (void)state;
    const struct cache_group *g = &m->groups[3];
    uint32_t head = 0;
    cache_model_take(m, 3, 100, 2, PAGE);
    assert_int_equal(cache_model_spare(m, 3), 0); /* nobody knows yet */
    cache_model_stride(m, 3, 4000, PAGE);
    assert_int_equal(g->objects, 2);
    assert_int_equal(g->empty, 1);
    struct slab *s = cache_model_slab(m, 101, &head);
    assert_non_null(s);
    assert_int_equal(head, 100);
    assert_null(cache_model_slab(m, 102, &head));
    assert_null(cache_model_slab(m, 99, &head));
    cache_model_use(m, s, 1);
    assert_true(g->empty == 0 && g->full == 0 && cache_model_spare(m, 3) == 1);
    cache_model_use(m, s, 1);
    assert_true(g->full == 1 && cache_model_spare(m, 3) == 0);
    assert_false(cache_model_give(m, 101, 1) && cache_model_give(m, 100, 1)); /* objects live in it */
    assert_true(g->slabs == 0 && g->used == 0 && g->objects == 0 && g->full == 0);
}

static void a_slab_of_others_is_adopted_with_its_room(void **state)
{
    (void)state;
    uint32_t head;
    cache_model_stride(m, 5, 512, PAGE);
    cache_model_take(m, GROUP_OTHERS, 8, 2, PAGE);
    assert_int_equal(m->groups[GROUP_OTHERS].slabs, 1);
    struct slab *s = cache_model_slab(m, 9, &head);
    cache_model_adopt(m, s, 5, PAGE);
    cache_model_use(m, s, 1);
    assert_true(head == 8 && s->group == 5 && s->capacity == 16);
    assert_true(m->groups[GROUP_OTHERS].slabs == 0 && m->groups[GROUP_OTHERS].empty == 0);
    assert_true(m->groups[5].slabs == 1 && m->groups[5].used == 1 && cache_model_spare(m, 5) == 15);
    assert_false(cache_model_give(m, 8, 2));
    assert_true(m->groups[5].slabs == 0 && m->groups[5].objects == 0 && m->groups[5].used == 0);
}

static void joined_groups_are_one_until_one_departs(void **state)
{
    (void)state;
    uint32_t head;
    cache_model_stride(m, 1, 1024, PAGE);
    cache_model_take(m, 1, 8, 1, PAGE);
    cache_model_join(m, 1, 2);
    assert_int_equal(cache_model_group(m, 2), cache_model_group(m, 1));
    cache_model_take(m, 2, 9, 1, PAGE);
    cache_model_use(m, cache_model_slab(m, 9, &head), 1);
    assert_int_equal(cache_model_spare(m, 1), 7);
    cache_model_depart(m, 1);
    assert_int_equal(cache_model_group(m, 2), 2);
    assert_int_equal(m->groups[2].slabs, 2);
    assert_int_equal(cache_model_spare(m, 2), 7);
    assert_int_equal(cache_model_spare(m, 1), 0);
    assert_int_equal(cache_model_slab(m, 8, &head)->group, 2);
}

static void frames_that_come_and_go_are_forgotten_afresh(void **state)
{
    (void)state;
    uint32_t head;
    for (unsigned i = 0; i < 2 * FRAME_MAP_FRAMES; i++) { /* more often than there are frames */
        cache_model_take(m, i % 4, 7, 1, PAGE);
        assert_true(cache_model_give(m, 7, 1));
    }
    assert_int_equal(m->touched_count, 1);
    cache_model_take(m, 0, 7, 1, PAGE);
    cache_model_fresh(m);
    assert_null(cache_model_slab(m, 7, &head));
    assert_int_equal(m->groups[0].slabs, 0);
    assert_int_equal(m->touched_count, 0);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_the_smallest_that_hold),
        cmocka_unit_test(a_large_minimum_leaves_classes_out),
        cmocka_unit_test(rounding_is_monotone_and_complete_at_once),
        cmocka_unit_test(every_class_keeps_the_alignment_of_what_it_holds),
        cmocka_unit_test(types_follow_from_the_mask_and_the_machine),
        cmocka_unit_test(small_objects_share_a_line),
        EACH(like_caches_may_be_merged_and_others_not),
        EACH(a_class_of_kmalloc_is_a_cache_like_others),
        EACH(a_slab_is_empty_partial_and_full_by_its_objects),
        EACH(a_slab_of_others_is_adopted_with_its_room),
        EACH(joined_groups_are_one_until_one_departs),
        EACH(frames_that_come_and_go_are_forgotten_afresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
