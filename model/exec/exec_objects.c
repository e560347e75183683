/* exec_objects.c: what every object must be like, whoever asked for it; exec_objects.h is the manual. */
#include "exec_objects.h"

#include <string.h>

/* The report's words for a rule that says where an object may lie. */
#define INSIDE_ONE_SLAB "an object inside one slab of its own cache"

void objects_expect(struct exec *x, const struct kernel_call *c, struct object_request *r)
{
    struct cache_model *m = x->kernel->caches;
    caches_learn(x, r->group);
    r->spare = r->group < GROUPS ? cache_model_spare(m, r->group) : 0;
    uint32_t stride = r->group < GROUPS ? m->groups[cache_model_group(m, r->group)].stride : 0;
    while (x->kernel->machine->page_bytes << r->order < stride) r->order++;     /* red zones need room, too */
    unsigned gfp = c->effective & ~(unsigned)(GFP_BIT_HIGHMEM | GFP_BIT_DMA32); /* taken away (B63) */
    if (r->group < GROUP_KMALLOC && m->caches[r->group].flags & CACHE_DMA) gfp |= GFP_BIT_DMA;
    r->must_succeed = kernel_must_succeed(x, gfp, r->order);
    m->current = (uint8_t)r->group;
    m->arrived = 0;
}

bool objects_asked(struct exec *x, struct kernel_call *c, bool zeroes_constructed)
{
    bool misplaced = c->must != REPORT_KINDS;
    if (mask_bad(c->effective) != RULE_NONE || (misplaced && zeroes_constructed)) {
        kernel_abandon(x, c);
        return false;
    }
    if (zeroes_constructed) {
        c->must = REPORT_CONTRACT_WARN;
        c->must_rule = RULE_B69;
    }
    return !kernel_declines(x, c);
}

/* Is the class's count of what is used exact? The allocator's other families use kmalloc for themselves (B104, B109). */
static bool exact(const struct cache_model *m, unsigned group)
{
    return !m->zombies && (group < GROUP_KMALLOC ? !m->caches[group].inexact : !m->others);
}

/* ---- Frames that come and go ------------------------------------------------------------------------------------------- */

bool caches_given(struct exec *x, struct kernel_call *c, uint32_t pfn, uint32_t count)
{
    (void)c;
    if (!x->kernel->caches || cache_model_give(x->kernel->caches, pfn, count)) return true;
    return exec_fail(x, RULE_B67, machine_direct(x->kernel->machine, pfn),
                     "frames of a slab stay with it while objects in it are live", "frame %u was given back", pfn);
}

/* What is still in flight of [pfn, end) are slabs of `each` frames: some may have been claimed, or given back. */
static void take_slabs(struct exec *x, uint32_t pfn, uint32_t end, uint32_t each)
{
    struct kernel_model *k = x->kernel;
    unsigned group = k->caches->current < GROUPS ? k->caches->current : GROUP_OTHERS;
    for (; pfn < end; pfn += each) {
        if (frame_map_other(&k->frames, pfn, each, FRAME_FLIGHT) < pfn + each) continue;
        cache_model_take(k->caches, group, pfn, each, k->machine->page_bytes);
        frame_map_set(&k->frames, pfn, each, FRAME_SLAB);
        k->caches->arrived += k->caches->current < GROUPS;
    }
}

bool caches_settle(struct exec *x, struct kernel_call *c)
{
    const struct kernel_model *k = x->kernel;
    if (c->taken && k->caches->current < GROUPS) caches_learn(x, k->caches->current);
    /* The newest first: what was given back and taken again is a slab as it was taken last. */
    for (uint32_t i = k->flight_count; c->taken && i-- > c->flight_first;)
        take_slabs(x, k->flights[i].pfn, k->flights[i].pfn + k->flights[i].count, k->flights[i].each);
    return kernel_settle(x, c, FRAME_SLAB);
}

void caches_shared(struct exec *x)
{
    if (!x->kernel->caches) return;
    x->kernel->caches->others = true;
    x->kernel->caches->current = GROUP_NONE;
}

/* ---- Injected faults and messages ---------------------------------------------------------------------------------------- */

#define STRUCK_BY(fault) (1u << (fault))

/* failslab strikes classes and caches, with its filter on only those that are marked, and never what must not fail, whatever
 * else the mask says (B113, B114). */
