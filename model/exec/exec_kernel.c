/* exec_kernel.c: what every call of the kernel group has in common; exec_kernel.h is the manual.
 *
 * Events are judged in their order, each on the state that the ones before it left: a TAKE is held against the marks that
 * held when it was made (C35), whatever was reclaimed later in the same call.
 */
#include "exec_kernel.h"

#include "outcome.h"

#include <assert.h>
#include <string.h>

static const char *owner_name(uint16_t owner)
{
    static const char *const names[FRAME_OWNERS] = {[FRAME_FREE] = "free memory",
                                                    [FRAME_FLIGHT] = "memory taken during this call",
                                                    [FRAME_PLAIN] = "the malloc family",
                                                    [FRAME_SLAB] = "a slab",
                                                    [FRAME_TABLE] = "a page table",
                                                    [FRAME_RESERVE] = "a pool's reserve",
                                                    [FRAME_DEFERRED] = "a block whose free was put off",
                                                    [FRAME_RESERVED] = "no zone"};
    return owner < FRAME_OWNERS ? names[owner] : "a live block";
}

static bool concerned(const struct kernel_call *c, unsigned slot)
{
    return slot >= c->slot && slot - c->slot < (c->slots ? c->slots : 1);
}

bool kernel_busy(const struct exec *x, unsigned slot)
{
    for (const struct kernel_call *c = x->kernel->current; c; c = c->outer)
        if (concerned(c, slot)) return true;
    return false;
}

void kernel_outcome(struct exec *x, const struct kernel_call *c, enum result_class result, const void *p)
{
    const struct machine *m = x->kernel->machine;
    uintptr_t end = (uintptr_t)m->pkmap + m->pkmap_slots * m->page_bytes;
    bool place = (uintptr_t)p >= (uintptr_t)m->direct && (uintptr_t)p < end; /* ZERO_SIZE_PTR and handles are none */
    exec_outcome(x, c->op, c->slot, result, place ? p : NULL, 0);
}

/* ---- TAKE ---------------------------------------------------------------------------------------------------------- */

/* The rights of the request, and of the mask that the allocator made of it for this attempt: what it took away may have been
 * a hindrance, what it added does not count. */
static unsigned rights_of(const struct kernel_call *c, unsigned gfp, const struct machine_context *context)
{
    bool killed = c->count[EVENT_OOM] > 0;
    unsigned heeded =
        (gfp & ~(unsigned)MASK_RIGHTS) | (gfp & c->effective & MASK_RIGHTS) | (c->effective & GFP_BIT_NOMEMALLOC);
    return zone_rights(heeded, context, killed) | zone_rights(c->effective, context, killed);
}

/* The marks, on the state before (B31, C35). */
static bool judge_marks(struct exec *x, struct kernel_call *c, enum machine_zone_id zone, uint32_t count, unsigned gfp)
{
    struct kernel_model *k = x->kernel;
    const struct zone_model *z = &k->zones;
    enum machine_zone_id selected = mask_zone(k->machine, gfp);
    uint32_t free = frame_map_free(&k->frames, zone);
    exec_checked(x, RULE_B31);
    if (zone_above_min(z, zone, selected, free, count, 0)) return true;
    c->below_min = true;
    unsigned rights = rights_of(c, gfp, &k->machine->context);
    if (zone_above_min(z, zone, selected, free, count, rights)) return true;
    enum rule rule = zone_above_min(z, zone, zone, free, count, rights) ? RULE_B35 : rights ? RULE_B33 : RULE_B31;
    return exec_fail(x, rule, NULL, "the zone above the mark that the request is held to, and above what it keeps back",
                     "%u frames taken from %s under 0x%x, where %u were free; minimum %u, kept back %u", count,
                     machine_zone_names[zone], gfp, free, z->min[zone], z->reserve[zone][selected]);
}

