/* test_difference.c: what counts as a difference, and what as a disagreement, on logs written by hand; and what an observer
 * notes of a run. */
#include "difference.h"

#include "builtin.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Two or three allocators with logs by hand ------------------------------------------------------------------------- */

#define CALLS_MAX 8u

static struct alloc_contract contracts[3];
static unsigned offered[3][4];
static struct party parties[3];
static struct observed programs[3];
static struct observation calls[3][CALLS_MAX];
static struct difference difference;
static struct disagreement found[4];

/* They offer everything and promise to report bad frees; their memory is a region. */
static int set_up(void **state)
{
    static const char *const names[] = {"one", "two", "three"};
    (void)state;
    memset(programs, 0, sizeof programs);
    memset(calls, 0, sizeof calls);
    for (unsigned i = 0; i < 3; i++) {
        contracts[i] = (struct alloc_contract){.backing = BACKING_REGION, .promises = PROMISE_DETECTS_BAD_FREE};
        memset(offered[i], 0xff, sizeof offered[i]);
        programs[i] = (struct observed){.verdict = VERDICT_PASS, .heap_bytes = 1000, .live_refused = OFFSET_NONE};
        parties[i] = (struct party){.name = names[i], .contract = &contracts[i], .offered = offered[i], .same = i};
    }
    return 0;
}

static struct observation *note(unsigned i, uint32_t call, enum op_kind kind, enum result_class result)
{
    assert_true(programs[i].count < CALLS_MAX);
    struct observation *o = &calls[i][programs[i].count++];
    *o = (struct observation){
        .call = call, .op = (uint16_t)call, .kind = (uint8_t)kind, .result = (uint8_t)result, .offset = OFFSET_NONE};
    return o;
}

static struct observation *granted(unsigned i, uint32_t call, uint64_t size, uint64_t usable)
{
    struct observation *o = note(i, call, OP_MALLOC, RESULT_PTR);
    o->size = size;
    o->usable = usable;
    o->detail = 4;
    return o;
}

static struct observation *refused(unsigned i, uint32_t call, uint64_t size)
{
    struct observation *o = note(i, call, OP_MALLOC, RESULT_NULL);
    o->size = size;
    o->detail = ENOMEM;
    return o;
}

static unsigned compare(unsigned count)
{
    struct observed_run runs[3];
    for (unsigned i = 0; i < count; i++) runs[i] = (struct observed_run){.program = &programs[i], .calls = calls[i]};
    difference_begin(&difference, parties, count);
    return difference_add(&difference, runs, found, 4);
}

static void sums_are_of_calls_asked_of_all(void **state)
{
    (void)state;
    granted(0, 0, 24, 24);
    granted(1, 0, 24, 32);
    granted(0, 1, 100, 104); /* the others were asked for another size, as usable(p0)+1 may be */
    granted(1, 1, 101, 112);
    granted(0, 2, 2000, 2000);
    granted(1, 3, 2000, 4096); /* nobody else made this call */
    assert_int_equal(compare(2), 0);
    assert_int_equal(difference.programs, 1);
    assert_int_equal(difference.calls, 1);
    assert_int_equal(difference.asked[USABLE_64], 24);
    assert_int_equal(difference.choices[0].usable[USABLE_64], 24);
    assert_int_equal(difference.choices[1].usable[USABLE_64], 32);
    assert_int_equal(difference.asked[USABLE_1K], 0);
    assert_int_equal(difference.usable.bytes, 24);
    assert_int_equal(difference.usable.usable[1], 32);
    assert_int_equal(difference.choices[0].align_least[ALIGN_FROM_16], 4);
}

static void refusals_count_where_another_grants(void **state)
{
    (void)state;
    granted(0, 0, 500, 500);
    refused(1, 0, 500);
    refused(0, 1, 900);
    refused(1, 1, 900);
    granted(0, 2, 40, 48);
    refused(1, 2, 40)->detail = 0;
    programs[1].live_refused = 250;
    assert_int_equal(compare(2), 0);
    assert_int_equal(difference.requests, 3);
    assert_int_equal(difference.choices[0].refused, 0);
    assert_int_equal(difference.choices[1].refused, 2);
    assert_int_equal(difference.choices[1].refused_least, 40);
    assert_int_equal(difference.choices[1].refusals, 3);
    assert_int_equal(difference.choices[1].refusals_enomem, 2);
    assert_int_equal(difference.choices[1].full, 1);
    assert_int_equal(difference.choices[1].full_permille, 250);
}

