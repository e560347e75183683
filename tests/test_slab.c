/* test_slab.c: caches of objects, kept on three lists and as SLUB keeps them (B48, B65-B85, B113). */
#include "slab_heap.h"

#include "slab.h"

static const struct alloc_ops *const kinds[] = {&alloc_slab, &alloc_kmalloc};
#define EACH_KIND(i) (unsigned i = 0; i < 2; i++)

static struct kmem_cache *create(size_t size, size_t align, unsigned flags)
{
    const struct cache_args args = {.name = "test", .size = size, .align = align, .flags = flags};
    return k->cache_create(heap, &args);
}

static struct kmem_cache *create_alone(size_t size) { return create(size, 0, CACHE_NO_MERGE); }
static void *get(struct kmem_cache *c) { return k->cache_alloc(heap, c, GFP_KERNEL); }
static void put(struct kmem_cache *c, void *object) { k->cache_free(heap, c, object); }

static struct slab_info info_of(struct kmem_cache *c)
{
    struct slab_info info;
    k->cache_info(heap, c, &info);
    assert_int_equal(info.full + info.partial + info.empty, info.slabs);
    assert_int_equal(info.full + info.partial, info.active_slabs);
    assert_true(info.active_objects <= info.objects);
    return info;
}

/* ---- Creation (B65, B66, B68) --------------------------------------------------------------------------------------- */

static void bad_arguments_make_no_cache(void **state)
{
    (void)state;
    power_on(&alloc_slab, MACHINE_S64);
    struct cache_args args = {.size = 8};
    assert_null(k->cache_create(heap, &args)); /* no name */
    assert_null(create(SLAB_OBJECT_MAX + 1, 0, 0));
    assert_null(create(8, 0, CACHE_FLAGS + 1));
    assert_int_equal(machine_event_count(&machine, EVENT_WARN), 3);
    assert_true(quiet());
    assert_null(create(0, 0, 0));
    assert_true(reported(REPORT_CONTRACT_WARN, NULL));
    assert_null(create(8, 24, 0));
    assert_true(reported(REPORT_CONTRACT_WARN, NULL));
    assert_null(create(0, 0, CACHE_PANIC));
    assert_true(reported(REPORT_PANIC, NULL));
    assert_non_null(create(SLAB_OBJECT_MAX, 0, 0));
    args = (struct cache_args){.name = "a space", .size = 8};
    assert_non_null(k->cache_create(heap, &args));
    assert_int_equal(machine_event_count(&machine, EVENT_WARN), 4);
    machine.context.spin_depth = 1;
    assert_null(create(8, 0, 0));
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC, NULL));
    in_task();
}