static bool judge_mask(struct exec *x, const struct kernel_call *c, unsigned gfp)
{
    unsigned more = gfp & MASK_RIGHTS & ~c->effective;
    enum rule rule = RULE_C34;
    exec_checked(x, RULE_C34);
    exec_checked(x, RULE_B45);
    if (!more) return true;
    if (!(more & ~(unsigned)(GFP_BIT_IO | GFP_BIT_FS))) rule = more & ~c->gfp ? RULE_B43 : RULE_B45;
    return exec_fail(x, rule, NULL, "frames taken with no more rights than the request and its scopes leave",
                     "taken with 0x%x, requested with 0x%x, which is 0x%x under scopes 0x%x", gfp, c->gfp, c->effective,
                     x->kernel->scope);
}

/* A single block comes out of the smallest one that holds it (B15). What is seen here is judged when the call is over:
 * blocks that were not merged show as ones too large, and are found by their numbers. */
static void note_split(const struct frame_map *f, struct kernel_call *c, enum machine_zone_id zone, uint32_t pfn)
{
    unsigned from = frame_map_order(f, pfn), order = c->order;
    while (order < from && !frame_map_blocks(f, zone, order)) order++;
    if (order >= from) return;
    c->split_from = from;
    c->split_instead = order;
}

static bool take(struct exec *x, struct kernel_call *c, const struct machine_event *e)
{
    struct kernel_model *k = x->kernel;
    uint32_t pfn = e->a, end = e->a + e->b;
    exec_checked(x, RULE_C16);
    if (end > k->machine->frames || end < pfn)
        return exec_fail(x, RULE_C20, NULL, "frames that the machine has", "frames %u to %u taken", pfn, end);
    if (!judge_mask(x, c, e->gfp)) return false;
    while (pfn < end) {
        enum machine_zone_id zone = machine_zone_of(k->machine, pfn);
        uint32_t stop = end < k->machine->zones[zone].end ? end : k->machine->zones[zone].end;
        uint32_t other = frame_map_other(&k->frames, pfn, stop - pfn, FRAME_FREE);
        if (other < stop)
            return exec_fail(x, RULE_C16, NULL, "frames taken that were free", "frame %u belongs to %s", other,
                             owner_name(k->frames.owner[other]));
        exec_checked(x, RULE_B3);
        if (zone > mask_zone(k->machine, e->gfp))
            return exec_fail(x, RULE_B3, NULL, "frames of the zone that the mask selects, or of a lower one",
                             "frame %u of %s under 0x%x", pfn, machine_zone_names[zone], e->gfp);
        if (!judge_marks(x, c, zone, stop - pfn, e->gfp)) return false;
        if (c->single) note_split(&k->frames, c, zone, pfn);
        frame_map_set(&k->frames, pfn, stop - pfn, FRAME_FLIGHT);
        pfn = stop;
    }
    k->flights[k->flight_count].pfn = e->a;
    k->flights[k->flight_count].each = e->each;
    k->flights[k->flight_count++].count = e->b;
    return true;
}

/* ---- GIVE ---------------------------------------------------------------------------------------------------------- */

/* A few bytes of what is free now are not what they were, so that nobody finds zeros by chance (C12). */
static void soil(struct kernel_model *k, uint32_t pfn, uint32_t count)
{
    uint32_t stride = count / 8 + 1;
    size_t at = k->probes++ * 64 & (k->machine->page_bytes - 1);
    for (uint32_t i = 0; i < count; i += stride) memset(machine_oracle(k->machine, pfn + i) + at, 0xD6, 64);
}

/* Whether a block of the malloc family still lives in these frames. */
static bool plain_lives(const struct exec *x, uint32_t pfn, uint32_t count)
{
    uintptr_t from = (uintptr_t)machine_direct(x->kernel->machine, pfn);
    uintptr_t to = from + (uintptr_t)count * x->kernel->machine->page_bytes;
    return from && x->model.live && shadow_next_owned(&x->model.shadow, from, to) < to;
}

