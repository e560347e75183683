/* kernel_zones.c: canaries for the rules about zones, marks, masks and contexts of pages; broken.h is the manual.
 *
 * Most lie to the page allocator for the length of one call: another mask, other marks, another context. */
#include "broken.h"
#include "buddy_internal.h"
#include "builtin.h"
#include "gfp.h"
#include "kernel_wrapper.h"
#include "machine_internal.h"

static struct machine *machine_of(void *heap) { return ((struct buddy *)heap)->machine; }

static bool may_retry(void *heap, unsigned gfp, unsigned order)
{
    return order <= machine_of(heap)->max_order && !gfp_bad(gfp) && !machine_of(heap)->context.nmi &&
           (machine_can_sleep(machine_of(heap)) || !gfp_may_sleep(gfp));
}

/* ---- Zones (B3-B5) ---------------------------------------------------------------------------------------------------- */

static struct page *climbing_alloc(void *heap, unsigned gfp, unsigned order)
{
    const unsigned zone_bits = GFP_BIT_DMA | GFP_BIT_DMA32 | GFP_BIT_HIGHMEM;
    const bool user = (gfp & GFP_BIT_HARDWALL) && !(gfp & zone_bits);
    return buddy_alloc(heap, user ? gfp | GFP_BIT_HIGHMEM : gfp, order);
}

static void user_gets_highmem(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = climbing_alloc; }

static struct page *two_zone_alloc(void *heap, unsigned gfp, unsigned order)
{
    const unsigned low = GFP_BIT_DMA | GFP_BIT_DMA32;
    if (gfp & low) gfp &= ~(unsigned)GFP_BIT_HIGHMEM;
    return buddy_alloc(heap, (gfp & low) == low ? gfp & ~(unsigned)GFP_BIT_DMA32 : gfp, order);
}

static void two_zones_accepted(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = two_zone_alloc; }

static struct page *two_type_alloc(void *heap, unsigned gfp, unsigned order)
{
    return buddy_alloc(heap, gfp & GFP_BIT_MOVABLE ? gfp & ~(unsigned)GFP_BIT_RECLAIMABLE : gfp, order);
}

static void two_types_accepted(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = two_type_alloc; }

/* ---- Marks (B31-B35, C35) ------------------------------------------------------------------------------------------------ */

struct marks {
    uint32_t min[ZONES], low[ZONES], reserve[ZONES][ZONES];
};

static struct marks marks_of(const struct buddy *b)
{
    struct marks m;
    for (unsigned zone = 0; zone < ZONES; zone++) {
        m.min[zone] = b->zones[zone].mark_min;
        m.low[zone] = b->zones[zone].mark_low;
        for (unsigned j = 0; j < ZONES; j++) m.reserve[zone][j] = b->zones[zone].reserve[j];
    }
    return m;
}

/* One call with marks and reserves `percent` of what they are. */
static struct page *alloc_with(struct buddy *b, unsigned gfp, unsigned order, unsigned marks, unsigned reserves)
{
    const struct marks right = marks_of(b);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        struct buddy_zone *z = &b->zones[zone];
        z->mark_min = z->mark_min * marks / 100;
        z->mark_low = z->mark_low * marks / 100;
        for (unsigned j = 0; j < ZONES; j++) z->reserve[j] = z->reserve[j] * reserves / 100;
    }
    struct page *page = buddy_alloc(b, gfp, order);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        b->zones[zone].mark_min = right.min[zone];
        b->zones[zone].mark_low = right.low[zone];
        for (unsigned j = 0; j < ZONES; j++) b->zones[zone].reserve[j] = right.reserve[zone][j];
    }
    return page;
}

static struct page *unmarked_alloc(void *heap, unsigned gfp, unsigned order)
{
    return alloc_with(heap, gfp, order, 0, 100);
}

static void marks_ignored(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = unmarked_alloc; }

/* Only what is refused otherwise, so that kswapd has been woken where the low mark was passed (B32). */
static struct page *unreserved_alloc(void *heap, unsigned gfp, unsigned order)
{
    if (!may_retry(heap, gfp, order)) return buddy_alloc(heap, gfp, order);
    const uint32_t injected = machine_event_count(machine_of(heap), EVENT_INJECTED);
    struct page *page = buddy_alloc(heap, gfp | GFP_BIT_NOWARN, order);
    if (page || machine_event_count(machine_of(heap), EVENT_INJECTED) != injected) return page;
    machine_of(heap)->blocked = false;
    return alloc_with(heap, gfp, order, 100, 0);
}

