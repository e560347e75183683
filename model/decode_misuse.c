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

/* Masks that contradict themselves, or what is asked (B4, B5, B63). */
static void bad_gfp(struct kernel_swarm *s, unsigned choice)
{
    static const uint32_t masks[] = {
        GFP_KERNEL | GFP_BIT_DMA | GFP_BIT_HIGHMEM, GFP_KERNEL | GFP_BIT_DMA | GFP_BIT_DMA32,
        GFP_HIGHUSER | GFP_BIT_DMA32 | GFP_BIT_MOVABLE, GFP_KERNEL | GFP_BIT_MOVABLE | GFP_BIT_RECLAIMABLE};
    kernel_need(s, IN_TASK);
    struct op *op = kernel_allocate(s, OP_ALLOC_PAGES, HOLDS_BLOCK, 1, KERNEL_PAGE);
    if (!op) return;
    op->a = choice >> 4 & 3;
    op->gfp = masks[choice % (sizeof masks / sizeof *masks)];
    s->held[op->slot].order = (uint8_t)op->a;
    s->held[op->slot].pages = (uint16_t)(1u << op->a);
}

static bool is_pages(const struct held *h) { return h->holds <= HOLDS_BULK && kernel_is_plain(h); }

/* What may sleep, where nothing may (B47), and anything at all, a free too, in an NMI (B48). */
static void bad_context(struct kernel_swarm *s, const unsigned char *b)
{
    static const uint8_t contexts[] = {CONTEXT_SPINLOCK, CONTEXT_HARDIRQ, CONTEXT_IRQS_OFF, CONTEXT_SOFTIRQ,
                                       CONTEXT_NMI};
    const unsigned before = s->context;
    const enum program_context context = (enum program_context)contexts[b[2] % 5];
    struct op *op;
    const uint16_t block = context == CONTEXT_NMI ? kernel_find(s, b[1], is_pages) : NO_SLOT;
    kernel_context(s, context);
    const unsigned on = kernel_on(s->head), choice = b[1] % 4;
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
        if (op) op->gfp = context == CONTEXT_NMI ? GFP_ATOMIC : GFP_KERNEL;
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

/* Arguments that no cache has (B65), in a number that stays free; a cache destroyed with objects in it (B74). */
static void bad_cache(struct kernel_swarm *s, const unsigned char *b)
{
    const uint64_t args[] = {PROGRAM_CACHE_ARGS(0, 0, 0, false),
                             PROGRAM_CACHE_ARGS(64, 24, 0, false),
                             PROGRAM_CACHE_ARGS(SLAB_OBJECT_MAX + 1, 0, 0, false),
                             PROGRAM_CACHE_ARGS(SLAB_OBJECT_MAX + 1, 0, CACHE_PANIC, false),
                             PROGRAM_CACHE_ARGS(64, 0, CACHE_UNKNOWN, false),
                             PROGRAM_CACHE_ARGS(64, 0, CACHE_UNKNOWN | CACHE_PANIC, false)};
    struct cache_ledger *c = &s->caches[b[1] & 3];
    kernel_need(s, IN_TASK);
    if (b[2] & 1 && c->exists && c->live && !c->pools) {
        kernel_append(s, OP_CACHE_DESTROY, 0)->a = b[1] & 3u;
        c->exists = false;
        return;
    }
    struct op *op = kernel_append(s, OP_CACHE_CREATE, 0);
    op->a = PROGRAM_CACHES - 1;
    op->b = args[(b[1] >> 2) % (sizeof args / sizeof *args)];
}

static bool has_object(const struct held *h) { return h->holds >= HOLDS_OBJECT && h->holds < HOLDS_ELEMENT; }

/* Writes outside an object, where its cache would see them (B78, B79); zeroes a constructed one (B69). */
static bool spoil(struct kernel_swarm *s, const unsigned char *b)
{
    uint16_t slot = kernel_find(s, b[1], has_object);
    if (slot == NO_SLOT) return false;
    const struct cache_ledger *c = &s->caches[s->held[slot].holds - HOLDS_OBJECT];
    const uint16_t freed = s->last_freed;
    if (c->constructor && b[2] & 1) {
        struct op *op = kernel_allocate(s, OP_CACHE_ZALLOC, (enum holding)s->held[slot].holds, 1, 64);
        if (!op) return false;
        op->a = s->held[slot].holds - HOLDS_OBJECT;
        op->gfp = GFP_ATOMIC;
    } else if (c->flags & CACHE_POISON && b[2] & 2 && freed != NO_SLOT && has_object(&s->held[freed])) {
        kernel_append(s, OP_SCRIBBLE, freed)->a = 2;
    } else if (c->flags & CACHE_RED_ZONE) {
        kernel_append(s, OP_SCRIBBLE, slot)->a = b[2] >> 2 & 1;
    } else {
        return false;
    }
    return true;
}

/* Orders (B22), and what pools are not for (B109, B110, B112). */
static bool bad_number(struct kernel_swarm *s, const unsigned char *b)
{
    const unsigned pool = b[1] & 3;
    uint16_t slot = kernel_find(s, b[1], is_pages);
    struct pool_ledger *m = &s->pools[pool];
    struct op *op;
    switch (b[2] & 3) {
    case 0:
        kernel_need(s, IN_TASK);
        op = kernel_append(s, OP_POOL_CREATE, 0);
        op->a = PROGRAM_CACHES - 1;
        op->b = PROGRAM_POOL_ARGS(POOL_KMALLOC, 0, 64);
        return true;
    case 1:
        if (!m->exists || !m->live) return false;
        kernel_need(s, IN_TASK);
        kernel_append(s, OP_POOL_DESTROY, 0)->a = pool;
        m->exists = false;
        return true;
    case 2:
        if (!m->exists) return false;
        op = kernel_allocate(s, OP_POOL_ALLOC, (enum holding)(HOLDS_ELEMENT + pool), 1, 64);
        if (!op) return false;
        op->a = pool;
        op->gfp = GFP_ATOMIC | GFP_BIT_ZERO;
        return true;
    default:
        if (slot == NO_SLOT) return false;
        kernel_append(s, OP_FREE_PAGES, slot)->a = 1 + b[3] % 3u;
        return true;
    }
}

void kernel_misuse(struct kernel_swarm *s, const unsigned char *b)
{
    const uint16_t slot = s->live.count ? live_some(&s->live, b[1]) : NO_SLOT;
    bool made = true;
    switch (b[3] % 10) {
    case 0:
        if (s->last_freed == NO_SLOT || live_is(&s->live, s->last_freed)) made = false;
        else misuse(s, s->last_freed, MISUSE_DOUBLE_FREE);
        break;
    case 1:
    case 2:
        if (slot == NO_SLOT) made = false;
        else misuse(s, slot, b[3] % 10 == 1 ? MISUSE_INTERIOR : MISUSE_NEVER);
        break;
    case 3:
        if (slot == NO_SLOT) made = false;
        else wrong_free(s, slot, b[2]);
        break;
    case 4: bad_gfp(s, b[2]); break;
    case 5: bad_context(s, b); break;
    case 6: made = locked_vfree(s, b); break;
    case 7: bad_cache(s, b); break;
    case 8: made = spoil(s, b); break;
    default: made = bad_number(s, b); break;
    }
    if (!made) bad_context(s, b);
    kernel_barrier(s);
}