/* May frames of this owner be given back by this call? */
static bool judge_give(struct exec *x, struct kernel_call *c, uint32_t pfn, uint32_t count, uint16_t owner)
{
    enum rule rule = RULE_C16;
    switch (owner) {
    case FRAME_FREE:
        if (c->op && c->op->kind == OP_RUN_DEFERRED) rule = RULE_B49; /* once is enough */
        break;
    case FRAME_RESERVED: rule = RULE_C20; break;
    case FRAME_TABLE: rule = RULE_B104; break;
    case FRAME_DEFERRED:
        exec_checked(x, RULE_B49);
        if (c->op && c->op->kind == OP_RUN_DEFERRED) return true;
        rule = RULE_B49;
        break;
    case FRAME_PLAIN:
        if (!plain_lives(x, pfn, count)) return true;
        return exec_fail(x, RULE_C16, machine_direct(x->kernel->machine, pfn),
                         "frames given back that hold no live block", "frames %u to %u hold one", pfn, pfn + count - 1);
    default:
        if (owner < FRAME_OWNERS || concerned(c, owner - FRAME_SLOT)) return true;
        return exec_fail(x, RULE_C16, NULL, "frames given back that the call may free",
                         "frames %u to %u belong to the live p%u", pfn, pfn + count - 1, owner - FRAME_SLOT);
    }
    return exec_fail(x, rule, NULL, "frames given back that the call may free", "frames %u to %u belong to %s", pfn,
                     pfn + count - 1, owner_name(owner));
}

static bool give(struct exec *x, struct kernel_call *c, const struct machine_event *e)
{
    struct kernel_model *k = x->kernel;
    uint32_t pfn = e->a, end = e->a + e->b;
    exec_checked(x, RULE_C16);
    if (end > k->machine->frames || end < pfn)
        return exec_fail(x, RULE_C20, NULL, "frames that the machine has", "frames %u to %u given back", pfn, end);
    while (pfn < end) {
        enum machine_zone_id zone = machine_zone_of(k->machine, pfn);
        uint32_t stop = end < k->machine->zones[zone].end ? end : k->machine->zones[zone].end;
        uint16_t owner = k->frames.owner[pfn];
        stop = frame_map_other(&k->frames, pfn, stop - pfn, owner);
        if (!judge_give(x, c, pfn, stop - pfn, owner)) return false;
        frame_map_set(&k->frames, pfn, stop - pfn, FRAME_FREE);
        if (owner != FRAME_FLIGHT) soil(k, pfn, stop - pfn);
        if (owner == FRAME_SLAB && !caches_given(x, c, pfn, stop - pfn)) return false;
        pfn = stop;
    }
    return true;
}

/* ---- Events -------------------------------------------------------------------------------------------------------- */

static bool forbidden(struct exec *x, const struct kernel_call *c, unsigned kind)
{
    static const uint16_t rules[EVENT_KINDS] = {
        [EVENT_SLEPT] = RULE_B37,    [EVENT_DIRECT_RECLAIM] = RULE_B37, [EVENT_IO] = RULE_B43,
        [EVENT_FS] = RULE_B43,       [EVENT_OOM] = RULE_B121,           [EVENT_MAP] = RULE_B105,
        [EVENT_UNMAP] = RULE_B105,   [EVENT_PT_ALLOC] = RULE_B105,      [EVENT_FLUSH] = RULE_B105,
        [EVENT_DEFERRED] = RULE_B49, [EVENT_RESERVE] = RULE_B33,
    };
    enum rule rule = rules[kind] ? (enum rule)rules[kind] : RULE_C34;
    unsigned eager = c->effective & ~(unsigned)(GFP_BIT_NORETRY | GFP_BIT_RETRY_MAYFAIL);
    if (c->act == ACT_MAP && c->must != REPORT_KINDS) rule = c->must_rule; /* not even begun: it was to be reported */
    if (kind == EVENT_OOM && mask_kills(x->kernel->machine, eager, x->kernel->scope, c->order)) rule = RULE_B39;
    bool scoped = (kind == EVENT_IO && (c->gfp & GFP_BIT_IO)) || (kind == EVENT_FS && (c->gfp & GFP_BIT_FS));
    if (scoped && !(x->kernel->scope & SCOPE_NORECLAIM) && (c->gfp & GFP_BIT_DIRECT)) rule = RULE_B45;
    return exec_fail(x, rule, NULL, "only what the mask and the context of the call permit",
                     "%s under 0x%x in context %u, scopes 0x%x", machine_event_names[kind], c->effective,
                     (unsigned)x->kernel->context, x->kernel->scope);
}

