/* exec_blocks.c: the blocks of the kernel group, their frames and what is in them; exec_kernel.h is the manual.
 *
 * Contents are written through one view of the memory and verified through another, in turns: through the block's address
 * and through the oracle view of the frames that the model believes to be behind it. So a frame is where the model thinks,
 * or bytes are missing on one side (O7). Blocks up to WHOLE_BYTES are looked at whole as long as all of them fit a cache; of
 * others both ends of each of some pages, always the same ones of the same block; when thorough, all up to MOST_BYTES.
 */
#include "exec_areas.h"

#include <string.h>

#define WHOLE_BYTES 8192u
#define CACHE_BYTES (UINT64_C(1) << 20)
#define MOST_BYTES (UINT64_C(256) << 10) /* verified after each call when thorough: all of S4 */
#define STRETCH_BYTES 256u               /* small enough for a sweep to look at the whole block */
#define EDGE_BYTES 64u                   /* of a page, at each end */
#define WHOLE_PAGES 16u                  /* up to so many, every page is looked at; else about so many of them */
#define LIST_FRAMES 131072u              /* of all lists together */

/* ---- Frames -------------------------------------------------------------------------------------------------------- */

uint32_t kernel_frame(const struct exec *x, const struct kernel_block *b, uint32_t i)
{
    return b->list == LIST_NONE ? b->pfn + i : x->kernel->pfns[b->list + i];
}

/* Moves the lists of live blocks together; those of dead ones are forgotten, and the blocks with them. */
static void compact(struct kernel_model *k)
{
    uint32_t used = 0;
    for (unsigned slot = 0; slot < k->slot_end; slot++) {
        struct kernel_block *b = &k->blocks[slot];
        if (b->list == LIST_NONE || b->life == LIFE_NONE) continue;
        if (b->life == LIFE_DEAD) {
            *b = (struct kernel_block){.list = LIST_NONE};
            continue;
        }
        memcpy(k->pfns_spare + used, k->pfns + b->list, b->frames * sizeof *k->pfns);
        b->list = used;
        used += b->frames;
    }
    uint32_t *spare = k->pfns;
    k->pfns = k->pfns_spare;
    k->pfns_spare = spare;
    k->pfns_used = used;
}

uint32_t kernel_list(struct exec *x, uint32_t count)
{
    struct kernel_model *k = x->kernel;
    if (count > LIST_FRAMES - k->pfns_used) compact(k);
    if (count > LIST_FRAMES - k->pfns_used) return LIST_NONE;
    k->pfns_used += count;
    return k->pfns_used - count;
}

/* The first of its frames that is not its own any more, or PFN_NONE; and the first that still is. */
static uint32_t frame_by_owner(const struct exec *x, unsigned slot, bool own)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    const uint16_t *owner = x->kernel->frames.owner;
    if (b->origin == ORIGIN_VMAP) return PFN_NONE;
    for (uint32_t i = 0; i < b->frames; i++) {
        uint32_t pfn = kernel_frame(x, b, i);
        if ((owner[pfn] == FRAME_SLOT + slot) == own) return pfn;
    }
    return PFN_NONE;
}

/* ---- Contents ------------------------------------------------------------------------------------------------------ */

/* How a block's bytes are reached. A page's size is a power of two that the compiler does not know: pages are counted by
 * shifts, since a division takes as long as the rest of a look at a line. */
struct view {
    const struct kernel_block *b;
    size_t page, skew; /* bytes; where in its first page the block begins */
    unsigned shift;    /* page = 1 << shift */
    uint64_t key;
    bool oracle;
};

static struct view view_of(const struct exec *x, const struct kernel_block *b, bool oracle)
{
    size_t page = x->kernel->machine->page_bytes;
    return (struct view){.b = b,
                         .page = page,
                         .shift = x->kernel->machine->page_shift,
                         .skew = (size_t)(uintptr_t)b->va & (page - 1),
                         .key = exec_key(x, b->generation),
                         .oracle = oracle || !b->va};
}

static unsigned char *byte_at(const struct exec *x, const struct view *v, uint64_t at)
{
    if (!v->oracle) return v->b->va + at;
    uint64_t from = v->skew + at;
    return machine_oracle(x->kernel->machine, kernel_frame(x, v->b, (uint32_t)(from >> v->shift))) +
           (from & (v->page - 1));
}

/* Pages that hold a part of its first `bytes` bytes. */
static uint64_t pages_of(const struct view *v, uint64_t bytes) { return (v->skew + bytes + v->page - 1) >> v->shift; }

static uint64_t key_at(const struct view *v, uint64_t at) { return v->key + at / sizeof v->key * PAYLOAD_STEP; }

enum deed { WRITE, VERIFY, ZERO };

