/* kernel_slab.c: canaries for the rules about caches, made from `slab` and `kmalloc`; broken.h is the manual. */
#include "broken.h"
#include "builtin.h"
#include "kernel_wrapper.h"
#include "slab_internal.h"

static struct machine *machine_of(void *heap) { return ((struct buddy *)heap)->machine; }

/* ---- Creation (B65, B66, B70, B81, B85) --------------------------------------------------------------------------------- */

static struct kmem_cache *create_cut(void *heap, const struct cache_args *args)
{
    struct cache_args cut = *args;
    if (cut.size > SLAB_OBJECT_MAX) cut.size = SLAB_OBJECT_MAX;
    return slab_cache_create(heap, &cut);
}

static void size_cut(struct alloc_ops *ops) { kernel_rows(ops)->cache_create = create_cut; }

/* Creates with some flags off; apart from other caches, so that nothing but the flag is lost. */
static struct kmem_cache *create_without(void *heap, const struct cache_args *args, unsigned flags)
{
    struct cache_args less = *args;
    if (less.flags & flags) less.flags = (less.flags & ~flags) | CACHE_NO_MERGE;
    return slab_cache_create(heap, &less);
}

static struct kmem_cache *create_unaligned(void *heap, const struct cache_args *args)
{
    struct cache_args unaligned = *args;
    if (args->align > 8 && !(args->align & (args->align - 1))) {
        unaligned.align = 8;
        unaligned.flags |= CACHE_NO_MERGE;
    }
    return slab_cache_create(heap, &unaligned);
}

static void alignment_ignored(struct alloc_ops *ops) { kernel_rows(ops)->cache_create = create_unaligned; }

static struct kmem_cache *create_off_line(void *heap, const struct cache_args *args)
{
    return create_without(heap, args, CACHE_HWCACHE_ALIGN);
}

static void line_ignored(struct alloc_ops *ops) { kernel_rows(ops)->cache_create = create_off_line; }

static struct kmem_cache *create_in_any_zone(void *heap, const struct cache_args *args)
{
    return create_without(heap, args, CACHE_DMA);
}

static void dma_ignored(struct alloc_ops *ops) { kernel_rows(ops)->cache_create = create_in_any_zone; }

static struct kmem_cache *create_merged(void *heap, const struct cache_args *args)
{
    struct cache_args mixed = *args;
    mixed.flags &= ~(unsigned)(CACHE_NO_MERGE | CACHE_FAILSLAB | CACHE_RECLAIM_ACCOUNT);
    return slab_cache_create(heap, &mixed);
}

static void merges_too_much(struct alloc_ops *ops) { kernel_rows(ops)->cache_create = create_merged; }

static size_t one_less(void *heap, struct kmem_cache *c) { return slab_cache_size(heap, c) - 1; }
static void size_one_less(struct alloc_ops *ops) { kernel_rows(ops)->cache_size = one_less; }

/* ---- Objects (B67, B69, B70, B76, C7) ------------------------------------------------------------------------------------ */

/* The last object of a slab that is full to the last byte is moved 8 bytes further, out of it. */
static void *over_the_end(void *heap, struct kmem_cache *c, unsigned gfp)
{
    struct slab_heap *h = heap;
    struct slab_place at;
    unsigned char *p = slab_cache_alloc(heap, c, gfp);
    if (!p || c->constructor || c->align > 8 || c->object_bytes != c->stride || slab_find(h, c, p, &at) != REPORT_KINDS)
        return p;
    bool last = at.index + 1u == at.slab->objects;
    bool tight = (size_t)at.slab->objects * c->stride == machine_of(heap)->page_bytes << at.slab->order;
    return last && tight ? p + 8 : p;
}

static void object_straddles(struct alloc_ops *ops) { kernel_rows(ops)->cache_alloc = over_the_end; }

/* The object before this one is given once more. */
static void *given_before(void *heap, struct kmem_cache *c, unsigned gfp)
{
    struct slab_heap *h = heap;
    struct slab_place at;
    void *p = slab_cache_alloc(heap, c, gfp);
    if (!p || c->constructor || slab_find(h, c, p, &at) != REPORT_KINDS || at.index % 4 != 3) return p;
    if (slab_is_free(at.slab, at.index - 1)) return p;
    slab_cache_free(heap, c, p);
    return slab_object(at.slab, at.index - 1);
}

static void object_given_twice(struct alloc_ops *ops) { kernel_rows(ops)->cache_alloc = given_before; }