static bool judge_event(struct exec *x, struct kernel_call *c, const struct machine_event *e, uint32_t permitted)
{
    struct kernel_model *k = x->kernel;
    if (e->kind >= EVENT_KINDS || !(permitted >> e->kind & 1)) return forbidden(x, c, e->kind % EVENT_KINDS);
    const uint32_t ranged = 1u << EVENT_TAKE | 1u << EVENT_GIVE | 1u << EVENT_MAP | 1u << EVENT_UNMAP;
    c->count[e->kind] += ranged >> e->kind & 1 ? e->b : 1;
    switch (e->kind) {
    case EVENT_TAKE: return take(x, c, e);
    case EVENT_GIVE: return give(x, c, e);
    case EVENT_INJECTED: c->injected |= 1u << e->a; return true;
    case EVENT_DIRECT_RECLAIM: c->reclaimed = e->a; return true;
    case EVENT_OOM: c->killed = e->a; return true;
    case EVENT_MAP:
    case EVENT_UNMAP:
    case EVENT_FLUSH: areas_follow(x, e); return true;
    case EVENT_PT_ALLOC:
        exec_checked(x, RULE_B104);
        if (e->a >= k->machine->frames || k->frames.owner[e->a] != FRAME_FLIGHT)
            return exec_fail(x, RULE_B104, NULL, "a page table in a frame taken for it", "frame %u", e->a);
        frame_map_set(&k->frames, e->a, 1, FRAME_TABLE);
        areas_follow(x, e);
        return true;
    case EVENT_RESERVE:
        exec_checked(x, RULE_B33);
        if (zone_right_named(c->effective, &k->machine->context, c->count[EVENT_OOM] > 0, e->a)) return true;
        return exec_fail(x, RULE_B33, NULL, "a reserve that the mask has a right to", "reserve %u under 0x%x", e->a,
                         c->effective);
    default: return true;
    }
}

/* All events since the last time. The log is emptied then, because neighbours are joined to the last event in it. */
static bool follow(struct exec *x, struct kernel_call *c)
{
    struct kernel_model *k = x->kernel;
    uint32_t count, permitted;
    const struct machine_event *events = machine_events(k->machine, &count);
    if (!count) return true;
    permitted = events_permitted(k->machine, c->act, c->effective, c->order);
    exec_checked(x, RULE_C34);
    if (c->act <= ACT_BULK) exec_checked(x, RULE_B105);
    if (c->act == ACT_ALLOC) exec_checked(x, c->effective & GFP_BIT_DIRECT ? RULE_B43 : RULE_B37);
    for (uint32_t i = 0; i < count; i++)
        if (!judge_event(x, c, &events[i], permitted)) return false;
    bool lost = machine_events_lost(k->machine);
    machine_events_clear(k->machine);
    k->broken = k->broken || lost; /* what cannot be followed cannot be judged: the program ends here, and passes */
    return !lost;
}

/* ---- A call -------------------------------------------------------------------------------------------------------- */

