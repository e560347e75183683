/* slab.c: slabs, the lists that they are on, and the objects in them; slab.h is the manual. */
#include "slab_internal.h"

#include <assert.h>
/* What of a caller's mask reaches the page allocator: how hard it tries, not where (B63). */
#define GFP_EFFORT                                                                                    \
    ((unsigned)(GFP_KERNEL | GFP_BIT_HIGH | GFP_BIT_NOWARN | GFP_BIT_RETRY_MAYFAIL | GFP_BIT_NOFAIL | \
                GFP_BIT_NORETRY | GFP_BIT_MEMALLOC | GFP_BIT_NOMEMALLOC | GFP_BIT_HARDWALL))

/* ---- Lists (B71) ------------------------------------------------------------------------------------------------- */

/* The list of slabs in this state, NULL if they are on none. */
static struct slab **list_for(const struct slab_heap *h, struct kmem_cache *c, enum slab_state state)
{
    if (h->three_lists) return &c->list[state];
    return state == SLAB_FULL ? NULL : &c->list[SLAB_PARTIAL];
}

static void list_add(struct slab **list, struct slab *s)
{
    if (!list) return;
    s->previous = NULL;
    s->next = *list;
    if (s->next) s->next->previous = s;
    *list = s;
}

static void list_remove(struct slab **list, struct slab *s)
{
    if (!list) return;
    *(s->previous ? &s->previous->next : list) = s->next;
    if (s->next) s->next->previous = s->previous;
}

/* One object more, or one fewer, is in use: the slab moves to the list that this implies. */
static void count_used(struct slab_heap *h, struct slab *s, int change)
{
    struct kmem_cache *c = s->cache;
    enum slab_state was = slab_state(s);
    s->used = (uint16_t)(s->used + change);
    c->used += (uint32_t)change;
    enum slab_state is = slab_state(s);
    if (is == was) return;
    c->slabs[was]--;
    c->slabs[is]++;
    struct slab **from = list_for(h, c, was), **to = list_for(h, c, is);
    if (from == to) return;
    list_remove(from, s);
    list_add(to, s);
}

struct slab *slab_next(struct slab_heap *h, const struct kmem_cache *c, struct slab *s)
{
    for (s = s ? s + 1 : h->slabs; s < h->slabs + h->slabs_touched; s++)
        if (s->cache == c) return s;
    return NULL;
}

/* ---- Slabs and pages --------------------------------------------------------------------------------------------- */

static struct page *slab_page(struct slab_heap *h, const struct slab *s)
{
    return buddy_virt_to_page(&h->buddy, s->base);
}

/* Frames for a slab. The best order is worth no trouble: if it cannot be had easily, or fails by injection, the smallest
 * one is asked for as the caller said (B68, B116). */
static struct page *slab_pages(struct slab_heap *h, const struct kmem_cache *c, unsigned gfp, unsigned *order)
{
    unsigned full = (gfp & GFP_EFFORT) | c->gfp;
    unsigned light = (full | GFP_BIT_NOWARN | GFP_BIT_NORETRY) & ~(unsigned)GFP_BIT_NOFAIL;
    if (c->order > c->order_min && gfp_may_sleep(light)) light = (light | GFP_BIT_NOMEMALLOC) & ~(unsigned)GFP_RECLAIM;
    if (gfp & (GFP_BIT_HIGHMEM | GFP_BIT_DMA32)) machine_event(h->buddy.machine, EVENT_WARN, 0, 0, gfp);
    *order = c->order;
    struct page *page = buddy_alloc(&h->buddy, light | (*order ? GFP_BIT_COMP : 0u), *order);
    if (page) return page;
    *order = c->order_min;
    return buddy_alloc(&h->buddy, full | (*order ? GFP_BIT_COMP : 0u), *order);
}

void slab_note_once(struct slab_heap *h, const struct page *page, unsigned order)
{
    uint32_t pfn = buddy_pfn(&h->buddy, page);
    for (uint32_t i = pfn; i < pfn + (1u << order); i++) h->once[i / 8] |= (uint8_t)(1u << i % 8);
}

static void free_all_objects(struct slab *s)
{
    memset(s->free, 0, sizeof s->free);
    for (uint32_t i = 0; i < s->objects; i += 64)
        s->free[i / 64] = s->objects - i < 64 ? (UINT64_C(1) << (s->objects - i)) - 1 : UINT64_MAX;
}

