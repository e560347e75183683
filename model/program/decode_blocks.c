/* decode_blocks.c: pages, kmalloc and vmalloc in the swarm form; decode_kernel.h is the manual. */
#include "decode_kernel.h"

#define ORDER_ZEROED 2u      /* larger blocks are rarely asked for zeroed, and those above twice that hardly ever */
#define RUN_BYTES (1u << 18) /* that a run of kmalloc or vmalloc asks for, or one of zeroed pages, about */

/* ---- Pages ----------------------------------------------------------------------------------------------------------------------- */

struct op *kernel_block(struct kernel_swarm *s, enum op_kind kind, unsigned count, unsigned order, uint32_t gfp)
{
    uint32_t bytes = order < MACHINE_ORDERS ? KERNEL_PAGE << order : 0;
    struct op *op = kernel_allocate(s, kind, kind == OP_ALLOC_PAGES ? HOLDS_BLOCK : HOLDS_ADDRESS, count, bytes);
    if (!op) return NULL;
    op->gfp = gfp;
    if (kind != OP_GET_ZEROED_PAGE) op->a = order;
    for (unsigned i = 0; i < op->count; i++) {
        struct held *h = &s->held[op->slot + i];
        h->order = (uint8_t)order;
        h->pages = (uint16_t)(bytes / KERNEL_PAGE);
        h->high = gfp & GFP_BIT_HIGHMEM;
        if (order && gfp & GFP_BIT_COMP) h->flags = HELD_COMPOUND;
    }
    return op;
}

static void allocate_exact(struct kernel_swarm *s, const unsigned char *b)
{
    struct size n = kernel_size(s, b[1], b[2]);
    if (n.kind == SIZE_SEEN || n.kind == SIZE_USABLE || n.v == 0)
        n = size_literal(KERNEL_PAGE * (1 + b[1] % 8u) + b[2] % 3 - 1);
    uint32_t bytes = kernel_guess(s, n);
    struct op *op = kernel_allocate(s, OP_ALLOC_PAGES_EXACT, HOLDS_EXACT, 1, bytes);
    if (!op) return;
    size_set_a(op, n);
    op->gfp = kernel_gfp(s, GFP_FOR_EXACT, b[3], kernel_small(n));
    s->held[op->slot].pages = (uint16_t)((bytes + KERNEL_PAGE - 1) / KERNEL_PAGE);
}

static void allocate_bulk(struct kernel_swarm *s, const unsigned char *b)
{
    unsigned frames = b[1] >= 0xf0 ? 1 + b[2] * 2u : 1 + b[2] % 32u;
    struct op *op = kernel_allocate(s, OP_ALLOC_PAGES_BULK, HOLDS_BULK, 1, frames * KERNEL_PAGE);
    if (!op) return;
    op->a = frames;
    op->gfp = kernel_gfp(s, GFP_FOR_PAGES, b[3], true) & ~(uint32_t)GFP_BIT_COMP;
    s->held[op->slot].pages = (uint16_t)frames;
}

static bool is_block(const struct held *h) { return h->holds == HOLDS_BLOCK || h->holds == HOLDS_ADDRESS; }
static bool can_split(const struct held *h) { return is_block(h) && kernel_is_plain(h) && h->order; }
static bool can_drop(const struct held *h) { return is_block(h) && kernel_is_plain(h); }
static bool can_get(const struct held *h)
{
    return is_block(h) && !(h->flags & (HELD_SPLIT | HELD_FREED)) && h->refs < 3;
}
static bool can_put(const struct held *h)
{
    return is_block(h) && (h->refs || (!h->pins && !(h->flags & ~HELD_COMPOUND) && (!h->order || h->flags)));
}
static bool can_kmap(const struct held *h)
{
    return h->holds == HOLDS_BLOCK && !(h->flags & HELD_FREED) && h->pages && h->pins < 8;
}
static bool can_kmap_high(const struct held *h) { return can_kmap(h) && h->high; }
static bool can_kmap_again(const struct held *h) { return can_kmap_high(h) && h->kmaps; }
static bool is_kmapped(const struct held *h) { return h->kmaps; }

