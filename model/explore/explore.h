/* explore.h: every program up to a bound, on a heap so small that there is an end to them.
 *
 * A program is a word over letters, each one call: malloc(48), free(the block in this slot), realloc(that, 16), … Words
 * that leave the heap in the same state have the same future, so of each state only the first word is gone on from. They
 * are tried by length, the shortest first: the first word that breaks a rule is as short as any that does. If no letter
 * leads from any state to a new one, the space is closed: the allocator holds the rules in every program over these
 * letters, of any length.
 *
 * A state is what the allocator can decide on, and what is owed to its caller:
 *
 *   - the heap's state and the memory lent, but for the bytes that are the callers' own (the payload of live blocks), those
 *     above the break, and with PROMISE_FORGETS the inside of free blocks. On a machine, records are looked for in the
 *     heap's state alone: frames hold what their owners write;
 *   - where the live blocks are and how long (their usable size). Which slot a block is in decides nothing, nor what was
 *     requested: sizes are tried from the largest down, so of those that come to the same state the largest is owed.
 *     Where letters give a size back (free_sized), requests and alignments count too.
 *
 * States are held against each other by 64 bits of a hash: among n of them two different ones are taken for the same with
 * a chance of n * n / 2^65. What one costs is its record and its share of the table, 36 bytes at the most; no image of a
 * heap is kept: a state is come back to by the calls that lead to it, of which its neighbour shares all but a few.
 *
 * The record of an exploration lies in memory shared with another process, which knows from it which program was running
 * when the allocator took its process down, and may stop it, save it, and go on with it in another process.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "exec.h"

#define EXPLORE_LETTERS_MAX 1024u
#define EXPLORE_SIZES_MAX 64u
#define EXPLORE_LIVE_MAX 64u                    /* blocks that live at once */
#define EXPLORE_DEPTH_MAX (PROGRAM_OPS_MAX - 8) /* calls in one program */

struct explore_state {
    uint64_t hash;
    uint32_t parent;       /* the state before the last call; 0 for the root, which is state 0 */
    uint16_t letter, slot; /* the last call */
};
_Static_assert(sizeof(struct explore_state) == 16, "most of what a state costs");

/* What is asked for. */
struct explore_orders {
    struct heap_geometry heap; /* its course is COURSE_PLAIN */
    uint64_t ops;              /* bit k: there are letters of enum op_kind k, if it is offered */
    bool odd;                  /* ... and sizes and alignments that no allocator may grant */
    uint32_t size_count;       /* 0: of all sizes, one of those that a fresh heap treats alike: the largest */
    uint64_t sizes[EXPLORE_SIZES_MAX];
    uint32_t depth_max;  /* 1 .. EXPLORE_DEPTH_MAX */
    uint64_t states_max; /* 1 .. UINT32_MAX */
};

enum explore_end {
    EXPLORE_RUNNING,
    EXPLORE_CLOSED, /* no letter leads to a new state */
    EXPLORE_DEPTH,  /* every program of depth_max calls has been tried */
    EXPLORE_FULL,   /* states_max have been found */
    EXPLORE_STOPPED,
    EXPLORE_BROKEN, /* a rule: the verdict says which, explore_program shows it */
};

struct explore {
    struct explore_orders orders;
    bool careful;       /* look at the whole of a large state after every call; see explore_run */
    volatile bool stop; /* set by the other process: come to an end soon */
    volatile uint32_t end;
    volatile uint64_t states;      /* found; */
    volatile uint64_t expanded;    /* of them, those of which every letter has been tried, */
    volatile uint64_t transitions; /* that is how many calls */
    volatile uint32_t depth; /* of the state that is being expanded: all programs of so many calls have been tried */
    uint32_t live_max;       /* blocks alive at once in any state */
    bool crowded;            /* EXPLORE_LIVE_MAX lived at once: what follows was not tried, nothing is proved */
    volatile uint32_t at;    /* the call that is being made: from this state, */
    volatile uint16_t letter, slot; /* this letter */
    uint32_t letter_count;
    struct op letters[EXPLORE_LETTERS_MAX]; /* without their slot */
    struct op probe;                        /* the letter EXPLORE_LETTERS_MAX: what sizes are told apart by */
    uint32_t table_log2;                    /* places in the table */
};

/* Bytes of shared memory, zeroed, that an exploration of so many states takes at most; they need not all be there before
 * they are touched. And the most states that fit in so many bytes. */
size_t explore_bytes(uint64_t states_max);
uint64_t explore_states_in(uint64_t bytes);

/* Where its states are: e->states of them, in the order in which they were found, so by depth. */
struct explore_state *explore_states(const struct explore *e);

/* Runs until an end, which it leaves in e->end: FAIL in *verdict if and only if that is EXPLORE_BROKEN, ERROR if the harness
 * failed. `options` as for exec_open, without trace and observer. If e->states is not 0, it goes on with what another
 * process has left: e->expanded of the states are done, their hashes are worked out again. False if and only if this
 * allocator cannot be explored: `seen` says why.
 *
 * Of a state larger than 4096 bytes, as kernel heaps have, only the bytes that change are put back from call to call. Which
 * those are is found out: all of it is looked at after every call until 2^14 calls have shown nothing new, then between
 * states. When something new is found, the exploration begins anew. Until then a heap may have been put back in part, so a
 * process that went down may have done so for our fault: if the program does not fail on its own, go on with `careful`. */
bool explore_run(struct explore *e, const struct exec_options *options, struct verdict *verdict);

/* The space is closed, and nothing was left out of it. */
static inline bool explore_proved(const struct explore *e) { return e->end == EXPLORE_CLOSED && !e->crowded; }

/* The program of the call that is being made, or that broke the rule. */
void explore_program(const struct explore *e, struct program *p);

#endif
