/* test_decode.c: the swarm form of a program: any bytes are one, it is canonical, and a changed byte stays local. */
#include "program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STRINGS 200000u
#define STRING_MAX 2000u
#define ROUND_TRIP_EVERY 100u /* the text form is slow beside the bytes */
#define MUTATIONS 1000u
#define MUTATED_OPS 100u

static struct program program, again;
static unsigned char encoded[PROGRAM_BYTES_MAX];
static char text[PROGRAM_OPS_MAX * 256];

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545F4914F6CDD1D);
}

static void random_fill(uint64_t *state, unsigned char *to, size_t length)
{
    for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
        uint64_t word = random_next(state);
        memcpy(to + i, &word, length - i < sizeof word ? length - i : sizeof word);
    }
}

/* Exactly as long as asked for, so that a sanitizer sees a byte read behind the end. */
static unsigned char *random_string(uint64_t *state, size_t length)
{
    unsigned char *bytes = malloc(length ? length : 1);
    assert_non_null(bytes);
    random_fill(state, bytes, length);
    return bytes;
}

static void assert_bounded(const struct program *p)
{
    assert_true(p->op_count <= PROGRAM_OPS_MAX);
    assert_true(p->heap.size >= 1 && p->heap.size <= PROGRAM_HEAP_MAX);
    for (uint32_t i = 0; i < p->op_count; i++) {
        const struct op *op = &p->ops[i];
        assert_true(op->kind < OP_KINDS);
        assert_true(op->a_kind < SIZE_KINDS && op->b_kind < SIZE_KINDS);
        assert_true(op->slot < PROGRAM_SLOTS && op->ref < PROGRAM_SLOTS);
        assert_true(op->count >= 1 && op->count <= PROGRAM_SLOTS);
        /* A decoded run stays within the slots; only a hand-written one goes round. */
        int last = op->slot + (op->count - 1) * op->stride;
        assert_true(last >= 0 && last < (int)PROGRAM_SLOTS);
    }
}

static void print(const struct program *p)
{
    size_t length = program_print(p, text, sizeof text);
    assert_true(length < sizeof text);
}

static void assert_canonical(const struct program *p)
{
    again.heap = p->heap;
    again.op_count = p->op_count;
    memcpy(again.ops, p->ops, p->op_count * sizeof *p->ops);
    program_normalise(&again);
    if (program_equal(p, &again)) return;
    for (uint32_t i = 0; i < p->op_count; i++) {
        if (memcmp(&p->ops[i], &again.ops[i], sizeof p->ops[i]) == 0) continue;
        char line[256];
        program_print_op(&p->ops[i], line, sizeof line);
        fail_msg("operation %u is not canonical: %s (count %u, ref %u)", i, line, p->ops[i].count, p->ops[i].ref);
    }
    fail_msg("the heap is not canonical");
}

static void assert_round_trips(const struct program *p)
{
    struct parse_error error = {0};
    program_decode(&again, encoded, program_encode(p, encoded));
    assert_true(program_equal(p, &again));
    print(p);
    if (!program_parse(&again, text, strlen(text), &error))
        fail_msg("%zu:%zu: %s in:\n%s", error.line, error.column, error.message, text);
    if (!program_equal(p, &again)) fail_msg("the text reads as another program:\n%s", text);
}

static void any_bytes_are_a_canonical_program(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (unsigned i = 0; i < STRINGS; i++) {
        uint64_t choice = random_next(&random);
        size_t length = choice % (i % 8 ? 400 : STRING_MAX + 1);
        unsigned char *bytes = random_string(&random, length);
        if (length && choice >> 60 == 0) bytes[length / 2] = 0xff;
        program_decode(&program, bytes, length);
        assert_bounded(&program);
        assert_canonical(&program);
        if (i % ROUND_TRIP_EVERY == 0) assert_round_trips(&program);
        free(bytes);
    }
}

static void every_family_and_the_longest_strings(void **state)
{
    (void)state;
    uint64_t random = 2;
    const size_t length = SWARM_HEAD_BYTES + (PROGRAM_OPS_MAX + 50) * SWARM_OP_BYTES;
    for (unsigned i = 0; i < 200; i++) {
        unsigned char *bytes = random_string(&random, length);
        bytes[0] = (unsigned char)(i % SWARM_FAMILIES | (i & 4 ? SWARM_ILLEGAL : 0));
        bytes[12] |= 3; /* the longest runs: slots run out */
        program_decode(&program, bytes, length);
        assert_bounded(&program);
        assert_canonical(&program);
        assert_round_trips(&program);
        free(bytes);
    }
}

