/* investigate.c: from a failing program to a finding that a person can use; campaign.h is the manual. */
#include "campaign.h"

#include "minimise.h"

#include <stdio.h>
#include <string.h>

#define TRIES_OWN_HEAP 3000u   /* candidates where a heap is made afresh in microseconds, */
#define TRIES_OWN_PROCESS 400u /* where it takes a process, */
#define TRIES_SLOW 20u         /* and where each failing one runs into a limit, */
#define TRIES_SOON 40u         /* be it one that is soon reached */
/* Judgements in all candidates: about ten seconds' worth, on a machine each moves pages, too; and some runs of the original,
 * lest a large one stay as it is. */
#define EFFORT_MACHINE (UINT64_C(1) << 25)
#define EFFORT_OTHERS (UINT64_C(1) << 29)
#define EFFORT_RUNS 8u
#define REPEATS 5u
#define SHOWS 3u /* attempts to see again what a campaign saw, of two runs each */
/* Of what depends on more than the program: an allocator's own randomness, threads, addresses, the number of the process. */
#define FLAKY_TRIES 60u    /* candidates, */
#define FLAKY_RUNS 6u      /* each judged by so many runs, in processes of their own */
#define FLAKY_MEASURED 12u /* runs of the original, that say how many of those must fail */
#define FLAKY_REPEATS 20u

struct judge {
    struct child child;
    bool own_process; /* every candidate gets a process of its own: the heap cannot be made afresh */
    bool thorough;
    unsigned runs, needed; /* a candidate fails if `needed` of its runs do */
    enum rule rule;
    enum op_kind kind;
    struct child_result last;
    uint64_t effort, effort_max;      /* judgements so far, and those after which there are no more candidates */
    const volatile bool *interrupted; /* NULL: never */
    bool stop;                        /* no more candidates, for either reason */
};

/* The operation in which a verdict fell; OP_KINDS at the end of a program. */
static enum op_kind kind_of(const struct program *p, const struct verdict *v)
{
    return v->op < p->op_count ? (enum op_kind)p->ops[v->op].kind : OP_KINDS;
}

/* What has been looked at, which is what a run costs, and the same on every machine. */
static uint64_t judgements(const struct exec_counters *c)
{
    uint64_t sum = 0;
    for (unsigned rule = 0; rule < RULE_COUNT; rule++) sum += c->checked[rule];
    return sum;
}

static bool run(struct judge *j, const struct program *p, bool thorough)
{
    const struct exec_counters *counters = &j->child.journal->counters;
    if (j->own_process) child_kill(&j->child);
    uint64_t before = judgements(counters);
    child_run(&j->child, p, thorough, &j->last);
    j->effort += judgements(counters) - before;
    return j->last.verdict.kind == VERDICT_FAIL;
}

static bool alike(const struct judge *j, const struct program *p)
{
    const struct verdict *v = &j->last.verdict;
    return v->kind == VERDICT_FAIL && v->rule == j->rule && kind_of(p, v) == j->kind;
}

static bool fails_alike(void *context, const struct program *p, struct verdict *verdict)
{
    struct judge *j = context;
    unsigned failed = 0;
    /* Ends with a run that failed, whose trace is the one to go by, or as soon as too few can. */
    for (unsigned i = 0; i < j->runs && failed < j->needed && failed + j->runs - i >= j->needed; i++) {
        run(j, p, j->thorough);
        if (!alike(j, p)) continue;
        failed++;
        *verdict = j->last.verdict;
    }
    j->stop = j->effort >= j->effort_max || (j->interrupted && *j->interrupted);
    return failed == j->needed;
}

static bool judge_open(struct judge *j, const struct target *target, const struct child_limits *limits, char *error,
                       size_t size)
{
    *j = (struct judge){.own_process = target->contract.backing == BACKING_HOST, .runs = 1, .needed = 1};
    return child_open(&j->child, target, limits, error, size) == 0;
}

/* Runs the program as it is: with every block verified after every call, which names the guilty one; else as it was
 * found. What it shows now is what will be minimised. */
static bool shows_itself(struct judge *j, struct finding *f)
{
    j->thorough = true;
    if (!run(j, &f->program, true)) {
        j->thorough = false;
        if (j->last.verdict.kind == VERDICT_ERROR || !run(j, &f->program, false)) return false;
    }
    f->verdict = j->last.verdict;
    return true;
}

/* Tried a few times, for it may depend on more than the program; then f->repeats says how often it was run in vain. */
static bool shows_at_times(struct judge *j, struct finding *f)
{
    for (f->repeats = 0; f->repeats < 2 * SHOWS; f->repeats += 2) {
        if (shows_itself(j, f)) return true;
        if (j->last.verdict.kind == VERDICT_ERROR) return false;
        child_kill(&j->child);
    }
    return false;
}

