/* test_region.c: the page allocator by itself, on a window that the lender lends (A43-A48). */
#include "backing_internal.h"
#include "builtin.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PRIVATE_PAGES (MAPPING_PRIVATE | MAPPING_ANONYMOUS)

static struct lender lender;
static void *heap;
static size_t page;

static void open_region(uint64_t pages)
{
    struct lender_geometry geometry = {.kind = BACKING_PAGES, .size = pages * page};
    assert_int_equal(lender_fresh(&lender, &geometry), 0);
    memset(heap, 0, alloc_region.state_size);
    assert_int_equal(alloc_region.init(heap, &lender.face), 0);
}

static unsigned char *map(void *address, size_t pages, unsigned flags)
{
    return alloc_region.mmap(heap, address, pages * page, flags, 0, 0);
}

static int unmap(void *address, size_t pages) { return alloc_region.munmap(heap, address, pages * page); }

static int set_up(void **state)
{
    (void)state;
    lender_init(&lender);
    page = lender.face.page_bytes;
    heap = malloc(alloc_region.state_size);
    return heap == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    lender_close(&lender);
    free(heap);
    return 0;
}

static void addresses_are_chosen_first_fit(void **state)
{
    (void)state;
    open_region(8);
    unsigned char *base = lender.face.base;
    assert_ptr_equal(map(NULL, 2, PRIVATE_PAGES), base);
    assert_ptr_equal(map(NULL, 2, PRIVATE_PAGES), base + 2 * page);
    assert_ptr_equal(map(NULL, 4, PRIVATE_PAGES), base + 4 * page);
    assert_int_equal(unmap(base + 2 * page, 2), 0);
    assert_ptr_equal(map(NULL, 3, PRIVATE_PAGES), MAPPING_FAILED);
    assert_int_equal(errno, ENOMEM);
    assert_ptr_equal(map(NULL, 1, PRIVATE_PAGES), base + 2 * page);
    assert_null(alloc_region.check(heap));
}

static void unmapping_the_middle_leaves_both_sides(void **state)
{
    (void)state;
    open_region(8);
    unsigned char *p = map(NULL, 5, PRIVATE_PAGES);
    memset(p, 0x5a, 5 * page);
    assert_int_equal(unmap(p + 2 * page, 1), 0);
    assert_false(lender_readable(p + 2 * page));
    assert_int_equal(p[2 * page - 1], 0x5a);
    assert_int_equal(p[3 * page], 0x5a);
    assert_int_equal(lender.mapped_bytes, 4 * page);
    assert_int_equal(unmap(p, 5), 0); /* holes are no error */
    assert_int_equal(lender.mapped_bytes, 0);
}

