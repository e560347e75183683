/* broken_inside.c: heaps that show themselves wrongly, or decide on what is none of their business; broken.h is the
 * manual. */
#include "patches.h"
#include "wrapper.h"

#include <unistd.h>

static const struct alloc_ops *const base = &alloc_freelist;

#define SHOWN_WRONG 64u /* bytes of the blocks that the walks below get wrong */

/* ---- walk and check ---------------------------------------------------------------------------------------------- */

struct filter { /* somebody else's visit, and the context it wants */
    alloc_visit *visit;
    void *context;
};

static bool visit_as_meta(void *context, const struct alloc_block *b)
{
    const struct filter *f = context;
    struct alloc_block shown = *b;
    if (b->state == BLOCK_USED && b->size == SHOWN_WRONG) {
        shown.state = BLOCK_META;
        shown.payload = NULL;
    }
    return f->visit(f->context, &shown);
}

static void meta_walk(void *heap, alloc_visit *visit, void *context)
{
    struct filter filter = {visit, context};
    base->walk(heap, visit_as_meta, &filter);
}

void walk_calls_block_meta(struct alloc_ops *ops) { ops->walk = meta_walk; }

static bool visit_most(void *context, const struct alloc_block *b)
{
    const struct filter *f = context;
    return (b->state == BLOCK_USED && b->size == SHOWN_WRONG) || f->visit(f->context, b);
}

static void short_walk(void *heap, alloc_visit *visit, void *context)
{
    struct filter filter = {visit, context};
    base->walk(heap, visit_most, &filter);
}

void walk_omits_block(struct alloc_ops *ops)
{
    ops->contract.promises &= ~(unsigned)PROMISE_EXPLAINED; /* or the gap would show first */
    ops->walk = short_walk;
}

static bool visit_used(void *context, const struct alloc_block *b)
{
    const struct filter *f = context;
    return b->state == BLOCK_FREE || f->visit(f->context, b);
}

static void used_walk(void *heap, alloc_visit *visit, void *context)
{
    struct filter filter = {visit, context};
    base->walk(heap, visit_used, &filter);
}

void walk_omits_free(struct alloc_ops *ops) { ops->walk = used_walk; }

static const char *anxious_check(void *heap)
{
    return stats_of(heap).free_blocks > 3 ? "more than three free blocks" : NULL;
}

void check_cries_wolf(struct alloc_ops *ops) { ops->check = anxious_check; }

/* ---- Queries ----------------------------------------------------------------------------------------------------- */

static size_t allocating_usable_size(void *heap, const void *p)
{
    if (p) return base->usable_size(heap, p);
    base->malloc(heap, 1);
    return 0;
}

void usable_size_allocates(struct alloc_ops *ops) { ops->usable_size = allocating_usable_size; }

/* ---- Decisions --------------------------------------------------------------------------------------------------- */

/* Takes the block back and allocates one that is larger by so much, if there is one. */
static void *enlarged(void *heap, void *p, size_t size, size_t extra_bytes)
{
    if (!p || !extra_bytes || size > PTRDIFF_MAX) return p;
    base->free(heap, p);
    void *larger = base->malloc(heap, size + extra_bytes);
    return larger ? larger : base->malloc(heap, size);
}

static void *addressed_malloc(void *heap, size_t size)
{
    void *p = base->malloc(heap, size);
    const uintptr_t mixed = (uintptr_t)p * (uintptr_t)0x9E3779B1;
    return p ? enlarged(heap, p, size, mixed >> 17 & 16) : NULL;
}

void decides_on_address(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    drop_thrift_but(ops, 0);
    ops->malloc = addressed_malloc;
}

/* The two bits tell every kind of dirt from every other. Only those of the first block are looked at: what the memory of
 * later ones holds may be what the program wrote there (C41). */
static void *curious_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    unsigned char *p = base->malloc(heap, size);
    if (!p) return NULL;
    if (!m->count) m->bytes = (size_t)(p[base->usable_size(heap, p) - 1] >> 1 & 3) * 16;
    m->count = 1;
    return enlarged(heap, p, size, m->bytes);
}

void decides_on_old_bytes(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    drop_thrift_but(ops, 0);
    ops->malloc = curious_malloc;
}

/* Every run in one process is the same. */
static void *random_malloc(void *heap, size_t size)
{
    struct memory *m = memory_of(heap);
    const uint32_t mixed = ((uint32_t)getpid() + m->count++ * 0x632BE5ABu) * 0x9E3779B1u;
    return enlarged(heap, base->malloc(heap, size), size, mixed >> 28 ? 0 : 16);
}

void decides_on_process(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    keep_memory(ops);
    drop_thrift_but(ops, 0);
    ops->malloc = random_malloc;
}

static void reading_free(void *heap, void *p)
{
    if (!p || *(unsigned char *)p % 4) base->free(heap, p);
}

void decides_on_contents(struct alloc_ops *ops)
{
    offer_only_malloc(ops);
    hide_inside(ops);
    drop_thrift_but(ops, 0);
    ops->free = reading_free;
}
