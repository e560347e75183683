/* test_kmalloc.c: memory by size (B51-B64, B113, B114, B120, C28). */
#include "slab_heap.h"

#include "kmalloc.h"

static void as_kmalloc(void) { power_on(&alloc_kmalloc, MACHINE_S64); }
static void *get(size_t size) { return k->kmalloc(heap, size, GFP_KERNEL); }

/* ---- Sizes (B51-B57) ---------------------------------------------------------------------------------------------- */

static void classes_are_the_kernels(void **state)
{
    (void)state;
    static const size_t borders[] = {8,   16,   32,   64,   96,   128,   192,   256,
                                     512, 1024, 2048, 4096, 8192, 16384, 32768, 65536};
    as_kmalloc();
    size_t low = 1;
    for (unsigned i = 0; i < sizeof borders / sizeof borders[0]; low = borders[i++] + 1)
        for (unsigned end = 0; end < 2; end++) {
            size_t n = end ? borders[i] : low;
            void *p = get(n);
            assert_int_equal(k->ksize(heap, p), borders[i]);
            assert_int_equal(k->kmalloc_size_roundup(heap, n), borders[i]);
            k->kfree(heap, p);
        }
    assert_int_equal(k->kmalloc_size_roundup(heap, 0), 0);
    assert_int_equal(k->kmalloc_size_roundup(heap, KMALLOC_MAX - 1), KMALLOC_MAX);
    assert_int_equal(k->kmalloc_size_roundup(heap, KMALLOC_MAX + 1), KMALLOC_MAX + 1);
    assert_int_equal(k->kmalloc_size_roundup(heap, SIZE_MAX), SIZE_MAX);
    assert_true(quiet());
}

/* A heap of its own, as the built-ins have the profile of most machines. */
static void large_minima_leave_classes_out(void **state)
{
    (void)state;
    static const struct {
        unsigned min;
        size_t size, expected;
    } cases[] = {{64, 1, 64},    {64, 65, 128}, {64, 96, 128},   {64, 129, 192},
                 {64, 193, 256}, {128, 1, 128}, {128, 129, 256}, {128, 257, 512}};
    as_kmalloc();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kmalloc_heap *h = calloc(1, sizeof *h);
        assert_non_null(h);
        assert_int_equal(kmalloc_init(h, &machine, false, cases[i].min), 0);
        assert_int_equal(kmalloc_size_roundup(h, cases[i].size), cases[i].expected);
        void *p = kmalloc(h, cases[i].size, GFP_KERNEL);
        assert_int_equal(ksize(h, p), cases[i].expected);
        assert_int_equal((uintptr_t)p % cases[i].min, 0);
        assert_null(kmalloc_check(h));
        free(h);
    }
}

static void every_size_is_aligned_to_its_divisor(void **state)
{
    (void)state;
    as_kmalloc();
    for (size_t n = 1; n <= KMALLOC_MAX; n += n / 9 + 1) {
        void *p[3];
        size_t divisor = n & -n, least = divisor > 8 ? divisor : 8;
        for (unsigned i = 0; i < 3; i++) {
            p[i] = get(n);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % least, 0);
            assert_true(machine_direct_pfn(&machine, p[i]) != PFN_NONE);
            assert_true(k->ksize(heap, p[i]) >= n && (n < 5 || k->ksize(heap, p[i]) < 2 * n));
        }
        for (unsigned i = 0; i < 3; i++) k->kfree(heap, p[i]);
    }
}

static void no_bytes_are_a_sentinel(void **state)
{
    (void)state;
    as_kmalloc();
    assert_ptr_equal(get(0), ZERO_SIZE_PTR);
    assert_ptr_equal(k->kcalloc(heap, 0, 9, GFP_KERNEL), ZERO_SIZE_PTR);
    assert_ptr_equal(k->krealloc(heap, NULL, 0, GFP_KERNEL), ZERO_SIZE_PTR);
    assert_ptr_equal(k->krealloc(heap, get(10), 0, GFP_KERNEL), ZERO_SIZE_PTR);
    assert_int_equal(k->ksize(heap, ZERO_SIZE_PTR), 0);
    assert_int_equal(k->ksize(heap, NULL), 0);
    k->kfree(heap, ZERO_SIZE_PTR);
    k->kfree(heap, NULL);
    k->kfree_sensitive(heap, ZERO_SIZE_PTR);
    assert_non_null(k->krealloc(heap, ZERO_SIZE_PTR, 5, GFP_KERNEL));
    assert_true(quiet());
}

