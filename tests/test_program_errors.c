/* test_program_errors.c: a text that is no program is told by line, column and expectation; the texts, and the places at
 * which they are wrong, are told by hand.
 */
#include "program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct program program;
static char text[PROGRAM_OPS_MAX * 256];

struct error_case {
    const char *source; /* behind "assay 1\n" */
    size_t column;      /* on line 2 */
    const char *message;
};

#define ANY_NUMBER "expected a number from 0 to 18446744073709551615"
#define ANY_SIZE "expected a size: a number, MAX, HALF, heap, usable(p0) or seen"

static const struct error_case error_cases[] = {
    {"p0 = maloc 24", 6, "expected an operation, not 'maloc'; the nearest is 'malloc'"},
    {"  fre p1", 3, "expected an operation, not 'fre'; the nearest is 'free'"},
    {"posix_memaling p0", 1, "expected an operation, not 'posix_memaling'; the nearest is 'posix_memalign'"},
    {"= malloc", 1, "expected an operation"},
    {"malloc 24", 1, "expected a slot for the result: 'p0 = malloc'"},
    {"p3 = realloc p3 8", 6, "expected an operation with a result; this one is 'realloc p3'"},
    {"p3 = check", 6, "expected an operation with a result; 'check' stands alone"},
    {"p0 malloc 24", 4, "expected '='"},
    {"p8192 = malloc 1", 2, "expected a number from 0 to 8191"},
    {"p0 = malloc", 12, ANY_SIZE},
    {"p0 = malloc -1", 13, ANY_SIZE},
    {"p0 = malloc usble(p0)", 13, ANY_SIZE},
    {"p0 = malloc 18446744073709551616", 13, ANY_NUMBER},
    {"p0 = malloc 0x10000000000000000", 13, ANY_NUMBER},
    {"p0 = malloc 12ab", 15, "expected the number to end here"},
    {"p0 = malloc 0x", 14, "expected the number to end here"},
    {"p0 = malloc 24 25", 16, "expected the end of the line"},
    {"p0 = malloc 24,", 15, "expected the end of the line"},
    {"p0 = malloc 24 step 2", 16, "expected no step, since this is not a run of slots"},
    {"p0..p1 = malloc 24 step", 24, "expected a number from 0 to 2147483647"},
    {"p0..p1 = malloc 24 step -2147483649", 26, "expected a number from 0 to 2147483648"},
    {"p0 = malloc MAX+1", 16, "expected '-': MAX is the largest size"},
    {"p0 = malloc HALF-9223372036854775809", 18, "expected a number from 0 to 9223372036854775808"},
    {"p0 = malloc usable", 19, "expected '('"},
    {"p0 = malloc usable(3)", 20, "expected a slot, p0 to p8191"},
    {"p0 = calloc usable(p3) usable(p4)", 31, "expected p3 again: both operands ask the same slot"},
    {"p0 = calloc 3", 14, ANY_SIZE},
    {"p0 = calloc 3+4", 14, "expected a space"},
    {"free", 5, "expected a slot, p0 to p8191"},
    {"free 3", 6, "expected a slot, p0 to p8191"},
    {"free p0.p3", 9, "expected '.'"},
    {"free p0..p5/2", 10, "expected a last slot whole strides of 2 away"},
    {"free p0..p5/0", 13, "expected a number from 1 to 8191"},
    {"free p0*1+1", 9, "expected a number from 2 to 8192"},
    {"free p0*4", 10, "expected '+' or '-' and a stride"},
    {"free p0*4+32768", 11, "expected a number from 0 to 32767"},
    {"repeat 3 10", 10, "expected 'x'"},
    {"repeat 3 x", 11, ANY_NUMBER},
    {"fail heap", 6, ANY_NUMBER},
    {"sbrk-1", 5, "expected a space"},
    {"sbrk 9223372036854775808", 6, "expected a number from 0 to 9223372036854775807"},
    {"wrong_size_free p0 0", 20, "expected a number other than 0"},
    {"check 1", 7, "expected the end of the line"},
    {"p0 = alloc_pages 3", 19, "expected 'gfp'"},
    {"p0 = alloc_pages 32 gfp KERNEL", 18, "expected a number from 0 to 31"},
    {"p0 = alloc_pages 3 gfp", 23, "expected a gfp mask: 0, or names such as KERNEL joined by '|'"},
    {"p0 = alloc_pages 3 gfp KERNEL|", 31, "expected a gfp mask: 0, or names such as KERNEL joined by '|'"},
    {"p0 = alloc_pages 3 gfp KERNEL|zero", 31, "expected the name of a gfp mask, not 'zero'"},
    {"p0 = alloc_pages 3 gfp KERNEL ZERO", 31, "expected the end of the line"},
    {"p0..p1 = kmalloc 3 step 2 gfp KERNEL", 20, "expected 'gfp'"},
    {"kfree p0 8", 10, "expected the end of the line"},
    {"context asleep", 9, "expected task, spinlock, irqs_off, bh_off, softirq, hardirq or nmi"},
    {"inject failslab", 16, "expected a number from 0 to 65535"},
    {"cache_create c16 size 8", 15, "expected a number from 0 to 15"},
    {"cache_create m1 size 8", 14, "expected a cache, c0 to c15"},
    {"cache_create c1 align 8", 17, "expected 'size'"},
    {"cache_create c1 size 8 flags 0x3", 30, "expected the name of a cache flag, not '0x3'"},
    {"cache_create c1 size 8 flags POISON align 8", 37, "expected the end of the line"},
    {"pool_create m0 slab size 8 min 1", 16, "expected kmalloc, cache or pages"},
    {"pool_create m0 cache size 8 min 1", 22, "expected a cache, c0 to c15"},
    {"p4 = vmap reverse", 11, "expected a slot, p0 to p8191"},
    {"heap size=0", 11, "expected a number from 1 to 68719476736"},
    {"heap size=68719476737", 11, "expected a number from 1 to 68719476736"},
    {"heap seed=4294967296", 11, "expected a number from 0 to 4294967295"},
    {"heap size 8", 10, "expected '='"},
    {"heap color=red", 6, "expected size, dirty, place, fence, course, seed, fail, machine or scatter"},
    {"heap machine=s65", 14, "expected s64, s4, sodd, smap or tiny"},
    {"heap dirty=blue", 12, "expected zero, a5, ff or random"},
    {"heap size=8 size=8", 13, "expected 'size' only once"},
    {"assay 1", 1, "expected an operation, not 'assay'; the nearest is 'sbrk'"},
};

