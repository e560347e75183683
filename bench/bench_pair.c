/* bench_pair.c: what checking a malloc and its free costs, beside the same calls unchecked.
 *
 *     bench_pair                              freelist and the C library, against what bench/README.md aims at
 *     bench_pair ALLOC [--profile=WORDS]      any allocator, as `assay check` names it, without a target
 *
 * A churn: 256 slots, each pair frees the block of a random one and allocates there again, 1 to 512 bytes. The checked
 * side is a program run by exec; the raw side makes the same calls in the same order, of the same operations, on memory
 * from a lender like exec's. Both include a fresh heap and freeing everything in the end. Exec judges alignment, overlap,
 * place and usable size of each block, fills all of it, verifies all of it before its free, and after every second call
 * verifies a stretch of one more block of the rotating sweep. An allocator of smaller requests by design gets those.
 */
#include "bench.h"

#include "backing.h"
#include "builtin.h"
#include "exec.h"
#include "exec_course.h"
#include "exec_internal.h"
#include "foreign.h"
#include "payload.h"
#include "shadow.h"
#include "target.h"

#include <string.h>
#include <sys/mman.h>

#define LIVE 256u
#define SIZE_LARGEST 512u
#define PAIRS 384u    /* with the filling, as many as a program holds */
#define PROGRAMS 256u /* each in another order and with other sizes, so that no branch predictor learns them by heart */
#define PAIRS_IN_ALL (PROGRAMS * (LIVE + PAIRS))
#define HEAP_BYTES (192u << 10)

struct call {
    uint16_t slot, size; /* malloc; in a pair, free goes before it */
};

struct churn {
    struct call fill[LIVE], pairs[PAIRS];
    struct program program;
};

static struct churn churns[PROGRAMS];
static struct exec_counters counters;
static unsigned size_largest = SIZE_LARGEST;

static void say(struct program *p, enum op_kind kind, struct call c)
{
    p->ops[p->op_count++] = (struct op){.kind = kind, .slot = c.slot, .count = 1, .a = kind == OP_MALLOC ? c.size : 0};
}

static void make_churn(struct churn *c, uint64_t *state)
{
    struct program *p = &c->program;
    program_clear(p);
    p->heap.size = HEAP_BYTES;
    p->heap.seed = 3; /* everything is freed in ascending order, as raw() does, and the heap is not walked */
    for (unsigned i = 0; i < LIVE; i++) {
        c->fill[i] = (struct call){(uint16_t)i, (uint16_t)(1 + bench_random(state) % size_largest)};
        say(p, OP_MALLOC, c->fill[i]);
    }
    for (unsigned i = 0; i < PAIRS; i++) {
        c->pairs[i] =
            (struct call){(uint16_t)(bench_random(state) % LIVE), (uint16_t)(1 + bench_random(state) % size_largest)};
        say(p, OP_FREE, c->pairs[i]);
        say(p, OP_MALLOC, c->pairs[i]);
    }
    program_normalise(p);
}

/* ---- The two sides ------------------------------------------------------------------------------------------------- */

static double raw(const struct alloc_ops *ops, struct lender *lender, void *heap)
{
    void *blocks[LIVE];
    double start = bench_seconds();
    for (struct churn *c = churns; c < churns + PROGRAMS; c++) {
        struct lender_geometry lend = {.kind = ops->contract.backing, .size = HEAP_BYTES};
        memset(heap, 0, ops->state_size);
        if (lender_fresh(lender, &lend) || ops->init(heap, &lender->face)) abort();
        for (unsigned i = 0; i < LIVE; i++) blocks[i] = ops->malloc(heap, c->fill[i].size);
        for (unsigned i = 0; i < PAIRS; i++) {
            void **block = &blocks[c->pairs[i].slot];
            ops->free(heap, *block);
            *block = ops->malloc(heap, c->pairs[i].size);
        }
        for (unsigned i = 0; i < LIVE; i++) ops->free(heap, blocks[i]);
        if (ops->fini) ops->fini(heap);
    }
    return (bench_seconds() - start) / PAIRS_IN_ALL * 1e9;
}

