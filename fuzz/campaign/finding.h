/* finding.h: what a campaign hands to a report. Plain data, owned by the caller. */
#ifndef FINDING_H
#define FINDING_H

#include "exec.h"
#include "program.h"
#include "target.h"
#include "verdict.h"

struct finding {
    const struct target *target;
    const struct target *other; /* with which it disagrees (DIFFER); else NULL */
    struct verdict verdict;
    struct program program; /* minimised */
    struct trace trace;     /* of the minimised program's run */
    uint32_t original_ops;  /* operations before minimising */
    uint64_t index;         /* which program of the run, from 0 */
    uint64_t seed;
    int signal_number;          /* for CRASH and ABORT, else 0 */
    int exit_status;            /* for EXIT, else 0 */
    uint32_t repeats, repeated; /* run `repeats` times in fresh processes, showed itself `repeated` times */
    bool needs_history;         /* only shows itself after the programs before it, which `program` then contains */
    bool minimised;             /* false: --no-minimise, or interrupted */
    bool cut_short;             /* minimised, but not to the end: that would have taken too long */
    char path[4096];            /* of the program on disk (.ops), empty if not written */
};

struct explore;

struct summary {
    const struct target *target;
    enum verdict_kind verdict;
    uint32_t findings;
    uint64_t seed;
    double seconds; /* wall time of the campaign; < 0: not measured, so not told */
    bool interrupted;
    struct exec_counters counters;
    uint64_t coverage;             /* what a fuzzing engine saw, in its own count; 0: not measured, so not told */
    const struct explore *explore; /* what `assay explore` came to; else NULL */
    const char *command;           /* "check", "fuzz", "replay" */
    const char *message;           /* for VERDICT_ERROR: what happened */
};

#endif
