/* cmocka.h, the part of it that the unit tests use, for targets whose cmocka Debian does not carry: 32-bit x86 beside a
 * 64-bit system, s390x under an emulator. Where the library links with the compiler in use, that is what is used.
 *
 * One source file a program. A failed assertion says where, ends its test, and runs the teardown; a signal ends the
 * program. The exit status is the number of tests that failed.
 */
#ifndef BARE_CMOCKA_H
#define BARE_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void bare_test_fn(void **state);
typedef int bare_fixture_fn(void **state); /* 0 if it did what it should */

struct CMUnitTest {
    const char *name;
    bare_test_fn *test;
    bare_fixture_fn *setup, *teardown; /* NULL: none */
};

#define cmocka_unit_test_setup_teardown(f, setup, teardown) \
    {                                                       \
#f, f, setup, teardown                              \
    }
#define cmocka_unit_test_setup(f, setup) cmocka_unit_test_setup_teardown(f, setup, NULL)
#define cmocka_unit_test(f) cmocka_unit_test_setup_teardown(f, NULL, NULL)

enum bare_end { BARE_PASSED, BARE_FAILED, BARE_SKIPPED };
static jmp_buf bare_leave; /* the test, with an enum bare_end */

#define print_message(...) fprintf(stderr, __VA_ARGS__)
#define print_error(...) fprintf(stderr, __VA_ARGS__)
#define skip() longjmp(bare_leave, BARE_SKIPPED)
#define fail() fail_msg("failed")
#define fail_msg(...) bare_fail(__FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 3, 4))) static inline _Noreturn void bare_fail(const char *file, int line,
                                                                             const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    longjmp(bare_leave, BARE_FAILED);
}

static inline void bare_compare(const char *file, int line, const char *what, uintmax_t a, uintmax_t b, int equal)
{
    if ((a == b) != equal) bare_fail(file, line, "%s: 0x%jx and 0x%jx", what, a, b);
}

static inline void bare_compare_text(const char *file, int line, const char *a, const char *b, int equal)
{
    if ((strcmp(a, b) == 0) != equal) bare_fail(file, line, "\"%s\" and \"%s\"", a, b);
}

static inline void bare_compare_bytes(const char *file, int line, const void *a, const void *b, size_t n, int equal)
{
    if ((memcmp(a, b, n) == 0) == equal) return;
    bare_fail(file, line, "%zu bytes: %s", n, equal ? "they differ" : "they are the same");
}

static inline void bare_in_range(const char *file, int line, const char *what, uintmax_t v, uintmax_t low,
                                 uintmax_t high)
{
    if (v < low || v > high) bare_fail(file, line, "%s: %ju, not %ju to %ju", what, v, low, high);
}

/* Numbers are compared as the widest unsigned ones, as cmocka does. */
#define BARE_NUMBERS(a, b, equal) bare_compare(__FILE__, __LINE__, #a ", " #b, (uintmax_t)(a), (uintmax_t)(b), equal)
#define BARE_POINTERS(a, b, equal) bare_compare(__FILE__, __LINE__, #a ", " #b, (uintptr_t)(a), (uintptr_t)(b), equal)

#define assert_true(c) ((c) ? (void)0 : bare_fail(__FILE__, __LINE__, "%s", #c))
#define assert_false(c) ((c) ? bare_fail(__FILE__, __LINE__, "not %s", #c) : (void)0)
#define assert_int_equal(a, b) BARE_NUMBERS(a, b, 1)
#define assert_int_not_equal(a, b) BARE_NUMBERS(a, b, 0)
#define assert_ptr_equal(a, b) BARE_POINTERS(a, b, 1)
#define assert_ptr_not_equal(a, b) BARE_POINTERS(a, b, 0)
#define assert_null(p) BARE_POINTERS(p, NULL, 1)
#define assert_non_null(p) BARE_POINTERS(p, NULL, 0)
#define assert_string_equal(a, b) bare_compare_text(__FILE__, __LINE__, a, b, 1)
#define assert_string_not_equal(a, b) bare_compare_text(__FILE__, __LINE__, a, b, 0)
#define assert_memory_equal(a, b, n) bare_compare_bytes(__FILE__, __LINE__, a, b, n, 1)
#define assert_memory_not_equal(a, b, n) bare_compare_bytes(__FILE__, __LINE__, a, b, n, 0)
#define assert_in_range(v, low, high) \
    bare_in_range(__FILE__, __LINE__, #v, (uintmax_t)(v), (uintmax_t)(low), (uintmax_t)(high))

/* Calls the test, or else the fixture. */
static inline enum bare_end bare_call(bare_test_fn *test, bare_fixture_fn *fixture, void **state)
{
    switch (setjmp(bare_leave)) {
    case 0: break;
    case BARE_SKIPPED: return BARE_SKIPPED;
    default: return BARE_FAILED;
    }
    if (test) test(state);
    return !fixture || fixture(state) == 0 ? BARE_PASSED : BARE_FAILED;
}

static inline enum bare_end bare_run(const struct CMUnitTest *t, void *state)
{
    enum bare_end end = bare_call(NULL, t->setup, &state);
    if (end != BARE_PASSED) return end;
    end = bare_call(t->test, NULL, &state);
    return bare_call(NULL, t->teardown, &state) == BARE_PASSED ? end : BARE_FAILED;
}

static inline int bare_run_group(const struct CMUnitTest *tests, size_t count, bare_fixture_fn *setup,
                                 bare_fixture_fn *teardown)
{
    static const char *const words[] = {[BARE_PASSED] = "ok", [BARE_FAILED] = "FAILED", [BARE_SKIPPED] = "skipped"};
    void *state = NULL;
    int failed = 0;
    if (bare_call(NULL, setup, &state) != BARE_PASSED) return 1;
    for (size_t i = 0; i < count; i++) {
        const enum bare_end end = bare_run(&tests[i], state);
        printf("%-8s%s\n", words[end], tests[i].name);
        fflush(stdout);
        failed += end == BARE_FAILED;
    }
    return failed + (bare_call(NULL, teardown, &state) != BARE_PASSED);
}

#define cmocka_run_group_tests(tests, setup, teardown) \
    bare_run_group(tests, sizeof tests / sizeof *tests, setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) cmocka_run_group_tests(tests, setup, teardown)

#endif
