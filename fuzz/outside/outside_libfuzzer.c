/* outside_libfuzzer.c: libFuzzer as `assay fuzz` runs it: one process a job, all of them on one corpus, which each rereads
 * every second. A process ends with what it found; the next one begins with the corpus as it is then. */
#include "outside.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void name_job(char *name, size_t size, unsigned job) { snprintf(name, size, "job%u", job); }

static void command(const struct outside *o, const struct outside_job *job, struct outside_words *w)
{
    const uint64_t seed = o->seed * OUTSIDE_JOBS_MAX + (uint64_t)(job - o->jobs) + 65537u * (job->starts - 1);
    outside_word(w, "%s", o->program);
    outside_word(w, "-artifact_prefix=%s/found/", o->work);
    outside_word(w, "-seed=%u", (unsigned)(seed % 0xffffffffu) + 1);
    outside_word(w, "-timeout=%.0f", o->timeout < 1 ? 2 : 2 * o->timeout);
    outside_word(w, "-max_len=%u", OUTSIDE_INPUT_MAX);
    outside_word(w, "-len_control=0");
    outside_word(w, "-entropic=0"); /* it takes a tenth of the time, and finds no more */
    outside_word(w, "-print_final_stats=1");
    outside_word(w, "-reload=1");
    outside_word(w, "-print_funcs=0");
    outside_word(w, "%s/corpus", o->work);
    outside_word(w, "%s/seeds", o->work);
}

/* Takes over into seeds, of the inputs that were kept, those that reach what the seeds do not. */
static void settle(const struct outside *o, struct outside_words *w)
{
    outside_word(w, "%s", o->program);
    outside_word(w, "-merge=1");
    outside_word(w, "-use_counters=0"); /* how often an edge is taken is no coverage to keep */
    outside_word(w, "-artifact_prefix=%s/found/", o->work);
    outside_word(w, "%s/seeds", o->work);
    outside_word(w, "%s/corpus", o->work);
}

static uint64_t coverage(const struct outside *o, const struct outside_job *job)
{
    char path[OUTSIDE_PATH_MAX + 80];
    snprintf(path, sizeof path, "%s/%s.log", o->work, job->name);
    return outside_last_number(path, " cov: ");
}

const struct outside_engine outside_libfuzzer = {
    .name = "libfuzzer",
    .preset = "libfuzzer",
    .tools = (const char *const[]){"cmake", "ninja", "clang", NULL},
    .packages = "Debian's clang, cmake and ninja-build have them all",
    .parts = (const char *const[]){NULL},
    .ended = (const char *const[]){"found/crash-*", "found/timeout-*", "found/oom-*", "found/leak-*", NULL},
    .gains = "seeds/[0-9a-f]*",
    .death_signal = SIGKILL,
    .ends_at_finding = true,
    .name_job = name_job,
    .command = command,
    .settle = settle,
    .coverage = coverage,
};