static void alignment_follows_the_rule(void **state)
{
    (void)state;
    static const struct {
        size_t size, align, expected;
        unsigned flags;
    } cases[] = {
        {1, 0, 8, 0},
        {24, 0, 8, 0},
        {24, 16, 16, 0},
        {100, 4096, 4096, 0},
        {1, 0, 8, 1},
        {9, 0, 16, 1},
        {16, 0, 16, 1},
        {17, 0, 32, 1},
        {33, 0, 64, 1},
        {200, 0, 64, 1},
        {20, 128, 128, 1},
        {8, 8192, 8192, 0},
        {40, 64, 64, CACHE_RED_ZONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        power_on(&alloc_slab, MACHINE_S64);
        struct kmem_cache *c = create(cases[i].size, cases[i].align, cases[i].flags | CACHE_NO_MERGE);
        assert_int_equal(info_of(c).align, cases[i].expected);
        for (unsigned n = 0; n < 20; n++) assert_int_equal((uintptr_t)get(c) % cases[i].expected, 0);
        assert_int_equal(k->cache_size(heap, c), cases[i].size);
    }
}

static void little_of_a_slab_is_wasted(void **state)
{
    (void)state;
    power_on(&alloc_slab, MACHINE_S64);
    for (size_t size = 1; size <= SLAB_OBJECT_MAX; size += size / 7 + 1) {
        struct kmem_cache *c = create_alone(size);
        struct slab_info s = info_of(c);
        size_t bytes = s.pages_per_slab * PAGE, tail = bytes - (size_t)s.objects_per_slab * s.object_bytes;
        assert_true(s.objects_per_slab >= 1);
        assert_true(tail < s.object_bytes && 2 * tail <= bytes);
        assert_true(s.pages_per_slab <= 8 || s.objects_per_slab == 1);
        k->cache_destroy(heap, c);
    }
    assert_true(quiet());
}

/* ---- Objects (B67, B70, B75, B76) ------------------------------------------------------------------------------------- */

static void objects_are_apart_and_contiguous(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static unsigned char *objects[COUNT];
    for
        EACH_KIND(i)
        {
            power_on(kinds[i], MACHINE_S64);
            uint32_t before = free_frames();
            struct kmem_cache *c = create_alone(1000);
            for (unsigned n = 0; n < COUNT; n++) {
                objects[n] = get(c);
                memset(objects[n], (int)n, 1000);
            }
            for (unsigned n = 0; n < COUNT; n++) {
                assert_true(reads_as(objects[n], (unsigned char)n, 1000));
                uint32_t first = machine_direct_pfn(&machine, objects[n]);
                assert_memory_equal(objects[n], machine_oracle(&machine, first) + (uintptr_t)objects[n] % PAGE, 1000);
            }
            assert_int_equal(info_of(c).active_objects, COUNT);
            for (unsigned n = 0; n < COUNT; n++) put(c, objects[(n * 7) % COUNT]);
            k->cache_destroy(heap, c);
            assert_int_equal(free_frames(), before);
            assert_true(quiet());
        }
}

static void zalloc_clears_what_was_dirty(void **state)
{
    (void)state;
    power_on(&alloc_slab, MACHINE_S64);
    struct kmem_cache *c = create_alone(200);
    void *p = get(c);
    memset(p, 0xff, 200);
    put(c, p);
    for (unsigned n = 0; n < 30; n++) assert_true(reads_as(k->cache_zalloc(heap, c, GFP_KERNEL), 0, 200));
    assert_true(reads_as(k->cache_alloc(heap, c, GFP_KERNEL | GFP_BIT_ZERO), 0, 200));
}

static void misuse_is_named_and_changes_nothing(void **state)
{
    (void)state;
    for
        EACH_KIND(i)
        {
            power_on(kinds[i], MACHINE_S64);
            struct kmem_cache *c = create_alone(64), *d = create_alone(64);
            unsigned char *p = get(c), *q = get(d), *never = machine_direct(&machine, 5000);
            void *pages = k->get_free_pages(heap, GFP_KERNEL, 1);
            put(c, q);
            assert_true(reported(REPORT_WRONG_FREE, q));
            put(c, p + 8);
            assert_true(reported(REPORT_BAD_FREE, p + 8));
            put(c, NULL);
            assert_true(reported(REPORT_BAD_FREE, NULL));
            put(c, pages);
            assert_true(reported(REPORT_WRONG_FREE, pages));
            put(c, machine.vmalloc_start);
            assert_true(reported(REPORT_WRONG_FREE, machine.vmalloc_start));
            put(c, never);
            assert_true(reported(REPORT_BAD_FREE, never));
            put(NULL, p);
            assert_true(reported(REPORT_BUG, p));
            k->free_pages(heap, p, 0);
            assert_true(reported(REPORT_WRONG_FREE, p));
            assert_int_equal(info_of(c).active_objects, 1);
            put(c, p);
            assert_true(quiet());
            put(c, p);
            assert_true(reported(REPORT_DOUBLE_FREE, p)); /* into a slab that is kept */
            k->cache_shrink(heap, c);
            put(c, p);
            assert_true(reported(REPORT_DOUBLE_FREE, p)); /* into frames that have been given back */
            assert_int_equal(info_of(d).active_objects, 1);
        }
}

static void free_objects_are_given_in_any_context(void **state)
{
    (void)state;
    power_on(&alloc_kmalloc, MACHINE_S4);
    struct kmem_cache *c = create_alone(512);
    void *p = get(c);
    while (k->alloc_pages(heap, GFP_KERNEL | GFP_BIT_NORETRY, 0)) continue;
    for (uint32_t left = info_of(c).objects - 1; left > 0; left--) {
        machine.context.hardirq = left % 2;
        assert_non_null(k->cache_alloc(heap, c, GFP_ATOMIC));
    }
    assert_null(k->cache_alloc(heap, c, GFP_ATOMIC));
    in_task();
    assert_null(get(c));
    assert_true(quiet());
    machine.context.hardirq = true;
    assert_null(get(c));
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC, NULL));
    put(c, p);
    assert_ptr_equal(k->cache_alloc(heap, c, GFP_ATOMIC), p);
    machine.context = (struct machine_context){.nmi = true};
    put(c, p);
    assert_true(reported(REPORT_BUG, NULL));
    assert_null(k->cache_alloc(heap, c, GFP_ATOMIC));
    assert_true(reported(REPORT_BUG, NULL));
    in_task();
    put(c, p);
    assert_true(quiet());
}