/* A link in free objects, as if there were no bitmap. */
static void linking_free(void *heap, struct kmem_cache *c, void *object)
{
    struct slab_place at;
    if (c && c->constructor && slab_find(heap, c, object, &at) == REPORT_KINDS)
        memset(object, 0x11, c->object_bytes < 8 ? c->object_bytes : 8);
    slab_cache_free(heap, c, object);
}

static void link_in_constructed(struct alloc_ops *ops) { kernel_rows(ops)->cache_free = linking_free; }

static void *dirty_zalloc(void *heap, struct kmem_cache *c, unsigned gfp)
{
    unsigned char *p = slab_cache_zalloc(heap, c, gfp);
    if (p) p[c->object_bytes - 1] = 0x5a;
    return p;
}

static void zalloc_dirty(struct alloc_ops *ops) { kernel_rows(ops)->cache_zalloc = dirty_zalloc; }

static void *only_sleeping(void *heap, struct kmem_cache *c, unsigned gfp)
{
    struct machine *m = machine_of(heap);
    bool spare = c && c->objects > c->used && c->used;
    if (!spare || gfp_may_sleep(gfp) || gfp_bad(gfp) || m->context.nmi) return slab_cache_alloc(heap, c, gfp);
    return NULL;
}

static void atomic_refused(struct alloc_ops *ops) { kernel_rows(ops)->cache_alloc = only_sleeping; }

/* failslab's filter lets every cache through. */
static void *unfiltered(void *heap, struct kmem_cache *c, unsigned gfp)
{
    struct machine *m = machine_of(heap);
    bool may = slab_cache_usable(c) && !gfp_bad(gfp) && machine_can_sleep(m) && !(c->flags & CACHE_FAILSLAB);
    if (may && !(c->constructor && gfp & GFP_BIT_ZERO) && machine_fails(m, FAULT_FILTERED, gfp, c->object_bytes))
        return NULL;
    return slab_cache_alloc(heap, c, gfp);
}

static void failslab_unfiltered(struct alloc_ops *ops) { kernel_rows(ops)->cache_alloc = unfiltered; }

static size_t bulk_one_short(void *heap, struct kmem_cache *c, unsigned gfp, size_t count, void **objects)
{
    size_t got = slab_cache_alloc_bulk(heap, c, gfp, count, objects);
    if (got < 2) return got;
    slab_cache_free(heap, c, objects[got - 1]);
    return got - 1;
}

static void bulk_partial(struct alloc_ops *ops) { kernel_rows(ops)->cache_alloc_bulk = bulk_one_short; }

/* ---- Slabs (B71-B74, B83) -------------------------------------------------------------------------------------------------- */

/* A full slab counts as a partial one. */
static void misread(struct slab_info *s)
{
    s->partial += s->full;
    s->full = 0;
}

static void misread_info(void *heap, struct kmem_cache *c, struct slab_info *out)
{
    slab_cache_info(heap, c, out);
    misread(out);
}

static bool misread_row(void *heap, unsigned i, struct slab_info *out)
{
    if (!slab_slabinfo(heap, i, out)) return false;
    misread(out);
    return true;
}

static void full_counts_as_partial(struct alloc_ops *ops)
{
    struct kernel_ops *rows = kernel_rows(ops);
    rows->cache_info = misread_info;
    rows->slabinfo = misread_row;
}

static void padded_info(void *heap, struct kmem_cache *c, struct slab_info *out)
{
    slab_cache_info(heap, c, out);
    out->objects += out->slabs != 0;
}

static bool padded_row(void *heap, unsigned i, struct slab_info *out)
{
    if (!slab_slabinfo(heap, i, out)) return false;
    out->objects += out->slabs != 0;
    return true;
}

static void one_object_too_many(struct alloc_ops *ops)
{
    struct kernel_ops *rows = kernel_rows(ops);
    rows->cache_info = padded_info;
    rows->slabinfo = padded_row;
}

static void append(struct slab **list, struct slab *rest)
{
    struct slab *last = NULL;
    while (*list) {
        last = *list;
        list = &last->next;
    }
    *list = rest;
    if (rest) rest->previous = last;
}

