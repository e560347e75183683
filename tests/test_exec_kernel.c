/* test_exec_kernel.c: random and written programs of the page allocator's operations, judged on `buddy`. */
#include "builtin.h"
#include "exec.h"
#include "kernel_programs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct exec_counters counters;
static struct program program;

static struct exec *executor(bool thorough)
{
    const struct exec_options options = {
        .ops = &alloc_buddy, .contract = alloc_buddy.contract, .counters = &counters, .thorough = thorough};
    struct exec *x = exec_open(&options);
    assert_non_null(x);
    return x;
}

static void assert_holds(struct exec *x)
{
    struct verdict v;
    exec_run(x, &program, &v);
    if (v.kind != VERDICT_PASS)
        print_message("seed %u, machine %u, course %u, operation %u: %s: expected %s; seen %s\n", program.heap.seed,
                      program.heap.machine, program.heap.course, v.op, v.rule ? rule_info(v.rule)->id : "-", v.expected,
                      v.seen);
    assert_int_equal(v.kind, VERDICT_PASS);
}

static void random_programs_hold_on_every_machine(void **state)
{
    (void)state;
    struct exec *x = executor(false);
    for (unsigned i = 0; i < 3000; i++) {
        kernel_program(&program, i, i % 5 ? 40 : 300, 3, i % 10 == 0);
        program.heap.machine = (uint8_t)(i % 50 ? i % 3 : MACHINE_SMAP);
        if (i % 8 == 0) program.heap.course = (uint8_t)(i / 8 % COURSE_FREE_COST);
        assert_holds(x);
    }
    exec_close(x);
}

static void random_programs_hold_thoroughly(void **state)
{
    (void)state;
    struct exec *x = executor(true);
    for (unsigned i = 0; i < 100; i++) {
        kernel_program(&program, i, 60, 2, false);
        program.heap.machine = (uint8_t)(i % 3);
        assert_holds(x);
    }
    exec_close(x);
}

static void append(enum op_kind kind, unsigned slot, uint32_t gfp, uint64_t a)
{
    struct op *op = &program.ops[program.op_count++];
    *op = (struct op){.kind = (uint8_t)kind, .slot = (uint16_t)slot, .count = 1, .a = a};
    op->gfp = gfp;
}

static uint64_t checks(enum rule rule) { return counters.checked[rule]; }

/* Memory runs out, what is droppable is dropped, a victim is killed, and kswapd does its step. */
static void a_machine_short_of_memory(void **state)
{
    (void)state;
    struct exec *x = executor(true);
    program_clear(&program);
    program.heap.machine = MACHINE_S4;
    for (unsigned slot = 0; slot < 4; slot++) append(OP_ALLOC_PAGES, slot, GFP_KERNEL, 4);
    append(OP_DROPPABLE, 0, 0, 0);
    append(OP_DROPPABLE, 1, 0, 1);
    append(OP_DROPPABLE, 2, 0, 3);
    append(OP_ALLOC_PAGES, 10, GFP_NOWAIT, 0);                  /* NULL, and kswapd is to wake */
    append(OP_ALLOC_PAGES, 11, GFP_NOIO, 4);                    /* drops the clean one */
    append(OP_ALLOC_PAGES, 12, GFP_NOIO, 3);                    /* may not write out, but kills */
    append(OP_ALLOC_PAGES, 13, GFP_KERNEL, 4);                  /* writes out */
    append(OP_ALLOC_PAGES, 14, GFP_KERNEL | GFP_BIT_NOFAIL, 4); /* waits for ever */
    append(OP_KSWAPD, 0, 0, 0);
    append(OP_CHECK, 0, 0, 0);
    uint64_t refusals = checks(RULE_B38), reclaims = checks(RULE_B43), kills = checks(RULE_B121);
    assert_holds(x);
    assert_true(checks(RULE_B38) > refusals);
    assert_true(checks(RULE_B43) > reclaims);
    assert_true(checks(RULE_B121) > kills);
    exec_close(x);
}

/* Every error of the page calls, on an allocator that promises to report them. */
static void contract_errors_are_asked_for(void **state)
{
    (void)state;
    struct exec *x = executor(true);
    program_clear(&program);
    append(OP_ALLOC_PAGES, 0, GFP_KERNEL, 2);
    append(OP_ALLOC_PAGES, 1, GFP_HIGHUSER | GFP_BIT_DMA, 0);
    append(OP_ALLOC_PAGES, 1, GFP_KERNEL | GFP_BIT_MOVABLE | GFP_BIT_RECLAIMABLE, 0);
    append(OP_MISUSE, 0, 0, MISUSE_INTERIOR);
    append(OP_MISUSE, 0, 0, MISUSE_NEVER);
    append(OP_FREE_PAGES, 0, 0, 1);
    append(OP_CONTEXT, 0, 0, CONTEXT_SPINLOCK);
    append(OP_ALLOC_PAGES, 1, GFP_KERNEL, 0);
    append(OP_KMAP, 0, 0, 0);
    append(OP_FREE_PAGES, 0, 0, 0);
    append(OP_MISUSE, 0, 0, MISUSE_DOUBLE_FREE);
    uint64_t bad_frees = checks(RULE_B22), sleeps = checks(RULE_B47), errors = checks(RULE_C43);
    assert_holds(x);
    assert_int_equal(checks(RULE_B22) - bad_frees, 4);
    assert_true(checks(RULE_B47) > sleeps);
    assert_true(checks(RULE_C43) > errors);
    exec_close(x);
}

static void the_same_program_comes_to_the_same(void **state)
{
    (void)state;
    uint64_t operations[2];
    for (unsigned round = 0; round < 2; round++) {
        struct exec *x = executor(false);
        uint64_t before = counters.operations;
        for (unsigned i = 0; i < 200; i++) {
            kernel_program(&program, i, 100, 3, false);
            program.heap.machine = (uint8_t)(i % 3);
            assert_holds(x);
        }
        operations[round] = counters.operations - before;
        exec_close(x);
    }
    assert_int_equal(operations[0], operations[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_hold_on_every_machine),
        cmocka_unit_test(random_programs_hold_thoroughly),
        cmocka_unit_test(a_machine_short_of_memory),
        cmocka_unit_test(contract_errors_are_asked_for),
        cmocka_unit_test(the_same_program_comes_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