static void large_requests_are_compound_pages(void **state)
{
    (void)state;
    as_kmalloc();
    uint32_t before = free_frames();
    unsigned char *p = get(3 * PAGE);
    assert_int_equal((uintptr_t)p % (4 * PAGE), 0);
    assert_int_equal(before - free_frames(), 4);
    assert_ptr_equal(k->compound_head(heap, k->virt_to_page(heap, p + 2 * PAGE)), k->virt_to_page(heap, p));
    k->kfree(heap, p);
    assert_int_equal(free_frames(), before);
    p = get(KMALLOC_MAX);
    assert_int_equal(k->ksize(heap, p), KMALLOC_MAX);
    k->kfree(heap, p);
    machine_events_clear(&machine);
    assert_null(get(KMALLOC_MAX + 1));
    assert_int_equal(machine_event_count(&machine, EVENT_WARN), 1);
    assert_null(k->kmalloc(heap, SIZE_MAX, GFP_KERNEL | GFP_BIT_NOWARN));
    assert_int_equal(machine_event_count(&machine, EVENT_WARN), 1);
    assert_int_equal(free_frames(), before);
    assert_true(quiet());
}

/* ---- Contents (B58-B61) ---------------------------------------------------------------------------------------------- */

static void zeroed_memory_is_zero_up_to_its_class(void **state)
{
    (void)state;
    as_kmalloc();
    for (size_t n = 1; n <= 40000; n += n / 5 + 1) {
        void *p = get(n);
        memset(p, 0xff, n);
        k->kfree(heap, p);
        p = n % 2 ? k->kzalloc(heap, n, GFP_KERNEL) : k->kcalloc(heap, n / 2, 2, GFP_KERNEL);
        assert_true(reads_as(p, 0, k->ksize(heap, p)));
    }
}

static void products_that_overflow_are_refused(void **state)
{
    (void)state;
    as_kmalloc();
    void *p = get(10);
    memset(p, 0x77, 10);
    assert_null(k->kcalloc(heap, SIZE_MAX / 2, 3, GFP_KERNEL));
    assert_null(k->kmalloc_array(heap, SIZE_MAX / 4 + 2, 4, GFP_KERNEL));
    assert_null(k->krealloc_array(heap, p, SIZE_MAX / 4 + 2, 4, GFP_KERNEL));
    assert_true(reads_as(p, 0x77, 10));
    assert_non_null(k->krealloc_array(heap, p, 5, 4, GFP_KERNEL));
    assert_true(quiet());
}

static void krealloc_keeps_what_fits(void **state)
{
    (void)state;
    as_kmalloc();
    unsigned char *p = get(33), *q = p;
    memset(p, 0x11, 33);
    assert_ptr_equal(k->krealloc(heap, p, 64, GFP_KERNEL), p);
    assert_ptr_equal(k->krealloc(heap, p, 1, GFP_KERNEL), p);
    assert_ptr_equal(k->krealloc(heap, p, 33, GFP_KERNEL), p);
    p = k->krealloc(heap, p, 9000, GFP_KERNEL);
    assert_ptr_not_equal(p, q);
    assert_true(reads_as(p, 0x11, 33));
    k->kfree(heap, q);
    assert_true(reported(REPORT_DOUBLE_FREE, q));
    memset(p, 0x22, 9000);
    inject(FAULT_PAGES, 1);
    assert_null(k->krealloc(heap, p, 20000, GFP_KERNEL));
    assert_true(reads_as(p, 0x22, 9000));
    assert_null(k->krealloc(heap, p, KMALLOC_MAX + 1, GFP_KERNEL));
    p = k->krealloc(heap, p, 20000, GFP_KERNEL);
    assert_true(reads_as(p, 0x22, 9000));
    k->kfree(heap, p);
    assert_true(quiet());
}

static void zero_stays_zero_while_it_grows(void **state)
{
    (void)state;
    const unsigned zeroed = GFP_KERNEL | GFP_BIT_ZERO;
    as_kmalloc();
    memset(get(100), 0xff, 100);
    unsigned char *p = k->kzalloc(heap, 100, GFP_KERNEL);
    size_t was = 100;
    static const size_t sizes[] = {120, 60, 90, 128, 200, 10, 3000, 9000, 100, 16000, 40000};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; was = sizes[i++]) {
        memset(p, 0x33, was);
        p = k->krealloc(heap, p, sizes[i], zeroed);
        size_t kept = was < sizes[i] ? was : sizes[i];
        assert_true(reads_as(p, 0x33, kept));
        assert_true(reads_as(p + kept, 0, sizes[i] - kept));
    }
}

