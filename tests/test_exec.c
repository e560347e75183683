/* test_exec.c: the executor and its model, judged on a tiny allocator that misbehaves once, at a known call: the verdict
 * names the rule, the operation and the call; and on a right one: counters, trace, and a PASS. */
#include "builtin.h"
#include "exec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- A tiny allocator ------------------------------------------------------------------------------------------------ */

/* What it does wrong, at its call number `fault_at` (from 1) of the operation concerned. */
enum fault {
    NONE,
    MALLOC_OVERLAPS,
    MALLOC_MISALIGNS,
    MALLOC_REACHES_OUT,
    MALLOC_SENTINEL,
    MALLOC_SCRIBBLES, /* into the oldest block */
    MALLOC_REPORTS,
    MALLOC_KEEPS_ERRNO,
    MALLOC_WRAPS,
    CALLOC_DIRTY,
    CALLOC_WRAPS,
    REALLOC_HALF,
    REALLOC_SPOILS_ON_REFUSAL,
    FREE_SETS_ERRNO,
    FREE_NULL_REPORTS,
    USABLE_SMALL,
    INIT_FAILS,
};

static enum fault fault;
static unsigned fault_at;

/* A bump allocator: sixteen bytes before each payload hold its size; free forgets. */
struct tiny {
    struct backing *backing;
    unsigned char *next, *oldest, *newest;
    unsigned calls;
};

#define HEADER 16u

static bool now(struct tiny *t, enum fault which) { return fault == which && ++t->calls == fault_at; }

static int tiny_init(void *heap, struct backing *backing)
{
    struct tiny *t = heap;
    *t = (struct tiny){.backing = backing, .next = backing->base};
    return fault == INIT_FAILS || backing->size < 64 ? ENOMEM : 0;
}

static void tiny_fini(void *heap) { (void)heap; }

static size_t size_of(const void *p)
{
    size_t size;
    memcpy(&size, (const unsigned char *)p - HEADER, sizeof size);
    return size;
}

static void *take(struct tiny *t, size_t size)
{
    unsigned char *end = t->backing->base + t->backing->size;
    unsigned char *p = t->next + (-(uintptr_t)t->next & 15) + HEADER;
    if (p > end || size > (size_t)(end - p)) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(p - HEADER, &size, sizeof size);
    memset(p, 0xEE, size);
    t->next = p + size;
    if (!t->oldest) t->oldest = p;
    return t->newest = p;
}

static void *tiny_malloc(void *heap, size_t size)
{
    struct tiny *t = heap;
    unsigned char *newest = t->newest;
    if (now(t, MALLOC_OVERLAPS)) return newest;
    if (now(t, MALLOC_SENTINEL)) return (void *)-1;
    if (now(t, MALLOC_SCRIBBLES)) t->oldest[5] ^= 1;
    if (now(t, MALLOC_REPORTS)) t->backing->report(t->backing, REPORT_BUG, NULL);
    if (now(t, MALLOC_REACHES_OUT)) {
        unsigned char *p = t->backing->base + (t->backing->size & ~(size_t)15) - 16;
        memcpy(p - HEADER, &size, sizeof size);
        return p;
    }
    if (now(t, MALLOC_WRAPS)) return take(t, 16);
    unsigned char *p = take(t, size);
    if (!p && now(t, MALLOC_KEEPS_ERRNO)) errno = 0;
    return now(t, MALLOC_MISALIGNS) ? p + 8 : p;
}

static void tiny_free(void *heap, void *p)
{
    struct tiny *t = heap;
    if (p ? now(t, FREE_SETS_ERRNO) : false) errno = EPERM;
    if (!p && now(t, FREE_NULL_REPORTS)) t->backing->report(t->backing, REPORT_BAD_FREE, p);
}

static void *tiny_calloc(void *heap, size_t count, size_t size)
{
    struct tiny *t = heap;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        if (now(t, CALLOC_WRAPS)) return take(t, 16);
        errno = ENOMEM;
        return NULL;
    }
    unsigned char *p = take(t, bytes);
    if (!p) return NULL;
    memset(p, 0, bytes);
    if (now(t, CALLOC_DIRTY)) p[bytes - 3] = 1;
    return p;
}

