/* test_explore.c: the exploration in this process: its set of states, its proofs, its shortest programs, going on. */
#include "exploration.h"
#include "explore_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct target target;
static struct exploration x;
static struct verdict verdict;
static char error[1024];

/* An exploration that has not begun. */
static void prepare(const char *name, const char *ops, const char *sizes, uint64_t heap)
{
    struct explore_orders orders;
    assert_int_equal(target_resolve(&target, name, NULL, NULL, error, sizeof error), 0);
    assert_int_equal(exploration_orders(&orders, &target, ops, sizes, heap, error, sizeof error), 0);
    x = (struct exploration){.target = &target, .memory_bytes = 16 << 20};
    assert_int_equal(exploration_open(&x, &orders, error, sizeof error), 0);
}

static void run(void)
{
    static struct exec_counters counters;
    const struct exec_options options = {.ops = target.ops, .contract = target.contract, .counters = &counters};
    explore_run(x.explore, &options, &verdict);
}

static void every_state_is_found_once(void **state)
{
    (void)state;
    prepare("freelist", NULL, NULL, 0);
    struct explore *e = x.explore;
    states_index(e);
    for (uint64_t i = 0; i < 100000; i++) {
        const struct explore_state s = {.hash = hash_mix(i) & ~UINT64_C(0xF0), .parent = (uint32_t)i};
        assert_true(states_know(e, s.hash) == !states_add(e, &s) || !states_know(e, s.hash + 16));
        assert_true(states_know(e, s.hash));
        assert_false(states_add(e, &s));
    }
    const uint64_t states = e->states;
    states_index(e); /* anew, from the hashes */
    for (uint64_t i = 0; i < states; i++) assert_true(states_know(e, explore_states(e)[i].hash));
    exploration_close(&x);
}

static void memory_holds_what_it_says(void **state)
{
    (void)state;
    for (uint64_t bytes = 1 << 20; bytes < UINT64_C(1) << 32; bytes = bytes * 3 / 2) {
        const uint64_t states = explore_states_in(bytes);
        assert_true(explore_bytes(states) <= bytes);
        assert_true(explore_bytes(states + 1) > bytes || states == UINT32_MAX - 1);
        /* At its worst a table has just been doubled. */
        assert_true(explore_bytes(states) - explore_bytes(1) <= 40 * states + 4096);
    }
}

static void a_small_heap_is_proved(void **state)
{
    (void)state;
    prepare("freelist", NULL, NULL, 128);
    run();
    assert_int_equal(verdict.kind, VERDICT_PASS);
    assert_true(explore_proved(x.explore));
    assert_true(x.explore->states > 50 && x.explore->expanded == x.explore->states);
    assert_int_equal(x.explore->orders.sizes[0], 112); /* what a header leaves of it */
    exploration_close(&x);
}

/* Two slots, two blocks of one size: whoever is where, it is one state. */
static void slots_are_alike(void **state)
{
    (void)state;
    prepare("freelist", "malloc,free", "16", 64);
    run();
    assert_true(explore_proved(x.explore));
    /* nothing yet, one, two; one freed of two: the first, or the last; nothing again, with and without a second block's
     * memory. */
    assert_int_equal(x.explore->states, 7);
    exploration_close(&x);
}

static void
buddies_are_counted(void **state) /* with blocks of 2 to 16 frames of 16: 1 + (1 + (1 + 2^2)^2)^2, and the fresh heap */
{
    (void)state;
    prepare("buddy", NULL, "65536,32768,16384,8192", 0);
    run();
    assert_int_equal(verdict.kind, VERDICT_PASS);
    assert_true(explore_proved(x.explore));
    assert_int_equal(x.explore->states, 678);
    exploration_close(&x);
}

static void slabs_are_proved(void **state)
{
    (void)state;
    prepare("slab", NULL, "8192", 0);
    run();
    assert_int_equal(verdict.kind, VERDICT_PASS);
    assert_true(explore_proved(x.explore));
    exploration_close(&x);
}

static void a_bound_is_kept(void **state)
{
    (void)state;
    prepare("freelist", NULL, NULL, 0);
    x.explore->orders.depth_max = 2;
    run();
    assert_int_equal(x.explore->end, EXPLORE_DEPTH);
    assert_int_equal(x.explore->depth, 2);
    assert_false(explore_proved(x.explore));
    exploration_close(&x);
}

