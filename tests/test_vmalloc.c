/* test_vmalloc.c: areas, and what chooses between them and kmalloc (B48, B49, B86-B108). */
#include "kernel_heap.h"

#include <errno.h>
#include <limits.h>

static unsigned char *area_of(uint32_t pages) { return k->vmalloc(heap, pages * PAGE); }

/* ---- vmalloc and vfree -------------------------------------------------------------------------------------------- */

static void pages_are_shown_in_the_window(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    unsigned char *p = k->vmalloc(heap, 3 * PAGE + 1), *q = k->vmalloc(heap, 1);
    assert_true(p >= machine.vmalloc_start && q + PAGE <= machine.vmalloc_end);
    assert_int_equal((uintptr_t)p % PAGE, 0);
    assert_true(q >= p + 5 * PAGE); /* a guard page lies between (B90) */
    check_area(p, 4);
    check_area(q, 1);
    assert_int_equal(window().areas, 2);
    assert_int_equal(window().busy, 5);
    assert_int_equal(window().guard, 2);
    k->vfree(heap, p);
    assert_false(lender_readable(p)); /* at once (B97) */
    assert_int_equal(q[100], 0);
    assert_int_equal(window().lazy, 5);
    k->vfree(heap, q);
    assert_true(quiet());
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    power_on(MACHINE_S4, false);
    assert_null(k->vmalloc(heap, 0));
    assert_null(k->vmalloc(heap, SIZE_MAX));
    assert_null(k->vmalloc(heap, SIZE_MAX - PAGE));
    assert_null(k->vmalloc(heap, 65 * PAGE));
    assert_null(k->vmalloc_gfp(heap, PAGE, 24, GFP_KERNEL));
    assert_int_equal(free_frames(), 64);
    assert_null(k->vmalloc_gfp(heap, PAGE, SIZE_MAX / 2 + 1, GFP_KERNEL));
    assert_int_equal(machine_event_count(&machine, EVENT_WARN), 6);
    assert_null(k->vmalloc_gfp(heap, 65 * PAGE, 0, GFP_KERNEL | GFP_BIT_NOWARN));
    assert_int_equal(machine_event_count(&machine, EVENT_WARN), 6);
    assert_true(quiet());
}

static void alignment_is_honoured(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    for (size_t align = 1; align <= PAGE << 8; align *= 2) {
        unsigned char *p = k->vmalloc_gfp(heap, PAGE + 1, align, GFP_KERNEL);
        assert_int_equal((uintptr_t)p % (align > PAGE ? align : PAGE), 0);
        check_area(p, 2);
    }
}

static void zeroed_memory_is_zero(void **state)
{
    (void)state;
    static const unsigned char zeros[4096];
    power_on(MACHINE_S64, false);
    unsigned char *areas[] = {k->vzalloc(heap, 2 * PAGE), k->vmalloc_user(heap, PAGE + 1),
                              k->vmalloc_gfp(heap, 2 * PAGE, 0, GFP_NOWAIT | GFP_BIT_ZERO)};
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        assert_memory_equal(areas[i], zeros, PAGE);
        assert_memory_equal(areas[i] + PAGE, zeros, PAGE);
    }
    assert_int_equal(*(unsigned char *)k->vmalloc(heap, 1), 0xa5);
}

static void zones_are_not_for_the_caller_to_choose(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    machine_events_clear(&machine);
    unsigned char *p = k->vmalloc_gfp(heap, PAGE, 0, GFP_KERNEL | GFP_BIT_DMA | GFP_BIT_DMA32 | GFP_BIT_NOWARN);
    assert_true(k->vmalloc_to_pfn(heap, p) >= machine.lowmem_frames);
    assert_int_equal(machine_event_count(&machine, EVENT_WARN), 1);
    assert_true(quiet());
}

