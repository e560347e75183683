/* test_backing.c: what the harness lends: guards, ends, dirt, places, refusals, and the break's rules (A35-A39, A41);
 * and what the host makes of it (A49, A50). */
#include "backing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define FOUR_GIB (UINT64_C(1) << 32)

static struct lender lender;
static size_t page;

static int set_up(void **state)
{
    (void)state;
    lender_init(&lender);
    page = lender.face.page_bytes;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lender_close(&lender);
    return 0;
}

static void lend(struct lender_geometry geometry) { assert_int_equal(lender_fresh(&lender, &geometry), 0); }

static unsigned char *base(void) { return lender.face.base; }
static unsigned char *move(ptrdiff_t delta) { return lender.face.sbrk(&lender.face, delta); }
static int move_to(unsigned char *to) { return lender.face.brk(&lender.face, to); }

static const uint64_t sizes[] = {1, 2, 15, 4095, 4096, 4097, 8191, 65536 + 7, 64 * 4096, 64 * 4096 + 1, 1000003};
#define SIZES (sizeof sizes / sizeof *sizes)

/* ---- Ends ---------------------------------------------------------------------------------------------------------- */

static void both_guards_fault_and_the_upper_one_touches(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 4; flags++)
        for (size_t i = 0; i < SIZES; i++) {
            lend((struct lender_geometry){
                .kind = BACKING_REGION, .size = sizes[i], .low = flags & 1, .elsewhere = flags & 2});
            unsigned char *end = base() + lender.face.size, *first_page = base() - (uintptr_t)base() % page;
            assert_true(lender.face.size == sizes[i]);
            assert_int_equal((uintptr_t)end % page, 0);
            assert_true(lender_readable(base()) && lender_readable(end - 1));
            assert_false(lender_readable(end));
            assert_false(lender_readable(end + page - 1));
            assert_false(lender_readable(first_page - 1));
            base()[0] = end[-1] = 1; /* and they can be written */
        }
}

static void a_byte_beside_a_region_is_seen(void **state)
{
    (void)state;
    lend((struct lender_geometry){.kind = BACKING_REGION, .size = 1001, .seed = 1});
    assert_null(lender_strayed(&lender));
    base()[0] = base()[1000] = 1;
    assert_null(lender_strayed(&lender));
    base()[1001] ^= 1;
    assert_ptr_equal(lender_strayed(&lender), base() + 1001);
    base()[-1] ^= 1;
    assert_ptr_equal(lender_strayed(&lender), base() - 1);
    lend((struct lender_geometry){.kind = BACKING_REGION, .size = 1001, .seed = 1});
    assert_null(lender_strayed(&lender));
}

static void an_unfenced_break_is_accessible_to_its_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < SIZES; i++) {
        lend((struct lender_geometry){.kind = BACKING_BREAK, .size = sizes[i]});
        unsigned char *end = base() + sizes[i];
        assert_ptr_equal(move((ptrdiff_t)sizes[i]), base());
        assert_true(lender_readable(end - 1));
        assert_false(lender_readable(end));
        assert_ptr_equal(move(1), SBRK_FAILED);
    }
}

static void a_window_is_inaccessible_until_mapped(void **state)
{
    (void)state;
    lend((struct lender_geometry){.kind = BACKING_PAGES, .size = 5 * page - 1});
    struct backing *b = &lender.face;
    assert_int_equal(b->size, 5 * page);
    for (size_t i = 0; i <= 5; i++) assert_false(lender_readable(base() + i * page));
    assert_int_equal(b->map(b, base() + page, 2 * page, SOURCE_ANONYMOUS, 0, 0), 0);
    assert_false(lender_readable(base() + page - 1));
    assert_true(lender_readable(base() + page) && lender_readable(base() + 3 * page - 1));
    assert_false(lender_readable(base() + 3 * page));
    assert_int_equal(lender_footprint(&lender), 2 * page);
    assert_int_equal(b->map(b, base() + 4 * page, 2 * page, SOURCE_ANONYMOUS, 0, 0), EINVAL);
    assert_int_equal(b->unmap(b, base(), 5 * page), 0);
    assert_false(lender_readable(base() + page));
    assert_int_equal(lender_footprint(&lender), 0);
}

static void files_hold_what_they_should_and_are_made_fresh(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        lend((struct lender_geometry){.kind = BACKING_PAGES, .size = 8 * page});
        struct backing *b = &lender.face;
        for (unsigned file = 0; file < b->files; file++) {
            assert_int_equal(b->map(b, base(), 3 * page, SOURCE_FILE_SHARED, file, 0), 0);
            for (size_t i = 0; i < b->file_bytes && i < 3 * page; i++)
                assert_int_equal(base()[i], lender_file_byte(file, i));
            for (size_t i = b->file_bytes; i < 3 * page; i++) assert_int_equal(base()[i], 0);
            memset(base(), 0, b->file_bytes); /* gone when the lender is fresh again */
        }
    }
}