static void resizes_zero_sizes_and_huge_requests(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct observation *o = note(i, 0, OP_REALLOC, RESULT_PTR);
        o->size = 200;
        o->size2 = 100;
        o->move = i ? MOVE_AWAY : MOVE_STAYED;
        o = note(i, 1, OP_REALLOC, RESULT_PTR);
        o->size = 20;
        o->size2 = 200;
        o->move = MOVE_STAYED;
        note(i, 2, OP_MALLOC, i ? RESULT_NULL : RESULT_PTR);
        note(i, 3, OP_ALIGNED_ALLOC, RESULT_PTR)->size2 = 64;
        note(i, 4, OP_MALLOC, i ? RESULT_PTR : RESULT_NULL)->size = HUGE_REQUEST;
    }
    assert_int_equal(compare(2), 0);
    assert_int_equal(difference.grown, 1);
    assert_int_equal(difference.shrunk, 1);
    assert_int_equal(difference.choices[0].grown_in_place, 1);
    assert_int_equal(difference.choices[1].grown_in_place, 0);
    assert_int_equal(difference.choices[1].shrunk_in_place, 1);
    assert_int_equal(difference.zero[ZERO_MALLOC], 1);
    assert_int_equal(difference.choices[0].zero_blocks[ZERO_MALLOC], 1);
    assert_int_equal(difference.choices[1].zero_blocks[ZERO_MALLOC], 0);
    assert_int_equal(difference.zero[ZERO_ALIGNED], 1);
    assert_int_equal(difference.huge, 1);
    assert_int_equal(difference.choices[1].huge_granted, 1);
    assert_int_equal(difference.choices[1].huge_largest, HUGE_REQUEST);
    assert_int_equal(difference.choices[0].refused, 0); /* a huge request counts as one, and no more */
}

static void programs_that_break_a_rule_are_left_out(void **state)
{
    (void)state;
    granted(0, 0, 24, 24);
    programs[1].verdict = VERDICT_FAIL;
    assert_int_equal(compare(2), 0);
    assert_int_equal(difference.programs, 0);
    assert_int_equal(difference.left_out, 1);
    assert_int_equal(difference.calls, 0);
    assert_int_equal(difference.checked, 0);
}

static void a_log_that_was_cut_ends_the_comparison(void **state)
{
    (void)state;
    granted(0, 0, 24, 24);
    granted(0, 1, 24, 24);
    granted(1, 0, 24, 24);
    programs[0].cut = programs[1].cut = true;
    assert_int_equal(compare(2), 0); /* call 1 was not made to `two`, or was not noted any more */
    assert_int_equal(difference.cut, 1);
    assert_int_equal(difference.calls, 1);
}

/* ---- Disagreements ----------------------------------------------------------------------------------------------------- */

static void the_same_calls_are_made_to_both(void **state)
{
    (void)state;
    granted(0, 0, 24, 24);
    granted(1, 0, 24, 32);
    note(0, 1, OP_FREE, RESULT_VOID);
    assert_int_equal(compare(2), 1);
    assert_int_equal(found[0].one, 0);
    assert_int_equal(found[0].other, 1);
    assert_int_equal(found[0].verdict.rule, RULE_DIFFER);
    assert_int_equal(found[0].verdict.op, 1);
    assert_string_equal(found[0].verdict.seen, "one: nothing; two: no call");
    assert_int_equal(difference.checked, 2);
}

static void what_is_not_asked_of_both_is_no_disagreement(void **state)
{
    (void)state;
    note(0, 0, OP_CALLOC, RESULT_PTR);
    offered[1][0] &= ~(1u << OP_CALLOC);
    assert_int_equal(compare(2), 0);
    offered[1][0] = ~0u;
    assert_int_equal(compare(2), 1);
    contracts[1].realloc_zero = REALLOC_ZERO_FREES;
    assert_int_equal(compare(2), 0);
    contracts[1].realloc_zero = contracts[0].realloc_zero;
    contracts[1].backing = BACKING_HOST; /* of which less is asked */
    assert_int_equal(compare(2), 0);
}

