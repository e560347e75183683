/* test_area_model.c: the pages of the vmalloc window, as events tell of them (B90, B96-B99, B104). */
#include "area_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define WINDOW 96u
#define TABLE 32u

static int make(void **state)
{
    struct area_model *m = calloc(1, sizeof *m);
    *state = m;
    if (!m) return -1;
    area_model_fresh(m, WINDOW, TABLE);
    return 0;
}

static int destroy(void **state)
{
    free(*state);
    return 0;
}

static void a_fresh_window_is_one_run(void **state)
{
    struct area_model *m = *state;
    assert_int_equal(area_model_longest(m, false), WINDOW);
    assert_int_equal(area_model_busy(m), 0);
    assert_int_equal(m->runs, 0);
}

static void an_area_takes_its_guard_out_of_what_is_free(void **state)
{
    struct area_model *m = *state;
    area_model_map(m, 0, 4);
    area_model_map(m, 10, 2);
    assert_int_equal(area_model_busy(m), 6);
    assert_int_equal(m->runs, 2);
    assert_int_equal(area_model_longest(m, false), WINDOW - 13);
    assert_true(area_model_mapped(m, 3));
    assert_false(area_model_mapped(m, 4));
    assert_false(area_model_mapped(m, WINDOW));
}

static void what_is_mapped_page_by_page_is_one_run(void **state)
{
    struct area_model *m = *state;
    area_model_map(m, 5, 1);
    area_model_map(m, 7, 1);
    assert_int_equal(m->runs, 2);
    area_model_map(m, 6, 1);
    assert_int_equal(m->runs, 1);
    area_model_unmap(m, 6, 1);
    assert_int_equal(m->runs, 2);
}

static void what_is_unmapped_is_lazy_with_its_guard_until_the_flush(void **state)
{
    struct area_model *m = *state;
    area_model_map(m, 0, 4);
    area_model_unmap(m, 0, 4);
    assert_int_equal(m->count[AREA_LAZY], 5);
    assert_int_equal(m->runs, 0);
    assert_int_equal(area_model_longest(m, false), WINDOW - 5);
    assert_int_equal(area_model_longest(m, true), WINDOW);
    area_model_flush(m);
    assert_int_equal(m->count[AREA_LAZY], 0);
    assert_int_equal(area_model_longest(m, false), WINDOW);
}

static void the_last_page_of_the_window_needs_no_guard_inside_it(void **state)
{
    struct area_model *m = *state;
    area_model_map(m, WINDOW - 2, 8);
    assert_int_equal(area_model_busy(m), 2);
    area_model_unmap(m, WINDOW - 2, 2);
    assert_int_equal(m->count[AREA_LAZY], 2);
    area_model_map(m, WINDOW, 1);
    area_model_unmap(m, WINDOW + 7, 1);
    assert_int_equal(area_model_busy(m), 0);
}

static void a_page_mapped_before_the_flush_is_stale(void **state)
{
    struct area_model *m = *state;
    area_model_map(m, 8, 4);
    area_model_unmap(m, 8, 4);
    area_model_map(m, 6, 4);
    assert_int_equal(area_model_stale(m, 6, 4), 8);
    assert_int_equal(area_model_busy(m), 4);
    area_model_flush(m);
    assert_int_equal(area_model_stale(m, 6, 4), 10);
    assert_int_equal(area_model_busy(m), 4);
}

static void a_page_table_without_a_mapped_page_is_noticed(void **state)
{
    struct area_model *m = *state;
    assert_true(area_model_tables_used(m));
    area_model_table(m, 1);
    area_model_map(m, TABLE, 1);
    assert_true(area_model_tables_used(m));
    area_model_table(m, 2);
    assert_false(area_model_tables_used(m));
}

static void fresh_again_nothing_is_left(void **state)
{
    struct area_model *m = *state;
    area_model_map(m, 3, 70);
    area_model_unmap(m, 20, 4);
    area_model_fresh(m, WINDOW / 2, TABLE);
    assert_int_equal(area_model_longest(m, false), WINDOW / 2);
    assert_int_equal(m->runs + area_model_busy(m) + m->count[AREA_LAZY], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fresh_window_is_one_run, make, destroy),
        cmocka_unit_test_setup_teardown(an_area_takes_its_guard_out_of_what_is_free, make, destroy),
        cmocka_unit_test_setup_teardown(what_is_mapped_page_by_page_is_one_run, make, destroy),
        cmocka_unit_test_setup_teardown(what_is_unmapped_is_lazy_with_its_guard_until_the_flush, make, destroy),
        cmocka_unit_test_setup_teardown(the_last_page_of_the_window_needs_no_guard_inside_it, make, destroy),
        cmocka_unit_test_setup_teardown(a_page_mapped_before_the_flush_is_stale, make, destroy),
        cmocka_unit_test_setup_teardown(a_page_table_without_a_mapped_page_is_noticed, make, destroy),
        cmocka_unit_test_setup_teardown(fresh_again_nothing_is_left, make, destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
