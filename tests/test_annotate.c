/* test_annotate.c: a heap that tells ASan and memcheck whose its bytes are. What they would report is asked for where one of
 * them listens (the preset asan; tests/valgrind.sh runs this under memcheck); elsewhere, that everything is forwarded. */
#include "annotate.h"
#include "backing.h"
#include "builtin.h"
#include "sanitizer.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAP_BYTES 32768u

struct fixture {
    const struct alloc_ops *ops;
    struct lender lender;
    void *heap;
};

static bool listens(void) { return sanitizer_asan() || sanitizer_memcheck(); }

static void open_heap(struct fixture *f, const struct alloc_ops *inner, enum annotate_side side)
{
    static const struct alloc_ops *made[2][2]; /* they last; freelist and stack */
    const struct alloc_ops **ops = &made[inner == &alloc_stack][side];
    if (!*ops) *ops = annotate(inner, side);
    assert_non_null(*ops);
    const struct lender_geometry lend = {.kind = inner->contract.backing, .size = HEAP_BYTES};
    f->ops = *ops;
    lender_init(&f->lender);
    assert_int_equal(lender_fresh(&f->lender, &lend), 0);
    f->heap = calloc(1, f->ops->state_size);
    assert_int_equal(f->ops->init(f->heap, &f->lender.face), 0);
}

static void close_heap(struct fixture *f)
{
    f->ops->fini(f->heap);
    assert_false(sanitizer_forbidden(f->lender.face.base));
    assert_false(sanitizer_forbidden(f->lender.face.base + HEAP_BYTES - 1));
    free(f->heap);
    lender_close(&f->lender);
}

/* ---- Forwarding -------------------------------------------------------------------------------------------------------- */

/* The operations as words: a forgotten one is NULL, or still the inner one's. */
static void every_operation_is_forwarded(void **state)
{
    (void)state;
    struct alloc_ops inner = alloc_freelist;
    inner.frame_push = alloc_stack.frame_push;
    inner.frame_pop = alloc_stack.frame_pop;
    const struct alloc_ops *o = annotate(&inner, ANNOTATE_OWNERS);
    const void *a[64], *b[64];
    const size_t first = offsetof(struct alloc_ops, init), words = (sizeof inner - first) / sizeof(void *);
    assert_non_null(o);
    assert_true(words <= 64);
    memcpy(a, (const char *)&inner + first, words * sizeof *a);
    memcpy(b, (const char *)o + first, words * sizeof *b);
    for (size_t i = 0; i < words; i++) {
        assert_int_equal(!a[i], !b[i]);
        assert_true(!a[i] || a[i] != b[i]);
    }
}

static void what_gives_no_blocks_is_refused(void **state)
{
    (void)state;
    assert_null(annotate(&alloc_region, ANNOTATE_ALLOCATOR));
    assert_null(annotate(&alloc_break, ANNOTATE_ALLOCATOR));
    assert_null(annotate(&alloc_buddy, ANNOTATE_OWNERS));
}

static void many_blocks_are_remembered(void **state)
{
    (void)state;
    struct fixture f;
    void *p[600];
    unsigned count = 0;
    open_heap(&f, &alloc_freelist, ANNOTATE_OWNERS);
    while (count < 600 && (p[count] = f.ops->malloc(f.heap, 1 + count % 8))) count++;
    assert_true(count > 256); /* the table has grown */
    for (unsigned i = 0; i < count; i += 2) f.ops->free(f.heap, p[i]);
    for (unsigned i = 1; i < count; i += 2) *(volatile char *)p[i] = 1;
    assert_null(f.ops->check(f.heap));
    for (unsigned i = 1; i < count; i += 2) f.ops->free(f.heap, p[i]);
    close_heap(&f);
}

/* ---- The owners' side --------------------------------------------------------------------------------------------------- */