static void *tiny_realloc(void *heap, void *old, size_t size)
{
    struct tiny *t = heap;
    unsigned char *p = take(t, size);
    if (!p && old && now(t, REALLOC_SPOILS_ON_REFUSAL)) ((unsigned char *)old)[0] ^= 1;
    if (!p || !old) return p;
    size_t kept = size_of(old) < size ? size_of(old) : size;
    memcpy(p, old, now(t, REALLOC_HALF) ? kept / 2 : kept);
    return p;
}

static size_t tiny_usable_size(void *heap, const void *p)
{
    struct tiny *t = heap;
    if (!p) return 0;
    return now(t, USABLE_SMALL) ? size_of(p) - 1 : size_of(p);
}

static const struct alloc_ops tiny = {
    .abi = ALLOC_ABI,
    .name = "tiny",
    .summary = "a bump allocator that is wrong once",
    .contract = {.backing = BACKING_REGION,
                 .align_min = 16,
                 .align_max = 16,
                 .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO,
                 .size_min_bytes = 64},
    .state_size = sizeof(struct tiny),
    .init = tiny_init,
    .fini = tiny_fini,
    .malloc = tiny_malloc,
    .free = tiny_free,
    .calloc = tiny_calloc,
    .realloc = tiny_realloc,
    .usable_size = tiny_usable_size,
};

/* ---- Running --------------------------------------------------------------------------------------------------------- */

static struct program program;
static struct trace trace;
static struct exec_counters counters;

static void parse(const char *lines)
{
    char text[2000];
    struct parse_error error = {0};
    snprintf(text, sizeof text, "assay 1\n%s", lines);
    if (!program_parse(&program, text, strlen(text), &error))
        fail_msg("%zu:%zu: %s", error.line, error.column, error.message);
}

static struct verdict run(const struct alloc_ops *ops, const char *lines, bool thorough)
{
    struct verdict v;
    memset(&counters, 0, sizeof counters);
    struct exec_options options = {
        .ops = ops, .contract = ops->contract, .thorough = thorough, .trace = &trace, .counters = &counters};
    struct exec *x = exec_open(&options);
    assert_non_null(x);
    parse(lines);
    exec_run(x, &program, &v);
    exec_close(x);
    return v;
}

static void assert_passes(const struct alloc_ops *ops, const char *lines)
{
    for (unsigned thorough = 0; thorough < 2; thorough++) {
        struct verdict v = run(ops, lines, thorough);
        if (v.kind != VERDICT_PASS)
            fail_msg("%s: %s at operation %u, expected %s, seen %s", lines, v.rule ? rule_info(v.rule)->id : "no rule",
                     v.op, v.expected, v.seen);
    }
}

/* ---- Verdicts -------------------------------------------------------------------------------------------------------- */

