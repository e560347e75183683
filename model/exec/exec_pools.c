/* exec_pools.c: the calls of mempool (B109-B112). */
#include "exec_objects.h"
#include "pool_model.h"

#include <errno.h>
#include <string.h>

#define CALL(x, operation, ...) ((x)->kernel->ops->operation((x)->heap, __VA_ARGS__))

#define POOL_MIN_MAX 64u  /* elements that a program asks to keep */
#define POOL_ORDER_MAX 3u /* of pages */
#define POOL_SIZE_MAX 8192u
#define RECORD_FRAMES_MAX 16u /* of new slabs for a pool's record and array, which may be kept empty (B72) */

static bool is_idle(const struct kernel_block *b) { return b->life != LIFE_LIVE && b->life != LIFE_DEFERRED; }

static uint32_t reserve_of(struct exec *x, const struct known_pool *pool)
{
    return x->kernel->ops->mempool_reserve ? CALL(x, mempool_reserve, pool->handle) : pool->args.min;
}

/* What is set aside and what is out are never fewer than the minimum together, but for what a larger minimum still lacks,
 * which becomes less and never more (B111, B112). */
static bool judge_reserve(struct exec *x, struct known_pool *pool)
{
    uint32_t reserve = reserve_of(x, pool), sum = reserve + pool->outstanding;
    uint32_t missing = sum < pool->args.min ? pool->args.min - sum : 0;
    exec_checked(x, RULE_B111);
    if (missing <= pool->missing && reserve <= pool->args.min) {
        pool->missing = missing;
        return true;
    }
    return exec_fail(x, RULE_B111, NULL,
                     "reserve and outstanding elements no fewer than the minimum, the reserve no more",
                     "%u in reserve, %u outstanding, minimum %u, lacking %u", reserve, pool->outstanding,
                     pool->args.min, pool->missing);
}

bool pools_have_pages(const struct exec *x)
{
    for (unsigned i = 0; x->kernel->pools && i < PROGRAM_CACHES; i++)
        if (x->kernel->pools->pools[i].handle && x->kernel->pools->pools[i].args.kind == POOL_PAGES) return true;
    return false;
}

/* Whether a pool keeps objects of this cache, under whatever number; how many of them are free is not known from then on. */
static void mark_cache(struct exec *x, unsigned cache, bool pooled)
{
    struct known_cache *caches = x->kernel->caches->caches;
    const struct kmem_cache *handle = caches[cache].handle;
    for (unsigned i = 0; i < PROGRAM_CACHES; i++) {
        const struct known_pool *pool = &x->kernel->pools->pools[i];
        pooled |= pool->handle && pool->args.kind == POOL_CACHE && caches[pool->cache].handle == handle;
    }
    for (unsigned i = 0; i < PROGRAM_CACHES; i++)
        if (caches[i].handle == handle) {
            caches[i].pooled = pooled;
            caches[i].inexact |= pooled;
        }
}

/* ---- Create, resize, destroy ----------------------------------------------------------------------------------------------- */

static bool usable_args(struct exec *x, uint64_t b, struct pool_args *args, unsigned *cache)
{
    const struct cache_model *m = x->kernel->caches;
    const unsigned kind = (unsigned)(b & 3) % 3;
    *args = (struct pool_args){.kind = (enum pool_kind)kind, .min = (uint32_t)(b >> 8 & 0xffff) % (POOL_MIN_MAX + 1)};
    uint32_t size = (uint32_t)(b >> 32);
    *cache = size % PROGRAM_CACHES;
    switch (args->kind) {
    case POOL_KMALLOC: args->size = size % POOL_SIZE_MAX + 1; return x->kernel->ops->kmalloc;
    case POOL_PAGES: args->size = size % (POOL_ORDER_MAX + 1); return x->kernel->ops->page_to_pfn;
    default:
        if (!m || !m->caches[*cache].handle || m->caches[*cache].zombie || m->caches[*cache].constructor) return false;
        args->cache = m->caches[*cache].handle;
        return true;
    }
}

