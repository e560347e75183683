/* minimise.h: the smallest program that still breaks the same rule in the same way.
 *
 * Delta debugging (A. Zeller, R. Hildebrandt, TSE 2002) over operations, then over what each operation says, then over
 * the geometry, until nothing more can be left out. The number of tries is bounded, not the time, so that the result is
 * the same on every machine; whoever finds them too long bounds them by `stop`, and by no clock.
 */
#ifndef MINIMISE_H
#define MINIMISE_H

#include "exec.h"
#include "program.h"
#include "verdict.h"

struct minimiser {
    /* Runs a candidate; true if it fails as the original does. Then *verdict is its verdict, and the trace that was handed
     * over at the start holds its run. */
    bool (*fails)(void *context, const struct program *candidate, struct verdict *verdict);
    void *context;
    const struct trace *trace; /* of the last run; NULL: not recorded */
    const bool *stop;          /* becomes true when the user will wait no longer; NULL: never */
    uint32_t tries_max;        /* at most so many candidates */
    uint32_t tries;            /* out: so many were run */
};

/* Shrinks *p, which fails with *verdict, in place; both are those of the smallest failing program found. */
void minimise(struct minimiser *m, struct program *p, struct verdict *verdict);

#endif