/* ---- Lists (B71-B74) ---------------------------------------------------------------------------------------------------- */

static void slabs_are_used_in_order(void **state)
{
    (void)state;
    enum { SLABS = 6, EACH = 8 };
    void *objects[SLABS][EACH];
    power_on(&alloc_slab, MACHINE_S64);
    struct kmem_cache *c = create_alone(512);
    assert_int_equal(info_of(c).objects_per_slab, EACH);
    for (unsigned s = 0; s < SLABS; s++)
        for (unsigned n = 0; n < EACH; n++) objects[s][n] = get(c);
    assert_int_equal(info_of(c).full, SLABS);
    for (unsigned n = 0; n < EACH; n++) put(c, objects[0][n]);
    put(c, objects[1][3]);
    struct slab_info s = info_of(c);
    assert_int_equal(s.empty, 1);
    assert_int_equal(s.partial, 1);
    assert_ptr_equal(get(c), objects[1][3]); /* partial before empty */
    assert_ptr_equal(get(c), objects[0][0]); /* empty before new */
    assert_int_equal(info_of(c).slabs, SLABS);
}

static void few_empty_slabs_are_kept(void **state)
{
    (void)state;
    enum { COUNT = 400 };
    static void *objects[COUNT];
    for
        EACH_KIND(i)
        {
            power_on(kinds[i], MACHINE_S64);
            uint32_t before = free_frames();
            struct kmem_cache *c = create_alone(256);
            for (unsigned n = 0; n < COUNT; n++) objects[n] = get(c);
            for (unsigned n = 0; n < COUNT; n++) put(c, objects[n]);
            struct slab_info s = info_of(c);
            assert_int_equal(s.slabs, s.empty);
            assert_true(s.empty > 0 && s.empty <= s.empty_max);
            assert_int_equal(before - free_frames(), s.empty * s.pages_per_slab);
            objects[0] = get(c);
            assert_int_equal(info_of(c).slabs, s.slabs);
            assert_int_equal(k->cache_shrink(heap, c), 1);
            assert_int_equal(info_of(c).empty, 0);
            put(c, objects[0]);
            assert_int_equal(k->cache_shrink(heap, c), 0);
            assert_int_equal(free_frames(), before);
        }
}

static void destroying_names_what_is_live(void **state)
{
    (void)state;
    power_on(&alloc_slab, MACHINE_S64);
    uint32_t before = free_frames();
    struct kmem_cache *c = create_alone(2000);
    void *objects[5];
    for (unsigned n = 0; n < 5; n++) objects[n] = get(c);
    memset(objects[4], 0x5c, 2000);
    put(c, objects[0]);
    uint32_t held = before - free_frames();
    k->cache_destroy(heap, c);
    assert_int_equal(reports, 4);
    assert_int_equal(report, REPORT_OBJECTS_REMAIN);
    reports = 0;
    assert_true(reads_as(objects[4], 0x5c, 2000));
    assert_int_equal(before - free_frames(), held);
    assert_null(get(c));
    assert_true(reported(REPORT_BUG, NULL));
    put(c, objects[4]);
    assert_true(reported(REPORT_BUG, objects[4]));
    k->cache_destroy(heap, NULL);
    assert_true(quiet());
}