static void reserves_ignored(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = unreserved_alloc; }

static bool is_atomic(unsigned gfp) { return (gfp & GFP_BIT_HIGH) && !gfp_may_sleep(gfp); }

static struct page *spoiling_alloc(void *heap, unsigned gfp, unsigned order)
{
    if (!is_atomic(gfp) || !may_retry(heap, gfp, order)) return buddy_alloc(heap, gfp, order);
    const uint32_t injected = machine_event_count(machine_of(heap), EVENT_INJECTED);
    struct page *page = buddy_alloc(heap, gfp | GFP_BIT_NOWARN, order);
    if (page || machine_event_count(machine_of(heap), EVENT_INJECTED) != injected) return page;
    return buddy_alloc(heap, (gfp & ~(unsigned)GFP_BIT_NOMEMALLOC) | GFP_BIT_MEMALLOC, order);
}

static void atomic_gets_too_much(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = spoiling_alloc; }

/* What is granted below the minimum mark is granted as if the low mark were there. */
static struct page *secret_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct buddy *b = heap;
    const unsigned others = GFP_BIT_NOMEMALLOC | GFP_BIT_MEMALLOC;
    const bool plain = is_atomic(gfp) && !(gfp & others) && !b->machine->context.scope;
    if (!plain || !may_retry(b, gfp, order)) return buddy_alloc(b, gfp, order);
    const uint32_t injected = machine_event_count(b->machine, EVENT_INJECTED);
    struct page *page = buddy_alloc(b, (gfp & ~(unsigned)GFP_BIT_HIGH) | GFP_BIT_NOWARN, order);
    if (page || machine_event_count(b->machine, EVENT_INJECTED) != injected) return page;
    const struct marks right = marks_of(b);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        const uint32_t half = right.min[zone] - right.min[zone] / 2;
        b->zones[zone].mark_low = half - half / 4;
    }
    page = buddy_alloc(b, gfp, order);
    for (unsigned zone = 0; zone < ZONES; zone++) b->zones[zone].mark_low = right.low[zone];
    return page;
}

static void reserve_untold(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = secret_alloc; }

static struct page *quiet_alloc(void *heap, unsigned gfp, unsigned order)
{
    return buddy_alloc(heap, gfp & ~(unsigned)GFP_BIT_KSWAPD, order);
}

static void kswapd_sleeps_on(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = quiet_alloc; }

static void one_off_zone_info(void *heap, enum machine_zone_id zone, struct zone_info *out)
{
    buddy_op_zone_info(heap, zone, out);
    if (out->mark_low > out->mark_min) out->mark_low--;
}

static void low_mark_off_by_one(struct alloc_ops *ops) { kernel_rows(ops)->zone_info = one_off_zone_info; }

static void other_reserve_zone_info(void *heap, enum machine_zone_id zone, struct zone_info *out)
{
    buddy_op_zone_info(heap, zone, out);
    if (zone == ZONE_DMA) out->lowmem_reserve[ZONE_HIGHMEM] = out->lowmem_reserve[ZONE_NORMAL];
}

static void reserve_counts_one_zone(struct alloc_ops *ops) { kernel_rows(ops)->zone_info = other_reserve_zone_info; }

/* ---- How hard a request tries (B37-B43, B50, B116, B121, B123) ----------------------------------------------------------- */

static struct page *impatient_alloc(void *heap, unsigned gfp, unsigned order)
{
    if (gfp_may_sleep(gfp) || !may_retry(heap, gfp, order)) return buddy_alloc(heap, gfp, order);
    struct page *page = buddy_alloc(heap, gfp | GFP_BIT_NOWARN, order);
    if (page) return page;
    machine_reclaim(machine_of(heap), gfp, 32, true);
    return buddy_alloc(heap, gfp, order);
}

static void nowait_reclaims(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = impatient_alloc; }

static struct page *weary_alloc(void *heap, unsigned gfp, unsigned order)
{
    const bool eager = !(gfp & (GFP_BIT_NOFAIL | GFP_BIT_RETRY_MAYFAIL));
    return buddy_alloc(heap, eager ? gfp | GFP_BIT_NORETRY : gfp, order);
}

static void one_round_for_all(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = weary_alloc; }

static struct page *yielding_alloc(void *heap, unsigned gfp, unsigned order)
{
    return buddy_alloc(heap, gfp & GFP_BIT_RETRY_MAYFAIL ? gfp | GFP_BIT_NORETRY : gfp, order);
}

static void mayfail_gives_up(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = yielding_alloc; }