/* Bytes [from, to), which lie in one page. Returns the first wrong one; `to` if there is none. */
static uint64_t piece(const struct exec *x, const struct view *v, uint64_t from, uint64_t to, enum deed deed)
{
    if (from >= to) return to;
    unsigned char *p = byte_at(x, v, from);
    size_t n = (size_t)(to - from), at = n;
    if (deed == WRITE) payload_fill(p, n, key_at(v, from));
    else if (deed == VERIFY) at = payload_verify(p, n, key_at(v, from));
    else if (!payload_zero(p, n, &at)) return from + at;
    return from + at;
}

/* Of [from, to), one page or less, what is looked at of a large block. */
static uint64_t edges(const struct exec *x, const struct view *v, uint64_t from, uint64_t to, uint64_t limit,
                      enum deed deed)
{
    if (to - from <= 2 * EDGE_BYTES) return piece(x, v, from, limit < to ? limit : to, deed);
    uint64_t head = from + EDGE_BYTES, tail = (to - EDGE_BYTES) & ~UINT64_C(7); /* contents are made word by word */
    /* Each end is a line that is in no cache: of what was written at both, one is verified, now this, now that. */
    if (deed == VERIFY && !v->b->whole && (v->b->generation + (from >> v->shift)) % 2)
        return limit <= tail ? (limit < to ? limit : to) : piece(x, v, tail, limit < to ? limit : to, deed);
    uint64_t wrong = piece(x, v, from, limit < head ? limit : head, deed);
    if (wrong < head && wrong < limit) return wrong;
    if (limit <= tail || (deed == VERIFY && !v->b->whole)) return limit < to ? limit : to;
    return piece(x, v, tail, limit < to ? limit : to, deed);
}

/* Pages of a block of so many that are looked at: the first and last ones, and some between. */
static bool looked_at(uint64_t page, uint64_t pages)
{
    if (pages <= WHOLE_PAGES || page < 4 || page + 4 >= pages) return true;
    return page % (pages / (WHOLE_PAGES / 2)) == 0;
}

/* All that is looked at of the first `limit` bytes. Which places those are depends on the request alone; `quick`: of small
 * blocks too only the ends of pages. */
static uint64_t contents(const struct exec *x, const struct kernel_block *b, uint64_t limit, bool oracle, bool quick,
                         enum deed deed)
{
    struct view v = view_of(x, b, oracle);
    uint64_t total = deed == ZERO ? limit : b->request, pages = pages_of(&v, total), from = 0;
    bool whole = deed == ZERO ? total <= WHOLE_BYTES : b->whole && !(quick && v.skew % 8 == 0);
    whole = whole || (x->options.thorough && total <= MOST_BYTES);
    if (limit > total) limit = total;
    if (pages == 1 && deed != ZERO && !whole) return edges(x, &v, 0, total, limit, deed);
    for (uint64_t i = 0; from < limit; i++) {
        uint64_t to = (i + 1) * v.page - v.skew, stop, wrong;
        if (to > total) to = total;
        stop = to < limit ? to : limit;
        if (whole || looked_at(i, pages)) {
            bool all = whole || deed == ZERO;
            wrong = all ? piece(x, &v, from, stop, deed) : edges(x, &v, from, to, limit, deed);
            if (wrong < stop) return wrong;
        }
        from = to;
    }
    return limit;
}

static bool has_contents(const struct kernel_block *b)
{
    return b->generation && b->request && b->origin != ORIGIN_VMAP && b->origin != ORIGIN_ZERO_SIZE;
}

static bool damaged(struct exec *x, const struct kernel_block *b, uint64_t at, enum rule rule, bool oracle)
{
    return exec_fail(x, rule, b->va ? b->va + at : NULL, "the bytes that its owner wrote",
                     "of p%u's %llu bytes, number %llu differs%s", (unsigned)(b - x->kernel->blocks),
                     (unsigned long long)b->request, (unsigned long long)at, oracle && b->va ? " in its frame" : "");
}

bool kernel_verify_prefix(struct exec *x, const struct kernel_block *b, uint64_t bytes, enum rule rule)
{
    exec_checked(x, rule);
    if (!has_contents(b)) return true;
    if (bytes > b->request) bytes = b->request;
    bool oracle = b->generation % 2;
    uint64_t at = contents(x, b, bytes, oracle, false, VERIFY);
    if (at >= bytes) return true;
    if (b >= x->kernel->blocks && b < x->kernel->blocks + PROGRAM_SLOTS) return damaged(x, b, at, rule, oracle);
    return exec_fail(x, rule, b->va + at, "the contents that the old block had", "byte %llu of %llu differs",
                     (unsigned long long)at, (unsigned long long)bytes);
}

