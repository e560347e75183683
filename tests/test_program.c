/* test_program.c: programs as data: bounds, the literal byte form, the text form, and the examples of docs/PROGRAMS.md.
 *
 * Round trips are exact on random programs whose every field was filled with random bytes first; texts are told by hand.
 */
#include "encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUND_TRIPS 100000u

static struct program program, again;
static unsigned char bytes[PROGRAM_BYTES_MAX + 100];
static char text[PROGRAM_OPS_MAX * 256];

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void random_fill(uint64_t *state, void *to, size_t length)
{
    unsigned char *byte = to;
    for (size_t i = 0; i < length; i++) byte[i] = (unsigned char)(random_next(state) >> 32);
}

/* Mostly few operations; small and border values often enough for every notation to be met. */
static void random_program(uint64_t *state, struct program *p)
{
    random_fill(state, &p->heap, sizeof p->heap);
    p->op_count = (uint32_t)(random_next(state) % (random_next(state) % 500 == 0 ? PROGRAM_OPS_MAX + 9 : 12));
    for (uint32_t i = 0; i < p->op_count && i < PROGRAM_OPS_MAX; i++) {
        static const uint64_t borders[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX, UINT64_MAX - 7};
        struct op *op = &p->ops[i];
        uint64_t choice = random_next(state);
        random_fill(state, op, sizeof *op);
        if (choice & 1) op->a = borders[op->a % 6];
        if (choice & 2) op->b = borders[op->b % 6];
        if (choice & 4) op->count %= 20;
        if (choice & 8) op->stride %= 4;
        if (choice & 16) op->slot %= 64;
        if (choice & 32) op->count = op->stride = op->step = 0;
    }
    program_normalise(p);
}

static void parse_good(struct program *p, const char *source, size_t length)
{
    struct parse_error error = {0};
    if (!program_parse(p, source, length, &error))
        fail_msg("%zu:%zu: %s in:\n%.*s", error.line, error.column, error.message, (int)length, source);
}