static void only_live_blocks_are_accessible(void **state)
{
    (void)state;
    struct fixture f;
    open_heap(&f, &alloc_freelist, ANNOTATE_OWNERS);
    unsigned char *p = f.ops->malloc(f.heap, 24), *q = f.ops->calloc(f.heap, 2, 16);
    assert_non_null(p);
    assert_non_null(q);
    assert_false(sanitizer_forbidden(p) || sanitizer_forbidden(p + 23) || sanitizer_forbidden(q));
    assert_int_equal(q[31], 0);
    assert_int_equal(sanitizer_forbidden(p - 1), listens());
    assert_int_equal(sanitizer_forbidden(p + 24), listens());
    memset(p, 7, 24);
    p = f.ops->realloc(f.heap, p, 40);
    assert_non_null(p);
    assert_int_equal(p[23], 7);
    assert_false(sanitizer_forbidden(p + 39));
    assert_int_equal(sanitizer_forbidden(p + 40), listens());
    assert_null(f.ops->realloc(f.heap, p, 2 * HEAP_BYTES)); /* refused: still there */
    assert_int_equal(p[23], 7);
    f.ops->free(f.heap, p);
    assert_int_equal(sanitizer_forbidden(p), listens());
    assert_false(sanitizer_forbidden(q));
    close_heap(&f);
}

static void blocks_end_with_their_frame(void **state)
{
    (void)state;
    struct fixture f;
    open_heap(&f, &alloc_stack, ANNOTATE_OWNERS);
    unsigned char *p = f.ops->malloc(f.heap, 16);
    f.ops->frame_push(f.heap);
    unsigned char *q = f.ops->malloc(f.heap, 16);
    assert_false(sanitizer_forbidden(p) || sanitizer_forbidden(q));
    f.ops->frame_pop(f.heap);
    assert_false(sanitizer_forbidden(p));
    assert_int_equal(sanitizer_forbidden(q), listens());
    close_heap(&f);
}

#ifdef SANITIZER_MEMCHECK
static unsigned memcheck_errors(void) { return (unsigned)VALGRIND_COUNT_ERRORS; }
#else
static unsigned memcheck_errors(void) { return 0; }
#endif

/* The whole way: a stray write of a block's owner ends the process under ASan, and is counted by memcheck. */
static void stray_of_an_owner_is_reported(void **state)
{
    (void)state;
    struct fixture f;
    if (!listens()) skip();
    open_heap(&f, &alloc_freelist, ANNOTATE_OWNERS);
    volatile unsigned char *p = f.ops->malloc(f.heap, 24);
    f.ops->free(f.heap, f.ops->malloc(f.heap, 24)); /* the allocator reads and writes there: no error of its own */
    assert_int_equal(memcheck_errors(), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO); /* the report is expected */
        p[24] = 1;
        _exit(memcheck_errors() == 1 ? 1 : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_not_equal(status, 0);
    f.ops->free(f.heap, (void *)p);
    close_heap(&f);
}

/* ---- The allocator's side ----------------------------------------------------------------------------------------------- */

static void live_blocks_are_closed_to_the_allocator(void **state)
{
    (void)state;
    struct fixture f;
    open_heap(&f, &alloc_freelist, ANNOTATE_ALLOCATOR);
    unsigned char *p = f.ops->malloc(f.heap, 24);
    assert_int_equal(sanitizer_forbidden(p), listens());
    assert_false(sanitizer_forbidden(p - 1));
    f.ops->free(f.heap, p);
    assert_false(sanitizer_forbidden(p));
    close_heap(&f);
    sanitizer_unmute();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_is_forwarded),
        cmocka_unit_test(what_gives_no_blocks_is_refused),
        cmocka_unit_test(many_blocks_are_remembered),
        cmocka_unit_test(only_live_blocks_are_accessible),
        cmocka_unit_test(blocks_end_with_their_frame),
        cmocka_unit_test(stray_of_an_owner_is_reported),
        cmocka_unit_test(live_blocks_are_closed_to_the_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