static const struct {
    enum fault fault;
    unsigned at;
    enum rule rule;
    uint32_t op, step;
    uint16_t slot; /* PROGRAM_SLOTS: not asked */
    const char *lines;
} cases[] = {
    {MALLOC_OVERLAPS, 3, RULE_C7, 0, 2, PROGRAM_SLOTS, "p0..p4 = malloc 32"},
    {MALLOC_OVERLAPS, 2, RULE_C7, 1, 0, PROGRAM_SLOTS, "p0 = malloc 32\np1 = malloc 1"},
    {MALLOC_OVERLAPS, 2, RULE_A4, 1, 0, PROGRAM_SLOTS, "p0 = malloc 32\np1 = malloc 0"},
    {MALLOC_MISALIGNS, 4, RULE_A2, 0, 3, PROGRAM_SLOTS, "p0..p4 = malloc 32"},
    {MALLOC_REACHES_OUT, 2, RULE_C8, 1, 0, PROGRAM_SLOTS, "p0 = malloc 8\np1 = malloc 100"},
    {MALLOC_SENTINEL, 1, RULE_C14, 0, 0, PROGRAM_SLOTS, "p0 = malloc 8"},
    {MALLOC_SCRIBBLES, 3, RULE_C10, 2, 0, 0, "p0 = malloc 40\np1 = malloc 8\np2 = malloc 8\np3 = malloc 8"},
    {MALLOC_REPORTS, 2, RULE_C43, 2, 0, PROGRAM_SLOTS, "p0 = malloc 40\nfree_null\np2 = malloc 8"},
    {MALLOC_KEEPS_ERRNO, 1, RULE_A6, 1, 0, PROGRAM_SLOTS, "p0 = malloc 40\np1 = malloc heap"},
    {MALLOC_WRAPS, 2, RULE_A7, 1, 0, PROGRAM_SLOTS, "p0 = malloc 40\np1 = malloc HALF+1"},
    {CALLOC_DIRTY, 2, RULE_A9, 1, 0, PROGRAM_SLOTS, "p0 = calloc 5 5\np1 = calloc 5 5"},
    {CALLOC_WRAPS, 1, RULE_A9, 0, 0, PROGRAM_SLOTS, "p0 = calloc MAX-1 2"},
    {REALLOC_HALF, 1, RULE_A15, 1, 0, PROGRAM_SLOTS, "p0 = malloc 64\nrealloc p0 100"},
    {REALLOC_HALF, 2, RULE_A15, 1, 1, PROGRAM_SLOTS, "p0 = malloc 64\nrealloc p0*5+0 100"},
    {REALLOC_SPOILS_ON_REFUSAL, 1, RULE_A16, 1, 0, 0, "p0 = malloc 64\nrealloc p0 heap"},
    {FREE_SETS_ERRNO, 1, RULE_A12, 1, 0, PROGRAM_SLOTS, "p0 = malloc 64\nfree p0"},
    {FREE_NULL_REPORTS, 1, RULE_A10, 1, 0, PROGRAM_SLOTS, "p0 = malloc 64\nfree_null"},
    {USABLE_SMALL, 2, RULE_A20, 1, 0, PROGRAM_SLOTS, "p0 = malloc 64\np1 = malloc 8"},
    {INIT_FAILS, 0, RULE_C31, 0, 0, PROGRAM_SLOTS, "p0 = malloc 64"},
};

static void each_fault_gives_its_rule_where_it_happens(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fault = NONE;
        if (cases[i].fault != INIT_FAILS) assert_passes(&tiny, cases[i].lines);
        fault = cases[i].fault;
        fault_at = cases[i].at;
        struct verdict v = run(&tiny, cases[i].lines, true);
        fault = NONE;
        if (v.kind != VERDICT_FAIL || v.rule != cases[i].rule)
            fail_msg("%s: %s instead of %s (%s)", cases[i].lines, v.rule ? rule_info(v.rule)->id : "no rule",
                     rule_info(cases[i].rule)->id, v.seen);
        if (v.op != cases[i].op || v.step != cases[i].step)
            fail_msg("%s: at %u, call %u", cases[i].lines, v.op, v.step);
        if (cases[i].slot != PROGRAM_SLOTS) assert_int_equal(v.slot, cases[i].slot);
        assert_true(v.expected[0] && v.seen[0]);
        assert_null(strstr(v.seen, "0x7f")); /* offsets, never an address */
    }
}

static void without_thoroughness_a_scribble_shows_later(void **state)
{
    (void)state;
    fault = MALLOC_SCRIBBLES;
    fault_at = 3;
    struct verdict v = run(&tiny, "p0 = malloc 40\np1..p20 = malloc 8", false);
    fault = NONE;
    assert_int_equal(v.kind, VERDICT_FAIL);
    assert_int_equal(v.rule, RULE_C10);
    assert_int_equal(v.slot, 0);
    assert_true(v.op > 1 || v.step >= 1); /* the scribble is the second call of the run */
}

