/* decode_kernel.c: bytes to programs of the kernel group; decode_kernel.h is the manual, docs/PROGRAMS.md has the layout.
 *
 * As in decode.c, the head decides what kind of program it is: machine, groups of operations, masks, sizes, contexts,
 * faults, and how full the machine is before the first record. Each record of four bytes is one operation, and what has
 * to come before it.
 */
#include "decode_kernel.h"

#include <string.h>

const uint8_t swarm_machines[16] = {
    MACHINE_S64, MACHINE_S64, MACHINE_S64, MACHINE_S64, MACHINE_S64, MACHINE_S64,  MACHINE_S64,  MACHINE_S4,
    MACHINE_S4,  MACHINE_S4,  MACHINE_S4,  MACHINE_S4,  MACHINE_S4,  MACHINE_SODD, MACHINE_SODD, MACHINE_SMAP,
};

#define CALLS_MAX 1024u

bool swarm_is_kernel(const void *bytes, size_t length)
{
    const unsigned char *b = bytes;
    return length >= 4 && (b[0] & ~SWARM_ILLEGAL & 0xff) == (unsigned char)SWARM_KERNEL[0] &&
           memcmp(b + 1, &SWARM_KERNEL[1], 3) == 0;
}

/* ---- Operations ------------------------------------------------------------------------------------------------------------ */

struct op *kernel_append(struct kernel_swarm *s, enum op_kind kind, unsigned slot)
{
    struct op *op = s->p->op_count < PROGRAM_OPS_MAX ? &s->p->ops[s->p->op_count++] : &s->spill;
    *op = (struct op){.kind = (uint8_t)kind, .slot = (uint16_t)slot, .count = 1};
    return op;
}

void kernel_barrier(struct kernel_swarm *s) { s->barrier = s->p->op_count; }

void kernel_context(struct kernel_swarm *s, enum program_context context)
{
    if (s->context == context) return;
    s->context = (uint8_t)context;
    kernel_append(s, OP_CONTEXT, 0)->a = context;
    kernel_barrier(s);
}

void kernel_need(struct kernel_swarm *s, unsigned allowed)
{
    if (!(allowed >> s->context & 1)) kernel_context(s, CONTEXT_TASK);
}

/* Calls that runs and repeats may still come to. */
static void spend(struct kernel_swarm *s, uint64_t calls)
{
    s->calls_left -= calls < s->calls_left ? (uint32_t)calls : s->calls_left;
}

/* ---- The ledger -------------------------------------------------------------------------------------------------------------- */

/* One block more or less of the cache or pool that it belongs to. */
static void count_live(struct kernel_swarm *s, unsigned holds, int more)
{
    if (holds >= HOLDS_ELEMENT) s->pools[holds - HOLDS_ELEMENT].live += (uint16_t)more;
    else if (holds >= HOLDS_OBJECT) s->caches[holds - HOLDS_OBJECT].live += (uint16_t)more;
}

uint16_t kernel_slot(struct kernel_swarm *s, enum holding holds)
{
    uint16_t slot = s->spare[holds];
    if (slot != NO_SLOT) s->spare[holds] = s->held[slot].next;
    else slot = live_fresh(&s->live, 1);
    return slot;
}

static void born(struct kernel_swarm *s, uint16_t slot, enum holding holds, uint32_t bytes)
{
    s->held[slot] = (struct held){.holds = (uint8_t)holds, .source = NO_SLOT, .pages = 1};
    live_born(&s->live, slot, bytes);
    count_live(s, holds, 1);
}

void kernel_died(struct kernel_swarm *s, uint16_t slot)
{
    struct held *h = &s->held[slot];
    live_died(&s->live, slot);
    count_live(s, h->holds, -1);
    h->next = s->spare[h->holds];
    s->spare[h->holds] = slot;
    s->last_freed = slot;
}

struct op *kernel_allocate(struct kernel_swarm *s, enum op_kind kind, enum holding holds, unsigned count,
                           uint32_t bytes)
{
    uint16_t slot = count > 1 ? live_fresh(&s->live, count) : NO_SLOT;
    if (slot == NO_SLOT) {
        count = 1;
        slot = kernel_slot(s, holds);
    }
    if (slot == NO_SLOT) return NULL;
    struct op *op = kernel_append(s, kind, slot);
    op->count = (uint16_t)count;
    op->stride = count > 1;
    for (unsigned i = 0; i < count; i++) born(s, (uint16_t)(slot + i), holds, bytes);
    return op;
}