void kernel_write(struct exec *x, unsigned slot)
{
    struct kernel_block *b = &x->kernel->blocks[slot];
    if (b->origin == ORIGIN_VMAP || b->origin == ORIGIN_ZERO_SIZE) return;
    b->generation = ++x->model.generation;
    b->whole = b->request <= STRETCH_BYTES || (b->request <= WHOLE_BYTES && x->kernel->live_bytes <= CACHE_BYTES) ||
               (x->options.thorough && b->request <= MOST_BYTES) || (uintptr_t)b->va % sizeof(uint64_t);
    contents(x, b, b->request, b->generation / 2 % 2, false, WRITE);
}

/* What was written through one view shows in the other. */
static bool coherent(struct exec *x, struct kernel_block *b)
{
    bool oracle = !(b->generation / 2 % 2);
    exec_checked(x, RULE_C18);
    if (!has_contents(b) || !b->va) return true; /* without an address of its own there is one view only */
    uint64_t at = contents(x, b, b->request, oracle, true, VERIFY);
    return at >= b->request || damaged(x, b, at, RULE_C18, oracle);
}

bool kernel_verify(struct exec *x, unsigned slot, enum rule rule)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    exec_checked(x, RULE_C16);
    uint32_t pfn = frame_by_owner(x, slot, false);
    if (pfn != PFN_NONE)
        return exec_fail(x, RULE_C16, b->va, "a live block's frames its own until it is freed",
                         "frame %u of p%u has another owner", pfn, slot);
    if ((b->origin == ORIGIN_VMALLOC || b->origin == ORIGIN_VMAP) && !area_judge_frames(x, b)) return false;
    return kernel_verify_prefix(x, b, b->request, rule);
}

bool kernel_shows(struct exec *x, const struct kernel_block *b, uint64_t from, size_t n, const unsigned char *p)
{
    struct view v = view_of(x, b, true);
    exec_checked(x, RULE_C18);
    if (!has_contents(b) || from >= b->request) return true;
    if (n > b->request - from) n = (size_t)(b->request - from);
    const unsigned char *frame = byte_at(x, &v, from);
    if (memcmp(p, frame, n) == 0) return true;
    return exec_fail(x, RULE_C18, p, "the same bytes through every view of a frame",
                     "%zu bytes from byte %llu of p%u on differ", n, (unsigned long long)from,
                     (unsigned)(b - x->kernel->blocks));
}

/* ---- Life of a block ----------------------------------------------------------------------------------------------- */

/* In the direct map a block lies at its frame's place (B6); areas were looked at before (B86). */
static bool judge_place(struct exec *x, unsigned slot, const struct kernel_block *b)
{
    const struct machine *m = x->kernel->machine;
    if (!b->va || b->origin == ORIGIN_VMALLOC || b->origin == ORIGIN_VMAP) return true;
    exec_checked(x, RULE_B6);
    uint32_t pfn = machine_direct_pfn(m, b->va);
    if (pfn == b->pfn) return true;
    return exec_fail(x, RULE_B6, b->va, "a block at its frame's place in the direct map",
                     "p%u lies in frame %u and is said to be frame %u", slot, pfn, b->pfn);
}

static void set_alive(struct kernel_model *k, unsigned slot, bool alive)
{
    uint64_t bit = UINT64_C(1) << slot % 64, *word = &k->alive[slot / 64];
    if (alive == !!(*word & bit)) return;
    *word ^= bit;
    k->live += alive ? 1 : UINT32_MAX;
    k->live_bytes += alive ? k->blocks[slot].request : -k->blocks[slot].request;
}

bool kernel_enter(struct exec *x, struct kernel_call *c, const struct kernel_block *block, bool zeroed)
{
    struct kernel_model *k = x->kernel;
    unsigned slot = c->slot;
    struct kernel_block *b = &k->blocks[slot];
    if (b->life == LIFE_LIVE && b->droppable) k->droppable--;
    set_alive(k, slot, false); /* resized in its slot */
    *b = *block;
    b->life = LIFE_LIVE;
    if (slot >= k->slot_end) k->slot_end = slot + 1;
    set_alive(k, slot, true);
    if (b->droppable) k->droppable++;
    if (!judge_place(x, slot, b)) return false;
    if (b->request > k->largest) k->largest = b->request;
    if (zeroed && b->request) {
        uint64_t at = contents(x, b, b->request, b->request % 2, false, ZERO);
        exec_checked(x, RULE_B19);
        if (at < b->request)
            return exec_fail(x, RULE_B19, b->va ? b->va + at : NULL, "zeroed memory",
                             "byte %llu of p%u's %llu is not zero", (unsigned long long)at, slot,
                             (unsigned long long)b->request);
    }
    kernel_write(x, slot);
    return coherent(x, b);
}

