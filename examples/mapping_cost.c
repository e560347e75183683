/* mapping_cost.c: what a page costs from vmalloc, and what from kmalloc.
 *
 *     mapping_cost [ROUNDS [FILE.svg]]
 *
 * For 1, 2, 4 … 1024 pages it takes memory, writes a byte to each page and gives it back: from kmalloc, from vmalloc on
 * frames that lie one behind the other, which the host maps in one call, and from vmalloc on scattered frames, which take a
 * call each. All three are measured in turns, in one process, on one simulated machine each; a figure is the median of
 * ROUNDS rounds (31). Prints a table, and draws it as an SVG. The mappings in the table are counted by the machine: they
 * grow with the pages, and kmalloc makes none (SEMANTICS B105).
 *
 * The exit status is 0 if and only if those counts are as they should be; of times nothing is demanded.
 */
#include "kernel_example.h"

#include <math.h>
#include <time.h>

#define SIZES 11u /* 2^0 .. 2^10 pages */
#define ROUNDS_MAX 999u

enum kind { KMALLOC, VMALLOC, SCATTERED, KINDS };
static const char *const names[KINDS] = {"kmalloc", "vmalloc", "vmalloc, scattered"};
static const char *const colours[KINDS] = {"#2a9d3a", "#1f5fbf", "#c0392b"};

struct figures {
    double ns[KINDS][SIZES];       /* per page */
    uint32_t mapped[KINDS][SIZES]; /* pages, in one round */
};

