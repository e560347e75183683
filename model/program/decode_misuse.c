/* decode_misuse.c: contract errors of the kernel group in the swarm form; decode_kernel.h is the manual.
 *
 * Each record is one error, made ready: the context that it needs is entered before and left behind it. What is freed
 * wrongly stays what it was, so the ledger does not change.
 */
#include "decode_kernel.h"

static void misuse(struct kernel_swarm *s, uint16_t slot, enum program_misuse kind)
{
    kernel_append(s, OP_MISUSE, slot)->a = kind;
}

static bool holds_area(const struct held *h) { return h->holds == HOLDS_AREA; }

/* The free of another family (B101, B120). */
static void wrong_free(struct kernel_swarm *s, uint16_t slot, unsigned choice)
{
    static const uint8_t frees[] = {OP_KFREE,  OP_VFREE,  OP_FREE_PAGES, OP_CACHE_FREE,
                                    OP_KVFREE, OP_VUNMAP, OP_POOL_FREE};
    const uint16_t area = kernel_find(s, choice, holds_area);
    const bool unmap = area != NO_SLOT && choice & 8;
    if (unmap) slot = area;
    const unsigned holds = s->held[slot].holds;
    kernel_need(s, IN_TASK);
    struct op *op = kernel_append(s, unmap ? OP_VUNMAP : (enum op_kind)frees[choice % 7], slot);
    if (op->kind == OP_CACHE_FREE) /* a wrong cache, for objects (B75) */
        op->a =
            holds >= HOLDS_OBJECT && holds < HOLDS_ELEMENT ? (holds - HOLDS_OBJECT + 1) % PROGRAM_CACHES : choice & 3;
}

/* Masks that contradict themselves in their zones (B4), or in their types (B5). */
static void bad_gfp(struct kernel_swarm *s, unsigned choice, bool types)
{
    static const uint32_t masks[] = {GFP_KERNEL | GFP_BIT_DMA | GFP_BIT_HIGHMEM,
                                     GFP_KERNEL | GFP_BIT_DMA | GFP_BIT_DMA32,
                                     GFP_HIGHUSER | GFP_BIT_DMA32 | GFP_BIT_MOVABLE};
    kernel_need(s, IN_TASK);
    struct op *op = kernel_allocate(s, OP_ALLOC_PAGES, HOLDS_BLOCK, 1, KERNEL_PAGE);
    if (!op) return;
    op->a = choice >> 4 & 3;
    op->gfp = types ? GFP_KERNEL | GFP_BIT_MOVABLE | GFP_BIT_RECLAIMABLE : masks[choice % 3];
    s->held[op->slot].order = (uint8_t)op->a;
    s->held[op->slot].pages = (uint16_t)(1u << op->a);
}

static bool is_pages(const struct held *h) { return h->holds <= HOLDS_BULK && kernel_is_plain(h); }

/* What may sleep, where nothing may (B47), and anything at all, a free too, in an NMI (B48). */
static void bad_context(struct kernel_swarm *s, const unsigned char *b, bool nmi)
{
    static const uint8_t contexts[] = {CONTEXT_SPINLOCK, CONTEXT_HARDIRQ, CONTEXT_IRQS_OFF, CONTEXT_SOFTIRQ};
    const unsigned before = s->context;
    const enum program_context context = nmi ? CONTEXT_NMI : (enum program_context)contexts[b[2] % 4];
    struct op *op;
    const uint16_t block = nmi ? kernel_find(s, b[1], is_pages) : NO_SLOT;
    kernel_context(s, context);
    const unsigned on = s->on, choice = b[1] % 4;
    if (block != NO_SLOT && b[1] & 4) {
        kernel_append(s, OP_FREE_PAGES, block);
    } else if (choice == 0 && on & SWARM_VMALLOC) {
        op = kernel_allocate(s, OP_VMALLOC, HOLDS_AREA, 1, KERNEL_PAGE);
        if (op) op->a = KERNEL_PAGE;
    } else if (choice == 1 && on & SWARM_CACHES) {
        op = kernel_append(s, OP_CACHE_CREATE, 0);
        op->a = PROGRAM_CACHES - 1;
        op->b = PROGRAM_CACHE_ARGS(64, 0, 0, false);
    } else {
        const bool pages = on & SWARM_PAGES && (choice == 2 || !(on & SWARM_KMALLOC));
        op = pages ? kernel_allocate(s, OP_ALLOC_PAGES, HOLDS_BLOCK, 1, KERNEL_PAGE)
                   : kernel_allocate(s, OP_KMALLOC, HOLDS_KMALLOC, 1, 64);
        if (op) op->gfp = nmi ? GFP_ATOMIC : GFP_KERNEL;
        if (op && !pages) op->a = 64;
    }
    kernel_context(s, (enum program_context)before);
}

