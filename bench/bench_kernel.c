/* bench_kernel.c: programs a second on the simulated machine, and what the model costs beside the allocator.
 *
 * Two kinds of programs: 40 page operations of small orders on S64, made here; and whatever the generator makes for each
 * built-in of the kernel families. The model's own cost is what exec takes for thousands of single frames, allocated and
 * freed again, beyond what a bare loop takes that makes the same calls and touches the same bytes of each frame: 64 at
 * either end, written once and read once. Cold as they are, those cost more than the call, whoever looks at them.
 */
#include "bench.h"

#include "../tests/kernel_programs.h"
#include "backing.h"
#include "exec.h"
#include "generator.h"
#include "target.h"

#include <string.h>

#define PROGRAMS 1000u
#define REPEATS 9u
#define LIVE PROGRAM_SLOTS /* blocks at once: a program has no more slots */
#define EDGE 64u           /* bytes at each end of a frame that the model looks at while so many live */

static struct exec_counters counters;
static struct program program;
static struct target target;

static struct exec *executor(void)
{
    struct exec_options o = {.ops = target.ops, .contract = target.contract, .counters = &counters};
    struct exec *x = exec_open(&o);
    if (!x) abort();
    return x;
}

static void run(struct exec *x)
{
    struct verdict v;
    exec_run(x, &program, &v);
    if (v.kind != VERDICT_PASS) fprintf(stderr, "bench_kernel: %s breaks %s\n", target.name, v.seen);
}

static void resolve(const char *name)
{
    char error[256];
    if (target_resolve(&target, name, NULL, NULL, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
}

static double page_programs(void)
{
    double speeds[REPEATS];
    struct exec *x = executor();
    for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
        double start = bench_seconds();
        for (unsigned i = 0; i < PROGRAMS; i++) {
            kernel_program(&program, repeat * PROGRAMS + i, 40, 2, false);
            run(x);
        }
        speeds[repeat] = PROGRAMS / (bench_seconds() - start) / 1e3;
    }
    exec_close(x);
    return bench_median(speeds, REPEATS);
}

static double generated_programs(void)
{
    double speeds[REPEATS];
    struct exec *x = executor();
    for (unsigned repeat = 0; repeat < REPEATS; repeat++) {
        struct generator g;
        generator_init(&g, &target, repeat);
        double start = bench_seconds();
        for (unsigned i = 0; i < PROGRAMS / 5; i++) {
            generator_program(&g, i, &program);
            if (program.heap.course == COURSE_FREE_COST)
                program.heap.course = COURSE_PLAIN; /* it counts instructions */
            run(x);
        }
        speeds[repeat] = PROGRAMS / 5 / (bench_seconds() - start) / 1e3;
    }
    exec_close(x);
    return bench_median(speeds, REPEATS);
}

/* ---- The model beside the allocator ------------------------------------------------------------------------------------ */

static uint64_t sum; /* of what was read, so that it is */

static void write_ends(unsigned char *frame, unsigned i)
{
    memset(frame, (int)(i & 0xff), EDGE);
    memset(frame + 4096 - EDGE, (int)(i & 0xff), EDGE);
}

static void read_ends(const unsigned char *frame)
{
    uint64_t words[2 * EDGE / sizeof(uint64_t)];
    memcpy(words, frame, EDGE);
    memcpy(words + EDGE / sizeof *words, frame + 4096 - EDGE, EDGE);
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) sum += words[i];
}

static double bare(struct lender *lender, void *heap, bool contents)
{
    static struct page *pages[LIVE];
    const struct kernel_ops *ops = target.ops->kernel;
    const struct machine *m = lender->face.machine;
    const struct lender_geometry lend = {.kind = BACKING_MACHINE, .machine = MACHINE_S64};
    double start = bench_seconds();
    if (lender_fresh(lender, &lend) || target.ops->reset(heap)) abort();
    for (unsigned i = 0; i < LIVE; i++) {
        pages[i] = ops->alloc_pages(heap, GFP_HIGHUSER, 0);
        if (contents) write_ends(machine_oracle(m, ops->page_to_pfn(heap, pages[i])), i);
    }
    for (unsigned i = 0; i < LIVE; i++) {
        if (contents) read_ends(machine_oracle(m, ops->page_to_pfn(heap, pages[i])));
        ops->free_page_block(heap, pages[i], 0);
    }
    return bench_seconds() - start;
}

static double judged(struct exec *x)
{
    double start = bench_seconds();
    run(x);
    return bench_seconds() - start;
}

/* Medians of the time of one call: alone, with the contents of its frame, and under exec; measured in turns. */
static void share(double *call, double *contents, double *exec)
{
    double alone[REPEATS], touched[REPEATS], both[REPEATS];
    struct lender lender;
    void *heap = calloc(1, target.ops->state_size);
    struct exec *x = executor();
    const struct lender_geometry lend = {.kind = BACKING_MACHINE, .machine = MACHINE_S64};
    lender_init(&lender);
    if (!heap || lender_fresh(&lender, &lend) || target.ops->init(heap, &lender.face)) abort();
    program_clear(&program);
    program.heap.seed = 1;
    program.op_count = 2;
    program.ops[0] = (struct op){.kind = OP_ALLOC_PAGES, .count = LIVE, .stride = 1, .gfp = GFP_HIGHUSER};
    program.ops[1] = (struct op){.kind = OP_FREE_PAGES, .count = LIVE, .stride = 1};
    for (unsigned i = 0; i < REPEATS; i++) {
        alone[i] = bare(&lender, heap, false);
        touched[i] = bare(&lender, heap, true);
        both[i] = judged(x);
    }
    *call = bench_median(alone, REPEATS) / (2 * LIVE) * 1e9;
    *contents = bench_median(touched, REPEATS) / (2 * LIVE) * 1e9;
    *exec = bench_median(both, REPEATS) / (2 * LIVE) * 1e9;
    exec_close(x);
    lender_close(&lender);
    free(heap);
}

int main(void)
{
    static const char *const names[] = {"buddy", "slab", "kmalloc", "vmalloc"};
    double call, contents, exec;
    resolve("buddy");
    bench_row("buddy: programs of 40 page operations, S64", page_programs(), "k/s", BENCH_AT_LEAST, 20);
    share(&call, &contents, &exec);
    bench_row("buddy: a call among 8,192 live frames", call, "ns", BENCH_AT_MOST, 0);
    bench_row("buddy: ... and the ends of its frame written and read", contents, "ns", BENCH_AT_MOST, 0);
    bench_row("buddy: ... under exec", exec, "ns", BENCH_AT_MOST, 0);
    bench_row("buddy: of that the model's own", exec - contents, "ns", BENCH_AT_MOST, call);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char what[64];
        resolve(names[i]);
        snprintf(what, sizeof what, "%s: programs of the generator", names[i]);
        bench_row(what, generated_programs(), "k/s", BENCH_AT_LEAST, 0);
    }
    return 0;
}
