/* slab_cache.c: caches: made, merged, shrunk and destroyed (B65, B72, B74, B81); slab.h is the manual. */
#include "slab_internal.h"

#define EMPTY_MAX_THREE_LISTS 2u

/* What keeps a cache to itself (B81): its objects are laid out, checked or failed unlike others of their size. */
#define NEVER_MERGED ((unsigned)(CACHE_DEBUG | CACHE_NO_MERGE | CACHE_FAILSLAB))
#define MERGED_ALIKE ((unsigned)(CACHE_DMA | CACHE_RECLAIM_ACCOUNT))

/* ---- Making ------------------------------------------------------------------------------------------------------ */

/* The larger the objects, the more empty slabs SLUB keeps: half the logarithm of the size, from 5 to 10. */
static uint32_t empty_max(const struct slab_heap *h, const struct kmem_cache *c)
{
    unsigned half_log = (31u - (unsigned)__builtin_clz(c->stride)) / 2;
    if (h->three_lists) return EMPTY_MAX_THREE_LISTS;
    return half_log < 5 ? 5 : half_log > 10 ? 10 : half_log;
}

static void copy_name(char *to, const char *name)
{
    size_t length = strnlen(name, CACHE_NAME_MAX - 1);
    memcpy(to, name, length);
    to[length] = '\0';
}

void slab_cache_enlist(struct slab_heap *h, struct kmem_cache *c, const struct cache_args *args)
{
    slab_layout(c, args, &h->buddy);
    copy_name(c->name, args->name);
    c->empty_max = empty_max(h, c);
    c->life = CACHE_LIVE;
    c->references = 1;
    c->previous = h->last_cache;
    if (h->last_cache) h->last_cache->next = c;
    else h->first_cache = c;
    h->last_cache = c;
}

static void delist(struct slab_heap *h, struct kmem_cache *c)
{
    *(c->previous ? &c->previous->next : &h->first_cache) = c->next;
    *(c->next ? &c->next->previous : &h->last_cache) = c->previous;
}

static bool mergeable(const struct kmem_cache *c)
{
    return !c->permanent && !c->constructor && !(c->flags & NEVER_MERGED);
}

/* The stride is a multiple of both alignments, and a slab that holds it begins at a multiple of either. */
static void merge(struct kmem_cache *c, const struct kmem_cache *wanted)
{
    c->references++;
    if (wanted->object_bytes > c->object_bytes) c->object_bytes = wanted->object_bytes;
    if (wanted->align > c->align) c->align = wanted->align;
}

/* Merges the cache that is wanted into one that can serve its requests too and wastes less than a word on each, which is
 * nothing, as strides are whole words; NULL if there is none. */
static struct kmem_cache *merged(struct slab_heap *h, const struct cache_args *args)
{
    struct kmem_cache wanted = {0};
    slab_layout(&wanted, args, &h->buddy);
    if (!mergeable(&wanted)) return NULL;
    for (struct kmem_cache *c = h->first_cache; c; c = c->next)
        if (mergeable(c) && !((c->flags ^ wanted.flags) & MERGED_ALIKE) && c->stride == wanted.stride) {
            merge(c, &wanted);
            return c;
        }
    return NULL;
}

/* Arguments that are refused with a message in the log, and those that a caller must not pass (B65). */
enum args_fault { ARGS_GOOD, ARGS_REFUSED, ARGS_ILLEGAL };

static enum args_fault judge(const struct cache_args *args)
{
    if (!args->size || (args->align & (args->align - 1))) return ARGS_ILLEGAL;
    bool fits = args->size <= SLAB_OBJECT_MAX && args->align <= SLAB_OBJECT_MAX;
    return args->name && fits && !(args->flags & ~(unsigned)CACHE_FLAGS) ? ARGS_GOOD : ARGS_REFUSED;
}

static struct kmem_cache *descriptor(struct slab_heap *h)
{
    struct kmem_cache *c = h->unused_caches;
    if (!c) return h->caches_touched < CACHES_MAX ? &h->caches[h->caches_touched++] : NULL;
    h->unused_caches = c->next;
    *c = (struct kmem_cache){0};
    return c;
}

struct kmem_cache *slab_cache_create(void *heap, const struct cache_args *args)
{
    struct slab_heap *h = heap;
    struct machine *m = h->buddy.machine;
    if (!machine_enter_sleeping(m)) return NULL;
    enum args_fault fault = judge(args);
    if (fault == ARGS_GOOD) {
        if (strchr(args->name, ' ')) machine_event(m, EVENT_WARN, 0, 0, 0);
        struct kmem_cache *c = merged(h, args);
        if (c) return c;
        c = descriptor(h);
        if (c) {
            slab_cache_enlist(h, c, args);
            return c;
        }
    }
    if (args->flags & CACHE_PANIC) machine_report(m, REPORT_PANIC, NULL);
    else if (fault == ARGS_ILLEGAL) machine_report(m, REPORT_CONTRACT_WARN, NULL);
    else machine_event(m, EVENT_WARN, 0, 0, 0);
    return NULL;
}

/* ---- Shrinking and destroying ------------------------------------------------------------------------------------- */

/* The beginning of calls that may sleep, about a cache that is there (B48). */
static bool enter(struct slab_heap *h, const struct kmem_cache *c)
{
    if (!machine_enter_sleeping(h->buddy.machine)) return false;
    if (slab_cache_usable(c)) return true;
    machine_report(h->buddy.machine, REPORT_BUG, NULL);
    return false;
}

int slab_cache_shrink(void *heap, struct kmem_cache *c)
{
    if (!enter(heap, c)) return 0;
    slab_drop_empty(heap, c);
    return c->slabs[SLAB_PARTIAL] + c->slabs[SLAB_FULL] != 0;
}

/* One report for each object that is live. */
static void report_remaining(struct slab_heap *h, const struct kmem_cache *c)
{
    for (struct slab *s = slab_next(h, c, NULL); s; s = slab_next(h, c, s))
        for (uint32_t i = 0; i < s->objects; i++)
            if (!slab_is_free(s, i)) machine_report(h->buddy.machine, REPORT_OBJECTS_REMAIN, slab_object(s, i));
}

void slab_cache_destroy(void *heap, struct kmem_cache *c)
{
    struct slab_heap *h = heap;
    if (!c || !enter(h, c)) return;
    if (c->permanent) {
        machine_report(h->buddy.machine, REPORT_BUG, NULL);
        return;
    }
    if (--c->references) return;
    delist(h, c);
    if (c->used) { /* its frames stay as they are */
        c->life = CACHE_ZOMBIE;
        report_remaining(h, c);
        return;
    }
    slab_drop_empty(h, c);
    c->life = CACHE_UNUSED;
    c->next = h->unused_caches;
    h->unused_caches = c;
}