static void lazy_addresses_are_purged_in_time(void **state)
{
    (void)state;
    power_on(MACHINE_S4, false); /* 96 pages, of which 24 may be lazy */
    assert_int_equal(window().lazy_max, 24);
    unsigned char *p = k->vmalloc(heap, 10 * PAGE);
    k->vfree(heap, p);
    assert_int_equal(window().lazy, 11);
    assert_ptr_not_equal(k->vmalloc(heap, PAGE), p); /* not before the purge (B96) */
    k->vfree(heap, k->vmalloc(heap, 12 * PAGE));
    assert_int_equal(window().lazy, 24);
    assert_int_equal(machine_event_count(&machine, EVENT_FLUSH), 0);
    k->vfree(heap, k->vmalloc(heap, PAGE));
    assert_int_equal(window().lazy, 0);
    assert_int_equal(machine_event_count(&machine, EVENT_FLUSH), 1);
    assert_ptr_equal(k->vmalloc(heap, PAGE), p);
    assert_int_equal(window().free, window().largest_free + 9);
    assert_null(alloc_vmalloc.check(heap));
}

static void nothing_is_refused_before_a_purge(void **state)
{
    (void)state;
    power_on(MACHINE_S4, false);
    unsigned char *p = k->vmalloc(heap, 19 * PAGE), *q = k->vmalloc(heap, 40 * PAGE);
    k->vfree(heap, p);
    assert_int_equal(window().lazy, 20);
    assert_int_equal(window().largest_free, 35);
    k->vfree(heap, k->vmalloc(heap, PAGE));
    k->vm_unmap_aliases(heap);
    assert_int_equal(window().lazy, 0);
    k->vfree(heap, q);
    assert_int_equal(window().lazy, 0); /* 41 are more than 24 */
    k->vfree(heap, k->vmalloc(heap, 20 * PAGE));
    assert_int_equal(window().lazy, 21);
    assert_int_equal(window().largest_free, 75);
    struct page *page = k->alloc_pages(heap, GFP_KERNEL, 0), *pages[64];
    for (int i = 0; i < 64; i++) pages[i] = page;
    assert_non_null(k->vmap(heap, pages, 64, 0));
    unsigned char *r = k->vmap(heap, pages, 20, 0); /* its place was lazy */
    assert_non_null(r);
    assert_int_equal(window().lazy, 0);
    assert_non_null(k->vmap(heap, pages, 9, 0));
    assert_int_equal(window().free, 0);
    assert_null(k->vmap(heap, pages, 1, 0));
    k->vunmap(heap, r);
    assert_ptr_equal(k->vmap(heap, pages, 20, 0), r);
    assert_null(alloc_vmalloc.check(heap));
}

/* ---- What it costs (B104, B105) ------------------------------------------------------------------------------------- */

static uint32_t pages_mapped(void)
{
    uint32_t count, sum = 0;
    const struct machine_event *events = machine_events(&machine, &count);
    for (uint32_t i = 0; i < count; i++)
        if (events[i].kind == EVENT_MAP) sum += events[i].b;
    return sum;
}

static void costs_are_counted(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    k->vfree(heap, k->vmalloc(heap, PAGE));
    k->vm_unmap_aliases(heap);
    uint32_t free_before = free_frames(), tables = machine_tables(&machine);
    assert_int_equal(tables, 1);
    assert_int_equal(pages_mapped(), 1);
    machine_events_clear(&machine);
    /* Its array is some pages: an area whose own array is a few bytes. */
    const unsigned mapped = 1500 + (unsigned)((1500 * sizeof(void *) + PAGE - 1) / PAGE);
    unsigned char *p = k->vmalloc(heap, 1500 * PAGE);
    assert_int_equal(machine_mapped(&machine), mapped);
    assert_int_equal(pages_mapped(), mapped);
    k->kfree(heap, k->kmalloc(heap, KMALLOC_MAX, GFP_KERNEL));
    assert_int_equal(pages_mapped(), mapped);
    assert_int_equal(window().areas, 2);
    uint32_t more = machine_tables(&machine) - tables;
    assert_int_equal(more, 2); /* of 512 pages each, from the start of the window */
    uint32_t used = free_before - free_frames();
    assert_in_range(used, mapped + more, mapped + more + 2); /* and slabs for descriptors and arrays */
    k->vfree(heap, p);
    assert_int_equal(machine_mapped(&machine), 0);
    assert_int_equal(machine_tables(&machine), tables + more); /* for ever */
    assert_in_range(free_before - free_frames(), more, more + 2);
}

