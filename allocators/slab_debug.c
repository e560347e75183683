/* slab_debug.c: red zones around objects and poison in free ones (B78-B80); slab_layout.c draws where they lie.
 *
 * Red zones say whether the object is in use, so each turn of its life checks the old mark and writes the new one. What is
 * found wrong is reported once for each object and put right, and the call goes on.
 */
#include "slab_internal.h"

/* Constructed objects keep their contents, so their bytes are not poisoned (B79). */
static bool poisons_objects(const struct kmem_cache *c) { return (c->flags & CACHE_POISON) && !c->constructor; }

/* Sets all `bytes` to `value`; whether one of them had another. */
static bool restore(unsigned char *p, size_t bytes, unsigned char value)
{
    bool wrong = false;
    for (size_t i = 0; i < bytes; i++) wrong |= p[i] != value;
    if (wrong) memset(p, value, bytes);
    return wrong;
}

static bool restore_red(const struct kmem_cache *c, unsigned char *object, unsigned char value)
{
    if (!(c->flags & CACHE_RED_ZONE)) return false;
    bool left = restore(object - c->pad, c->pad, value);
    return restore(object + c->object_bytes, c->inuse - c->object_bytes, value) || left;
}

static bool restore_poison(const struct kmem_cache *c, unsigned char *object, bool live)
{
    bool wrong = false;
    if (!live && poisons_objects(c)) {
        wrong = restore(object, c->object_bytes - 1, POISON_FREE);
        wrong |= restore(object + c->object_bytes - 1, 1, POISON_END);
    }
    if (c->flags & CACHE_POISON) {
        uint32_t from = c->flags & CACHE_RED_ZONE ? c->inuse : c->object_bytes;
        wrong |= restore(object + from, c->stride - c->pad - from, POISON_PADDING);
    }
    return wrong;
}

static void mark(const struct kmem_cache *c, unsigned char *object, bool live)
{
    restore_red(c, object, live ? RED_ACTIVE : RED_INACTIVE);
    restore_poison(c, object, live);
}

void slab_debug_fresh(struct slab *s)
{
    for (uint32_t i = 0; i < s->objects; i++) mark(s->cache, slab_object(s, i), false);
}

int slab_debug_check(struct slab_heap *h, struct slab *s, uint32_t i)
{
    const struct kmem_cache *c = s->cache;
    unsigned char *object = slab_object(s, i);
    bool live = !slab_is_free(s, i);
    bool red = restore_red(c, object, live ? RED_ACTIVE : RED_INACTIVE), poison = restore_poison(c, object, live);
    if (red) machine_report(h->buddy.machine, REPORT_REDZONE, object);
    if (poison) machine_report(h->buddy.machine, REPORT_POISON, object);
    return red + poison;
}

void slab_debug_turn(struct slab_heap *h, struct slab *s, uint32_t i, bool live)
{
    slab_debug_check(h, s, i);
    mark(s->cache, slab_object(s, i), live);
}

int slab_cache_validate(void *heap, struct kmem_cache *c)
{
    int errors = 0;
    for (struct slab *s = slab_next(heap, c, NULL); s && (c->flags & CACHE_DEBUG); s = slab_next(heap, c, s))
        for (uint32_t i = 0; i < s->objects; i++) errors += slab_debug_check(heap, s, i);
    return errors;
}