static bool limits_hit(enum rule rule) { return rule == RULE_HANG || rule == RULE_RUNAWAY; }

/* How many candidates are worth their time, after a run that broke the rule. */
static unsigned tries_for(const struct judge *j, enum rule rule)
{
    bool lent = !j->own_process && !j->child.limits.memory_bytes; /* what is taken beside it is soon too much */
    if (j->last.proven || (rule == RULE_RUNAWAY && lent)) return TRIES_SOON;
    if (j->runs > 1) return FLAKY_TRIES;
    if (limits_hit(rule) || rule == RULE_A24) return TRIES_SLOW; /* A24 traps the instructions one by one */
    return j->own_process ? TRIES_OWN_PROCESS : TRIES_OWN_HEAP;
}

static void shrink(struct judge *j, struct finding *f, const struct child_limits *limits,
                   const volatile bool *interrupted)
{
    const uint64_t usual = j->child.target.contract.backing == BACKING_MACHINE ? EFFORT_MACHINE : EFFORT_OTHERS;
    j->effort_max = limits->effort_max ? limits->effort_max : usual + EFFORT_RUNS * j->effort;
    j->effort = 0;
    j->interrupted = interrupted;
    struct minimiser m = {.fails = fails_alike,
                          .context = j,
                          .trace = &j->child.journal->trace,
                          .stop = &j->stop,
                          .tries_max = tries_for(j, f->verdict.rule)};
    j->rule = f->verdict.rule;
    j->kind = kind_of(&f->program, &f->verdict);
    if (!limits_hit(f->verdict.rule)) {
        minimise(&m, &f->program, &f->verdict);
    } else {
        /* Candidates get a small part of the limits, so what is left may be slow and not endless: then the original stays. */
        static struct program original;
        struct verdict verdict = f->verdict, now;
        original = f->program;
        j->child.limits.timeout = limits->timeout / 20;
        j->child.limits.memory_bytes = limits->memory_bytes / 8;
        minimise(&m, &f->program, &f->verdict);
        j->child.limits = *limits;
        child_kill(&j->child);
        if (!fails_alike(j, &f->program, &now)) {
            f->program = original;
            f->verdict = verdict;
            run(j, &f->program, j->thorough);
            return;
        }
    }
    f->minimised = !interrupted || !*interrupted;
    f->cut_short = f->minimised && j->stop;
}

/* Counts the last run; true if the program failed alike in it, which is then the run to show. */
static bool note(struct judge *j, struct finding *f)
{
    f->repeats++;
    if (!alike(j, &f->program)) return false;
    f->repeated++;
    f->verdict = j->last.verdict;
    f->trace = j->child.journal->trace;
    f->signal_number = j->last.signal_number;
    f->exit_status = j->last.exit_status;
    return true;
}

/* Runs the final program a few times in fresh processes: how often it fails alike, and the trace to show. */
static void repeat(struct judge *j, struct finding *f, unsigned repeats)
{
    f->repeats = f->repeated = 0;
    j->child.anew = true;
    if (limits_hit(f->verdict.rule)) { /* it has just had all that the limits give: once is enough */
        note(j, f);
        return;
    }
    while (f->repeats < repeats) {
        child_kill(&j->child);
        run(j, &f->program, j->thorough);
        if (note(j, f) && f->verdict.rule == RULE_A24) return; /* whose every instruction is trapped */
    }
}

/* The original did not fail every time, or what became of it does not: then one run says little of a candidate. It counts
 * if it fails about as often as the original; so does what is left in the end, or the original stays. */
static void shrink_flaky(struct judge *j, struct finding *f, const struct child_limits *limits,
                         const volatile bool *interrupted)
{
    static struct program original;
    original = f->program;
    j->own_process = true;
    repeat(j, f, FLAKY_MEASURED);
    unsigned measured = f->repeated;
    if (measured) {
        j->runs = FLAKY_RUNS;
        j->needed = (FLAKY_RUNS * measured + FLAKY_MEASURED - 1) / FLAKY_MEASURED;
        shrink(j, f, limits, interrupted);
    }
    repeat(j, f, FLAKY_REPEATS);
    if (2 * FLAKY_MEASURED * f->repeated >= FLAKY_REPEATS * measured && f->repeated) return;
    f->program = original;
    f->minimised = f->cut_short = false;
    repeat(j, f, FLAKY_REPEATS);
}

/* From a program that showed itself to the one that is told, and how often it fails. */
static void settle(struct judge *j, struct finding *f, const struct child_limits *limits,
                   const volatile bool *interrupted, bool minimised)
{
    static struct program original;
    original = f->program;
    const struct verdict verdict = f->verdict;
    j->rule = verdict.rule;
    j->kind = kind_of(&f->program, &verdict);
    if (minimised) shrink(j, f, limits, interrupted);
    repeat(j, f, REPEATS);
    if (f->repeated == f->repeats || limits_hit(verdict.rule) || (interrupted && *interrupted)) return;
    if (!minimised) {
        repeat(j, f, FLAKY_REPEATS);
        return;
    }
    f->program = original;
    f->verdict = verdict;
    f->minimised = f->cut_short = false;
    shrink_flaky(j, f, limits, interrupted);
}