/* Whatever fails, and at whichever attempt, all is as before but for page tables (B95). */
static void failures_leave_nothing_behind(void **state)
{
    (void)state;
    static const enum machine_fault faults[] = {FAULT_SLAB,  FAULT_PAGES,      FAULT_VA,
                                                FAULT_TABLE, FAULT_DESCRIPTOR, FAULT_MAP};
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        uint32_t nth = 1;
        for (bool served = false; !served; nth++) {
            power_on(MACHINE_S64, false);
            k->vfree(heap, area_of(600)); /* slabs and page tables are there */
            k->vm_unmap_aliases(heap);
            if (faults[f] == FAULT_TABLE) assert_non_null(area_of(500));
            struct window_info before = window();
            uint32_t free_before = free_frames(), tables = machine_tables(&machine);
            inject(faults[f], nth);
            unsigned char *p = area_of(600);
            served = p && !machine_event_count(&machine, EVENT_INJECTED);
            inject(faults[f], 0);
            if (!served && p) continue; /* a slab was had after all */
            if (served) k->vfree(heap, p);
            k->vm_unmap_aliases(heap);
            struct window_info after = window();
            assert_memory_equal(&before, &after, sizeof after);
            assert_in_range(free_before - free_frames(), 0, machine_tables(&machine) - tables + 1);
            assert_null(alloc_vmalloc.check(heap));
            assert_true(quiet());
        }
        assert_true(nth > 2); /* some attempt was made to fail */
    }
}

static void who_may_not_fail_waits(void **state)
{
    (void)state;
    power_on(MACHINE_S4, false);
    inject(FAULT_MAP, 1);
    assert_non_null(k->vmalloc_gfp(heap, PAGE, 0, GFP_KERNEL | GFP_BIT_NOFAIL));
    assert_false(machine.blocked);
    assert_null(k->vmalloc_gfp(heap, 64 * PAGE, 0, GFP_KERNEL | GFP_BIT_NOFAIL));
    assert_true(machine.blocked);
    machine.blocked = false;
    assert_null(k->vmalloc_gfp(heap, 64 * PAGE, 0, GFP_NOWAIT | GFP_BIT_NOFAIL));
    assert_false(machine.blocked);
}

/* ---- Contexts (B48, B49, B94) --------------------------------------------------------------------------------------- */

static void interrupts_may_not_allocate(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    struct page *page = k->alloc_pages(heap, GFP_KERNEL, 0);
    unsigned char *p = k->vmap(heap, &page, 1, 0);
    set_hardirq();
    assert_null(k->vmalloc(heap, PAGE));
    assert_true(reported(REPORT_BUG));
    assert_null(k->vmalloc_gfp(heap, PAGE, 0, GFP_ATOMIC));
    assert_true(reported(REPORT_BUG));
    assert_null(k->vmap(heap, &page, 1, 0));
    assert_true(reported(REPORT_BUG));
    k->vunmap(heap, p);
    assert_true(reported(REPORT_BUG));
    assert_int_equal(window().areas, 1);
}

static void who_may_not_sleep_may_not_allocate(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    unsigned char *p = k->vmalloc(heap, PAGE);
    set_spinlock();
    assert_null(k->vmalloc(heap, PAGE));
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC));
    k->vfree(heap, p);
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC));
    assert_null(k->vrealloc(heap, p, 2 * PAGE, 0, GFP_KERNEL));
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC));
    check_area(p, 1);
    assert_non_null(k->vmalloc_gfp(heap, PAGE, 0, GFP_NOWAIT));
    assert_ptr_equal(k->vrealloc(heap, p, 1, 0, GFP_KERNEL), p);
    assert_non_null(k->vrealloc(heap, p, 2 * PAGE, 0, GFP_ATOMIC));
    assert_true(quiet());
}