/* ---- Constructors, merging, zones (B69, B81, B85) ------------------------------------------------------------------------- */

static unsigned constructed;

static void construct(void *object)
{
    memset(object, 0x3c, 72);
    constructed++;
}

static void constructors_run_once_for_each_object(void **state)
{
    (void)state;
    static const unsigned flags[] = {0, CACHE_RED_ZONE | CACHE_POISON};
    for (unsigned i = 0; i < 2; i++) {
        power_on(&alloc_kmalloc, MACHINE_S64);
        constructed = 0;
        const struct cache_args args = {.name = "c", .size = 72, .flags = flags[i], .constructor = construct};
        struct kmem_cache *c = k->cache_create(heap, &args);
        for (unsigned n = 0; n < 500; n++) {
            unsigned char *p = get(c);
            assert_true(reads_as(p, 0x3c, 72));
            if (n % 3) put(c, p);
        }
        assert_int_equal(constructed, info_of(c).objects);
        assert_true(quiet());
        assert_null(k->cache_zalloc(heap, c, GFP_KERNEL));
        assert_true(reported(REPORT_CONTRACT_WARN, NULL));
    }
}

static void caches_that_are_alike_are_one(void **state)
{
    (void)state;
    power_on(&alloc_kmalloc, MACHINE_S64);
    struct kmem_cache *c = create(60, 0, 0);
    assert_ptr_equal(create(58, 0, 0), c);
    assert_ptr_equal(create(64, 64, 0), c);
    assert_int_equal(k->cache_size(heap, c), 64);
    assert_int_equal(info_of(c).align, 64);
    assert_ptr_not_equal(create(40, 0, 0), c);
    assert_ptr_not_equal(create(60, 0, CACHE_DMA), c);
    assert_ptr_not_equal(create(60, 0, CACHE_RECLAIM_ACCOUNT), c);
    assert_ptr_not_equal(create(60, 0, CACHE_NO_MERGE), c);
    assert_ptr_not_equal(create(60, 0, CACHE_POISON), c);
    const struct cache_args args = {.name = "c", .size = 60, .constructor = construct};
    assert_ptr_not_equal(k->cache_create(heap, &args), c);
    void *p = get(c);
    k->cache_destroy(heap, c);
    k->cache_destroy(heap, c);
    put(c, p); /* the third name is still good */
    k->cache_destroy(heap, c);
    assert_true(quiet());
    assert_null(get(c));
    assert_true(reported(REPORT_BUG, NULL));
}

static void a_dma_cache_lies_in_its_zone(void **state)
{
    (void)state;
    power_on(&alloc_slab, MACHINE_S64);
    struct kmem_cache *c = create(3000, 0, CACHE_DMA), *d = create(3000, 0, CACHE_RECLAIM_ACCOUNT);
    for (unsigned n = 0; n < 50; n++)
        assert_int_equal(machine_zone_of(&machine, machine_direct_pfn(&machine, get(c))), ZONE_DMA);
    machine_events_clear(&machine);
    get(d);
    uint32_t count;
    const struct machine_event *events = machine_events(&machine, &count);
    for (uint32_t i = 0; i < count; i++)
        if (events[i].kind == EVENT_TAKE) assert_true(events[i].gfp & GFP_BIT_RECLAIMABLE);
    assert_int_equal(machine_event_count(&machine, EVENT_TAKE), 1);
}

/* ---- Bulk and injection (B77, B113, B116) ----------------------------------------------------------------------------------- */

