/* diff.c: diff.h is the manual; from a disagreement to a finding is in diff_investigate.c. */
#include "diff.h"

#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_SECONDS 0.02 /* at one child before it is the next one's turn */

_Static_assert(OBSERVED_PROGRAMS == WINDOW_PROGRAMS, "a log holds one window");

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- Who is compared ------------------------------------------------------------------------------------------------- */

/* The families of operations that all offer, and the contract errors that all promise to report. Within a family programs
 * are what they always are: an operation that somebody lacks is skipped there, and counted. */
static void common_target(struct diff *d)
{
    struct target *all = &d->common;
    bool cached = true, machine = false, host = false;
    *all = d->targets[0];
    for (unsigned i = 0; i < d->count; i++) {
        const struct target *t = &d->targets[i];
        for (unsigned word = 0; word < 4; word++) all->offered[word] &= t->offered[word];
        all->contract.promises &= t->contract.promises;
        all->illegal &= t->illegal;
        cached &= t->kind == TARGET_BUILTIN && t->ops->kernel && t->ops->kernel->kfree_takes_cached;
        machine |= t->contract.backing == BACKING_MACHINE;
        host |= t->contract.backing == BACKING_HOST;
        if (t->machine) all->machine = t->machine;
    }
    if (!cached) all->kind = TARGET_LIBRARY; /* of which generator.c does not ask it */
    all->contract.backing = machine ? BACKING_MACHINE : host ? BACKING_HOST : d->targets[0].contract.backing;
}

/* What people call it: of a library's path the last part, without "lib" and ".so". */
static void short_name(char *out, size_t size, const struct target *t)
{
    const char *base = t->kind == TARGET_BUILTIN ? NULL : strrchr(t->name, '/');
    base = base ? base + 1 : t->name;
    if (t->kind != TARGET_BUILTIN && strncmp(base, "lib", 3) == 0 && base[3] != '.') base += 3;
    const char *end = t->kind == TARGET_BUILTIN ? NULL : strstr(base, ".so");
    snprintf(out, size, "%.*s", end > base ? (int)(end - base) : 64, base);
}

/* Short names; the second of a name and further ones are numbered. */
static void make_label(struct diff *d, unsigned i)
{
    char name[65], other[65];
    unsigned before = 1;
    short_name(name, sizeof name, &d->targets[i]);
    for (unsigned j = 0; j < i; j++) {
        short_name(other, sizeof other, &d->targets[j]);
        before += strcmp(name, other) == 0;
    }
    snprintf(d->labels[i], sizeof d->labels[i], before > 1 ? "%s (%u)" : "%s", name, before);
}

static bool same_allocator(const struct target *a, const struct target *b)
{
    return a->kind == b->kind && strcmp(a->name, b->name) == 0 && strcmp(a->prefix, b->prefix) == 0;
}

void diff_begin(struct diff *d)
{
    struct party parties[PARTIES_MAX];
    common_target(d);
    for (unsigned i = 0; i < d->count; i++) {
        const struct target *t = &d->targets[i];
        make_label(d, i);
        parties[i] = (struct party){.name = d->labels[i], .contract = &t->contract, .offered = t->offered};
        while (!same_allocator(&d->targets[parties[i].same], t)) parties[i].same++;
    }
    difference_begin(&d->difference, parties, d->count);
}

unsigned diff_crews(const struct diff *d)
{
    unsigned crews = d->jobs / d->count;
    return crews ? crews : 1;
}

static void add_counters(struct exec_counters *sum, const struct exec_counters *more)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += from[i];
}

/* ---- A window -------------------------------------------------------------------------------------------------------- */

struct crew {
    struct child children[PARTIES_MAX];
    bool ready[PARTIES_MAX];                                    /* through with the window */
    struct child_result failures[PARTIES_MAX][WINDOW_PROGRAMS]; /* verdict.kind is VERDICT_FAIL where it broke a rule */
    uint64_t first;                                             /* of the window */
    unsigned count;                                             /* 0: none left */
};

static int cannot(const struct child *c, char *error, size_t size)
{
    snprintf(error, size, "%s: %.200s", c->target.name,
             c->journal->error[0] ? c->journal->error : "cannot start a child process");
    return -1;
}

static int crew_open(struct crew *w, const struct diff *d, char *error, size_t size)
{
    struct generator generator;
    generator_init(&generator, &d->common, d->seed);
    for (unsigned i = 0; i < d->count; i++) {
        if (child_open(&w->children[i], &d->targets[i], &d->limits, error, size)) return -1;
        if (child_observe(&w->children[i], !d->programs, error, size)) return -1;
        w->children[i].journal->campaign.generator = generator;
    }
    return 0;
}

static void crew_close(struct crew *w, struct diff *d)
{
    for (unsigned i = 0; i < d->count; i++) {
        if (!w->children[i].journal) continue;
        add_counters(&d->counters[i], &w->children[i].journal->counters);
        child_close(&w->children[i]);
    }
}

static int crew_begin(struct crew *w, const struct diff *d, char *error, size_t size)
{
    for (unsigned i = 0; i < d->count; i++) {
        struct observation_log *log = journal_log(w->children[i].journal);
        log->programs = log->used = 0;
        memset(w->failures[i], 0, sizeof w->failures[i]);
        w->ready[i] = w->count == 0;
        if (w->count && child_begin_stretch(&w->children[i], w->first, w->count))
            return cannot(&w->children[i], error, size);
    }
    return 0;
}