/* Highmem, for only there is something to map; and every second time what is mapped already. */
static uint16_t find_kmap(const struct kernel_swarm *s, enum op_kind kind, const unsigned char *b)
{
    uint16_t slot = NO_SLOT;
    if (kind == OP_KMAP && b[3] & 1) slot = kernel_find(s, b[1], can_kmap_again);
    if (slot == NO_SLOT) slot = kernel_find(s, b[1], can_kmap_high);
    return slot == NO_SLOT && b[3] & 2 ? kernel_find(s, b[1], can_kmap) : slot;
}

/* Operations on a live block of pages; false if there is none that fits. */
static bool block_op(struct kernel_swarm *s, enum op_kind kind, const unsigned char *b)
{
    bool (*const fits)(const struct held *) = kind == OP_SPLIT_PAGE  ? can_split
                                              : kind == OP_DROPPABLE ? can_drop
                                              : kind == OP_GET_PAGE  ? can_get
                                              : kind == OP_PUT_PAGE  ? can_put
                                                                     : is_kmapped;
    const bool maps = kind == OP_KMAP || kind == OP_KMAP_LOCAL;
    uint16_t slot = maps ? find_kmap(s, kind, b) : kernel_find(s, b[1], fits);
    if (slot == NO_SLOT || (kind == OP_KMAP_LOCAL && s->locals == LOCALS_MAX)) return false;
    struct held *h = &s->held[slot];
    if (kind == OP_PUT_PAGE) return kernel_put(s, slot), true;
    if (kind == OP_KUNMAP) return kernel_kunmap(s, slot), true;
    kernel_need(s, kind == OP_KMAP ? IN_TASK : IN_ANY);
    struct op *op = kernel_append(s, kind, slot);
    kernel_barrier(s);
    switch (kind) {
    case OP_SPLIT_PAGE: h->flags |= HELD_SPLIT; return true;
    case OP_GET_PAGE: h->refs++; return true;
    case OP_DROPPABLE:
        op->a = b[2] & 3;
        h->flags |= HELD_FREED; /* by its owner, and the slot is nobody's to use again */
        live_died(&s->live, slot);
        return true;
    case OP_KMAP: break;
    default: s->local[s->locals++] = slot;
    }
    h->pins++;
    op->a = b[2] % (h->pages < 256 ? h->pages : 256u);
    if (kind != OP_KMAP) return true;
    if (h->kmaps++) op->a = h->frame;
    h->frame = (uint8_t)op->a;
    return true;
}

/* So many blocks of this order that the last few of them are refused. */
static unsigned room_for(const struct kernel_swarm *s, unsigned count, unsigned order)
{
    const uint64_t most = s->memory + s->memory / 8, left = s->live.bytes < most ? most - s->live.bytes : 0;
    const uint64_t room = 2 + (order < MACHINE_ORDERS ? left / (KERNEL_PAGE << order) : 0);
    return count < room ? count : (unsigned)room;
}

void kernel_page_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b)
{
    unsigned order = kind == OP_GET_ZEROED_PAGE ? 0 : kernel_order(s, b[2]);
    uint32_t gfp, more = kind == OP_KMAP || kind == OP_KMAP_LOCAL ? GFP_BIT_HIGHMEM : 0;
    switch (kind) {
    case OP_ALLOC_PAGES_EXACT: allocate_exact(s, b); return;
    case OP_ALLOC_PAGES_BULK: allocate_bulk(s, b); return;
    case OP_KUNMAP_LOCAL: kernel_kunmap_local(s); return;
    case OP_GET_FREE_PAGES:
    case OP_GET_ZEROED_PAGE:
    case OP_ALLOC_PAGES: break;
    default:
        if (block_op(s, kind, b)) return;
        kind = OP_ALLOC_PAGES;
    }
    gfp = kernel_gfp(s, GFP_FOR_PAGES, b[3], order <= COSTLY_ORDER);
    if (!(gfp & (GFP_BIT_DMA | GFP_BIT_DMA32))) gfp |= more;
    if (order > ORDER_ZEROED && b[1] & (order > 2 * ORDER_ZEROED ? 63 : 7)) gfp &= ~(uint32_t)GFP_BIT_ZERO;
    if (gfp & GFP_BIT_ZERO && count > 1 + (RUN_BYTES >> order) / KERNEL_PAGE)
        count = 1 + (RUN_BYTES >> order) / KERNEL_PAGE;
    kernel_block(s, kind, room_for(s, count, order), order, gfp);
}

