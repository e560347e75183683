/* campaign.h: the main job: generated programs on a target until the budget ends or a rule is broken.
 *
 * What is found does not depend on speed: of several workers' findings the one with the lowest program index counts, and
 * all counts are those at the end of the window in which it fell.
 */
#ifndef CAMPAIGN_H
#define CAMPAIGN_H

#include "child.h"
#include "finding.h"

#define CAMPAIGN_JOBS_MAX 256u

struct campaign {
    const struct target *target;
    const struct target *made_for; /* whom the programs are made for; NULL: the target */
    struct child_limits limits;
    uint64_t seed;
    uint64_t first;    /* index of the first program */
    uint64_t programs; /* 0: no bound */
    double seconds;    /* of wall time; counts only if programs is 0 */
    unsigned jobs;
    const volatile bool *interrupted;
    /* Called about ten times a second; may be NULL. */
    void (*progress)(void *context, const struct exec_counters *so_far, double seconds, double left);
    void *context;
};

enum campaign_end { CAMPAIGN_PASS, CAMPAIGN_FAIL, CAMPAIGN_ERROR };

struct campaign_result {
    struct heap_geometry heap; /* CAMPAIGN_FAIL: of the failing program as it was run, what was made to fail included */
    enum campaign_end end;
    bool interrupted;
    uint64_t index; /* of the failing program */
    struct child_result failure;
    struct exec_counters counters;
    double seconds;
    char error[256];
};

void campaign_run(const struct campaign *c, struct campaign_result *result);

/* Takes a failing program, by its index, to a finding: run again in a process of its own, with the programs before it if
 * it needs them, minimised, and run `repeats` more times. Returns false if the child failed to run (result->error). */
bool campaign_investigate(const struct campaign *c, const struct campaign_result *result, bool minimised,
                          struct finding *f);

/* The same for a program that is at hand; `failure` is what it showed. */
bool campaign_minimise(const struct target *target, const struct child_limits *limits, const volatile bool *interrupted,
                       struct finding *f);

/* Likewise, without making it smaller. */
bool campaign_confirm(const struct target *target, const struct child_limits *limits, struct finding *f);

#endif
