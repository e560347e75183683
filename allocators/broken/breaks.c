/* breaks.c: canaries of the break, made from `break`. */
#include "broken.h"

#include "builtin.h"

#include <errno.h>
#include <string.h>

struct extra {
    struct backing *backing;
    unsigned char *brk;
};

#define EXTRA_AT ((alloc_break.state_size + 15) & ~(size_t)15)

static struct extra *extra_of(void *heap) { return (struct extra *)(void *)((unsigned char *)heap + EXTRA_AT); }

static int init(void *heap, struct backing *backing)
{
    *extra_of(heap) = (struct extra){.backing = backing, .brk = backing->base};
    return alloc_break.init(heap, backing);
}

static void with_extra(struct alloc_ops *ops)
{
    ops->state_size = EXTRA_AT + sizeof(struct extra);
    ops->init = init;
}

/* ---- A35: the last page of the break is taken only when it is full ----------------------------------------------- */

static int brk_page_down(void *heap, void *end)
{
    struct extra *e = extra_of(heap);
    uintptr_t base = (uintptr_t)e->backing->base, to = (uintptr_t)end;
    errno = ENOMEM;
    if (to < base || to - base > e->backing->size) return -1;
    uintptr_t down = to & -(uintptr_t)e->backing->page_bytes;
    if (e->backing->brk(e->backing, (void *)(down > base ? down : base)) != 0) return -1;
    e->brk = end;
    return 0;
}

static void *sbrk_page_down(void *heap, ptrdiff_t delta_bytes)
{
    unsigned char *old = extra_of(heap)->brk;
    if (delta_bytes == 0) return old;
    return brk_page_down(heap, (void *)((uintptr_t)old + (uintptr_t)delta_bytes)) == 0 ? old : SBRK_FAILED;
}

static void patch_page_down(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->sbrk = sbrk_page_down;
    ops->brk = brk_page_down;
}

/* ---- A36: the new break is returned, as some textbooks have it --------------------------------------------------- */

static void *sbrk_new(void *heap, ptrdiff_t delta_bytes)
{
    unsigned char *old = alloc_break.sbrk(heap, delta_bytes);
    return old == SBRK_FAILED ? SBRK_FAILED : old + delta_bytes;
}

static void patch_new(struct alloc_ops *ops) { ops->sbrk = sbrk_new; }

/* ---- A37: shrinking too far shrinks to nothing ------------------------------------------------------------------- */

static void *sbrk_clamped(void *heap, ptrdiff_t delta_bytes)
{
    struct backing *b = extra_of(heap)->backing;
    unsigned char *old = b->sbrk(b, 0);
    if (delta_bytes < b->base - old && b->brk(b, b->base) == 0) return old;
    return alloc_break.sbrk(heap, delta_bytes);
}

static void patch_clamped(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->sbrk = sbrk_clamped;
}

/* ---- A38: brk is always content ---------------------------------------------------------------------------------- */

static int brk_content(void *heap, void *end)
{
    (void)alloc_break.brk(heap, end);
    return 0;
}

static void patch_content(struct alloc_ops *ops) { ops->brk = brk_content; }

/* ---- A39: fresh bytes are somebody's old ones -------------------------------------------------------------------- */

static void *sbrk_dirty(void *heap, ptrdiff_t delta_bytes)
{
    unsigned char *old = alloc_break.sbrk(heap, delta_bytes);
    if (old != SBRK_FAILED && delta_bytes > 0) old[delta_bytes - 1] ^= 0xa5;
    return old;
}

static void patch_dirty(struct alloc_ops *ops) { ops->sbrk = sbrk_dirty; }

/* ---- A42: every free lowers the break ---------------------------------------------------------------------------- */

static void free_and_lower(void *heap, void *p)
{
    int saved = errno;
    struct backing *b = extra_of(heap)->backing;
    if (p != NULL && (uintptr_t)p < (uintptr_t)b->sbrk(b, 0)) b->brk(b, p);
    errno = saved;
}

static void patch_lower(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->free = free_and_lower;
    ops->check = NULL;
}

const struct canary broken_breaks[] = {
    {"break_page_down", "A35", "the last, partial page of the break is missing", &alloc_break, patch_page_down},
    {"break_new", "A36", "sbrk returns the new break", &alloc_break, patch_new},
    {"break_clamped", "A37", "sbrk below the start goes to the start and succeeds", &alloc_break, patch_clamped},
    {"break_content", "A38", "brk reports success whatever happened", &alloc_break, patch_content},
    {"break_dirty", "A39", "fresh bytes of the break are not zero", &alloc_break, patch_dirty},
    {"break_lower", "A42", "a free lowers the break below live blocks", &alloc_break, patch_lower},
    {0},
};
