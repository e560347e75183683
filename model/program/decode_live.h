/* decode_live.h: which slots are live, as if every request were granted; and what both swarm decoders draw alike.
 *
 * A live slot is found by its place in an array, in the order of births, or by its number, all in constant time. Nothing
 * here is cleared at the start but the counts, as a decoder is called for every program.
 */
#ifndef DECODE_LIVE_H
#define DECODE_LIVE_H

#include "program.h"

#define NO_SLOT UINT16_MAX
#define SLOTS_USED (PROGRAM_SLOTS - 1u)

struct live_set {
    uint16_t fresh; /* slots below were used */
    uint16_t count; /* how many are live */
    uint16_t newest, oldest;
    uint64_t bytes;               /* about what the live blocks take */
    uint16_t list[PROGRAM_SLOTS]; /* live slots, in no order */
    uint16_t at[PROGRAM_SLOTS];   /* where in `list` a live slot stands, + 1; 0: not live (of slots below fresh) */
    uint16_t newer[PROGRAM_SLOTS], older[PROGRAM_SLOTS];
    uint32_t size[PROGRAM_SLOTS]; /* about, of live slots */
};

static inline void live_init(struct live_set *l)
{
    l->fresh = l->count = 0;
    l->bytes = 0;
    l->newest = l->oldest = NO_SLOT;
}

static inline void live_born(struct live_set *l, uint16_t slot, uint32_t size)
{
    l->size[slot] = size;
    l->bytes += size;
    l->list[l->count++] = slot;
    l->at[slot] = l->count;
    l->older[slot] = l->newest;
    l->newer[slot] = NO_SLOT;
    if (l->newest != NO_SLOT) l->newer[l->newest] = slot;
    else l->oldest = slot;
    l->newest = slot;
}

static inline void live_died(struct live_set *l, uint16_t slot)
{
    uint16_t last = l->list[--l->count], hole = (uint16_t)(l->at[slot] - 1), newer = l->newer[slot],
             older = l->older[slot];
    l->bytes -= l->size[slot];
    l->list[hole] = last;
    l->at[last] = (uint16_t)(hole + 1);
    l->at[slot] = 0;
    if (newer != NO_SLOT) l->older[newer] = older;
    else l->newest = older;
    if (older != NO_SLOT) l->newer[older] = newer;
    else l->oldest = newer;
}

static inline bool live_is(const struct live_set *l, unsigned slot) { return slot < l->fresh && l->at[slot]; }

/* The first of `count` slots in a row that were never used; NO_SLOT if there are not so many. */
static inline uint16_t live_fresh(struct live_set *l, unsigned count)
{
    uint16_t first = l->fresh;
    if (count > SLOTS_USED - first) return NO_SLOT;
    for (unsigned i = 0; i < count; i++) l->at[first + i] = 0;
    l->fresh = (uint16_t)(first + count);
    return first;
}

enum free_policy { FREE_ANY, FREE_NEWEST, FREE_OLDEST, FREE_SECOND };

static inline uint16_t live_some(const struct live_set *l, unsigned choice) { return l->list[choice % l->count]; }

static inline uint16_t live_victim(const struct live_set *l, enum free_policy policy, unsigned choice)
{
    switch (policy) {
    case FREE_NEWEST: return l->newest;
    case FREE_OLDEST: return l->oldest;
    case FREE_SECOND: return l->older[l->newest] == NO_SLOT || choice & 0x80 ? l->newest : l->older[l->newest];
    default: return live_some(l, choice);
    }
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------------ */

struct size {
    uint8_t kind;
    uint16_t ref;
    uint64_t v;
};

static inline struct size size_literal(uint64_t v) { return (struct size){.kind = SIZE_LITERAL, .v = v}; }

/* Sizes at which arithmetic goes wrong: where widths end, where a header makes them wrap. */
struct size size_extreme(unsigned x, unsigned y);

static inline void size_set_a(struct op *op, struct size n)
{
    op->a_kind = n.kind;
    op->a = n.v;
    op->ref = n.ref;
}

/* Operands a and b whose product wraps, or is near it. */
void size_set_products(struct op *op, unsigned x, unsigned y);

/* ---- The kernel group -------------------------------------------------------------------------------------------------- */

/* The swarm form that begins with SWARM_KERNEL (decode_kernel.c). */
void program_decode_kernel(struct program *p, const unsigned char *bytes, size_t length);

#endif