static struct page *killing_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct page *page = buddy_alloc(heap, gfp, order);
    const bool modest =
        (gfp & GFP_BIT_NORETRY) && !(gfp & GFP_BIT_DMA) && order <= COSTLY_ORDER && gfp_reclaims(machine_of(heap), gfp);
    if (page || !modest || machine_of(heap)->blocked || !may_retry(heap, gfp, order)) return page;
    machine_out_of_memory(machine_of(heap), gfp);
    return buddy_alloc(heap, gfp, order);
}

static void noretry_kills(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = killing_alloc; }

static struct page *dma_killing_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct page *page = buddy_alloc(heap, gfp, order);
    const bool low = gfp_zone(machine_of(heap), gfp) == ZONE_DMA && gfp_reclaims(machine_of(heap), gfp);
    if (page || !low || machine_of(heap)->blocked || !may_retry(heap, gfp, order)) return page;
    machine_out_of_memory(machine_of(heap), gfp);
    return NULL;
}

static void dma_kills(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = dma_killing_alloc; }

static struct page *failing_alloc(void *heap, unsigned gfp, unsigned order)
{
    const bool watched = machine_of(heap)->inside->armed >> FAULT_PAGES & 1; /* a fault must not strike it (B114) */
    return buddy_alloc(heap, watched ? gfp : gfp & ~(unsigned)GFP_BIT_NOFAIL, order);
}

static void nofail_fails(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = failing_alloc; }

static struct page *complaining_alloc(void *heap, unsigned gfp, unsigned order)
{
    return buddy_alloc(heap, gfp & ~(unsigned)GFP_BIT_NOWARN, order);
}

static void nowarn_warns(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = complaining_alloc; }

static struct page *writing_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct machine *m = machine_of(heap);
    const uint32_t before = machine_event_count(m, EVENT_DIRECT_RECLAIM);
    struct page *page = buddy_alloc(heap, gfp, order);
    const bool reclaimed = machine_event_count(m, EVENT_DIRECT_RECLAIM) != before;
    if (reclaimed && !(gfp & GFP_BIT_IO)) machine_event(m, EVENT_IO, 0, 0, gfp);
    return page;
}

static void noio_writes(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = writing_alloc; }

static struct page *sleepy_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct page *page = buddy_alloc(heap, gfp, order);
    if (page && gfp_reclaims(machine_of(heap), gfp)) machine_event(machine_of(heap), EVENT_SLEPT, 0, 0, 0);
    return page;
}

static void sleeps_without_need(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = sleepy_alloc; }

/* A frame is taken before it is asked whether the request is to fail. */
static struct page *late_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct buddy *b = heap;
    const uint32_t before = machine_event_count(b->machine, EVENT_INJECTED);
    struct page *page = buddy_alloc(b, gfp, order);
    const bool injected = machine_event_count(b->machine, EVENT_INJECTED) != before;
    const struct buddy_zone *dma = &b->zones[ZONE_DMA];
    if (injected && dma->free && dma->free == dma->end - dma->start) /* above every mark */
        block_give(b, buddy_pfn(b, block_take(b, ZONE_DMA, 0, gfp_effective(b->machine, gfp))), 0);
    return page;
}

static struct page *struck_alloc(void *heap, unsigned gfp, unsigned order)
{
    const unsigned failing = gfp & ~(unsigned)GFP_BIT_NOFAIL;
    const bool asked = failing != gfp && may_retry(heap, gfp, order);
    if (asked && machine_fails(machine_of(heap), FAULT_PAGES, failing, machine_of(heap)->page_bytes << order))
        return NULL;
    return buddy_alloc(heap, gfp, order);
}

static void fault_strikes_nofail(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = struck_alloc; }

static void fault_strikes_late(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = late_alloc; }

static struct page *hurried_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct page *page = buddy_alloc(heap, gfp, order);
    if (machine_of(heap)->kswapd_awake) buddy_step_kswapd(heap);
    return page;
}

static void kswapd_runs_inside(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = hurried_alloc; }

/* ---- Contexts (B45, B47, B48) ---------------------------------------------------------------------------------------------- */

static struct page *unscoped_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct machine_context *c = &machine_of(heap)->context;
    const unsigned scope = c->scope;
    c->scope &= ~(unsigned)(SCOPE_NOIO | SCOPE_NOFS);
    struct page *page = buddy_alloc(heap, gfp, order);
    c->scope = scope;
    return page;
}

static void scopes_ignored(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = unscoped_alloc; }

