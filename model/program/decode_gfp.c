/* decode_gfp.c: masks, orders and sizes of the kernel family; decode_kernel.h is the manual. */
#include "decode_kernel.h"

/* ---- Masks ----------------------------------------------------------------------------------------------------------------- */

enum gfp_palette {
    PALETTE_KERNEL,
    PALETTE_MIXED,
    PALETTE_ATOMIC,
    PALETTE_RESERVES,
    PALETTE_ZONES,
    PALETTE_SCOPES,
    PALETTE_ANY
};

static const uint32_t palettes[PALETTE_ANY][8] = {
    [PALETTE_KERNEL] = {GFP_KERNEL, GFP_KERNEL, GFP_KERNEL, GFP_KERNEL, GFP_KERNEL, GFP_KERNEL, GFP_KERNEL, GFP_KERNEL},
    [PALETTE_MIXED] = {GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_USER, GFP_NOIO, GFP_NOFS, GFP_KERNEL | GFP_BIT_NOWARN,
                       GFP_HIGHUSER},
    [PALETTE_ATOMIC] = {GFP_ATOMIC, GFP_NOWAIT, GFP_ATOMIC, GFP_ATOMIC | GFP_BIT_NOWARN, GFP_BIT_HIGH, 0,
                        GFP_ATOMIC | GFP_BIT_NOMEMALLOC, GFP_BIT_KSWAPD},
    [PALETTE_RESERVES] = {GFP_KERNEL | GFP_BIT_MEMALLOC, GFP_KERNEL | GFP_BIT_NOFAIL, GFP_KERNEL | GFP_BIT_NORETRY,
                          GFP_KERNEL | GFP_BIT_RETRY_MAYFAIL, GFP_KERNEL | GFP_BIT_HIGH, GFP_ATOMIC | GFP_BIT_MEMALLOC,
                          GFP_KERNEL | GFP_BIT_MEMALLOC | GFP_BIT_NOMEMALLOC, GFP_ATOMIC},
    [PALETTE_ZONES] = {GFP_HIGHUSER, GFP_KERNEL | GFP_DMA, GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_DMA,
                       GFP_KERNEL | GFP_DMA32, GFP_KERNEL | GFP_BIT_MOVABLE, GFP_KERNEL | GFP_BIT_RECLAIMABLE},
    [PALETTE_SCOPES] = {GFP_KERNEL, GFP_NOFS, GFP_KERNEL, GFP_NOIO, GFP_HIGHUSER_MOVABLE, GFP_USER, GFP_ATOMIC,
                        GFP_KERNEL},
};

#define ZONES_BUT_DMA (GFP_BIT_HIGHMEM | GFP_BIT_DMA32 | GFP_BIT_MOVABLE)

/* Bits that a use does not take (B25, B63, B69, B93, B107, B110). */
static const uint32_t unwanted[] = {
    [GFP_FOR_PAGES] = 0,
    [GFP_FOR_EXACT] = GFP_BIT_COMP | GFP_BIT_HIGHMEM,
    [GFP_FOR_KMALLOC] = GFP_BIT_MOVABLE | GFP_BIT_COMP, /* HIGHMEM and DMA32 it takes away itself, with a message */
    [GFP_FOR_CACHE] = GFP_BIT_MOVABLE | GFP_BIT_COMP | GFP_BIT_DMA | GFP_BIT_RECLAIMABLE,
    [GFP_FOR_POOL] = ZONES_BUT_DMA | GFP_BIT_COMP | GFP_BIT_DMA | GFP_BIT_RECLAIMABLE | GFP_BIT_ZERO,
    [GFP_FOR_AREA] = GFP_BIT_MEMALLOC | GFP_BIT_NOMEMALLOC, /* zones are taken away, which is looked at (B93) */
    [GFP_FOR_EITHER] = ZONES_BUT_DMA | GFP_BIT_COMP | GFP_BIT_DMA | GFP_BIT_RECLAIMABLE | GFP_BIT_MEMALLOC |
                       GFP_BIT_NOMEMALLOC | GFP_BIT_NORETRY | GFP_BIT_HIGH,
};

uint32_t kernel_gfp(const struct kernel_swarm *s, enum gfp_use use, unsigned x, bool small)
{
    unsigned palette = s->head[7] & 7;
    if (palette >= PALETTE_ANY) palette = (x >> 3 & 7) % PALETTE_ANY;
    if ((s->head[9] & 7) >= 5 && s->head[7] & 8) palette = PALETTE_RESERVES; /* where the machine is full */
    uint32_t gfp = palettes[palette][x & 7];
    if ((x & 0xe0) == 0xc0) gfp |= GFP_BIT_ZERO;
    if ((x & 0xe0) == 0xa0) gfp |= GFP_BIT_COMP;
    if ((x & 0xf0) == 0x90) gfp |= GFP_BIT_ACCOUNT;
    if (((x & 0xf0) == 0x80 && s->on & SWITCH_FAULTS) || (use == GFP_FOR_POOL && x & 0x40))
        gfp |= GFP_BIT_NOFAIL;                    /* no fault strikes it (B113); no element is zeroed (B110) */
    if (use == GFP_FOR_EITHER) gfp |= GFP_KERNEL; /* B107 */
    gfp &= ~unwanted[use];
    if (s->context != CONTEXT_TASK) {
        gfp &= ~(uint32_t)(GFP_BIT_DIRECT | GFP_BIT_IO | GFP_BIT_FS);
        gfp |= x & 8 ? GFP_BIT_HIGH : 0;
    }
    if (!small || !(gfp & GFP_BIT_DIRECT)) gfp &= ~(uint32_t)GFP_BIT_NOFAIL; /* B40 */
    return gfp;
}