static void secrets_are_wiped(void **state)
{
    (void)state;
    as_kmalloc();
    static const size_t sizes[] = {5, 96, 5000, 30000};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *p = get(sizes[i]), *other = get(sizes[i]);
        size_t usable = k->ksize(heap, p), in_page = usable < PAGE ? usable : PAGE;
        memset(p, 0x5c, usable);
        k->kfree_sensitive(heap, p);
        const unsigned char *frame = machine_oracle(&machine, machine_direct_pfn(&machine, p));
        assert_true(reads_as(frame + (uintptr_t)p % PAGE, 0, in_page));
        k->kfree(heap, other);
    }
}

/* ---- Where from, and what when there is none (B48, B63, B113, B114) ------------------------------------------------------ */

static void flags_choose_the_cache(void **state)
{
    (void)state;
    as_kmalloc();
    for (size_t n = 8; n <= 32768; n *= 2) {
        void *dma = k->kmalloc(heap, n, GFP_KERNEL | GFP_DMA);
        assert_int_equal(machine_zone_of(&machine, machine_direct_pfn(&machine, dma)), ZONE_DMA);
        void *normal = k->kmalloc(heap, n, GFP_KERNEL);
        assert_int_equal(machine_zone_of(&machine, machine_direct_pfn(&machine, normal)), ZONE_NORMAL);
    }
    machine_events_clear(&machine);
    k->kmalloc(heap, 4096, GFP_KERNEL | GFP_BIT_RECLAIMABLE);
    uint32_t count;
    const struct machine_event *events = machine_events(&machine, &count);
    for (uint32_t i = 0; i < count; i++)
        if (events[i].kind == EVENT_TAKE) assert_true(events[i].gfp & GFP_BIT_RECLAIMABLE);
    assert_int_equal(machine_event_count(&machine, EVENT_TAKE), 1);
    void *p = k->kmalloc(heap, 50000, GFP_KERNEL | GFP_BIT_HIGHMEM);
    assert_true(machine_direct_pfn(&machine, p) != PFN_NONE);
    assert_int_equal(machine_event_count(&machine, EVENT_WARN), 1);
    assert_true(quiet());
    assert_null(k->kmalloc(heap, 8, GFP_KERNEL | GFP_DMA | GFP_DMA32));
    assert_true(reported(REPORT_BAD_GFP, NULL));
}

static void sleeping_is_for_tasks(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 8, 9000};
    as_kmalloc();
    for (unsigned i = 0; i < 3; i++) {
        in_task();
        void *p = get(sizes[i]);
        assert_non_null(p);
        machine.context.spin_depth = 1;
        assert_null(get(sizes[i]));
        assert_true(reported(REPORT_SLEEP_IN_ATOMIC, NULL));
        assert_null(k->krealloc(heap, p, 20, GFP_KERNEL));
        assert_true(reported(REPORT_SLEEP_IN_ATOMIC, NULL));
        assert_non_null(k->kmalloc(heap, sizes[i], GFP_ATOMIC));
        k->kfree(heap, p);
        assert_true(quiet());
    }
    in_task();
}

static void each_size_has_its_own_fault(void **state)
{
    (void)state;
    as_kmalloc();
    inject(FAULT_SLAB, 1);
    assert_non_null(get(8193));
    assert_int_equal(machine_attempts(&machine, FAULT_SLAB), 0);
    assert_null(get(8192));
    assert_non_null(get(8192));
    inject(FAULT_PAGES, 1);
    assert_null(get(8193));
    assert_non_null(get(8193));
    assert_true(quiet());
}

/* ---- Misuse (B61, B120) ------------------------------------------------------------------------------------------------------ */