uint16_t kernel_find(const struct kernel_swarm *s, unsigned choice, bool (*fits)(const struct held *))
{
    for (unsigned i = 0; i < 16 && i < s->live.count; i++) {
        uint16_t slot = live_some(&s->live, choice + i);
        if (fits(&s->held[slot])) return slot;
    }
    return NO_SLOT;
}

/* ---- Frees --------------------------------------------------------------------------------------------------------------------- */

void kernel_put(struct kernel_swarm *s, uint16_t slot)
{
    struct held *h = &s->held[slot];
    kernel_need(s, IN_ANY);
    kernel_append(s, OP_PUT_PAGE, slot);
    kernel_barrier(s);
    if (h->refs) h->refs--;
    else h->flags |= HELD_FREED;
    if (h->flags & HELD_FREED && !h->refs) kernel_died(s, slot);
}

void kernel_kunmap(struct kernel_swarm *s, uint16_t slot)
{
    struct held *h = &s->held[slot];
    kernel_need(s, IN_TASK);
    kernel_append(s, OP_KUNMAP, slot)->a = h->frame;
    kernel_barrier(s);
    h->kmaps--;
    h->pins--;
}

void kernel_kunmap_local(struct kernel_swarm *s)
{
    if (!s->locals) return;
    kernel_need(s, IN_ANY);
    kernel_append(s, OP_KUNMAP_LOCAL, 0);
    kernel_barrier(s);
    s->held[s->local[--s->locals]].pins--;
}

static enum op_kind free_kind(const struct kernel_swarm *s, const struct held *h, unsigned variant)
{
    switch (h->holds) {
    case HOLDS_BLOCK:
    case HOLDS_ADDRESS:
    case HOLDS_EXACT:
    case HOLDS_BULK: return OP_FREE_PAGES;
    case HOLDS_KMALLOC: return variant % 8 == 7 ? OP_KFREE_SENSITIVE : OP_KFREE;
    case HOLDS_AREA: return variant % 8 == 7 || !(IN_VFREE >> s->context & 1) ? OP_VFREE_ATOMIC : OP_VFREE;
    case HOLDS_ALIAS: return OP_VUNMAP;
    case HOLDS_EITHER: return OP_KVFREE;
    default: break;
    }
    if (h->holds >= HOLDS_ELEMENT) return OP_POOL_FREE;
    return s->head[4] & SWARM_KFREE_CACHED && variant % 8 == 7 ? OP_KFREE : OP_CACHE_FREE;
}

static unsigned free_context(enum op_kind kind)
{
    if (kind == OP_VFREE || kind == OP_KVFREE) return IN_VFREE;
    return kind == OP_VUNMAP ? IN_TASK : IN_ANY;
}

/* The free of a slot that nothing else holds. */
static struct op *free_plain(struct kernel_swarm *s, uint16_t slot, unsigned variant)
{
    const struct held *h = &s->held[slot];
    enum op_kind kind = free_kind(s, h, variant);
    kernel_need(s, free_context(kind));
    struct op *op = kernel_append(s, kind, slot);
    if (kind == OP_CACHE_FREE) op->a = h->holds - HOLDS_OBJECT;
    if (kind == OP_KVFREE) op->a = variant % 8 == 7;
    if (h->holds == HOLDS_ALIAS) s->held[h->source].pins--;
    kernel_died(s, slot);
    return op;
}

void kernel_free(struct kernel_swarm *s, uint16_t slot, unsigned variant)
{
    struct held *h = &s->held[slot];
    if (h->flags & HELD_FREED) {
        kernel_put(s, slot);
    } else if (h->kmaps) {
        kernel_kunmap(s, slot);
    } else if (h->pins) {
        kernel_kunmap_local(s);
    } else if (h->refs) {
        kernel_need(s, IN_ANY);
        kernel_append(s, OP_FREE_PAGES, slot);
        h->flags |= HELD_FREED;
        kernel_barrier(s);
    } else {
        free_plain(s, slot, variant);
    }
}

/* Slots in a row that hold the same kind; those that are free already are passed over by the run, too. */
void kernel_free_run(struct kernel_swarm *s, uint16_t slot, unsigned count, unsigned variant)
{
    const unsigned holds = s->held[slot].holds;
    const int stride = (variant & 1 ? -1 : 1) * (variant & 2 ? 2 : 1);
    if (!kernel_is_plain(&s->held[slot]) || holds == HOLDS_ALIAS) {
        kernel_free(s, slot, variant);
        return;
    }
    struct op *op = free_plain(s, slot, 0);
    while (op->count < count) {
        int at = slot + op->count * stride;
        if (at < 0 || at >= s->live.fresh || s->held[at].holds != holds) break;
        if (!kernel_is_plain(&s->held[at])) break;
        if (live_is(&s->live, (unsigned)at)) kernel_died(s, (uint16_t)at);
        op->count++;
    }
    if (op->count > 1) op->stride = (int16_t)stride;
}