static void expect_error(const char *source, size_t length, size_t line, size_t column, const char *message)
{
    struct parse_error error = {0};
    if (program_parse(&program, source, length, &error)) fail_msg("no error in:\n%.200s", source);
    if (strcmp(error.message, message) != 0 || error.line != line || error.column != column)
        fail_msg("%zu:%zu: %s\nexpected %zu:%zu: %s\nin:\n%.200s", error.line, error.column, error.message, line,
                 column, message, source);
}

static void errors_tell_line_column_and_expectation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof error_cases / sizeof error_cases[0]; i++) {
        int length = snprintf(text, sizeof text, "assay 1\n%s", error_cases[i].source);
        expect_error(text, (size_t)length, 2, error_cases[i].column, error_cases[i].message);
        length = snprintf(text, sizeof text, "assay 1\n%s # why\r\ncheck\n", error_cases[i].source);
        if (error_cases[i].column <= strlen(error_cases[i].source))
            expect_error(text, (size_t)length, 2, error_cases[i].column, error_cases[i].message);
    }
}

static void head_is_demanded(void **state)
{
    (void)state;
    static const char missing[] = "expected 'assay 1' before anything else";
    expect_error("", 0, 1, 1, missing);
    expect_error(NULL, 0, 1, 1, missing);
    expect_error("# nothing", 9, 1, 10, missing);
    expect_error("\n# nothing\n", 11, 3, 1, missing);
    expect_error("\n check\n", 8, 2, 2, missing);
    expect_error("assay 2\n", 8, 1, 7, "expected version 1 of the text form");
    expect_error("assay", 5, 1, 6, "expected version 1 of the text form");
    expect_error("assay 1\nheap\nheap", 17, 3, 1, "expected only one heap line");
    expect_error("assay 1\ncheck\nheap", 18, 3, 1, "expected the heap line before the first operation");
}

static void hostile_bytes_are_errors(void **state)
{
    (void)state;
    expect_error("assay 1\np0 = \0malloc", 20, 2, 6, "expected an operation");
    expect_error("assay 1\nche\xff"
                 "ck",
                 15, 2, 1, "expected an operation, not 'che'; the nearest is 'check'");
    memset(text, 'a', sizeof text);
    memcpy(text, "assay 1\n", 8);
    expect_error(text, sizeof text, 2, 1,
                 "expected an operation, not 'aaaaaaaaaaaaaaaaaaaaaaaa'; the nearest is 'reallocarray'");
}

static void too_many_operations_are_an_error(void **state)
{
    (void)state;
    size_t length = (size_t)snprintf(text, sizeof text, "assay 1\n");
    for (unsigned i = 0; i < PROGRAM_OPS_MAX; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "check\n");
    struct parse_error error;
    assert_true(program_parse(&program, text, length, &error));
    assert_int_equal(program.op_count, PROGRAM_OPS_MAX);
    length += (size_t)snprintf(text + length, sizeof text - length, " check\n");
    expect_error(text, length, PROGRAM_OPS_MAX + 2, 2, "expected at most 1024 operations");
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_tell_line_column_and_expectation),
        cmocka_unit_test(head_is_demanded),
        cmocka_unit_test(hostile_bytes_are_errors),
        cmocka_unit_test(too_many_operations_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
