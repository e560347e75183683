/* test_generator.c: what the generator makes for a target: families in their shares, machines and modes as asked. */
#include "generator.h"
#include "kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PROGRAMS 4000u

static struct target target;
static struct generator generator;
static struct program program;
static unsigned char bytes[GENERATOR_BYTES_MAX];

static void offer(enum op_kind kind) { target.offered[kind / 32] |= 1u << kind % 32; }

/* An allocator on a machine with pages and kmalloc, which reports every contract error. */
static void kernel_target(void)
{
    static const enum op_kind kinds[] = {OP_MALLOC, OP_FREE, OP_ALLOC_PAGES, OP_KMALLOC, OP_MISUSE};
    memset(&target, 0, sizeof target);
    target.kind = TARGET_VTABLE;
    target.contract.backing = BACKING_MACHINE;
    target.contract.promises = PROMISE_DETECTS_BAD_FREE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) offer(kinds[i]);
}

struct shares {
    unsigned kernel, kernel_errors, heap, heap_errors, machines;
};

static struct shares count_shares(void)
{
    struct shares s = {0};
    generator_init(&generator, &target, 7);
    for (uint64_t i = 0; i < PROGRAMS; i++) {
        assert_true(generator_bytes(&generator, i, bytes) <= GENERATOR_BYTES_MAX);
        const bool errors = bytes[0] & SWARM_ILLEGAL, kernel = (char)(bytes[0] & ~SWARM_ILLEGAL) == SWARM_KERNEL[0];
        assert_true(!kernel || memcmp(bytes + 1, &SWARM_KERNEL[1], 3) == 0);
        *(kernel ? errors ? &s.kernel_errors : &s.kernel : errors ? &s.heap_errors : &s.heap) += 1;
        generator_program(&generator, i, &program);
        s.machines |= 1u << program.heap.machine;
        for (uint32_t k = 0; k < program.op_count; k++) {
            const unsigned kind = program.ops[k].kind;
            assert_true(kernel == (kind >= OP_KERNEL_FIRST) || kind == OP_REPEAT || kind == OP_CHECK);
            assert_true(kind < OP_VMALLOC || kind > OP_KVFREE || errors); /* not offered */
        }
    }
    return s;
}

static void kernel_targets_get_both_families(void **state)
{
    (void)state;
    kernel_target();
    struct shares s = count_shares();
    assert_in_range(s.kernel + s.kernel_errors, PROGRAMS * 82 / 100, PROGRAMS * 92 / 100);
    assert_in_range(s.kernel_errors, PROGRAMS * 10 / 100, PROGRAMS * 15 / 100);
    assert_in_range(s.heap_errors, PROGRAMS * 4 / 100, PROGRAMS * 9 / 100);
    assert_int_equal(s.machines, (1u << MACHINE_TINY) - 1); /* which is for explore */
}

static void modes_and_machines_are_kept(void **state)
{
    (void)state;
    char error[256];
    for (unsigned machine = 0; machine <= MACHINE_TINY; machine++) {
        kernel_target();
        assert_int_equal(target_narrow(&target, MODE_LEGAL, machine, error, sizeof error), 0);
        struct shares s = count_shares();
        assert_int_equal(s.kernel_errors + s.heap_errors, 0);
        assert_in_range(s.heap, PROGRAMS * 8 / 100, PROGRAMS * 18 / 100);
        assert_int_equal(s.machines, machine ? 1u << (machine - 1) : (1u << MACHINE_TINY) - 1);
        assert_int_equal(target_narrow(&target, MODE_ILLEGAL, machine, error, sizeof error), 0);
        s = count_shares();
        assert_int_equal(s.kernel + s.heap, 0);
        assert_true(s.kernel_errors > s.heap_errors && s.heap_errors > 0);
    }
}

static void the_profile_makes_every_second_one_an_error(void **state)
{
    (void)state;
    kernel_target();
    target.illegal = true;
    struct shares s = count_shares();
    assert_in_range(s.kernel_errors + s.heap_errors, PROGRAMS * 45 / 100, PROGRAMS * 55 / 100);
}

static void narrowing_is_refused_where_it_leaves_nothing(void **state)
{
    (void)state;
    char error[256];
    assert_int_equal(target_resolve(&target, "freelist", NULL, NULL, error, sizeof error), 0);
    assert_int_equal(target_narrow(&target, MODE_BOTH, 1 + MACHINE_S4, error, sizeof error), -1);
    assert_string_equal(error, "--machine: freelist runs on no simulated machine");
    assert_int_equal(target_resolve(&target, "libc", NULL, NULL, error, sizeof error), 0);
    assert_int_equal(target_narrow(&target, MODE_ILLEGAL, 0, error, sizeof error), -1);
    assert_string_equal(error,
                        "--mode: 'illegal' needs an allocator that promises to report contract errors; libc does not");
    assert_int_equal(target_narrow(&target, MODE_LEGAL, 0, error, sizeof error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_targets_get_both_families),
        cmocka_unit_test(modes_and_machines_are_kept),
        cmocka_unit_test(the_profile_makes_every_second_one_an_error),
        cmocka_unit_test(narrowing_is_refused_where_it_leaves_nothing),
    };
    return cmocka_run_group_tests_name("generator", tests, NULL, NULL);
}