static void free_op(struct kernel_swarm *s, unsigned count, const unsigned char *b)
{
    uint16_t slot = live_victim(&s->live, (enum free_policy)(s->head[12] >> 2 & 3), b[1]);
    if (count > 1) kernel_free_run(s, slot, count, b[3]);
    else kernel_free(s, slot, b[3]);
}

/* ---- What surrounds an allocator ---------------------------------------------------------------------------------------------- */

/* Repeats what came last, back to the barrier at most. */
static void repeat_op(struct kernel_swarm *s, const unsigned char *b)
{
    uint32_t reach = s->p->op_count - s->barrier, body = 1 + b[1] % 8u, calls = 0;
    if (body > reach) body = reach;
    if (!body) return;
    for (uint32_t i = 0; i < body; i++) calls += s->p->ops[s->p->op_count - 1 - i].count;
    uint32_t times = 1 + (b[2] & (b[3] & 0x80 ? 63 : 7)), most = 1 + s->calls_left / 4 / calls;
    struct op *op = kernel_append(s, OP_REPEAT, 0);
    op->a = body;
    op->b = times < most ? times : most;
    spend(s, op->b * calls);
}

static void outside_op(struct kernel_swarm *s, enum op_kind kind, const unsigned char *b)
{
    static const uint8_t contexts[8] = {CONTEXT_TASK,   CONTEXT_SPINLOCK, CONTEXT_HARDIRQ, CONTEXT_IRQS_OFF,
                                        CONTEXT_BH_OFF, CONTEXT_SOFTIRQ,  CONTEXT_TASK,    CONTEXT_TASK};
    static const uint8_t faults[] = {FAULT_SLAB, FAULT_PAGES, FAULT_SLAB,       FAULT_PAGES, FAULT_FILTERED,
                                     FAULT_VA,   FAULT_TABLE, FAULT_DESCRIPTOR, FAULT_MAP};
    struct op *op;
    switch (kind) {
    case OP_REPEAT: repeat_op(s, b); return;
    case OP_CONTEXT: kernel_context(s, (enum program_context)contexts[b[1] & 7]); return;
    case OP_SCOPE:
    case OP_SCOPE_END:
        if (kind == OP_SCOPE ? s->scopes == SCOPES_MAX : !s->scopes) return;
        op = kernel_append(s, kind, 0);
        op->a = kind == OP_SCOPE ? b[1] & 3 : 0;
        s->scopes = (uint8_t)(s->scopes + (kind == OP_SCOPE ? 1 : -1));
        kernel_barrier(s);
        return;
    case OP_INJECT:
        op = kernel_append(s, kind, 0);
        op->a = s->on & SWARM_VMALLOC ? faults[b[1] % sizeof faults] : faults[b[1] % 5];
        op->b = 1 + (b[3] & 1 ? 0 : b[2] % (b[3] >= 0xe0 ? 64u : 8u));
        return;
    case OP_RUN_DEFERRED:
    case OP_PURGE: kernel_need(s, IN_TASK); break;
    default: break; /* check, kswapd */
    }
    kernel_append(s, kind, 0);
}

/* ---- The head -------------------------------------------------------------------------------------------------------------------- */

#define ALWAYS 0

