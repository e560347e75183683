/* verb_diff.c: assay diff ALLOC ALLOC… [FILE…]: the same programs on several allocators. */
#include "diff.h"
#include "files.h"
#include "known.h"
#include "store.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAITING_MAX KNOWN_MAX

/* What was met and not yet looked into: that is done when the comparison is over, whose time it would take. */
struct waiting {
    uint64_t index;
    unsigned party;
    bool disagrees;
    enum op_kind kind;          /* in which it broke the rule */
    struct child_result result; /* unless it disagrees */
    struct disagreement found;
};

struct side_by_side {
    const struct options *o;
    struct diff diff;
    struct diff_bench bench;
    struct report report;
    struct known known[PARTIES_MAX];
    bool disagreed[PARTIES_MAX][PARTIES_MAX][OP_KINDS + 1]; /* on an operation of that kind; OP_KINDS: at the end */
    unsigned waiting_count;
    struct waiting waiting[WAITING_MAX];
    struct finding *finding;
    uint32_t findings, disagreements;
    bool broken[PARTIES_MAX][RULE_COUNT];
    int status;
};

/* ---- Findings ---------------------------------------------------------------------------------------------------------- */

static void tell(struct side_by_side *s, bool stored)
{
    char error[512];
    if (stored && store_finding(s->o->out, s->finding, error, sizeof error))
        complain("%s; the program is in the report instead", error);
    s->findings++;
    s->disagreements += s->finding->other != NULL;
    report_finding(&s->report, s->finding);
}

static void generate(const struct side_by_side *s, uint64_t index, struct program *p)
{
    struct generator g;
    generator_init(&g, &s->diff.common, s->diff.seed);
    generator_program(&g, index, p);
}

static enum op_kind kind_of(const struct finding *f, const struct verdict *v)
{
    return v->op < f->program.op_count ? (enum op_kind)f->program.ops[v->op].kind : OP_KINDS;
}

/* One more to be looked into, if there is room. */
static struct waiting *wait_for(struct side_by_side *s, uint64_t index)
{
    if (s->waiting_count == WAITING_MAX) return NULL;
    struct waiting *w = &s->waiting[s->waiting_count++];
    *w = (struct waiting){.index = index};
    return w;
}

/* New to this allocator? Then it is remembered. */
static bool is_new(struct known *k, const struct finding *f)
{
    if (known_has(k, f) || !known_has_room(k)) return false;
    known_add(k, f);
    return true;
}

static void broke(void *context, unsigned party, uint64_t index, const struct child_result *result)
{
    struct side_by_side *s = context;
    s->broken[party][result->verdict.rule] = true;
    generate(s, index, &s->finding->program);
    s->finding->verdict = result->verdict;
    if (!is_new(&s->known[party], s->finding)) return;
    struct waiting *w = wait_for(s, index);
    if (!w) return;
    w->party = party;
    w->kind = kind_of(s->finding, &result->verdict);
    w->result = *result;
}

static void disagreed(void *context, uint64_t index, const struct disagreement *found)
{
    struct side_by_side *s = context;
    s->broken[found->one][RULE_DIFFER] = s->broken[found->other][RULE_DIFFER] = true;
    generate(s, index, &s->finding->program);
    bool *known = &s->disagreed[found->one][found->other][kind_of(s->finding, &found->verdict)];
    struct waiting *w = *known ? NULL : wait_for(s, index);
    *known = true;
    if (!w) return;
    w->disagrees = true;
    w->found = *found;
}