/* vfree under a spinlock: not in an interrupt, so it is not put off, and must not sleep (B48). */
static bool locked_vfree(struct kernel_swarm *s, const unsigned char *b)
{
    uint16_t slot = kernel_find(s, b[1], holds_area);
    if (slot == NO_SLOT) return false;
    kernel_context(s, b[2] & 1 ? CONTEXT_SPINLOCK : CONTEXT_IRQS_OFF);
    kernel_append(s, OP_VFREE, slot);
    kernel_context(s, CONTEXT_TASK);
    return true;
}

/* ---- Caches ---------------------------------------------------------------------------------------------------------------------- */

/* Caches for errors alone, made when they are needed, so that each error has what it is made on. */
enum { CACHE_SPARE = 12, CACHE_RED, CACHE_POISONED, CACHE_BAD };

/* An object of the cache, which is made before if it is not there; NO_SLOT if there is none. */
static uint16_t object_of(struct kernel_swarm *s, unsigned cache, unsigned flags, bool constructor,
                          const unsigned char *b)
{
    kernel_need(s, IN_TASK);
    if (!s->caches[cache].exists)
        kernel_create_cache(s, cache,
                            PROGRAM_CACHE_ARGS(1 + b[1] * (b[2] & 0x80 ? 8u : 1u), 0,
                                               flags | (b[2] & 0x40 ? CACHE_HWCACHE_ALIGN : 0), constructor));
    struct op *op = kernel_allocate(s, OP_CACHE_ALLOC, (enum holding)(HOLDS_OBJECT + cache), 1, 64);
    if (!op) return NO_SLOT;
    op->a = cache;
    op->gfp = GFP_KERNEL;
    return op->slot;
}

/* Arguments that no cache has (B65), in a number that stays free. */
static void bad_cache(struct kernel_swarm *s, const unsigned char *b)
{
    const uint64_t args[] = {PROGRAM_CACHE_ARGS(0, 0, 0, false),
                             PROGRAM_CACHE_ARGS(64, 24, 0, false),
                             PROGRAM_CACHE_ARGS(SLAB_OBJECT_MAX + 1, 0, 0, false),
                             PROGRAM_CACHE_ARGS(SLAB_OBJECT_MAX + 1, 0, CACHE_PANIC, false),
                             PROGRAM_CACHE_ARGS(64, 0, CACHE_UNKNOWN, false),
                             PROGRAM_CACHE_ARGS(64, 0, CACHE_UNKNOWN | CACHE_PANIC, false)};
    kernel_need(s, IN_TASK);
    struct op *op = kernel_append(s, OP_CACHE_CREATE, 0);
    op->a = CACHE_BAD;
    op->b = args[(b[1] >> 2) % (sizeof args / sizeof *args)];
}

/* A cache destroyed with objects in it (B74). */
static bool early_destroy(struct kernel_swarm *s, const unsigned char *b)
{
    const unsigned cache = s->caches[b[1] & 3].live && !s->caches[b[1] & 3].pools ? b[1] & 3u : CACHE_SPARE;
    if (cache == CACHE_SPARE && object_of(s, cache, 0, false, b) == NO_SLOT) return false;
    kernel_need(s, IN_TASK);
    kernel_append(s, OP_CACHE_DESTROY, 0)->a = cache;
    s->caches[cache].exists = false;
    return true;
}

/* Writes beside an object and into a freed one, where its cache sees them (B78, B79). */
static bool spoil(struct kernel_swarm *s, const unsigned char *b, bool freed)
{
    const uint16_t slot =
        object_of(s, freed ? CACHE_POISONED : CACHE_RED, freed ? CACHE_POISON : CACHE_RED_ZONE, false, b);
    if (slot == NO_SLOT) return false;
    if (freed) kernel_free(s, slot, 0);
    kernel_append(s, OP_SCRIBBLE, slot)->a = freed ? 2 : b[2] >> 2 & 1;
    return true;
}

static bool has_object(const struct held *h) { return h->holds >= HOLDS_OBJECT && h->holds < HOLDS_ELEMENT; }

/* An object freed to another cache than its own (B75). */
static bool wrong_cache(struct kernel_swarm *s, const unsigned char *b)
{
    uint16_t slot = kernel_find(s, b[1], has_object);
    unsigned other = CACHE_SPARE;
    if (slot == NO_SLOT) slot = object_of(s, CACHE_RED, CACHE_RED_ZONE, false, b);
    if (slot == NO_SLOT || object_of(s, other, 0, false, b) == NO_SLOT) return false;
    if (s->held[slot].holds == HOLDS_OBJECT + other) other = (other + 1) % PROGRAM_CACHES;
    kernel_append(s, OP_CACHE_FREE, slot)->a = other;
    return true;
}

