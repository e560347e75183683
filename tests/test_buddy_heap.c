/* test_buddy_heap.c: the allocator `buddy` through its vtable: malloc over pages, and the rows of the kernel group. */
#include "buddy_fixture.h"

#include "backing.h"
#include "builtin.h"

#include <errno.h>

static const struct alloc_ops *const ops = &alloc_buddy;

static void blocks_are_whole_pages(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    const uint32_t before = b->zones[ZONE_NORMAL].free;
    unsigned char *p = ops->malloc(b, 5000), *none = ops->malloc(b, 0);
    assert_int_equal(ops->usable_size(b, p), 8192);
    assert_int_equal(ops->usable_size(b, none), 4096);
    assert_int_equal(ops->usable_size(b, NULL), 0);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before - 3);
    memset(p, 7, 8192);
    assert_ptr_equal(ops->realloc(b, p, 8000), p);
    assert_ptr_equal(ops->realloc(b, p, 1), p);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before - 2);
    unsigned char *q = ops->reallocarray(b, p, 17, 241); /* 4097 */
    assert_ptr_not_equal(q, p);
    assert_int_equal(q[4095], 7);
    unsigned char *z = ops->calloc(b, 3, 3000);
    for (unsigned i = 0; i < 9000; i++) assert_int_equal(z[i], 0);
    ops->free_sized(b, q, 4097);
    ops->free_aligned_sized(b, z, 16, 9000);
    ops->free(b, none);
    ops->free(b, NULL);
    assert_int_equal(b->zones[ZONE_NORMAL].free, before);
    assert_int_equal(reported(), NONE);
}

static void alignment_costs_no_memory(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    const uint32_t before = b->zones[ZONE_NORMAL].free;
    for (size_t align = 1; align <= 4u << 20; align *= 2) {
        unsigned char *p = ops->aligned_alloc(b, align, 5000);
        assert_int_equal((uintptr_t)p % align, 0);
        assert_int_equal(b->zones[ZONE_NORMAL].free, before - 2);
        ops->free(b, p);
    }
    void *out = b;
    assert_int_equal(ops->posix_memalign(b, &out, sizeof(void *) / 2, 1), EINVAL);
    assert_int_equal(ops->posix_memalign(b, &out, 8u << 20, 1), ENOMEM);
    assert_ptr_equal(out, b);
    assert_int_equal(ops->posix_memalign(b, &out, 1 << 16, 1), 0);
    errno = 0;
    assert_null(ops->aligned_alloc(b, 48, 1));
    assert_int_equal(errno, EINVAL);
}

static void refusals_are_enomem(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    void *p = ops->malloc(b, 1);
    const size_t half = SIZE_MAX / 2 + 1;
#define REFUSED(call)                    \
    do {                                 \
        errno = 0;                       \
        assert_null(call);               \
        assert_int_equal(errno, ENOMEM); \
    } while (0)
    REFUSED(ops->malloc(b, (4u << 20) + 1));
    REFUSED(ops->malloc(b, SIZE_MAX));
    REFUSED(ops->calloc(b, half, 2));
    REFUSED(ops->reallocarray(b, p, half, 2));
    REFUSED(ops->realloc(b, p, SIZE_MAX));
    REFUSED(ops->aligned_alloc(b, half, 1));
#undef REFUSED
    ops->free(b, p);
    assert_int_equal(reported(), NONE);
}

static void bad_frees_are_told_apart(void **state)
{
    (void)state;
    power_on(MACHINE_S64);
    unsigned char *p = ops->malloc(b, 8192), *pages = ops->kernel->get_free_pages(b, GFP_KERNEL, 1);
    static const size_t inside[] = {1, 4096, 8191};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        ops->free(b, p + inside[i]);
        assert_int_equal(reported(), REPORT_BAD_FREE);
    }
    ops->free(b, &machine);
    assert_int_equal(reported(), REPORT_BAD_FREE);
    ops->free(b, pages);
    assert_int_equal(reported(), REPORT_BAD_FREE);
    ops->kernel->free_pages(b, p, 1);
    assert_int_equal(reported(), REPORT_WRONG_FREE);
    ops->free_sized(b, p, 8193);
    assert_int_equal(reported(), REPORT_BAD_FREE);
    assert_null(ops->realloc(b, p + 4096, 1));
    assert_int_equal(reported(), REPORT_BAD_FREE);
    machine.context.nmi = true;
    ops->free(b, p);
    assert_int_equal(reported(), REPORT_BUG);
    machine.context.nmi = false;
    ops->free(b, p);
    assert_int_equal(reported(), NONE);
    ops->free(b, p);
    assert_int_equal(reported(), REPORT_DOUBLE_FREE);
}

struct tally {
    const unsigned char *end;
    unsigned used, meta;
};