static bool look_into(const struct target *target, const struct child_limits *limits, const volatile bool *interrupted,
                      bool minimised, struct finding *f)
{
    struct judge j;
    char error[VERDICT_TEXT_MAX];
    f->target = target;
    f->original_ops = f->program.op_count;
    if (!judge_open(&j, target, limits, error, sizeof error)) {
        f->verdict = (struct verdict){.kind = VERDICT_ERROR};
        snprintf(f->verdict.seen, sizeof f->verdict.seen, "%s", error);
        return false;
    }
    bool shown = shows_at_times(&j, f);
    if (shown) {
        settle(&j, f, limits, interrupted, minimised);
    } else {
        f->verdict = j.last.verdict;
    }
    child_close(&j.child);
    return shown;
}

bool campaign_minimise(const struct target *target, const struct child_limits *limits, const volatile bool *interrupted,
                       struct finding *f)
{
    return look_into(target, limits, interrupted, true, f);
}

bool campaign_confirm(const struct target *target, const struct child_limits *limits, struct finding *f)
{
    return look_into(target, limits, NULL, false, f);
}

/* ---- Programs that need those before them ---------------------------------------------------------------------------------- */

/* The program that the same worker ran before this one; false if it was its first. */
static bool previous(const struct campaign *c, uint64_t *index)
{
    uint64_t i = *index - c->first;
    if (i % WINDOW_PROGRAMS) {
        --*index;
        return true;
    }
    uint64_t back = (uint64_t)(c->jobs - 1) * WINDOW_PROGRAMS + 1;
    if (i < back) return false;
    *index -= back;
    return true;
}

/* Appends a program to another, which then frees everything; false if it does not fit. */
static bool append(struct program *all, const struct program *p)
{
    const struct op free_all = {.kind = OP_FREE, .count = PROGRAM_SLOTS, .stride = 1};
    if (all->op_count + p->op_count + 1 > PROGRAM_OPS_MAX) return false;
    memcpy(all->ops + all->op_count, p->ops, p->op_count * sizeof *p->ops);
    all->op_count += p->op_count;
    all->ops[all->op_count++] = free_all;
    return true;
}

/* The failing program behind as many of its predecessors as it takes, and as fit. */
static bool with_history(struct judge *j, const struct campaign *c, uint64_t failing, struct finding *f)
{
    struct generator g;
    generator_init(&g, c->made_for ? c->made_for : c->target, c->seed);
    for (unsigned depth = 1; depth <= 64; depth *= 2) {
        uint64_t first = failing;
        unsigned had = 0;
        while (had < depth && previous(c, &first)) had++;
        program_clear(&f->program);
        bool fits = true;
        for (uint64_t i = first; fits; i++) {
            static struct program one; /* too large for the stack of every system */
            generator_program(&g, i, &one);
            f->program.heap = one.heap;
            fits = append(&f->program, &one);
            if (i == failing) break;
            if ((i + 1 - c->first) % WINDOW_PROGRAMS == 0) i += (uint64_t)(c->jobs - 1) * WINDOW_PROGRAMS;
        }
        f->program.heap.course = COURSE_PLAIN;
        if (!fits) return false;
        if (shows_itself(j, f)) return f->needs_history = true;
        if (had < depth) return false;
    }
    return false;
}

bool campaign_investigate(const struct campaign *c, const struct campaign_result *r, bool minimised, struct finding *f)
{
    struct judge j;
    char error[VERDICT_TEXT_MAX];
    struct generator g;
    generator_init(&g, c->made_for ? c->made_for : c->target, c->seed);
    memset(f, 0, sizeof *f);
    f->target = c->target;
    f->index = r->index;
    f->seed = c->seed;
    f->verdict = r->failure.verdict;
    f->signal_number = r->failure.signal_number;
    f->exit_status = r->failure.exit_status;
    generator_program(&g, r->index, &f->program);
    f->program.heap = r->heap;
    f->original_ops = f->program.op_count;
    if (!judge_open(&j, c->target, &c->limits, error, sizeof error)) return false;
    bool shown = shows_at_times(&j, f) || (j.own_process && with_history(&j, c, r->index, f));
    if (shown) {
        settle(&j, f, &c->limits, c->interrupted, minimised);
    } else {
        generator_program(&g, r->index, &f->program);
        f->program.heap = r->heap;
        f->repeats = 2 * SHOWS; /* told as it is: found once, and not again */
        f->needs_history = j.own_process;
    }
    child_close(&j.child);
    return true;
}