static void investigate(struct side_by_side *s, const struct waiting *w)
{
    struct finding *f = s->finding;
    const struct diff *d = &s->diff;
    if (w->disagrees) {
        memset(f, 0, sizeof *f);
        f->index = w->index;
        f->seed = d->seed;
        generate(s, w->index, &f->program);
        if (!diff_investigate(d, &w->found, !s->o->no_minimize, f)) return;
    } else {
        const struct campaign c = {.target = &d->targets[w->party],
                                   .made_for = &d->common,
                                   .limits = d->limits,
                                   .seed = d->seed,
                                   .jobs = diff_crews(d),
                                   .interrupted = d->interrupted};
        const struct campaign_result r = {.end = CAMPAIGN_FAIL, .index = w->index, .failure = w->result};
        if (!campaign_investigate(&c, &r, !s->o->no_minimize, f)) return;
        /* Looked at closely, it may be something that is known. */
        bool same = f->verdict.rule == w->result.verdict.rule && kind_of(f, &f->verdict) == w->kind;
        if (!same && !is_new(&s->known[w->party], f)) return;
        s->broken[w->party][f->verdict.rule] = true;
    }
    tell(s, true);
}

/* ---- Programs ------------------------------------------------------------------------------------------------------------ */

static void progress(void *context, const struct diff *d, double seconds)
{
    (void)context;
    fprintf(stderr, "\r%llu programs, %.2f million calls/s compared\033[K", (unsigned long long)d->difference.programs,
            seconds > 0 ? (double)d->difference.calls / seconds / 1e6 : 0);
}

static int run_generated(struct side_by_side *s)
{
    char error[512];
    int failed = diff_run(&s->diff, error, sizeof error);
    if (s->diff.progress) fputs("\r\033[K", stderr);
    if (failed) complain("%s", error);
    for (unsigned i = 0; i < s->waiting_count; i++) investigate(s, &s->waiting[i]);
    store_close(s->o->out);
    return failed ? STATUS_NOT_JUDGED : STATUS_HELD;
}

/* What the program in s->finding showed on an allocator, or on it and another. */
static void tell_file(struct side_by_side *s, unsigned party, const struct child_result *r, const struct target *other)
{
    struct finding *f = s->finding;
    f->target = &s->diff.targets[party];
    f->other = other;
    f->verdict = r->verdict;
    f->signal_number = r->signal_number;
    f->exit_status = r->exit_status;
    f->trace = s->bench.children[party].journal->trace;
    tell(s, false);
}

static void run_file(void *context, const char *path)
{
    struct side_by_side *s = context;
    struct finding *f = s->finding;
    struct diff *d = &s->diff;
    struct child_result results[PARTIES_MAX];
    struct disagreement found[DISAGREEMENTS_MAX];
    char error[4400];
    memset(f, 0, sizeof *f);
    if (store_program(path, &f->program, error, sizeof error)) {
        s->status = complain("%s", error);
        return;
    }
    f->seed = s->o->seed;
    f->original_ops = f->program.op_count;
    f->minimised = true;
    f->repeats = f->repeated = 1;
    snprintf(f->path, sizeof f->path, "%s", path);
    unsigned disagreements = diff_program(&s->bench, &f->program, results, found);
    for (unsigned i = 0; i < d->count; i++) {
        if (results[i].verdict.kind == VERDICT_ERROR)
            s->status = complain("%s on %s: %s", path, d->labels[i], results[i].verdict.seen);
        if (results[i].verdict.kind != VERDICT_FAIL) continue;
        s->broken[i][results[i].verdict.rule] = true;
        tell_file(s, i, &results[i], NULL);
    }
    for (unsigned i = 0; i < disagreements; i++) {
        const struct child_result result = {.verdict = found[i].verdict};
        s->broken[found[i].one][RULE_DIFFER] = s->broken[found[i].other][RULE_DIFFER] = true;
        tell_file(s, found[i].one, &result, &d->targets[found[i].other]);
    }
}

static int run_files(struct side_by_side *s, const char *const *files, unsigned count)
{
    char error[4400];
    if (diff_bench_open(&s->bench, &s->diff, error, sizeof error)) return complain("%s", error);
    for (unsigned i = 0; i < count; i++)
        if (files_below(files[i], run_file, s, &interrupted, error, sizeof error)) s->status = complain("%s", error);
    diff_bench_close(&s->bench);
    return s->status;
}

/* ---- The command line ---------------------------------------------------------------------------------------------------- */