static bool step_create(struct exec *x, const struct op *op, uint64_t a, uint64_t b)
{
    struct known_pool *pool = &x->kernel->pools->pools[a % PROGRAM_CACHES];
    struct pool_args args;
    unsigned cache;
    if (pool->handle || !usable_args(x, b, &args, &cache)) return true;
    struct kernel_call c = {.op = op, .act = ACT_CACHE, .gfp = GFP_KERNEL, .request = args.min};
    caches_shared(x);
    if (args.kind == POOL_CACHE) mark_cache(x, cache, true);
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    uint32_t free = frame_map_free(&x->kernel->frames, ZONE_NORMAL);
    struct mempool *handle = CALL(x, mempool_create, &args);
    kernel_outcome(x, &c, handle ? RESULT_VOID : RESULT_NULL, NULL);
    if (!kernel_end(x, &c) || !caches_settle(x, &c)) return false;
    if (c.reported) return true;
    if (!handle && args.kind == POOL_CACHE) mark_cache(x, cache, false);
    exec_checked(x, RULE_B109);
    if (!args.min && handle) return exec_fail(x, RULE_B109, NULL, "NULL: a pool keeps at least one element", "a pool");
    if (!handle) {
        uint32_t now = frame_map_free(&x->kernel->frames, ZONE_NORMAL), left = free > now ? free - now : 0;
        if (args.kind != POOL_PAGES || left <= RECORD_FRAMES_MAX) return true;
        return exec_fail(x, RULE_B109, NULL, "all elements given back when a pool cannot be made",
                         "%u frames are missing", left);
    }
    *pool = (struct known_pool){.handle = handle, .args = args, .cache = cache};
    if (reserve_of(x, pool) != args.min)
        return exec_fail(x, RULE_B109, NULL, "a new pool with its minimum in reserve", "%u of %u", reserve_of(x, pool),
                         args.min);
    return judge_reserve(x, pool);
}

static bool step_resize(struct exec *x, const struct op *op, uint64_t a, uint64_t b)
{
    struct known_pool *pool = &x->kernel->pools->pools[a % PROGRAM_CACHES];
    uint32_t min = (uint32_t)(b % POOL_MIN_MAX) + 1;
    if (!pool->handle) return true;
    struct kernel_call c = {.op = op, .act = ACT_CACHE, .gfp = GFP_KERNEL, .request = min};
    caches_shared(x);
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    uint32_t before = reserve_of(x, pool);
    int result = CALL(x, mempool_resize, pool->handle, min);
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    if (!kernel_end(x, &c) || !caches_settle(x, &c)) return false;
    if (c.reported) return true;
    exec_checked(x, RULE_B112);
    if (result && (result != -ENOMEM || reserve_of(x, pool) != before))
        return exec_fail(x, RULE_B112, NULL, "0, or -ENOMEM with the pool as it was", "%d, %u in reserve, were %u",
                         result, reserve_of(x, pool), before);
    if (result) return judge_reserve(x, pool);
    uint32_t after = reserve_of(x, pool), sum = after + pool->outstanding;
    pool->args.min = min;
    if (after > min)
        return exec_fail(x, RULE_B112, NULL, "no more in reserve than the new minimum", "%u of %u", after, min);
    if (after < before && after < min)
        return exec_fail(x, RULE_B112, NULL, "elements of the reserve kept up to the new minimum",
                         "%u of %u, new minimum %u", after, before, min);
    pool->missing = sum < min ? min - sum : 0; /* a larger reserve may be filled by later frees only */
    return true;
}

static bool destroy(struct exec *x, const struct op *op, struct known_pool *pool)
{
    struct kernel_call c = {.op = op, .act = ACT_CACHE};
    const uint32_t frames = pool->args.kind == POOL_PAGES ? reserve_of(x, pool) << pool->args.size : 0;
    if (!kernel_begin(x, &c)) return false;
    if (c.must == REPORT_KINDS && pool->outstanding) {
        c.must = REPORT_LEAK;
        c.must_rule = RULE_B112;
    }
    if (kernel_declines(x, &c)) return true;
    CALL(x, mempool_destroy, pool->handle);
    kernel_outcome(x, &c, RESULT_VOID, NULL);
    if (!kernel_end(x, &c) || !kernel_settle(x, &c, FRAME_FREE)) return false;
    if (c.reported && !pool->outstanding) return true;
    exec_checked(x, RULE_B112);
    if (c.count[EVENT_GIVE] < frames)
        return exec_fail(x, RULE_B112, NULL, "the reserve given back", "%u frames of %u", c.count[EVENT_GIVE], frames);
    pool->handle = NULL;
    if (pool->args.kind == POOL_CACHE) mark_cache(x, pool->cache, false);
    return true;
}

static bool step_destroy(struct exec *x, const struct op *op, uint64_t a)
{
    struct known_pool *pool = &x->kernel->pools->pools[a % PROGRAM_CACHES];
    /* With elements outstanding they could be freed by nobody afterwards. Whether it may sleep is for its free functions to
     * say, and B48 has no row for it: it is asked of a task only. */
    return !pool->handle || pool->outstanding || x->kernel->context != CONTEXT_TASK || destroy(x, op, pool);
}

/* ---- Elements ------------------------------------------------------------------------------------------------------------------ */

