/* test_program.c: programs as data: bounds, the literal byte form, and exact round trips of random programs through both
 * the bytes and the text. What single lines of text say is in test_program_text.c.
 */
#include "program_random.h"

#include "kernel.h"

#define ROUND_TRIPS 100000u

static struct program program, again;
static unsigned char bytes[PROGRAM_BYTES_MAX + 100];
static char text[PROGRAM_OPS_MAX * 256];

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

static void clear_is_normal(void **state)
{
    (void)state;
    program_clear(&program);
    assert_int_equal(program.op_count, 0);
    assert_int_equal(program.heap.size, HEAP_SIZE_DEFAULT);
    assert_normal(&program);
}

static void normalise_bounds_every_field(void **state)
{
    (void)state;
    memset(&program, 0xff, sizeof program);
    program_normalise(&program);
    assert_int_equal(program.op_count, PROGRAM_OPS_MAX);
    assert_in_range(program.heap.size, 1, PROGRAM_HEAP_MAX);
    assert_true(program.heap.dirty < DIRTY_KINDS && program.heap.place < PLACE_KINDS);
    assert_true(program.heap.fence < FENCE_KINDS && program.heap.course < COURSE_KINDS);
    assert_true(program.heap.machine < MACHINE_CONFIGS && program.heap.scatter <= 1);
    for (uint32_t i = 0; i < program.op_count; i++) {
        const struct op *op = &program.ops[i];
        assert_true(op->kind < OP_KINDS && op->a_kind < SIZE_KINDS && op->b_kind < SIZE_KINDS);
        assert_true(op->slot < PROGRAM_SLOTS && op->ref < PROGRAM_SLOTS);
        assert_in_range(op->count, 1, PROGRAM_SLOTS);
        assert_int_equal(op->reserved, 0);
    }
    program.heap.size = PROGRAM_HEAP_MAX;
    program_normalise(&program);
    assert_true(program.heap.size == PROGRAM_HEAP_MAX);
}

static void normalise_clears_what_is_not_used(void **state)
{
    (void)state;
    struct op full = {.slot = 5, .ref = 6, .count = 3, .stride = 2, .step = 7, .a = 8, .b = 9};
    for (int kind = 0; kind < OP_KERNEL_FIRST; kind++) {
        const struct op_shape *shape = &op_shapes[kind];
        program_clear(&program);
        program.op_count = 1;
        program.ops[0] = full;
        program.ops[0].kind = (uint8_t)kind;
        program_normalise(&program);
        const struct op *op = &program.ops[0];
        bool run = shape->slot != SLOT_NONE, a = shape->a.form != OPERAND_NONE, b = shape->b.form != OPERAND_NONE;
        assert_int_equal(op->ref, 0);
        assert_int_equal(op->slot, run ? 5 : 0);
        assert_int_equal(op->count, run ? 3 : 1);
        assert_int_equal(op->stride, run ? 2 : 0);
        assert_int_equal(op->step, run && a ? 7 : 0);
        assert_int_equal(op->a, a ? 8 : 0);
        assert_int_equal(op->b, b ? 9 : 0);
    }
    program.ops[0] = full;
    program.ops[0].kind = OP_MALLOC;
    program.ops[0].a_kind = SIZE_USABLE;
    program.ops[0].count = 0;
    program_normalise(&program);
    assert_int_equal(program.ops[0].ref, 6);
    assert_int_equal(program.ops[0].count, 1);
    assert_int_equal(program.ops[0].stride, 0);
    assert_int_equal(program.ops[0].step, 0);
}

