/* exec_object_misuse.c: contract errors with objects, and stray writes around them (B61, B75, B78-B80). */
#include "exec_objects.h"

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

/* The free that belongs to the block's origin, of this address. */
static void free_at(struct exec *x, const struct kernel_block *b, void *p)
{
    const struct cache_model *m = x->kernel->caches;
    if (b->origin == ORIGIN_OBJECT) CALL(x, cache_free, m->caches[b->owner].handle, p);
    else CALL(x, kfree, p);
}

static bool is_object(const struct exec *x, const struct kernel_block *b)
{
    const struct known_cache *cache = &x->kernel->caches->caches[b->owner];
    if (b->origin == ORIGIN_OBJECT) return cache->handle && !cache->zombie && x->kernel->ops->cache_free;
    return b->origin == ORIGIN_KMALLOC && x->kernel->ops->kfree;
}

/* May objects that the program was never given lie in these slabs: the allocator's own, or a pool's reserve (B104, B109)? */
static bool has_strangers(const struct exec *x, const struct slab *s, const struct kernel_block *b)
{
    const struct cache_model *m = x->kernel->caches;
    const bool apart = cache_model_group(m, s->group) < GROUP_KMALLOC && !x->kernel->ops->merges_caches;
    return (m->others && !apart) || (b->origin == ORIGIN_OBJECT && m->caches[b->owner].inexact);
}

/* The dead block's place in a slab is a free one, for certain. */
static bool place_is_free(struct exec *x, const struct kernel_block *b)
{
    struct cache_model *m = x->kernel->caches;
    uint32_t head;
    const struct slab *s = b->frames ? NULL : cache_model_slab(m, b->pfn, &head);
    if (!s || !m->shadow_ready || has_strangers(x, s, b)) return false;
    bool own = b->origin != ORIGIN_OBJECT || cache_model_group(m, s->group) == cache_model_group(m, b->owner);
    uintptr_t end = (uintptr_t)b->va + b->usable;
    return own && shadow_next_owned(&m->shadow, (uintptr_t)b->va, end) >= end;
}

/* An object of the slab that is there now begins here, for certain. Slabs come and go; the place of an object that died
 * with another one may be inside an object, or between two. */
static bool is_place(struct exec *x, const unsigned char *p)
{
    struct cache_model *m = x->kernel->caches;
    const struct machine *machine = x->kernel->machine;
    uint32_t head;
    const struct slab *s = cache_model_slab(m, machine_direct_pfn(machine, p), &head);
    const uint32_t stride = s ? m->groups[cache_model_group(m, s->group)].stride : 0;
    if (!stride || s->phase == PHASE_NONE) return false;
    return (size_t)(p - (unsigned char *)machine_direct(machine, head)) % stride + 1 == s->phase;
}

/* The dead block's frames are nobody's: its slab is gone, or it was pages of its own. */
static bool frames_are_free(const struct exec *x, const struct kernel_block *b)
{
    const uint32_t frames = b->frames ? b->frames : 1;
    return frame_map_other(&x->kernel->frames, b->pfn, frames, FRAME_FREE) == b->pfn + frames;
}

/* An address in a lowmem frame that is free; NULL if there is none. */
static unsigned char *nobodys(const struct exec *x)
{
    const struct kernel_model *k = x->kernel;
    uint32_t pfn = k->machine->lowmem_frames;
    while (pfn-- > 0)
        if (k->frames.owner[pfn] == FRAME_FREE) return (unsigned char *)machine_direct(k->machine, pfn) + 64;
    return NULL;
}

/* What the error frees; NULL if it cannot be made with this block. */
static unsigned char *target_of(struct exec *x, const struct kernel_block *b, enum program_misuse misuse)
{
    const bool live = b->life == LIFE_LIVE && b->va;
    switch (misuse) {
    case MISUSE_DOUBLE_FREE:
        if (b->life != LIFE_DEAD || !b->va) return NULL;
        return frames_are_free(x, b) || place_is_free(x, b) ? b->va : NULL;
    case MISUSE_INTERIOR: return live && b->usable > 8 ? b->va + (b->frames ? b->usable / 2 : 8) : NULL;
    default: return live ? nobodys(x) : NULL;
    }
}

bool object_misuse(struct exec *x, const struct op *op, unsigned slot, uint64_t misuse)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    const bool twice = misuse == MISUSE_DOUBLE_FREE;
    if (!is_object(x, b) || misuse >= MISUSE_KINDS) return true;
    unsigned char *target = target_of(x, b, (enum program_misuse)misuse);
    if (!target || (!twice && !kernel_verify(x, slot, RULE_C10))) return target == NULL;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
    if (!kernel_begin(x, &c)) return false;
    if (c.must == REPORT_KINDS) {
        /* Whether free frames, or a place inside an object, once held an object, so that this is its second free, need
         * not be remembered. */
        bool gone = x->kernel->frames.owner[machine_direct_pfn(x->kernel->machine, target)] == FRAME_FREE;
        c.must = twice ? REPORT_DOUBLE_FREE : REPORT_BAD_FREE;
        if (gone || (twice && !is_place(x, target))) c.must_or = twice ? REPORT_BAD_FREE : REPORT_DOUBLE_FREE;
        c.must_rule = b->origin == ORIGIN_OBJECT ? RULE_B75 : RULE_B61;
    }
    if (kernel_declines(x, &c)) return true;
    free_at(x, b, target);
    kernel_outcome(x, &c, RESULT_VOID, b->va);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    return twice || kernel_verify(x, slot, c.must_rule);
}

/* ---- Stray writes -------------------------------------------------------------------------------------------------------- */

enum { BEHIND, BEFORE, AFTER_FREE };

/* Only caches that watch themselves can tell; constructed objects are not poisoned (B79). */
static bool is_watched(const struct exec *x, const struct kernel_block *b, uint64_t where)
{
    const struct known_cache *cache = &x->kernel->caches->caches[b->owner];
    if (b->origin != ORIGIN_OBJECT || !cache->handle || cache->zombie || !x->kernel->ops->cache_validate) return false;
    if (where == AFTER_FREE) return cache->flags & CACHE_POISON && !cache->constructor;
    return cache->flags & CACHE_RED_ZONE;
}

bool object_scribble(struct exec *x, const struct op *op, unsigned slot, uint64_t where)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    bool after = where == AFTER_FREE;
    if (where > AFTER_FREE || !is_watched(x, b, where)) return true;
    if (after ? b->life != LIFE_DEAD || !place_is_free(x, b) : b->life != LIFE_LIVE) return true;
    volatile unsigned char *at = where == BEHIND ? b->va + b->request : where == BEFORE ? b->va - 1 : b->va;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_QUERY};
    if (!kernel_begin(x, &c)) return false;
    if (c.must == REPORT_KINDS) {
        c.must = after ? REPORT_POISON : REPORT_REDZONE;
        c.must_rule = after ? RULE_B79 : RULE_B78;
    }
    if (kernel_declines(x, &c)) return true;
    unsigned char was = *at;
    *at = (unsigned char)(was ^ 0xff);
    int errors = CALL(x, cache_validate, x->kernel->caches->caches[b->owner].handle);
    kernel_outcome(x, &c, RESULT_VOID, b->va);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    exec_checked(x, RULE_B80);
    if (errors < 1 || *at != was)
        return exec_fail(x, RULE_B80, (const void *)at, "the error counted, and the byte as it was",
                         "%d errors, the byte is 0x%02x and was 0x%02x", errors, *at, was);
    return true;
}