/* ---- Measuring ------------------------------------------------------------------------------------------------------ */

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Nanoseconds to take, touch and give back; *mapped: pages for which a mapping was made. */
static double round_ns(struct example *e, enum kind kind, size_t bytes, uint32_t *mapped)
{
    const struct kernel_ops *k = e->kernel;
    machine_events_clear(&e->machine);
    double start = now_ns();
    volatile unsigned char *p = kind == KMALLOC ? k->kmalloc(e->heap, bytes, GFP_KERNEL) : k->vmalloc(e->heap, bytes);
    if (!p) {
        fprintf(stderr, "%zu bytes were refused\n", bytes);
        exit(1);
    }
    for (size_t i = 0; i < bytes; i += e->machine.page_bytes) p[i] = 1;
    if (kind == KMALLOC) k->kfree(e->heap, (const void *)p);
    else k->vfree(e->heap, (const void *)p);
    double end = now_ns();
    uint32_t count;
    const struct machine_event *events = machine_events(&e->machine, &count);
    *mapped = 0;
    for (uint32_t i = 0; i < count; i++)
        if (events[i].kind == EVENT_MAP) *mapped += events[i].b;
    return end - start;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(struct example *examples, unsigned rounds, struct figures *f)
{
    static double samples[KINDS][ROUNDS_MAX];
    for (unsigned i = 0; i < SIZES; i++) {
        const size_t pages = (size_t)1 << i, bytes = pages * examples[0].machine.page_bytes;
        for (unsigned round = 0; round < rounds; round++)
            for (unsigned kind = 0; kind < KINDS; kind++)
                samples[kind][round] = round_ns(&examples[kind], (enum kind)kind, bytes, &f->mapped[kind][i]);
        for (unsigned kind = 0; kind < KINDS; kind++) {
            qsort(samples[kind], rounds, sizeof samples[kind][0], compare);
            f->ns[kind][i] = samples[kind][rounds / 2] / (double)pages;
        }
    }
}

/* ---- Showing -------------------------------------------------------------------------------------------------------- */

static void print_table(const struct figures *f, unsigned rounds)
{
    printf("nanoseconds for a page, taken, touched and given back; medians of %u\n\n", rounds);
    printf("%6s %10s %10s %8s %10s %8s %14s\n", "pages", "kmalloc", "vmalloc", "times", "scattered", "times",
           "pages mapped");
    for (unsigned i = 0; i < SIZES; i++)
        printf("%6u %10.0f %10.0f %8.1f %10.0f %8.1f %6u and %4u\n", 1u << i, f->ns[KMALLOC][i], f->ns[VMALLOC][i],
               f->ns[VMALLOC][i] / f->ns[KMALLOC][i], f->ns[SCATTERED][i], f->ns[SCATTERED][i] / f->ns[KMALLOC][i],
               f->mapped[KMALLOC][i], f->mapped[VMALLOC][i]);
}

#define LEFT 70.0
#define TOP 40.0
#define STEP 50.0    /* a doubling of the pages */
#define DECADE 100.0 /* a tenfold time */
#define DECADES 5    /* from 1 ns */

static double x_of(unsigned i) { return LEFT + STEP * i; }

static double y_of(double ns) { return TOP + DECADE * (DECADES - log10(ns)); }

static bool draw(const struct figures *f, const char *file)
{
    FILE *out = fopen(file, "w");
    if (!out) return false;
    const double right = x_of(SIZES - 1), bottom = TOP + DECADE * DECADES;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" font-family=\"sans-serif\" "
            "font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"%.0f\" y=\"22\">nanoseconds for a page, taken, touched and given back</text>\n",
            right + 160, bottom + 50, LEFT);
    double power = 1;
    for (int decade = 0; decade <= DECADES; decade++, power *= 10)
        fprintf(out,
                "<path d=\"M%.0f %.1fH%.0f\" stroke=\"#ccc\"/><text x=\"%.0f\" y=\"%.1f\" "
                "text-anchor=\"end\">%.0f</text>\n",
                LEFT, bottom - DECADE * decade, right, LEFT - 8, bottom - DECADE * decade + 4, power);
    for (unsigned i = 0; i < SIZES; i++)
        fprintf(out,
                "<path d=\"M%.0f %.0fV%.0f\" stroke=\"#eee\"/><text x=\"%.0f\" y=\"%.0f\" "
                "text-anchor=\"middle\">%u</text>\n",
                x_of(i), TOP, bottom, x_of(i), bottom + 18, 1u << i);
    fprintf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">pages</text>\n", (LEFT + right) / 2, bottom + 38);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        fprintf(out, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", colours[kind]);
        for (unsigned i = 0; i < SIZES; i++) fprintf(out, "%.1f,%.1f ", x_of(i), y_of(f->ns[kind][i]));
        fprintf(out, "\"/>\n<text x=\"%.0f\" y=\"%.1f\" fill=\"%s\">%s</text>\n", right + 8,
                y_of(f->ns[kind][SIZES - 1]) + 4, colours[kind], names[kind]);
    }
    fprintf(out, "</svg>\n");
    bool failed = ferror(out);
    return !fclose(out) && !failed;
}

int main(int argc, char **argv)
{
    const unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 31;
    const char *file = argc > 2 ? argv[2] : "mapping_cost.svg";
    if (argc > 3 || !rounds || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: %s [ROUNDS [FILE.svg]], with 1 to %u rounds\n", argv[0], ROUNDS_MAX);
        return 2;
    }
    static struct example examples[KINDS];
    static struct figures figures;
    for (unsigned kind = 0; kind < KINDS; kind++)
        example_open(&examples[kind], &(struct machine_geometry){.config = MACHINE_S64, .scatter = kind == SCATTERED});
    measure(examples, (unsigned)rounds, &figures);
    for (unsigned kind = 0; kind < KINDS; kind++) example_close(&examples[kind]);

    print_table(&figures, (unsigned)rounds);
    if (!draw(&figures, file)) {
        perror(file);
        return 2;
    }
    printf("\ndrawn in %s\n", file);
    for (unsigned i = 0; i < SIZES; i++)
        if (figures.mapped[KMALLOC][i] || figures.mapped[VMALLOC][i] < 1u << i) return 1;
    return 0;
}
