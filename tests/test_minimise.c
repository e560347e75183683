/* test_minimise.c: shrinking with made-up failures: the smallest program is reached, the same one every time, within the
 * tries allowed. */
#include "minimise.h"

#include "kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define TRIES 3000u
#define OPS 60u

static struct program program, again;

/* Whether a program fails, and how many were asked about. */
struct wanted {
    bool (*fails)(const struct program *p, struct verdict *v);
    uint32_t asked;
    uint32_t stop_after; /* raises `stop` then; 0: never */
    bool stop;
};

static bool fails(void *context, const struct program *candidate, struct verdict *verdict)
{
    struct wanted *w = context;
    static struct program normal;
    memcpy(&normal, candidate, sizeof normal);
    program_normalise(&normal);
    assert_true(program_equal(&normal, candidate)); /* every candidate is a whole valid program */
    if (++w->asked == w->stop_after) w->stop = true;
    *verdict = (struct verdict){.kind = VERDICT_FAIL, .rule = RULE_A15};
    return w->fails(candidate, verdict);
}

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545F4914F6CDD1D) >> 16;
}

/* A program full of everything, on a heap that is not the simplest. */
static void random_program(struct program *p, uint64_t seed)
{
    unsigned char bytes[SWARM_HEAD_BYTES + OPS * SWARM_OP_BYTES];
    uint64_t random = seed * 2 + 1;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)random_next(&random);
    bytes[0] = SWARM_HEAP;
    program_decode(p, bytes, sizeof bytes);
    p->heap.size = 65000;
    p->heap.course = COURSE_DRAIN;
    p->heap.seed = 77;
    p->heap.dirty = DIRTY_FF;
}

static void put(struct program *p, uint32_t at, struct op op)
{
    p->ops[at] = op;
    if (op.count == 0) p->ops[at].count = 1;
    program_normalise(p);
}

static uint32_t shrink(struct program *p, struct wanted *w, uint32_t tries_max, struct verdict *v)
{
    struct minimiser m = {.fails = fails, .context = w, .stop = &w->stop, .tries_max = tries_max};
    assert_true(w->fails(p, v));
    minimise(&m, p, v);
    assert_true(m.tries <= tries_max);
    assert_int_equal(m.tries, w->asked);
    assert_true(w->fails(p, v)); /* what is left still fails */
    return m.tries;
}

static void assert_heap_is_plain(const struct program *p)
{
    assert_int_equal(p->heap.course, COURSE_PLAIN);
    assert_int_equal(p->heap.dirty, DIRTY_ZERO);
    assert_int_equal(p->heap.place, PLACE_HIGH);
    assert_int_equal(p->heap.fence, FENCE_ENDS);
    assert_int_equal(p->heap.seed, 0);
    assert_int_equal(p->heap.fail, 0);
    assert_true(p->heap.size == 64);
}

/* ---- Failures ------------------------------------------------------------------------------------------------------- */

/* A realloc of a slot that a calloc of a hundred bytes or more has filled before. */
static bool realloc_of_a_large_calloc(const struct program *p, struct verdict *v)
{
    for (uint32_t i = 0; i < p->op_count; i++)
        for (uint32_t k = 0; k < i && p->ops[i].kind == OP_REALLOC; k++) {
            const struct op *op = &p->ops[k];
            if (op->kind != OP_CALLOC || op->slot != p->ops[i].slot || op->a_kind != SIZE_LITERAL || op->a < 100)
                continue;
            v->op = i;
            return true;
        }
    return false;
}

static bool three_mallocs(const struct program *p, struct verdict *v)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->op_count; i++) {
        count += p->ops[i].kind == OP_MALLOC ? p->ops[i].count : 0;
        v->op = i;
        if (count >= 3) return true;
    }
    return false;
}

static bool any_program(const struct program *p, struct verdict *v)
{
    v->op = p->op_count;
    return true;
}

static bool only_as_it_was(const struct program *p, struct verdict *v)
{
    static struct program original;
    random_program(&original, 5);
    v->op = original.op_count ? original.op_count - 1 : 0;
    return program_equal(p, &original);
}

static bool needs_the_heap(const struct program *p, struct verdict *v)
{
    v->op = p->op_count;
    return p->heap.size >= 1000 && p->heap.course == COURSE_DRAIN && p->heap.dirty == DIRTY_FF;
}