/* ---- Contents and places --------------------------------------------------------------------------------------------- */

static void dirt_is_as_asked_every_time(void **state)
{
    (void)state;
    const int plain[] = {[DIRT_ZERO] = 0, [DIRT_A5] = 0xA5, [DIRT_FF] = 0xFF};
    static unsigned char before[70000];
    for (size_t i = 0; i < SIZES; i++) {
        uint64_t size = sizes[i] < sizeof before ? sizes[i] : sizeof before;
        for (unsigned dirt = DIRT_ZERO; dirt <= DIRT_FF; dirt++) {
            lend((struct lender_geometry){.kind = BACKING_REGION, .size = size, .dirt = dirt});
            for (size_t at = 0; at < size; at++) assert_int_equal(base()[at], plain[dirt]);
            memset(base(), 0x11, size);
        }
        for (uint32_t seed = 1; seed <= 2; seed++) {
            struct lender_geometry random = {.kind = BACKING_REGION, .size = size, .dirt = DIRT_RANDOM, .seed = seed};
            lend(random);
            if (seed == 2 && size > 8) assert_memory_not_equal(before, base(), size);
            memcpy(before, base(), size);
            memset(base(), 0x22, size);
            lend(random);
            assert_memory_equal(before, base(), size);
        }
    }
}

static void the_two_places_do_not_meet(void **state)
{
    (void)state;
    const size_t size = 10000;
    uintptr_t at[4];
    for (unsigned i = 0; i < 4; i++) {
        lend((struct lender_geometry){.kind = BACKING_REGION, .size = size, .low = i & 1, .elsewhere = i & 2});
        at[i] = (uintptr_t)base();
        if (i & 1) assert_true((uint64_t)at[i] + size <= FOUR_GIB);
        if (!(i & 1) && sizeof(void *) > 4) assert_true((uint64_t)at[i] >= FOUR_GIB);
        for (unsigned k = 0; k < i; k++) assert_true(at[k] >= at[i] + size || at[i] >= at[k] + size);
        assert_int_equal(at[i] % page, at[0] % page);
    }
    lend((struct lender_geometry){.kind = BACKING_REGION, .size = size});
    assert_true((uintptr_t)base() == at[0]); /* the same place again */
}

static void more_than_four_gib_can_be_lent(void **state)
{
    (void)state;
    if (sizeof(void *) == 4) skip();
    const uint64_t size = FOUR_GIB + 12345;
    const enum backing_kind kinds[] = {BACKING_REGION, BACKING_BREAK};
    for (unsigned i = 0; i < 2; i++) {
        lend((struct lender_geometry){.kind = kinds[i], .size = size, .dirt = DIRT_A5});
        unsigned char *last = base() + size - 1;
        assert_true(lender_readable(last));
        assert_false(lender_readable(last + 1));
        assert_int_equal(*last, 0); /* too large to be soiled */
        *last = base()[FOUR_GIB] = 1;
        if (kinds[i] == BACKING_REGION) continue;
        assert_ptr_equal(move((ptrdiff_t)size), base());
        assert_true(lender_footprint(&lender) == size);
        assert_ptr_equal(move(-(ptrdiff_t)size), last + 1);
    }
}

static void what_no_host_has_is_refused(void **state)
{
    (void)state;
    const uint64_t bad[] = {0, UINT64_MAX, (uint64_t)PTRDIFF_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct lender_geometry geometry = {.kind = BACKING_REGION, .size = bad[i]};
        assert_int_equal(lender_fresh(&lender, &geometry), ENOMEM);
    }
    lend((struct lender_geometry){.kind = BACKING_REGION, .size = 100}); /* and the lender goes on */
}

/* ---- Requests ---------------------------------------------------------------------------------------------------------- */