static void fixed_replaces_and_noreplace_refuses(void **state)
{
    (void)state;
    open_region(8);
    unsigned char *p = map(NULL, 3, PRIVATE_PAGES);
    memset(p, 0x5a, 3 * page);
    assert_ptr_equal(map(p + page, 1, PRIVATE_PAGES | MAPPING_FIXED | MAPPING_NOREPLACE), MAPPING_FAILED);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(p[page], 0x5a);
    assert_ptr_equal(map(p + page, 1, PRIVATE_PAGES | MAPPING_FIXED), p + page);
    assert_int_equal(p[page - 1], 0x5a);
    assert_int_equal(p[page], 0);
    assert_int_equal(p[2 * page], 0x5a);
    assert_ptr_equal(map(p + 7 * page, 2, PRIVATE_PAGES | MAPPING_FIXED), MAPPING_FAILED);
    assert_int_equal(errno, ENOMEM);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    open_region(8);
    unsigned char *p = map(NULL, 1, PRIVATE_PAGES);
    const struct {
        void *address;
        size_t length;
        unsigned flags, file;
        size_t offset;
    } bad[] = {
        {NULL, 0, PRIVATE_PAGES, 0, 0},
        {NULL, page, MAPPING_ANONYMOUS, 0, 0},
        {NULL, page, PRIVATE_PAGES | MAPPING_SHARED, 0, 0},
        {NULL, page, MAPPING_SHARED, LENDER_FILES, 0},
        {NULL, page, MAPPING_SHARED, 0, 1},
        {p + 1, page, PRIVATE_PAGES | MAPPING_FIXED, 0, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        void *q = alloc_region.mmap(heap, bad[i].address, bad[i].length, bad[i].flags, bad[i].file, bad[i].offset);
        assert_ptr_equal(q, MAPPING_FAILED);
        assert_int_equal(errno, EINVAL);
    }
    assert_int_equal(alloc_region.munmap(heap, p + 1, page), -1);
    assert_int_equal(alloc_region.munmap(heap, p, 0), -1);
    assert_ptr_equal(alloc_region.mmap(heap, NULL, SIZE_MAX, PRIVATE_PAGES, 0, 0), MAPPING_FAILED);
    assert_int_equal(errno, ENOMEM);
}

static void files_are_mapped_shared_and_private(void **state)
{
    (void)state;
    open_region(8);
    unsigned char *shared = alloc_region.mmap(heap, NULL, LENDER_FILE_BYTES, MAPPING_SHARED, 1, 0);
    unsigned char *private = alloc_region.mmap(heap, NULL, LENDER_FILE_BYTES, MAPPING_PRIVATE, 1, 0);
    for (size_t i = 0; i < LENDER_FILE_BYTES; i++) {
        assert_int_equal(shared[i], lender_file_byte(1, i));
        assert_int_equal(private[i], lender_file_byte(1, i));
    }
    if (LENDER_FILE_BYTES % page != 0) assert_int_equal(shared[LENDER_FILE_BYTES], 0);
    unsigned char byte = 0;
    private[5] = 0;
    assert_true(lender_file_load(&lender, 1, 5, &byte, 1));
    assert_int_equal(byte, lender_file_byte(1, 5));
    shared[6] = 0;
    assert_true(lender_file_load(&lender, 1, 6, &byte, 1));
    assert_int_equal(byte, 0);
    open_region(8);
    shared = alloc_region.mmap(heap, NULL, page, MAPPING_SHARED, 1, 0);
    assert_int_equal(shared[6], lender_file_byte(1, 6)); /* fresh again */
}

static void refusals_of_the_backing_change_nothing(void **state)
{
    (void)state;
    open_region(8);
    unsigned char *p = alloc_region.malloc(heap, 2 * page);
    memset(p, 0x5a, 2 * page);
    lender.fail_at[0] = lender.requests + 1;
    assert_null(alloc_region.malloc(heap, 1));
    assert_int_equal(errno, ENOMEM);
    lender.fail_at[0] = lender.requests + 1;
    assert_int_equal(unmap(p, 1), -1);
    assert_int_equal(errno, ENOMEM);
    lender.fail_at[0] = lender.requests + 1;
    assert_ptr_equal(map(p, 1, PRIVATE_PAGES | MAPPING_FIXED), MAPPING_FAILED);
    for (size_t i = 0; i < 2 * page; i++) assert_int_equal(p[i], 0x5a);
    lender.fail_at[0] = lender.requests + 1;
    alloc_region.free(heap, p); /* cannot say so: the pages stay until something else is mapped there */
    assert_null(alloc_region.check(heap));
    p = alloc_region.malloc(heap, 8 * page);
    assert_non_null(p);
    assert_int_equal(p[0], 0);
}

static void blocks_grow_in_place_or_move(void **state)
{
    (void)state;
    open_region(8);
    unsigned char *p = alloc_region.malloc(heap, 1);
    assert_int_equal(alloc_region.usable_size(heap, p), page);
    memset(p, 0x77, page);
    assert_ptr_equal(alloc_region.realloc(heap, p, 2 * page), p);
    unsigned char *wall = alloc_region.malloc(heap, 1);
    unsigned char *moved = alloc_region.realloc(heap, p, 3 * page);
    assert_ptr_equal(moved, wall + page);
    for (size_t i = 0; i < page; i++) assert_int_equal(moved[i], 0x77);
    assert_null(alloc_region.realloc(heap, moved, 7 * page));
    assert_ptr_equal(alloc_region.realloc(heap, moved, 1), moved);
    assert_int_equal(lender.mapped_bytes, 2 * page);
    alloc_region.free(heap, wall);
    alloc_region.free(heap, moved);
    assert_int_equal(lender.mapped_bytes, 0);
}

static void bad_frees_are_reported(void **state)
{
    (void)state;
    open_region(8);
    unsigned char *p = alloc_region.malloc(heap, 2 * page), *mapping = map(NULL, 1, PRIVATE_PAGES);
    void *const bad[] = {p + 1, p + page, mapping, heap};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        alloc_region.free(heap, bad[i]);
        assert_int_equal(lender.reports, i + 1);
        assert_int_equal(lender.report, REPORT_BAD_FREE);
    }
    alloc_region.free(heap, p);
    alloc_region.free(heap, p);
    assert_int_equal(lender.report, REPORT_DOUBLE_FREE);
    assert_int_equal(lender.mapped_bytes, page);
}

/* The page map of a large window lies in the window. */
static void large_windows_hold_their_own_map(void **state)
{
    (void)state;
    open_region(3 * 4096 + 1);
    unsigned char *top = lender.face.base + lender.face.size;
    size_t meta = lender.mapped_bytes;
    assert_true(meta > 0);
    assert_ptr_equal(map(top - page, 1, PRIVATE_PAGES | MAPPING_FIXED), MAPPING_FAILED);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(alloc_region.munmap(heap, top - page, page), -1);
    assert_null(alloc_region.malloc(heap, lender.face.size - meta + 1));
    assert_non_null(alloc_region.malloc(heap, lender.face.size - meta));
    assert_null(alloc_region.check(heap));
    assert_int_equal(alloc_region.reset(heap), 0);
    assert_int_equal(lender.mapped_bytes, meta);
}

static void alignments_above_a_page_are_kept(void **state)
{
    (void)state;
    open_region(64);
    for (size_t align = 1; align <= 16 * page; align *= 2) {
        void *p = alloc_region.aligned_alloc(heap, align, 10);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % align, 0);
    }
    assert_null(alloc_region.aligned_alloc(heap, 3 * page, 10));
    assert_int_equal(errno, EINVAL);
    assert_null(alloc_region.aligned_alloc(heap, SIZE_MAX / 2 + 1, 10));
    assert_null(alloc_region.check(heap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_chosen_first_fit),
        cmocka_unit_test(unmapping_the_middle_leaves_both_sides),
        cmocka_unit_test(fixed_replaces_and_noreplace_refuses),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(files_are_mapped_shared_and_private),
        cmocka_unit_test(refusals_of_the_backing_change_nothing),
        cmocka_unit_test(blocks_grow_in_place_or_move),
        cmocka_unit_test(bad_frees_are_reported),
        cmocka_unit_test(large_windows_hold_their_own_map),
        cmocka_unit_test(alignments_above_a_page_are_kept),
    };
    return cmocka_run_group_tests_name("region", tests, set_up, tear_down);
}
