/* kernel_programs.h: random programs of the page allocator's operations, for tests and benches that need many. */
#ifndef KERNEL_PROGRAMS_H
#define KERNEL_PROGRAMS_H

#include "kernel.h"
#include "program.h"

static inline uint32_t kernel_draw(uint64_t *dice, uint32_t n)
{
    *dice = *dice * UINT64_C(0xD1342543DE82EF95) + UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)((*dice >> 33) % n);
}

static inline uint32_t kernel_mask(uint64_t *dice)
{
    static const uint32_t masks[] = {GFP_KERNEL, GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT,   GFP_NOIO,
                                     GFP_NOFS,   GFP_USER,   GFP_DMA,    GFP_HIGHUSER, GFP_HIGHUSER_MOVABLE};
    static const uint32_t bits[] = {GFP_BIT_ZERO,   GFP_BIT_COMP,    GFP_BIT_NORETRY,     GFP_BIT_RETRY_MAYFAIL,
                                    GFP_BIT_NOFAIL, GFP_BIT_NOWARN,  GFP_BIT_MEMALLOC,    GFP_BIT_NOMEMALLOC,
                                    GFP_BIT_HIGH,   GFP_BIT_MOVABLE, GFP_BIT_RECLAIMABLE, GFP_BIT_DMA,
                                    GFP_BIT_DMA32,  GFP_BIT_HIGHMEM, GFP_BIT_ACCOUNT,     GFP_BIT_HARDWALL};
    uint32_t mask = masks[kernel_draw(dice, sizeof masks / sizeof masks[0])];
    while (!kernel_draw(dice, 3)) mask |= bits[kernel_draw(dice, sizeof bits / sizeof bits[0])];
    return mask;
}

/* Fills *p with `count` operations; orders up to `order_max`; `fill`: now and then on a machine that is nearly full. */
static inline void kernel_program(struct program *p, uint64_t seed, uint32_t count, uint32_t order_max, bool fill)
{
    uint64_t dice = seed * UINT64_C(0xD6E8FEB86659FD93) + 1;
    unsigned slots = 4u << kernel_draw(&dice, 5);
    bool contexts = kernel_draw(&dice, 3) == 0;
    program_clear(p);
    p->heap.seed = (uint32_t)seed;
    p->heap.dirty = (uint8_t)kernel_draw(&dice, DIRTY_KINDS);
    p->op_count = count;
    uint32_t i = 0;
    if (kernel_draw(&dice, 64) == 0 &&
        fill) /* most of the machine at once, so that there is little left for the others */
        for (unsigned order = 10; order > 2 && i < count; order--, i++) {
            p->ops[i] =
                (struct op){.kind = OP_ALLOC_PAGES, .slot = (uint16_t)(64u + 32u * i), .count = 17, .stride = 1};
            p->ops[i].a = order;
            p->ops[i].gfp = GFP_HIGHUSER | GFP_BIT_NORETRY;
        }
    for (; i < count; i++) {
        unsigned what = kernel_draw(&dice, 100);
        struct op op = {.kind = OP_FREE_PAGES, .slot = (uint16_t)kernel_draw(&dice, slots), .count = 1};
        op.gfp = kernel_mask(&dice);
        op.a = kernel_draw(&dice, order_max + 1);
        if (what < 30) op.kind = OP_ALLOC_PAGES;
        else if (what < 36) op.kind = OP_GET_FREE_PAGES;
        else if (what < 40) op.kind = OP_GET_ZEROED_PAGE;
        else if (what < 45) {
            op.kind = OP_ALLOC_PAGES_EXACT;
            op.a = 1 + kernel_draw(&dice, 4096u << order_max);
        } else if (what < 49) {
            op.kind = OP_ALLOC_PAGES_BULK;
            op.a = kernel_draw(&dice, 8u << order_max);
        } else if (what < 76) op.a = kernel_draw(&dice, 20) ? 0 : 1 + kernel_draw(&dice, 10);
        else if (what < 78) op.kind = OP_SPLIT_PAGE;
        else if (what < 81) op.kind = OP_GET_PAGE;
        else if (what < 84) op.kind = OP_PUT_PAGE;
        else if (what < 86) op.kind = OP_KMAP;
        else if (what < 88) op.kind = OP_KUNMAP;
        else if (what < 89) op.kind = OP_KMAP_LOCAL;
        else if (what < 90) op.kind = OP_KUNMAP_LOCAL;
        else if (what < 92) op.kind = OP_DROPPABLE;
        else if (what < 93) op.kind = OP_KSWAPD;
        else if (what < 94) {
            op.kind = OP_INJECT;
            op.b = kernel_draw(&dice, 4);
        } else if (what < 95) op.kind = OP_MISUSE;
        else if (what < 96) op.kind = OP_CHECK;
        else if (what < 97 && contexts) op.kind = OP_SCOPE;
        else if (what < 98 && contexts) op.kind = OP_SCOPE_END;
        else if (contexts) op.kind = OP_CONTEXT;
        if (op.kind == OP_CONTEXT && kernel_draw(&dice, 3)) op.a = CONTEXT_TASK;
        p->ops[i] = op;
    }
}

#endif