bool kernel_forget(struct exec *x, unsigned slot, enum kernel_life life)
{
    struct kernel_model *k = x->kernel;
    struct kernel_block *b = &k->blocks[slot];
    if (b->life == LIFE_LIVE && b->droppable) k->droppable--;
    set_alive(k, slot, life == LIFE_LIVE);
    b->life = (uint8_t)life;
    b->droppable = 0;
    if (life == LIFE_DEFERRED) {
        for (uint32_t i = 0; i < b->frames && b->origin != ORIGIN_VMAP; i++)
            frame_map_set(&k->frames, kernel_frame(x, b, i), 1, FRAME_DEFERRED);
        return true;
    }
    uint32_t pfn = frame_by_owner(x, slot, true);
    exec_checked(x, RULE_C25);
    if (pfn == PFN_NONE) return true;
    return exec_fail(x, RULE_C25, NULL, "every frame of a freed block given back", "frame %u of p%u is not", pfn, slot);
}

bool kernel_free_to_go(const struct exec *x, unsigned slot)
{
    const struct kernel_block *b = &x->kernel->blocks[slot];
    return b->life == LIFE_LIVE && !b->pins && !kernel_busy(x, slot);
}

/* ---- All of them ---------------------------------------------------------------------------------------------------- */

bool kernel_verify_all(struct exec *x, enum rule rule)
{
    const struct kernel_model *k = x->kernel;
    for (unsigned first = 0; first < k->slot_end; first += 64)
        for (uint64_t alive = k->alive[first / 64]; alive; alive &= alive - 1)
            if (!kernel_verify(x, first + (unsigned)__builtin_ctzll(alive), rule)) return false;
    return true;
}

bool kernel_verify_most(struct exec *x, enum rule rule)
{
    struct kernel_model *k = x->kernel;
    uint64_t bytes = 0;
    if (k->live_bytes <= MOST_BYTES) return kernel_verify_all(x, rule);
    for (unsigned n = 0; n < k->slot_end && bytes < MOST_BYTES; n++) {
        if (k->sweep >= k->slot_end) k->sweep = 0;
        unsigned slot = k->sweep++;
        if (!(k->alive[slot / 64] >> slot % 64 & 1)) continue;
        bytes += k->blocks[slot].request;
        if (!kernel_verify(x, slot, rule)) return false;
    }
    return true;
}

void kernel_fetch(const struct exec *x, unsigned soon, unsigned later)
{
    const struct machine *m = x->kernel->machine;
    const struct kernel_block *b = &x->kernel->blocks[soon];
    __builtin_prefetch(&x->kernel->blocks[later], 1);
    if (b->life != LIFE_LIVE || b->list != LIST_NONE || !b->frames) return;
    /* The view and the end that kernel_verify_prefix and edges choose; through the other view it is made dirty later. */
    const bool odd = b->generation % 2;
    const unsigned char *frame = machine_oracle(m, b->pfn);
    if (odd || !b->va) {
        __builtin_prefetch(frame + (odd ? m->page_bytes - EDGE_BYTES : 0), 1);
    } else {
        __builtin_prefetch(b->va, 1);
        __builtin_prefetch(frame, 1);
    }
}

/* A stretch at the beginning of one of the first pages of a block, another one each time; a small block is verified. */
static bool sweep_block(struct exec *x, unsigned slot, enum rule rule)
{
    struct kernel_model *k = x->kernel;
    const struct kernel_block *b = &k->blocks[slot];
    struct view v = view_of(x, b, k->sweep_page++ % 2);
    if (b->request <= STRETCH_BYTES || v.skew % 8 || !has_contents(b)) return kernel_verify(x, slot, rule);
    uint64_t pages = pages_of(&v, b->request), i = pages > 1 ? k->sweep_page / 2 % (pages < 4 ? pages : 4) : 0;
    uint64_t from = i ? i * v.page - v.skew : 0, to = from + EDGE_BYTES;
    if (to > b->request) to = b->request;
    if (to > (i + 1) * v.page - v.skew) to = (i + 1) * v.page - v.skew;
    exec_checked(x, rule);
    uint64_t at = piece(x, &v, from, to, VERIFY);
    return at >= to || damaged(x, b, at, rule, v.oracle);
}

bool kernel_sweep(struct exec *x, enum rule rule)
{
    struct kernel_model *k = x->kernel;
    if (!k->live) return true;
    kernel_fetch(x, (k->sweep + 1) % PROGRAM_SLOTS, (k->sweep + 4) % PROGRAM_SLOTS);
    for (unsigned words = 0; words < 2; words++) {
        if (k->sweep >= k->slot_end) k->sweep = 0;
        uint64_t alive = k->alive[k->sweep / 64] >> k->sweep % 64;
        unsigned slot = k->sweep + (alive ? (unsigned)__builtin_ctzll(alive) : 0);
        k->sweep = alive ? slot + 1 : (k->sweep | 63) + 1;
        if (alive) return sweep_block(x, slot, rule);
    }
    return true;
}