static void a_cut_tail_is_dropped(void **state)
{
    (void)state;
    static struct program whole;
    uint64_t random = 3;
    for (unsigned i = 0; i < 2000; i++) {
        size_t length = SWARM_HEAD_BYTES + random_next(&random) % 100 * SWARM_OP_BYTES;
        unsigned char *bytes = random_string(&random, length + 3);
        program_decode(&whole, bytes, length);
        for (size_t more = 1; more < SWARM_OP_BYTES; more++) {
            program_decode(&program, bytes, length + more);
            assert_true(program_equal(&program, &whole));
        }
        free(bytes);
    }
}

static void a_shorter_string_is_a_prefix(void **state)
{
    (void)state;
    static struct program whole;
    uint64_t random = 4;
    for (unsigned i = 0; i < 2000; i++) {
        size_t length = SWARM_HEAD_BYTES + 64 * SWARM_OP_BYTES;
        unsigned char *bytes = random_string(&random, length);
        program_decode(&whole, bytes, length);
        program_decode(&program, bytes, SWARM_HEAD_BYTES + random_next(&random) % 64 * SWARM_OP_BYTES);
        assert_true(program.op_count <= whole.op_count);
        assert_memory_equal(program.ops, whole.ops, program.op_count * sizeof *program.ops);
        free(bytes);
    }
}

static void nothing_and_zeros_are_the_simplest_program(void **state)
{
    (void)state;
    static const unsigned char zeros[STRING_MAX];
    static struct program simplest;
    program_clear(&simplest);
    program_decode(&program, NULL, 0);
    assert_true(program_equal(&program, &simplest));
    for (size_t length = 0; length <= SWARM_HEAD_BYTES; length++) {
        program_decode(&program, zeros, length);
        assert_true(program_equal(&program, &simplest));
    }
    program_decode(&program, zeros, sizeof zeros);
    assert_int_equal(program.op_count, (STRING_MAX - SWARM_HEAD_BYTES) / SWARM_OP_BYTES);
    assert_int_equal(program.heap.course, COURSE_PLAIN);
    assert_int_equal(program.heap.size, HEAP_SIZE_DEFAULT);
    for (uint32_t i = 0; i < program.op_count; i++) {
        const struct op *op = &program.ops[i];
        assert_int_equal(op->kind, OP_MALLOC);
        assert_int_equal(op->slot, i);
        assert_int_equal(op->count, 1);
        assert_int_equal(op->a_kind, SIZE_LITERAL);
        assert_true(op->a == 1);
    }
}

static void the_same_bytes_are_the_same_program(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (unsigned i = 0; i < 2000; i++) {
        size_t length = random_next(&random) % STRING_MAX;
        unsigned char *bytes = random_string(&random, length);
        memset(&program, 0xa5, sizeof program); /* what was there before does not matter */
        program_decode(&program, bytes, length);
        memset(&again, 0x5a, sizeof again);
        program_decode(&again, bytes, length);
        assert_true(program_equal(&program, &again));
        free(bytes);
    }
}

/* Length of the longest common subsequence: operations that stand in both, in this order. */
static unsigned common_ops(const struct program *p, const struct program *q)
{
    static unsigned rows[2][PROGRAM_OPS_MAX + 1];
    memset(rows, 0, sizeof rows);
    for (uint32_t i = 0; i < p->op_count; i++) {
        const unsigned *above = rows[i & 1];
        unsigned *row = rows[(i & 1) ^ 1];
        for (uint32_t k = 0; k < q->op_count; k++) {
            bool same = memcmp(&p->ops[i], &q->ops[k], sizeof p->ops[i]) == 0;
            row[k + 1] = same ? above[k] + 1 : above[k + 1] > row[k] ? above[k + 1] : row[k];
        }
    }
    return rows[p->op_count & 1][q->op_count];
}

static void a_changed_byte_stays_local(void **state)
{
    (void)state;
    uint64_t random = 6, kept = 0, all = 0;
    const size_t length = SWARM_HEAD_BYTES + MUTATED_OPS * SWARM_OP_BYTES;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        unsigned char *bytes = random_string(&random, length);
        program_decode(&program, bytes, length);
        uint64_t choice = random_next(&random);
        bytes[SWARM_HEAD_BYTES + choice % (length - SWARM_HEAD_BYTES)] ^= (unsigned char)(1 + (choice >> 32) % 255);
        program_decode(&again, bytes, length);
        kept += common_ops(&program, &again);
        all += program.op_count;
        free(bytes);
    }
    print_message("          %u per mille of the operations outlive a changed byte\n", (unsigned)(kept * 1000 / all));
    assert_true(kept * 10 >= all * 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_are_a_canonical_program),
        cmocka_unit_test(every_family_and_the_longest_strings),
        cmocka_unit_test(a_cut_tail_is_dropped),
        cmocka_unit_test(a_shorter_string_is_a_prefix),
        cmocka_unit_test(nothing_and_zeros_are_the_simplest_program),
        cmocka_unit_test(the_same_bytes_are_the_same_program),
        cmocka_unit_test(a_changed_byte_stays_local),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
