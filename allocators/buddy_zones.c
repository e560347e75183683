/* buddy_zones.c: whether a request may be served, from which zone, and what is done for it if not (B31-B41).
 *
 *   first pass   each zone from the selected one down that stays above its low mark
 *   wake kswapd
 *   second pass  the same with the minimum mark, less what the request has rights to
 *   reclaim      rounds of direct reclaim, each followed by a second pass; how many, the mask says
 *   kill         somebody, if the mask lets us; then all over again
 *   give up      NULL with a warning; a request that must not fail is parked
 */
#include "buddy_internal.h"
#include "gfp.h"

#define RECLAIM_MIN 32u /* frames that a round of reclaim asks for at least */

/* ---- Marks and reserves (B34, B35) --------------------------------------------------------------------------------- */

static uint32_t square_root(uint64_t n)
{
    uint32_t root = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1)
        if ((uint64_t)(root | bit) * (root | bit) <= n) root |= bit;
    return root;
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high) { return n < low ? low : n > high ? high : n; }

static void set_zone_marks(struct buddy_zone *z, bool highmem, uint64_t pages_min, uint32_t lowmem)
{
    uint64_t managed = z->end - z->start, share = lowmem ? pages_min * managed / lowmem : 0, step = share / 4;
    if (!managed) return;
    if (step < managed * 10 / 10000) step = managed * 10 / 10000;
    z->mark_min = (uint32_t)(highmem ? clamp(managed / 1024, 32, 128) : share);
    z->mark_low = z->mark_min + (uint32_t)step;
    z->mark_high = z->mark_low + (uint32_t)step;
}

void buddy_set_marks(struct buddy *b)
{
    static const uint32_t ratio[ZONES] = {[ZONE_DMA] = 256, [ZONE_NORMAL] = 32};
    const struct machine *m = b->machine;
    if (m->no_watermarks) return;
    uint64_t lowmem_kib = ((uint64_t)m->lowmem_frames << m->page_shift) / 1024;
    uint64_t pages_min = clamp(square_root(16 * lowmem_kib), 128, 262144) >> (m->page_shift - 10);
    for (unsigned i = 0; i < ZONES; i++) {
        struct buddy_zone *z = &b->zones[i];
        set_zone_marks(z, i == ZONE_HIGHMEM, pages_min, m->lowmem_frames);
        uint32_t above = 0;
        for (unsigned j = i + 1; j < ZONES && ratio[i] && z->start < z->end; j++) {
            above += b->zones[j].end - b->zones[j].start;
            z->reserve[j] = above / ratio[i];
        }
    }
}

/* ---- One pass over the zones (B31-B33) ------------------------------------------------------------------------------ */

enum rights {
    RIGHT_HIGH = 1 << 0,        /* half of the minimum mark */
    RIGHT_NONBLOCKING = 1 << 1, /* with HIGH: a quarter of the rest */
    RIGHT_OOM = 1 << 2,         /* half of the rest */
    RIGHT_ALL = 1 << 3,         /* no mark at all */
    RIGHT_NOFAIL = 1 << 4,      /* as HIGH, for a request that must not fail */
};

static unsigned rights_of(const struct machine *m, unsigned gfp)
{
    const struct machine_context *c = &m->context;
    unsigned rights = gfp & GFP_BIT_HIGH ? RIGHT_HIGH : 0;
    if (gfp & GFP_BIT_NOMEMALLOC) return rights;
    if (!gfp_may_sleep(gfp)) rights |= RIGHT_NONBLOCKING;
    if (gfp & GFP_BIT_MEMALLOC) return rights | RIGHT_ALL;
    if ((c->scope & SCOPE_NORECLAIM) && !c->hardirq) return rights | RIGHT_ALL;
    return c->out_of_memory && !machine_in_interrupt(m) ? rights | RIGHT_OOM : rights;
}

static enum machine_reserve reserve_level(unsigned rights)
{
    if (rights & RIGHT_ALL) return RESERVE_ALL;
    if (rights & RIGHT_NOFAIL) return RESERVE_NOFAIL;
    if (rights & RIGHT_OOM) return RESERVE_OOM;
    return rights & RIGHT_NONBLOCKING ? RESERVE_ATOMIC : RESERVE_HIGH;
}

struct request {
    unsigned gfp, order; /* gfp: after scopes */
    enum machine_zone_id selected;
    unsigned rights;
};

/* B31. */
static bool zone_ok(const struct buddy_zone *z, const struct request *r, uint32_t mark, unsigned rights)
{
    if (block_best(z, r->order) == MACHINE_ORDERS) return false;
    if (rights & RIGHT_ALL) return true;
    if (rights & (RIGHT_HIGH | RIGHT_NOFAIL)) {
        mark -= mark / 2;
        if (rights & RIGHT_NONBLOCKING) mark -= mark / 4;
    }
    if (rights & RIGHT_OOM) mark -= mark / 2;
    uint32_t size = UINT32_C(1) << r->order;
    return (uint64_t)z->free + 1 > (uint64_t)size + mark + z->reserve[r->selected];
}

static struct page *first_pass(struct buddy *b, const struct request *r)
{
    for (unsigned zone = r->selected + 1; zone-- > 0;)
        if (zone_ok(&b->zones[zone], r, b->zones[zone].mark_low, 0)) return block_take(b, zone, r->order, r->gfp);
    return NULL;
}

