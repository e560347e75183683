/* test_target.c: what ALLOC and --profile stand for; libraries have a test of their own, foreign.sh. */
#define _GNU_SOURCE
#include "target.h"

#include "canaries.h"
#include "foreign.h"
#include "program.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct target t;
static char error[1024];

static int resolve(const char *spec, const char *profile)
{
    error[0] = '\0';
    return target_resolve(&t, spec, NULL, profile, error, sizeof error);
}

static bool offered(enum op_kind kind) { return t.offered[kind / 32] >> kind % 32 & 1; }

/* The promises of libc under this profile. */
static unsigned promises(const char *profile)
{
    assert_int_equal(resolve("libc", profile), 0);
    return t.contract.promises;
}

static void every_builtin_resolves(void **state)
{
    (void)state;
    bool canary_seen = false;
    for (const struct alloc_ops *const *o = target_builtins(); *o; o++) {
        const bool canary = strncmp((*o)->name, "broken/", 7) == 0;
        assert_true(canary || !canary_seen); /* the reference ones come first */
        canary_seen |= canary;
        assert_int_equal(canary_of((*o)->name) != NULL, canary);
        assert_int_equal((*o)->abi, ALLOC_ABI);
        assert_int_equal(resolve((*o)->name, NULL), 0);
        assert_ptr_equal(t.ops, *o); /* so no name occurs twice */
        assert_string_equal(t.name, (*o)->name);
        assert_string_equal(t.path, "");
        assert_int_equal(t.kind, TARGET_BUILTIN);
        t.ops = NULL;
        assert_int_equal(target_open(&t, error, sizeof error), 0);
        assert_ptr_equal(t.ops, *o);
    }
    assert_ptr_equal(target_builtins(), target_builtins());
    assert_null(canary_of("broken/"));
}

static void put(const char *path, const char *bytes, size_t length)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
}

/* Among operands that may be files. */
static void allocators_are_told_from_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/assay-target-XXXXXX", object[64], text[64], named[64];
    assert_non_null(mkdtemp(folder));
    snprintf(object, sizeof object, "%s/object", folder);
    snprintf(text, sizeof text, "%s/text", folder);
    snprintf(named, sizeof named, "%s/lib.so.2", folder);
    put(object, "\177ELF and more", 13);
    put(text, "assay 1\n", 8);
    put(named, "assay 1\n", 8);
    static const char *const allocators[] = {"freelist",      "libc",        "freelst",     "broken/free_leaks",
                                             "broken/absent", "./libfoo.so", "libfoo.so.2", "/no/such/libfoo.so"};
    static const char *const files[] = {"/no/such/file", "./x", "x.ops", "corpus/x.bin", "-", "/tmp", "."};
    for (size_t i = 0; i < sizeof allocators / sizeof *allocators; i++) assert_true(target_is_allocator(allocators[i]));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) assert_false(target_is_allocator(files[i]));
    assert_true(target_is_allocator(object));
    assert_false(target_is_allocator(text));
    assert_true(target_is_allocator(named)); /* a wrong library, and said to be one */
    unlink(object), unlink(text), unlink(named), rmdir(folder);
}

static void unknown_builtin_tells_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(resolve("freelst", NULL), -1);
    assert_string_equal(error, "no built-in allocator 'freelst'; did you mean freelist?");
    assert_int_equal(resolve("quite-another-name", NULL), -1);
    assert_string_equal(error, "no built-in allocator 'quite-another-name'; 'assay list' names them, and a library is "
                               "a path with '/' or one that ends in .so");
    assert_int_equal(resolve("", NULL), -1);
    assert_int_equal(resolve("broken/no such thing at all", NULL), -1); /* no library, though there is a '/' in it */
    assert_non_null(strstr(error, "no built-in"));
}

static void libraries_by_the_look_of_their_names(void **state)
{
    (void)state;
    static const char *const libraries[] = {"./x", "/x", "x.so", "x.so.1", "x.so.1.2", "a.so.b.so"};
    static const char *const others[] = {"x.so.", "x.so.a", "x.soo", "x.so-1"};
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        assert_int_equal(resolve(libraries[i], NULL), -1);
        assert_non_null(strstr(error, ": no such file"));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(resolve(others[i], NULL), -1);
        assert_non_null(strstr(error, "no built-in"));
    }
}

static void too_long_names_are_refused(void **state)
{
    (void)state;
    char name[400];
    memset(name, 'x', sizeof name - 1);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    assert_int_equal(resolve(name, NULL), -1);
    assert_non_null(strstr(error, "longer than 255 bytes"));
    assert_int_equal(target_resolve(&t, "./x.so", name, NULL, error, sizeof error), -1);
    assert_non_null(strstr(error, "longer than 63 bytes"));
    assert_int_equal(target_resolve(&t, "libc", "x_", NULL, error, sizeof error), -1);
    assert_non_null(strstr(error, "--prefix"));
}