static void strangers_are_not_freed(void **state)
{
    (void)state;
    static char outside[64];
    as_kmalloc();
    unsigned char *small = get(100), *large = get(20000), *pages = k->get_free_pages(heap, GFP_KERNEL, 2);
    unsigned char *never = machine_direct(&machine, 6000);
    const struct {
        void *p;
        enum alloc_report report;
    } cases[] = {
        {small + 8, REPORT_BAD_FREE}, {small + 1, REPORT_BAD_FREE},
        {large + 8, REPORT_BAD_FREE}, {large + PAGE, REPORT_BAD_FREE},
        {pages, REPORT_WRONG_FREE},   {pages + PAGE, REPORT_WRONG_FREE},
        {never, REPORT_BAD_FREE},     {machine.vmalloc_start + PAGE, REPORT_WRONG_FREE},
        {outside, REPORT_BAD_FREE},   {machine.pkmap, REPORT_WRONG_FREE},
    };
    uint32_t before = free_frames();
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        k->kfree(heap, cases[i].p);
        assert_true(reported(cases[i].report, cases[i].p));
        k->kfree_sensitive(heap, cases[i].p);
        assert_true(reported(cases[i].report, cases[i].p));
        assert_int_equal(k->ksize(heap, cases[i].p), 0);
        assert_true(reported(cases[i].report, cases[i].p));
        assert_null(k->krealloc(heap, cases[i].p, 10, GFP_KERNEL));
        assert_true(reported(cases[i].report, cases[i].p));
    }
    k->free_pages(heap, large, 3);
    assert_true(reported(REPORT_WRONG_FREE, large));
    assert_int_equal(free_frames(), before);
    k->kfree(heap, large);
    k->kfree(heap, small);
    assert_true(quiet());
    k->kfree(heap, large);
    assert_true(reported(REPORT_DOUBLE_FREE, large));
    k->kfree(heap, small);
    assert_true(reported(REPORT_DOUBLE_FREE, small));
}

static void kfree_takes_objects_of_caches(void **state)
{
    (void)state;
    as_kmalloc();
    const struct cache_args args = {.name = "c", .size = 300, .flags = CACHE_RED_ZONE | CACHE_POISON};
    struct kmem_cache *c = k->cache_create(heap, &args);
    void *objects[4] = {k->cache_alloc(heap, c, GFP_KERNEL), get(40), get(9999), k->cache_alloc(heap, c, GFP_KERNEL)};
    assert_int_equal(k->ksize(heap, objects[0]), 300);
    k->kfree(heap, k->cache_alloc(heap, c, GFP_KERNEL));
    k->cache_free(heap, c, objects[1]);
    assert_true(reported(REPORT_WRONG_FREE, objects[1]));
    k->cache_free_bulk(heap, NULL, 4, objects);
    assert_true(quiet());
    k->cache_destroy(heap, c);
    assert_true(quiet());
}

/* ---- Room for all (B64) -------------------------------------------------------------------------------------------------------- */

static void a_full_machine_serves_what_is_freed(void **state)
{
    (void)state;
    static void *blocks[64 * PAGE / 8 + 1];
    for (size_t size = 8; size <= 65536; size = size * 3) {
        unsigned n = 0;
        power_on(&alloc_kmalloc, MACHINE_S4);
        while ((blocks[n] = k->kmalloc(heap, size, GFP_NOWAIT))) n++;
        assert_true(n > 0);
        k->kfree(heap, blocks[n / 2]);
        assert_non_null(blocks[n / 2] = k->kmalloc(heap, size, GFP_NOWAIT));
        assert_null(k->kmalloc(heap, size, GFP_NOWAIT));
        while (n) k->kfree(heap, blocks[--n]);
        assert_true(quiet());
    }
}

static void the_plain_group_has_its_own_rules(void **state)
{
    (void)state;
    power_on(&alloc_slab, MACHINE_S64);
    void *p = ops->malloc(heap, 0), *q = ops->malloc(heap, 0);
    assert_true(p && q && p != q && (uintptr_t)p > 16);
    assert_null(ops->malloc(heap, 8193));
    assert_null(ops->calloc(heap, SIZE_MAX, 2));
    assert_int_equal((uintptr_t)ops->aligned_alloc(heap, 4096, 5) % 4096, 0);
    assert_null(ops->aligned_alloc(heap, 4096, SIZE_MAX - 5));
    p = ops->realloc(heap, p, 8000);
    assert_null(ops->realloc(heap, p, 8193));
    ops->free(heap, p);
    ops->free(heap, q);
    struct alloc_stats stats;
    ops->stats(heap, &stats);
    assert_int_equal(stats.used_blocks, 1);
    assert_true(quiet());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(classes_are_the_kernels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_minima_leave_classes_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_size_is_aligned_to_its_divisor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_bytes_are_a_sentinel, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_requests_are_compound_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zeroed_memory_is_zero_up_to_its_class, set_up, tear_down),
        cmocka_unit_test_setup_teardown(products_that_overflow_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(krealloc_keeps_what_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zero_stays_zero_while_it_grows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_are_wiped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flags_choose_the_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sleeping_is_for_tasks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_size_has_its_own_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_not_freed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kfree_takes_objects_of_caches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_machine_serves_what_is_freed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_plain_group_has_its_own_rules, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