bool kernel_begin(struct exec *x, struct kernel_call *c)
{
    struct kernel_model *k = x->kernel;
    if (k->current && (k->broken || !follow(x, k->current))) {
        k->broken = true;
        return false;
    }
    assert(k->current || !k->flight_count);
    c->outer = k->current;
    k->current = c;
    c->effective = mask_effective(c->gfp, k->scope);
    struct context_ruling ruling = context_rules(c->act, c->effective, &k->machine->context);
    exec_checked(x, ruling.rule);
    c->must = ruling.must;
    c->must_or = ruling.must_or;
    c->must_rule = ruling.rule;
    c->must_count = 1;
    c->deferred = ruling.deferred;
    if (c->act == ACT_ALLOC) {
        c->plenty = zones_serve(&k->zones, &k->frames, mask_zone(k->machine, c->effective), c->order, 0, true);
        c->must_succeed = c->plenty || kernel_must_succeed(x, c->effective, c->order);
        c->must_fail = !c->plenty && kernel_must_fail(x, c->effective, c->order);
    }
    c->flight_first = k->flight_count;
    c->flight_before = k->frames.owned[FRAME_FLIGHT];
    c->reports_before = x->lender.reports;
    k->machine->blocked = false;
    return true;
}

void kernel_abandon(struct exec *x, struct kernel_call *c) { x->kernel->current = c->outer; }

bool kernel_declines(struct exec *x, struct kernel_call *c)
{
    if (c->must == REPORT_KINDS || x->kernel->ops->checks_misuse) return false;
    kernel_abandon(x, c);
    return true;
}

/* Judged before the events: what an error does that is not noticed is not what is wrong with it. */
static bool judge_reports(struct exec *x, struct kernel_call *c)
{
    uint32_t reports = x->lender.reports - c->reports_before;
    x->reports_seen = x->lender.reports;
    exec_checked(x, RULE_C43);
    if (c->must == REPORT_KINDS) {
        if (!reports) return true;
        return exec_fail(x, x->lender.report == REPORT_SLEEP_IN_ATOMIC ? RULE_B48 : RULE_C43, NULL,
                         "no report: the call was a legal one", "%s reported by %s", report_kind_name(x->lender.report),
                         op_name(c->op->kind));
    }
    exec_checked(x, c->must_rule);
    bool right = x->lender.report == c->must || x->lender.report == c->must_or;
    if (reports != c->must_count || !right)
        return exec_fail(x, c->must_rule, NULL, "exactly the report that the error has", "%u of %s, wanted %u of %s",
                         reports, reports ? report_kind_name(x->lender.report) : "none", c->must_count,
                         report_kind_name(c->must));
    c->reported = true;
    kernel_outcome(x, c, RESULT_REPORT, NULL);
    return true;
}

static bool judge_unchanged(struct exec *x, const struct kernel_call *c)
{
    if (!c->reported) return true;
    /* What is destroyed with something left in it goes all the same, but for that (B74, B112). */
    const bool goes = c->must == REPORT_OBJECTS_REMAIN || c->must == REPORT_LEAK;
    if (!goes && (c->count[EVENT_TAKE] || c->count[EVENT_GIVE] || c->count[EVENT_MAP] || c->count[EVENT_UNMAP]))
        return exec_fail(x, RULE_C43, NULL, "a reported error that changes nothing",
                         "%u frames taken, %u given back, %u pages mapped, %u unmapped", c->count[EVENT_TAKE],
                         c->count[EVENT_GIVE], c->count[EVENT_MAP], c->count[EVENT_UNMAP]);
    return true;
}

static bool judge_split(struct exec *x, const struct kernel_call *c)
{
    if (!c->single) return true;
    exec_checked(x, RULE_B15);
    if (!c->split_from) return true;
    /* If nothing was split, nor the rest given back, the block was this small, and free frames beside it were not merged. */
    const enum rule rule = c->count[EVENT_SPLIT] || c->count[EVENT_GIVE] ? RULE_B15 : RULE_B17;
    return kernel_zones(x) &&
           exec_fail(x, rule, NULL, "the smallest block that holds the request, split as far as need be",
                     "order %u out of a block of order %u, with one of order %u there", c->order, c->split_from,
                     c->split_instead);
}

