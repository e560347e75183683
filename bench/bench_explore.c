/* bench_explore.c: how fast an exploration is, and what a state costs, in a process that does nothing else.
 *
 * usage: bench_explore [DEPTH]    so deep at the most: for counting instructions
 */
#include "bench.h"

#include "exploration.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* Bytes of the record that the kernel had to find memory for. */
static double touched(const struct explore *e, size_t bytes)
{
    const size_t page = 4096, pages = (bytes + page - 1) / page;
    unsigned char *there = malloc(pages);
    size_t count = 0;
    if (!there || mincore((void *)(uintptr_t)e, bytes, there)) abort();
    for (size_t i = 0; i < pages; i++) count += there[i] & 1;
    free(there);
    return (double)(count * page);
}

static void row(const char *name, const char *what, double figure, const char *unit, enum bench_bound bound,
                double target)
{
    char text[80];
    snprintf(text, sizeof text, "explore %s: %s", name, what);
    bench_row(text, figure, unit, bound, target);
}

static void measure(const char *name, const char *ops, double seconds_max, unsigned depth)
{
    static struct target t;
    static struct exec_counters counters;
    struct explore_orders orders;
    struct verdict verdict;
    char error[1024];
    struct exploration x = {.target = &t, .memory_bytes = (uint64_t)256 << 20};
    if (target_resolve(&t, name, NULL, NULL, error, sizeof error)) abort();
    if (exploration_orders(&orders, &t, ops, NULL, 0, error, sizeof error)) abort();
    if (depth) orders.depth_max = depth;
    if (exploration_open(&x, &orders, error, sizeof error)) abort();
    const struct exec_options options = {.ops = t.ops, .contract = t.contract, .counters = &counters};
    const double began = bench_seconds();
    if (!explore_run(x.explore, &options, &verdict) || verdict.kind != VERDICT_PASS) abort();
    const double seconds = bench_seconds() - began;
    const struct explore *e = x.explore;
    const double states = (double)e->states;
    row(name, explore_proved(e) ? "closes in" : "comes to its depth in", seconds, "s", BENCH_AT_MOST, seconds_max);
    row(name, "calls", (double)e->transitions / seconds / 1e6, "M/s", BENCH_AT_LEAST, 3);
    row(name, "new states", states / seconds / 1e6, "M/s", BENCH_AT_LEAST, 0.3);
    row(name, "memory of a state", touched(e, x.explore_bytes) / states, "bytes", BENCH_AT_MOST, 40);
    exploration_close(&x);
}

int main(int argc, char **argv)
{
    const unsigned depth = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
    if (argc < 3) measure("freelist", "malloc,free", 0.3, depth);
    if (argc < 3) measure("freelist", NULL, 0, depth);
    measure("buddy", NULL, 4, depth);
    return 0;
}