static void the_nth_request_is_refused_once_and_counted(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 5; n++) {
        lend((struct lender_geometry){.kind = BACKING_BREAK, .size = 10000});
        lender.fail_at[0] = n;
        unsigned char *expected = base();
        for (uint64_t i = 1; i <= 6; i++) {
            errno = 0;
            unsigned char *old = i & 1 ? move(10) : move_to(expected + 10) ? SBRK_FAILED : expected;
            if (i == n) {
                assert_ptr_equal(old, SBRK_FAILED);
                assert_int_equal(errno, ENOMEM);
            } else {
                assert_ptr_equal(old, expected);
                expected += 10;
            }
            assert_ptr_equal(move(0), expected); /* a query is no request */
            assert_true(lender.requests == i);
        }
        assert_true(lender.refused == 1);
        assert_ptr_equal(lender_foreign_sbrk(&lender, 10), expected);
        assert_true(lender.requests == 6);
    }
    lend((struct lender_geometry){.kind = BACKING_PAGES, .size = 4 * page});
    struct backing *b = &lender.face;
    assert_true(lender.requests == 0 && lender.refused == 0 && lender.fail_at[0] == 0);
    lender.fail_at[0] = 2;
    assert_int_equal(b->map(b, base(), page, SOURCE_ANONYMOUS, 0, 0), 0);
    assert_int_equal(b->unmap(b, base(), page), ENOMEM);
    assert_true(lender_readable(base()));
    assert_int_equal(b->unmap(b, base(), page), 0);
    assert_true(lender.refused == 1);
}

static void reports_are_counted(void **state)
{
    (void)state;
    lend((struct lender_geometry){.kind = BACKING_REGION, .size = 100});
    lender.face.report(&lender.face, REPORT_DOUBLE_FREE, base() + 3);
    assert_int_equal(lender.reports, 1);
    assert_int_equal(lender.report, REPORT_DOUBLE_FREE);
    assert_ptr_equal(lender.report_where, base() + 3);
    lend((struct lender_geometry){.kind = BACKING_REGION, .size = 100});
    assert_int_equal(lender.reports, 0);
}

/* ---- The break (A35-A39, A41) ------------------------------------------------------------------------------------------- */

static void fenced_bytes_are_accessible_up_to_their_page_end(void **state) /* A35 */
{
    (void)state;
    const uint64_t size = 10 * page + 77;
    lend((struct lender_geometry){.kind = BACKING_BREAK, .size = size, .fence_pages = true});
    const ptrdiff_t moves[] = {1, 76, 1, 4095, 1, 8192, -1, -8193, 20000, -19999, -100, 40900, -3};
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        unsigned char *old = move(0);
        ptrdiff_t now = old - base() + moves[i];
        bool fits = now >= 0 && (uint64_t)now <= size;
        assert_ptr_equal(move(moves[i]), fits ? old : SBRK_FAILED);
        unsigned char *brk = move(0), *end = brk + (-(uintptr_t)brk & (page - 1));
        if (brk > base()) assert_true(lender_readable(base()) && lender_readable(brk - 1));
        if (end > base()) assert_true(lender_readable(end - 1));
        assert_false(lender_readable(end));
        assert_false(lender_readable(base() + size - 1) && end < base() + size);
    }
    lend((struct lender_geometry){.kind = BACKING_BREAK, .size = size}); /* the fence goes with the lender */
    assert_true(lender_readable(base() + size - 1));
}

static void the_previous_break_is_returned(void **state) /* A36 */
{
    (void)state;
    lend((struct lender_geometry){.kind = BACKING_BREAK, .size = 9999});
    assert_ptr_equal(move(0), base());
    assert_ptr_equal(move(100), base());
    assert_ptr_equal(move(-40), base() + 100);
    assert_ptr_equal(move(9939), base() + 60);
    assert_ptr_equal(move(0), base() + 9999);
}

static void outside_the_limits_nothing_changes(void **state) /* A37, A38 */
{
    (void)state;
    lend((struct lender_geometry){.kind = BACKING_BREAK, .size = 9999});
    move(100);
    const ptrdiff_t bad[] = {-101, 9900, PTRDIFF_MAX, PTRDIFF_MIN, PTRDIFF_MIN + 1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_ptr_equal(move(bad[i]), SBRK_FAILED);
        assert_int_equal(errno, ENOMEM);
        assert_ptr_equal(move(0), base() + 100);
    }
    unsigned char *const targets[] = {base() - 1, base() + 10000, NULL, (unsigned char *)UINTPTR_MAX};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        errno = 0;
        assert_int_equal(move_to(targets[i]), -1);
        assert_int_equal(errno, ENOMEM);
        assert_ptr_equal(move(0), base() + 100);
    }
    assert_int_equal(move_to(base() + 9999), 0);
    assert_ptr_equal(move(0), base() + 9999);
    assert_int_equal(move_to(base()), 0);
    assert_true(lender_footprint(&lender) == 0);
}