bool kernel_end(struct exec *x, struct kernel_call *c)
{
    struct kernel_model *k = x->kernel;
    bool error = c->must != REPORT_KINDS;
    bool held = !k->broken && (!error || judge_reports(x, c)) && follow(x, c) &&
                (error ? judge_unchanged(x, c) : judge_reports(x, c));
    k->current = c->outer;
    if (!held) return false;
    c->taken = k->frames.owned[FRAME_FLIGHT] - c->flight_before;
    c->blocked = k->machine->blocked;
    k->machine->blocked = false;
    exec_checked(x, RULE_C35);
    if (c->below_min != (c->count[EVENT_RESERVE] > 0))
        return exec_fail(x, RULE_C35, NULL,
                         c->below_min ? "a grant from a reserve said to be one"
                                      : "no word of a reserve: the minimum held",
                         "%u such events under 0x%x", c->count[EVENT_RESERVE], c->effective);
    exec_checked(x, RULE_B40);
    if (c->blocked && !c->may_block && !mask_never_fails(c->effective))
        return exec_fail(x, RULE_B40, NULL, "a result: only a request that never fails may wait for ever",
                         "blocked under 0x%x", c->effective);
    return judge_split(x, c);
}

/* ---- Frames in flight ---------------------------------------------------------------------------------------------- */

bool kernel_claim(struct exec *x, struct kernel_call *c, uint32_t pfn, uint32_t count)
{
    struct frame_map *f = &x->kernel->frames;
    exec_checked(x, RULE_C16);
    if (pfn >= f->frames || count > f->frames - pfn)
        return exec_fail(x, RULE_C20, NULL, "frames that the machine has", "%u frames from %u on", count, pfn);
    uint32_t other = frame_map_other(f, pfn, count, FRAME_FLIGHT);
    if (other < pfn + count)
        return exec_fail(x, RULE_C16, NULL, "a block in frames that were taken for it", "frame %u of p%u belongs to %s",
                         other, c->slot, owner_name(f->owner[other]));
    frame_map_set(f, pfn, count, (uint16_t)(FRAME_SLOT + c->slot));
    c->taken -= count < c->taken ? count : c->taken;
    return true;
}

bool kernel_settle(struct exec *x, struct kernel_call *c, enum frame_owner kind)
{
    struct kernel_model *k = x->kernel;
    uint32_t lost = PFN_NONE;
    for (uint32_t i = c->flight_first; i < k->flight_count; i++) {
        uint32_t pfn = k->flights[i].pfn, end = pfn + k->flights[i].count;
        for (; pfn < end && k->frames.owned[FRAME_FLIGHT] > c->flight_before; pfn++) {
            if (k->frames.owner[pfn] != FRAME_FLIGHT) continue;
            if (kind == FRAME_FREE) lost = pfn;
            frame_map_set(&k->frames, pfn, 1, kind == FRAME_FREE ? FRAME_SLAB : (uint16_t)kind);
        }
    }
    k->flight_count = c->flight_first;
    exec_checked(x, RULE_C25);
    if (lost == PFN_NONE) return true;
    return exec_fail(x, RULE_C25, NULL, "no frame kept that nobody asked for", "frame %u was taken and is in no block",
                     lost);
}

/* ---- Bounds -------------------------------------------------------------------------------------------------------- */

bool kernel_must_succeed(const struct exec *x, unsigned effective, unsigned order)
{
    const struct kernel_model *k = x->kernel;
    unsigned rights = zone_rights(effective & ~(unsigned)GFP_BIT_NOFAIL, &k->machine->context, false);
    if (effective & GFP_BIT_HIGH) rights |= RIGHT_HIGH;
    return zones_serve(&k->zones, &k->frames, mask_zone(k->machine, effective), order, rights, false);
}

bool kernel_must_fail(const struct exec *x, unsigned effective, unsigned order)
{
    const struct kernel_model *k = x->kernel;
    if (order > k->machine->max_order) return true;
    if (zones_have(&k->frames, mask_zone(k->machine, effective), order)) return false;
    return !k->droppable || !mask_reclaims(effective, k->scope);
}