/* ---- Orders and sizes -------------------------------------------------------------------------------------------------------- */

unsigned kernel_order(const struct kernel_swarm *s, unsigned x)
{
    static const uint8_t orders[16] = {0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5};
    if (x == 0xff) return MACHINE_ORDERS;
    if (x == 0xfe) return PROGRAM_ORDERS - 1;
    unsigned order = (x & 15) < 14 ? orders[x & 15] : 3 + (x >> 4) % 8u;
    return s->p->heap.machine == MACHINE_S4 && order > 4 ? order % 5 : order;
}

enum palette {
    SIZES_CLASS,  /* next to a class of kmalloc */
    SIZES_SMALL,  /* 1 .. 256 */
    SIZES_WIDE,   /* every magnitude up to 64 KiB alike */
    SIZES_PAGES,  /* next to a number of pages */
    SIZES_LARGE,  /* next to a power of two up to 4 MiB */
    SIZES_ONE,    /* about one size, which the head picks */
    SIZES_BORDER, /* next to what was seen */
    SIZES_ANY     /* one of the above for each operation */
};

struct size kernel_size(const struct kernel_swarm *s, unsigned x, unsigned y)
{
    static const uint16_t classes[] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
    unsigned palette = s->head[10] & 7;
    uint64_t off = (uint64_t)(y % 3) - 1;
    if (x >= 0xfc) return size_extreme(y, y * 37 + s->head[10]);
    if (x >= 0xfa) return size_literal(0);
    if (palette == SIZES_ANY) palette = (y >> 4) % SIZES_ANY;
    switch ((enum palette)palette) {
    case SIZES_SMALL: return size_literal(x + 1);
    case SIZES_WIDE: return size_literal(((x | y << 8) & ((1u << (1 + x % 16)) - 1)) + 1);
    case SIZES_PAGES: return size_literal(4096 * (uint64_t)(1 + x % 16) + off);
    case SIZES_LARGE:
        return size_literal((UINT64_C(8192) << x % (x >= 32 || s->p->heap.machine == MACHINE_S4 ? 5 : 10)) + off);
    case SIZES_ONE: return size_literal((uint64_t)(s->head[10] >> 3) * (x & 1 ? 8 : 40) + 1 + x % 4);
    case SIZES_BORDER:
        if (!s->live.count || x < 24) return (struct size){.kind = SIZE_SEEN, .v = off};
        return (struct size){.kind = SIZE_USABLE, .ref = live_some(&s->live, x), .v = off};
    default: return size_literal(classes[x % 13] + off);
    }
}

/* Of an area each page may be a call of the host: what could be granted is cut to a mebibyte, the limits apart. */
static struct size of_area(const struct kernel_swarm *s, struct size n)
{
    const uint64_t most = UINT64_C(1) << 20;
    if (n.kind == SIZE_LITERAL && n.v > most && n.v <= 2 * s->memory) n.v = most + n.v % KERNEL_PAGE;
    return n;
}

struct size kernel_area(const struct kernel_swarm *s, unsigned x, unsigned y)
{
    /* Pages that an area cannot quite, or can just, have. */
    static const uint16_t limits[MACHINE_CONFIGS] = {
        [MACHINE_S64] = 16384, [MACHINE_S4] = 64, [MACHINE_SODD] = 2048, [MACHINE_SMAP] = 28672};
    const bool tiny = s->p->heap.machine == MACHINE_S4, limited = tiny || (y < 2 && !s->p->heap.scatter);
    uint64_t off = (uint64_t)(y % 3) - 1, pages = 1 + x % 4;
    if ((x | 8) == 0xff) return of_area(s, size_extreme(y, y * 37 + s->head[10]));
    if ((x | 8) == 0xfe) return size_literal(0);
    if (x >= 0xf8) pages = tiny ? 1 + y % 96 : 1 + y % (x == 0xfd ? 256 : 32);
    if (x >= 0xfc && limited) pages = limits[s->p->heap.machine] + (tiny ? y % 8 : 4 * y) - 4;
    return size_literal(pages * 4096 + (y & 0x40 ? off : 0));
}

/* Of kvmalloc: one as of kmalloc, or an area. */
struct size kernel_either(const struct kernel_swarm *s, unsigned x, unsigned y)
{
    const struct size n = y & 1 ? of_area(s, kernel_size(s, x, y)) : kernel_area(s, x, y);
    return n.kind == SIZE_USABLE || n.kind == SIZE_SEEN ? kernel_area(s, x, y) : n; /* they may be large */
}

#define GUESSED_SIZE 64u /* of sizes that depend on what is seen */

uint32_t kernel_guess(const struct kernel_swarm *s, struct size n)
{
    if (n.kind == SIZE_USABLE || n.kind == SIZE_SEEN) return GUESSED_SIZE;
    return n.kind == SIZE_LITERAL && n.v <= s->memory ? (uint32_t)n.v : 0;
}