static bool count(void *context, const struct alloc_block *block)
{
    struct tally *t = context;
    assert_ptr_equal(block->base, t->end);
    t->end += block->size;
    t->used += block->state == BLOCK_USED;
    t->meta += block->state == BLOCK_META;
    return true;
}

static bool stop(void *context, const struct alloc_block *block)
{
    (void)block;
    ++*(unsigned *)context;
    return false;
}

static void the_walk_covers_the_direct_map(void **state)
{
    (void)state;
    power_on(MACHINE_SODD);
    void *p = ops->malloc(b, 100000), *q = ops->malloc(b, 1);
    struct page *page = ops->kernel->alloc_pages(b, GFP_HIGHUSER, 2);
    struct tally t = {.end = machine.direct};
    unsigned seen = 0;
    ops->kernel->get_zeroed_page(b, GFP_KERNEL);
    ops->walk(b, count, &t);
    assert_ptr_equal(t.end, machine.direct + 5003 * 4096);
    assert_int_equal(t.used, 2);
    assert_int_equal(t.meta, 1);
    ops->walk(b, stop, &seen);
    assert_int_equal(seen, 1);
    struct alloc_stats stats;
    ops->stats(b, &stats);
    assert_int_equal(stats.used_blocks, 2);
    assert_int_equal(stats.footprint_bytes, (32 + 1 + 1 + 4) * 4096);
    assert_int_equal(stats.free_bytes, (5003 - 34) * 4096);
    ops->free(b, p);
    ops->free(b, q);
    ops->kernel->free_page_block(b, page, 2);
    assert_null(ops->check(b));
    assert_int_equal(reported(), NONE);
}

/* Every row of the table does what its name says, as far as a line can show. */
static void every_row_is_there(void **state)
{
    const struct kernel_ops *k = ops->kernel;
    (void)state;
    power_on(MACHINE_S64);
    struct page *page = k->alloc_pages(b, GFP_HIGHUSER | GFP_BIT_COMP, 2), *array[3] = {0};
    struct zone_info info;
    k->zone_info(b, ZONE_HIGHMEM, &info);
    assert_int_equal(info.free, 8192 - 4);
    assert_ptr_equal(k->compound_head(b, page + 3), page);
    k->get_page(b, page + 1);
    k->put_page(b, page + 2);
    assert_ptr_equal(k->pfn_to_page(b, k->page_to_pfn(b, page)), page);
    assert_null(k->page_address(b, page));
    assert_non_null(k->kmap(b, page));
    k->kunmap(b, page);
    k->kunmap_local(b, k->kmap_local(b, page));
    k->free_page_block(b, page, 2);
    void *at = k->get_free_pages(b, GFP_KERNEL, 1), *exact = k->alloc_pages_exact(b, 5 * 4096, GFP_KERNEL);
    assert_ptr_equal(k->page_address(b, k->virt_to_page(b, at)), at);
    k->split_page(b, k->virt_to_page(b, at), 1);
    k->free_pages(b, at, 0);
    k->free_pages(b, (unsigned char *)at + 4096, 0);
    k->free_pages_exact(b, exact, 5 * 4096);
    k->free_pages(b, k->get_zeroed_page(b, GFP_ATOMIC), 0);
    assert_int_equal(k->alloc_pages_bulk(b, GFP_KERNEL, 3, array), 3);
    for (unsigned i = 0; i < 3; i++) k->free_page_block(b, array[i], 0);
    k->step_kswapd(b);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        k->zone_info(b, zone, &info);
        assert_int_equal(info.free, machine.zones[zone].end - machine.zones[zone].start);
    }
    assert_int_equal(reported(), NONE);
}

static void heaps_begin_on_machines_only(void **state)
{
    struct backing region = {.kind = BACKING_REGION};
    (void)state;
    power_on(MACHINE_S64);
    struct backing lent = {.kind = BACKING_MACHINE, .machine = &machine};
    memset(b, 0, sizeof *b);
    assert_int_equal(ops->init(b, &region), EINVAL);
    assert_int_equal(ops->init(b, &lent), 0);
    assert_non_null(ops->malloc(b, 1));
    assert_int_equal(ops->reset(b), 0);
    assert_int_equal(b->zones[ZONE_NORMAL].free, 7168);
    ops->fini(b);
    const uint32_t frames = machine.frames;
    machine.frames = BUDDY_FRAMES_MAX + 1;
    assert_int_equal(ops->init(b, &lent), EINVAL);
    machine.frames = frames;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_whole_pages),
        cmocka_unit_test(alignment_costs_no_memory),
        cmocka_unit_test(refusals_are_enomem),
        cmocka_unit_test(bad_frees_are_told_apart),
        cmocka_unit_test(the_walk_covers_the_direct_map),
        cmocka_unit_test(every_row_is_there),
        cmocka_unit_test(heaps_begin_on_machines_only),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