/* Frames of an element: taken for it just now, or in the reserve until now. */
static bool claim(struct exec *x, struct kernel_call *c, uint32_t pfn, uint32_t count)
{
    struct frame_map *f = &x->kernel->frames;
    for (uint32_t i = pfn; i < pfn + count; i++) {
        if (f->owner[i] == FRAME_FLIGHT) {
            if (!kernel_claim(x, c, i, 1)) return false;
            continue;
        }
        if (f->owner[i] != FRAME_SLAB && f->owner[i] != FRAME_RESERVE)
            return exec_fail(x, RULE_C16, NULL, "an element in frames of its own", "frame %u is another's", i);
        cache_model_give(x->kernel->caches, i, 1); /* it was taken for a slab's */
        frame_map_set(f, i, 1, (uint16_t)(FRAME_SLOT + c->slot));
    }
    return true;
}

static bool enter_pages(struct exec *x, struct kernel_call *c, const struct known_pool *pool, struct kernel_block block,
                        void *p)
{
    const struct kernel_ops *ops = x->kernel->ops;
    block.pfn = ops->page_to_pfn(x->heap, p);
    block.frames = 1u << pool->args.size;
    if (block.pfn >= x->kernel->machine->frames || block.frames > x->kernel->machine->frames - block.pfn)
        return exec_fail(x, RULE_C20, NULL, "frames that the machine has", "frame %u", block.pfn);
    if (!claim(x, c, block.pfn, block.frames) || !caches_settle(x, c)) return false;
    block.handle = p;
    block.va = machine_direct(x->kernel->machine, block.pfn);
    block.order = (uint8_t)pool->args.size;
    block.request = block.usable = (uint64_t)block.frames << x->kernel->machine->page_shift;
    return kernel_enter(x, c, &block, false);
}

static bool enter(struct exec *x, struct kernel_call *c, struct known_pool *pool, unsigned number, void *p)
{
    struct kernel_block block = {
        .origin = ORIGIN_ELEMENT, .owner = (uint8_t)number, .gfp = c->effective, .list = LIST_NONE};
    pool->outstanding++;
    if (pool->args.kind == POOL_PAGES) return enter_pages(x, c, pool, block, p);
    struct object_request r = kmalloc_request(x, pool->args.size, c->effective & ~(unsigned)GFP_BIT_ZERO);
    if (pool->args.kind == POOL_CACHE) r = caches_request(x, pool->cache);
    return objects_granted(x, c, &r, p, block);
}

/* The offset under which an element is told: a page stands for its frame, which may have no address. */
static const void *told(struct exec *x, const struct known_pool *pool, void *p)
{
    if (!p || pool->args.kind != POOL_PAGES) return p;
    return x->kernel->machine->direct + ((size_t)CALL(x, page_to_pfn, p) << x->kernel->machine->page_shift);
}

static bool step_alloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a)
{
    const unsigned number = (unsigned)(a % PROGRAM_CACHES);
    struct known_pool *pool = &x->kernel->pools->pools[number];
    if (!pool->handle || !is_idle(&x->kernel->blocks[slot])) return true;
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_ALLOC, .gfp = op->gfp, .may_block = true};
    const unsigned zones = GFP_BIT_DMA | GFP_BIT_HIGHMEM | GFP_BIT_DMA32 | GFP_BIT_RECLAIMABLE | GFP_BIT_COMP;
    if (op->gfp & zones) return true; /* which elements a reserve holds was decided when it was filled */
    if (pool->args.kind == POOL_PAGES) c.order = (unsigned)pool->args.size;
    caches_shared(x);
    if (!kernel_begin(x, &c)) return false;
    if (c.must == REPORT_KINDS && op->gfp & GFP_BIT_ZERO) {
        c.must = REPORT_CONTRACT_WARN;
        c.must_rule = RULE_B110;
    }
    if (kernel_declines(x, &c)) return true;
    uint32_t reserve = reserve_of(x, pool);
    void *p = CALL(x, mempool_alloc, pool->handle, op->gfp);
    kernel_outcome(x, &c, p ? RESULT_PTR : RESULT_NULL, told(x, pool, p));
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return true;
    exec_checked(x, RULE_B110);
    if (p) return enter(x, &c, pool, number, p) && judge_reserve(x, pool);
    if (!caches_settle(x, &c)) return false;
    if (reserve) return exec_fail(x, RULE_B110, NULL, "an element: there are some in reserve", "NULL with %u", reserve);
    if ((c.effective & GFP_BIT_DIRECT) && !c.blocked)
        return exec_fail(x, RULE_B110, NULL, "an element, or a wait for one: the request may sleep", "NULL");
    return judge_reserve(x, pool);
}

