/* test_break.c: the break and the heap over it by themselves, on a break that the lender lends (A35-A42). */
#include "backing.h"
#include "builtin.h"

#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HEAP_BYTES 20001u /* odd: the base has no particular alignment */

static struct lender lender;
static alignas(max_align_t) unsigned char heap[256];

static unsigned char *break_now(void) { return alloc_break.sbrk(heap, 0); }

static int open_break(void **state)
{
    (void)state;
    struct lender_geometry geometry = {.kind = BACKING_BREAK, .size = HEAP_BYTES, .fence_pages = true};
    assert_true(alloc_break.state_size <= sizeof heap);
    assert_int_equal(lender_fresh(&lender, &geometry), 0);
    memset(heap, 0, sizeof heap);
    return alloc_break.init(heap, &lender.face);
}

static int set_up(void **state)
{
    (void)state;
    lender_init(&lender);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lender_close(&lender);
    return 0;
}

static void sbrk_returns_the_previous_break(void **state)
{
    (void)state;
    unsigned char *base = lender.face.base;
    assert_ptr_equal(break_now(), base);
    assert_ptr_equal(alloc_break.sbrk(heap, 100), base);
    assert_ptr_equal(alloc_break.sbrk(heap, 50), base + 100);
    assert_ptr_equal(alloc_break.sbrk(heap, -120), base + 150);
    assert_ptr_equal(break_now(), base + 30);
}

static void limits_are_kept_and_a_refusal_changes_nothing(void **state)
{
    (void)state;
    unsigned char *base = lender.face.base;
    alloc_break.sbrk(heap, 100);
    const ptrdiff_t bad[] = {-101, HEAP_BYTES - 99, PTRDIFF_MAX, PTRDIFF_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_ptr_equal(alloc_break.sbrk(heap, bad[i]), SBRK_FAILED);
        assert_int_equal(errno, ENOMEM);
    }
    errno = 0;
    assert_int_equal(alloc_break.brk(heap, base - 1), -1);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(alloc_break.brk(heap, base + HEAP_BYTES + 1), -1);
    assert_ptr_equal(break_now(), base + 100);
    assert_int_equal(alloc_break.brk(heap, base + HEAP_BYTES), 0);
    assert_int_equal(alloc_break.brk(heap, base), 0);
}

static void freeing_the_newest_lowers_the_break_past_freed_ones(void **state)
{
    (void)state;
    unsigned char *blocks[4];
    for (unsigned i = 0; i < 4; i++) {
        blocks[i] = alloc_break.malloc(heap, 100 * i + 1);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
    }
    unsigned char *top = break_now();
    alloc_break.free(heap, blocks[2]);
    alloc_break.free(heap, blocks[1]);
    assert_ptr_equal(break_now(), top);
    assert_null(alloc_break.check(heap));
    alloc_break.free(heap, blocks[3]);
    assert_true(break_now() < blocks[1] && break_now() > blocks[0]);
    alloc_break.free(heap, blocks[0]);
    assert_true(break_now() < blocks[0]);
}

static void a_stranger_at_the_break_is_left_alone(void **state)
{
    (void)state;
    unsigned char *first = alloc_break.malloc(heap, 10);
    unsigned char *theirs = lender_foreign_sbrk(&lender, 33);
    memset(theirs, 0x3c, 33);
    unsigned char *second = alloc_break.malloc(heap, 10);
    assert_true(second >= theirs + 33);
    memset(second, 0xff, 10);
    alloc_break.free(heap, second);
    alloc_break.free(heap, first);
    assert_true(break_now() >= theirs + 33);
    for (unsigned i = 0; i < 33; i++) assert_int_equal(theirs[i], 0x3c);
    assert_null(alloc_break.check(heap));
}

static void blocks_are_resized_at_the_top_or_moved(void **state)
{
    (void)state;
    unsigned char *p = alloc_break.malloc(heap, 16);
    memset(p, 0x42, 16);
    assert_ptr_equal(alloc_break.realloc(heap, p, 1000), p);
    assert_true(alloc_break.usable_size(heap, p) >= 1000);
    assert_ptr_equal(alloc_break.realloc(heap, p, 16), p);
    unsigned char *wall = alloc_break.malloc(heap, 1), *moved = alloc_break.realloc(heap, p, 500);
    assert_true(moved > wall);
    for (unsigned i = 0; i < 16; i++) assert_int_equal(moved[i], 0x42);
    assert_null(alloc_break.realloc(heap, moved, HEAP_BYTES));
    assert_int_equal(errno, ENOMEM);
    assert_null(alloc_break.realloc(heap, moved, SIZE_MAX));
    assert_null(alloc_break.check(heap));
}

static void calloc_clears_what_a_kept_page_holds(void **state)
{
    (void)state;
    unsigned char *p = alloc_break.malloc(heap, 300);
    memset(p, 0xee, 300);
    alloc_break.free(heap, p);
    p = alloc_break.calloc(heap, 10, 30);
    for (unsigned i = 0; i < 300; i++) assert_int_equal(p[i], 0);
    assert_null(alloc_break.calloc(heap, SIZE_MAX, 2));
}

static void a_break_that_will_not_move_is_waited_for(void **state)
{
    (void)state;
    unsigned char *p = alloc_break.malloc(heap, 100), *top = break_now();
    lender.fail_at[0] = lender.requests + 1;
    errno = 7;
    alloc_break.free(heap, p);
    assert_int_equal(errno, 7);
    assert_ptr_equal(break_now(), top);
    p = alloc_break.malloc(heap, 1);
    alloc_break.free(heap, p);
    assert_true(break_now() < top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sbrk_returns_the_previous_break, open_break),
        cmocka_unit_test_setup(limits_are_kept_and_a_refusal_changes_nothing, open_break),
        cmocka_unit_test_setup(freeing_the_newest_lowers_the_break_past_freed_ones, open_break),
        cmocka_unit_test_setup(a_stranger_at_the_break_is_left_alone, open_break),
        cmocka_unit_test_setup(blocks_are_resized_at_the_top_or_moved, open_break),
        cmocka_unit_test_setup(calloc_clears_what_a_kept_page_holds, open_break),
        cmocka_unit_test_setup(a_break_that_will_not_move_is_waited_for, open_break),
    };
    return cmocka_run_group_tests_name("break", tests, set_up, tear_down);
}