static struct slab *slab_new(struct slab_heap *h, struct kmem_cache *c, unsigned gfp)
{
    unsigned order;
    struct page *page = slab_pages(h, c, gfp, &order);
    /* Only now: reclaim may have freed objects meanwhile. There are as many descriptors as frames in the direct map. */
    struct slab *s = h->unused_slabs;
    if (!page) return NULL;
    if (s) h->unused_slabs = s->next;
    else s = &h->slabs[h->slabs_touched++];
    page->kind = PAGE_SLAB;
    page->owner = s;
    slab_note_once(h, page, order);
    s->cache = c;
    s->order = (uint8_t)order;
    s->base = machine_direct(h->buddy.machine, buddy_pfn(&h->buddy, page));
    s->objects = (uint16_t)slab_capacity(c, order, h->buddy.machine->page_bytes);
    s->used = 0;
    free_all_objects(s);
    c->objects += s->objects;
    c->slabs[SLAB_EMPTY]++;
    list_add(list_for(h, c, SLAB_EMPTY), s);
    if (c->flags & CACHE_DEBUG) slab_debug_fresh(s);
    for (uint32_t i = 0; c->constructor && i < s->objects; i++) c->constructor(slab_object(s, i));
    return s;
}

/* Gives an empty slab's frames back. */
static void slab_drop(struct slab_heap *h, struct slab *s)
{
    struct kmem_cache *c = s->cache;
    struct page *page = slab_page(h, s);
    list_remove(list_for(h, c, SLAB_EMPTY), s);
    c->slabs[SLAB_EMPTY]--;
    c->objects -= s->objects;
    s->cache = NULL;
    s->next = h->unused_slabs;
    h->unused_slabs = s;
    page->kind = PAGE_PLAIN;
    page->owner = NULL;
    buddy_free(&h->buddy, page, s->order);
}

void slab_drop_empty(struct slab_heap *h, struct kmem_cache *c)
{
    struct slab **list = list_for(h, c, SLAB_EMPTY), *next;
    for (struct slab *s = *list; s; s = next) {
        next = s->next;
        if (!s->used) slab_drop(h, s);
    }
}

/* ---- Objects ----------------------------------------------------------------------------------------------------- */

void *slab_take(struct slab_heap *h, struct kmem_cache *c, unsigned gfp)
{
    struct slab *s = c->list[SLAB_PARTIAL];
    if (!s) s = c->list[SLAB_EMPTY];
    if (!s) s = slab_new(h, c, gfp);
    if (!s) return NULL;
    unsigned word = 0;
    while (!s->free[word]) word++;
    uint32_t i = word * 64 + (unsigned)__builtin_ctzll(s->free[word]);
    if (c->flags & CACHE_DEBUG) slab_debug_turn(h, s, i, true);
    s->free[word] &= s->free[word] - 1;
    count_used(h, s, 1);
    return slab_object(s, i);
}

void *slab_take_as(struct slab_heap *h, struct kmem_cache *c, unsigned gfp)
{
    void *object = slab_take(h, c, gfp);
    return object && (gfp & GFP_BIT_ZERO) ? memset(object, 0, c->object_bytes) : object;
}

/* Whether the cache has more empty slabs than it may keep. SLUB's bound is on all that its list holds. A zombie keeps what
 * it has (B74). */
static bool too_many_empty(const struct slab_heap *h, const struct kmem_cache *c)
{
    uint32_t kept = c->slabs[SLAB_EMPTY] + (h->three_lists ? 0 : c->slabs[SLAB_PARTIAL]);
    return c->life == CACHE_LIVE && kept > c->empty_max;
}

void slab_give(struct slab_heap *h, struct slab_place at)
{
    struct slab *s = at.slab;
    if (s->cache->flags & CACHE_DEBUG) slab_debug_turn(h, s, at.index, false);
    s->free[at.index / 64] |= UINT64_C(1) << at.index % 64;
    count_used(h, s, -1);
    if (!s->used && too_many_empty(h, s->cache)) slab_drop(h, s);
}

/* What a free of p is where p lies in no slab. Whoever else has the memory has a free of his own (B120). */
static enum alloc_report stranger(struct slab_heap *h, const void *p)
{
    const struct machine *m = h->buddy.machine;
    struct page *page = buddy_virt_to_page(&h->buddy, p);
    size_t pkmap_bytes = m->pkmap_slots * m->page_bytes;
    if (!page) {
        bool mapped = machine_in_window(m, p) || (uintptr_t)p - (uintptr_t)m->pkmap < pkmap_bytes;
        return mapped ? REPORT_WRONG_FREE : REPORT_BAD_FREE;
    }
    const struct page *head = buddy_head(&h->buddy, page);
    if (!head || head->state == PAGE_USED) return REPORT_WRONG_FREE;
    uint32_t pfn = buddy_pfn(&h->buddy, page);
    return h->once[pfn / 8] >> pfn % 8 & 1 ? REPORT_DOUBLE_FREE : REPORT_BAD_FREE;
}

