/* gfp_model.h: what a gfp mask and a context allow (B3-B5, B33, B37-B48), read with the model's own eyes.
 *
 * A mask as given, with the scopes of the task taken from it, is the effective one; only that counts. Masks are compared
 * by the names of their bits, never by number (E7).
 */
#ifndef GFP_MODEL_H
#define GFP_MODEL_H

#include "kernel.h"
#include "program.h"
#include "verdict.h"

/* Rows of the context table (B48). */
enum kernel_act {
    ACT_ALLOC,        /* may sleep if and only if the gfp mask may */
    ACT_FREE,         /* never sleeps */
    ACT_BULK,         /* objects: as ACT_ALLOC, and neither with irqs off nor in hardirq */
    ACT_CACHE,        /* create, destroy, shrink: sleeps */
    ACT_MAP,          /* vmalloc, vmap, vunmap, vrealloc: sleeps, BUG in interrupt */
    ACT_VFREE,        /* sleeps in task context, deferred in interrupt */
    ACT_VFREE_ATOMIC, /* always deferred */
    ACT_KMAP,         /* sleeps */
    ACT_KMAP_LOCAL,
    ACT_KSWAPD, /* reclaims by itself, with all rights */
    ACT_QUERY,  /* reads only: legal everywhere, changes nothing (C36) */
};

/* The mask inside these scopes (enum machine_scope, or-ed). SCOPE_NORECLAIM clears no bit: see mask_reclaims (B45). */
unsigned mask_effective(unsigned gfp, unsigned scope);

/* RULE_B4 or RULE_B5 if no request may have this mask; else RULE_NONE. */
enum rule mask_bad(unsigned gfp);

/* The highest zone that may serve the mask (B3). */
enum machine_zone_id mask_zone(const struct machine *m, unsigned gfp);

/* May the request reclaim (B43, B45)? May somebody be killed for 2^order frames (B121)? */
static inline bool mask_reclaims(unsigned gfp, unsigned scope)
{
    return (gfp & GFP_BIT_DIRECT) && !(scope & SCOPE_NORECLAIM);
}
bool mask_kills(const struct machine *m, unsigned gfp, unsigned scope, unsigned order);

/* B40: a request that waits rather than fail. */
static inline bool mask_never_fails(unsigned gfp)
{
    return (gfp & (GFP_BIT_NOFAIL | GFP_BIT_DIRECT)) == (GFP_BIT_NOFAIL | GFP_BIT_DIRECT);
}

/* Bits that widen what a request may do: an allocator may take them away for a part of a request, never add them. */
#define MASK_RIGHTS \
    (GFP_BIT_HIGH | GFP_BIT_IO | GFP_BIT_FS | GFP_BIT_DIRECT | GFP_BIT_KSWAPD | GFP_BIT_NOFAIL | GFP_BIT_MEMALLOC)

struct machine_context context_of(enum program_context context, unsigned scope);

/* What the context table says of a call (B47, B48). */
struct context_ruling {
    enum alloc_report must, must_or; /* one of the two has to be reported; REPORT_KINDS: none */
    enum rule rule;                  /* which says so */
    bool deferred;                   /* the work is put off */
};
struct context_ruling context_rules(enum kernel_act act, unsigned gfp, const struct machine_context *c);

/* The events that a call may have, 1 << enum machine_event_kind, or-ed (O3, C34). */
uint32_t events_permitted(const struct machine *m, enum kernel_act act, unsigned gfp, unsigned order);

#endif