bool objects_judge_injection(struct exec *x, const struct kernel_call *c, const struct object_request *r)
{
    const bool marked = r->group < GROUP_KMALLOC && x->kernel->caches->caches[r->group].flags & CACHE_FAILSLAB;
    const bool nofail = (c->effective & GFP_BIT_NOFAIL) && !r->fallible;
    if (r->group == GROUP_NONE && nofail && c->injected & STRUCK_BY(FAULT_PAGES))
        return exec_fail(x, RULE_B114, NULL, "no injected failure of a request that must not fail", "one was injected");
    if (!(c->injected & (STRUCK_BY(FAULT_SLAB) | STRUCK_BY(FAULT_FILTERED)))) return true;
    exec_checked(x, RULE_B113);
    if (r->group == GROUP_NONE)
        return exec_fail(x, RULE_B114, NULL, "large requests are subject to page faults, not to failslab",
                         "failslab was asked");
    if ((c->injected & STRUCK_BY(FAULT_FILTERED)) && !marked)
        return exec_fail(x, RULE_B113, NULL, "no injected failure of an unmarked cache with the filter on",
                         "one was injected");
    if (!nofail) return true;
    return exec_fail(x, RULE_B113, NULL, "no injected failure of a request that must not fail", "one was injected");
}

/* Bits of the mask that no object can heed are taken away, with a message, where frames are asked for (B63). */
static bool judge_stray_bits(struct exec *x, const struct kernel_call *c)
{
    if (!(c->effective & (GFP_BIT_HIGHMEM | GFP_BIT_DMA32)) || !c->count[EVENT_TAKE]) return true;
    exec_checked(x, RULE_B63);
    if (c->count[EVENT_WARN]) return true;
    return exec_fail(x, RULE_B63, NULL, "a message that HIGHMEM and DMA32 were taken out of the mask",
                     "none under 0x%x", c->effective);
}

static bool judge_refusal(struct exec *x, const struct kernel_call *c)
{
    if (c->injected == STRUCK_BY(FAULT_SLAB) || c->injected == STRUCK_BY(FAULT_FILTERED)) {
        exec_checked(x, RULE_B116);
        if (c->count[EVENT_TAKE] || c->count[EVENT_GIVE])
            return exec_fail(x, RULE_B116, NULL, "an injected failure before anything has changed",
                             "%u frames taken, %u given back", c->count[EVENT_TAKE], c->count[EVENT_GIVE]);
    }
    if (c->effective & (GFP_BIT_HIGHMEM | GFP_BIT_DMA32)) return true; /* that is a reason for a message (B63) */
    exec_checked(x, RULE_B41);
    if (!(c->effective & GFP_BIT_NOWARN) || !c->count[EVENT_WARN]) return true;
    return exec_fail(x, RULE_B41, NULL, "no message under nowarn", "%u", c->count[EVENT_WARN]);
}

/* ---- Granted ------------------------------------------------------------------------------------------------------------- */

/* The zone that this mask must be served from, where it must be DMA (B63, B85). */
static bool judge_zone(struct exec *x, const struct kernel_call *c, const struct object_request *r, uint32_t pfn)
{
    const struct machine *m = x->kernel->machine;
    const struct cache_model *caches = x->kernel->caches;
    bool cache = r->group < GROUP_KMALLOC;
    bool dma = cache ? (caches->caches[r->group].flags & CACHE_DMA) != 0 : (c->effective & GFP_BIT_DMA) != 0;
    if (!dma || m->zones[ZONE_DMA].start == m->zones[ZONE_DMA].end) return true;
    enum rule rule = cache ? RULE_B85 : RULE_B63;
    exec_checked(x, rule);
    if (machine_zone_of(m, pfn) == ZONE_DMA) return true;
    return exec_fail(x, rule, machine_direct(m, pfn), "memory of the DMA zone", "frame %u of zone %s", pfn,
                     machine_zone_names[machine_zone_of(m, pfn)]);
}

/* The slab must be the group's, or one that it may share (B67, B81). */
static bool judge_group(struct exec *x, const struct object_request *r, struct slab *s, void *p)
{
    struct cache_model *m = x->kernel->caches;
    unsigned min = x->kernel->ops->kmalloc_min;
    exec_checked(x, RULE_B67);
    if (cache_model_group(m, s->group) == cache_model_group(m, r->group)) return true;
    exec_checked(x, RULE_B81);
    if (x->kernel->ops->merges_caches && cache_model_mergeable(m, s->group, r->group, min)) {
        cache_model_join(m, s->group, r->group);
        return true;
    }
    return exec_fail(x, x->kernel->ops->merges_caches ? RULE_B81 : RULE_B67, p, INSIDE_ONE_SLAB,
                     "it lies in a slab of another cache");
}

