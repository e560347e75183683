/* test_alloca.c: what the simulated stack imitates, held against the compiler's own alloca (A30-A34).
 *
 * alloca cannot be replaced from outside, so it is probed by functions that use it. They are kept out of line, because
 * a function that is inlined has no frame of its own.
 */
#include <alloca.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOINLINE __attribute__((noinline))

static void fill(unsigned char *p, size_t n, unsigned char with)
{
    memset(p, with, n);
    __asm__ volatile("" : : "r"(p) : "memory"); /* the bytes are needed, for all the compiler knows */
}

static void expect(const unsigned char *p, size_t n, unsigned char with)
{
    for (size_t i = 0; i < n; i++) assert_int_equal(p[i], with);
}

static NOINLINE uintptr_t one_block(size_t size)
{
    unsigned char *p = alloca(size);
    fill(p, size, 0xee);
    return (uintptr_t)p;
}

/* Frames inside frames, each with a block of its own that must survive all deeper ones. */
static NOINLINE void nested(unsigned depth, size_t size)
{
    unsigned char *p = alloca(size + depth);
    fill(p, size + depth, (unsigned char)depth);
    if (depth > 0) nested(depth - 1, size);
    one_block(3 * size);
    expect(p, size + depth, (unsigned char)depth);
}

static void older_frames_keep_their_contents(void **state)
{
    (void)state;
    for (size_t size = 1; size < 300; size += 37) nested(40, size);
}

static void a_frame_gives_its_space_back(void **state)
{
    (void)state;
    uintptr_t first = one_block(4096);
    for (unsigned i = 0; i < 100000; i++) assert_true(one_block(4096) == first); /* 400 MB, if it leaked */
}

static void longjmp_gives_frames_back(void **state)
{
    (void)state;
    static jmp_buf back;
    static uintptr_t first;
    static volatile unsigned rounds;
    rounds = 0;
    if (setjmp(back) != 0) rounds++;
    uintptr_t here = one_block(4096);
    if (rounds == 0) first = here;
    assert_true(here == first);
    if (rounds < 10000) longjmp(back, 1);
}

static NOINLINE void several_blocks(void)
{
    enum { BLOCKS = 20 };
    unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t size = 1 + 7 * i;
        blocks[i] = alloca(size);
        fill(blocks[i], size, (unsigned char)i);
        assert_int_equal((uintptr_t)blocks[i] % alignof(max_align_t), 0);
#if defined __x86_64__ || defined __i386__ || defined __aarch64__
        if (i > 0) assert_true((uintptr_t)blocks[i] + size <= (uintptr_t)blocks[i - 1]);
#endif
    }
    for (size_t i = 0; i < BLOCKS; i++) expect(blocks[i], 1 + 7 * i, (unsigned char)i);
}

static void blocks_of_one_frame_are_aligned_and_newer_ones_lower(void **state)
{
    (void)state;
    several_blocks();
}

/* The space belongs to the function, not to the block of the program text in which it was taken. */
static NOINLINE void taken_in_a_loop(void)
{
    unsigned char *last = NULL, *first = NULL;
    for (unsigned i = 0; i < 10; i++) {
        unsigned char *p = alloca(64);
        fill(p, 64, (unsigned char)i);
        if (first == NULL) first = p;
        last = p;
    }
    expect(first, 64, 0);
    expect(last, 64, 9);
}

static void space_outlives_the_block_of_text(void **state)
{
    (void)state;
    taken_in_a_loop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_frames_keep_their_contents),
        cmocka_unit_test(a_frame_gives_its_space_back),
        cmocka_unit_test(longjmp_gives_frames_back),
        cmocka_unit_test(blocks_of_one_frame_are_aligned_and_newer_ones_lower),
        cmocka_unit_test(space_outlives_the_block_of_text),
    };
    return cmocka_run_group_tests_name("alloca", tests, NULL, NULL);
}