static void full_memory_ends_it(void **state)
{
    (void)state;
    prepare("freelist", NULL, NULL, 0);
    x.explore->orders.states_max = 100;
    run();
    assert_int_equal(x.explore->end, EXPLORE_FULL);
    assert_int_equal(x.explore->states, 100);
    exploration_close(&x);
}

static void the_first_program_is_a_shortest(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum rule rule;
        uint32_t ops;
    } expected[] = {
        {"broken/free_scribbles", RULE_C10, 3}, /* two blocks, and a free */
        {"broken/malloc_rounds_up", RULE_C28, 1},
        {"broken/never_splits", RULE_A23, 3}, /* a block, freed, and taken by a smaller request */
        {"broken/cache_hands_out_twice", RULE_C7, 4},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        static struct program p;
        prepare(expected[i].name, "malloc,free", NULL, 0);
        run();
        explore_program(x.explore, &p);
        assert_int_equal(x.explore->end, EXPLORE_BROKEN);
        assert_int_equal(verdict.rule, expected[i].rule);
        assert_int_equal(p.op_count, expected[i].ops);
        exploration_close(&x);
    }
}

/* In pieces, through a file, it comes to what it comes to at once. */
static void it_goes_on(void **state)
{
    (void)state;
    char path[] = "explore-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    prepare("freelist", NULL, NULL, 160);
    run();
    const uint64_t states = x.explore->states, transitions = x.explore->transitions;
    exploration_close(&x);
    prepare("freelist", NULL, NULL, 160);
    for (uint32_t depth = 1; !explore_proved(x.explore); depth++) {
        x.explore->orders.depth_max = depth;
        run();
        assert_int_equal(exploration_save(&x, path, error, sizeof error), 0);
        exploration_close(&x);
        prepare("freelist", NULL, NULL, 160);
        assert_int_equal(exploration_load(&x, path, error, sizeof error), 0);
    }
    assert_int_equal(x.explore->states, states);
    assert_int_equal(x.explore->transitions, transitions);
    exploration_close(&x);
    prepare("buddy", NULL, NULL, 0);
    assert_int_equal(exploration_load(&x, path, error, sizeof error), -1);
    assert_non_null(strstr(error, "another allocator"));
    exploration_close(&x);
    remove(path);
}

static void what_cannot_be_put_back_is_told(void **state)
{
    (void)state;
    static const char *const names[] = {"libc", "region", "stack", "break", "vmalloc"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        prepare(names[i], NULL, NULL, 0);
        run();
        assert_int_equal(verdict.kind, VERDICT_ERROR);
        assert_true(strlen(verdict.seen) > 10);
        exploration_close(&x);
    }
}

static void words_are_read(void **state)
{
    (void)state;
    struct explore_orders o;
    assert_int_equal(target_resolve(&target, "freelist", NULL, NULL, error, sizeof error), 0);
    assert_int_equal(exploration_orders(&o, &target, "malloc,free", "16,64,32", 0, error, sizeof error), 0);
    assert_true(o.sizes[0] == 64 && o.sizes[2] == 16 && o.size_count == 3 && o.heap.size == 256 && !o.odd);
    assert_int_equal(exploration_orders(&o, &target, "all", NULL, 99, error, sizeof error), 0);
    assert_true(o.odd && o.heap.size == 99 && o.ops >> OP_MEMALIGN & 1 && !(o.ops >> OP_REPEAT & 1));
    assert_int_equal(exploration_orders(&o, &target, "mallok", NULL, 0, error, sizeof error), -1);
    assert_int_equal(exploration_orders(&o, &target, NULL, "16,,32", 0, error, sizeof error), -1);
}

int main(void)
{
    if (sizeof(void *) < 8) {
        puts("in 32 bits heaps have more states, and not all of these close");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_is_found_once),
        cmocka_unit_test(memory_holds_what_it_says),
        cmocka_unit_test(a_small_heap_is_proved),
        cmocka_unit_test(slots_are_alike),
        cmocka_unit_test(buddies_are_counted),
        cmocka_unit_test(slabs_are_proved),
        cmocka_unit_test(a_bound_is_kept),
        cmocka_unit_test(full_memory_ends_it),
        cmocka_unit_test(the_first_program_is_a_shortest),
        cmocka_unit_test(it_goes_on),
        cmocka_unit_test(what_cannot_be_put_back_is_told),
        cmocka_unit_test(words_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