static void interrupts_defer_vfree(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    unsigned char *p = k->vmalloc(heap, PAGE), *q = k->vmalloc(heap, PAGE), *r = k->vmalloc(heap, PAGE);
    uint32_t free_before = free_frames();
    k->vfree_atomic(heap, p);
    set_hardirq();
    k->vfree(heap, q);
    k->kvfree(heap, r);
    assert_int_equal(machine_event_count(&machine, EVENT_DEFERRED), 3);
    k->vfree(heap, q);
    assert_true(reported(REPORT_DOUBLE_FREE));
    set_task();
    assert_int_equal(window().areas, 3);
    check_area(p, 1);
    assert_int_equal(free_frames(), free_before);
    k->run_deferred(heap);
    assert_int_equal(window().areas, 0);
    assert_true(free_frames() >= free_before + 3);
    k->run_deferred(heap);
    assert_true(quiet());
    machine.context.nmi = true;
    k->vfree_atomic(heap, p);
    assert_true(reported(REPORT_BUG));
}

/* ---- Misuse (B96, B101, B120) --------------------------------------------------------------------------------------- */

static void bad_frees_are_named(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    unsigned char *p = k->vmalloc(heap, 2 * PAGE), *small = k->kmalloc(heap, 32, GFP_KERNEL);
    struct page *page = k->alloc_pages(heap, GFP_KERNEL, 0);
    unsigned char *mapped = k->vmap(heap, &page, 1, 0);
    k->vfree(heap, NULL);
    k->vunmap(heap, NULL);
    assert_true(quiet());
    const struct {
        void (*free)(void *heap, const void *p);
        const void *p;
        enum alloc_report report;
    } wrong[] = {
        {k->vfree, p + 1, REPORT_CONTRACT_WARN},
        {k->vfree, p + PAGE, REPORT_CONTRACT_WARN},
        {k->vfree_atomic, p + 2 * PAGE, REPORT_CONTRACT_WARN},
        {k->vfree, machine.vmalloc_end - PAGE, REPORT_CONTRACT_WARN},
        {k->vfree, small, REPORT_WRONG_FREE},
        {k->vunmap, p, REPORT_WRONG_FREE},
        {k->vunmap, mapped + 1, REPORT_CONTRACT_WARN},
        {k->kfree, p, REPORT_WRONG_FREE},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        wrong[i].free(heap, wrong[i].p);
        assert_true(reported(wrong[i].report));
    }
    check_area(p, 2);
    k->vfree(heap, p);
    k->vfree(heap, p);
    assert_true(reported(REPORT_DOUBLE_FREE));
    k->vm_unmap_aliases(heap);
    k->vfree(heap, p);
    assert_true(reported(REPORT_DOUBLE_FREE));
    k->vfree(heap, mapped); /* only unmaps (B101) */
    assert_true(quiet());
    k->free_page_block(heap, page, 0);
    assert_true(quiet());
}

/* ---- vmap (B100) and remap_vmalloc_range (B102) --------------------------------------------------------------------- */

static void vmap_shows_the_callers_frames(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    struct page *a = k->alloc_pages(heap, GFP_HIGHUSER, 0), *b = k->alloc_pages(heap, GFP_KERNEL, 0);
    struct page *pages[] = {b, a, b};
    assert_null(k->vmap(heap, pages, 0, 0));
    assert_null(k->vmap(heap, pages, machine.frames + 1, 0));
    unsigned char *p = k->vmap(heap, pages, 3, 0);
    assert_int_equal(k->vmalloc_to_pfn(heap, p + PAGE), k->page_to_pfn(heap, a));
    *(volatile unsigned char *)&p[5] = 77; /* what the compiler takes for another byte is this one (O12) */
    assert_int_equal(*(volatile unsigned char *)&p[2 * PAGE + 5], 77);
    assert_int_equal(((unsigned char *)k->page_address(heap, b))[5], 77);
    assert_false(lender_readable(p + 3 * PAGE));
    uint32_t free_before = free_frames();
    k->vunmap(heap, p);
    assert_false(lender_readable(p));
    assert_int_equal(free_frames(), free_before);
    assert_int_equal(frame(k->page_to_pfn(heap, b))[5], 77);
    k->free_page_block(heap, a, 0);
    k->free_page_block(heap, b, 0);
    assert_true(quiet());
}

