/* Unit tests of host_maps.h, each in a process of its own, as watching is for good. */
#include "host_maps.h"

#include "backing.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE ((size_t)4096)

/* In the child: what is not so ends it. */
#define HOLDS(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1);                                                       \
        }                                                                   \
    } while (0)

/* Volatile, because the compiler knows that no mmap calls back into this file. */
static volatile struct {
    unsigned requests, refuse; /* the refuse-th; 0: none */
} judge;

static bool refuses(void *context, bool full)
{
    (void)full;
    (void)context;
    return ++judge.requests == judge.refuse;
}

static unsigned char *map(size_t bytes)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void in_a_child(void (*body)(void), uint64_t limit)
{
    int status;
    const pid_t child = fork();
    if (child == 0) {
        const int error = host_maps_watch(limit);
        if (error) _exit(77);
        host_maps_judge(refuses, NULL);
        body();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void apart(void)
{
    host_maps_enter();
    unsigned char *a = map(2 * PAGE), *b = map(PAGE + 1), *c = map(PAGE);
    host_maps_leave();
    HOLDS(a != MAP_FAILED && b != MAP_FAILED && c != MAP_FAILED);
    HOLDS(host_maps_bytes() == 5 * PAGE && judge.requests == 3);
    a[0] = a[2 * PAGE - 1] = b[0] = b[2 * PAGE - 1] = 1;
    HOLDS(!lender_readable(a - 1) && !lender_readable(a + 2 * PAGE) && !lender_readable(b - 1) &&
          !lender_readable(b + 2 * PAGE) && !lender_readable(c - 1) && !lender_readable(c + PAGE));
}

static void parts(void)
{
    host_maps_enter();
    unsigned char *a = map(8 * PAGE), *b = map(PAGE);
    HOLDS(munmap(a, PAGE) == 0 && munmap(a + 3 * PAGE, 2 * PAGE) == 0 && munmap(a + 7 * PAGE, PAGE) == 0);
    HOLDS(host_maps_bytes() == 5 * PAGE);
    HOLDS(!lender_readable(a) && lender_readable(a + PAGE) && !lender_readable(a + 3 * PAGE) &&
          lender_readable(a + 5 * PAGE) && !lender_readable(a + 7 * PAGE));
    HOLDS(munmap(a, 8 * PAGE) == 0 && host_maps_bytes() == PAGE); /* holes are no error */
    HOLDS(munmap(b, 0) == -1 && errno == EINVAL && host_maps_bytes() == PAGE);
    /* What the caller places stays where he wants it. */
    a = map(4 * PAGE);
    unsigned char *c = mmap(a + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    host_maps_leave();
    HOLDS(c == a + PAGE && host_maps_bytes() == 5 * PAGE);
}

static void moved(void)
{
    host_maps_enter();
    unsigned char *a = map(2 * PAGE), *b = map(PAGE);
    a[0] = 7;
    HOLDS(mremap(a, 2 * PAGE, 3 * PAGE, 0) == MAP_FAILED && errno == ENOMEM); /* the gap behind it stays */
    unsigned char *c = mremap(a, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
    HOLDS(c != MAP_FAILED && c[0] == 7 && host_maps_bytes() == 6 * PAGE);
    HOLDS(!lender_readable(a) && !lender_readable(c - 1) && !lender_readable(c + 5 * PAGE));
    HOLDS(mremap(c, 5 * PAGE, 2 * PAGE, 0) == c && host_maps_bytes() == 3 * PAGE && !lender_readable(c + 2 * PAGE));
    HOLDS(munmap(b, PAGE) == 0);
    HOLDS(mremap(c, 2 * PAGE, 4 * PAGE, 0) == c && host_maps_bytes() == 4 * PAGE); /* there is room now */
    host_maps_leave();
    HOLDS(!lender_readable(c + 4 * PAGE));
}

static void refused(void)
{
    host_maps_enter();
    unsigned char *a = map(2 * PAGE);
    a[0] = 7;
    void *brk = sbrk(0);
    judge.requests = 0;
    judge.refuse = 1;
    HOLDS(map(PAGE) == MAP_FAILED && errno == ENOMEM);
    judge.requests = 0;
    HOLDS(munmap(a, PAGE) == -1 && errno == ENOMEM && a[0] == 7);
    judge.requests = 0;
    HOLDS(mremap(a, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM && a[0] == 7);
    judge.requests = 0;
    HOLDS(madvise(a, PAGE, MADV_DONTNEED) == -1 && errno == EAGAIN && a[0] == 7);
    judge.requests = 0;
    HOLDS(mprotect(a, PAGE, PROT_READ) == -1 && errno == ENOMEM);
    a[0] = 8;
    judge.requests = 0;
    HOLDS(sbrk(4096) == (void *)-1 && errno == ENOMEM && sbrk(0) == brk);
    HOLDS(judge.requests == 1);
    HOLDS(sbrk(4096) == brk && host_maps_bytes() == 3 * PAGE);
    host_maps_leave();
}

static void limited(void)
{
    host_maps_enter();
    unsigned char *a = map(3 * PAGE);
    HOLDS(a != MAP_FAILED && map(2 * PAGE) == MAP_FAILED && errno == ENOMEM);
    HOLDS(munmap(a, PAGE) == 0 && map(2 * PAGE) != MAP_FAILED && map(PAGE) == MAP_FAILED);
    host_maps_leave();
    HOLDS(map(64 * PAGE) != MAP_FAILED); /* is not the library's */
    HOLDS(host_maps_bytes() == 4 * PAGE);
}

static void mappings_lie_apart(void **state) { (void)state, in_a_child(apart, 0); }
static void parts_are_unmapped_and_counted(void **state) { (void)state, in_a_child(parts, 0); }
static void a_mapping_grows_shrinks_and_moves(void **state) { (void)state, in_a_child(moved, 0); }
static void each_kind_of_request_can_be_refused(void **state) { (void)state, in_a_child(refused, 0); }
static void a_limit_is_kept(void **state) { (void)state, in_a_child(limited, 4 * PAGE); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_lie_apart),
        cmocka_unit_test(parts_are_unmapped_and_counted),
        cmocka_unit_test(a_mapping_grows_shrinks_and_moves),
        cmocka_unit_test(each_kind_of_request_can_be_refused),
        cmocka_unit_test(a_limit_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
