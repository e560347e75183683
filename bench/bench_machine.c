/* bench_machine.c: what a fresh simulated machine costs after a program, and what its page tables add to a mapping.
 *
 * Fresh: machine_fresh alone, after so many frames were taken and so many pages, no two neighbours, were left mapped. An
 * empty loop's own time is taken off. Mapping: machine_map of an area, beside bare calls of mmap(MAP_FIXED) that put the
 * same runs of frames at the same addresses; taking the area away again is measured apart.
 */
#include "bench.h"

#include "machine_internal.h"

#include <sys/mman.h>

#define FRESHES 2048u
#define PAGES_MAX 512u /* of an area */

static struct machine m;
static const struct machine_geometry s64 = {.config = MACHINE_S64}, smap = {.config = MACHINE_SMAP};

static void power_on(const struct machine_geometry *g)
{
    if (machine_fresh(&m, g, NULL)) abort();
}

static void need(int error)
{
    if (error) abort();
}

/* ---- Fresh ---------------------------------------------------------------------------------------------------------------- */

/* What a program leaves behind: the first frames taken, and every second page of the window mapped. */
static void touch(uint32_t frames, uint32_t pages)
{
    machine_take(&m, 0, frames, 0);
    if (pages) need(machine_add_table(&m, m.vmalloc_start, 1));
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t pfn = 2 * i;
        need(machine_map(&m, m.vmalloc_start + (size_t)2 * i * m.page_bytes, &pfn, 1));
    }
}

/* ns for one machine_fresh after touch(); the programs alternate between the two configurations. */
static double fresh(const struct machine_geometry *a, const struct machine_geometry *b, uint32_t frames, uint32_t pages)
{
    double figures[BENCH_REPEATS];
    uint32_t count = pages || frames ? FRESHES / 32 : FRESHES;
    for (unsigned k = 0; k < BENCH_REPEATS; k++) {
        double spent = 0, empty = 0;
        for (uint32_t i = 0; i < count; i++) {
            touch(frames, pages);
            double start = bench_seconds();
            power_on(i % 2 ? a : b);
            spent += bench_seconds() - start;
            start = bench_seconds();
            empty += bench_seconds() - start;
        }
        figures[k] = (spent - empty) / count * 1e9;
    }
    return bench_median(figures, BENCH_REPEATS);
}

static double bare_fresh(void)
{
    double figures[BENCH_REPEATS];
    for (unsigned k = 0; k < BENCH_REPEATS; k++) {
        double start = bench_seconds();
        for (uint32_t i = 0; i < FRESHES; i++) power_on(&s64);
        figures[k] = (bench_seconds() - start) / FRESHES * 1e9;
    }
    return bench_median(figures, BENCH_REPEATS);
}

/* ns for each frame of a take; `first`: since the machine was made fresh. */
static double take(const struct machine_geometry *g, bool first)
{
    enum { FRAMES = 1024 };
    double figures[BENCH_REPEATS];
    for (unsigned k = 0; k < BENCH_REPEATS; k++) {
        power_on(g);
        if (!first) machine_take(&m, 0, FRAMES, 0);
        double start = bench_seconds();
        for (uint32_t pfn = 0; pfn < FRAMES; pfn++) machine_take(&m, pfn, 1, 0);
        figures[k] = (bench_seconds() - start) / FRAMES * 1e9;
    }
    return bench_median(figures, BENCH_REPEATS);
}