static struct page *second_pass(struct buddy *b, const struct request *r, unsigned rights)
{
    for (unsigned zone = r->selected + 1; zone-- > 0;) {
        const struct buddy_zone *z = &b->zones[zone];
        if (!zone_ok(z, r, z->mark_min, rights)) continue;
        if (!zone_ok(z, r, z->mark_min, 0)) machine_event(b->machine, EVENT_RESERVE, reserve_level(rights), 0, r->gfp);
        return block_take(b, zone, r->order, r->gfp);
    }
    return NULL;
}

/* ---- What is done for a request that missed (B37-B41, B121) -------------------------------------------------------- */

static struct page *reclaim_rounds(struct buddy *b, const struct request *r, bool more_than_one)
{
    uint32_t wanted = UINT32_C(1) << r->order, released;
    struct page *page;
    if (wanted < RECLAIM_MIN) wanted = RECLAIM_MIN;
    do {
        machine_event(b->machine, EVENT_SLEPT, 0, 0, 0);
        released = machine_reclaim(b->machine, r->gfp, wanted, true);
        page = second_pass(b, r, r->rights);
    } while (!page && released && more_than_one);
    return page;
}

static struct page *reclaim_or_kill(struct buddy *b, const struct request *r)
{
    const bool nofail = r->gfp & GFP_BIT_NOFAIL, costly = r->order > COSTLY_ORDER;
    const unsigned modest = r->gfp & (GFP_BIT_NORETRY | GFP_BIT_RETRY_MAYFAIL);
    const bool kills = !costly && !modest && r->selected != ZONE_DMA && !b->machine->context.out_of_memory;
    const bool more_than_one = nofail || (!(modest & GFP_BIT_NORETRY) && (!costly || modest));
    for (;;) {
        struct page *page = reclaim_rounds(b, r, more_than_one);
        if (!page && nofail) page = second_pass(b, r, r->rights | RIGHT_NOFAIL);
        if (page || !kills) return page;
        uint32_t released = machine_out_of_memory(b->machine, r->gfp);
        page = second_pass(b, r, nofail ? RIGHT_ALL : r->rights);
        if (page || !released) return page;
    }
}

static struct page *refuse(struct machine *m, unsigned gfp)
{
    if (!(gfp & GFP_BIT_NOWARN)) machine_event(m, EVENT_WARN, 0, 0, gfp);
    return NULL;
}

static struct page *slow_path(struct buddy *b, const struct request *r)
{
    struct machine *m = b->machine;
    if (r->gfp & GFP_BIT_KSWAPD) machine_event(m, EVENT_WAKE_KSWAPD, 0, 0, r->gfp);
    struct page *page = second_pass(b, r, r->rights);
    if (!page && gfp_reclaims(m, r->gfp)) page = reclaim_or_kill(b, r);
    if (page) return page;
    if (!(r->gfp & GFP_BIT_NOFAIL) || !gfp_may_sleep(r->gfp)) return refuse(m, r->gfp);
    machine_block(m);
    return NULL;
}

/* ---- Requests ------------------------------------------------------------------------------------------------------ */

static struct request request_for(const struct machine *m, unsigned gfp, unsigned order)
{
    gfp = gfp_effective(m, gfp);
    return (struct request){.gfp = gfp, .order = order, .selected = gfp_zone(m, gfp), .rights = rights_of(m, gfp)};
}

/* The block as its new owner gets it; NULL if it cannot be made so, which only the host can cause. */
static struct page *prepare(struct buddy *b, const struct request *r, struct page *page)
{
    uint32_t pfn = buddy_pfn(b, page);
    page->compound = (r->gfp & GFP_BIT_COMP) && r->order;
    if (!(r->gfp & GFP_BIT_ZERO) || buddy_zero(b, pfn, UINT32_C(1) << r->order)) return page;
    block_give(b, pfn, r->order);
    return refuse(b->machine, r->gfp);
}

struct page *buddy_alloc(struct buddy *b, unsigned gfp, unsigned order)
{
    struct machine *m = b->machine;
    if (!gfp_enter(m, gfp)) return NULL;
    if (order > m->max_order) return refuse(m, gfp);
    struct request r = request_for(m, gfp, order);
    if (machine_fails(m, FAULT_PAGES, r.gfp, m->page_bytes << order)) return refuse(m, r.gfp);
    struct page *page = first_pass(b, &r);
    if (!page) page = slow_path(b, &r);
    return page ? prepare(b, &r, page) : NULL;
}

struct page *buddy_alloc_fast(struct buddy *b, unsigned gfp)
{
    struct request r = request_for(b->machine, gfp, 0);
    struct page *page = first_pass(b, &r);
    return page ? prepare(b, &r, page) : NULL;
}

void buddy_step_kswapd(struct buddy *b)
{
    uint32_t missing, released;
    do {
        missing = 0;
        for (unsigned zone = 0; zone < ZONES; zone++) {
            const struct buddy_zone *z = &b->zones[zone];
            if (z->free < z->mark_high) missing += z->mark_high - z->free;
        }
        released = missing ? machine_reclaim(b->machine, GFP_KERNEL | GFP_BIT_HIGHMEM, missing, false) : 0;
    } while (released);
    b->machine->kswapd_awake = false;
}