static void bulk_is_all_or_nothing(void **state)
{
    (void)state;
    static void *objects[2000];
    power_on(&alloc_kmalloc, MACHINE_S4);
    struct kmem_cache *c = create_alone(256);
    assert_int_equal(k->cache_alloc_bulk(heap, c, GFP_KERNEL, 0, objects), 0);
    assert_int_equal(k->cache_alloc_bulk(heap, c, GFP_KERNEL, 100, objects), 100);
    assert_int_equal(k->cache_alloc_bulk(heap, c, GFP_KERNEL, 1000, objects + 100), 0);
    assert_int_equal(info_of(c).active_objects, 100);
    objects[1] = (unsigned char *)objects[1] + 1;
    k->cache_free_bulk(heap, c, 100, objects);
    assert_true(reported(REPORT_BAD_FREE, objects[1]));
    assert_int_equal(info_of(c).active_objects, 100);
    objects[1] = (unsigned char *)objects[1] - 1;
    machine.context.irqs_off = true;
    k->cache_free_bulk(heap, c, 100, objects);
    assert_true(reported(REPORT_BUG, NULL));
    in_task();
    k->cache_free_bulk(heap, NULL, 50, objects);
    k->cache_free_bulk(heap, c, 50, objects + 50);
    assert_int_equal(info_of(c).active_objects, 0);
    assert_true(quiet());
}

static void an_injected_failure_changes_nothing(void **state)
{
    (void)state;
    power_on(&alloc_kmalloc, MACHINE_S64);
    struct kmem_cache *c = create_alone(700);
    uint32_t before = free_frames();
    inject(FAULT_SLAB, 1);
    assert_null(get(c));
    assert_int_equal(free_frames(), before);
    inject(FAULT_SLAB, 1);
    assert_non_null(k->cache_alloc(heap, c, GFP_KERNEL | GFP_BIT_NOFAIL));
    machine_inject(&machine, FAULT_SLAB, &(struct machine_injection){0});
    while (info_of(c).active_objects < info_of(c).objects) get(c);
    assert_true(info_of(c).pages_per_slab > 1);
    uint32_t objects = info_of(c).objects;
    inject(FAULT_PAGES, 1);
    assert_non_null(get(c)); /* from a slab of the smallest order (B116) */
    assert_int_equal(info_of(c).objects - objects, PAGE / info_of(c).object_bytes);
    assert_true(quiet());
}

static void the_filter_leaves_what_is_unmarked_alone(void **state)
{
    (void)state;
    power_on(&alloc_kmalloc, MACHINE_S64);
    const struct cache_args args = {.name = "marked", .size = 700, .flags = CACHE_FAILSLAB};
    struct kmem_cache *plain = create_alone(700), *marked = k->cache_create(heap, &args);
    inject(FAULT_FILTERED, 2);
    for (int i = 0; i < 3; i++) assert_non_null(get(plain));
    assert_non_null(k->kmalloc(heap, 700, GFP_KERNEL));
    assert_non_null(get(marked));
    assert_null(get(marked));
    assert_non_null(get(marked));
    assert_int_equal(machine_attempts(&machine, FAULT_FILTERED), 3);
    assert_true(quiet());
}

/* ---- Red zones and poison (B78-B80) ------------------------------------------------------------------------------------------ */

static void what_is_written_outside_is_found(void **state)
{
    (void)state;
    power_on(&alloc_slab, MACHINE_S64);
    for (size_t size = 1; size < 70; size++) {
        struct kmem_cache *c = create(size, 0, CACHE_RED_ZONE);
        unsigned char *p = get(c), *q = get(c);
        assert_true(reads_as(p + size, 0xcc, 1) && reads_as(p - 8, 0xcc, 8));
        memset(p, 0, size);
        assert_int_equal(k->cache_validate(heap, c), 0);
        p[size] = 0;
        put(c, p);
        assert_true(reported(REPORT_REDZONE, p));
        q[-1] = 0;
        assert_int_equal(k->cache_validate(heap, c), 1);
        assert_true(reported(REPORT_REDZONE, q));
        assert_int_equal(k->cache_validate(heap, c), 0);
        put(c, q);
        assert_true(reads_as(q + size, 0xbb, 1));
        assert_true(quiet());
        k->cache_destroy(heap, c);
    }
}

