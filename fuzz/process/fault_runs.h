/* fault_runs.h: the part of a worker that runs a program with every request for memory failing (faults.h). */
#ifndef FAULT_RUNS_H
#define FAULT_RUNS_H

#include "child.h"

/* What a program is worth. One that somebody has kept is worth all its requests; of those that are made by the thousand,
 * each is worth some. */
extern const struct faults_budget faults_of_one, faults_of_many;

/* Whether the worker has to have the calls of its library watched (host_maps.h) before it runs p: the target asks for it,
 * or p makes requests fail. */
bool watch_wanted(const struct target *t, const struct program *p);

/* Runs the journal's program in this process, or, on a host heap, each run in a copy of it, so that all begin with the
 * heap as it is now. The verdict is the journal's; if a rule was broken, the program there is as it was run then. Does not
 * return if the copy did not end by itself: this process ends as the copy did. */
void fault_runs(struct journal *j, struct exec *x, const struct faults_budget *budget);

#endif