/* A slab of its own for the object, although others have room; three lists. */
static void *from_new_slab(void *heap, struct kmem_cache *c, unsigned gfp)
{
    bool ample = ((struct buddy *)heap)->zones[c && c->flags & CACHE_DMA ? ZONE_DMA : ZONE_NORMAL].free > 512;
    if (!slab_cache_usable(c) || c->used % 3 != 2 || !ample) return slab_cache_alloc(heap, c, gfp);
    struct slab *partial = c->list[SLAB_PARTIAL], *empty = c->list[SLAB_EMPTY];
    c->list[SLAB_PARTIAL] = c->list[SLAB_EMPTY] = NULL;
    void *p = slab_cache_alloc(heap, c, gfp);
    append(&c->list[SLAB_PARTIAL], partial);
    append(&c->list[SLAB_EMPTY], empty);
    return p;
}

static void new_slab_first(struct alloc_ops *ops) { kernel_rows(ops)->cache_alloc = from_new_slab; }

/* Nothing is given back. */
static int shrink_lazily(void *heap, struct kmem_cache *c)
{
    bool usable = slab_cache_usable(c) && machine_can_sleep(machine_of(heap));
    if (!usable || !c->slabs[SLAB_EMPTY]) return slab_cache_shrink(heap, c);
    machine_enter_sleeping(machine_of(heap));
    return 1;
}

static void shrink_does_nothing(struct alloc_ops *ops) { kernel_rows(ops)->cache_shrink = shrink_lazily; }

static int shrink_to_one(void *heap, struct kmem_cache *c)
{
    (void)slab_cache_shrink(heap, c);
    return 1;
}

static void shrink_always_one(struct alloc_ops *ops) { kernel_rows(ops)->cache_shrink = shrink_to_one; }

/* Slabs four times as large as they are, with as many objects as they have. */
static void widened_info(void *heap, struct kmem_cache *c, struct slab_info *out)
{
    slab_cache_info(heap, c, out);
    out->pages_per_slab *= 4;
}

static void slab_mostly_wasted(struct alloc_ops *ops) { kernel_rows(ops)->cache_info = widened_info; }

static void destroy_half(void *heap, struct kmem_cache *c)
{
    if (slab_cache_usable(c) && machine_can_sleep(machine_of(heap)) && !c->used) c->references++;
    slab_cache_destroy(heap, c);
}

static void frames_kept(struct alloc_ops *ops) { kernel_rows(ops)->cache_destroy = destroy_half; }

static void destroy_silently(void *heap, struct kmem_cache *c)
{
    if (slab_cache_usable(c) && machine_can_sleep(machine_of(heap)) && c->used && c->references == 1) c->references++;
    slab_cache_destroy(heap, c);
}

static void remaining_unnoticed(struct alloc_ops *ops) { kernel_rows(ops)->cache_destroy = destroy_silently; }

/* ---- Misuse (B75, B78, B79) -------------------------------------------------------------------------------------------------- */

/* Whatever cache the caller says, the object goes back to its own. */
static void indulgent_free(void *heap, struct kmem_cache *c, void *object)
{
    struct slab_place at;
    bool other = c && slab_find(heap, c, object, &at) == REPORT_WRONG_FREE &&
                 slab_find(heap, NULL, object, &at) == REPORT_KINDS && !at.slab->cache->permanent;
    slab_cache_free(heap, other ? at.slab->cache : c, object);
}

static void wrong_cache_unnoticed(struct alloc_ops *ops) { kernel_rows(ops)->cache_free = indulgent_free; }

/* Puts red zones or poison right in silence, so that there is nothing to find. */
static void hush(void *heap, struct kmem_cache *c, unsigned flag)
{
    struct slab *s = slab_cache_usable(c) && (c->flags & flag) ? slab_next(heap, c, NULL) : NULL;
    for (; s; s = slab_next(heap, c, s))
        for (uint32_t i = 0; i < s->objects; i++) {
            unsigned char *object = slab_object(s, i);
            bool live = !slab_is_free(s, i);
            if (flag == CACHE_RED_ZONE) {
                memset(object - c->pad, live ? RED_ACTIVE : RED_INACTIVE, c->pad);
                memset(object + c->object_bytes, live ? RED_ACTIVE : RED_INACTIVE, c->inuse - c->object_bytes);
            } else if (!live && !c->constructor) {
                memset(object, POISON_FREE, c->object_bytes - 1);
                object[c->object_bytes - 1] = POISON_END;
            }
        }
}

static void red_hushed_free(void *heap, struct kmem_cache *c, void *object)
{
    hush(heap, c, CACHE_RED_ZONE);
    slab_cache_free(heap, c, object);
}