static void nothing_is_demanded_after_a_legal_difference(void **state)
{
    (void)state;
    granted(0, 0, 24, 24);
    refused(1, 0, 24);
    note(0, 1, OP_FREE, RESULT_VOID);
    note(0, 2, OP_INTERIOR_FREE, RESULT_REPORT)->detail = REPORT_BAD_FREE;
    note(1, 2, OP_INTERIOR_FREE, RESULT_REPORT)->detail = REPORT_DOUBLE_FREE;
    assert_int_equal(compare(2), 0);
    assert_int_equal(difference.checked, 1);
}

static void one_error_has_one_report(void **state)
{
    (void)state;
    note(0, 0, OP_FOREIGN_FREE, RESULT_REPORT)->detail = REPORT_BAD_FREE;
    note(1, 0, OP_FOREIGN_FREE, RESULT_REPORT)->detail = REPORT_DOUBLE_FREE;
    assert_int_equal(compare(2), 1);
    assert_string_equal(found[0].verdict.seen, "one: BAD_FREE; two: DOUBLE_FREE");
    contracts[0].promises = 0;
    assert_int_equal(compare(2), 0);
    contracts[0].promises = PROMISE_DETECTS_BAD_FREE;
    /* A block freed twice may lie inside a larger free one by now: either report is right. */
    calls[0][0].kind = calls[1][0].kind = OP_DOUBLE_FREE;
    assert_int_equal(compare(2), 0);
}

static void every_pair_that_disagrees_is_told_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned call = 0; call < 2; call++)
            note(i, call, OP_INTERIOR_FREE, RESULT_REPORT)->detail = i == 1 ? REPORT_DOUBLE_FREE : REPORT_BAD_FREE;
    assert_int_equal(compare(3), 2);
    assert_int_equal(found[0].one, 0);
    assert_int_equal(found[0].other, 1);
    assert_int_equal(found[1].one, 1);
    assert_int_equal(found[1].other, 2);
}

/* The same allocator twice. */
static void twins_differ_in_nothing(void **state)
{
    (void)state;
    granted(0, 0, 24, 24)->offset = 16;
    granted(1, 0, 24, 24)->offset = 32;
    assert_int_equal(compare(2), 0);
    parties[1].same = 0;
    assert_int_equal(compare(2), 0);
    contracts[0].promises = contracts[1].promises = PROMISE_DETERMINISTIC;
    assert_int_equal(compare(2), 1);
    assert_string_equal(found[0].verdict.seen, "offset 16 in one process, 32 in the other");
    calls[1][0].offset = 16;
    calls[1][0].detail = 12; /* of the address, which is another one in each process */
    assert_int_equal(compare(2), 0);
    calls[1][0].usable = 32;
    assert_int_equal(compare(2), 1);
    /* An alignment that sees more of an address than its place in the page. */
    for (unsigned i = 0; i < 2; i++) {
        calls[i][0].kind = OP_MEMALIGN;
        calls[i][0].size2 = 8192;
    }
    assert_int_equal(compare(2), 0);
}

/* ---- What is observed ---------------------------------------------------------------------------------------------------- */

static struct observation_log *log_of(struct program *p, const char *text)
{
    static struct exec_counters counters;
    static struct observer observer;
    struct parse_error wrong;
    struct verdict verdict;
    struct observation_log *log = calloc(1, sizeof *log);
    assert_non_null(log);
    observer.log = log;
    struct exec_options options = {
        .ops = &alloc_freelist, .contract = alloc_freelist.contract, .counters = &counters, .observer = &observer};
    assert_true(program_parse(p, text, strlen(text), &wrong));
    struct exec *x = exec_open(&options);
    assert_non_null(x);
    observe_begin(&observer);
    exec_run(x, p, &verdict);
    observe_end(&observer, verdict.kind);
    exec_close(x);
    assert_int_equal(verdict.kind, VERDICT_PASS);
    assert_int_equal(log->program[0].verdict, VERDICT_PASS);
    return log;
}