static void what_is_written_after_a_free_is_found(void **state)
{
    (void)state;
    power_on(&alloc_slab, MACHINE_S64);
    for (size_t size = 1; size < 70; size++) {
        struct kmem_cache *c = create(size, 0, CACHE_POISON);
        unsigned char *p = get(c), *q = get(c);
        put(c, p);
        assert_true(reads_as(p, 0x6b, size - 1) && p[size - 1] == 0xa5);
        p[size / 2] ^= 1;
        assert_ptr_equal(get(c), p);
        assert_true(reported(REPORT_POISON, p));
        put(c, q);
        q[size - 1] = 0;
        assert_int_equal(k->cache_validate(heap, c), 1);
        assert_true(reported(REPORT_POISON, q));
        assert_ptr_equal(get(c), q);
        assert_true(quiet());
        put(c, p);
        put(c, q);
        k->cache_destroy(heap, c);
    }
}

/* ---- What is shown (B83) ------------------------------------------------------------------------------------------------------- */

static void slabinfo_is_printed_as_the_kernel_does(void **state)
{
    (void)state;
    static char text[16384], head[100];
    power_on(&alloc_slab, MACHINE_S64);
    struct kmem_cache *c = create_alone(512);
    void *p = get(c);
    get(c);
    put(c, p);
    size_t length = slab_print(heap, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_ptr_equal(strstr(text, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "),
                     text);
    assert_non_null(strstr(text, "\nkmalloc-8              0      0      8  512    1 : tunables    0    0    0 : "
                                 "slabdata      0      0      0\n"));
    assert_non_null(strstr(text, "\ntest                   1      8    512    8    1 : tunables    0    0    0 : "
                                 "slabdata      1      1      0\n"));
    assert_int_equal(slab_print(heap, head, sizeof head), length);
    assert_memory_equal(head, text, sizeof head - 1);
    assert_int_equal(head[sizeof head - 1], '\0');
    assert_int_equal(slab_print(heap, NULL, 0), length);
    struct slab_info row;
    unsigned rows = 0, lines = 0;
    while (k->slabinfo(heap, rows, &row)) rows++;
    for (const char *at = text; (at = strchr(at, '\n')); at++) lines++;
    assert_int_equal(lines, rows + 2);
}

static void a_reset_forgets_everything(void **state)
{
    (void)state;
    for
        EACH_KIND(i)
        {
            power_on(kinds[i], MACHINE_S64);
            void *first = get(create_alone(100));
            for (unsigned n = 0; n < 2000; n++) ops->malloc(heap, n);
            struct kmem_cache *c = create_alone(100);
            get(c);
            k->cache_destroy(heap, c);
            assert_true(reports == 1);
            power_on(kinds[i], MACHINE_S4);
            power_on(kinds[i], MACHINE_S64);
            struct slab_info row;
            for (unsigned n = 0; k->slabinfo(heap, n, &row); n++) assert_int_equal(row.slabs, 0);
            assert_ptr_equal(get(create_alone(100)), first);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_arguments_make_no_cache, set_up, tear_down),
        cmocka_unit_test_setup_teardown(alignment_follows_the_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(little_of_a_slab_is_wasted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(objects_are_apart_and_contiguous, set_up, tear_down),
        cmocka_unit_test_setup_teardown(zalloc_clears_what_was_dirty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(misuse_is_named_and_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(free_objects_are_given_in_any_context, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slabs_are_used_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_empty_slabs_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(destroying_names_what_is_live, set_up, tear_down),
        cmocka_unit_test_setup_teardown(constructors_run_once_for_each_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(caches_that_are_alike_are_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dma_cache_lies_in_its_zone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bulk_is_all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_injected_failure_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_filter_leaves_what_is_unmarked_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_outside_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_written_after_a_free_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(slabinfo_is_printed_as_the_kernel_does, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reset_forgets_everything, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
