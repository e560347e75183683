/* test_zone_model.c: marks, reserves and rights against the numbers of the recommended machines. */
#include "gfp_model.h"
#include "zone_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct machine machine_of(uint32_t dma_end, uint32_t normal_end, uint32_t end)
{
    return (struct machine){.frames = end,
                            .page_bytes = 4096,
                            .page_shift = 12,
                            .max_order = 10,
                            .zones = {{0, dma_end}, {dma_end, normal_end}, {normal_end, end}},
                            .lowmem_frames = normal_end};
}

static void s64_has_the_numbers_of_its_sizes(void **state)
{
    (void)state;
    const struct machine m = machine_of(1024, 8192, 16384);
    static const uint32_t min[ZONES] = {22, 158, 32}, low[ZONES] = {27, 197, 77}, high[ZONES] = {32, 236, 122};
    struct zone_model z;
    zone_model_make(&z, &m);
    assert_memory_equal(z.min, min, sizeof min);
    assert_memory_equal(z.low, low, sizeof low);
    assert_memory_equal(z.high, high, sizeof high);
    assert_int_equal(z.reserve[ZONE_DMA][ZONE_NORMAL], 28);
    assert_int_equal(z.reserve[ZONE_DMA][ZONE_HIGHMEM], 60);
    assert_int_equal(z.reserve[ZONE_NORMAL][ZONE_HIGHMEM], 256);
    assert_int_equal(z.reserve[ZONE_DMA][ZONE_DMA] + z.reserve[ZONE_HIGHMEM][ZONE_HIGHMEM], 0);
}

static void a_machine_without_marks_keeps_nothing_back(void **state)
{
    (void)state;
    struct machine m = machine_of(0, 64, 64);
    struct zone_model z;
    m.no_watermarks = true;
    zone_model_make(&z, &m);
    for (unsigned i = 0; i < ZONES; i++) assert_int_equal(z.min[i] + z.low[i] + z.high[i], 0);
    assert_true(zone_above_min(&z, ZONE_NORMAL, ZONE_NORMAL, 1, 1, 0)); /* the last frame */
    assert_false(zone_above_min(&z, ZONE_NORMAL, ZONE_NORMAL, 1, 2, 0));
}

/* The smallest number of free frames at which a request of 2^order is served. */
static uint32_t threshold(unsigned gfp, unsigned order, const struct machine_context *c, bool killed)
{
    const struct machine m = machine_of(1024, 8192, 16384);
    struct zone_model z;
    uint32_t free = 0;
    zone_model_make(&z, &m);
    unsigned rights = zone_rights(gfp, c, killed);
    while (!zone_above_min(&z, ZONE_NORMAL, mask_zone(&m, gfp), free, 1u << order, rights)) free++;
    return free;
}

static void rights_lower_the_mark(void **state)
{
    (void)state;
    const struct machine_context task = {0}, frees = {.scope = SCOPE_NORECLAIM}, victim = {.out_of_memory = true},
                                 irq = {.hardirq = true, .scope = SCOPE_NORECLAIM};
    assert_int_equal(threshold(GFP_KERNEL, 0, &task, false), 159);
    assert_int_equal(threshold(GFP_NOWAIT, 0, &task, false), 159);
    assert_int_equal(threshold(GFP_KERNEL, 3, &task, false), 166);
    assert_int_equal(threshold(GFP_ATOMIC, 0, &task, false), 61);
    assert_int_equal(threshold(GFP_ATOMIC, 4, &task, false), 76);
    assert_int_equal(threshold(GFP_ATOMIC | GFP_BIT_NOMEMALLOC, 0, &task, false), 80);
    assert_int_equal(threshold(GFP_KERNEL | GFP_BIT_HIGH, 0, &task, false), 80);
    assert_int_equal(threshold(GFP_KERNEL | GFP_BIT_NOFAIL, 0, &task, false), 80);
    assert_int_equal(threshold(GFP_KERNEL | GFP_BIT_NOFAIL, 0, &task, true), 0);
    assert_int_equal(threshold(GFP_KERNEL | GFP_BIT_MEMALLOC, 0, &task, false), 0);
    assert_int_equal(threshold(GFP_KERNEL | GFP_BIT_MEMALLOC | GFP_BIT_NOMEMALLOC, 0, &task, false), 159);
    assert_int_equal(threshold(GFP_KERNEL, 0, &frees, false), 0);
    assert_int_equal(threshold(GFP_NOWAIT, 0, &irq, false), 159);
    assert_int_equal(threshold(GFP_KERNEL, 0, &victim, false), 80);
    assert_int_equal(threshold(GFP_HIGHUSER, 0, &task, false), 159 + 256);
}

static void a_reserve_is_named_by_who_has_a_right_to_it(void **state)
{
    (void)state;
    const struct machine_context task = {0};
    assert_true(zone_right_named(GFP_ATOMIC, &task, false, RESERVE_ATOMIC));
    assert_true(zone_right_named(GFP_ATOMIC, &task, false, RESERVE_HIGH));
    assert_false(zone_right_named(GFP_KERNEL, &task, false, RESERVE_HIGH));
    assert_false(zone_right_named(GFP_KERNEL | GFP_BIT_HIGH, &task, false, RESERVE_ATOMIC));
    assert_true(zone_right_named(GFP_KERNEL | GFP_BIT_NOFAIL, &task, false, RESERVE_NOFAIL));
    assert_false(zone_right_named(GFP_NOWAIT | GFP_BIT_NOFAIL, &task, false, RESERVE_NOFAIL));
    assert_true(zone_right_named(GFP_BIT_MEMALLOC, &task, false, RESERVE_ALL));
    assert_false(zone_right_named(GFP_ATOMIC, &task, false, 0));
}

/* Blocks count as well as frames (B28): half of the zone free, frame by frame, serves no order 1. */
static void fragmented_zones_serve_small_orders_only(void **state)
{
    (void)state;
    const struct machine m = machine_of(1024, 8192, 16384);
    struct frame_map f;
    struct zone_model z;
    assert_int_equal(frame_map_open(&f), 0);
    frame_map_fresh(&f, &m);
    zone_model_make(&z, &m);
    assert_true(zones_serve(&z, &f, ZONE_NORMAL, 10, 0, true));
    for (uint32_t pfn = 0; pfn < 8192; pfn += 2) frame_map_set(&f, pfn, 1, FRAME_SLAB);
    assert_true(zones_serve(&z, &f, ZONE_NORMAL, 0, 0, true));
    assert_false(zones_serve(&z, &f, ZONE_NORMAL, 1, RIGHT_ALL, false));
    assert_false(zones_have(&f, ZONE_NORMAL, 1));
    assert_true(zones_have(&f, ZONE_HIGHMEM, 10));
    frame_map_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s64_has_the_numbers_of_its_sizes),
        cmocka_unit_test(a_machine_without_marks_keeps_nothing_back),
        cmocka_unit_test(rights_lower_the_mark),
        cmocka_unit_test(a_reserve_is_named_by_who_has_a_right_to_it),
        cmocka_unit_test(fragmented_zones_serve_small_orders_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
