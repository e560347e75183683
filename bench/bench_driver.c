/* bench_driver.c: checked operations a second of everything that a worker does: generator, decoder, exec and model, over
 * freelist, in this process, on one core. An operation is one call of the allocator, judged; a refusal is one as well.
 *
 * Measured on the heaps that the generator picks and with each heap made 8 KiB, as most of them are. The share of the
 * operations that were granted or freed a block is given beside it, since a refusal is quicker judged than a grant.
 *
 * The yardsticks are bare loops over the same programs, measured in turns with them: on a fresh heap each, they make once
 * the malloc, calloc, realloc and free calls whose sizes are plain numbers, and look at nothing but NULL. The first makes the
 * calls and no more. The second also writes each block once and reads it back once, and frees at the end what is left,
 * which counts as no call, here as in the driver. The third also marks and unmarks the block in a shadow, and makes the
 * programs while the clock runs. All that the driver finds out besides has to fit between the third and the driver.
 */
#include "bench.h"

#include "backing.h"
#include "exec.h"
#include "generator.h"
#include "payload.h"
#include "shadow.h"
#include "target.h"

#include <string.h>

#define PROGRAMS 2000u
#define SEEDS 9u

static struct target target;
static struct exec_counters counters;
static struct program program;

enum yardstick { CALLS, CONTENTS, OWNERS };

struct speed {
    double operations, granted, generating; /* millions a second; share of the operations; share of the time */
    double raw[OWNERS + 1];                 /* calls of the yardsticks, millions a second */
};

/* ---- The yardsticks ------------------------------------------------------------------------------------------------ */

static struct lender lender;
static struct shadow shadow;
static void *heap, *blocks[PROGRAM_SLOTS];
static size_t sizes[PROGRAM_SLOTS];
static unsigned slot_end;   /* no slot from here on was used in this program */
static uint32_t steps_left; /* of PROGRAM_STEPS_MAX */

static void got(enum yardstick y, unsigned slot, void *p, size_t size)
{
    blocks[slot] = p;
    sizes[slot] = size;
    if (slot >= slot_end) slot_end = slot + 1;
    if (!p || y == CALLS) return;
    payload_fill_block(p, size, slot);
    if (y == OWNERS && !shadow_insert(&shadow, (uintptr_t)p, size ? size : 1)) abort();
}

/* Before the call that may take the block away. */
static void *giving(enum yardstick y, unsigned slot)
{
    void *p = blocks[slot];
    size_t size = sizes[slot];
    if (!p || y == CALLS) return p;
    if (payload_verify_block(p, size, slot) != size) abort();
    if (y == OWNERS) shadow_remove(&shadow, (uintptr_t)p, size ? size : 1);
    return p;
}

/* One line of a program; returns how many calls were made. */
static uint64_t raw_line(enum yardstick y, const struct alloc_ops *ops, const struct op *op)
{
    uint64_t made = 0;
    unsigned slot = op->slot;
    size_t a = (size_t)op->a, b = (size_t)op->b;
    if (op->a_kind != SIZE_LITERAL || op->b_kind != SIZE_LITERAL) return 0;
    for (unsigned i = 0; i < op->count && steps_left;
         i++, steps_left--, slot = (slot + (unsigned)op->stride) % PROGRAM_SLOTS, a += (size_t)op_step(op)) {
        void *p = blocks[slot], *moved;
        if (op->kind == OP_MALLOC && !p) {
            got(y, slot, ops->malloc(heap, a), a);
        } else if (op->kind == OP_CALLOC && !p) {
            got(y, slot, ops->calloc(heap, a, b), a * b);
        } else if (op->kind == OP_REALLOC && a) {
            moved = ops->realloc(heap, giving(y, slot), a);
            got(y, slot, moved ? moved : p, moved ? a : sizes[slot]);
        } else if (op->kind == OP_FREE && p) {
            ops->free(heap, giving(y, slot));
            blocks[slot] = NULL;
        } else {
            continue;
        }
        made++;
    }
    return made;
}

static uint64_t raw_program(enum yardstick y, const struct program *p, bool force)
{
    const struct alloc_ops *ops = target.ops;
    struct lender_geometry lend = {.kind = target.contract.backing, .size = force ? HEAP_SIZE_DEFAULT : p->heap.size};
    uint64_t calls = 0;
    memset(heap, 0, ops->state_size);
    if (lender_fresh(&lender, &lend)) abort();
    if (ops->init(heap, &lender.face)) return 0;
    steps_left = PROGRAM_STEPS_MAX;
    for (uint32_t i = 0; i < p->op_count; i++) {
        const struct op *op = &p->ops[i];
        uint32_t body = op->kind == OP_REPEAT ? (uint32_t)(op->a < i ? op->a : i) : 0;
        if (op->kind != OP_REPEAT) calls += raw_line(y, ops, op);
        for (uint64_t times = op->b; body && times && steps_left; times--)
            for (uint32_t j = i - body; j < i; j++) calls += raw_line(y, ops, &p->ops[j]);
    }
    for (unsigned slot = 0; y != CALLS && slot < slot_end; slot++)
        if (blocks[slot]) ops->free(heap, giving(y, slot));
    ops->fini(heap);
    return calls;
}

