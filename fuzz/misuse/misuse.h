/* misuse.h: what an allocator makes of its caller's errors, each made in a process of its own.
 *
 * No standard says what a double free does; so nothing here is right or wrong, unless the contract promises a report
 * (PROMISE_DETECTS_*, kernel_ops.checks_misuse). An error is detected, if somebody is told: a report, an abort, a trap, a
 * message, a refusal, a fault at the wild store itself, the heap's own check(). It is missed if the program goes on: nothing
 * is seen in what follows, or two blocks overlap, or memory is lost. It is suffered if the allocator falls over it later:
 * a crash, a hang, an exit, a live block that the allocator changes. What follows the error is the same few hundred calls
 * for everybody; that nothing was seen in them is no proof of anything.
 */
#ifndef MISUSE_H
#define MISUSE_H

#include "target.h"

#include <stdint.h>

enum misuse_result { MISUSE_SKIPPED, MISUSE_DETECTED, MISUSE_MISSED, MISUSE_SUFFERED, MISUSE_RESULTS };

#define MISUSE_SIZES 3u      /* each error of the malloc family is made on blocks of so many sizes */
#define MISUSE_HOW_BYTES 48u /* of the word on what happened */
extern const uint32_t misuse_sizes[MISUSE_SIZES];

struct misuse_row {
    const char *family; /* "malloc", "pages", "caches", "kmalloc", "vmalloc" */
    const char *error;  /* "double free" */
    const char *law;    /* what C, POSIX or the kernel say of it */
    unsigned trials;    /* bits that are flipped, each in a process of its own; else 1 */
    bool sized;         /* made on blocks of every size; else on one */
    bool control;       /* no error at all: whatever is seen then is none of the errors' doing */
};

/* What came of one row with one size; the counts add up to the trials, or all are 0: skipped. */
struct misuse_outcome {
    uint32_t count[MISUSE_RESULTS];
    char how[MISUSE_HOW_BYTES]; /* of the trial; of many, the most telling one */
    bool promised;              /* the contract promises a report */
};

/* The rows, from 0; NULL behind the last. */
const struct misuse_row *misuse_row(unsigned row);

/* Makes the error of the row on t. 0; or -1 with one line in `error` if and only if no child process could try it. */
int misuse_try(const struct target *t, unsigned row, unsigned size, struct misuse_outcome *out, char *error,
               size_t error_bytes);

/* The main of a child process that needs the library preloaded: "__misuse" FD. */
#define MISUSE_WORD "__misuse"
int misuse_child_main(int argc, char **argv);

#endif