static void calls_of_the_first_round_are_noted(void **state)
{
    static struct program p;
    (void)state;
    struct observation_log *log = log_of(&p, "assay 1\n"
                                             "heap size=4096 course=twin\n"
                                             "p0 = malloc 24\n"
                                             "free p5\n"
                                             "p1..p3 = calloc 2 8\n"
                                             "realloc p0 100\n"
                                             "p4 = aligned_alloc 64 10\n"
                                             "p6 = malloc 100000\n"
                                             "free p0\n");
    const struct observation *c = log->calls;
    assert_int_equal(log->programs, 1);
    assert_int_equal(log->program[0].count, 8); /* the free of nothing is no call */
    assert_int_equal(c[0].call, 0);
    assert_int_equal(c[0].kind, OP_MALLOC);
    assert_int_equal(c[0].size, 24);
    assert_true(c[0].usable >= 24);
    assert_int_equal(c[0].result, RESULT_PTR);
    assert_int_equal(c[1].call, 2);
    assert_int_equal(c[1].size, 16);
    assert_int_equal(c[3].call, 4);
    assert_int_equal(c[3].step, 2);
    assert_int_equal(c[4].kind, OP_REALLOC);
    assert_int_equal(c[4].size, 100);
    assert_int_equal(c[4].size2, 24);
    assert_int_not_equal(c[4].move, MOVE_NONE);
    assert_int_equal(c[5].size2, 64);
    assert_true(c[5].detail >= 6);
    assert_int_equal(c[6].result, RESULT_NULL);
    assert_int_equal(c[6].detail, ENOMEM);
    assert_int_equal(c[7].kind, OP_FREE);
    assert_int_equal(log->program[0].heap_bytes, 4096);
    assert_true(log->program[0].live >= 100 + 48 + 10);
    assert_true(log->program[0].taken >= log->program[0].live);
    assert_int_equal(log->program[0].live_refused, OFFSET_NONE); /* it would not have fitted the empty heap either */
    free(log);
}

static void the_first_refusal_of_what_fits(void **state)
{
    static struct program p;
    (void)state;
    struct observation_log *log = log_of(&p, "assay 1\nheap size=1024\np0 = malloc 600\np1 = malloc 600\n");
    assert_int_equal(log->program[0].live_refused, 600);
    free(log);
}

static void requests_in_bytes(void **state)
{
    uint64_t bytes;
    (void)state;
    assert_true(observe_request(OP_CALLOC, 3, 5, 4096, &bytes));
    assert_int_equal(bytes, 15);
    assert_true(observe_request(OP_REALLOCARRAY, UINT64_MAX, 2, 4096, &bytes));
    assert_true(bytes == UINT64_MAX);
    assert_true(observe_request(OP_ALLOC_PAGES, 3, 0, 4096, &bytes));
    assert_int_equal(bytes, 8 * 4096);
    assert_false(observe_request(OP_FREE, 0, 0, 4096, &bytes));
    assert_false(observe_request(OP_CACHE_ALLOC, 0, 0, 4096, &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sums_are_of_calls_asked_of_all, set_up),
        cmocka_unit_test_setup(refusals_count_where_another_grants, set_up),
        cmocka_unit_test_setup(resizes_zero_sizes_and_huge_requests, set_up),
        cmocka_unit_test_setup(programs_that_break_a_rule_are_left_out, set_up),
        cmocka_unit_test_setup(a_log_that_was_cut_ends_the_comparison, set_up),
        cmocka_unit_test_setup(the_same_calls_are_made_to_both, set_up),
        cmocka_unit_test_setup(what_is_not_asked_of_both_is_no_disagreement, set_up),
        cmocka_unit_test_setup(nothing_is_demanded_after_a_legal_difference, set_up),
        cmocka_unit_test_setup(one_error_has_one_report, set_up),
        cmocka_unit_test_setup(every_pair_that_disagrees_is_told_once, set_up),
        cmocka_unit_test_setup(twins_differ_in_nothing, set_up),
        cmocka_unit_test(calls_of_the_first_round_are_noted),
        cmocka_unit_test(the_first_refusal_of_what_fits),
        cmocka_unit_test(requests_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