static void profiles_change_the_contract(void **state)
{
    (void)state;
    const unsigned strict = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED;
    const unsigned own = promises(NULL);
    assert_int_equal(promises("portable"), own);
    assert_int_equal(promises(""), own);
    assert_int_equal(promises("strict"), own | strict);
    assert_int_equal(promises("strict,-errno"), (own | strict) & ~(unsigned)PROMISE_ERRNO);
    assert_int_equal(promises("-errno,strict"), own | strict);
    assert_int_equal(promises("c23"), own & ~(unsigned)PROMISE_ALIGN_SMALL);
    assert_int_equal(promises("c23,c11"), own | PROMISE_ALIGN_SMALL);
    assert_int_equal(promises("posix-2024,+deterministic"),
                     own | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_DETERMINISTIC);
    assert_int_equal(resolve("libc", "zero-size=null,realloc-zero=unique"), 0);
    assert_int_equal(t.contract.zero_size, ZERO_SIZE_NULL);
    assert_int_equal(t.contract.realloc_zero, REALLOC_ZERO_UNIQUE);
}

static void every_word_listed_is_known(void **state)
{
    (void)state;
    for (int i = 0; target_profiles[i][0]; i++) {
        char both[128];
        assert_true(strlen(target_profiles[i][1]) > 0);
        snprintf(both, sizeof both, "+detects-bad-free,%s", target_profiles[i][0]); /* for "illegal" */
        assert_int_equal(resolve("libc", both), 0);
        if (target_profiles[i][0][0] != '+') continue;
        const unsigned with = t.contract.promises;
        snprintf(both, sizeof both, "-%s", target_profiles[i][0] + 1);
        assert_true(promises(both) < with);
    }
}

static void unknown_words_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"string", "stric", "strict,,",   "-strict", "errno",
                                        "+",      "-",     "zero-size=", "strict x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(resolve("libc", wrong[i]), -1);
        assert_non_null(strstr(error, "--profile: no word '"));
        assert_non_null(strstr(error, "posix-2024")); /* the list of those that there are */
        assert_non_null(strstr(error, "+trusts-zero"));
    }
}

static void illegal_needs_a_promise(void **state)
{
    (void)state;
    assert_int_equal(resolve("libc", "illegal"), -1);
    assert_non_null(strstr(error, "promises to report contract errors"));
    assert_int_equal(resolve("libc", "illegal,+detects-bad-free"), 0);
    assert_true(t.illegal && offered(OP_DOUBLE_FREE) && offered(OP_INTERIOR_FREE) && offered(OP_FOREIGN_FREE));
    assert_false(offered(OP_WRONG_SIZE_FREE) || offered(OP_WRITE_AFTER_FREE));
    assert_int_equal(resolve("libc", NULL), 0);
    assert_false(t.illegal || offered(OP_DOUBLE_FREE));
}

static void offers_follow_the_vtable(void **state)
{
    (void)state;
    assert_int_equal(resolve("libc", NULL), 0);
    assert_true(offered(OP_MALLOC) && offered(OP_FREE) && offered(OP_CALLOC) && offered(OP_REALLOCARRAY));
    assert_true(offered(OP_WRITE) && offered(OP_CHECK) && offered(OP_REPEAT) && offered(OP_FREE_NULL));
    assert_false(offered(OP_FREE_SIZED) || offered(OP_FREE_ALIGNED_SIZED) || offered(OP_FRAME_PUSH));
    assert_false(offered(OP_SBRK) || offered(OP_MMAP) || offered(OP_MAP_STORE) || offered(OP_FAIL));
}

/* Two foreign allocators side by side, and a place given back. */
static void foreign_heaps_coexist(void **state)
{
    (void)state;
    static struct foreign all[FOREIGN_MAX + 1];
    const struct foreign *heaps[2] = {NULL};
    struct backing host = {.kind = BACKING_HOST}, region = {.kind = BACKING_REGION};
    unsigned open = 0;
    while (open <= FOREIGN_MAX && foreign_libc(&all[open]) == FOREIGN_OK) open++;
    assert_in_range(open, 2, FOREIGN_MAX);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(all[i].ops.init(&heaps[i], &region), EINVAL);
        assert_int_equal(all[i].ops.init(&heaps[i], &host), 0);
        assert_ptr_equal(heaps[i], &all[i]);
        void *p = all[i].ops.malloc(&heaps[i], 10);
        assert_non_null(p);
        all[i].ops.free(&heaps[i], p);
        all[i].ops.fini(&heaps[i]);
    }
    foreign_close(&all[0]);
    assert_int_equal(foreign_libc(&all[0]), FOREIGN_OK);
    assert_int_equal(foreign_libc(&all[open]), FOREIGN_ERROR);
    for (unsigned i = 0; i < open; i++) foreign_close(&all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_builtin_resolves),
        cmocka_unit_test(allocators_are_told_from_files),
        cmocka_unit_test(unknown_builtin_tells_the_nearest),
        cmocka_unit_test(libraries_by_the_look_of_their_names),
        cmocka_unit_test(too_long_names_are_refused),
        cmocka_unit_test(profiles_change_the_contract),
        cmocka_unit_test(every_word_listed_is_known),
        cmocka_unit_test(unknown_words_are_refused),
        cmocka_unit_test(illegal_needs_a_promise),
        cmocka_unit_test(offers_follow_the_vtable),
        cmocka_unit_test(foreign_heaps_coexist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