/* Operation kinds, how much each weighs, and what must be on for it. A free is of anything. */
static const struct {
    uint8_t kind, weight;
    uint16_t when; /* enum swarm_group or enum kernel_switch */
} weights[] = {
    {OP_ALLOC_PAGES, 12, SWARM_PAGES},
    {OP_FREE_PAGES, 14, SWARM_PAGES},
    {OP_GET_FREE_PAGES, 5, SWARM_PAGES},
    {OP_GET_ZEROED_PAGE, 2, SWARM_PAGES},
    {OP_ALLOC_PAGES_EXACT, 2, SWARM_PAGES},
    {OP_ALLOC_PAGES_BULK, 2, SWARM_PAGES},
    {OP_SPLIT_PAGE, 2, SWARM_PAGES},
    {OP_GET_PAGE, 1, SWARM_PAGES},
    {OP_PUT_PAGE, 2, SWARM_PAGES},
    {OP_KMAP, 2, SWARM_PAGES},
    {OP_KUNMAP, 1, SWARM_PAGES},
    {OP_KMAP_LOCAL, 1, SWARM_PAGES},
    {OP_KUNMAP_LOCAL, 1, SWARM_PAGES},
    {OP_CACHE_ALLOC, 14, SWARM_CACHES},
    {OP_CACHE_FREE, 12, SWARM_CACHES},
    {OP_CACHE_CREATE, 2, SWARM_CACHES},
    {OP_CACHE_ZALLOC, 2, SWARM_CACHES},
    {OP_CACHE_ALLOC_BULK, 2, SWARM_CACHES},
    {OP_CACHE_FREE_BULK, 3, SWARM_CACHES},
    {OP_CACHE_SHRINK, 2, SWARM_CACHES},
    {OP_CACHE_DESTROY, 1, SWARM_CACHES},
    {OP_KMALLOC, 12, SWARM_KMALLOC},
    {OP_KFREE, 12, SWARM_KMALLOC},
    {OP_KZALLOC, 3, SWARM_KMALLOC},
    {OP_KCALLOC, 2, SWARM_KMALLOC},
    {OP_KMALLOC_ARRAY, 1, SWARM_KMALLOC},
    {OP_KREALLOC, 5, SWARM_KMALLOC},
    {OP_KREALLOC_ARRAY, 1, SWARM_KMALLOC},
    {OP_VMALLOC, 6, SWARM_VMALLOC},
    {OP_VFREE, 12, SWARM_VMALLOC},
    {OP_VZALLOC, 2, SWARM_VMALLOC},
    {OP_VMALLOC_USER, 2, SWARM_VMALLOC},
    {OP_VMALLOC_GFP, 3, SWARM_VMALLOC},
    {OP_VREALLOC, 3, SWARM_VMALLOC},
    {OP_VMAP, 3, SWARM_VMALLOC},
    {OP_VUNMAP, 2, SWARM_VMALLOC},
    {OP_REMAP, 2, SWARM_VMALLOC},
    {OP_KVMALLOC, 4, SWARM_VMALLOC},
    {OP_KVCALLOC, 2, SWARM_VMALLOC},
    {OP_KVREALLOC, 2, SWARM_VMALLOC},
    {OP_RUN_DEFERRED, 1, SWARM_VMALLOC},
    {OP_PURGE, 1, SWARM_VMALLOC},
    {OP_POOL_ALLOC, 7, SWARM_POOLS},
    {OP_POOL_FREE, 6, SWARM_POOLS},
    {OP_POOL_CREATE, 2, SWARM_POOLS},
    {OP_POOL_RESIZE, 1, SWARM_POOLS},
    {OP_POOL_DESTROY, 1, SWARM_POOLS},
    {OP_REPEAT, 2, ALWAYS},
    {OP_CHECK, 1, ALWAYS},
    {OP_CONTEXT, 8, SWITCH_CONTEXTS},
    {OP_INJECT, 6, SWITCH_FAULTS},
    {OP_DROPPABLE, 5, SWITCH_RECLAIM},
    {OP_KSWAPD, 2, SWITCH_RECLAIM},
    {OP_SCOPE, 4, SWITCH_SCOPES},
    {OP_SCOPE_END, 3, SWITCH_SCOPES},
};
enum { ROWS = sizeof weights / sizeof *weights };

/* The groups that are offered and not switched off; and the switches of byte 8, on in one program of four each. */
static unsigned what_is_on(const unsigned char *head)
{
    unsigned offered = head[4] & SWARM_GROUPS ? head[4] & SWARM_GROUPS : SWARM_PAGES, on = offered & ~head[5];
    if (!on) on = offered;
    for (unsigned i = 0; i < 4; i++)
        if ((head[8] >> 2 * i & 3) == 3) on |= SWITCH_CONTEXTS << i;
    if (on & SWARM_PAGES && (head[9] & 7) >= 5 && head[9] & 0x20)
        on |= SWITCH_RECLAIM; /* a full machine is its place */
    return on;
}

/* The weights in 64 steps, from a place that byte 12 picks: of many rare operations, other ones in each program. One of the
 * groups weighs three times as much as the others. */
static void fill_table(struct kernel_swarm *s)
{
    const unsigned on = s->on, focus = 1u << (s->head[5] >> 5);
    unsigned weight[ROWS], total = 0, row = 0, passed = 0;
    for (unsigned i = 0; i < ROWS; i++) {
        weight[i] = weights[i].when == ALWAYS || weights[i].when & on ? weights[i].weight : 0;
        if (weights[i].when & focus) weight[i] *= 3;
        total += weight[i];
    }
    const unsigned phase = (unsigned)s->head[12] * 5 % total;
    for (unsigned i = 0; i < sizeof s->table; i++) {
        unsigned place = (unsigned)((i * total + phase) / sizeof s->table);
        while (passed + weight[row] <= place) passed += weight[row++];
        s->table[i] = weights[row].kind;
    }
}