static void normalise_bounds_kernel_operations(void **state)
{
    (void)state;
    for (int kind = OP_KERNEL_FIRST; kind < OP_KINDS; kind++) {
        const struct op_shape *shape = &op_shapes[kind];
        program_clear(&program);
        program.op_count = 1;
        struct op *op = &program.ops[0];
        memset(op, 0xff, sizeof *op);
        op->kind = (uint8_t)kind;
        op->count = 3;
        program_normalise(&program);
        assert_int_equal(op->kind, kind);
        assert_int_equal(op->gfp, shape->gfp ? GFP_BITS : 0);
        assert_int_equal(op_step(op), 0);
        assert_true(!shape->a.limit || op->a < shape->a.limit);
        assert_true(!shape->b.limit || op->b < shape->b.limit);
        assert_true(shape->source || op->a_kind == SIZE_USABLE || op->b_kind == SIZE_USABLE || op->ref == 0);
        assert_int_equal(op->count, shape->slot == SLOT_NONE ? 1 : 3);
    }
    const struct {
        enum op_kind kind;
        uint64_t b, normal;
    } packed[] = {
        {OP_CACHE_CREATE, UINT64_MAX, PROGRAM_CACHE_ARGS(UINT32_MAX, UINT16_MAX, CACHE_FLAGS | CACHE_UNKNOWN, true)},
        {OP_POOL_CREATE, UINT64_MAX, PROGRAM_POOL_ARGS(POOL_KMALLOC, UINT16_MAX, UINT32_MAX)},
        {OP_POOL_CREATE, PROGRAM_POOL_ARGS(POOL_CACHE, 1, 17), PROGRAM_POOL_ARGS(POOL_CACHE, 1, 1)},
        {OP_POOL_CREATE, PROGRAM_POOL_ARGS(POOL_PAGES, 2, 33) | 0xfc, PROGRAM_POOL_ARGS(POOL_PAGES, 2, 1)},
    };
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        program_clear(&program);
        program.op_count = 1;
        program.ops[0] = (struct op){.kind = (uint8_t)packed[i].kind, .b = packed[i].b};
        program_normalise(&program);
        assert_true(program.ops[0].b == packed[i].normal);
    }
}

static void equal_sees_every_field(void **state)
{
    (void)state;
    program_clear(&program);
    program.op_count = 1;
    memset(&program.ops[0], 0, sizeof program.ops[0]);
    again = program;
    assert_true(program_equal(&program, &again));
    for (size_t i = 0; i < sizeof again.ops[0]; i++) {
        unsigned char *byte = (unsigned char *)&again.ops[0] + i;
        *byte = 1;
        assert_false(program_equal(&program, &again));
        *byte = 0;
    }
    for (int key = 0; key < HEAP_KEYS; key++) {
        again.heap = program.heap;
        heap_set(&again.heap, (enum heap_key)key, 1);
        assert_false(program_equal(&program, &again));
    }
    again.heap = program.heap;
    again.op_count = 0;
    assert_false(program_equal(&program, &again));
}

