/* decode_caches.c: caches and pools in the swarm form; decode_kernel.h is the manual. */
#include "decode_kernel.h"

/* ---- Caches ------------------------------------------------------------------------------------------------------------------ */

/* The first cache from number `choice` on that exists; PROGRAM_CACHES: none does. */
static unsigned some_cache(const struct kernel_swarm *s, unsigned choice)
{
    for (unsigned i = 0; i < PROGRAM_CACHES; i++)
        if (s->caches[(choice + i) % PROGRAM_CACHES].exists) return (choice + i) % PROGRAM_CACHES;
    return PROGRAM_CACHES;
}

/* The head picks whether caches are plain, for the cache line, for debugging, or any of it. */
static uint64_t cache_args(const struct kernel_swarm *s, const unsigned char *b)
{
    static const uint8_t flags[4][4] = {{0, 0, 0, CACHE_NO_MERGE},
                                        {CACHE_HWCACHE_ALIGN, 0, CACHE_HWCACHE_ALIGN, CACHE_RECLAIM_ACCOUNT},
                                        {CACHE_RED_ZONE | CACHE_POISON, CACHE_POISON, CACHE_RED_ZONE,
                                         CACHE_RED_ZONE | CACHE_POISON | CACHE_HWCACHE_ALIGN},
                                        {CACHE_DMA, CACHE_RED_ZONE, CACHE_FAILSLAB, CACHE_HWCACHE_ALIGN}};
    static const uint16_t sizes[] = {8, 24, 32, 40, 64, 96, 128, 192, 256, 512, 1000, 1024, 1500, 2048, 4096, 5000};
    static const uint16_t aligns[] = {0, 0, 0, 0, 0, 8, 16, 32, 64, 64, 128, 256, 512, 1024, 2048, 4096};
    unsigned palette = s->head[11] & 3, size = sizes[b[1] & 15] + b[2] % 3u - 1;
    if (b[1] >= 0xf0) size = 1 + b[2] * 128u;
    if (b[1] >= 0xe0 && b[1] < 0xf0) size = 1 + b[2] % 64u;
    const unsigned other = b[1] >= 0xc0 && b[1] < 0xe0 ? some_cache(s, b[1] >> 2) : PROGRAM_CACHES;
    if (other < PROGRAM_CACHES) size = s->caches[other].size; /* shall the two be one (B81)? */
    bool constructor = s->head[11] & 4 && b[2] >= 0x80;
    return PROGRAM_CACHE_ARGS(size, s->head[11] & 8 ? aligns[b[3] >> 4] : 0, flags[palette][b[3] & 3], constructor);
}

void kernel_create_cache(struct kernel_swarm *s, unsigned cache, uint64_t args)
{
    struct cache_ledger *c = &s->caches[cache];
    kernel_need(s, IN_TASK);
    struct op *op = kernel_append(s, OP_CACHE_CREATE, 0);
    op->a = cache;
    op->b = args;
    kernel_barrier(s);
    *c = (struct cache_ledger){.exists = true,
                               .constructor = PROGRAM_CACHE_CONSTRUCTOR(args),
                               .flags = PROGRAM_CACHE_FLAGS(args),
                               .size = PROGRAM_CACHE_SIZE(args),
                               .live = c->live};
}

static void allocate_objects(struct kernel_swarm *s, enum op_kind kind, unsigned cache, unsigned count,
                             const unsigned char *b)
{
    const enum holding holds = (enum holding)(HOLDS_OBJECT + cache);
    if (s->caches[cache].constructor && kind == OP_CACHE_ZALLOC) kind = OP_CACHE_ALLOC; /* B69 */
    if (kind == OP_CACHE_ALLOC_BULK) {
        kernel_need(s, IN_BULK);
        count = b[2] == 0xff ? 0 : 1 + b[2] % 32u;
    }
    /* The slots of a bulk call are those of a run; the operation itself is one call. */
    struct op *op = kernel_allocate(s, kind, holds, count ? count : 1, 64);
    if (!op) return;
    op->a = cache;
    op->gfp = kernel_gfp(s, GFP_FOR_CACHE, b[3], true);
    if (s->caches[cache].constructor) op->gfp &= ~(uint32_t)GFP_BIT_ZERO;
    if (kind != OP_CACHE_ALLOC_BULK) return;
    op->b = count ? op->count : 0;
    op->count = 1;
    op->stride = 0;
}

static bool holds_object(const struct held *h) { return h->holds >= HOLDS_OBJECT && h->holds < HOLDS_ELEMENT; }

static bool holds_any(const struct held *h) { return holds_object(h) || h->holds == HOLDS_KMALLOC; }

