/* report_misuse.h: the matrix of `assay misuse`, as text or as JSON lines; docs/MISUSE.md says how to read it. */
#ifndef REPORT_MISUSE_H
#define REPORT_MISUSE_H

#include "misuse.h"

#include <stdio.h>

struct report_misuse {
    FILE *out;
    bool json;
    const struct target *target;
    const char *family; /* of the last row */
    unsigned broken;    /* errors that the contract promises to report, and that were not detected */
    unsigned results[MISUSE_RESULTS];
};

/* One row; the outcomes are of all sizes, or the first alone if the row has one. What was skipped for every size is left
 * out of the text. */
void report_misuse_row(struct report_misuse *r, const struct misuse_row *row, const struct misuse_outcome *outcomes);

/* The summary; 0, or -1 if and only if something could not be written. */
int report_misuse_end(struct report_misuse *r);

#endif
