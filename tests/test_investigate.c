/* test_investigate.c: from a failing program to the smallest one, in processes of its own: to the end, and within a bound. */
#include "campaign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BLOCKS 100u

static struct target target;
static struct finding *finding;

/* Blocks are made and the first ones freed, each by an operation of its own: far more than it takes for a free that
 * scribbles over another block. */
static void find(uint64_t effort_max)
{
    const struct child_limits limits = {.timeout = 5, .effort_max = effort_max};
    static char text[64 * BLOCKS], error[1024];
    struct parse_error where;
    int length = snprintf(text, sizeof text, "assay 1\nheap size=65536\n");
    for (unsigned i = 0; i < BLOCKS; i++) length += snprintf(text + length, 32, "p%u = malloc %u\n", i, 24 + i);
    for (unsigned i = 0; i < BLOCKS; i++) length += snprintf(text + length, 32, "free p%u\n", i);
    assert_int_equal(target_resolve(&target, "broken/free_scribbles", NULL, NULL, error, sizeof error), 0);
    memset(finding, 0, sizeof *finding);
    assert_true(program_parse(&finding->program, text, (size_t)length, &where));
    assert_true(campaign_minimise(&target, &limits, NULL, finding));
    assert_int_equal(finding->verdict.kind, VERDICT_FAIL);
    assert_int_equal(finding->verdict.rule, RULE_C10);
    assert_int_equal(finding->original_ops, 2 * BLOCKS);
    assert_int_equal(finding->repeated, finding->repeats); /* what is left still fails */
    assert_true(finding->minimised);
}

static void to_the_end_if_that_is_near(void **state)
{
    (void)state;
    find(0);
    assert_false(finding->cut_short);
    assert_true(finding->program.op_count <= 3);
}

static void no_further_than_the_bound(void **state)
{
    (void)state;
    uint32_t before = 2 * BLOCKS;
    bool reached = false;
    for (uint64_t effort = 1; effort < UINT64_C(1) << 40 && !reached; effort *= 16) {
        find(effort);
        assert_true(finding->program.op_count <= before); /* the smallest so far */
        before = finding->program.op_count;
        reached = !finding->cut_short;
        if (effort == 1) assert_true(finding->cut_short && before > 3);
    }
    assert_true(reached && before <= 3);
}

static void the_same_every_time(void **state)
{
    (void)state;
    static struct program first;
    find(20000);
    assert_true(finding->cut_short);
    first = finding->program;
    find(20000);
    assert_true(program_equal(&first, &finding->program));
}

static int set_up(void **state)
{
    (void)state;
    finding = calloc(1, sizeof *finding);
    return finding ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(finding);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_the_end_if_that_is_near),
        cmocka_unit_test(no_further_than_the_bound),
        cmocka_unit_test(the_same_every_time),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