static void assert_normal(const struct program *p)
{
    static struct program normal;
    normal = *p;
    program_normalise(&normal);
    assert_true(program_equal(&normal, p));
}

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
    for (int kind = 0; kind < OP_KINDS; kind++) {
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
    0x04,      0x03,      0x02, 0x01, 1,    1,    1,    2,    0,    0,    0,           0,    0,    0,    0,    0,
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
    assert_int_equal(program.heap.dirty, DIRTY_A5);
    assert_int_equal(program.heap.place, PLACE_LOW);
    assert_int_equal(program.heap.fence, FENCE_PAGES);
    assert_int_equal(program.heap.course, COURSE_STEADY);
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
    memset(bytes + 24, 0xee, 8);
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

/* ---- Text -------------------------------------------------------------------------------------------------------- */

/* One operation; `canonical` is how it is printed, NULL if just so. */
struct line_case {
    const char *source, *canonical;
    struct op op;
};

#define A(k, v) .a_kind = SIZE_##k, .a = (uint64_t)(v)
#define B(k, v) .b_kind = SIZE_##k, .b = (uint64_t)(v)

static const struct line_case line_cases[] = {
    {"p0 = malloc 24", NULL, {.kind = OP_MALLOC, .count = 1, A(LITERAL, 24)}},
    {"p0=malloc\t0x18", "p0 = malloc 24", {.kind = OP_MALLOC, .count = 1, A(LITERAL, 24)}},
    {"p8191 = malloc 18446744073709551615", NULL, {.kind = OP_MALLOC, .slot = 8191, .count = 1, A(LITERAL, -1)}},
    {"p0 = malloc MAX", NULL, {.kind = OP_MALLOC, .count = 1, A(TOP, 0)}},
    {"p0 = malloc MAX-3", NULL, {.kind = OP_MALLOC, .count = 1, A(TOP, 3)}},
    {"p0 = malloc HALF+1", NULL, {.kind = OP_MALLOC, .count = 1, A(HALF, 1)}},
    {"p0 = malloc HALF-9223372036854775808", NULL, {.kind = OP_MALLOC, .count = 1, A(HALF, INT64_MIN)}},
    {"p0 = malloc HALF-0x5", "p0 = malloc HALF-5", {.kind = OP_MALLOC, .count = 1, A(HALF, -5)}},
    {"p0 = malloc heap-16", NULL, {.kind = OP_MALLOC, .count = 1, A(HEAP, -16)}},
    {"p0 = malloc heap+0", "p0 = malloc heap", {.kind = OP_MALLOC, .count = 1, A(HEAP, 0)}},
    {"p0 = malloc seen", NULL, {.kind = OP_MALLOC, .count = 1, A(SEEN, 0)}},
    {"p0..p15 = malloc 64 step 16", NULL, {.kind = OP_MALLOC, .count = 16, .stride = 1, .step = 16, A(LITERAL, 64)}},
    {"p0..p30/2 = calloc 3 MAX-5", NULL, {.kind = OP_CALLOC, .count = 16, .stride = 2, A(LITERAL, 3), B(TOP, 5)}},
    {"p0..p1 = calloc 3 step -1 8",
     NULL,
     {.kind = OP_CALLOC, .count = 2, .stride = 1, .step = -1, A(LITERAL, 3), B(LITERAL, 8)}},
    {"p4 = aligned_alloc 64 100",
     NULL,
     {.kind = OP_ALIGNED_ALLOC, .slot = 4, .count = 1, A(LITERAL, 100), B(LITERAL, 64)}},
    {"p5 = posix_memalign 16 seen-8",
     NULL,
     {.kind = OP_POSIX_MEMALIGN, .slot = 5, .count = 1, A(SEEN, -8), B(LITERAL, 16)}},
    {"p5..p6 = memalign usable(p2) usable(p2)-1 step 3",
     NULL,
     {.kind = OP_MEMALIGN, .slot = 5, .ref = 2, .count = 2, .stride = 1, .step = 3, A(USABLE, -1), B(USABLE, 0)}},
    {"realloc p3 usable(p3)+1", NULL, {.kind = OP_REALLOC, .slot = 3, .ref = 3, .count = 1, A(USABLE, 1)}},
    {"reallocarray p3 10 20", NULL, {.kind = OP_REALLOCARRAY, .slot = 3, .count = 1, A(LITERAL, 10), B(LITERAL, 20)}},
    {"free p0", NULL, {.kind = OP_FREE, .count = 1}},
    {"free p7..p7/3", "free p7", {.kind = OP_FREE, .slot = 7, .count = 1}},
    {"free p30..p0/2", NULL, {.kind = OP_FREE, .slot = 30, .count = 16, .stride = -2}},
    {"free p3..p0", NULL, {.kind = OP_FREE, .slot = 3, .count = 4, .stride = -1}},
    {"free p0..p8191/8191", NULL, {.kind = OP_FREE, .count = 2, .stride = 8191}},
    {"free p0..p8191", NULL, {.kind = OP_FREE, .count = 8192, .stride = 1}},
    {"free p0*16+3", "free p0..p45/3", {.kind = OP_FREE, .count = 16, .stride = 3}},
    {"free p8191*2+1", NULL, {.kind = OP_FREE, .slot = 8191, .count = 2, .stride = 1}},
    {"free p5*3-4", NULL, {.kind = OP_FREE, .slot = 5, .count = 3, .stride = -4}},
    {"free p5*8192+0", NULL, {.kind = OP_FREE, .slot = 5, .count = 8192}},
    {"free p5*2-32768", NULL, {.kind = OP_FREE, .slot = 5, .count = 2, .stride = INT16_MIN}},
    {"usable_size p1", NULL, {.kind = OP_USABLE_SIZE, .slot = 1, .count = 1}},
    {"free_sized p1", NULL, {.kind = OP_FREE_SIZED, .slot = 1, .count = 1}},
    {"free_aligned_sized p1", NULL, {.kind = OP_FREE_ALIGNED_SIZED, .slot = 1, .count = 1}},
    {"write p1", NULL, {.kind = OP_WRITE, .slot = 1, .count = 1}},
    {"free_null", NULL, {.kind = OP_FREE_NULL, .count = 1}},
    {"check", NULL, {.kind = OP_CHECK, .count = 1}},
    {"repeat 3 x 10", NULL, {.kind = OP_REPEAT, .count = 1, A(LITERAL, 3), B(LITERAL, 10)}},
    {"fail 2", NULL, {.kind = OP_FAIL, .count = 1, A(LITERAL, 2)}},
    {"foreign_sbrk 4096", NULL, {.kind = OP_FOREIGN_SBRK, .count = 1, A(LITERAL, 4096)}},
    {"frame_push", NULL, {.kind = OP_FRAME_PUSH, .count = 1}},
    {"frame_pop", NULL, {.kind = OP_FRAME_POP, .count = 1}},
    {"sbrk -16", NULL, {.kind = OP_SBRK, .count = 1, A(LITERAL, -16)}},
    {"sbrk +0x10", "sbrk 16", {.kind = OP_SBRK, .count = 1, A(LITERAL, 16)}},
    {"sbrk -9223372036854775808", NULL, {.kind = OP_SBRK, .count = 1, A(LITERAL, INT64_MIN)}},
    {"sbrk heap+1", NULL, {.kind = OP_SBRK, .count = 1, A(HEAP, 1)}},
    {"brk 4096", NULL, {.kind = OP_BRK, .count = 1, A(LITERAL, 4096)}},
    {"p1 = mmap 4096 flags 0x22", NULL, {.kind = OP_MMAP, .slot = 1, .count = 1, A(LITERAL, 4096), B(LITERAL, 0x22)}},
    {"p1 = mmap 1 flags 0", "p1 = mmap 1 flags 0x0", {.kind = OP_MMAP, .slot = 1, .count = 1, A(LITERAL, 1)}},
    {"munmap p1 4096 at 8192", NULL, {.kind = OP_MUNMAP, .slot = 1, .count = 1, A(LITERAL, 4096), B(LITERAL, 8192)}},
    {"map_store p1 at 100 value 7",
     NULL,
     {.kind = OP_MAP_STORE, .slot = 1, .count = 1, A(LITERAL, 100), B(LITERAL, 7)}},
    {"map_store p1..p2 at 0 step 8 value 7",
     NULL,
     {.kind = OP_MAP_STORE, .slot = 1, .count = 2, .stride = 1, .step = 8, B(LITERAL, 7)}},
    {"file_store 1 at 100", NULL, {.kind = OP_FILE_STORE, .count = 1, A(LITERAL, 100), B(LITERAL, 1)}},
    {"double_free p2", NULL, {.kind = OP_DOUBLE_FREE, .slot = 2, .count = 1}},
    {"interior_free p2 8", NULL, {.kind = OP_INTERIOR_FREE, .slot = 2, .count = 1, A(LITERAL, 8)}},
    {"foreign_free", NULL, {.kind = OP_FOREIGN_FREE, .count = 1}},
    {"wrong_size_free p2 -1", NULL, {.kind = OP_WRONG_SIZE_FREE, .slot = 2, .count = 1, A(LITERAL, -1)}},
    {"write_after_free p2", NULL, {.kind = OP_WRITE_AFTER_FREE, .slot = 2, .count = 1}},
};

static void every_line_reads_and_prints(void **state)
{
    (void)state;
    bool met[OP_KINDS] = {false};
    for (size_t i = 0; i < sizeof line_cases / sizeof line_cases[0]; i++) {
        const struct line_case *c = &line_cases[i];
        int length = snprintf(text, sizeof text, "assay 1\n%s", c->source);
        parse_good(&program, text, (size_t)length);
        assert_int_equal(program.op_count, 1);
        assert_memory_equal(&program.ops[0], &c->op, sizeof c->op);
        assert_normal(&program);
        size_t printed = program_print_op(&c->op, text, sizeof text);
        assert_int_equal(printed, strlen(text));
        assert_string_equal(text, c->canonical != NULL ? c->canonical : c->source);
        met[c->op.kind] = true;
    }
    for (int kind = 0; kind < OP_KINDS; kind++) assert_true(met[kind]);
}

static void heap_line_reads_and_prints(void **state)
{
    (void)state;
    static const char line[] = "heap size=68719476736 dirty=a5 place=low fence=pages course=free_cost seed=7 fail=3";
    int length = snprintf(text, sizeof text, "assay 1\n%s\n", line);
    parse_good(&program, text, (size_t)length);
    assert_true(program.heap.size == PROGRAM_HEAP_MAX);
    assert_int_equal(program.heap.dirty, DIRTY_A5);
    assert_int_equal(program.heap.place, PLACE_LOW);
    assert_int_equal(program.heap.fence, FENCE_PAGES);
    assert_int_equal(program.heap.course, COURSE_FREE_COST);
    assert_int_equal(program.heap.seed, 7);
    assert_int_equal(program.heap.fail, 3);
    assert_int_equal(program_print_heap(&program.heap, text, sizeof text), sizeof line - 1);
    assert_string_equal(text, line);

    static const char shuffled[] = "assay 1\nheap fail=1 dirty=zero size=0x10";
    parse_good(&program, shuffled, sizeof shuffled - 1);
    program_print_heap(&program.heap, text, sizeof text);
    assert_string_equal(text, "heap size=16 fail=1");
}

static void blanks_comments_and_line_ends_do_not_matter(void **state)
{
    (void)state;
    static const char loose[] = "# a program\r\n\r\n \tassay\t1 # version\r\nheap\r\n\n"
                                "  check#now\r\n\t\r\nfree_null  \r";
    parse_good(&program, loose, sizeof loose - 1);
    program_print(&program, text, sizeof text);
    assert_string_equal(text, "assay 1\nheap size=8192\ncheck\nfree_null\n");
}

static void print_is_cut_as_snprintf(void **state)
{
    (void)state;
    program_decode_literal(&program, vector, sizeof vector);
    size_t length = program_print(&program, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_int_equal(program_print(&program, NULL, 0), length);
    for (size_t size = 1; size <= length + 1; size++) {
        char *cut = malloc(size);
        assert_int_equal(program_print(&program, cut, size), length);
        assert_int_equal(strlen(cut), size - 1);
        assert_memory_equal(cut, text, size - 1);
        free(cut);
    }
}

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

/* ---- Mutations --------------------------------------------------------------------------------------------------- */

/* Whatever has been done to a good text, it is either a normal program or an error within the text. */
static void mutated_text_is_program_or_error(void **state)
{
    (void)state;
    uint64_t random = 0xfeed;
    for (unsigned i = 0; i < 50000; i++) {
        random_program(&random, &program);
        if (program.op_count > 12) program.op_count = 12;
        size_t length = program_print(&program, text, sizeof text);
        for (unsigned n = (unsigned)(random_next(&random) % 4); n > 0; n--) {
            static const char alphabet[] = "\n\r\t #=.*/+-()xp0918asy_\0\xff";
            size_t at = random_next(&random) % length;
            if (random_next(&random) % 2) text[at] = alphabet[random_next(&random) % (sizeof alphabet - 1)];
            else length = at + 1;
        }
        char *exact = malloc(length);
        struct parse_error error = {0};
        memcpy(exact, text, length);
        if (program_parse(&program, exact, length, &error)) {
            assert_normal(&program);
        } else {
            assert_true(error.line >= 1 && error.column >= 1 && error.column <= length + 1);
            assert_true(strncmp(error.message, "expected ", 9) == 0);
            for (const char *m = error.message; *m != '\0'; m++) assert_in_range(*m, 32, 126);
        }
        free(exact);
    }
}

/* ---- Documentation ----------------------------------------------------------------------------------------------- */

/* docs/PROGRAMS.md beside this file's folder: every block that is fenced as "ops" is a program, and together they show
 * every operation. */
static void documented_examples_are_programs(void **state)
{
    (void)state;
    static char page[1 << 16];
    bool met[OP_KINDS] = {false};
    const char *slash = strrchr(__FILE__, '/');
    snprintf(text, sizeof text, "%.*s/../docs/PROGRAMS.md", slash != NULL ? (int)(slash - __FILE__) : 1,
             slash != NULL ? __FILE__ : ".");
    FILE *file = fopen(text, "r");
    if (file == NULL) skip();
    size_t length = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    page[length] = '\0';
    for (char *block = page; (block = strstr(block, "```ops\n")) != NULL;) {
        block += strlen("```ops\n");
        char *end = strstr(block, "```");
        assert_non_null(end);
        parse_good(&program, block, (size_t)(end - block));
        for (uint32_t i = 0; i < program.op_count; i++) met[program.ops[i].kind] = true;
        block = end + 3;
    }
    for (int kind = 0; kind < OP_KINDS; kind++)
        if (!met[kind]) fail_msg("no example of %s", op_name((enum op_kind)kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clear_is_normal),
        cmocka_unit_test(normalise_bounds_every_field),
        cmocka_unit_test(normalise_clears_what_is_not_used),
        cmocka_unit_test(equal_sees_every_field),
        cmocka_unit_test(every_operation_has_its_own_name),
        cmocka_unit_test(fixed_bytes_give_fixed_program),
        cmocka_unit_test(reserved_bytes_are_ignored),
        cmocka_unit_test(cut_tail_is_dropped),
        cmocka_unit_test(excess_records_are_dropped),
        cmocka_unit_test(any_bytes_are_a_program),
        cmocka_unit_test(every_line_reads_and_prints),
        cmocka_unit_test(heap_line_reads_and_prints),
        cmocka_unit_test(blanks_comments_and_line_ends_do_not_matter),
        cmocka_unit_test(print_is_cut_as_snprintf),
        cmocka_unit_test(random_programs_round_trip),
        cmocka_unit_test(mutated_text_is_program_or_error),
        cmocka_unit_test(documented_examples_are_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
