/* exploration.h: an exploration (explore.h) as a job: its orders, the process that it runs in, its end, its file.
 *
 * The worker explores; this side watches it as it watches a campaign's, and has the record in memory shared with it. So what
 * the allocator does to its process is a finding, with the program that was running.
 */
#ifndef EXPLORATION_H
#define EXPLORATION_H

#include "child.h"
#include "explore.h"
#include "finding.h"

struct exploration {
    const struct target *target;
    struct child_limits limits;
    uint64_t memory_bytes; /* for states */
    double seconds;        /* of wall time */
    const volatile bool *interrupted;
    /* Called about ten times a second; may be NULL. */
    void (*progress)(const struct explore *e, double seconds);

    struct explore *explore; /* the record; set by exploration_open */
    size_t explore_bytes;
};

struct exploration_result {
    struct child_result failure; /* if explore->end is EXPLORE_BROKEN */
    struct exec_counters counters;
    double seconds;
    bool interrupted;
    char error[256]; /* empty: the exploration was made */
};

/* Reads what --ops and --sizes say, words joined by commas; NULL: what is told in docs/EXPLORE.md. 0, or -1 with one line in
 * `error`. */
int exploration_orders(struct explore_orders *o, const struct target *t, const char *ops, const char *sizes,
                       uint64_t heap_bytes, char *error, size_t size);

/* Makes the record, of these orders but for states_max, which memory_bytes decides. 0, or -1 with one line in `error`. */
int exploration_open(struct exploration *x, const struct explore_orders *orders, char *error, size_t size);
void exploration_close(struct exploration *x);

/* Runs until the end, or until time is up or somebody interrupts. */
void exploration_run(struct exploration *x, struct exploration_result *r);

/* From the broken rule to a finding: the program, run on its own, as it is: it is as short as any. False if it does not show
 * itself then: the finding tells it as it was met. */
bool exploration_investigate(const struct exploration *x, const struct exploration_result *r, struct finding *f);

/* The record in a file, and back: exploration_open is called first, with orders whose depth_max alone counts. A file is of
 * one program, allocator and contract. 0, or -1 with one line in `error`. */
int exploration_save(const struct exploration *x, const char *path, char *error, size_t size);
int exploration_load(struct exploration *x, const char *path, char *error, size_t size);

#endif