static void vmap_may_take_the_frames_over(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    k->vfree(heap, area_of(1));
    uint32_t free_before = free_frames();
    struct page *pages[2] = {NULL, NULL};
    assert_int_equal(k->alloc_pages_bulk(heap, GFP_KERNEL, 2, pages), 2);
    unsigned char *p = k->vmap(heap, pages, 2, VMAP_PUT_PAGES);
    k->vunmap(heap, p);
    assert_true(reported(REPORT_WRONG_FREE));
    k->vfree(heap, p);
    assert_true(quiet());
    assert_in_range(free_frames(), free_before - 1, free_before); /* a slab for the array may be kept */
}

static void users_may_be_shown_what_is_for_users(void **state)
{
    (void)state;
    power_on(MACHINE_S64, true);
    unsigned char *p = k->vmalloc_user(heap, 4 * PAGE), *q = k->vmalloc(heap, 4 * PAGE);
    uint32_t pfns[4] = {0};
    assert_int_equal(k->remap_vmalloc_range(heap, p, 1, 3, pfns), 0);
    for (uint32_t i = 0; i < 3; i++) assert_int_equal(pfns[i], k->vmalloc_to_pfn(heap, p + (i + 1) * PAGE));
    pfns[0] = 4711;
    assert_int_equal(k->remap_vmalloc_range(heap, p, 1, 4, pfns), -EINVAL);
    assert_int_equal(k->remap_vmalloc_range(heap, p, ULONG_MAX, 2, pfns), -EINVAL);
    assert_int_equal(k->remap_vmalloc_range(heap, p, 5, 0, pfns), -EINVAL);
    assert_int_equal(k->remap_vmalloc_range(heap, p + 1, 0, 1, pfns), -EINVAL);
    assert_int_equal(k->remap_vmalloc_range(heap, q, 0, 1, pfns), -EINVAL);
    assert_int_equal(k->remap_vmalloc_range(heap, p + 4 * PAGE, 0, 1, pfns), -EINVAL);
    k->vfree(heap, p);
    assert_int_equal(k->remap_vmalloc_range(heap, p, 0, 1, pfns), -EINVAL);
    assert_int_equal(pfns[0], 4711);
}

/* ---- vrealloc (B103) and kvmalloc (B106-B108) ----------------------------------------------------------------------- */

static void vrealloc_keeps_bytes(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    const unsigned zero = GFP_KERNEL | GFP_BIT_ZERO;
    unsigned char *p = k->vrealloc(heap, NULL, 100, 0, zero);
    memset(p, 1, 100);
    assert_ptr_equal(k->vrealloc(heap, p, PAGE, 0, zero), p);
    assert_int_equal(p[100], 0);
    p[50] = p[PAGE - 1] = 9;
    assert_ptr_equal(k->vrealloc(heap, p, 10, 0, zero), p);
    unsigned char *q = k->vrealloc(heap, p, 2 * PAGE + 1, 0, zero);
    assert_ptr_not_equal(q, p);
    assert_false(lender_readable(p));
    assert_int_equal(q[9], 1);
    for (size_t i = 10; i < 3 * PAGE; i++) assert_int_equal(q[i], 0);
    check_area(q, 3);
    inject(FAULT_VA, 1);
    assert_null(k->vrealloc(heap, q, 4 * PAGE, 0, GFP_KERNEL));
    check_area(q, 3);
    assert_null(k->vrealloc(heap, q, 0, 0, GFP_KERNEL));
    assert_int_equal(window().areas, 0);
    k->vmalloc(heap, PAGE);
    q = k->vmalloc_gfp(heap, PAGE, 2 * PAGE, GFP_KERNEL);
    assert_ptr_equal(k->vrealloc(heap, q, 7, 2 * PAGE, GFP_KERNEL), q);
    p = k->vrealloc(heap, q, 2 * PAGE, 2 * PAGE, GFP_KERNEL);
    assert_true(p && p != q && (uintptr_t)p % (2 * PAGE) == 0);
    size_t more = (uintptr_t)p & (~(uintptr_t)p + 1); /* it is aligned to this, by chance, and to no more */
    assert_ptr_equal(k->vrealloc(heap, p, PAGE, more, GFP_KERNEL), p);
    assert_null(k->vrealloc(heap, p, PAGE, 2 * more, GFP_KERNEL));
    check_area(p, 2);
    q = p;
    assert_null(k->vrealloc(heap, q, 0, 2 * more, GFP_KERNEL)); /* which is vfree */
    assert_true(quiet());
    assert_null(k->vrealloc(heap, q, 1, 0, GFP_KERNEL));
    assert_true(reported(REPORT_DOUBLE_FREE));
}

