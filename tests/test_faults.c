/* Unit tests of faults.h: which runs are made of a program, in which order, and what is left out and counted; and that the
 * course which they go by sees what was lost. */
#include "exec.h"
#include "faults.h"

#include "builtin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct faults faults;
static struct faults_counters counters;
static struct program program;

#define RUNS_MAX 4096u

/* A heap that makes `requests` requests, and `after` more when one fails; the runs that it saw. */
static struct heap {
    uint64_t requests, more_after_failure;
    uint32_t breaks_first, breaks_second; /* the run in which a rule breaks; 0: none */
    uint32_t count;
    struct heap_geometry seen[RUNS_MAX];
} heap;

static bool run(void *context, const struct program *p, uint64_t *requests)
{
    assert_ptr_equal(context, &heap);
    assert_true(heap.count < RUNS_MAX);
    heap.seen[heap.count++] = p->heap;
    *requests = heap.requests + (p->heap.course == COURSE_RECOVER ? heap.more_after_failure : 0);
    return !(heap.breaks_first && p->heap.fail == heap.breaks_first && p->heap.fail_also == heap.breaks_second);
}

static bool go(enum faults_how how, uint32_t ones_max, uint32_t pairs_max)
{
    faults.how = how;
    faults.budget = (struct faults_budget){ones_max, pairs_max};
    faults.run = run;
    faults.context = &heap;
    faults.counters = &counters;
    return faults_everywhere(&faults, &program);
}

static int fresh(void **state)
{
    (void)state;
    memset(&heap, 0, sizeof heap);
    memset(&counters, 0, sizeof counters);
    program_clear(&program);
    program.heap.course = COURSE_TWIN;
    return 0;
}

static void every_request_fails_once(void **state)
{
    (void)state;
    const struct heap_geometry before = program.heap;
    heap.requests = 5;
    assert_true(go(FAULTS_ONE, 512, 64));
    assert_int_equal(heap.count, 6);
    assert_int_equal(heap.seen[0].fail, 0);
    assert_int_equal(heap.seen[0].course, COURSE_PLAIN);
    for (uint32_t i = 1; i < 6; i++) {
        assert_int_equal(heap.seen[i].fail, i);
        assert_int_equal(heap.seen[i].fail_also, 0);
        assert_int_equal(heap.seen[i].course, COURSE_RECOVER);
    }
    assert_true(counters.requests == 5 && counters.ones == 5 && counters.pairs == 0);
    assert_true(counters.ones_left_out == 0 && counters.pairs_left_out == 0);
    assert_true(program.heap.course == before.course && program.heap.fail == 0);
}

static void pairs_go_by_distance(void **state)
{
    static const uint32_t expected[][2] = {{1, 2}, {2, 3}, {3, 4}, {1, 3}, {2, 4}, {1, 4}};
    (void)state;
    heap.requests = 4;
    assert_true(go(FAULTS_PAIRS, 512, 64));
    assert_int_equal(heap.count, 1 + 4 + 6);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(heap.seen[5 + i].fail, expected[i][0]);
        assert_int_equal(heap.seen[5 + i].fail_also, expected[i][1]);
    }
    assert_true(counters.pairs == 6 && counters.pairs_left_out == 0);
}

static void requests_that_only_a_failure_brings_fail_too(void **state)
{
    (void)state;
    heap.requests = 1;
    heap.more_after_failure = 2;
    assert_true(go(FAULTS_PAIRS, 512, 64));
    assert_int_equal(heap.count, 1 + 1 + 2);
    assert_int_equal(heap.seen[3].fail, 1);
    assert_int_equal(heap.seen[3].fail_also, 3);
}

static void what_is_beyond_the_budget_is_counted(void **state)
{
    (void)state;
    heap.requests = 100;
    assert_true(go(FAULTS_PAIRS, 10, 4));
    assert_true(counters.ones == 10 && counters.ones_left_out == 90);
    for (uint32_t i = 0; i < 10; i++) assert_int_equal(heap.seen[1 + i].fail, 1 + 10 * i); /* spread evenly */
    assert_int_equal(counters.pairs, 4);
    /* With the i-th of those failing, 100 - (1 + 10 i) others could have failed as well. */
    assert_true(counters.pairs + counters.pairs_left_out == 10 * 99 - 10 * 45);
}

static void the_program_that_broke_a_rule_is_kept(void **state)
{
    (void)state;
    heap.requests = 6;
    heap.breaks_first = 2;
    heap.breaks_second = 4;
    assert_false(go(FAULTS_PAIRS, 512, 64));
    assert_int_equal(program.heap.fail, 2);
    assert_int_equal(program.heap.fail_also, 4);
    assert_int_equal(program.heap.course, COURSE_RECOVER);
}

static void nothing_fails_where_nothing_is_asked_for(void **state)
{
    (void)state;
    assert_true(go(FAULTS_PAIRS, 512, 64));
    assert_int_equal(heap.count, 1);
    assert_true(counters.requests == 0 && counters.ones == 0 && counters.pairs == 0);
}

/* ---- On an allocator ---------------------------------------------------------------------------------------------------- */

static struct exec_counters done;

static struct exec *opened(const struct alloc_ops *ops)
{
    const struct exec_options options = {.ops = ops, .contract = ops->contract, .counters = &done};
    struct exec *x = exec_open(&options);
    assert_non_null(x);
    return x;
}

static void parse(const char *text)
{
    struct parse_error error;
    if (!program_parse(&program, text, strlen(text), &error)) fail_msg("%s", error.message);
}

static void requests_are_numbered_on_every_kind_of_backing(void **state)
{
    static const struct {
        const struct alloc_ops *ops;
        const char *text;
    } rows[] = {
        {&alloc_freelist, "assay 1\np0..p9 = malloc 400\nfree p0..p9\n"},
        {&alloc_region, "assay 1\nheap size=65536\np0..p3 = malloc 400\nfree p0..p3\n"},
        {&alloc_vmalloc, "assay 1\nheap size=8192 machine=s4\np0 = vmalloc 9000\nvfree p0\n"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct verdict verdict;
        struct exec *x = opened(rows[i].ops);
        parse(rows[i].text);
        exec_run(x, &program, &verdict);
        assert_int_equal(verdict.kind, VERDICT_PASS);
        const uint64_t requests = exec_requests(x);
        assert_true(requests > 0);
        program.heap.course = COURSE_RECOVER;
        for (uint32_t n = 1; n <= requests; n++) {
            program.heap.fail = n;
            exec_run(x, &program, &verdict);
            assert_int_equal(verdict.kind, VERDICT_PASS);
        }
        exec_close(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_request_fails_once, fresh),
        cmocka_unit_test_setup(pairs_go_by_distance, fresh),
        cmocka_unit_test_setup(requests_that_only_a_failure_brings_fail_too, fresh),
        cmocka_unit_test_setup(what_is_beyond_the_budget_is_counted, fresh),
        cmocka_unit_test_setup(the_program_that_broke_a_rule_is_kept, fresh),
        cmocka_unit_test_setup(nothing_fails_where_nothing_is_asked_for, fresh),
        cmocka_unit_test_setup(requests_are_numbered_on_every_kind_of_backing, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
