/* frames.c: canaries of the frame group, made from `stack`. */
#include "broken.h"

#include "builtin.h"

#include <sys/mman.h>

struct extra {
    struct backing *backing;
    bool used;
};

#define EXTRA_AT ((alloc_stack.state_size + 15) & ~(size_t)15)

static struct extra *extra_of(void *heap) { return (struct extra *)(void *)((unsigned char *)heap + EXTRA_AT); }

static int init(void *heap, struct backing *backing)
{
    *extra_of(heap) = (struct extra){.backing = backing};
    return alloc_stack.init(heap, backing);
}

static void with_extra(struct alloc_ops *ops)
{
    ops->state_size = EXTRA_AT + sizeof(struct extra);
    ops->init = init;
    ops->reset = NULL;
}

/* ---- A30: what a frame took stays taken -------------------------------------------------------------------------- */

static void pop_nothing(void *heap) { (void)heap; }

static void patch_leak(struct alloc_ops *ops)
{
    ops->frame_pop = pop_nothing;
    ops->walk = NULL; /* which would show the blocks: C26 */
}

/* ---- A31: the popped frame is wiped, and one byte more ----------------------------------------------------------- */

static bool wipe_newest(void *context, const struct alloc_block *block)
{
    (void)context;
    if (block->state != BLOCK_USED) return true;
    unsigned char *payload = (unsigned char *)(uintptr_t)block->payload;
    if ((const unsigned char *)block->base + block->size > payload) *payload ^= 0xff;
    return false;
}

static void pop_and_wipe(void *heap)
{
    alloc_stack.frame_pop(heap);
    alloc_stack.walk(heap, wipe_newest, NULL);
}

static void patch_wipe(struct alloc_ops *ops) { ops->frame_pop = pop_and_wipe; }

/* ---- A32: NULL where the stack overflows ------------------------------------------------------------------------- */

static void *malloc_silent(void *heap, size_t size)
{
    struct alloc_stats stats;
    alloc_stack.stats(heap, &stats);
    return stats.free_blocks == 0 || size > stats.free_bytes ? NULL : alloc_stack.malloc(heap, size);
}

static void patch_silent(struct alloc_ops *ops) { ops->malloc = malloc_silent; }

/* ---- A33: the first block is put at the wrong end ---------------------------------------------------------------- */

static void *malloc_upwards(void *heap, size_t size)
{
    struct extra *e = extra_of(heap);
    unsigned char *bottom = e->backing->base + (-(uintptr_t)e->backing->base & 63);
    if (e->used || size > 64 || e->backing->size < 1024) return alloc_stack.malloc(heap, size);
    e->used = true;
    return bottom;
}

static void patch_upwards(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->malloc = malloc_upwards;
    ops->usable_size = NULL;
    ops->walk = NULL;
}

/* ---- C15: an overflow opens the guard page below the stack ------------------------------------------------------- */

static int protect_guard(struct backing *b, int access)
{
    unsigned char *first_page = b->base - (uintptr_t)b->base % b->page_bytes;
    return mprotect(first_page - b->page_bytes, b->page_bytes, access);
}

static int init_guarded(void *heap, struct backing *backing)
{
    if (backing->kind == BACKING_REGION) protect_guard(backing, PROT_NONE); /* an earlier heap may have opened it */
    return init(heap, backing);
}

static void *malloc_unguarded(void *heap, size_t size)
{
    void *p = alloc_stack.malloc(heap, size);
    if (p == NULL) protect_guard(extra_of(heap)->backing, PROT_READ | PROT_WRITE);
    return p;
}

static void patch_unguarded(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->init = init_guarded;
    ops->malloc = malloc_unguarded;
}

const struct canary broken_frames[] = {
    {"frames_leak", "A30", "popping a frame gives nothing back", &alloc_stack, patch_leak},
    {"frames_wipe", "A31", "popping a frame wipes a byte of the frame below", &alloc_stack, patch_wipe},
    {"frames_silent", "A32", "an exceeded stack says nothing", &alloc_stack, patch_silent},
    {"frames_upwards", "A33", "the first block lies at the wrong end", &alloc_stack, patch_upwards},
    {"frames_unguarded", "C15", "an overflow opens the guard page", &alloc_stack, patch_unguarded},
    {0},
};
