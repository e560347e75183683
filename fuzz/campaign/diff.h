/* diff.h: the same programs on several allocators, in lockstep: each in a process of its own, judged by the model as in a
 * campaign, and their answers compared (difference.h).
 *
 * Programs are dealt out in windows of 64. A crew has one process for each allocator and runs one window at a time; when
 * all are through, their logs are compared, in the order of the windows whatever the number of crews. An allocator that
 * breaks a rule goes on with the next program. So with a number of programs findings and sums depend on the seed alone, but
 * for heaps of the host, whose state outlives a program.
 */
#ifndef DIFF_H
#define DIFF_H

#include "child.h"
#include "difference.h"
#include "finding.h"

struct diff {
    const struct target *targets; /* `count` of them, 2 .. PARTIES_MAX */
    unsigned count;
    struct child_limits limits;
    uint64_t seed;
    uint64_t programs; /* 0: no bound */
    double seconds;    /* of wall time; counts only if programs is 0 */
    unsigned jobs;     /* processes in all; a crew has `count` of them, and one there is always */
    const volatile bool *interrupted;
    /* Called after every window; may be NULL. */
    void (*progress)(void *context, const struct diff *d, double seconds);
    /* Called in the order of programs, and for one program in that of the allocators. */
    void (*broke)(void *context, unsigned party, uint64_t index, const struct child_result *result);
    void (*disagreed)(void *context, uint64_t index, const struct disagreement *found);
    void *context;

    /* Out. */
    struct target common; /* whom the programs are made for: it offers what all of them do */
    char labels[PARTIES_MAX][80];
    struct difference difference;
    struct exec_counters counters[PARTIES_MAX];
    double took; /* seconds */
};

/* Sets common and labels, and begins the comparison; the fields above `common` are set. */
void diff_begin(struct diff *d);

/* How many crews there are. */
unsigned diff_crews(const struct diff *d);

/* Generated programs until the budget ends. 0, or -1 with one line in `error`. */
int diff_run(struct diff *d, char *error, size_t size);

/* One process for each allocator, for programs that are at hand. */
struct diff_bench {
    struct diff *diff;
    struct child children[PARTIES_MAX];
};

int diff_bench_open(struct diff_bench *b, struct diff *d, char *error, size_t size);
/* Adds their counters to the diff's. */
void diff_bench_close(struct diff_bench *b);

#define DISAGREEMENTS_MAX 16u /* of one program */

/* Runs p on every allocator as a replay does, and compares: results[i] is that of allocator i, whose trace and log are in
 * its journal. Gives how many disagreements there are in `found`, which has room for DISAGREEMENTS_MAX. */
unsigned diff_program(struct diff_bench *b, const struct program *p, struct child_result *results,
                      struct disagreement *found);

/* From a program on which two disagree (f->program, parties found->one and ->other) to a finding: run again in processes of
 * its own, shrunk if `minimised`, and repeated. False with f->verdict if they could not be run. */
bool diff_investigate(const struct diff *d, const struct disagreement *found, bool minimised, struct finding *f);

#endif
