/* decode_pressure.c: how full the machine is before a program's first record; decode_kernel.h is the manual. */
#include "decode_kernel.h"

#define SINGLES_ORDER 7u
#define MAY_FAIL (GFP_KERNEL | GFP_BIT_NORETRY | GFP_BIT_NOWARN)

static unsigned order_max(const struct kernel_swarm *s)
{
    return s->p->heap.machine == MACHINE_S4 ? 4 : MACHINE_ORDERS - 1;
}

static unsigned lowmem(const struct kernel_swarm *s)
{
    static const uint16_t frames[MACHINE_CONFIGS] = {
        [MACHINE_S64] = 8192, [MACHINE_S4] = 64, [MACHINE_SODD] = 5003, [MACHINE_SMAP] = 4096};
    return frames[s->p->heap.machine];
}

/* From the largest blocks down, until the watermarks stop it. */
static void fill(struct kernel_swarm *s, uint32_t gfp)
{
    unsigned order = order_max(s);
    kernel_block(s, OP_ALLOC_PAGES, lowmem(s) >> order, order, gfp);
    while (order-- > 0) kernel_block(s, OP_ALLOC_PAGES, order ? 2 : 24, order, gfp);
}

/* All that is free in single frames, every second of them freed: of what the large blocks have left, a half is free then,
 * but no two frames in a row, and every larger order must fail (C30). On a small machine that is half of all memory. */
static void fragment(struct kernel_swarm *s)
{
    const unsigned top = order_max(s), small = top < SINGLES_ORDER ? top : SINGLES_ORDER;
    unsigned large = (lowmem(s) >> top) - 1, singles = (1u << small) + 128;
    if (s->p->heap.machine == MACHINE_S4) large = 0, singles = lowmem(s) + 2;
    if (large) kernel_block(s, OP_ALLOC_PAGES, large, top, MAY_FAIL);
    for (unsigned order = top; large && order-- > small;) kernel_block(s, OP_ALLOC_PAGES, 1, order, MAY_FAIL);
    const struct op *op = kernel_block(s, OP_ALLOC_PAGES, singles, 0, GFP_ATOMIC | GFP_BIT_NOWARN);
    if (!op || op->count == 1) return;
    kernel_free_run(s, op->slot, singles / 2, 2);
    for (unsigned order = 1; order <= top; order++) kernel_block(s, OP_ALLOC_PAGES, 1, order, MAY_FAIL);
}

static void exhaust(struct kernel_swarm *s)
{
    fill(s, GFP_KERNEL);
    const struct op *op = kernel_block(s, OP_ALLOC_PAGES, s->p->heap.machine == MACHINE_S4 ? 32 : 200, 0, GFP_ATOMIC);
    if (!op || op->count == 1) return;
    kernel_free_run(s, op->slot, op->count / 2, s->head[9] >> 4);
    kernel_block(s, OP_ALLOC_PAGES, op->count, 0, GFP_KERNEL | GFP_BIT_NOWARN);
}

void kernel_press(struct kernel_swarm *s)
{
    const unsigned x = s->head[9];
    if (!(s->on & SWARM_PAGES)) return;
    if (s->p->heap.machine != MACHINE_S4 && x & 8) return; /* it takes long there */
    switch (x & 7) {
    case 5: fill(s, x & 0x10 ? GFP_HIGHUSER | GFP_BIT_NOWARN : MAY_FAIL); break;
    case 6: fragment(s); break;
    case 7: exhaust(s); break;
    default: break;
    }
    if ((x & 7) == 6 && x & 0x10) kernel_block(s, OP_ALLOC_PAGES, 1u << order_max(s), 0, GFP_KERNEL | GFP_BIT_NOWARN);
}