/* Objects of a slab are a stride apart from each other (B66). */
static bool judge_stride(struct exec *x, const struct object_request *r, struct slab *s, size_t offset, void *p)
{
    uint32_t stride = x->kernel->caches->groups[cache_model_group(x->kernel->caches, r->group)].stride;
    if (!stride) return true;
    uint32_t phase = (uint32_t)(offset % stride) + 1;
    exec_checked(x, RULE_B66);
    if (s->phase == PHASE_NONE) s->phase = phase;
    if (s->phase == phase) return true;
    return exec_fail(x, RULE_B66, p, "objects of a slab a multiple of its stride apart",
                     "stride %u, but this one lies at %u and another at %u modulo it", stride, phase - 1, s->phase - 1);
}

/* The slab came with a call for something else, and now it shows whose it is: others may lie in it that nobody was given. */
static void adopt(struct exec *x, const struct object_request *r, struct slab *s)
{
    struct cache_model *m = x->kernel->caches;
    cache_model_adopt(m, s, r->group, x->kernel->machine->page_bytes);
    for (unsigned i = 0; r->group < GROUP_KMALLOC && i < PROGRAM_CACHES; i++)
        m->caches[i].inexact |= m->caches[i].handle == m->caches[r->group].handle;
}

static bool judge_slab(struct exec *x, const struct object_request *r, void *p, uint32_t pfn)
{
    const struct machine *machine = x->kernel->machine;
    struct cache_model *m = x->kernel->caches;
    uint32_t head = 0;
    struct slab *s = cache_model_slab(m, pfn, &head);
    if (s == NULL && x->kernel->frames.owner[pfn] == FRAME_PLAIN) return true; /* taken for the malloc family */
    if (s == NULL)
        return exec_fail(x, RULE_B67, p, INSIDE_ONE_SLAB, "it lies in frame %u, which is part of no slab", pfn);
    if (s->group == GROUP_OTHERS) adopt(x, r, s);
    if (!judge_group(x, r, s, p)) return false;
    caches_learn(x, r->group);
    size_t offset = (size_t)((unsigned char *)p - (unsigned char *)machine_direct(machine, head));
    if (offset + r->usable > s->frames * machine->page_bytes)
        return exec_fail(x, RULE_B67, p, INSIDE_ONE_SLAB, "it ends %zu bytes behind its slab of %u frames",
                         (size_t)(offset + r->usable - s->frames * machine->page_bytes), (unsigned)s->frames);
    if (!judge_stride(x, r, s, offset, p)) return false;
    if (s->capacity && s->used >= s->capacity)
        return exec_fail(x, RULE_B67, p, "no more objects in a slab than fit", "%u are in use, %u fit",
                         (unsigned)s->used + 1, (unsigned)s->capacity);
    /* A new slab, although there was room in an old one (B73)? */
    if (m->arrived && exact(m, r->group)) {
        exec_checked(x, RULE_B73);
        if (r->spare)
            return exec_fail(x, RULE_B73, p, "no new slab while a free object exists",
                             "a slab was taken with %u objects free", r->spare);
    }
    cache_model_use(m, s, 1);
    return true;
}

/* Pages of its own: they become the slot's. */
static bool judge_pages(struct exec *x, struct kernel_call *c, const struct object_request *r, void *p, uint32_t pfn)
{
    exec_checked(x, RULE_B53);
    uint32_t count = 1u << r->order;
    if (pfn % count || (uintptr_t)p % x->kernel->machine->page_bytes)
        return exec_fail(x, RULE_B53, p, "a block of pages, aligned to its order", "it begins at frame %u", pfn);
    return kernel_claim(x, c, pfn, count);
}