static void measure_fresh(void)
{
    const struct machine_geometry random = {.config = MACHINE_S64, .random_dirt = true};
    bench_row("machine: fresh, nothing done since", bare_fresh(), "ns", BENCH_AT_MOST, 0);
    bench_row("  from one configuration to another", fresh(&s64, &smap, 0, 0), "ns", BENCH_AT_MOST, 0);
    bench_row("  after 40 frames were taken", fresh(&s64, &s64, 40, 0), "ns", BENCH_AT_MOST, 0);
    bench_row("  after 4000 frames were taken", fresh(&s64, &s64, 4000, 0), "ns", BENCH_AT_MOST, 0);
    bench_row("  with 1 page left mapped", fresh(&s64, &s64, 0, 1), "ns", BENCH_AT_MOST, 0);
    bench_row("  with 16 scattered pages left mapped", fresh(&s64, &s64, 0, 16), "ns", BENCH_AT_MOST, 0);
    bench_row("  with 256 scattered pages left mapped", fresh(&s64, &s64, 0, 256), "ns", BENCH_AT_MOST, 0);
    bench_row("machine: a frame's first take, filled with one byte", take(&s64, true), "ns", BENCH_AT_MOST, 0);
    bench_row("  filled with random bytes", take(&random, true), "ns", BENCH_AT_MOST, 0);
    bench_row("  taken again", take(&s64, false), "ns", BENCH_AT_MOST, 0);
}

/* ---- Mapping -------------------------------------------------------------------------------------------------------------- */

static void bare_map(unsigned char *at, const uint32_t *pfns, uint32_t count)
{
    for (uint32_t first = 0, run; first < count; first += run) {
        for (run = 1; first + run < count && pfns[first + run] == pfns[first] + run;) run++;
        void *p = mmap(at + first * m.page_bytes, run * m.page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                       m.inside->fd, (off_t)pfns[first] << m.page_shift);
        if (p == MAP_FAILED) abort();
    }
}

static void bare_unmap(unsigned char *at, uint32_t count)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    if (mmap(at, count * m.page_bytes, PROT_NONE, flags, -1, 0) == MAP_FAILED) abort();
}

/* An area of `count` pages, of frames in runs of `run`, by the machine and bare in turns. */
static void measure_mapping(uint32_t count, uint32_t run)
{
    static uint32_t pfns[PAGES_MAX];
    double maps[2][BENCH_REPEATS], unmaps[2][BENCH_REPEATS];
    char what[80];
    uint32_t areas = 16384 / (count / run + 4);
    unsigned char *at;
    power_on(&s64);
    at = m.vmalloc_start + (size_t)128 * m.page_bytes;
    for (uint32_t i = 0; i < 2; i++) need(machine_add_table(&m, m.vmalloc_start + i * 512 * m.page_bytes, 1));
    for (uint32_t i = 0; i < count; i++) pfns[i] = i / run * 2 * run + i % run;
    for (unsigned k = 0; k < BENCH_REPEATS * 2; k++) {
        double map = 0, unmap = 0;
        for (uint32_t i = 0; i < areas; i++) {
            double start = bench_seconds(), middle;
            if (k % 2) need(machine_map(&m, at, pfns, count));
            else bare_map(at, pfns, count);
            middle = bench_seconds();
            if (k % 2) need(machine_unmap(&m, at, count));
            else bare_unmap(at, count);
            map += middle - start;
            unmap += bench_seconds() - middle;
            machine_events_clear(&m);
        }
        maps[k % 2][k / 2] = map / areas / count * 1e9;
        unmaps[k % 2][k / 2] = unmap / areas / count * 1e9;
    }
    double ours = bench_median(maps[1], BENCH_REPEATS), bare = bench_median(maps[0], BENCH_REPEATS);
    snprintf(what, sizeof what, "machine: mapping a page, of %u in runs of %u", count, run);
    bench_row(what, ours, "ns", BENCH_AT_MOST, 0);
    bench_row("  bare mmap of the same", bare, "ns", BENCH_AT_MOST, 0);
    bench_row("  machine / bare", ours / bare, "times", BENCH_AT_MOST, 1.3);
    ours = bench_median(unmaps[1], BENCH_REPEATS), bare = bench_median(unmaps[0], BENCH_REPEATS);
    bench_row("  taking it away, machine / bare", ours / bare, "times", BENCH_AT_MOST, 0);
}

int main(void)
{
    machine_init(&m);
    measure_fresh();
    measure_mapping(4, 1);
    measure_mapping(512, 1);
    measure_mapping(512, 8);
    measure_mapping(512, 512);
    machine_close(&m);
    return 0;
}
