/* recording.h: from the calls of a real program to programs of ours.
 *
 * A recording is cut into windows, each of which is a program by itself: it begins with the blocks that it is going to free
 * or resize and that are alive already, in the order in which they were made. Blocks get the lowest slot that is free, so
 * that the same cycle of calls has the same slots again and becomes a `repeat`; equal requests in a row become a run.
 *
 * Lost are: requests that were refused, free(NULL), calls on blocks whose making was not seen, what is written where and
 * when, threads, and blocks that live through a window without being touched: a window's heap is emptier than the program's.
 */
#ifndef RECORDING_H
#define RECORDING_H

#include "program.h"
#include "recorder/recorded.h"

/* The state of a conversion; its fields are recording.c's. */
struct conversion {
    const struct recording *recording;
    uint32_t next;        /* call that the next window begins with */
    uint32_t image;       /* program that the process ran then */
    uint64_t refused;     /* requests left out because they were */
    uint64_t unseen;      /* frees and reallocs left out: of blocks whose making was not seen */
    struct block *blocks; /* alive in the recorded process: a hash table by address */
    uint32_t capacity, alive;
    uint64_t made; /* blocks, since the beginning */
};

/* Begins. The recording stays the caller's and is not changed while conversion goes on. */
void conversion_begin(struct conversion *c, const struct recording *recording);
/* Makes the next window: 1; 0 if nothing is left; -1 with errno if and only if there is no memory. */
int conversion_next(struct conversion *c, struct program *p);
void conversion_end(struct conversion *c);

#endif
