/* target_diff.c: the entry points of a fuzz target that runs each program on several allocators.
 *
 * The model judges every one of them on its own; and where two of them answer differently what the rules leave no choice in
 * (difference.h), that is a finding too. ASSAY_ALLOCATORS in the environment names them, separated by commas; else
 * ASSAY_TARGETS at build. Programs are of the families that all of them offer.
 */
#include "diff.h"
#include "engine.h"
#include "entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef ASSAY_TARGETS
#define ASSAY_TARGETS "freelist,buddy,slab"
#endif
#define ENGINES_MAX 4u

static struct engine engines[ENGINES_MAX];
static struct observer observers[ENGINES_MAX];
static struct target targets[ENGINES_MAX];
static struct generator common; /* of what all of them offer */
static struct diff diff;

static _Noreturn void cannot(const char *error)
{
    fprintf(stderr, "assay: %s\n", error);
    exit(2);
}

/* Its log is large, and mostly never touched. */
static void open_one(const char *name)
{
    char error[1024];
    const unsigned i = diff.count++;
    void *log = mmap(NULL, sizeof(struct observation_log), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (log == MAP_FAILED) cannot("no memory for a log");
    observers[i].log = log;
    if (engine_open(&engines[i], name, NULL, getenv("ASSAY_PROFILE"), error, sizeof error) ||
        engine_observe(&engines[i], &observers[i], error, sizeof error))
        cannot(error);
    targets[i] = engines[i].target;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char names[4096];
    const char *given = getenv("ASSAY_ALLOCATORS");
    char *rest = NULL;
    (void)argc;
    (void)argv;
    snprintf(names, sizeof names, "%s", given && *given ? given : ASSAY_TARGETS);
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        if (diff.count == ENGINES_MAX) cannot("more than 4 allocators");
        open_one(name);
    }
    if (diff.count < 2) cannot("ASSAY_ALLOCATORS: two allocators or more, separated by commas");
    diff.targets = targets;
    diff_begin(&diff);
    generator_init(&common, &diff.common, 0);
    return 0;
}

void target_fit(unsigned char *bytes, size_t length) { generator_fit(&common, bytes, length); }

/* What each of them did is compared only if none broke a rule: engine_fail does not return. */
static void compare(void)
{
    struct observed_run runs[ENGINES_MAX];
    struct disagreement found[1];
    for (unsigned i = 0; i < diff.count; i++) {
        struct observation_log *log = observers[i].log;
        runs[i] = (struct observed_run){.program = &log->program[0], .calls = log->calls + log->program[0].first};
    }
    if (difference_add(&diff.difference, runs, found, 1))
        engine_disagree(&engines[found->one], &engines[found->other], &found->verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    generator_decode(&common, bytes, length, &engines[0].program);
    for (unsigned i = 0; i < diff.count; i++) {
        struct verdict verdict;
        if (i) engines[i].program = engines[0].program;
        observers[i].log->programs = observers[i].log->used = 0;
        engine_judge(&engines[i], &verdict);
        if (verdict.kind == VERDICT_FAIL) engine_fail(&engines[i], &verdict);
        if (verdict.kind != VERDICT_PASS) return 0; /* a heap that there is no address space for */
    }
    compare();
    return 0;
}