static bool in_window(const void *p) { return machine_in_window(&machine, p); }

static void kvmalloc_prefers_kmalloc(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    assert_ptr_equal(k->kvmalloc(heap, 0, GFP_KERNEL), ZERO_SIZE_PTR);
    unsigned char *p = k->kvmalloc(heap, 3 * PAGE, GFP_KERNEL);
    assert_non_null(p);
    assert_false(in_window(p));
    unsigned char *q = k->kvmalloc(heap, KMALLOC_MAX + 1, GFP_KERNEL);
    assert_true(in_window(q));
    assert_null(k->kvmalloc(heap, (size_t)INT_MAX + 1, GFP_KERNEL));
    assert_null(k->kvcalloc(heap, SIZE_MAX / 16 + 2, 16, GFP_KERNEL)); /* 16 if it were to wrap */
    unsigned char *r = k->kvcalloc(heap, 5, PAGE, GFP_KERNEL);
    for (size_t i = 0; i < 5 * PAGE; i++) assert_int_equal(r[i], 0);
    uint32_t pfn = k->vmalloc_to_pfn(heap, q);
    memset(q, 3, PAGE);
    k->kvfree_sensitive(heap, q, PAGE);
    assert_int_equal(frame(pfn)[17], 0);
    k->kvfree(heap, p);
    k->kvfree(heap, r);
    k->kvfree(heap, NULL);
    k->kvfree(heap, ZERO_SIZE_PTR);
    assert_int_equal(window().areas, 0);
    assert_true(quiet());
}

static void kvmalloc_falls_back(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    unsigned char *p = k->kvmalloc(heap, 2 * PAGE, GFP_KERNEL);
    memset(p, 8, 2 * PAGE);
    const struct machine_injection no_blocks = {.interval = 1, .times = -1, .waiting_too = true, .min_order = 1};
    machine_inject(&machine, FAULT_PAGES, &no_blocks);
    unsigned char *q = k->kvrealloc(heap, p, 5 * PAGE, GFP_KERNEL);
    assert_true(in_window(q));
    for (size_t i = 0; i < 2 * PAGE; i++) assert_int_equal(q[i], 8);
    set_hardirq();
    assert_null(k->kvmalloc(heap, 5 * PAGE, GFP_ATOMIC));
    set_spinlock();
    assert_true(quiet());
    assert_null(k->kvmalloc(heap, 5 * PAGE, GFP_KERNEL));
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC));
    set_task();
    assert_null(k->kvrealloc(heap, q, 0, GFP_KERNEL));
    p = k->kvmalloc(heap, 100, GFP_KERNEL);
    assert_ptr_equal(k->kvrealloc(heap, p, 0, GFP_KERNEL), ZERO_SIZE_PTR);
    assert_true(quiet());
    assert_null(k->kvrealloc(heap, p, 10, GFP_KERNEL));
    assert_int_equal(reports, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_shown_in_the_window),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(alignment_is_honoured),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(zones_are_not_for_the_caller_to_choose),
        cmocka_unit_test(lazy_addresses_are_purged_in_time),
        cmocka_unit_test(nothing_is_refused_before_a_purge),
        cmocka_unit_test(costs_are_counted),
        cmocka_unit_test(failures_leave_nothing_behind),
        cmocka_unit_test(who_may_not_fail_waits),
        cmocka_unit_test(interrupts_may_not_allocate),
        cmocka_unit_test(who_may_not_sleep_may_not_allocate),
        cmocka_unit_test(interrupts_defer_vfree),
        cmocka_unit_test(bad_frees_are_named),
        cmocka_unit_test(vmap_shows_the_callers_frames),
        cmocka_unit_test(vmap_may_take_the_frames_over),
        cmocka_unit_test(users_may_be_shown_what_is_for_users),
        cmocka_unit_test(vrealloc_keeps_bytes),
        cmocka_unit_test(kvmalloc_prefers_kmalloc),
        cmocka_unit_test(kvmalloc_falls_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