static uint8_t course_of(unsigned x)
{
    static const uint8_t courses[32] = {
        [16] = COURSE_DRAIN, [17] = COURSE_STEADY, [18] = COURSE_TWIN, [19] = COURSE_PERMUTE, [20] = COURSE_PERMUTE};
    return courses[x & 31];
}

static void read_head(struct kernel_swarm *s)
{
    static const uint64_t frames[MACHINE_CONFIGS] = {
        [MACHINE_S64] = 16384, [MACHINE_S4] = 64, [MACHINE_SODD] = 16384, [MACHINE_SMAP] = 32768};
    const unsigned char *h = s->head;
    struct heap_geometry *g = &s->p->heap;
    g->machine = swarm_machines[h[6] & 15];
    g->dirty = h[6] >> 4 & 3;
    g->scatter = h[6] >> 6 & 1;
    g->course = course_of(h[13]);
    g->seed = (uint32_t)h[14] | (uint32_t)h[15] << 8;
    s->on = what_is_on(h);
    s->illegal = h[0] & SWARM_ILLEGAL;
    s->memory = frames[g->machine] * KERNEL_PAGE;
}

/* ---- Records ------------------------------------------------------------------------------------------------------------------- */

/* What a free becomes while nothing is live; any other kind stays. */
static enum op_kind instead_of_free(enum op_kind kind)
{
    switch (kind) {
    case OP_FREE_PAGES: return OP_ALLOC_PAGES;
    case OP_CACHE_FREE: return OP_CACHE_ALLOC;
    case OP_KFREE: return OP_KMALLOC;
    case OP_VFREE: return OP_VMALLOC;
    case OP_POOL_FREE: return OP_POOL_ALLOC;
    default: return kind;
    }
}

static void kernel_op(struct kernel_swarm *s, const unsigned char *b)
{
    static const uint16_t longest[16] = {2, 2, 4, 4, 4, 4, 8, 8, 8, 8, 16, 16, 16, 64, 64, 256};
    enum op_kind kind = (enum op_kind)s->table[b[0] & 63];
    unsigned count = b[0] >= 0xc0 ? 2 + b[1] % longest[s->head[11] >> 4] : 1;
    if (count > 1 + s->calls_left / 4) count = 1 + s->calls_left / 4;
    spend(s, count);
    /* With the machine full, runs are short, and three of four operations are frees. */
    bool full = s->live.bytes > s->memory + s->memory / 8 && s->live.count;
    if (full && count > 8) count = 8;
    const enum op_kind instead = instead_of_free(kind);
    if ((instead != kind && s->live.count) || (full && b[3] & 3)) {
        free_op(s, count, b);
        return;
    }
    kind = instead;
    if (kind < OP_KERNEL_FIRST || kind > OP_POOL_DESTROY) outside_op(s, kind, b);
    else if (kind <= OP_DROPPABLE) kernel_page_op(s, kind, count, b);
    else if (kind <= OP_CACHE_DESTROY) kernel_cache_op(s, kind, count, b);
    else if (kind <= OP_KFREE_SENSITIVE) kernel_kmalloc_op(s, kind, count, b);
    else if (kind <= OP_KVFREE) kernel_vmalloc_op(s, kind, count, b);
    else kernel_pool_op(s, kind, count, b);
}

void program_decode_kernel(struct program *p, const unsigned char *bytes, size_t length)
{
    unsigned char head[SWARM_HEAD_BYTES] = {0};
    struct kernel_swarm s;
    memcpy(head, bytes, length < sizeof head ? length : sizeof head);
    program_clear(p);
    memset(&s, 0, offsetof(struct kernel_swarm, live));
    memset(s.spare, 0xff, sizeof s.spare); /* NO_SLOT */
    s.p = p;
    s.head = head;
    s.last_freed = NO_SLOT;
    s.calls_left = CALLS_MAX;
    live_init(&s.live);
    read_head(&s);
    fill_table(&s);
    kernel_press(&s);
    for (size_t at = SWARM_HEAD_BYTES; at + SWARM_OP_BYTES <= length && p->op_count < PROGRAM_OPS_MAX;
         at += SWARM_OP_BYTES) {
        const unsigned char *b = bytes + at;
        if (s.illegal && b[0] % 4 == 3) kernel_misuse(&s, b);
        else kernel_op(&s, b);
    }
}
