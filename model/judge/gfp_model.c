/* gfp_model.c: gfp_model.h is the manual. */
#include "gfp_model.h"

#define NO_REPORT REPORT_KINDS

unsigned mask_effective(unsigned gfp, unsigned scope)
{
    if (scope & SCOPE_NOIO) gfp &= ~(unsigned)(GFP_BIT_IO | GFP_BIT_FS);
    if (scope & SCOPE_NOFS) gfp &= ~(unsigned)GFP_BIT_FS;
    if (scope & SCOPE_PIN) gfp &= ~(unsigned)GFP_BIT_MOVABLE;
    return gfp;
}

enum rule mask_bad(unsigned gfp)
{
    int zones = !!(gfp & GFP_BIT_DMA) + !!(gfp & GFP_BIT_DMA32) + !!(gfp & GFP_BIT_HIGHMEM);
    if (zones > 1) return RULE_B4;
    return (gfp & GFP_BIT_MOVABLE) && (gfp & GFP_BIT_RECLAIMABLE) ? RULE_B5 : RULE_NONE;
}

enum machine_zone_id mask_zone(const struct machine *m, unsigned gfp)
{
    enum machine_zone_id zone = ZONE_NORMAL;
    if (gfp & GFP_BIT_DMA) zone = ZONE_DMA;
    if (gfp & GFP_BIT_HIGHMEM) zone = ZONE_HIGHMEM;
    return m->zones[zone].start == m->zones[zone].end ? ZONE_NORMAL : zone;
}

bool mask_kills(const struct machine *m, unsigned gfp, unsigned scope, unsigned order)
{
    bool optional = (gfp & (GFP_BIT_NORETRY | GFP_BIT_RETRY_MAYFAIL)) && !(gfp & GFP_BIT_NOFAIL);
    return mask_reclaims(gfp, scope) && order <= COSTLY_ORDER && !optional && mask_zone(m, gfp) != ZONE_DMA;
}

/* ---- Contexts ------------------------------------------------------------------------------------------------------ */

struct machine_context context_of(enum program_context context, unsigned scope)
{
    return (struct machine_context){.nmi = context == CONTEXT_NMI,
                                    .hardirq = context == CONTEXT_HARDIRQ,
                                    .softirq = context == CONTEXT_SOFTIRQ,
                                    .bh_off = context == CONTEXT_BH_OFF,
                                    .irqs_off = context == CONTEXT_IRQS_OFF,
                                    .spin_depth = context == CONTEXT_SPINLOCK,
                                    .scope = scope};
}

static bool in_interrupt(const struct machine_context *c) { return c->nmi || c->hardirq || c->softirq || c->bh_off; }
static bool can_sleep(const struct machine_context *c) { return !in_interrupt(c) && !c->irqs_off && !c->spin_depth; }

struct context_ruling context_rules(enum kernel_act act, unsigned gfp, const struct machine_context *c)
{
    const struct context_ruling legal = {NO_REPORT, NO_REPORT, RULE_B48, false};
    const struct context_ruling put_off = {NO_REPORT, NO_REPORT, RULE_B48, true};
    const struct context_ruling sleeps = {REPORT_SLEEP_IN_ATOMIC, NO_REPORT, RULE_B47, false};
    const struct context_ruling either = {REPORT_SLEEP_IN_ATOMIC, REPORT_BUG, RULE_B48, false};
    if (act == ACT_QUERY) return legal;
    if (c->nmi) return either;
    switch (act) {
    case ACT_BULK:
        if (c->irqs_off || c->hardirq) return either;
        __attribute__((fallthrough));
    case ACT_ALLOC: return mask_reclaims(gfp, c->scope) && !can_sleep(c) ? sleeps : legal;
    case ACT_CACHE:
    case ACT_KMAP: return can_sleep(c) ? legal : either;
    case ACT_MAP:
        if (in_interrupt(c)) return (struct context_ruling){REPORT_BUG, NO_REPORT, RULE_B94, false};
        return can_sleep(c) || !(gfp & GFP_BIT_DIRECT) ? legal : sleeps;
    case ACT_VFREE:
        if (in_interrupt(c)) return put_off;
        return can_sleep(c) ? legal : (struct context_ruling){REPORT_SLEEP_IN_ATOMIC, NO_REPORT, RULE_B48, false};
    case ACT_VFREE_ATOMIC: return put_off;
    default: return legal;
    }
}

/* ---- Events -------------------------------------------------------------------------------------------------------- */

#define BIT(kind) (UINT32_C(1) << (kind))
#define FRAMES (BIT(EVENT_TAKE) | BIT(EVENT_GIVE) | BIT(EVENT_SPLIT) | BIT(EVENT_MERGE))
#define PAGING (BIT(EVENT_MAP) | BIT(EVENT_UNMAP) | BIT(EVENT_PT_ALLOC) | BIT(EVENT_FLUSH))
#define SLEEP (BIT(EVENT_MIGHT_SLEEP) | BIT(EVENT_SLEPT))

static uint32_t of_request(const struct machine *m, unsigned gfp, unsigned order)
{
    uint32_t events = FRAMES | BIT(EVENT_RESERVE) | BIT(EVENT_INJECTED) | BIT(EVENT_WARN);
    if (gfp & GFP_BIT_KSWAPD) events |= BIT(EVENT_WAKE_KSWAPD);
    if (gfp & GFP_BIT_DIRECT) events |= BIT(EVENT_MIGHT_SLEEP);
    if (!mask_reclaims(gfp, m->context.scope) || !can_sleep(&m->context)) return events;
    events |= BIT(EVENT_SLEPT) | BIT(EVENT_DIRECT_RECLAIM);
    if (gfp & GFP_BIT_IO) events |= BIT(EVENT_IO);
    if ((gfp & GFP_BIT_FS) && (gfp & GFP_BIT_IO)) events |= BIT(EVENT_FS);
    if (mask_kills(m, gfp, m->context.scope, order)) events |= BIT(EVENT_OOM);
    return events;
}

uint32_t events_permitted(const struct machine *m, enum kernel_act act, unsigned gfp, unsigned order)
{
    uint32_t sleep = can_sleep(&m->context) ? SLEEP : 0;
    switch (act) {
    case ACT_ALLOC:
    case ACT_BULK: return of_request(m, gfp, order);
    case ACT_CACHE: return of_request(m, gfp, order) | sleep;
    case ACT_MAP: return of_request(m, gfp, order) | sleep | PAGING | BIT(EVENT_DEFERRED);
    case ACT_FREE: return FRAMES;
    case ACT_VFREE: return in_interrupt(&m->context) ? BIT(EVENT_DEFERRED) | FRAMES : FRAMES | sleep | PAGING;
    case ACT_VFREE_ATOMIC: return BIT(EVENT_DEFERRED);
    case ACT_KMAP: return sleep | BIT(EVENT_FLUSH);
    case ACT_KMAP_LOCAL: return BIT(EVENT_FLUSH);
    case ACT_KSWAPD: return FRAMES | sleep | PAGING | BIT(EVENT_IO) | BIT(EVENT_FS);
    default: return 0;
    }
}