static int red_hushed_validate(void *heap, struct kmem_cache *c)
{
    hush(heap, c, CACHE_RED_ZONE);
    return slab_cache_validate(heap, c);
}

static void red_zone_unnoticed(struct alloc_ops *ops)
{
    struct kernel_ops *rows = kernel_rows(ops);
    rows->cache_free = red_hushed_free;
    rows->cache_validate = red_hushed_validate;
}

static void *poison_hushed_alloc(void *heap, struct kmem_cache *c, unsigned gfp)
{
    hush(heap, c, CACHE_POISON);
    return slab_cache_alloc(heap, c, gfp);
}

static int poison_hushed_validate(void *heap, struct kmem_cache *c)
{
    hush(heap, c, CACHE_POISON);
    return slab_cache_validate(heap, c);
}

static void poison_unnoticed(struct alloc_ops *ops)
{
    struct kernel_ops *rows = kernel_rows(ops);
    rows->cache_alloc = poison_hushed_alloc;
    rows->cache_validate = poison_hushed_validate;
}

static int nothing_found(void *heap, struct kmem_cache *c)
{
    (void)slab_cache_validate(heap, c);
    return 0;
}

static void errors_uncounted(struct alloc_ops *ops) { kernel_rows(ops)->cache_validate = nothing_found; }

/* ------------------------------------------------------------------------------------------------------------------------------ */

const struct canary broken_slab[] = {
    {"cache_size_cut", "B65", "objects of more than 4 MiB are of 4 MiB", &alloc_slab, size_cut},
    {"cache_alignment_ignored", "B66", "objects are aligned to 8, whatever was asked", &alloc_slab, alignment_ignored},
    {"cache_line_ignored", "B66", "HWCACHE_ALIGN has no effect", &alloc_slab, line_ignored},
    {"object_straddles", "B67", "the last object of a slab leaves it", &alloc_slab, object_straddles},
    {"link_in_constructed", "B69", "a link is written into free constructed objects", &alloc_slab, link_in_constructed},
    {"cache_zalloc_dirty", "B70", "zalloc forgets the last byte", &alloc_slab, zalloc_dirty},
    {"cache_size_one_less", "B70", "the size of a cache is one less", &alloc_slab, size_one_less},
    {"failslab_unfiltered", "B113", "failslab's filter lets every cache through", &alloc_slab, failslab_unfiltered},
    {"full_counts_as_partial", "B71", "full slabs are shown as partial", &alloc_slab, full_counts_as_partial},
    {"new_slab_first", "B73", "a new slab is made while there are free objects", &alloc_slab, new_slab_first},
    {"shrink_does_nothing", "B72", "empty slabs stay after a shrink", &alloc_slab, shrink_does_nothing},
    {"shrink_returns_one", "B72", "a shrink that leaves no slab says otherwise", &alloc_slab, shrink_always_one},
    {"slab_mostly_wasted", "C29", "slabs are said to be four times as large as they are", &alloc_slab,
     slab_mostly_wasted},
    {"destroy_keeps_frames", "B74", "a destroyed cache keeps its slabs", &alloc_kmalloc, frames_kept},
    {"destroy_silently", "B74", "live objects of a destroyed cache are passed over", &alloc_slab, remaining_unnoticed},
    {"wrong_cache_unnoticed", "B75", "an object freed to another cache goes to its own", &alloc_slab,
     wrong_cache_unnoticed},
    {"atomic_refused", "B76", "free objects are for those who may sleep", &alloc_slab, atomic_refused},
    {"bulk_one_short", "B77", "a bulk allocation is one object short", &alloc_slab, bulk_partial},
    {"red_zone_unnoticed", "B78", "red zones are not looked at", &alloc_slab, red_zone_unnoticed},
    {"poison_unnoticed", "B79", "poison is not looked at", &alloc_slab, poison_unnoticed},
    {"damage_uncounted", "B80", "damage is reported and not counted", &alloc_slab, errors_uncounted},
    {"merges_too_much", "B81", "caches are merged whatever their flags say of that", &alloc_slab, merges_too_much},
    {"slabinfo_one_too_many", "B83", "slabinfo counts an object that does not exist", &alloc_slab, one_object_too_many},
    {"cache_dma_ignored", "B85", "a DMA cache takes any memory", &alloc_slab, dma_ignored},
    {"object_given_twice", "C7", "a live object is given again", &alloc_slab, object_given_twice},
    {0},
};
