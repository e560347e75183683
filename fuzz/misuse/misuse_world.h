/* misuse_world.h: a heap and its user, in the process that makes an error; misuse.h says what for. */
#ifndef MISUSE_WORLD_H
#define MISUSE_WORLD_H

#include "backing.h"
#include "kernel.h"
#include "misuse.h"

/* Where the process stands, and what was seen there first: what ended it says the rest. */
enum misuse_stage { STAGE_LOADING, STAGE_SETUP, STAGE_CALL, STAGE_STORE, STAGE_AFTER, STAGE_END };
enum misuse_sight {
    SIGHT_NOTHING,
    SIGHT_REPORT,
    SIGHT_CHECK,
    SIGHT_REFUSAL,
    SIGHT_NEIGHBOUR, /* the store itself hit another block */
    SIGHT_OVERLAP,
    SIGHT_OUTSIDE,
    SIGHT_LOST,
    SIGHT_CHANGED, /* a live block, by the allocator */
    SIGHTS
};

/* Shared with the parent. */
struct misuse_cell {
    struct target target;
    unsigned row, size, trial;
    volatile uint32_t stage, sight, skipped;
    volatile uint32_t report; /* enum alloc_report */
    volatile bool late;       /* seen in what followed the error */
    volatile bool promised;   /* the contract promises a report */
    uint32_t room;            /* blocks that the heap holds when nothing was wrong; 0: not counted */
    char error[160];
};

#define WORLD_BLOCKS 32u

struct world {
    struct misuse_cell *cell;
    const struct alloc_ops *ops;
    void *heap;
    struct lender lender;
    struct world_block {
        unsigned char *at;
        size_t bytes;
        unsigned char key;
    } blocks[WORLD_BLOCKS];
    unsigned count;
    uint32_t random;
    size_t size; /* of the blocks that the error is about */
};

struct misuse_act {
    struct misuse_row row;
    void (*act)(struct world *w);
    bool (*offered)(const struct alloc_ops *ops);
    unsigned promise; /* enum alloc_promise that a report is; 0: none */
    bool kernel;      /* kernel_ops.checks_misuse is the promise */
};

/* misuse_heap.c and misuse_kernel.c; each ends with a row without an act. */
extern const struct misuse_act misuse_heap_acts[], misuse_kernel_acts[];

void world_saw(struct world *w, enum misuse_sight sight); /* the first sight counts */
void world_stage(struct world *w, enum misuse_stage stage);

/* misuse_heap.c: the heap's user before and after the error. */
bool world_settle(struct world *w); /* live blocks; false if they cannot be had */
void world_go_on(struct world *w);  /* a few hundred calls, and everything freed */

#endif
