/* gfp.h: what a gfp mask means on this machine, now. For allocators only; the model reads masks with its own code.
 *
 * The mask of a call and the scopes of its task (B45) give the effective mask, and that alone decides. SCOPE_NORECLAIM
 * clears no bit: it takes reclaim away and gives the whole reserve (B33), which gfp_reclaims and buddy_zones.c look after.
 */
#ifndef GFP_H
#define GFP_H

#include "kernel.h"
#include "machine.h"

/* The mask after scopes (B45). */
static inline unsigned gfp_effective(const struct machine *m, unsigned gfp)
{
    unsigned scope = m->context.scope;
    if (scope & SCOPE_NOIO) gfp &= ~(unsigned)(GFP_BIT_IO | GFP_BIT_FS);
    if (scope & SCOPE_NOFS) gfp &= ~(unsigned)GFP_BIT_FS;
    if (scope & SCOPE_PIN) gfp &= ~(unsigned)GFP_BIT_MOVABLE;
    return gfp & GFP_BITS;
}

/* Two zones at once (B4), or two mobilities (B5). */
static inline bool gfp_bad(unsigned gfp)
{
    unsigned zone = gfp & (GFP_BIT_DMA | GFP_BIT_DMA32 | GFP_BIT_HIGHMEM);
    unsigned type = GFP_BIT_MOVABLE | GFP_BIT_RECLAIMABLE;
    return (zone & (zone - 1)) || (gfp & type) == type;
}

/* The highest zone that may serve the request (B3). There is no DMA32 here, and a zone that the machine lacks is NORMAL's. */
static inline enum machine_zone_id gfp_zone(const struct machine *m, unsigned gfp)
{
    enum machine_zone_id zone = gfp & GFP_BIT_DMA ? ZONE_DMA : gfp & GFP_BIT_HIGHMEM ? ZONE_HIGHMEM : ZONE_NORMAL;
    return m->zones[zone].start < m->zones[zone].end ? zone : ZONE_NORMAL;
}

/* Whether the request may sleep (B43), and whether it may reclaim, which is less: not on behalf of reclaim itself. */
static inline bool gfp_may_sleep(unsigned gfp) { return gfp & GFP_BIT_DIRECT; }
static inline bool gfp_reclaims(const struct machine *m, unsigned gfp)
{
    return gfp_may_sleep(gfp) && !(m->context.scope & SCOPE_NORECLAIM);
}

/* A call that is legal anywhere but in an NMI (B48). False: reported, the caller leaves at once. */
static inline bool machine_enter_any(struct machine *m)
{
    if (m->context.nmi) machine_report(m, REPORT_BUG, NULL);
    return !m->context.nmi;
}

/* A call that may always sleep: a task's, with nothing held (B47, B48). */
static inline bool machine_enter_sleeping(struct machine *m)
{
    if (!machine_enter_any(m)) return false;
    if (!machine_can_sleep(m)) {
        machine_report(m, REPORT_SLEEP_IN_ATOMIC, NULL);
        return false;
    }
    machine_event(m, EVENT_MIGHT_SLEEP, 0, 0, 0);
    return true;
}

/* How every call that takes a mask begins: a legal mask, and no sleep where there must be none. The bit decides, even
 * if memory is plentiful; a task that frees memory for others is trusted (B47). */
static inline bool gfp_enter(struct machine *m, unsigned gfp)
{
    if (!machine_enter_any(m)) return false;
    if (gfp_bad(gfp_effective(m, gfp))) {
        machine_report(m, REPORT_BAD_GFP, NULL);
        return false;
    }
    return !gfp_reclaims(m, gfp) || machine_enter_sleeping(m);
}

#endif
