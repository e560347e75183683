/* mempool.c: pools with a reserve; mempool.h is the manual. */
#include "mempool.h"
#include "gfp.h"
#include "vmalloc_internal.h"

#include <errno.h>
#include <string.h>

/* ---- Elements ------------------------------------------------------------------------------------------------------- */

/* The owner of a page of a pool's: the pool, or this while it lies in the reserve. */
static void *reserve_mark(struct mempool *pool) { return &pool->reserve; }

static void *element_make(struct vmalloc_heap *v, struct mempool *pool, unsigned gfp)
{
    struct page *page;
    switch (pool->args.kind) {
    case POOL_KMALLOC: return kmalloc(v, pool->args.size, gfp);
    case POOL_CACHE: return slab_cache_alloc(v, pool->args.cache, gfp);
    case POOL_PAGES:
        page = buddy_alloc(vmalloc_buddy(v), gfp, (unsigned)pool->args.size);
        if (!page) return NULL;
        page->kind = PAGE_POOL;
        page->owner = pool;
        return page;
    }
    return NULL;
}

static void element_free(struct vmalloc_heap *v, struct mempool *pool, void *element)
{
    struct page *page = element;
    switch (pool->args.kind) {
    case POOL_KMALLOC: kfree(v, element); return;
    case POOL_CACHE: slab_cache_free(v, pool->args.cache, element); return;
    case POOL_PAGES:
        page->kind = PAGE_PLAIN;
        page->owner = NULL;
        buddy_free(vmalloc_buddy(v), page, (unsigned)pool->args.size);
        return;
    }
}

static void reserve_put(struct mempool *pool, void *element)
{
    pool->reserve[pool->reserved++] = element;
    if (pool->args.kind == POOL_PAGES) ((struct page *)element)->owner = reserve_mark(pool);
}

static void *reserve_take(struct mempool *pool)
{
    if (!pool->reserved) return NULL;
    struct page *element = pool->reserve[--pool->reserved];
    if (pool->args.kind == POOL_PAGES) element->owner = pool;
    return element;
}

/* Whether somebody may give this element back. Else reported. */
static bool is_outstanding(struct vmalloc_heap *v, struct mempool *pool, void *element)
{
    const struct page *page = element;
    bool again = false;
    if (pool->args.kind == POOL_PAGES) {
        if (page->state == PAGE_USED && page->kind == PAGE_POOL && page->owner == pool) return true;
        again = page->state != PAGE_USED || page->owner == reserve_mark(pool);
    } else if (zero_or_null(element)) return true; /* of a pool of empty elements, which are all alike */
    else {
        for (uint32_t i = 0; i < pool->reserved; i++) again |= pool->reserve[i] == element;
        if (!again) return ksize(v, element); /* which reports what is not live */
    }
    machine_report(vmalloc_machine(v), again ? REPORT_DOUBLE_FREE : REPORT_WRONG_FREE, element);
    return false;
}

/* ---- Pools ---------------------------------------------------------------------------------------------------------- */

/* B111: nothing is freed while the reserve is short of it. */
static void keep_or_free(struct vmalloc_heap *v, struct mempool *pool, void *element)
{
    if (pool->reserved < pool->args.min) reserve_put(pool, element);
    else element_free(v, pool, element);
}

/* Reclaim, which goes on inside element_make, may bring elements back. */
static bool fill(struct vmalloc_heap *v, struct mempool *pool)
{
    while (pool->reserved < pool->args.min) {
        void *element = element_make(v, pool, GFP_KERNEL);
        if (!element) return false;
        keep_or_free(v, pool, element);
    }
    return true;
}

static void drop(struct vmalloc_heap *v, struct mempool *pool)
{
    while (pool->reserved) element_free(v, pool, reserve_take(pool));
    kfree(v, pool->reserve);
    kfree(v, pool);
}

struct mempool *mempool_create(void *heap, const struct pool_args *args)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    if (!machine_enter_sleeping(m)) return NULL;
    if (!args->min || args->kind > POOL_PAGES || (args->kind == POOL_CACHE && !args->cache)) return NULL;
    if (args->kind == POOL_CACHE && args->cache->constructor) {
        machine_report(m, REPORT_CONTRACT_WARN, NULL);
        return NULL;
    }
    struct mempool *pool = kzalloc(v, sizeof *pool, GFP_KERNEL);
    if (!pool) return NULL;
    pool->args = *args;
    pool->reserve = kmalloc_array(v, args->min, sizeof *pool->reserve, GFP_KERNEL);
    if (pool->reserve && fill(v, pool)) return pool;
    drop(v, pool);
    return NULL;
}

/* Both attempts keep NOFAIL, which no injected failure strikes (B113). The reserve is looked at again last, as the second
 * attempt may have reclaimed into it: then whoever waits there for pages need not. */
void *mempool_alloc(void *heap, struct mempool *pool, unsigned gfp)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    if (!gfp_enter(m, gfp)) return NULL;
    if (gfp & GFP_BIT_ZERO) {
        machine_report(m, REPORT_CONTRACT_WARN, NULL);
        return NULL;
    }
    gfp |= GFP_BIT_NOMEMALLOC | GFP_BIT_NORETRY | GFP_BIT_NOWARN;
    const unsigned quick = gfp & ~(unsigned)(GFP_BIT_DIRECT | GFP_BIT_IO);
    void *element = element_make(v, pool, quick);
    if (!element) element = reserve_take(pool);
    if (!element && gfp != quick) element = element_make(v, pool, gfp);
    if (!element) element = reserve_take(pool);
    if (element) {
        pool->outstanding++;
        m->blocked = false;
    } else if (gfp_may_sleep(gfp)) {
        machine_block(m);
    }
    return element;
}

void mempool_free(void *heap, struct mempool *pool, void *element)
{
    struct vmalloc_heap *v = heap;
    if (!element || !machine_enter_any(vmalloc_machine(v)) || !is_outstanding(v, pool, element)) return;
    pool->outstanding--;
    keep_or_free(v, pool, element);
}

int mempool_resize(void *heap, struct mempool *pool, uint32_t min)
{
    struct vmalloc_heap *v = heap;
    if (!machine_enter_sleeping(vmalloc_machine(v))) return -ENOMEM;
    if (!min) return -EINVAL;
    if (min <= pool->args.min) {
        pool->args.min = min;
        while (pool->reserved > min) element_free(v, pool, reserve_take(pool));
        return 0;
    }
    void **larger = kmalloc_array(v, min, sizeof *larger, GFP_KERNEL);
    if (!larger) return -ENOMEM;
    memcpy(larger, pool->reserve, pool->reserved * sizeof *larger);
    kfree(v, pool->reserve);
    pool->reserve = larger;
    pool->args.min = min;
    fill(v, pool); /* what it lacks comes with later frees */
    return 0;
}

void mempool_destroy(void *heap, struct mempool *pool)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    if (!pool || !machine_enter_any(m)) return;
    if (pool->outstanding) machine_report(m, REPORT_LEAK, pool);
    drop(v, pool);
}

uint32_t mempool_reserve(void *heap, struct mempool *pool)
{
    (void)heap;
    return pool->reserved;
}