static void after_a_failure_the_next_program_starts_afresh(void **state)
{
    (void)state;
    struct verdict v;
    struct exec_options options = {.ops = &tiny, .contract = tiny.contract, .counters = &counters};
    struct exec *x = exec_open(&options);
    assert_non_null(x);
    memset(&counters, 0, sizeof counters);
    parse("p0..p4 = malloc 32");
    for (unsigned i = 0; i < 6; i++) {
        fault = i & 1 ? NONE : MALLOC_OVERLAPS;
        fault_at = 3;
        exec_run(x, &program, &v);
        assert_int_equal(v.kind, i & 1 ? VERDICT_PASS : VERDICT_FAIL);
    }
    fault = NONE;
    assert_true(counters.programs == 6);
    exec_close(x);
}

static void a_heap_too_small_for_the_contract_is_no_failure(void **state)
{
    (void)state;
    assert_passes(&tiny, "heap size=63\np0 = malloc 1\nfree p0");
    assert_true(counters.operations == 0);
    assert_passes(&tiny, "heap size=64\np0 = malloc 1\nfree p0");
    assert_true(counters.operations == 2);
}

/* ---- Counters and trace ----------------------------------------------------------------------------------------------- */

static void calls_are_counted_and_what_is_not_offered_is_skipped(void **state)
{
    (void)state;
    assert_passes(&tiny,
                  "p0..p3 = malloc 8\np0 = malloc 8\nfree p1\nfree p1\np9 = memalign 16 8\nfree_sized p0\nframe_push\n"
                  "write p2\nrepeat 1 x 3");
    assert_true(counters.programs == 1);
    /* malloc on a live slot and free of a dead one are not made; the write is repeated three times */
    assert_true(counters.operations == 4 + 1 + 4);
    assert_true(counters.skipped[OP_MEMALIGN] == 1);
    assert_true(counters.skipped[OP_FREE_SIZED] == 1);
    assert_true(counters.skipped[OP_FRAME_PUSH] == 1);
    assert_true(counters.skipped[OP_MALLOC] == 0);
    assert_true(counters.checked[RULE_A2] == 4);
    assert_true(counters.checked[RULE_C7] == 4);
    assert_true(counters.checked[RULE_A9] == 0);
    assert_true(counters.checked[RULE_C10] > 0);
}

static void the_trace_tells_every_call(void **state)
{
    (void)state;
    run(&tiny, "p0 = malloc 24\np5 = calloc 3 8\np6 = malloc MAX\nfree p0\nrealloc p5 50", false);
    const struct {
        uint32_t op;
        enum op_kind kind;
        enum result_class result;
        uint16_t slot;
        uint64_t size, usable;
    } expected[] = {
        {0, OP_MALLOC, RESULT_PTR, 0, 24, 24},       {1, OP_CALLOC, RESULT_PTR, 5, 3, 24},
        {2, OP_MALLOC, RESULT_NULL, 6, SIZE_MAX, 0}, {3, OP_FREE, RESULT_VOID, 0, 0, 0},
        {4, OP_REALLOC, RESULT_PTR, 5, 50, 50},
    };
    assert_true(trace.event_count >= 5);
    for (size_t i = 0; i < 5; i++) {
        const struct event *e = &trace.events[i];
        assert_int_equal(e->op, expected[i].op);
        assert_int_equal(e->kind, expected[i].kind);
        assert_int_equal(e->result, expected[i].result);
        assert_int_equal(e->slot, expected[i].slot);
        if (expected[i].kind != OP_FREE) assert_true(e->size == expected[i].size);
        if (e->result == RESULT_PTR) assert_true(e->usable == expected[i].usable);
    }
    assert_int_equal(trace.events[2].error, ENOMEM);
    assert_true(trace.events[2].offset == OFFSET_NONE);
    assert_true(trace.events[1].size2 == 8);
    /* The region's default size is a multiple of sixteen, and so its base is aligned. */
    assert_true(trace.events[0].offset == HEADER);
    assert_true(trace.events[1].offset == HEADER + 32 + HEADER);
    assert_true(trace.events[3].offset == trace.events[0].offset);
    assert_true(trace.fault_offset == OFFSET_NONE);
    assert_true(trace.events_dropped == 0);
}