/* ---- kmalloc and vmalloc ---------------------------------------------------------------------------------------------------------- */

static bool holds_kmalloc(const struct held *h) { return h->holds == HOLDS_KMALLOC; }
static bool holds_area(const struct held *h) { return h->holds == HOLDS_AREA; }
static bool holds_user_area(const struct held *h) { return h->holds == HOLDS_AREA && h->user; }
static bool holds_lone_area(const struct held *h) { return h->holds == HOLDS_AREA && kernel_is_plain(h); }
static bool holds_alias(const struct held *h) { return h->holds == HOLDS_ALIAS; }
static bool holds_either(const struct held *h) { return h->holds == HOLDS_EITHER; }
static bool has_frames(const struct held *h)
{
    return h->holds <= HOLDS_BULK && !(h->flags & HELD_FREED) && h->pages && h->pins < 8;
}

/* Elements and their size for an operation of two factors. */
static void set_factors(struct op *op, unsigned x, unsigned y)
{
    op->b = 1;
    if (x >= 0xe0) {
        size_set_products(op, x, y);
    } else if (op->a_kind == SIZE_LITERAL && x & 7) {
        op->b = 1 + (x & 7);
        op->a = op->a / op->b + 1;
    }
}

void kernel_kmalloc_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b)
{
    struct size n = kernel_size(s, b[1], b[2]);
    const bool again = kind == OP_KREALLOC || kind == OP_KREALLOC_ARRAY,
               factors = kind == OP_KCALLOC || kind == OP_KMALLOC_ARRAY || kind == OP_KREALLOC_ARRAY;
    const uint32_t bytes = kernel_guess(s, n), most = 1 + (bytes ? RUN_BYTES / bytes : 8);
    uint16_t old = again ? kernel_find(s, b[1], holds_kmalloc) : NO_SLOT;
    struct op *op = old != NO_SLOT ? kernel_append(s, kind, old)
                                   : kernel_allocate(s, kind, HOLDS_KMALLOC,
                                                     again          ? 1
                                                     : count < most ? count
                                                                    : most,
                                                     bytes);
    if (!op) return;
    if (old != NO_SLOT && (b[0] ^ b[1]) % 16 == 15) n = size_extreme(b[2], b[1]); /* and the old block stays (B59) */
    size_set_a(op, n);
    op->gfp = kernel_gfp(s, GFP_FOR_KMALLOC, b[3], kernel_small(n));
    if (factors) set_factors(op, b[1] ^ b[3], b[2]);
    if (factors && op->b != 1) op->gfp &= ~(uint32_t)GFP_BIT_NOFAIL;
}

static void alias_op(struct kernel_swarm *s, const unsigned char *b)
{
    uint16_t source = kernel_find(s, b[1], has_frames);
    if (source == NO_SLOT) return;
    kernel_need(s, IN_TASK);
    const struct held *h = &s->held[source];
    const bool single = h->holds == HOLDS_BULK || (h->holds == HOLDS_BLOCK && h->pages == 1);
    const bool put = b[3] & 4 && single && kernel_is_plain(h); /* the frames are the area's from now on */
    struct op *op = kernel_allocate(s, OP_VMAP, put ? HOLDS_AREA : HOLDS_ALIAS, 1, 0);
    if (!op) return;
    op->ref = source;
    if (put) {
        op->b = 4;
        kernel_died(s, source);
        kernel_barrier(s);
        return;
    }
    op->a = b[2] & 1 ? 0 : 1 + (b[2] >> 1) % (unsigned)s->held[source].pages;
    op->b = b[3] & 3;
    s->held[op->slot].source = source;
    s->held[source].pins++;
    kernel_barrier(s);
}