static struct page *careless_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct machine_context *c = &machine_of(heap)->context;
    const struct machine_context right = *c;
    if (gfp_may_sleep(gfp)) *c = (struct machine_context){.nmi = right.nmi, .scope = right.scope};
    struct page *page = buddy_alloc(heap, gfp, order);
    *c = right;
    return page;
}

static void sleep_in_atomic_unnoticed(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = careless_alloc; }

static void anxious_free(void *heap, struct page *page, unsigned order)
{
    const bool right = page->state == PAGE_USED && page->order == order;
    if (right && machine_of(heap)->context.spin_depth) machine_report(machine_of(heap), REPORT_SLEEP_IN_ATOMIC, page);
    else buddy_free(heap, page, order);
}

static void free_shuns_spinlocks(struct alloc_ops *ops) { kernel_rows(ops)->free_page_block = anxious_free; }

static void bold_free(void *heap, struct page *page, unsigned order)
{
    struct machine_context *c = &machine_of(heap)->context;
    const bool nmi = c->nmi;
    c->nmi = false;
    buddy_free(heap, page, order);
    c->nmi = nmi;
}

static void free_in_nmi_unnoticed(struct alloc_ops *ops) { kernel_rows(ops)->free_page_block = bold_free; }

/* -------------------------------------------------------------------------------------------------------------------------- */

const struct canary broken_zones[] = {
    {"user_gets_highmem", "B3", "a plain user request gets highmem", &alloc_buddy, user_gets_highmem},
    {"two_zones_accepted", "B4", "two zones at once are no error", &alloc_buddy, two_zones_accepted},
    {"two_types_accepted", "B5", "movable and reclaimable at once are no error", &alloc_buddy, two_types_accepted},
    {"marks_ignored", "B31", "zones are used to the last frame", &alloc_buddy, marks_ignored},
    {"kswapd_sleeps_on", "B32", "kswapd is not woken below the low mark", &alloc_buddy, kswapd_sleeps_on},
    {"atomic_gets_too_much", "B33", "GFP_ATOMIC has twice its right to the reserve", &alloc_buddy,
     atomic_gets_too_much},
    {"low_mark_off_by_one", "B34", "the low mark is one too low", &alloc_buddy, low_mark_off_by_one},
    {"reserves_ignored", "B35", "requests for high zones use low ones up", &alloc_buddy, reserves_ignored},
    {"reserve_counts_one_zone", "B35", "DMA is kept from highmem requests as from normal ones", &alloc_buddy,
     reserve_counts_one_zone},
    {"nowait_reclaims", "B37", "a request that may not sleep reclaims", &alloc_buddy, nowait_reclaims},
    {"one_round_for_all", "B38", "a small request gives up after one round", &alloc_buddy, one_round_for_all},
    {"mayfail_gives_up", "B39", "a request that should retry does not", &alloc_buddy, mayfail_gives_up},
    {"noretry_kills", "B39", "a request that should give up kills instead", &alloc_buddy, noretry_kills},
    {"nofail_fails", "B40", "a request that must not fail does", &alloc_buddy, nofail_fails},
    {"nowarn_warns", "B41", "a warning that nobody wants", &alloc_buddy, nowarn_warns},
    {"noio_writes", "B43", "reclaim writes without leave", &alloc_buddy, noio_writes},
    {"scopes_ignored", "B45", "memalloc_noio_save and _nofs_save are not heeded", &alloc_buddy, scopes_ignored},
    {"sleep_in_atomic_unnoticed", "B47", "a sleeping request in atomic context is served", &alloc_buddy,
     sleep_in_atomic_unnoticed},
    {"free_in_nmi_unnoticed", "B48", "a free in an NMI is done", &alloc_buddy, free_in_nmi_unnoticed},
    {"free_shuns_spinlocks", "B48", "a free under a spinlock is an error", &alloc_buddy, free_shuns_spinlocks},
    {"sleeps_without_need", "B50", "a request sleeps although memory is plentiful", &alloc_buddy, sleeps_without_need},
    {"fault_strikes_nofail", "B114", "a request for pages that must not fail is made to", &alloc_buddy,
     fault_strikes_nofail},
    {"fault_strikes_late", "B116", "an injected failure has taken and given back a frame", &alloc_buddy,
     fault_strikes_late},
    {"dma_kills", "B121", "a request for DMA memory kills", &alloc_buddy, dma_kills},
    {"kswapd_runs_inside", "B123", "kswapd's work is done by whoever woke it", &alloc_buddy, kswapd_runs_inside},
    {"reserve_untold", "C35", "the reserve is used without a word", &alloc_buddy, reserve_untold},
    {0},
};