/* A constructed object zeroed (B69). */
static bool zeroed_object(struct kernel_swarm *s, const unsigned char *b)
{
    for (unsigned i = 0; i < PROGRAM_CACHES; i++) {
        const unsigned cache = (b[1] + i) % PROGRAM_CACHES;
        if (!s->caches[cache].exists || !s->caches[cache].constructor) continue;
        struct op *op = kernel_allocate(s, OP_CACHE_ZALLOC, (enum holding)(HOLDS_OBJECT + cache), 1, 64);
        if (!op) return false;
        op->a = cache;
        op->gfp = GFP_ATOMIC;
        return true;
    }
    return false;
}

/* ---- Pools and pages ---------------------------------------------------------------------------------------------------------------- */

/* What pools are not for (B109, B110, B112). */
static bool bad_pool(struct kernel_swarm *s, const unsigned char *b)
{
    const unsigned pool = b[1] & 3;
    struct pool_ledger *m = &s->pools[pool];
    struct op *op;
    kernel_need(s, IN_TASK);
    if (m->exists && b[2] & 1) {
        op = kernel_allocate(s, OP_POOL_ALLOC, (enum holding)(HOLDS_ELEMENT + pool), 1, 64);
        if (!op) return false;
        op->a = pool;
        op->gfp = GFP_ATOMIC | GFP_BIT_ZERO;
    } else if (m->exists && m->live) {
        kernel_append(s, OP_POOL_DESTROY, 0)->a = pool;
        m->exists = false;
    } else {
        op = kernel_append(s, OP_POOL_CREATE, 0);
        op->a = PROGRAM_CACHES - 1;
        op->b = PROGRAM_POOL_ARGS(POOL_KMALLOC, 0, 64);
    }
    return true;
}

/* An order that the block does not have (B22). */
static bool wrong_order(struct kernel_swarm *s, const unsigned char *b)
{
    uint16_t slot = kernel_find(s, b[1], is_pages);
    if (slot == NO_SLOT) {
        kernel_need(s, IN_TASK);
        struct op *op = kernel_block(s, OP_ALLOC_PAGES, 1, b[1] & 1, GFP_KERNEL);
        if (!op) return false;
        slot = op->slot;
    }
    kernel_append(s, OP_FREE_PAGES, slot)->a = 1 + b[3] / 16 % 3u;
    return true;
}

/* What was freed last, else what is freed for it now, freed again. */
static bool double_free(struct kernel_swarm *s, uint16_t live)
{
    if ((s->last_freed == NO_SLOT || live_is(&s->live, s->last_freed)) && live != NO_SLOT) kernel_free(s, live, 0);
    if (s->last_freed == NO_SLOT || live_is(&s->live, s->last_freed)) return false;
    misuse(s, s->last_freed, MISUSE_DOUBLE_FREE);
    return true;
}

static bool make(struct kernel_swarm *s, const unsigned char *b)
{
    const uint16_t slot = s->live.count ? live_some(&s->live, b[1]) : NO_SLOT;
    const bool caches = s->on & SWARM_CACHES, pages = s->on & SWARM_PAGES;
    switch (b[3] % 16) {
    case 0: return double_free(s, slot);
    case 1:
    case 2:
        if (slot != NO_SLOT) misuse(s, slot, b[3] % 16 == 1 ? MISUSE_INTERIOR : MISUSE_NEVER);
        return slot != NO_SLOT;
    case 3:
        if (slot != NO_SLOT) wrong_free(s, slot, b[2]);
        return slot != NO_SLOT;
    case 4: return caches && wrong_cache(s, b);
    case 5:
    case 6:
        if (pages) bad_gfp(s, b[2], b[3] % 16 == 6);
        return pages;
    case 7: return pages && wrong_order(s, b);
    case 8:
    case 9: bad_context(s, b, b[3] % 16 == 9); return true;
    case 10: return locked_vfree(s, b);
    case 11:
        if (caches) bad_cache(s, b);
        return caches;
    case 12: return caches && early_destroy(s, b);
    case 13: return caches && (zeroed_object(s, b) || spoil(s, b, false));
    case 14: return caches && spoil(s, b, true);
    default: return s->on & SWARM_POOLS && bad_pool(s, b);
    }
}

void kernel_misuse(struct kernel_swarm *s, const unsigned char *b)
{
    if (!make(s, b)) bad_context(s, b, b[2] & 8);
    kernel_barrier(s);
}