/* The four checks of a pair by themselves: the model's own functions around the two calls, without a program that says
 * which they are, inlined as in exec. Alignment, usable size and overlap are model_granted's; contents are written and verified whole. */
EXEC_HOT static void judged_malloc(struct exec *x, struct call c)
{
    static const struct op op = {.kind = OP_MALLOC, .count = 1};
    const struct request r = {.op = &op,
                              .slot = c.slot,
                              .bytes = c.size,
                              .align = 1,
                              .align_rule = RULE_A2,
                              .zero_rule = RULE_A4,
                              .impossible_rule = RULE_A7};
    void *p = x->ops->malloc(x->heap, c.size);
    if (!p || !model_granted(x, &r, p)) abort();
    model_write(x, c.slot);
}

EXEC_HOT static void judged_free(struct exec *x, unsigned slot)
{
    void *p = (void *)x->model.blocks[slot].base;
    if (!model_verify(x, slot, RULE_C10)) abort();
    model_release(x, slot);
    x->ops->free(x->heap, p);
}

static double judged(struct exec *x)
{
    double start = bench_seconds();
    for (struct churn *c = churns; c < churns + PROGRAMS; c++) {
        x->program = &c->program;
        if (!exec_fresh(x, false)) abort();
        for (unsigned i = 0; i < LIVE; i++) judged_malloc(x, c->fill[i]);
        for (unsigned i = 0; i < PAIRS; i++) {
            judged_free(x, c->pairs[i].slot);
            judged_malloc(x, c->pairs[i]);
        }
        for (unsigned i = 0; i < LIVE; i++) judged_free(x, i);
    }
    return (bench_seconds() - start) / PAIRS_IN_ALL * 1e9;
}

static double checked(struct exec *x)
{
    struct verdict verdict;
    uint64_t before = counters.operations;
    double start = bench_seconds();
    for (unsigned i = 0; i < PROGRAMS; i++) {
        exec_run(x, &churns[i].program, &verdict);
        if (verdict.kind != VERDICT_PASS) {
            fprintf(stderr, "bench_pair: a rule is broken: %s: %s\n", verdict.expected, verdict.seen);
            exit(1);
        }
    }
    double ns = (bench_seconds() - start) / PAIRS_IN_ALL * 1e9;
    if (counters.operations - before != PROGRAMS * (LIVE + 2 * PAIRS)) abort(); /* every call was made */
    return ns;
}

static void make_churns(void)
{
    uint64_t state = 1;
    for (unsigned i = 0; i < PROGRAMS; i++) make_churn(&churns[i], &state);
}

static void compare(const char *name, const struct alloc_ops *ops, const struct alloc_contract *contract, double target)
{
    struct exec_options options = {.ops = ops, .contract = *contract, .counters = &counters};
    struct exec *x = exec_open(&options);
    struct lender lender;
    void *heap = calloc(1, ops->state_size + 1);
    double raws[BENCH_REPEATS], judges[BENCH_REPEATS], checks[BENCH_REPEATS], ratios[2][BENCH_REPEATS];
    char what[80];
    if (!x || !heap) abort();
    lender_init(&lender);
    raw(ops, &lender, heap);
    checked(x);
    for (unsigned i = 0; i < BENCH_REPEATS; i++) {
        raws[i] = raw(ops, &lender, heap);
        judges[i] = judged(x);
        checks[i] = checked(x);
        ratios[0][i] = judges[i] / raws[i];
        ratios[1][i] = checks[i] / raws[i];
    }
    lender_close(&lender);
    exec_close(x);
    free(heap);
    snprintf(what, sizeof what, "%s: one pair, raw", name);
    bench_row(what, bench_median(raws, BENCH_REPEATS), "ns", BENCH_AT_MOST, 0);
    snprintf(what, sizeof what, "%s: one pair, with its four checks", name);
    bench_row(what, bench_median(judges, BENCH_REPEATS), "ns", BENCH_AT_MOST, 0);
    snprintf(what, sizeof what, "%s: with its four checks / raw", name);
    bench_row(what, bench_median(ratios[0], BENCH_REPEATS), "times", BENCH_AT_MOST, target);
    snprintf(what, sizeof what, "%s: one pair, as a program runs it", name);
    bench_row(what, bench_median(checks, BENCH_REPEATS), "ns", BENCH_AT_MOST, 0);
    snprintf(what, sizeof what, "%s: as a program runs it / raw", name);
    bench_row(what, bench_median(ratios[1], BENCH_REPEATS), "times", BENCH_AT_MOST, 0);
}