/* Operations on a live area; false if there is none. */
static bool area_op(struct kernel_swarm *s, enum op_kind kind, const unsigned char *b)
{
    if (kind == OP_KVREALLOC && b[2] & 2) { /* an area to nothing (B108) */
        uint16_t area = kernel_find(s, b[1], holds_lone_area);
        if (area == NO_SLOT) return false;
        kernel_append(s, OP_KVREALLOC, area)->gfp = GFP_KERNEL;
        kernel_died(s, area);
        return true;
    }
    uint16_t slot = kernel_find(s, b[1],
                                kind == OP_KVREALLOC ? holds_either
                                : kind == OP_VUNMAP  ? holds_alias
                                                     : holds_area);
    if (kind == OP_REMAP && b[3] & 0xc0) { /* others are refused */
        const uint16_t user = kernel_find(s, b[1], holds_user_area);
        if (user != NO_SLOT) slot = user;
    }
    if (slot == NO_SLOT) return false;
    if (kind == OP_VUNMAP) return kernel_free(s, slot, 0), true;
    struct op *op = kernel_append(s, kind, slot);
    if (kind == OP_REMAP) {
        op->a = b[2] % 4;
        op->b = 1 + b[3] % 4;
        return true;
    }
    struct size n = kind == OP_KVREALLOC ? kernel_either(s, b[1], b[2]) : kernel_area(s, b[1], b[2]);
    size_set_a(op, n);
    if (b[3] % (kind == OP_VREALLOC ? 16 : 4) == 3) size_set_a(op, size_literal(0)); /* to nothing (B103, B108) */
    if (kind == OP_VREALLOC && !(b[2] & 0x30)) op->b = UINT64_C(1) << (b[1] % 16);
    op->gfp = kernel_gfp(s, kind == OP_VREALLOC ? GFP_FOR_AREA : GFP_FOR_EITHER, b[3], kernel_small(n));
    return true;
}

void kernel_vmalloc_op(struct kernel_swarm *s, enum op_kind kind, unsigned count, const unsigned char *b)
{
    kernel_need(s, IN_TASK);
    if (kind == OP_VMAP) {
        alias_op(s, b);
        return;
    }
    bool either = kind == OP_KVMALLOC || kind == OP_KVCALLOC || kind == OP_KVREALLOC;
    if (kind == OP_VUNMAP || kind == OP_REMAP || kind == OP_VREALLOC || kind == OP_KVREALLOC) {
        if (area_op(s, kind, b)) return;
        kind = either ? OP_KVMALLOC : OP_VMALLOC;
    }
    struct size n = either ? kernel_either(s, b[1], b[2]) : kernel_area(s, b[1], b[2]);
    uint32_t bytes = kernel_guess(s, n);
    struct op *op = kernel_allocate(s, kind, either ? HOLDS_EITHER : HOLDS_AREA,
                                    kernel_small(n) && count * (uint64_t)bytes <= RUN_BYTES ? count : 1, bytes);
    if (!op) return;
    size_set_a(op, n);
    for (unsigned i = 0; i < op->count; i++) s->held[op->slot + i].user = kind == OP_VMALLOC_USER;
    if (kind == OP_KVCALLOC) set_factors(op, b[1] ^ b[3], b[2]);
    if (kind == OP_VMALLOC_GFP) op->b = b[2] & 0x30 ? 0 : UINT64_C(1) << (b[1] % (b[2] & 0x80 ? 24 : 16));
    if (either) op->gfp = kernel_gfp(s, GFP_FOR_EITHER, b[3], kernel_small(n) && kind == OP_KVMALLOC);
    if (kind == OP_VMALLOC_GFP)
        op->gfp = kernel_gfp(s, GFP_FOR_AREA, b[3], kernel_small(n)) | (b[2] % 8 == 5 ? GFP_BIT_DMA : 0);
}
