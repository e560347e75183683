/* bench_objects.c: programs a second of 40 operations on objects or small areas, S64: made here, run and judged. */
#include "bench.h"

#include "exec.h"
#include "kernel.h"
#include "target.h"

#include <stdio.h>
#include <stdlib.h>

#define OPERATIONS 40u
#define PROGRAMS 1000u
#define REPEATS 9u

static struct exec_counters counters;
static struct program program;
static struct target target;

static uint32_t draw(uint64_t *dice, uint32_t n)
{
    *dice = *dice * UINT64_C(0xD1342543DE82EF95) + UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)((*dice >> 33) % n);
}

/* Small sizes more often than large ones: a border of a class, or up to 2^16. */
static struct op kmalloc_operation(uint64_t *dice)
{
    unsigned what = draw(dice, 100);
    struct op op = {.slot = (uint16_t)draw(dice, 24), .count = 1, .gfp = draw(dice, 3) ? GFP_KERNEL : GFP_ATOMIC};
    op.a = draw(dice, 2) ? 8u << draw(dice, 8) : 1 + draw(dice, 64u << draw(dice, 11));
    op.kind = what < 30 ? OP_KMALLOC : what < 45 ? OP_KZALLOC : what < 55 ? OP_KREALLOC : OP_KFREE;
    return op;
}

static struct op cache_operation(uint64_t *dice, unsigned number)
{
    unsigned what = draw(dice, 100);
    struct op op = {.slot = (uint16_t)draw(dice, 24), .count = 1, .a = draw(dice, 2)};
    op.kind = what < 40 ? OP_CACHE_ALLOC : what < 50 ? OP_CACHE_ZALLOC : what < 98 ? OP_CACHE_FREE : OP_CACHE_SHRINK;
    op.gfp = op.kind < OP_CACHE_FREE ? GFP_KERNEL : 0;
    if (number >= 2) return op;
    op.kind = OP_CACHE_CREATE;
    op.a = number;
    op.b = PROGRAM_CACHE_ARGS(8u + draw(dice, 1024), 0, draw(dice, 4) ? 0 : CACHE_HWCACHE_ALIGN, false);
    return op;
}

/* Areas of one to four pages. */
static struct op area_operation(uint64_t *dice)
{
    unsigned what = draw(dice, 100);
    struct op op = {.slot = (uint16_t)draw(dice, 24), .count = 1};
    op.kind = what < 45 ? OP_VMALLOC : what < 55 ? OP_VZALLOC : OP_VFREE;
    op.a = op.kind == OP_VFREE ? 0 : 1 + draw(dice, 4 * 4096);
    return op;
}

static double programs(const char *name)
{
    char error[256];
    if (target_resolve(&target, name, NULL, NULL, error, sizeof error)) abort();
    const bool areas = target.ops->kernel->vmalloc, by_size = target.ops->kernel->kmalloc;
    struct exec_options o = {.ops = target.ops, .contract = target.contract, .counters = &counters};
    struct exec *x = exec_open(&o);
    double speeds[REPEATS];
    if (!x) abort();
    for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
        double start = bench_seconds();
        for (unsigned i = 0; i < PROGRAMS; i++) {
            uint64_t dice = repeat * PROGRAMS + i;
            struct verdict v;
            program_clear(&program);
            program.heap.seed = (uint32_t)dice;
            program.op_count = OPERATIONS;
            for (unsigned n = 0; n < OPERATIONS; n++)
                program.ops[n] = areas     ? area_operation(&dice)
                                 : by_size ? kmalloc_operation(&dice)
                                           : cache_operation(&dice, n);
            exec_run(x, &program, &v);
            if (v.kind != VERDICT_PASS) fprintf(stderr, "bench_objects: %s breaks %s\n", name, v.seen);
        }
        speeds[repeat] = PROGRAMS / (bench_seconds() - start) / 1e3;
    }
    exec_close(x);
    return bench_median(speeds, REPEATS);
}

int main(void)
{
    bench_row("slab: programs of 40 operations on objects, S64", programs("slab"), "k/s", BENCH_AT_LEAST, 20);
    bench_row("kmalloc: programs of 40 operations by size, S64", programs("kmalloc"), "k/s", BENCH_AT_LEAST, 20);
    bench_row("vmalloc: programs of 40 operations on small areas", programs("vmalloc"), "k/s", BENCH_AT_LEAST, 3);
    return 0;
}