static void a_failure_shows_the_blocks_in_address_order(void **state)
{
    (void)state;
    fault = MALLOC_SCRIBBLES;
    fault_at = 5;
    struct verdict v = run(&tiny, "p9..p6 = malloc 24\np2 = malloc 8", true);
    fault = NONE;
    assert_int_equal(v.rule, RULE_C10);
    assert_int_equal(v.slot, 9);
    assert_int_equal(trace.block_count, 5);
    assert_true(trace.heap_size == HEAP_SIZE_DEFAULT);
    assert_true(trace.fault_offset == trace.blocks[0].offset + 5);
    const uint16_t slots[] = {9, 8, 7, 6, 2};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(trace.blocks[i].slot, slots[i]);
        assert_true(trace.blocks[i].size == (i < 4 ? 24 : 8));
        assert_true(trace.blocks[i].usable == trace.blocks[i].size);
        if (i) assert_true(trace.blocks[i].offset > trace.blocks[i - 1].offset);
    }
}

static void a_long_run_keeps_its_last_events(void **state)
{
    (void)state;
    run(&alloc_freelist, "p0 = malloc 8\nwrite p0\nrepeat 1 x 9000\np1 = malloc 8", false);
    assert_true(trace.event_count <= TRACE_EVENTS_MAX);
    assert_true(trace.event_count + trace.events_dropped >= 9003);
    bool seen = false;
    for (uint32_t i = 0; i < trace.event_count; i++)
        seen |= trace.events[i].kind == OP_MALLOC && trace.events[i].slot == 1;
    assert_true(seen);
}

/* ---- The free list ---------------------------------------------------------------------------------------------------- */

static void hand_written_programs_hold_on_the_free_list(void **state)
{
    (void)state;
    static const char *const programs[] = {
        "",
        "check",
        "free_null\nfree p0\nrealloc p3 0",
        "p0 = malloc 0\nfree p0",
        "p0..p31 = malloc 1 step 7\nfree p0..p30/2\np40..p60 = malloc 24\nfree p0..p100",
        "p0 = calloc 10 10\nrealloc p0 usable(p0)+1\nrealloc p0 usable(p0)\nrealloc p0 1\nfree p0",
        ("p0 = aligned_alloc 4096 10\np1 = posix_memalign 64 0\np2 = memalign 256 3\nfree_aligned_sized p0\nfree "
         "p1\nfree p2"),
        "p0 = malloc heap\np0 = malloc MAX\np0 = malloc HALF+1\np0 = calloc MAX 2\np0 = malloc heap-64",
        "heap size=1\np0 = malloc 1",
        "heap size=333 course=drain\np0..p20 = malloc 16\nfree p0..p20",
        "heap course=steady\np0 = malloc 100\np1 = malloc 200\nfree p0",
        "heap course=twin dirty=random seed=5\np0..p9 = malloc 10\nfree p3\nrealloc p2 300",
        "heap course=permute\np0..p9 = malloc 10\n",
        "heap course=refill\np0..p9 = malloc 100",
        "heap course=monotone\np0 = malloc 1000",
        "heap fence=pages\np0..p9 = malloc 1000\nfree p9..p0\np0 = malloc 3000",
        "heap fail=1\np0 = malloc 100\np1 = malloc 100\nfail 1\np2 = malloc 5000\nfree p1",
        "p0 = malloc 16\nforeign_sbrk 100\np1 = malloc 2000\nfree p0\nfree p1",
    };
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) assert_passes(&alloc_freelist, programs[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_gives_its_rule_where_it_happens),
        cmocka_unit_test(without_thoroughness_a_scribble_shows_later),
        cmocka_unit_test(after_a_failure_the_next_program_starts_afresh),
        cmocka_unit_test(a_heap_too_small_for_the_contract_is_no_failure),
        cmocka_unit_test(calls_are_counted_and_what_is_not_offered_is_skipped),
        cmocka_unit_test(the_trace_tells_every_call),
        cmocka_unit_test(a_failure_shows_the_blocks_in_address_order),
        cmocka_unit_test(a_long_run_keeps_its_last_events),
        cmocka_unit_test(hand_written_programs_hold_on_the_free_list),
    };
    return cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
