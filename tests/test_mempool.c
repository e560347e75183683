/* test_mempool.c: pools that keep a reserve (B109-B112). */
#include "kernel_heap.h"

#include <errno.h>

static void construct(void *object) { *(int *)object = 1; }

/* Every attempt at a slab's object or at pages fails from now on. */
static void starve(enum machine_fault fault)
{
    const struct machine_injection all = {.interval = 1, .times = -1, .waiting_too = true, .highmem_too = true};
    machine_inject(&machine, fault, &all);
}

static struct mempool *pool_of_pages(uint32_t min, unsigned order)
{
    return k->mempool_create(heap, &(struct pool_args){.kind = POOL_PAGES, .min = min, .size = order});
}

static struct mempool *pool_of_bytes(uint32_t min, size_t size)
{
    return k->mempool_create(heap, &(struct pool_args){.kind = POOL_KMALLOC, .min = min, .size = size});
}

static void all_of_the_minimum_or_no_pool(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    k->mempool_destroy(heap, pool_of_bytes(4, 100));
    uint32_t free_before = free_frames();
    for (uint32_t nth = 1;; nth++) {
        inject(FAULT_SLAB, nth);
        struct mempool *pool = pool_of_bytes(4, 100);
        if (pool) {
            assert_int_equal(nth, 7); /* the record, the array and four elements may fail */
            assert_int_equal(k->mempool_reserve(heap, pool), 4);
            k->mempool_destroy(heap, pool);
            break;
        }
    }
    assert_int_equal(free_frames(), free_before);
    assert_null(pool_of_bytes(0, 100));
    assert_null(pool_of_pages(2, 11));
    assert_null(alloc_vmalloc.check(heap));
    set_spinlock();
    assert_true(quiet());
    assert_null(pool_of_bytes(1, 100));
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC));
}

static void the_reserve_is_the_last_but_one_resort(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    struct mempool *pool = pool_of_pages(2, 1);
    struct page *a = k->mempool_alloc(heap, pool, GFP_ATOMIC);
    assert_int_equal(k->mempool_reserve(heap, pool), 2);
    starve(FAULT_PAGES);
    struct page *b = k->mempool_alloc(heap, pool, GFP_KERNEL), *c = k->mempool_alloc(heap, pool, GFP_ATOMIC);
    assert_true(b && c && b != c);
    assert_int_equal(k->mempool_reserve(heap, pool), 0);
    assert_null(k->mempool_alloc(heap, pool, GFP_ATOMIC));
    assert_false(machine.blocked);
    assert_null(k->mempool_alloc(heap, pool, GFP_KERNEL));
    assert_true(machine.blocked); /* it would wait (B110) */
    k->mempool_free(heap, pool, b);
    assert_ptr_equal(k->mempool_alloc(heap, pool, GFP_KERNEL), b);
    k->mempool_free(heap, pool, a);
    k->mempool_free(heap, pool, b);
    assert_int_equal(k->mempool_reserve(heap, pool), 2);
    uint32_t free_before = free_frames();
    k->mempool_free(heap, pool, c); /* the reserve is full */
    assert_int_equal(free_frames(), free_before + 2);
    k->mempool_free(heap, pool, NULL);
    k->mempool_destroy(heap, pool);
    assert_int_equal(free_frames(), free_before + 6);
    assert_true(quiet());
}

static void objects_of_a_cache(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    const struct cache_args args = {.name = "elements", .size = 200, .flags = CACHE_NO_MERGE};
    const struct cache_args constructed = {.name = "made", .size = 200, .constructor = construct};
    struct kmem_cache *cache = k->cache_create(heap, &args), *made = k->cache_create(heap, &constructed);
    struct mempool *pool = k->mempool_create(heap, &(struct pool_args){.kind = POOL_CACHE, .min = 3, .cache = cache});
    struct slab_info info;
    k->cache_info(heap, cache, &info);
    assert_int_equal(info.active_objects, 3);
    starve(FAULT_SLAB);
    void *p = k->mempool_alloc(heap, pool, GFP_NOWAIT);
    assert_non_null(p);
    k->mempool_free(heap, pool, p);
    assert_true(quiet());
    assert_null(k->mempool_create(heap, &(struct pool_args){.kind = POOL_CACHE, .min = 1, .cache = made}));
    assert_true(reported(REPORT_CONTRACT_WARN));
    assert_null(k->mempool_create(heap, &(struct pool_args){.kind = POOL_CACHE, .min = 1}));
    k->mempool_destroy(heap, pool);
    k->cache_info(heap, cache, &info);
    assert_int_equal(info.active_objects, 0);
}

