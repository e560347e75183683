/* verb_fuzz.c: assay fuzz ALLOC: a campaign of a fuzzing engine, from building its target to filing what it found. */
#include "harvest.h"
#include "store.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NANOSECONDS 50000000
#define PROGRESS_SECONDS 0.5
#define RESTARTS_MAX 3u /* of an engine that ends without having found anything */

struct fuzzing {
    const struct options *o;
    struct outside outside;
    struct harvest harvest;
    struct report report;
    struct summary summary;
    bool shows_progress;
    char findings[OUTSIDE_PATH_MAX], corpus[OUTSIDE_PATH_MAX]; /* folders: where findings go, where coverage is filed */
    char error[4600];
};

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- Where things go --------------------------------------------------------------------------------------------------- */

static int make_folders(const char *path, char *error, size_t size)
{
    char part[OUTSIDE_PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *c = part + 1; *c; c++) {
        if (*c != '/') continue;
        *c = '\0';
        mkdir(part, 0777);
        *c = '/';
    }
    return store_open(path, error, size);
}

/* What is kept is kept in a corpus: its regressions, and a folder for each target. */
static int choose_folders(struct fuzzing *z, const char *name)
{
    const struct options *o = z->o;
    const char *root = o->keep && o->out_named ? o->out : "corpus";
    char word[128];
    store_word(word, sizeof word, name);
    snprintf(z->findings, sizeof z->findings, o->keep ? "%s/regressions" : "%s", o->keep ? root : o->out);
    snprintf(z->corpus, sizeof z->corpus, "%s/%s", root, word);
    return make_folders(z->findings, z->error, sizeof z->error);
}

/* ---- The campaign ------------------------------------------------------------------------------------------------------ */

static void progress(struct fuzzing *z, double seconds, double left)
{
    static struct exec_counters sum;
    uint64_t coverage;
    outside_sum(&z->outside, &sum, &coverage);
    if (seconds <= 0) return;
    fprintf(stderr, "\r%.0f executions/s, %.2f million operations/s, %llu edges, %u finding%s",
            (double)sum.programs / seconds, (double)sum.operations / seconds / 1e6, (unsigned long long)coverage,
            z->harvest.found, z->harvest.found == 1 ? "" : "s");
    fprintf(stderr, ", %.0f s left\033[K", left);
}

/* An engine that has ended of itself: begun again where it is its way to end with what it found. False if it can not be. */
static bool revive(struct fuzzing *z, struct outside_job *job, unsigned *in_vain)
{
    const uint32_t before = z->harvest.judged;
    char line[1024];
    harvest_inputs(&z->harvest);
    *in_vain = z->harvest.judged == before ? *in_vain + 1 : 0;
    if (z->outside.engine->ends_at_finding && *in_vain <= RESTARTS_MAX)
        return outside_start(&z->outside, z->error, sizeof z->error) == 0;
    outside_last_words(&z->outside, job, line, sizeof line);
    snprintf(z->error, sizeof z->error, "%s has ended by itself: %s", z->outside.engine->name, line);
    return false;
}

static bool wants_more(const struct fuzzing *z) { return !interrupted && (z->o->all || !z->harvest.found); }

static void run_engine(struct fuzzing *z, double began)
{
    const struct timespec pause = {.tv_nsec = LOOK_NANOSECONDS};
    const double end = began + z->o->seconds;
    double told = 0, at;
    unsigned in_vain = 0;
    if (outside_start(&z->outside, z->error, sizeof z->error)) return;
    while (wants_more(z) && (at = wall()) < end) {
        struct outside_job *job = outside_ended(&z->outside);
        if (job && !revive(z, job, &in_vain)) break;
        harvest_inputs(&z->harvest);
        if (z->shows_progress && at - told > PROGRESS_SECONDS) {
            told = at;
            progress(z, at - began, end - at);
        }
        if (!job) nanosleep(&pause, NULL);
    }
    if (z->shows_progress) fputs("\r\033[K", stderr);
    z->summary.seconds = wall() - began;
    outside_stop(&z->outside);
}

/* What is left of it, in one line each. */
static void note(const struct fuzzing *z, unsigned gains)
{
    if (z->o->quiet) return;
    if (z->o->keep) fprintf(stderr, "assay: %u programs that reach more are new in %s\n", gains, z->corpus);
    if (z->harvest.vanished)
        fprintf(stderr, "assay: %u inputs ended a run and break no rule by themselves; %s/judged has them\n",
                z->harvest.vanished, z->outside.work);
    const unsigned waiting = harvest_waiting(&z->harvest);
    if (waiting)
        fprintf(stderr,
                "assay: %u more input%s ended a run and will be judged first by the next one; --all goes on after a "
                "finding\n",
                waiting, waiting == 1 ? "" : "s");
}

