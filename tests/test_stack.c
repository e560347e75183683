/* test_stack.c: the stack allocator by itself: layout, frames, overflow (A30-A33). */
#include "builtin.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define REGION_BYTES 1024u
#define ALIGN (alloc_stack.contract.align_min)

static alignas(max_align_t) unsigned char memory[REGION_BYTES + 64];
static alignas(max_align_t) unsigned char heap[256];
static unsigned reports;

static void count_report(struct backing *b, enum alloc_report kind, const void *where)
{
    (void)b, (void)where;
    assert_int_equal(kind, REPORT_STACK_OVERFLOW);
    reports++;
}

static struct backing backing;

/* A stack over `size` bytes that begin `skew` bytes behind an aligned address. */
static void open_stack(size_t skew, size_t size)
{
    assert_true(alloc_stack.state_size <= sizeof heap);
    backing = (struct backing){
        .kind = BACKING_REGION, .base = memory + skew, .size = size, .page_bytes = 4096, .report = count_report};
    memset(heap, 0, sizeof heap);
    reports = 0;
    assert_int_equal(alloc_stack.init(heap, &backing), 0);
}

static size_t footprint(void)
{
    struct alloc_stats stats;
    alloc_stack.stats(heap, &stats);
    return stats.free_bytes;
}

static void pop_releases_exactly_the_newest_frame(void **state)
{
    (void)state;
    open_stack(0, REGION_BYTES);
    unsigned char *old = alloc_stack.malloc(heap, 40);
    memset(old, 0x11, 40);
    size_t before = footprint();
    for (unsigned depth = 0; depth < 3; depth++) alloc_stack.frame_push(heap);
    memset(alloc_stack.malloc(heap, 100), 0x22, 100);
    memset(alloc_stack.malloc(heap, 1), 0x22, 1);
    alloc_stack.frame_pop(heap);
    assert_int_equal(footprint(), before);
    assert_non_null(alloc_stack.malloc(heap, 8)); /* in the second of the three frames */
    alloc_stack.frame_pop(heap);
    alloc_stack.frame_pop(heap);
    assert_int_equal(footprint(), before);
    for (unsigned i = 0; i < 40; i++) assert_int_equal(old[i], 0x11);
    assert_null(alloc_stack.check(heap));
}

static void newer_blocks_lie_below_older_ones_aligned(void **state)
{
    (void)state;
    for (size_t skew = 0; skew < 2 * ALIGN; skew++) {
        open_stack(skew, REGION_BYTES - skew % 7);
        unsigned char *last = backing.base + backing.size;
        for (size_t size = 0; size < 40; size++) {
            unsigned char *p = alloc_stack.malloc(heap, size);
            if (p == NULL) break;
            assert_int_equal((uintptr_t)p % ALIGN, 0);
            assert_true(p >= backing.base && p + size <= last);
            assert_true(alloc_stack.usable_size(heap, p) >= size);
            last = p;
        }
        assert_null(alloc_stack.check(heap));
    }
}

static void overflow_is_reported_and_changes_nothing(void **state)
{
    (void)state;
    open_stack(3, 500);
    size_t room = footprint();
    assert_null(alloc_stack.malloc(heap, room + 1));
    assert_null(alloc_stack.malloc(heap, SIZE_MAX));
    assert_null(alloc_stack.malloc(heap, (size_t)PTRDIFF_MAX + 1));
    assert_int_equal(reports, 3);
    assert_int_equal(footprint(), room);
    assert_non_null(alloc_stack.malloc(heap, room));
    assert_null(alloc_stack.malloc(heap, 0));
    assert_int_equal(reports, 4);
}

static void frames_cost_nothing_until_they_hold_a_block(void **state)
{
    (void)state;
    open_stack(0, REGION_BYTES);
    size_t room = footprint();
    for (unsigned i = 0; i < 100000; i++) alloc_stack.frame_push(heap);
    assert_int_equal(footprint(), room);
    assert_non_null(alloc_stack.malloc(heap, 1));
    for (unsigned i = 0; i < 100000; i++) alloc_stack.frame_pop(heap);
    assert_int_equal(footprint(), room);
}

static void tiny_regions_are_refused_or_empty(void **state)
{
    (void)state;
    for (size_t skew = 0; skew < ALIGN; skew++)
        for (size_t size = 1; size < 4 * ALIGN; size++) {
            backing = (struct backing){.kind = BACKING_REGION,
                                       .base = memory + skew,
                                       .size = size,
                                       .page_bytes = 4096,
                                       .report = count_report};
            int error = alloc_stack.init(heap, &backing);
            if (size >= alloc_stack.contract.size_min_bytes) assert_int_equal(error, 0);
            if (error != 0) continue;
            unsigned char *p = alloc_stack.malloc(heap, 1);
            if (p != NULL) assert_true(p >= backing.base && p < backing.base + size);
        }
    backing.kind = BACKING_PAGES;
    assert_int_not_equal(alloc_stack.init(heap, &backing), 0);
}

static bool add_up(void *context, const struct alloc_block *block)
{
    *(size_t *)context += block->size;
    return true;
}

static void walk_covers_the_region(void **state)
{
    (void)state;
    open_stack(0, REGION_BYTES);
    alloc_stack.malloc(heap, 33);
    alloc_stack.frame_push(heap);
    alloc_stack.malloc(heap, 0);
    size_t sum = 0;
    alloc_stack.walk(heap, add_up, &sum);
    assert_int_equal(sum, REGION_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pop_releases_exactly_the_newest_frame),
        cmocka_unit_test(newer_blocks_lie_below_older_ones_aligned),
        cmocka_unit_test(overflow_is_reported_and_changes_nothing),
        cmocka_unit_test(frames_cost_nothing_until_they_hold_a_block),
        cmocka_unit_test(tiny_regions_are_refused_or_empty),
        cmocka_unit_test(walk_covers_the_region),
    };
    return cmocka_run_group_tests_name("stack", tests, NULL, NULL);
}