static void plant(struct program *p, uint64_t seed)
{
    random_program(p, seed);
    assert_true(p->op_count > 40);
    put(p, 10, (struct op){.kind = OP_CALLOC, .slot = 1234, .a = 5000, .b = 7});
    put(p, 35, (struct op){.kind = OP_REALLOC, .slot = 1234, .a = 99999});
}

/* ---- Tests ---------------------------------------------------------------------------------------------------------- */

static void two_operations_are_left_with_the_smallest_sizes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct wanted w = {.fails = realloc_of_a_large_calloc};
        struct verdict v = {0};
        plant(&program, seed);
        shrink(&program, &w, TRIES, &v);
        assert_int_equal(program.op_count, 2);
        assert_int_equal(v.op, 1);
        const struct op *made = &program.ops[0], *resized = &program.ops[1];
        assert_int_equal(made->kind, OP_CALLOC);
        assert_int_equal(resized->kind, OP_REALLOC);
        assert_true(made->a == 100 && made->b <= 1);
        assert_true(resized->a == 0);
        assert_int_equal(made->slot, 0); /* and the lowest slot */
        assert_int_equal(resized->slot, 0);
        assert_heap_is_plain(&program);
    }
}

static void runs_are_shortened_or_joined(void **state)
{
    (void)state;
    struct wanted w = {.fails = three_mallocs};
    struct verdict v = {0};
    program_clear(&program);
    program.op_count = 20;
    for (uint32_t i = 0; i < 20; i++) program.ops[i] = (struct op){.kind = OP_FREE_NULL, .count = 1};
    put(&program, 7, (struct op){.kind = OP_MALLOC, .slot = 40, .count = 500, .stride = 1, .step = 8, .a = 16});
    shrink(&program, &w, TRIES, &v);
    assert_int_equal(program.op_count, 1);
    assert_int_equal(program.ops[0].count, 3);
    assert_int_equal(program.ops[0].step, 0);
    assert_true(program.ops[0].a == 0);
}

static void a_program_that_always_fails_becomes_the_empty_one(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct wanted w = {.fails = any_program};
        struct verdict v = {0};
        random_program(&program, seed);
        shrink(&program, &w, TRIES, &v);
        assert_int_equal(program.op_count, 0);
        assert_heap_is_plain(&program);
    }
}

static void what_cannot_be_shrunk_stays(void **state)
{
    (void)state;
    struct wanted w = {.fails = only_as_it_was};
    struct verdict v = {0};
    random_program(&program, 5);
    memcpy(&again, &program, sizeof again);
    shrink(&program, &w, 100 * TRIES, &v);
    assert_true(program_equal(&program, &again));
}

static void what_the_failure_needs_of_the_heap_stays(void **state)
{
    (void)state;
    struct wanted w = {.fails = needs_the_heap};
    struct verdict v = {0};
    random_program(&program, 9);
    shrink(&program, &w, TRIES, &v);
    assert_int_equal(program.op_count, 0);
    assert_int_equal(program.heap.course, COURSE_DRAIN);
    assert_int_equal(program.heap.dirty, DIRTY_FF);
    assert_int_equal(program.heap.seed, 0);
    assert_true(program.heap.size == 1024); /* the smallest power of two that will do */
}

static void the_same_program_shrinks_to_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct wanted first = {.fails = realloc_of_a_large_calloc}, second = first;
        struct verdict v = {0}, u = {0};
        plant(&program, seed);
        memcpy(&again, &program, sizeof again);
        uint32_t tries = shrink(&program, &first, 200, &v);
        assert_int_equal(shrink(&again, &second, 200, &u), tries);
        assert_true(program_equal(&program, &again));
        assert_int_equal(v.op, u.op);
    }
}

static void tries_are_bounded(void **state)
{
    (void)state;
    const uint32_t bounds[] = {0, 1, 2, 7, 50};
    uint32_t before = OPS + 1;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        struct wanted w = {.fails = realloc_of_a_large_calloc};
        struct verdict v = {0};
        plant(&program, 3);
        uint32_t ops = program.op_count;
        shrink(&program, &w, bounds[i], &v);
        assert_true(program.op_count <= before);
        before = program.op_count;
        if (!bounds[i]) assert_int_equal(program.op_count, ops);
    }
}