static void every_operation_has_its_own_name(void **state)
{
    (void)state;
    for (int i = 0; i < OP_KINDS; i++) {
        assert_non_null(op_name((enum op_kind)i));
        for (int j = 0; j < i; j++) assert_string_not_equal(op_name((enum op_kind)i), op_name((enum op_kind)j));
    }
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------- */

/* Written out by hand: a host of the other byte order must give and take the same ones. */
static const unsigned char vector[] = {
    'a',       's',       'y',  '1',  0x01, 0x02, 0x00, 0x03, 0x04, 0x00, 0x00,        0x00, 0x78, 0x56, 0x34, 0x12,
    0x04,      0x03,      0x02, 0x01, 1,    1,    1,    2,    2,    1,    0,           0,    0x08, 0x07, 0x06, 0x05,
    OP_CALLOC, SIZE_HALF, 0x02, 0x01, 0x04, 0x03, 0x05, 0x00, 0xfe, 0xff, SIZE_USABLE, 0,    0xfd, 0xff, 0xff, 0xff,
    1,         2,         3,    4,    5,    6,    7,    8,    0xff, 0xff, 0xff,        0xff, 0xff, 0xff, 0xff, 0xff,
};

static void fixed_bytes_give_fixed_program(void **state)
{
    (void)state;
    program_decode_literal(&program, vector, sizeof vector);
    assert_true(program.heap.size == UINT64_C(0x0403000201));
    assert_int_equal(program.heap.seed, 0x12345678);
    assert_int_equal(program.heap.fail, 0x01020304);
    assert_int_equal(program.heap.fail_also, 0x05060708);
    assert_int_equal(program.heap.dirty, DIRTY_A5);
    assert_int_equal(program.heap.place, PLACE_LOW);
    assert_int_equal(program.heap.fence, FENCE_PAGES);
    assert_int_equal(program.heap.course, COURSE_STEADY);
    assert_int_equal(program.heap.machine, MACHINE_SODD);
    assert_int_equal(program.heap.scatter, 1);
    assert_int_equal(program.op_count, 1);
    const struct op *op = &program.ops[0];
    assert_int_equal(op->kind, OP_CALLOC);
    assert_int_equal(op->a_kind, SIZE_HALF);
    assert_int_equal(op->b_kind, SIZE_USABLE);
    assert_int_equal(op->slot, 0x0102);
    assert_int_equal(op->ref, 0x0304);
    assert_int_equal(op->count, 5);
    assert_int_equal(op->stride, -2);
    assert_int_equal(op->step, -3);
    assert_true(op->a == UINT64_C(0x0807060504030201));
    assert_true(op->b == UINT64_MAX);
    assert_int_equal(program_encode(&program, bytes), sizeof vector);
    assert_memory_equal(bytes, vector, sizeof vector);
}

static void reserved_bytes_are_ignored(void **state)
{
    (void)state;
    memcpy(bytes, vector, sizeof vector);
    memset(bytes + 26, 0xee, 2);
    bytes[32 + 11] = 0xee;
    program_decode_literal(&program, bytes, sizeof vector);
    program_encode(&program, bytes);
    assert_memory_equal(bytes, vector, sizeof vector);
}

static void cut_tail_is_dropped(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof vector; length++) {
        unsigned char *exact = malloc(length + !length); /* so that a sanitizer sees a byte too much */
        memcpy(exact, vector, length);
        program_decode_literal(&program, exact, length);
        free(exact);
        assert_int_equal(program.op_count, 0);
        assert_normal(&program);
    }
    program_decode_literal(&program, NULL, 0);
    program_clear(&again);
    assert_true(program_equal(&program, &again));
}

static void excess_records_are_dropped(void **state)
{
    (void)state;
    memset(bytes, 0, sizeof bytes);
    program_decode_literal(&program, bytes, sizeof bytes);
    assert_int_equal(program.op_count, PROGRAM_OPS_MAX);
    assert_int_equal(program_encode(&program, bytes), PROGRAM_BYTES_MAX);
}

static void any_bytes_are_a_program(void **state)
{
    (void)state;
    uint64_t random = 0x1234567;
    for (unsigned i = 0; i < 20000; i++) {
        size_t length = random_next(&random) % (i % 100 == 0 ? sizeof bytes : 300);
        random_fill(&random, bytes, length);
        program_decode_literal(&program, bytes, length);
        assert_normal(&program);
        program_decode_literal(&again, bytes, program_encode(&program, bytes));
        assert_true(program_equal(&program, &again));
    }
}

/* ---- Round trips ------------------------------------------------------------------------------------------------- */

static void random_programs_round_trip(void **state)
{
    (void)state;
    uint64_t random = 0x9e3779b97f4a7c15;
    for (unsigned i = 0; i < ROUND_TRIPS; i++) {
        random_program(&random, &program);
        assert_normal(&program);
        size_t length = program_encode(&program, bytes);
        assert_true(length <= PROGRAM_BYTES_MAX);
        program_decode_literal(&again, bytes, length);
        assert_true(program_equal(&program, &again));

        length = program_print(&program, text, sizeof text);
        assert_true(length < sizeof text);
        parse_good(&again, text, length);
        if (!program_equal(&program, &again)) fail_msg("program %u reads back otherwise:\n%s", i, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear_is_normal),
        cmocka_unit_test(normalise_bounds_every_field),
        cmocka_unit_test(normalise_clears_what_is_not_used),
        cmocka_unit_test(normalise_bounds_kernel_operations),
        cmocka_unit_test(equal_sees_every_field),
        cmocka_unit_test(every_operation_has_its_own_name),
        cmocka_unit_test(fixed_bytes_give_fixed_program),
        cmocka_unit_test(reserved_bytes_are_ignored),
        cmocka_unit_test(cut_tail_is_dropped),
        cmocka_unit_test(excess_records_are_dropped),
        cmocka_unit_test(any_bytes_are_a_program),
        cmocka_unit_test(random_programs_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
