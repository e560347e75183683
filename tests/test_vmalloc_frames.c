/* test_vmalloc_frames.c: which frames lie behind an area, told by the machine's oracle view and not by the allocator (B87-B89,
 * C3, O7). */
#include "kernel_heap.h"

/* The frame in which a token shows that is written to the page: the only one of all. */
static uint32_t frame_behind(unsigned char *page)
{
    static uint64_t token = UINT64_C(0x5ca77e5ed0000000);
    uint32_t found = PFN_NONE;
    token++;
    memcpy(page + 64, &token, sizeof token);
    for (uint32_t pfn = 0; pfn < machine.frames; pfn++) {
        if (memcmp(frame(pfn) + 64, &token, sizeof token) != 0) continue;
        assert_int_equal(found, PFN_NONE);
        found = pfn;
    }
    assert_int_not_equal(found, PFN_NONE);
    return found;
}

static uint32_t neighbours(unsigned char *p, uint32_t pages)
{
    uint32_t count = 0;
    for (uint32_t i = 1; i < pages; i++) count += frame_behind(p + (i - 1) * PAGE) + 1 == frame_behind(p + i * PAGE);
    return count;
}

static void highmem_comes_first(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    unsigned char *p = k->vmalloc(heap, 8 * PAGE);
    for (uint32_t i = 0; i < 8; i++) assert_true(k->vmalloc_to_pfn(heap, p + i * PAGE) >= machine.lowmem_frames);
    assert_null(k->page_address(heap, k->vmalloc_to_page(heap, p)));
}

static void scatter_scatters(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    assert_int_equal(neighbours(k->vmalloc(heap, 24 * PAGE), 24), 23);
    power_on(MACHINE_S64, true);
    assert_int_equal(neighbours(k->vmalloc(heap, 24 * PAGE), 24), 0);
    assert_int_equal(neighbours(k->kvmalloc(heap, 24 * PAGE, GFP_KERNEL), 24),
                     23); /* the direct map knows no scatter */
}

static void frames_are_scattered(void **state)
{
    (void)state;
    power_on(MACHINE_S64, true);
    for (uint32_t pages = 2; pages <= 600; pages += pages < 9 ? 1 : 37) {
        unsigned char *p = k->vmalloc(heap, pages * PAGE);
        check_area(p, pages);
        for (uint32_t i = 1; i < pages; i++) {
            uint32_t before = k->vmalloc_to_pfn(heap, p + (i - 1) * PAGE), here = k->vmalloc_to_pfn(heap, p + i * PAGE);
            assert_true(here + 1 < before || before + 1 < here);
        }
        k->vfree(heap, p);
    }
}

static void frames_run_where_they_may(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    unsigned char *p = k->vmalloc(heap, 64 * PAGE);
    for (uint32_t i = 1; i < 64; i++)
        assert_int_equal(k->vmalloc_to_pfn(heap, p + i * PAGE), k->vmalloc_to_pfn(heap, p) + i);
}

static void frames_stay_where_they_are(void **state)
{
    (void)state;
    power_on(MACHINE_S64, true);
    unsigned char *p = k->vmalloc(heap, 4 * PAGE), *q = k->vmalloc(heap, 4 * PAGE);
    uint32_t pfns[4];
    for (uint32_t i = 0; i < 4; i++) pfns[i] = k->vmalloc_to_pfn(heap, p + i * PAGE);
    k->vfree(heap, q);
    k->vm_unmap_aliases(heap);
    assert_non_null(k->vmalloc(heap, 9 * PAGE));
    for (uint32_t i = 0; i < 4; i++) assert_int_equal(k->vmalloc_to_pfn(heap, p + i * PAGE), pfns[i]);
}

/* ---- Across the border of highmem --------------------------------------------------------------------------------------- */

static void large_areas_cross_into_lowmem(void **state)
{
    (void)state;
    power_on(MACHINE_SMAP, false);
    const uint32_t pages = 30000; /* highmem has 28672 frames */
    unsigned char *p = k->vmalloc(heap, pages * PAGE);
    assert_non_null(p);
    assert_true(k->vmalloc_to_pfn(heap, p) >= machine.lowmem_frames);
    assert_true(k->vmalloc_to_pfn(heap, p + (pages - 1) * PAGE) < machine.lowmem_frames);
    check_area(p, pages);
    k->vfree(heap, p);
    assert_int_equal(window().areas, 0);
    assert_null(alloc_vmalloc.check(heap));
}

/* Frames of highmem that may be had before its low mark is reached. */
static uint32_t highmem_left(void)
{
    struct zone_info info;
    k->zone_info(heap, ZONE_HIGHMEM, &info);
    return info.free - info.mark_low;
}

/* Two pages of highmem are left: what is behind them comes from lowmem, and no access notices. */
static void an_area_crosses_the_border(enum machine_config config, bool scatter)
{
    const uint32_t pages = 6;
    uint32_t border = 0, low = 0;
    power_on(config, scatter);
    while (highmem_left() > 2) assert_non_null(k->alloc_pages(heap, GFP_HIGHUSER, highmem_left() > 1026 ? 10 : 0));
    unsigned char *p = k->vmalloc(heap, pages * PAGE);
    assert_non_null(p);
    check_area(p, pages);
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t pfn = frame_behind(p + i * PAGE);
        if (pfn >= machine.lowmem_frames) continue;
        if (!low++) border = i;
        assert_memory_equal(machine_direct(&machine, pfn), p + i * PAGE, PAGE); /* which is at two places (C18) */
    }
    assert_int_equal(low, pages - 2);
    for (uint32_t i = 1; i < pages; i++) { /* words over every border, that of the zones among them */
        uint64_t word = UINT64_C(0x0123456789abcdef) * i, seen;
        unsigned char *at = p + i * PAGE - 3;
        uint32_t before = frame_behind(p + (i - 1) * PAGE), behind = frame_behind(p + i * PAGE);
        memcpy(at, &word, sizeof word);
        memcpy(&seen, frame(before) + PAGE - 3, 3);
        memcpy((unsigned char *)&seen + 3, frame(behind), sizeof seen - 3);
        assert_int_equal(seen, word);
    }
    assert_true(border < pages);
    k->vfree(heap, p);
    assert_null(alloc_vmalloc.check(heap));
    assert_true(quiet());
}

static void areas_cross_the_border_of_highmem(void **state)
{
    (void)state;
    an_area_crosses_the_border(MACHINE_S64, false);
    an_area_crosses_the_border(MACHINE_S64, true);
    an_area_crosses_the_border(MACHINE_SODD, false); /* where the border is no multiple of anything */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(highmem_comes_first),
        cmocka_unit_test(scatter_scatters),
        cmocka_unit_test(frames_are_scattered),
        cmocka_unit_test(frames_run_where_they_may),
        cmocka_unit_test(frames_stay_where_they_are),
        cmocka_unit_test(large_areas_cross_into_lowmem),
        cmocka_unit_test(areas_cross_the_border_of_highmem),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