static double raw(enum yardstick y, uint64_t seed, bool force)
{
    struct generator g;
    uint64_t calls = 0;
    double seconds = 0;
    generator_init(&g, &target, seed);
    for (unsigned i = 0; i < PROGRAMS; i++) {
        double making = bench_seconds();
        generator_program(&g, i, &program);
        double start = bench_seconds();
        calls += raw_program(y, &program, force);
        seconds += bench_seconds() - (y == OWNERS ? making : start);
        memset(blocks, 0, sizeof blocks);
        slot_end = 0;
    }
    return (double)calls / seconds / 1e6;
}

/* ---- The driver ---------------------------------------------------------------------------------------------------- */

static struct speed drive(struct exec *x, uint64_t seed, bool force)
{
    struct generator g;
    struct verdict verdict;
    generator_init(&g, &target, seed);
    memset(&counters, 0, sizeof counters);
    double start = bench_seconds();
    for (unsigned i = 0; i < PROGRAMS; i++) {
        generator_program(&g, i, &program);
        if (force) program.heap.size = HEAP_SIZE_DEFAULT;
        exec_run(x, &program, &verdict);
        if (verdict.kind == VERDICT_FAIL) {
            fprintf(stderr, "bench_driver: seed %llu, program %u: %s, %s\n", (unsigned long long)seed, i,
                    verdict.expected, verdict.seen);
            exit(1);
        }
    }
    double whole = bench_seconds() - start;
    start = bench_seconds();
    for (unsigned i = 0; i < PROGRAMS; i++) generator_program(&g, i, &program);
    double generating = bench_seconds() - start;
    return (struct speed){(double)counters.operations / whole / 1e6,
                          (double)(counters.checked[RULE_C14] + counters.checked[RULE_A12]) /
                              (double)counters.operations,
                          generating / whole,
                          {raw(CALLS, seed, force), raw(CONTENTS, seed, force), raw(OWNERS, seed, force)}};
}

static void measure(struct exec *x, const char *heaps, bool force)
{
    double speeds[SEEDS], granted[SEEDS], generating[SEEDS], raws[OWNERS + 1][SEEDS], ratios[SEEDS];
    static const char *const yardsticks[] = {[CALLS] = "  raw, millions of the same programs' calls",
                                             [CONTENTS] = "  ... with contents written and verified once",
                                             [OWNERS] = "  ... and owners marked, and the programs made"};
    char what[80];
    for (unsigned i = 0; i < SEEDS; i++) {
        struct speed s = drive(x, 1 + i, force);
        speeds[i] = s.operations;
        granted[i] = s.granted * 100;
        generating[i] = s.generating * 100;
        for (unsigned y = CALLS; y <= OWNERS; y++) raws[y][i] = s.raw[y];
        ratios[i] = s.raw[CALLS] / s.operations;
    }
    snprintf(what, sizeof what, "driver, %s: millions of checked operations", heaps);
    bench_row(what, bench_median(speeds, SEEDS), "/s", BENCH_AT_LEAST, force ? 20 : 0);
    for (unsigned y = CALLS; y <= OWNERS; y++)
        bench_row(yardsticks[y], bench_median(raws[y], SEEDS), "/s", BENCH_AT_LEAST, 0);
    bench_row("  one operation, checked / raw", bench_median(ratios, SEEDS), "times", BENCH_AT_MOST, 0);
    bench_row("  of the operations, blocks granted and freed", bench_median(granted, SEEDS), "%", BENCH_AT_LEAST, 0);
    bench_row("  time spent on making the programs", bench_median(generating, SEEDS), "%", BENCH_AT_LEAST, 0);
}

int main(void)
{
    char error[256];
    if (target_resolve(&target, "freelist", NULL, NULL, error, sizeof error)) return 2;
    struct exec_options options = {.ops = target.ops, .contract = target.contract, .counters = &counters};
    struct exec *x = exec_open(&options);
    heap = calloc(1, target.ops->state_size + 1);
    if (!x || !heap) return 2;
    if (!shadow_open(&shadow, 16)) return 2;
    lender_init(&lender);
    drive(x, 0, true);
    measure(x, "8 KiB", true);
    measure(x, "heaps as generated", false);
    exec_close(x);
    lender_close(&lender);
    shadow_close(&shadow);
    free(heap);
    return 0;
}