/* A program of this allocator has failed: what follows it is still to be run. */
static int go_on(struct crew *w, unsigned i, const struct child_result *result, char *error, size_t size)
{
    struct child *c = &w->children[i];
    struct observation_log *log = journal_log(c->journal);
    uint64_t index = c->journal->campaign.index;
    unsigned place = (unsigned)(index - w->first);
    if (result->verdict.kind != VERDICT_FAIL || place >= w->count) {
        snprintf(error, size, "%s: %s", c->target.name, result->verdict.seen);
        return -1;
    }
    w->failures[i][place] = *result;
    /* The process may have died before the log had its program. */
    while (log->programs <= place) log->program[log->programs++] = (struct observed){.verdict = VERDICT_ERROR};
    if (c->target.contract.backing == BACKING_HOST) child_kill(c);
    w->ready[i] = place + 1 == w->count;
    if (!w->ready[i] && child_begin_stretch(c, index + 1, w->count - place - 1)) return cannot(c, error, size);
    return 0;
}

/* Looks at every process once; *waiting says whether one is still at work. */
static int crew_wait(struct crew *w, const struct diff *d, bool *waiting, char *error, size_t size)
{
    for (unsigned i = 0; i < d->count; i++) {
        struct child_result result;
        if (w->ready[i]) continue;
        *waiting = true;
        if (!child_wait(&w->children[i], LOOK_SECONDS, &result)) continue;
        if (result.verdict.kind == VERDICT_PASS) w->ready[i] = true;
        else if (go_on(w, i, &result, error, size)) return -1;
    }
    return 0;
}

static unsigned compare(struct diff *d, const struct child *children, unsigned program, struct disagreement *found)
{
    struct observed_run runs[PARTIES_MAX];
    static const struct observed nothing = {.verdict = VERDICT_ERROR};
    for (unsigned i = 0; i < d->count; i++) {
        const struct observation_log *log = journal_log(children[i].journal);
        bool noted = program < log->programs;
        runs[i].program = noted ? &log->program[program] : &nothing;
        runs[i].calls = log->calls + (noted ? log->program[program].first : 0);
    }
    return difference_add(&d->difference, runs, found, DISAGREEMENTS_MAX);
}

static void crew_compare(struct crew *w, struct diff *d)
{
    for (unsigned program = 0; program < w->count; program++) {
        struct disagreement found[DISAGREEMENTS_MAX];
        for (unsigned i = 0; i < d->count; i++)
            if (w->failures[i][program].verdict.kind == VERDICT_FAIL)
                d->broke(d->context, i, w->first + program, &w->failures[i][program]);
        unsigned count = compare(d, w->children, program, found);
        for (unsigned i = 0; i < count; i++) d->disagreed(d->context, w->first + program, &found[i]);
    }
}

/* ---- Generated programs ------------------------------------------------------------------------------------------------ */

/* One window for each crew, from program *next on. */
static int run_windows(struct diff *d, struct crew *crews, unsigned count, uint64_t *next, char *error, size_t size)
{
    for (unsigned k = 0; k < count; k++) {
        uint64_t left = d->programs ? d->programs - *next : WINDOW_PROGRAMS;
        crews[k].first = *next;
        crews[k].count = left < WINDOW_PROGRAMS ? (unsigned)left : WINDOW_PROGRAMS;
        *next += crews[k].count;
        if (crew_begin(&crews[k], d, error, size)) return -1;
    }
    for (bool waiting = true; waiting;) {
        waiting = false;
        for (unsigned k = 0; k < count; k++)
            if (crew_wait(&crews[k], d, &waiting, error, size)) return -1;
    }
    for (unsigned k = 0; k < count; k++) crew_compare(&crews[k], d);
    return 0;
}

int diff_run(struct diff *d, char *error, size_t size)
{
    unsigned count = diff_crews(d);
    struct crew *crews = calloc(count, sizeof *crews);
    double began = wall();
    uint64_t next = 0;
    int failed = 0;
    if (!crews) snprintf(error, size, "no memory");
    if (!crews) return -1;
    for (unsigned k = 0; k < count && !failed; k++) failed = crew_open(&crews[k], d, error, size);
    while (!failed && !*d->interrupted) {
        if (d->programs ? next >= d->programs : next && wall() - began >= d->seconds) break;
        failed = run_windows(d, crews, count, &next, error, size);
        if (d->progress) d->progress(d->context, d, wall() - began);
    }
    for (unsigned k = 0; k < count; k++) crew_close(&crews[k], d);
    free(crews);
    d->took = wall() - began;
    return failed;
}

/* ---- Programs at hand ---------------------------------------------------------------------------------------------------- */

int diff_bench_open(struct diff_bench *b, struct diff *d, char *error, size_t size)
{
    *b = (struct diff_bench){.diff = d};
    for (unsigned i = 0; i < d->count; i++) {
        if (child_open(&b->children[i], &d->targets[i], &d->limits, error, size) == 0 &&
            child_observe(&b->children[i], false, error, size) == 0)
            continue;
        diff_bench_close(b);
        return -1;
    }
    return 0;
}

void diff_bench_close(struct diff_bench *b)
{
    for (unsigned i = 0; i < b->diff->count; i++) {
        if (!b->children[i].journal) continue;
        add_counters(&b->diff->counters[i], &b->children[i].journal->counters);
        child_close(&b->children[i]);
    }
}

unsigned diff_program(struct diff_bench *b, const struct program *p, struct child_result *results,
                      struct disagreement *found)
{
    for (unsigned i = 0; i < b->diff->count; i++) child_replay(&b->children[i], p, &results[i]);
    return compare(b->diff, b->children, 0, found);
}