static int campaign(struct fuzzing *z)
{
    struct harvest *h = &z->harvest;
    unsigned gains = 0;
    const double began = wall();
    h->hasty = false;
    harvest_inputs(h); /* what an earlier run left */
    if (wants_more(z)) harvest_seeds(h, z->corpus);
    h->hasty = true;
    if (wants_more(z)) run_engine(z, began);
    h->hasty = interrupted;
    harvest_inputs(h);
    if (z->o->keep && make_folders(z->corpus, z->error, sizeof z->error) == 0) {
        gains = harvest_gains(h, z->corpus);
        store_close(z->corpus);
    }
    note(z, gains);
    if (!*z->error) snprintf(z->error, sizeof z->error, "%s", h->error);
    struct summary *s = &z->summary;
    outside_sum(&z->outside, &s->counters, &s->coverage);
    s->findings = h->found;
    s->interrupted = interrupted;
    s->verdict = h->found ? VERDICT_FAIL : *z->error ? VERDICT_ERROR : VERDICT_PASS;
    if (s->verdict == VERDICT_ERROR) s->message = z->error;
    if (*z->error) complain("%s", z->error);
    if (report_end(&z->report, s)) return complain("cannot write the report; its findings are in %s", z->findings);
    return h->found ? STATUS_BROKEN : *z->error ? STATUS_NOT_JUDGED : STATUS_HELD;
}

/* Whether a library was built with coverage: then it asks for the functions of its engine. */
static bool has_coverage(const char *path)
{
    char *bytes, error[256];
    size_t length;
    if (store_read(path, (size_t)1 << 30, &bytes, &length, error, sizeof error)) return false;
    const bool has = memmem(bytes, length, "__sanitizer_cov_", 16) || memmem(bytes, length, "__afl_area_ptr", 14);
    free(bytes);
    return has;
}

static int run_outside(struct fuzzing *z, const struct target *t)
{
    const struct options *o = z->o;
    struct outside *x = &z->outside;
    if (t->preload)
        return complain("%s can only be preloaded, which --engine %s cannot do; use builtin", t->name, x->engine->name);
    if (!o->quiet && (*t->path ? !has_coverage(t->path) : t->contract.backing == BACKING_HOST))
        fprintf(stderr, "assay: %s was not built with coverage: the engine sees only what the model sees of it\n",
                t->name);
    if (z->shows_progress) fputs("building ...\r", stderr);
    if (outside_build(x, &interrupted, z->error, sizeof z->error)) return complain("%s", z->error);
    if (make_folders(o->out, z->error, sizeof z->error) ||
        outside_open(x, o->out, o->jobs, z->error, sizeof z->error) || harvest_open(&z->harvest))
        return complain("%s", *z->error ? z->error : z->harvest.error);
    z->report = (struct report){.format = o->format, .out = stdout, .quiet = o->quiet};
    z->summary = (struct summary){.target = t, .seed = o->seed, .command = o->verb, .seconds = -1};
    report_begin(&z->report);
    const int status = campaign(z);
    harvest_close(&z->harvest);
    outside_close(x);
    return status;
}

int verb_fuzz(const struct options *o)
{
    static const struct outside_engine *const engines[] = {
        [ENGINE_LIBFUZZER] = &outside_libfuzzer, [ENGINE_AFL] = &outside_afl};
    static struct fuzzing z;
    static struct target t;
    z.o = o;
    if (target_resolve(&t, o->operands[0], o->prefix, o->profile, z.error, sizeof z.error))
        return complain("%s", z.error);
    if (choose_folders(&z, t.name)) return complain("%s", z.error);
    if (o->engine == ENGINE_BUILTIN) {
        struct options builtin = *o;
        builtin.out = z.findings;
        return verb_check(&builtin);
    }
    z.outside = (struct outside){.engine = engines[o->engine], .target = &t, .timeout = o->timeout, .seed = o->seed};
    snprintf(z.outside.profile, sizeof z.outside.profile, "%s", o->profile ? o->profile : "");
    z.shows_progress = isatty(STDERR_FILENO) && !o->quiet;
    z.harvest = (struct harvest){.outside = &z.outside,
                                 .target = &t,
                                 .limits = limits_of(o),
                                 .interrupted = &interrupted,
                                 .findings = z.findings,
                                 .minimised = !o->no_minimize,
                                 .all = o->all,
                                 .report = &z.report};
    watch_interrupts();
    const int status = run_outside(&z, &t);
    store_close(z.findings);
    return status;
}