static bool free_element(struct exec *x, const struct op *op, unsigned slot)
{
    struct kernel_model *k = x->kernel;
    const struct kernel_block old = k->blocks[slot];
    struct known_pool *pool = &k->pools->pools[old.owner];
    struct kernel_call c = {.op = op, .slot = slot, .act = ACT_FREE};
    if (!kernel_verify(x, slot, RULE_C10)) return false;
    if (!kernel_begin(x, &c)) return false;
    if (kernel_declines(x, &c)) return true;
    uint32_t before = reserve_of(x, pool);
    if (c.must == REPORT_KINDS && !old.frames) objects_leave(x, slot);
    CALL(x, mempool_free, pool->handle, old.handle);
    kernel_outcome(x, &c, RESULT_VOID, old.va);
    if (!kernel_end(x, &c)) return false;
    if (c.reported) return kernel_verify(x, slot, c.must_rule);
    uint32_t after = reserve_of(x, pool), wanted = before < pool->args.min ? before + 1 : before;
    exec_checked(x, RULE_B111);
    if (after != wanted)
        return exec_fail(x, RULE_B111, NULL, "an element that comes back fills the reserve first",
                         "%u in reserve, were %u", after, before);
    pool->outstanding--;
    for (uint32_t i = 0; i < old.frames; i++) /* kept: they are the pool's now */
        if (k->frames.owner[old.pfn + i] == FRAME_SLOT + slot && after != before)
            frame_map_set(&k->frames, old.pfn + i, 1, FRAME_RESERVE);
    return kernel_forget(x, slot, LIFE_DEAD) && kernel_settle(x, &c, FRAME_FREE) && judge_reserve(x, pool);
}

bool element_release(struct exec *x, unsigned slot)
{
    static const struct op release = {.kind = OP_POOL_FREE, .count = 1};
    return free_element(x, &release, slot);
}

static bool step_free(struct exec *x, const struct op *op, unsigned slot)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    if (b->life != LIFE_LIVE || b->origin != ORIGIN_ELEMENT || b->pins) return true;
    return free_element(x, op, slot);
}

/* ---- All of them ---------------------------------------------------------------------------------------------------------------- */

static bool is_offered(const struct kernel_ops *ops, enum op_kind kind)
{
    switch (kind) {
    case OP_POOL_CREATE: return ops->mempool_create && ops->mempool_destroy;
    case OP_POOL_ALLOC: return ops->mempool_alloc;
    case OP_POOL_FREE: return ops->mempool_free;
    case OP_POOL_RESIZE: return ops->mempool_resize;
    case OP_POOL_DESTROY: return ops->mempool_destroy;
    default: return false;
    }
}

bool exec_step_pools(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
{
    if (!is_offered(x->kernel->ops, (enum op_kind)op->kind)) return exec_skip(x, (enum op_kind)op->kind);
    switch ((enum op_kind)op->kind) {
    case OP_POOL_CREATE: return step_create(x, op, a, b);
    case OP_POOL_ALLOC: return step_alloc(x, op, slot, a);
    case OP_POOL_FREE: return step_free(x, op, slot);
    case OP_POOL_RESIZE: return step_resize(x, op, a, b);
    default: return step_destroy(x, op, a);
    }
}

bool pools_fresh(struct exec *x)
{
    struct kernel_model *k = x->kernel;
    if (!k->pools && !(k->pools = exec_memory(sizeof *k->pools))) return false;
    memset(k->pools, 0, sizeof *k->pools);
    return true;
}

bool pools_finish(struct exec *x)
{
    static const struct op end = {.kind = OP_POOL_DESTROY, .count = 1};
    for (unsigned i = 0; x->kernel->pools && i < PROGRAM_CACHES; i++)
        if (x->kernel->pools->pools[i].handle && !destroy(x, &end, &x->kernel->pools->pools[i])) return false;
    return true;
}

bool pools_inspect(struct exec *x)
{
    for (unsigned i = 0; x->kernel->pools && i < PROGRAM_CACHES; i++) {
        const struct known_pool *pool = &x->kernel->pools->pools[i];
        if (!pool->handle) continue;
        exec_checked(x, RULE_B111);
        if (reserve_of(x, pool) > pool->args.min)
            return exec_fail(x, RULE_B111, NULL, "no more in reserve than the minimum", "%u of %u", reserve_of(x, pool),
                             pool->args.min);
    }
    return true;
}

void pools_close(struct exec *x)
{
    if (!x->kernel) return;
    exec_release(x->kernel->pools, sizeof *x->kernel->pools);
    x->kernel->pools = NULL;
}