/* Slots in a row that hold objects, of one cache or of any; then of kmalloc too, large ones among them (B77). */
static bool free_bulk(struct kernel_swarm *s, const unsigned char *b)
{
    const bool any = b[3] & 1;
    uint16_t slot = kernel_find(s, b[1], any ? holds_any : holds_object);
    if (slot == NO_SLOT) return false;
    unsigned holds = s->held[slot].holds, most = 1 + b[2] % 32u, count = 0;
    kernel_need(s, IN_BULK);
    for (; count < most && slot + count < s->live.fresh; count++) {
        uint16_t at = (uint16_t)(slot + count);
        if (any ? !holds_any(&s->held[at]) : s->held[at].holds != holds) break;
        if (live_is(&s->live, at)) kernel_died(s, at);
    }
    struct op *op = kernel_append(s, OP_CACHE_FREE_BULK, slot);
    op->a = any ? PROGRAM_CACHES : holds - HOLDS_OBJECT;
    op->b = count;
    return true;
}

void kernel_cache_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b)
{
    if (kind == OP_CACHE_FREE_BULK && free_bulk(s, b)) return;
    unsigned cache = some_cache(s, b[1] >> 4);
    if (kind == OP_CACHE_CREATE && !s->caches[b[0] >> 6].exists) cache = PROGRAM_CACHES;
    if (cache == PROGRAM_CACHES) {
        cache = b[0] >> 6;
        kernel_create_cache(s, cache, cache_args(s, b));
        if (kind == OP_CACHE_CREATE) return;
    }
    struct cache_ledger *c = &s->caches[cache];
    if (kind == OP_CACHE_DESTROY && (c->live || c->pools)) kind = OP_CACHE_SHRINK;
    if (kind != OP_CACHE_SHRINK && kind != OP_CACHE_DESTROY) {
        if (kind != OP_CACHE_ZALLOC && kind != OP_CACHE_ALLOC_BULK) kind = OP_CACHE_ALLOC;
        allocate_objects(s, kind, cache, count, b);
        return;
    }
    kernel_need(s, IN_TASK);
    kernel_append(s, kind, 0)->a = cache;
    kernel_barrier(s);
    if (kind == OP_CACHE_DESTROY) c->exists = false;
}

/* ---- Pools ------------------------------------------------------------------------------------------------------------------- */

static void create_pool(struct kernel_swarm *s, unsigned pool, const unsigned char *b)
{
    unsigned kind = b[1] % 3, min = 1 + b[2] % 4u, cache = PROGRAM_CACHES;
    uint32_t size = kind == POOL_PAGES ? b[3] % 3u : 1 + b[3] * (b[2] & 0x10 ? 40u : 4u);
    if (kind == POOL_CACHE) {
        cache = some_cache(s, b[3] & 15);
        if (cache == PROGRAM_CACHES || s->caches[cache].constructor)
            kind = POOL_KMALLOC, cache = PROGRAM_CACHES; /* B112 */
        else size = cache;
    }
    if (b[2] >= 0xf8) min = 64;
    kernel_need(s, IN_TASK);
    struct op *op = kernel_append(s, OP_POOL_CREATE, 0);
    op->a = pool;
    op->b = PROGRAM_POOL_ARGS(kind, min, size);
    kernel_barrier(s);
    if (cache < PROGRAM_CACHES) s->caches[cache].pools++;
    s->pools[pool] = (struct pool_ledger){.exists = true, .cache = (uint8_t)cache, .live = s->pools[pool].live};
}

void kernel_pool_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b)
{
    unsigned pool = b[0] >> 6; /* four are enough */
    struct pool_ledger *m = &s->pools[pool];
    if (!m->exists) {
        create_pool(s, pool, b);
        return;
    }
    if (kind == OP_POOL_DESTROY && m->live) kind = OP_POOL_ALLOC;
    if (kind == OP_POOL_RESIZE || kind == OP_POOL_DESTROY) {
        kernel_need(s, IN_TASK);
        struct op *op = kernel_append(s, kind, 0);
        op->a = pool;
        op->b = kind == OP_POOL_RESIZE ? 1 + b[2] % 8u : 0;
        kernel_barrier(s);
        if (kind == OP_POOL_RESIZE) return;
        if (m->cache < PROGRAM_CACHES) s->caches[m->cache].pools--;
        m->exists = false;
        return;
    }
    struct op *op = kernel_allocate(s, OP_POOL_ALLOC, (enum holding)(HOLDS_ELEMENT + pool), count, 64);
    if (!op) return;
    op->a = pool;
    op->gfp = kernel_gfp(s, GFP_FOR_POOL, b[3], true);
}