static void the_user_may_stop_it(void **state)
{
    (void)state;
    for (uint32_t after = 1; after < 40; after += 3) {
        struct wanted w = {.fails = realloc_of_a_large_calloc, .stop_after = after};
        struct verdict v = {0};
        plant(&program, 4);
        assert_int_equal(shrink(&program, &w, TRIES, &v), after);
    }
}

static bool only_a_free_null(const struct program *p, struct verdict *v)
{
    v->op = 0;
    return p->op_count > 0 && p->ops[0].kind == OP_FREE_NULL;
}

/* An object of a poisoned cache, taken under a mask that may wake kswapd. */
static bool poisoned_object(const struct program *p, struct verdict *v)
{
    bool poisoned[PROGRAM_CACHES] = {false};
    for (uint32_t i = 0; i < p->op_count; i++) {
        const struct op *op = &p->ops[i];
        v->op = i;
        if (op->kind == OP_CACHE_CREATE && PROGRAM_CACHE_FLAGS(op->b) & CACHE_POISON) poisoned[op->a] = true;
        if ((op->kind == OP_CACHE_ALLOC || op->kind == OP_CACHE_ZALLOC) && op->gfp & GFP_BIT_KSWAPD && poisoned[op->a])
            return true;
    }
    return false;
}

static void kernel_programs_lose_flags_masks_and_machine(void **state)
{
    (void)state;
    struct wanted w = {.fails = poisoned_object};
    struct verdict v = {.op = 4};
    const uint64_t args = PROGRAM_CACHE_ARGS(1000, 64, CACHE_POISON | CACHE_RED_ZONE | CACHE_HWCACHE_ALIGN, true);
    program_clear(&program);
    put(&program, 0, (struct op){.kind = OP_KMALLOC, .count = 9, .stride = 1, .a = 100, .gfp = GFP_KERNEL});
    put(&program, 1, (struct op){.kind = OP_CONTEXT, .count = 1, .a = CONTEXT_SOFTIRQ});
    put(&program, 2, (struct op){.kind = OP_CACHE_CREATE, .count = 1, .a = 0, .b = args});
    put(&program, 3, (struct op){.kind = OP_POOL_CREATE, .count = 1, .b = PROGRAM_POOL_ARGS(POOL_PAGES, 9, 1)});
    put(&program, 4, (struct op){.kind = OP_CACHE_ZALLOC, .slot = 40, .count = 1, .gfp = GFP_ATOMIC | GFP_BIT_NOWARN});
    program.op_count = 5;
    program.heap.machine = MACHINE_SODD;
    program.heap.scatter = 1;
    shrink(&program, &w, TRIES, &v);
    assert_int_equal(program.op_count, 2);
    assert_int_equal(program.ops[0].b, PROGRAM_CACHE_ARGS(8, 0, CACHE_POISON, false));
    assert_int_equal(program.ops[1].kind, OP_CACHE_ALLOC);
    assert_int_equal(program.ops[1].gfp, GFP_KERNEL);
    assert_true(program.heap.machine == MACHINE_S4 && !program.heap.scatter);

    program.heap.machine = MACHINE_SMAP; /* which nothing of the malloc family looks at */
    program.ops[0].kind = OP_FREE_NULL;
    program.op_count = 1;
    w = (struct wanted){.fails = only_a_free_null};
    shrink(&program, &w, TRIES, &v);
    assert_true(program.op_count == 1 && program.heap.machine == MACHINE_S64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_operations_are_left_with_the_smallest_sizes),
        cmocka_unit_test(runs_are_shortened_or_joined),
        cmocka_unit_test(a_program_that_always_fails_becomes_the_empty_one),
        cmocka_unit_test(what_cannot_be_shrunk_stays),
        cmocka_unit_test(what_the_failure_needs_of_the_heap_stays),
        cmocka_unit_test(the_same_program_shrinks_to_the_same),
        cmocka_unit_test(kernel_programs_lose_flags_masks_and_machine),
        cmocka_unit_test(tries_are_bounded),
        cmocka_unit_test(the_user_may_stop_it),
    };
    return cmocka_run_group_tests_name("minimise", tests, NULL, NULL);
}