static bool judge_place(struct exec *x, const struct object_request *r, void *p, uint32_t *pfn)
{
    const struct machine *m = x->kernel->machine;
    enum rule rule = r->group < GROUP_KMALLOC ? RULE_B67 : RULE_B54;
    exec_checked(x, rule);
    *pfn = machine_direct_pfn(m, p);
    if (*pfn == PFN_NONE || machine_direct_pfn(m, (unsigned char *)p + r->usable - 1) == PFN_NONE)
        return exec_fail(x, rule, p, "an address in the direct map", "it lies outside");
    exec_checked(x, r->align_rule);
    if ((uintptr_t)p % r->align == 0) return true;
    return exec_fail(x, r->align_rule, p, "the alignment of the object", "aligned to %llu, must be to %llu",
                     (unsigned long long)((uintptr_t)p & (~(uintptr_t)p + 1)), (unsigned long long)r->align);
}

static bool own_bytes(struct exec *x, const struct object_request *r, void *p)
{
    struct cache_model *m = x->kernel->caches;
    if (!m->shadow_ready) m->shadow_ready = shadow_open(&m->shadow, 8);
    exec_checked(x, RULE_C7);
    if (!m->shadow_ready || shadow_insert(&m->shadow, (uintptr_t)p, r->usable)) return true;
    return exec_fail(x, RULE_C7, p, "bytes that no live object owns", "%llu bytes overlap a live object",
                     (unsigned long long)r->usable);
}

bool objects_granted(struct exec *x, struct kernel_call *c, const struct object_request *r, void *p,
                     struct kernel_block block)
{
    uint32_t pfn;
    if (!objects_judge_injection(x, c, r) || !judge_stray_bits(x, c)) return false;
    if (!judge_place(x, r, p, &pfn) || !judge_zone(x, c, r, pfn)) return false;
    bool pages = r->group == GROUP_NONE;
    if (pages && !judge_pages(x, c, r, p, pfn)) return false;
    if (!(pages ? kernel_settle(x, c, FRAME_FREE) : caches_settle(x, c))) return false;
    if (!pages && !judge_slab(x, r, p, pfn)) return false;
    if (!own_bytes(x, r, p)) return false;
    block.handle = block.va = p;
    block.pfn = pfn;
    block.frames = pages ? 1u << r->order : 0;
    block.compound = pages;
    block.order = (uint8_t)r->order;
    block.list = LIST_NONE;
    block.request = r->bytes;
    block.usable = r->usable;
    size_t at;
    if (r->zeroed) {
        exec_checked(x, r->zero_rule);
        if (!payload_zero(p, r->bytes, &at))
            return exec_fail(x, r->zero_rule, (unsigned char *)p + at, "zeroed memory", "byte %zu is 0x%02x", at,
                             ((unsigned char *)p)[at]);
    }
    return kernel_enter(x, c, &block, false);
}

bool objects_refused(struct exec *x, struct kernel_call *c, const struct object_request *r)
{
    struct cache_model *m = x->kernel->caches;
    if (!objects_judge_injection(x, c, r) || !judge_refusal(x, c)) return false;
    if (!(r->group == GROUP_NONE ? kernel_settle(x, c, FRAME_FREE) : caches_settle(x, c))) return false;
    if (c->blocked || c->injected) return true;
    if (r->group < GROUPS && exact(m, r->group)) {
        exec_checked(x, RULE_B76);
        if (r->spare)
            return exec_fail(x, RULE_B76, NULL, "an object: the cache has free ones", "NULL with %u objects free",
                             r->spare);
    }
    exec_checked(x, r->refusal_rule);
    if (!r->must_succeed) return true;
    return exec_fail(x, r->refusal_rule, NULL, "memory: a zone that may serve it has a block above its mark",
                     "NULL for %llu bytes", (unsigned long long)r->bytes);
}

/* ---- Freed ----------------------------------------------------------------------------------------------------------------- */

void objects_leave(struct exec *x, unsigned slot)
{
    struct cache_model *m = x->kernel->caches;
    const struct kernel_block *b = &x->kernel->blocks[slot];
    uint32_t head;
    if (m->shadow_ready) shadow_remove(&m->shadow, (uintptr_t)b->va, b->usable);
    struct slab *s = b->frames ? NULL : cache_model_slab(m, b->pfn, &head);
    if (s) cache_model_use(m, s, -1);
}

void objects_return(struct exec *x, unsigned slot)
{
    struct cache_model *m = x->kernel->caches;
    const struct kernel_block *b = &x->kernel->blocks[slot];
    uint32_t head;
    if (m->shadow_ready) shadow_insert(&m->shadow, (uintptr_t)b->va, b->usable);
    struct slab *s = b->frames ? NULL : cache_model_slab(m, b->pfn, &head);
    if (s) cache_model_use(m, s, 1);
}
