/* bench_driver.c: checked operations a second of everything that a worker does: generator, decoder, exec and model, over
 * freelist, in this process, on one core. An operation is one call of the allocator, judged; a refusal is one as well.
 *
 * Measured on the heaps that the generator picks and with each heap made 8 KiB, as most of them are. The share of the
 * operations that were granted or freed a block is given beside it, since a refusal is quicker judged than a grant.
 */
#include "bench.h"

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
};

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
                          generating / whole};
}

static void measure(struct exec *x, const char *heaps, bool force)
{
    double speeds[SEEDS], granted[SEEDS], generating[SEEDS];
    char what[80];
    for (unsigned i = 0; i < SEEDS; i++) {
        struct speed s = drive(x, 1 + i, force);
        speeds[i] = s.operations;
        granted[i] = s.granted * 100;
        generating[i] = s.generating * 100;
    }
    snprintf(what, sizeof what, "driver, %s: millions of checked operations", heaps);
    bench_row(what, bench_median(speeds, SEEDS), "/s", BENCH_AT_LEAST, force ? 20 : 0);
    bench_row("  of these, blocks granted and freed", bench_median(granted, SEEDS), "%", BENCH_AT_LEAST, 0);
    bench_row("  time spent on making the programs", bench_median(generating, SEEDS), "%", BENCH_AT_LEAST, 0);
}

int main(void)
{
    char error[256];
    if (target_resolve(&target, "freelist", NULL, NULL, error, sizeof error)) return 2;
    struct exec_options options = {.ops = target.ops, .contract = target.contract, .counters = &counters};
    struct exec *x = exec_open(&options);
    if (!x) return 2;
    drive(x, 0, true);
    measure(x, "8 KiB", true);
    measure(x, "heaps as generated", false);
    exec_close(x);
    return 0;
}
