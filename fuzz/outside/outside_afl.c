/* outside_afl.c: AFL++ as `assay fuzz` runs it: one main instance and secondaries in one folder, which is AFL++'s own for
 * what they share. Another machine takes part if that folder is shared or copied there; its instances need names of their
 * own, which ASSAY_INSTANCE in the environment gives them (docs/ENGINES.md). */
#include "outside.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *instance(void)
{
    const char *name = getenv("ASSAY_INSTANCE");
    return name && *name ? name : NULL;
}

/* Letters, digits and '_', as AFL++ wants it, and not too many. */
static void name_job(char *name, size_t size, unsigned job)
{
    if (instance()) snprintf(name, size < 28 ? size : 28, "%.20s_%u", instance(), job);
    else if (job) snprintf(name, size, "secondary%u", job);
    else snprintf(name, size, "main");
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *c)) *c = '_';
}

static void command(const struct outside *o, const struct outside_job *job, struct outside_words *w)
{
    const bool is_main = strcmp(job->name, "main") == 0;
    outside_word(w, "afl-fuzz");
    outside_word(w, "-i");
    outside_word(w, "%s/seeds", o->work);
    outside_word(w, "-o");
    outside_word(w, "%s", o->work);
    outside_word(w, is_main ? "-M" : "-S");
    outside_word(w, "%s", job->name);
    outside_word(w, "-t");
    outside_word(w, "%.0f", o->timeout * 1000 < 1000 ? 1000 : o->timeout * 1000);
    outside_word(w, "-m");
    outside_word(w, "none");
    outside_word(w, "-G");
    outside_word(w, "%u", OUTSIDE_INPUT_MAX);
    outside_word(w, "-s");
    outside_word(w, "%llu", (unsigned long long)(o->seed + (uint64_t)(job - o->jobs)) & 0x7fffffff);
    outside_word(w, "--");
    outside_word(w, "%s", o->program);
}

static bool one_is_there(void *context, const char *path)
{
    (void)path;
    *(bool *)context = true;
    return false;
}

/* Appends to a variable that is set: of an option that is given twice, sanitizers take the last. */
static void demand(const char *name, const char *options)
{
    const char *old = getenv(name);
    char all[4096];
    if (old && (size_t)snprintf(all, sizeof all, "%s:%s", old, options) < sizeof all) setenv(name, all, 1);
}

static void environment(const struct outside *o, const struct outside_job *job)
{
    static const char *const settings[][2] = {
        {"AFL_NO_UI", "1"},
        {"AFL_SKIP_CPUFREQ", "1"},
        {"AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES", "1"}, /* core_pattern is not ours to change */
        {"AFL_NO_AFFINITY", "1"},                       /* nor are other people's processors ours to take */
        {"AFL_NO_CRASH_README", "1"},
        {"AFL_FAST_CAL", "1"},
        {"AFL_DISABLE_TRIM", "1"}, /* our minimiser makes inputs small, and only those that matter */
        {"AFL_IMPORT_FIRST", "1"},
        {"AFL_FORKSRV_INIT_TMOUT", "60000"},
    };
    char path[OUTSIDE_PATH_MAX + 64];
    bool resumes = false;
    for (unsigned i = 0; i < sizeof settings / sizeof *settings; i++) setenv(settings[i][0], settings[i][1], 1);
    /* afl-fuzz demands this of options that somebody has set, whether or not there is a sanitizer. */
    demand("ASAN_OPTIONS", "abort_on_error=1:symbolize=0");
    demand("LSAN_OPTIONS", "symbolize=0");
    demand("MSAN_OPTIONS", "exit_code=86:symbolize=0");
    snprintf(path, sizeof path, "%s/build/%s/engines/libassay_mutate_afl.so", o->root, o->engine->preset);
    setenv("AFL_CUSTOM_MUTATOR_LIBRARY", path, 1);
    snprintf(path, sizeof path, "%s/queue/id:*", job->name);
    outside_files(o, path, one_is_there, &resumes);
    if (resumes) setenv("AFL_AUTORESUME", "1", 1);
    else unsetenv("AFL_AUTORESUME");
}

/* The last column of the last line of plot_data. */
static uint64_t coverage(const struct outside *o, const struct outside_job *job)
{
    char path[OUTSIDE_PATH_MAX + 80];
    snprintf(path, sizeof path, "%s/%s/fuzzer_stats", o->work, job->name);
    const uint64_t at_end = outside_last_number(path, "edges_found       :");
    snprintf(path, sizeof path, "%s/%s/plot_data", o->work, job->name);
    const uint64_t lately = outside_last_number(path, ", ");
    return lately > at_end ? lately : at_end;
}

const struct outside_engine outside_afl = {
    .name = "afl",
    .preset = "afl",
    .tools = (const char *const[]){"cmake", "ninja", "clang", "afl-clang-fast", "afl-fuzz", NULL},
    .packages = "Debian's afl++, clang, cmake and ninja-build have them all",
    .parts = (const char *const[]){"assay_mutate_afl", NULL},
    .ended = (const char *const[]){"*/crashes*/id:*", "*/hangs*/id:*", NULL},
    .gains = "*/queue/id:??????,src:*+cov",
    .death_signal = SIGTERM, /* it ends what it has started */
    .name_job = name_job,
    .command = command,
    .environment = environment,
    .coverage = coverage,
};