/* ---- What the checks cost by themselves ----------------------------------------------------------------------------- */

#define PITCH (SIZE_LARGEST + 16u)

/* As exec does: the old contents are verified, long after they were written, and then new ones of another size written. */
static double contents(unsigned char *memory)
{
    size_t wrong = 0, held[LIVE] = {0};
    uint64_t keys[LIVE] = {0};
    double start = bench_seconds();
    for (struct churn *c = churns; c < churns + PROGRAMS; c++)
        for (unsigned i = 0; i < PAIRS; i++) {
            unsigned slot = c->pairs[i].slot;
            unsigned char *p = memory + (size_t)slot * PITCH;
            wrong += payload_verify(p, held[slot], keys[slot]) != held[slot];
            keys[slot] = payload_key(1, i);
            held[slot] = c->pairs[i].size;
            payload_fill(p, held[slot], keys[slot]);
        }
    if (wrong) abort();
    return (bench_seconds() - start) / (PROGRAMS * PAIRS) * 1e9;
}

static double ownership(unsigned char *memory)
{
    struct shadow s;
    unsigned overlaps = 0;
    if (!shadow_open(&s, 16)) abort();
    double start = bench_seconds();
    for (struct churn *c = churns; c < churns + PROGRAMS; c++)
        for (unsigned i = 0; i < PAIRS; i++) {
            uintptr_t at = (uintptr_t)(memory + (size_t)c->pairs[i].slot * PITCH);
            overlaps += !shadow_insert(&s, at, c->pairs[i].size);
            shadow_remove(&s, at, c->pairs[i].size);
        }
    if (overlaps) abort();
    double ns = (bench_seconds() - start) / (PROGRAMS * PAIRS) * 1e9;
    shadow_close(&s);
    return ns;
}

static void split(void)
{
    unsigned char *memory = mmap(NULL, LIVE * PITCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    double fills[BENCH_REPEATS], owns[BENCH_REPEATS];
    if (memory == MAP_FAILED) abort();
    for (unsigned i = 0; i < BENCH_REPEATS; i++) {
        fills[i] = contents(memory);
        owns[i] = ownership(memory);
    }
    munmap(memory, LIVE * PITCH);
    bench_row("  of a pair: one fill and one verification", bench_median(fills, BENCH_REPEATS), "ns", BENCH_AT_MOST, 0);
    bench_row("  of a pair: overlap, insert and remove", bench_median(owns, BENCH_REPEATS), "ns", BENCH_AT_MOST, 0);
}

/* An allocator of the user's. 0, or 2 with a line on standard error if nothing can be measured. */
static int compare_named(const char *name, const char *profile)
{
    static struct target t;
    char error[1024];
    if (target_resolve(&t, name, NULL, profile, error, sizeof error) || target_open(&t, error, sizeof error)) {
        fprintf(stderr, "bench_pair: %s\n", error);
        return 2;
    }
    if (t.contract.backing == BACKING_MACHINE || !t.ops->free) {
        fprintf(stderr, "bench_pair: %s is no malloc with a free on lent memory or the host's\n", name);
        return 2;
    }
    const size_t largest = t.contract.request_max_bytes;
    if (largest && largest < size_largest) size_largest = (unsigned)largest;
    make_churns();
    compare(t.ops->name, t.ops, &t.contract, 0);
    return 0;
}

int main(int argc, char **argv)
{
    static struct foreign libc;
    const char *profile = argc > 2 && strncmp(argv[2], "--profile=", 10) == 0 ? argv[2] + 10 : NULL;
    if (argc > 1) return compare_named(argv[1], profile);
    make_churns();
    compare("freelist", &alloc_freelist, &alloc_freelist.contract, 2.2);
    if (foreign_libc(&libc) != FOREIGN_OK) return 2;
    compare("C library", &libc.ops, &libc.ops.contract, 3.5);
    split();
    return 0;
}
