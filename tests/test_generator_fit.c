/* test_generator_fit.c: what other engines' bytes become: programs that suit the target, the same ones for everybody. */
#define _GNU_SOURCE
#include "generator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "program_random.h"

enum { ROUNDS = 3000, BYTES_MAX = 600 };

static struct target target;
static struct generator generator;
static struct program a, b;

static void open_target(const char *name)
{
    char error[256];
    assert_int_equal(target_resolve(&target, name, NULL, NULL, error, sizeof error), 0);
    generator_init(&generator, &target, 1);
}

static uint64_t state = 1;

static size_t random_bytes(unsigned char *bytes)
{
    const size_t length = random_next(&state) % (BYTES_MAX + 1);
    random_fill(&state, bytes, length);
    if (length > 4 && random_next(&state) % 4 == 0) memcpy(bytes, SWARM_KERNEL, 4);
    return length;
}

static void bytes_that_fit_stay(void **unused)
{
    static const char *const names[] = {"freelist", "stack", "break", "region", "libc", "buddy", "slab", "vmalloc"};
    unsigned char bytes[BYTES_MAX], once[BYTES_MAX];
    (void)unused;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        open_target(names[n]);
        for (unsigned i = 0; i < ROUNDS; i++) {
            const size_t length = random_bytes(bytes);
            generator_fit(&generator, bytes, length);
            memcpy(once, bytes, length);
            generator_fit(&generator, bytes, length);
            assert_memory_equal(once, bytes, length);
        }
    }
}

/* So a corpus of fitted bytes is the same corpus for `assay replay`, which knows of no fitting. */
static void fitted_bytes_are_the_program_that_ran(void **unused)
{
    unsigned char bytes[BYTES_MAX];
    (void)unused;
    open_target("freelist");
    for (unsigned i = 0; i < ROUNDS; i++) {
        const size_t length = random_bytes(bytes);
        generator_decode(&generator, bytes, length, &a);
        generator_fit(&generator, bytes, length);
        program_decode(&b, bytes, length);
        assert_true(program_equal(&a, &b));
    }
}

static void other_forms_are_left_alone(void **unused)
{
    static const char text[] = "assay 1\np0 = malloc 24\nfree p0\n", wrong[] = "assay 1\nfrob\n";
    static unsigned char bytes[PROGRAM_BYTES_MAX], before[PROGRAM_BYTES_MAX];
    struct parse_error error;
    (void)unused;
    open_target("buddy");
    assert_true(program_parse(&a, text, sizeof text - 1, &error));
    generator_decode(&generator, text, sizeof text - 1, &b);
    assert_true(program_equal(&a, &b));
    const size_t length = program_encode(&a, bytes);
    memcpy(before, bytes, length);
    generator_fit(&generator, bytes, length);
    assert_memory_equal(before, bytes, length);
    generator_decode(&generator, bytes, length, &b);
    assert_true(program_equal(&a, &b));
    generator_decode(&generator, wrong, sizeof wrong - 1, &b);
    assert_int_equal(b.op_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_fit_stay),
        cmocka_unit_test(fitted_bytes_are_the_program_that_ran),
        cmocka_unit_test(other_forms_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