enum alloc_report slab_find(struct slab_heap *h, const struct kmem_cache *c, const void *p, struct slab_place *at)
{
    struct page *page = buddy_virt_to_page(&h->buddy, p);
    if (page && page->state == PAGE_INSIDE) page = buddy_head(&h->buddy, page);
    if (!page || page->state != PAGE_USED || page->kind != PAGE_SLAB) return stranger(h, p);
    struct slab *s = page->owner;
    if (c && s->cache != c) return REPORT_WRONG_FREE;
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)s->base) - s->cache->pad;
    if (offset >= (size_t)s->objects * s->cache->stride) return REPORT_BAD_FREE;
    uint32_t i = (uint32_t)offset / s->cache->stride;
    if (offset != (size_t)i * s->cache->stride) return REPORT_BAD_FREE;
    *at = (struct slab_place){s, i};
    return slab_is_free(s, i) ? REPORT_DOUBLE_FREE : REPORT_KINDS;
}

/* ---- The calls --------------------------------------------------------------------------------------------------- */

bool slab_enter(struct slab_heap *h, const struct kmem_cache *c, unsigned gfp)
{
    struct machine *m = h->buddy.machine;
    if (!gfp_enter(m, gfp)) return false;
    if (!slab_cache_usable(c)) {
        machine_report(m, REPORT_BUG, NULL);
        return false;
    }
    if ((gfp & GFP_BIT_ZERO) && c->constructor) { /* B69: either promise would break the other */
        machine_report(m, REPORT_CONTRACT_WARN, NULL);
        return false;
    }
    gfp = gfp_effective(m, gfp);
    if ((c->flags & CACHE_FAILSLAB) && machine_fails(m, FAULT_FILTERED, gfp, c->object_bytes)) return false;
    return !machine_fails(m, FAULT_SLAB, gfp, c->object_bytes);
}

bool slab_enter_bulk(struct slab_heap *h)
{
    struct machine *m = h->buddy.machine;
    if (!machine_enter_any(m)) return false;
    if (!m->context.irqs_off && !m->context.hardirq) return true;
    machine_report(m, REPORT_BUG, NULL);
    return false;
}

void *slab_cache_alloc(void *heap, struct kmem_cache *c, unsigned gfp)
{
    return slab_enter(heap, c, gfp) ? slab_take_as(heap, c, gfp) : NULL;
}

void *slab_cache_zalloc(void *heap, struct kmem_cache *c, unsigned gfp)
{
    return slab_cache_alloc(heap, c, gfp | GFP_BIT_ZERO);
}

void slab_cache_free(void *heap, struct kmem_cache *c, void *object)
{
    struct slab_heap *h = heap;
    struct slab_place at;
    if (!machine_enter_any(h->buddy.machine)) return;
    enum alloc_report wrong = slab_cache_usable(c) ? slab_find(h, c, object, &at) : REPORT_BUG;
    if (wrong == REPORT_KINDS) slab_give(h, at);
    else machine_report(h->buddy.machine, wrong, object);
}

size_t slab_cache_alloc_bulk(void *heap, struct kmem_cache *c, unsigned gfp, size_t count, void **objects)
{
    struct slab_heap *h = heap;
    struct slab_place at;
    if (!slab_enter_bulk(h) || !slab_enter(h, c, gfp)) return 0;
    size_t got = 0;
    while (got < count && (objects[got] = slab_take_as(h, c, gfp))) got++;
    if (got == count) return count;
    while (got-- > 0) {
        enum alloc_report wrong = slab_find(h, c, objects[got], &at);
        assert(wrong == REPORT_KINDS);
        (void)wrong;
        slab_give(h, at);
    }
    return 0;
}