/* Neither attempt may be struck; without pages it waits, unless an element is in reserve (B40, B110, B113). */
static void what_must_not_fail_is_not_made_to(void **state)
{
    (void)state;
    void *p[2];
    power_on(MACHINE_S64, false);
    struct mempool *pool = pool_of_bytes(1, 100);
    starve(FAULT_SLAB);
    p[0] = k->mempool_alloc(heap, pool, GFP_KERNEL | GFP_BIT_NOFAIL);
    p[1] = k->mempool_alloc(heap, pool, GFP_ATOMIC | GFP_BIT_NOFAIL);
    assert_true(p[0] && p[1]);
    assert_int_equal(k->mempool_reserve(heap, pool), 1);
    assert_int_equal(machine_attempts(&machine, FAULT_SLAB), 0);
    k->mempool_free(heap, pool, p[0]);
    k->mempool_free(heap, pool, p[1]);
    k->mempool_destroy(heap, pool);
    inject(FAULT_SLAB, 0);
    pool = pool_of_pages(1, 0);
    while (k->alloc_pages(heap, GFP_KERNEL | GFP_BIT_NORETRY | GFP_BIT_MEMALLOC | GFP_BIT_NOWARN, 0)) {
    }
    assert_non_null(p[0] = k->mempool_alloc(heap, pool, GFP_KERNEL | GFP_BIT_NOFAIL));
    assert_false(machine.blocked);
    assert_null(k->mempool_alloc(heap, pool, GFP_KERNEL | GFP_BIT_NOFAIL));
    assert_true(machine.blocked);
    assert_true(quiet());
}

static void a_pool_can_be_resized(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    struct mempool *pool = pool_of_bytes(2, 64);
    assert_int_equal(k->mempool_resize(heap, pool, 5), 0);
    assert_int_equal(k->mempool_reserve(heap, pool), 5);
    assert_int_equal(k->mempool_resize(heap, pool, 1), 0);
    assert_int_equal(k->mempool_reserve(heap, pool), 1);
    assert_int_equal(k->mempool_resize(heap, pool, 0), -EINVAL);
    inject(FAULT_SLAB, 1); /* the array */
    assert_int_equal(k->mempool_resize(heap, pool, 9), -ENOMEM);
    assert_int_equal(k->mempool_reserve(heap, pool), 1);
    inject(FAULT_SLAB, 3); /* the second new element: it comes with a later free */
    assert_int_equal(k->mempool_resize(heap, pool, 9), 0);
    assert_int_equal(k->mempool_reserve(heap, pool), 2);
    void *p = k->mempool_alloc(heap, pool, GFP_KERNEL);
    k->mempool_free(heap, pool, p);
    assert_int_equal(k->mempool_reserve(heap, pool), 3);
    set_spinlock();
    assert_int_equal(k->mempool_resize(heap, pool, 2), -ENOMEM);
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC));
    assert_null(alloc_vmalloc.check(heap));
}

static void misuse_is_named(void **state)
{
    (void)state;
    power_on(MACHINE_S64, false);
    struct mempool *pages = pool_of_pages(1, 0), *bytes = pool_of_bytes(1, 64);
    struct page *stranger = k->alloc_pages(heap, GFP_KERNEL, 0), *page = k->mempool_alloc(heap, pages, GFP_KERNEL);
    void *object = k->mempool_alloc(heap, bytes, GFP_KERNEL);
    assert_null(k->mempool_alloc(heap, bytes, GFP_KERNEL | GFP_BIT_ZERO));
    assert_true(reported(REPORT_CONTRACT_WARN));
    set_spinlock();
    assert_null(k->mempool_alloc(heap, bytes, GFP_KERNEL));
    assert_true(reported(REPORT_SLEEP_IN_ATOMIC));
    set_task();
    k->mempool_free(heap, pages, stranger);
    assert_true(reported(REPORT_WRONG_FREE));
    k->free_page_block(heap, page, 0);
    assert_true(reported(REPORT_WRONG_FREE));
    k->mempool_free(heap, pages, page);
    k->mempool_free(heap, bytes, object);
    assert_true(quiet());
    k->mempool_free(heap, pages, page);
    assert_true(reported(REPORT_DOUBLE_FREE));
    k->mempool_free(heap, bytes, object);
    assert_true(reported(REPORT_DOUBLE_FREE));
    object = k->mempool_alloc(heap, bytes, GFP_KERNEL);
    k->mempool_destroy(heap, bytes);
    assert_true(reported(REPORT_LEAK)); /* object is still its owner's */
    k->kfree(heap, object);
    k->mempool_destroy(heap, NULL);
    assert_true(quiet());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_the_minimum_or_no_pool),
        cmocka_unit_test(the_reserve_is_the_last_but_one_resort),
        cmocka_unit_test(objects_of_a_cache),
        cmocka_unit_test(what_must_not_fail_is_not_made_to),
        cmocka_unit_test(a_pool_can_be_resized),
        cmocka_unit_test(misuse_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
