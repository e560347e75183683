/* bench_driver.c: checked operations a second of everything that a worker does: generator, decoder, exec and model, over
 * freelist, in this process, on one core. An operation is one call of the allocator, judged; a refusal is one as well.
 *
 * Measured on the heaps that the generator picks and with each heap made 8 KiB, as most of them are. The share of the
 * operations that were granted or freed a block is given beside it, since a refusal is quicker judged than a grant.
 *
 * The raw yardstick is a bare loop over the same programs, measured in turns with them: on a fresh heap each, it makes
 * the malloc, calloc, realloc and free calls whose sizes are plain numbers, and looks at nothing but NULL.
 */
#include "bench.h"

#include "backing.h"
#include "exec.h"
#include "generator.h"
#include "target.h"

#include <string.h>

#define PROGRAMS 2000u
#define SEEDS 9u

static struct target target;
static struct exec_counters counters;
static struct program program;

struct speed {
    double operations, granted, generating; /* millions a second; share of the operations; share of the time */
    double raw;                             /* calls of the yardstick, millions a second */
};

/* ---- The yardstick ------------------------------------------------------------------------------------------------- */

static struct lender lender;
static void *heap, *blocks[PROGRAM_SLOTS];

/* One line of a program; returns how many calls were made. */
static uint64_t raw_line(const struct alloc_ops *ops, const struct op *op)
{
    uint64_t made = 0;
    unsigned slot = op->slot;
    size_t a = (size_t)op->a, b = (size_t)op->b;
    if (op->a_kind != SIZE_LITERAL || op->b_kind != SIZE_LITERAL) return 0;
    for (unsigned i = 0; i < op->count;
         i++, slot = (slot + (unsigned)op->stride) % PROGRAM_SLOTS, a += (size_t)op_step(op)) {
        void **p = &blocks[slot], *moved;
        if (op->kind == OP_MALLOC && !*p) *p = ops->malloc(heap, a);
        else if (op->kind == OP_CALLOC && !*p) *p = ops->calloc(heap, a, b);
        else if (op->kind == OP_REALLOC && a) *p = (moved = ops->realloc(heap, *p, a)) ? moved : *p;
        else if (op->kind == OP_FREE && *p) ops->free(heap, *p), *p = NULL;
        else continue;
        made++;
    }
    return made;
}

static double raw(uint64_t seed, bool force)
{
    struct generator g;
    uint64_t calls = 0;
    double seconds = 0;
    generator_init(&g, &target, seed);
    for (unsigned i = 0; i < PROGRAMS; i++) {
        generator_program(&g, i, &program);
        struct lender_geometry lend = {.kind = target.contract.backing,
                                       .size = force ? HEAP_SIZE_DEFAULT : program.heap.size};
        double start = bench_seconds();
        memset(heap, 0, target.ops->state_size);
        if (lender_fresh(&lender, &lend)) abort();
        if (target.ops->init(heap, &lender.face)) continue;
        for (unsigned j = 0; j < program.op_count; j++) calls += raw_line(target.ops, &program.ops[j]);
        target.ops->fini(heap);
        seconds += bench_seconds() - start;
        memset(blocks, 0, sizeof blocks);
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
                          (double)(counters.checked[RULE_C14] + counters.checked[RULE_A11]) /
                              (double)counters.operations,
                          generating / whole, raw(seed, force)};
}

static void measure(struct exec *x, const char *heaps, bool force)
{
    double speeds[SEEDS], granted[SEEDS], generating[SEEDS], raws[SEEDS], ratios[SEEDS];
    char what[80];
    for (unsigned i = 0; i < SEEDS; i++) {
        struct speed s = drive(x, 1 + i, force);
        speeds[i] = s.operations;
        granted[i] = s.granted * 100;
        generating[i] = s.generating * 100;
        raws[i] = s.raw;
        ratios[i] = s.raw / s.operations;
    }
    snprintf(what, sizeof what, "driver, %s: millions of checked operations", heaps);
    bench_row(what, bench_median(speeds, SEEDS), "/s", BENCH_AT_LEAST, force ? 20 : 0);
    bench_row("  raw, millions of the same programs' calls", bench_median(raws, SEEDS), "/s", BENCH_AT_LEAST, 0);
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
    lender_init(&lender);
    drive(x, 0, true);
    measure(x, "8 KiB", true);
    measure(x, "heaps as generated", false);
    exec_close(x);
    lender_close(&lender);
    free(heap);
    return 0;
}
