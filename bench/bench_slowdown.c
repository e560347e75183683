/* bench_slowdown.c: a churn of mallocs and frees on freelist, once for each mode named; bench/slowdown sets them side by side.
 *
 *     bench_slowdown MODE…      raw: the calls alone; told: the heap tells sanitizers whose its bytes are (annotate.h), for the
 *                               owners; model: the calls as a program, checked by exec
 *
 * 256 slots; a pair frees the block of a random one and allocates there again, 1 to 512 bytes, and its owner writes the
 * block's ends. The modes take turns, and each prints "MODE NANOSECONDS", of a pair, the median of its turns. Built with
 * ASan there is no model.
 */
#include "bench.h"

#include "annotate.h"
#include "backing.h"
#include "builtin.h"
#ifndef WITHOUT_MODEL
#include "exec.h"
#endif

#include <string.h>

#define LIVE 256u
#define PAIRS 384u
#define HEAP_BYTES (192u << 10)
#define TURNS 7u

static uint16_t slots[PAIRS], sizes[LIVE + PAIRS];

static void put(const struct alloc_ops *ops, void *heap, void **block, size_t size)
{
    volatile unsigned char *p = *block = ops->malloc(heap, size);
    if (!p) abort();
    p[0] = p[size - 1] = 1;
}

static double churn(const struct alloc_ops *ops, unsigned rounds)
{
    struct lender lender;
    void *blocks[LIVE], *heap = calloc(1, ops->state_size);
    if (!heap) abort();
    lender_init(&lender);
    const double start = bench_seconds();
    for (unsigned round = 0; round < rounds; round++) {
        const struct lender_geometry lend = {.kind = ops->contract.backing, .size = HEAP_BYTES};
        memset(heap, 0, ops->state_size);
        if (lender_fresh(&lender, &lend) || ops->init(heap, &lender.face)) abort();
        for (unsigned i = 0; i < LIVE; i++) put(ops, heap, &blocks[i], sizes[i]);
        for (unsigned i = 0; i < PAIRS; i++) {
            ops->free(heap, blocks[slots[i]]);
            put(ops, heap, &blocks[slots[i]], sizes[LIVE + i]);
        }
        for (unsigned i = 0; i < LIVE; i++) ops->free(heap, blocks[i]);
        ops->fini(heap);
    }
    const double seconds = bench_seconds() - start;
    lender_close(&lender);
    free(heap);
    return seconds;
}

#ifndef WITHOUT_MODEL
static struct program program;
static struct exec_counters counters;

static void say(enum op_kind kind, unsigned slot, unsigned size)
{
    program.ops[program.op_count++] = (struct op){.kind = kind, .slot = (uint16_t)slot, .count = 1, .a = size};
}

static double checked(unsigned rounds)
{
    const struct exec_options options = {
        .ops = &alloc_freelist, .contract = alloc_freelist.contract, .counters = &counters};
    struct exec *x = exec_open(&options);
    struct verdict verdict = {.kind = VERDICT_PASS};
    program_clear(&program);
    program.heap.size = HEAP_BYTES;
    program.heap.seed = 3; /* everything is freed in ascending order, and the heap is not walked */
    for (unsigned i = 0; i < LIVE; i++) say(OP_MALLOC, i, sizes[i]);
    for (unsigned i = 0; i < PAIRS; i++) {
        say(OP_FREE, slots[i], 0);
        say(OP_MALLOC, slots[i], sizes[LIVE + i]);
    }
    program_normalise(&program);
    if (!x) abort();
    const double start = bench_seconds();
    for (unsigned round = 0; round < rounds && verdict.kind == VERDICT_PASS; round++) exec_run(x, &program, &verdict);
    const double seconds = bench_seconds() - start;
    if (verdict.kind != VERDICT_PASS) abort();
    exec_close(x);
    return seconds;
}
#else
static double checked(unsigned rounds) { return rounds * 0.0; }
#endif

static double measure(const char *mode, unsigned rounds)
{
    static const struct alloc_ops *told;
    if (strcmp(mode, "model") == 0) return checked(rounds);
    if (strcmp(mode, "raw") == 0) return churn(&alloc_freelist, rounds);
    if (!told && !(told = annotate(&alloc_freelist, ANNOTATE_OWNERS))) abort();
    return churn(told, rounds);
}

int main(int argc, char **argv)
{
    static double times[8][TURNS];
    uint64_t state = 1;
    for (unsigned i = 0; i < PAIRS; i++) slots[i] = (uint16_t)(bench_random(&state) % LIVE);
    for (unsigned i = 0; i < LIVE + PAIRS; i++) sizes[i] = (uint16_t)(1 + bench_random(&state) % 512);
    for (unsigned turn = 0; turn < TURNS; turn++)
        for (int mode = 1; mode < argc && mode < 8; mode++) {
            unsigned rounds = 1;
            double seconds = 0;
            while ((seconds = measure(argv[mode], rounds)) < 0.05 && seconds > 0) rounds *= 2;
            times[mode][turn] = seconds / rounds / (LIVE + PAIRS) * 1e9;
        }
    for (int mode = 1; mode < argc && mode < 8; mode++)
        printf("%s %.1f\n", argv[mode], bench_median(times[mode], TURNS));
    return 0;
}
