/* explore_internal.h: what the files of the exploration share. */
#ifndef EXPLORE_INTERNAL_H
#define EXPLORE_INTERNAL_H

#include "exec_internal.h"
#include "explore.h"

/* ---- explore_states.c: the set of states ------------------------------------------------------------------------------ */

/* An empty set; or, with the hashes of all e->states in place, their table anew. */
void states_index(struct explore *e);
bool states_know(const struct explore *e, uint64_t hash);
bool states_full(const struct explore *e);
/* Enters a state if its hash is new; there must be room for one. */
bool states_add(struct explore *e, const struct explore_state *s);

/* ---- explore_image.c: a heap, kept and put back ----------------------------------------------------------------------- */

#define IMAGE_RUNS_MAX 1024u
#define IMAGE_BYTES_MAX ((size_t)96 << 10) /* of a copy */

struct image_run {
    unsigned char *at;
    uint32_t bytes;
};

/* Of the bytes that make a heap, those that are known to change. A small state is copied whole. Of a large one, as kernel
 * heaps have, only lines of it that have been seen to differ from the fresh heap's: image_learn looks for more of them. */
struct image {
    struct exec *x;
    struct image_run runs[IMAGE_RUNS_MAX];
    uint32_t run_count;
    uint32_t masked_runs;  /* the first of them: the memory lent and its break, of which not every byte counts */
    size_t bytes;          /* of a copy */
    unsigned char *masked; /* what is hashed, gathered */
    unsigned char *fresh;  /* the memory lent and its break, as init left them */
    /* of a large state; else NULL */
    unsigned char *fresh_state;             /* as init left it */
    uint64_t *changing;                     /* bit per line */
    unsigned char *pages;                   /* per page: there, so perhaps written to */
    int pagemap;                            /* what the kernel says of that; -1 if it says nothing */
    struct image_run quiet[IMAGE_RUNS_MAX]; /* what should never change: is it as it was? */
    uint32_t quiet_count;
    bool too_large; /* more changes than a copy can hold: it is good for nothing */
    uint32_t looked;
};

/* Of the fresh heap of x. False with the reason in x->verdict, if it cannot be kept. */
bool image_open(struct image *m, struct exec *x);
void image_close(struct image *m);
void image_save(const struct image *m, unsigned char *copy);
void image_restore(const struct image *m, const unsigned char *copy);
bool image_same(const struct image *m, const unsigned char *copy);
/* A digest of all that the allocator can decide on. */
uint64_t image_hash(const struct image *m);
/* Whether bytes have changed that no copy has: then they are known from now on, and copies are of another length. Unless it
 * is to be `sure`, a page that was never written to before may go unnoticed for some time. */
bool image_learn(struct image *m, bool sure);
/* All of the heap as it was when the image was opened, whatever the length of copies has been since. */
void image_restore_fresh(const struct image *m);

static inline uint64_t hash_mix(uint64_t h)
{
    h = (h ^ h >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    h = (h ^ h >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}

/* ---- explore_letters.c --------------------------------------------------------------------------------------------------- */

/* The letters for `e->orders` and this allocator, its sizes known. */
void letters_make(struct explore *e, const struct exec *x);

enum letter_slot { LETTER_FRESH, LETTER_LIVE, LETTER_DEAD, LETTER_NONE };
/* Which slots a letter is tried on: one that is empty, each that lives, each that was freed, or none. */
enum letter_slot letter_slot(enum op_kind kind);

#endif