void slab_cache_free_bulk(void *heap, struct kmem_cache *c, size_t count, void **objects)
{
    struct slab_heap *h = heap;
    struct slab_place at;
    struct machine *m = h->buddy.machine;
    if (!slab_enter_bulk(h)) return;
    for (size_t i = 0; i < count; i++) {
        enum alloc_report wrong = c && !slab_cache_usable(c) ? REPORT_BUG : slab_find(h, c, objects[i], &at);
        if (wrong == REPORT_KINDS) continue;
        machine_report(m, wrong, objects[i]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        enum alloc_report wrong = slab_find(h, c, objects[i], &at);
        if (wrong == REPORT_KINDS) slab_give(h, at);
        else machine_report(m, wrong, objects[i]);
    }
}

/* ---- Life and inspection ----------------------------------------------------------------------------------------- */

int slab_init(struct slab_heap *h, struct machine *m, bool three_lists)
{
    h->three_lists = three_lists;
    return m->lowmem_frames <= SLABS_MAX && m->max_order >= SLAB_ORDER_MAX ? buddy_init(&h->buddy, m) : EINVAL;
}

/* A permanent cache is laid out once: no machine is too small for its orders. */
static void forget_slabs(struct kmem_cache *c)
{
    c->used = c->objects = 0;
    memset(c->slabs, 0, sizeof c->slabs);
    memset(c->list, 0, sizeof c->list);
}

void slab_reset(struct slab_heap *h)
{
    h->last_cache = NULL;
    for (struct kmem_cache *c = h->first_cache; c && c->permanent; c = c->next) {
        forget_slabs(c);
        h->last_cache = c;
    }
    *(h->last_cache ? &h->last_cache->next : &h->first_cache) = NULL;
    memset(h->slabs, 0, h->slabs_touched * sizeof h->slabs[0]);
    memset(h->caches, 0, h->caches_touched * sizeof h->caches[0]);
    memset(h->once, 0, sizeof h->once);
    h->unused_caches = NULL;
    h->unused_slabs = NULL;
    h->caches_touched = h->slabs_touched = 0;
    buddy_reset(&h->buddy);
}

static const char *check_slab(struct slab_heap *h, const struct slab *s)
{
    const struct page *page = slab_page(h, s);
    uint32_t free_objects = 0, pfn = page ? buddy_pfn(&h->buddy, page) : 0;
    for (unsigned i = 0; i < SLAB_OBJECTS_MAX / 64; i++) free_objects += (uint32_t)__builtin_popcountll(s->free[i]);
    if (!page || page->state != PAGE_USED || page->kind != PAGE_SLAB || page->owner != s)
        return "slab that its frames do not know";
    if (page->order != s->order) return "slab of another order than its frames";
    if (s->used + free_objects != s->objects) return "slab's count of used objects differs from its bitmap";
    if ((s->cache->flags & CACHE_DMA) && machine_zone_of(h->buddy.machine, pfn) > gfp_zone(h->buddy.machine, GFP_DMA))
        return "slab of a DMA cache outside of that zone";
    return NULL;
}

static const char *check_list(struct kmem_cache *c, const struct slab *list, unsigned states, uint32_t slabs)
{
    const struct slab *previous = NULL;
    for (const struct slab *s = list; s; previous = s, s = s->next) {
        if (!slabs--) return "list longer than the cache has slabs of its kind, or circular";
        if (s->cache != c) return "slab on the list of another cache";
        if (!(states & 1u << slab_state(s))) return "slab on a list that its count does not imply";
        if (s->previous != previous) return "list of slabs with links that disagree";
    }
    return slabs ? "slab missing from its list" : NULL;
}

static const char *check_cache(struct slab_heap *h, struct kmem_cache *c)
{
    uint32_t slabs[SLAB_STATES] = {0}, used = 0, objects = 0;
    if (!c->objects && !c->list[SLAB_FULL] && !c->list[SLAB_PARTIAL] && !c->list[SLAB_EMPTY]) return NULL;
    for (struct slab *s = slab_next(h, c, NULL); s; s = slab_next(h, c, s)) {
        const char *broken = check_slab(h, s);
        if (broken) return broken;
        slabs[slab_state(s)]++;
        used += s->used;
        objects += s->objects;
    }
    if (memcmp(slabs, c->slabs, sizeof slabs) != 0) return "cache's count of slabs differs from its slabs";
    if (used != c->used || objects != c->objects) return "cache's count of objects differs from its slabs";
    if (c->slabs[SLAB_EMPTY] > c->empty_max) return "more empty slabs kept than declared";
    if (!h->three_lists)
        return check_list(c, c->list[SLAB_PARTIAL], 1u << SLAB_PARTIAL | 1u << SLAB_EMPTY,
                          slabs[SLAB_PARTIAL] + slabs[SLAB_EMPTY]);
    for (unsigned state = 0; state < SLAB_STATES; state++) {
        const char *broken = check_list(c, c->list[state], 1u << state, slabs[state]);
        if (broken) return broken;
    }
    return NULL;
}

const char *slab_check(struct slab_heap *h)
{
    for (struct kmem_cache *c = h->first_cache; c; c = c->next) {
        const char *broken = check_cache(h, c);
        if (broken) return broken;
    }
    return buddy_check(&h->buddy);
}