static void regrown_pages_are_zero_and_kept_ones_keep(void **state) /* A39 */
{
    (void)state;
    for (unsigned fenced = 0; fenced < 2; fenced++) {
        const uint64_t size = 6 * page + 13;
        lend((struct lender_geometry){.kind = BACKING_BREAK, .size = size, .fence_pages = fenced});
        move((ptrdiff_t)size);
        for (size_t i = 0; i < size; i++) assert_int_equal(base()[i], 0);
        memset(base(), 0x5a, size);
        unsigned char *low = base() + page + 100, *kept_end = low + (-(uintptr_t)low & (page - 1));
        move_to(low);
        move_to(base() + size);
        for (unsigned char *p = base(); p < base() + size; p++) assert_int_equal(*p, p < kept_end ? 0x5a : 0);
    }
}

static void the_process_break_is_left_alone(void **state) /* A41 */
{
    (void)state;
    void *before = sbrk(0);
    lend((struct lender_geometry){.kind = BACKING_BREAK, .size = 1000000});
    move(999999);
    lender_foreign_sbrk(&lender, 1);
    move(-500000);
    lender_close(&lender);
    assert_ptr_equal(sbrk(0), before);
}

/* ---- The host (A49, A50) --------------------------------------------------------------------------------------------------- */

static unsigned mappings(void)
{
    unsigned lines = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    for (int c; (c = getc(maps)) != EOF;) lines += c == '\n';
    fclose(maps);
    return lines;
}

static void the_host_allows_a_window_full_of_mappings(void **state) /* A49 */
{
    (void)state;
    long limit = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    if (!file) skip();
    assert_int_equal(fscanf(file, "%ld", &limit), 1);
    fclose(file);
    assert_true(limit >= 4096); /* every other page of the largest window that the swarm form lends, many times over */
}

static void neighbours_merge_into_one_mapping(void **state) /* A49 */
{
    (void)state;
    enum { PAGES = 64 };
    lend((struct lender_geometry){.kind = BACKING_PAGES, .size = PAGES * page});
    struct backing *b = &lender.face;
    mappings(); /* stdio has its buffers from here on */
    unsigned empty = mappings();
    for (size_t i = 0; i < PAGES; i += 2)
        assert_int_equal(b->map(b, base() + i * page, page, SOURCE_ANONYMOUS, 0, 0), 0);
    assert_true(mappings() >= empty + PAGES / 2); /* isolated ones do not */
    for (size_t i = 1; i < PAGES; i += 2)
        assert_int_equal(b->map(b, base() + i * page, page, SOURCE_ANONYMOUS, 0, 0), 0);
    assert_true(mappings() <= empty + 4);
    for (size_t i = 0; i < PAGES; i++) assert_int_equal(b->unmap(b, base() + i * page, page), 0);
    assert_true(mappings() <= empty + 4);
}

static size_t resident_pages(unsigned char *at, size_t pages)
{
    static unsigned char there[1024];
    size_t count = 0;
    assert_true(pages <= sizeof there);
    assert_int_equal(mincore(at, pages * page, there), 0);
    for (size_t i = 0; i < pages; i++) count += there[i] & 1;
    return count;
}

static void memory_lent_costs_no_page_before_it_is_touched(void **state) /* A50 */
{
    (void)state;
    enum { PAGES = 512 };
    const enum backing_kind kinds[] = {BACKING_REGION, BACKING_BREAK, BACKING_PAGES};
    for (unsigned round = 0; round < 2; round++) /* and again when it has been used */
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            lend((struct lender_geometry){.kind = kinds[i], .size = PAGES * page});
            struct backing *b = &lender.face;
            if (kinds[i] == BACKING_BREAK) move((ptrdiff_t)(PAGES * page));
            if (kinds[i] == BACKING_PAGES) assert_int_equal(b->map(b, base(), PAGES * page, SOURCE_ANONYMOUS, 0, 0), 0);
            assert_int_equal(resident_pages(base(), PAGES), 0);
            base()[3 * page] = base()[7 * page] = 1;
            assert_true(resident_pages(base(), PAGES) >= 2);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_guards_fault_and_the_upper_one_touches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_byte_beside_a_region_is_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unfenced_break_is_accessible_to_its_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_window_is_inaccessible_until_mapped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_hold_what_they_should_and_are_made_fresh, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dirt_is_as_asked_every_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_two_places_do_not_meet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_than_four_gib_can_be_lent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_no_host_has_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_nth_request_is_refused_once_and_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reports_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fenced_bytes_are_accessible_up_to_their_page_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_previous_break_is_returned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(outside_the_limits_nothing_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(regrown_pages_are_zero_and_kept_ones_keep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_process_break_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_host_allows_a_window_full_of_mappings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(neighbours_merge_into_one_mapping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_lent_costs_no_page_before_it_is_touched, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("backing", tests, NULL, NULL);
}