/* The prefix is for the libraries that have it: those that do not are used by the plain names. */
static int resolve(struct target *t, const char *spec, const struct options *o, char *error, size_t size)
{
    if (o->prefix && target_resolve(t, spec, o->prefix, o->profile, error, size) == 0) return 0;
    return target_resolve(t, spec, NULL, o->profile, error, size);
}

static int narrow(struct target *targets, unsigned count, const struct options *o, char *error, size_t size)
{
    bool machine = false;
    for (unsigned i = 0; i < count; i++) machine |= targets[i].contract.backing == BACKING_MACHINE;
    for (unsigned i = 0; i < count; i++) {
        bool here = targets[i].contract.backing == BACKING_MACHINE || !machine;
        if (target_narrow(&targets[i], o->mode, here ? o->machine : 0, error, size)) return -1;
    }
    return 0;
}

/* Allocators into `targets`, everything else into `files`; a status that is not STATUS_HELD ends the program. */
static int sort_operands(const struct options *o, struct target *targets, unsigned *count, const char **files,
                         unsigned *file_count)
{
    char error[1024];
    for (unsigned i = 0; i < o->operand_count; i++) {
        if (!target_is_allocator(o->operands[i])) {
            files[(*file_count)++] = o->operands[i];
            continue;
        }
        if (*count == PARTIES_MAX) return complain("diff: more than %u allocators", PARTIES_MAX);
        if (resolve(&targets[*count], o->operands[i], o, error, sizeof error)) return complain("%s", error);
        ++*count;
    }
    if (*count < 2)
        return complain("diff needs two allocators: %s", *file_count ? "the other operands are files" : "there is one");
    return narrow(targets, *count, o, error, sizeof error) ? complain("%s", error) : STATUS_HELD;
}

static int end(struct side_by_side *s, int status)
{
    const bool generated = !s->bench.diff;
    struct diff_summary summary = {.diff = &s->diff,
                                   .verdict = s->findings ? VERDICT_FAIL
                                              : status    ? VERDICT_ERROR
                                                          : VERDICT_PASS,
                                   .findings = s->findings,
                                   .disagreements = s->disagreements,
                                   .broken = (const bool(*)[RULE_COUNT])s->broken,
                                   .seconds = generated && !s->o->programs && !s->findings ? s->diff.took : -1,
                                   .interrupted = interrupted,
                                   .message = status ? "some programs could not be run" : NULL};
    if (report_end_diff(&s->report, &summary)) status = complain("cannot write the report");
    return s->findings ? STATUS_BROKEN : status;
}

int verb_diff(const struct options *o)
{
    static struct target targets[PARTIES_MAX];
    static struct side_by_side s;
    char error[1024];
    unsigned count = 0, file_count = 0;
    const char **files = calloc(o->operand_count, sizeof *files);
    s = (struct side_by_side){.o = o, .finding = malloc(sizeof *s.finding)};
    int status = files && s.finding ? sort_operands(o, targets, &count, files, &file_count) : complain("no memory");
    if (status == STATUS_HELD && !file_count && store_open(o->out, error, sizeof error)) status = complain("%s", error);
    if (status == STATUS_HELD) {
        s.report = (struct report){.format = o->format, .out = stdout, .quiet = o->quiet};
        s.diff = (struct diff){.targets = targets,
                               .count = count,
                               .limits = limits_of(o),
                               .seed = o->seed,
                               .programs = o->programs,
                               .seconds = o->seconds,
                               .jobs = o->jobs,
                               .interrupted = &interrupted,
                               .progress = isatty(STDERR_FILENO) && !o->quiet ? progress : NULL,
                               .broke = broke,
                               .disagreed = disagreed,
                               .context = &s};
        diff_begin(&s.diff);
        watch_interrupts();
        report_begin(&s.report);
        status = end(&s, file_count ? run_files(&s, files, file_count) : run_generated(&s));
    }
    free(files);
    free(s.finding);
    return status;
}
