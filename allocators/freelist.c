/* freelist: the textbook malloc. First fit on an explicit free list over a program break, with boundary tags.
 *
 *     base      first                                                              end = break
 *      |  pad   |header|payload......|header|links|.........|header|payload..........|
 *               |<---- used block -->|<---- free block ---->|<----- used block ----->|
 *
 * Every block begins with a header: the size of the block before it (its boundary tag) and its own size with two bits.
 * The payload follows directly, so that free finds the header by stepping back (SEMANTICS A23), and both neighbours of
 * a block are one addition away. A free block keeps its two list links where its payload was.
 *
 *   malloc   walks the free list and takes the first block that is large enough; what is left over becomes a free block
 *            of its own if it can hold a header and a smallest payload. The last block of the heap, when it is free, is
 *            not on the list: this wilderness serves only what no other block can, and the break grows by just what it
 *            lacks. So a heap that has been emptied decides as a fresh one does (C24). O(number of free blocks).
 *   free     merges the block with whichever neighbours are free and puts the result at the head of the list. O(1): all
 *            neighbours are merged at all times, so nothing is ever refused for want of merging (A24, C27, C31).
 *
 * D. E. Knuth, The Art of Computer Programming, vol. 1, 2.5, algorithms A and C, is the source of both ideas. Space lost:
 * one header a block, at most alignment - 1 bytes of rounding, and at most one remainder too small to be a block.
 * Memory is never given back to the break. If somebody else moves the break (A40), the heap goes on behind what they took
 * in a new segment, which begins with a record of itself; blocks of different segments are never merged.
 */
#include "alloc.h"

#include <errno.h>
#include <string.h>

#define USED ((size_t)1) /* bits below the alignment of every size */
#define END ((size_t)2)  /* the block ends a segment that is not the newest: nothing of ours is behind it */
#define FLAGS (USED | END)

struct header {
    _Alignas(max_align_t) size_t before; /* bytes of the block before this one, 0 for the first */
    size_t size;                         /* bytes of this block with its header, | FLAGS */
};

/* Of blocks and of their sizes: no less than a header, so that whatever is left of a block has room for one. There are
 * machines on which no type asks for as much. */
#define ALIGN sizeof(struct header)

struct links { /* of a free block, in its payload */
    struct header *next, *previous;
};

struct segment { /* a piece of the break without a gap; all but the oldest begin with this record */
    struct segment *next;
    struct header *first;
    unsigned char *end; /* where the last block ends; of the newest segment, heap.end says so */
};

struct heap {
    struct backing *backing;
    struct segment oldest; /* oldest.first is NULL before the first growth */
    struct segment *newest;
    unsigned char *end;  /* where the last block ends: the break, unless somebody else moved it */
    size_t last;         /* size of the last block: the boundary tag of the end */
    struct header *free; /* most recently freed first */
};

#define HEADER sizeof(struct header)
#define RECORD ((sizeof(struct segment) + ALIGN - 1) / ALIGN * ALIGN)
#define BLOCK_MIN (HEADER + (sizeof(struct links) + ALIGN - 1) / ALIGN * ALIGN)
_Static_assert(ALIGN % _Alignof(max_align_t) == 0, "payloads are aligned for all types");
_Static_assert(BLOCK_MIN >= HEADER + sizeof(struct links), "a free block can hold its links");

static size_t size_of(const struct header *b) { return b->size & ~FLAGS; }
static bool is_used(const struct header *b) { return b->size & USED; }
static void *payload_of(struct header *b) { return b + 1; }
static struct header *header_of(const void *p) { return (struct header *)((uintptr_t)p - HEADER); }
static struct header *behind(const struct header *b) { return (struct header *)((uintptr_t)b + size_of(b)); }
static struct header *before(const struct header *b) { return (struct header *)((uintptr_t)b - b->before); }
static struct links *links_of(struct header *b) { return payload_of(b); }

static size_t align_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }

/* The block size that a request needs; 0 if there is no such size. */
static size_t block_for(size_t request)
{
    if (request > PTRDIFF_MAX - HEADER - ALIGN) return 0;
    size_t size = HEADER + align_up(request, ALIGN);
    return size < BLOCK_MIN ? BLOCK_MIN : size;
}

static bool is_last(const struct heap *h, const struct header *b) { return (unsigned char *)b + size_of(b) == h->end; }

/* The free list holds every free block but the last of the heap. */
static void list_insert(struct heap *h, struct header *b)
{
    if (is_last(h, b)) {
        if (size_of(b) >= BLOCK_MIN) *links_of(b) = (struct links){0}; /* no trace of the past (PROMISE_FORGETS) */
        return;
    }
    *links_of(b) = (struct links){.next = h->free};
    if (h->free) links_of(h->free)->previous = b;
    h->free = b;
}

static void list_remove(struct heap *h, struct header *b)
{
    if (is_last(h, b)) return;
    const struct links *l = links_of(b);
    if (l->next) links_of(l->next)->previous = l->previous;
    if (l->previous) links_of(l->previous)->next = l->next;
    else h->free = l->next;
}

/* Gives b a new size and tells whoever stands behind it. END is among the flags if the new end is an old segment's. */
static void set_size(struct heap *h, struct header *b, size_t size, size_t flags)
{
    b->size = size | flags;
    if ((unsigned char *)b + size == h->end) h->last = size;
    else if (!(flags & END)) behind(b)->before = size;
}

static struct header *free_neighbour(const struct heap *h, const struct header *b)
{
    if ((b->size & END) || is_last(h, b)) return NULL;
    struct header *next = behind(b);
    return is_used(next) ? NULL : next;
}

/* Puts an unlisted block on the free list, merged with its free neighbours. */
static void release(struct heap *h, struct header *b)
{
    size_t size = size_of(b), end = b->size & END;
    struct header *next = free_neighbour(h, b);
    if (next) {
        list_remove(h, next);
        size += size_of(next);
        end = next->size & END;
    }
    /* Cleared before a merge hides this header inside a larger block, so that a second free of it is recognised. */
    b->size &= ~FLAGS;
    if (b->before && !is_used(before(b))) {
        b = before(b);
        list_remove(h, b);
        size += size_of(b);
    }
    set_size(h, b, size, end);
    list_insert(h, b);
}

/* Makes the unlisted block b a used one of `size` bytes; what is left over stays free if it can be a block or join one. The
 * wilderness needs no links: it may be as small as a header, so that a block from it ends where it would in a fresh heap. */
static void *use(struct heap *h, struct header *b, size_t size)
{
    size_t left = size_of(b) - size, end = b->size & END;
    if (!left || (left < BLOCK_MIN && !is_last(h, b) && !free_neighbour(h, b))) {
        set_size(h, b, size_of(b), USED | end);
        return payload_of(b);
    }
    struct header *rest = (struct header *)((uintptr_t)b + size);
    set_size(h, rest, left, end);
    set_size(h, b, size, USED);
    release(h, rest);
    return payload_of(b);
}

/* The last block of the heap, if it is free. */
static struct header *wilderness(const struct heap *h)
{
    struct header *last = h->newest ? (struct header *)(h->end - h->last) : NULL;
    return last && !is_used(last) ? last : NULL;
}

/* Nobody else has moved the break since the heap grew last; there must be a block. */
static bool is_contiguous(const struct heap *h) { return h->backing->sbrk(h->backing, 0) == h->end; }

/* Where grow() puts the block it returns. */
static struct header *growth_start(const struct heap *h)
{
    unsigned char *now = h->backing->sbrk(h->backing, 0);
    if (now == h->end) return (struct header *)now;
    /* A new segment: it starts at the next aligned address, with its record unless it is the first. */
    return (struct header *)(now + (-(uintptr_t)now & (ALIGN - 1)) + (h->newest ? RECORD : 0));
}

/* Closes the newest segment, if there is one, and opens another whose first block is b. */
static void new_segment(struct heap *h, struct header *b, size_t bytes)
{
    struct segment *s = h->newest ? (struct segment *)((uintptr_t)b - RECORD) : &h->oldest;
    struct header *last = h->newest ? (struct header *)(h->end - h->last) : NULL;
    if (last) {
        h->newest->end = h->end;
        h->newest->next = s;
        last->size |= END;
    }
    *s = (struct segment){.first = b};
    h->newest = s;
    h->end = (unsigned char *)b + bytes;
    if (!last || is_used(last)) return;
    /* The wilderness is one no longer: it goes on the list, or to waste if it cannot hold the links. */
    if (size_of(last) < BLOCK_MIN) last->size |= USED;
    else list_insert(h, last);
}

/* Lengthens the heap by `bytes`, a multiple of ALIGN, and returns the new bytes as one unlisted free block. NULL with
 * nothing changed if the break cannot grow. */
static struct header *grow(struct heap *h, size_t bytes)
{
    struct backing *m = h->backing;
    unsigned char *now = m->sbrk(m, 0);
    struct header *b = growth_start(h);
    size_t before_b = (size_t)((unsigned char *)b - now);
    bool contiguous = now == h->end;
    if (bytes > PTRDIFF_MAX - before_b || m->sbrk(m, (ptrdiff_t)(before_b + bytes)) == SBRK_FAILED) return NULL;
    b->before = contiguous ? h->last : 0;
    if (contiguous) h->end += bytes;
    else new_segment(h, b, bytes);
    set_size(h, b, bytes, 0);
    return b;
}

/* An unlisted free block of at least `size` bytes from the end of the heap, or NULL with nothing changed. */
static struct header *extend(struct heap *h, size_t size)
{
    struct header *last = wilderness(h);
    if (last && size_of(last) >= size) return last;
    if (!last || !is_contiguous(h)) return grow(h, size);
    if (!grow(h, size - size_of(last))) return NULL;
    set_size(h, last, size, 0);
    return last;
}

static void *fl_malloc(void *heap, size_t request)
{
    struct heap *h = heap;
    size_t size = block_for(request);
    struct header *b = size ? h->free : NULL;
    while (b && size_of(b) < size) b = links_of(b)->next;
    if (b) list_remove(h, b);
    else if (!size || !(b = extend(h, size))) {
        errno = ENOMEM;
        return NULL;
    }
    return use(h, b, size);
}

/* ---- Frees ------------------------------------------------------------------------------------------------------- */

static const struct segment *segment_of(const struct heap *h, const void *p)
{
    const struct segment *s = &h->oldest;
    for (; s; s = s->next)
        if ((uintptr_t)p >= (uintptr_t)s->first && (uintptr_t)p < (uintptr_t)(s->next ? s->end : h->end)) return s;
    return NULL;
}

/* Does a block of the heap begin at b? That a header stands there is told by its size, which must lead to a boundary tag
 * that says the same, or to the end of a segment; random bytes do not agree so. */
static bool is_block(const struct heap *h, const struct header *b)
{
    const struct segment *s = segment_of(h, b);
    if (!s || (uintptr_t)b % ALIGN) return false;
    size_t size = size_of(b), room = (size_t)((s->next ? s->end : h->end) - (const unsigned char *)b);
    if (size < BLOCK_MIN || size % ALIGN || size > room) return false;
    if (s->next && size == room) return b->size & END;
    return (size == room ? h->last : behind(b)->before) == size;
}

/* The used block whose payload is p; or NULL with the caller's error reported. */
static struct header *block_of(struct heap *h, const void *p)
{
    struct header *b = header_of(p);
    if (is_block(h, b) && is_used(b)) return b;
    h->backing->report(h->backing, is_block(h, b) ? REPORT_DOUBLE_FREE : REPORT_BAD_FREE, p);
    return NULL;
}

static void fl_free(void *heap, void *p)
{
    struct heap *h = heap;
    struct header *b = p ? block_of(h, p) : NULL;
    if (b) release(h, b);
}

static void fl_free_sized(void *heap, void *p, size_t request)
{
    struct heap *h = heap;
    struct header *b = p ? block_of(h, p) : NULL;
    if (!b) return;
    /* Only the block's size is on record: a size that would have been given another block is certainly wrong. So is one that
     * is too large, or no size at all: what is left then is no remainder either, but huge or the whole block. */
    if (size_of(b) - block_for(request) >= BLOCK_MIN) h->backing->report(h->backing, REPORT_BAD_FREE, p);
    else release(h, b);
}

static void fl_free_aligned_sized(void *heap, void *p, size_t align, size_t request)
{
    (void)align;
    fl_free_sized(heap, p, request);
}

static size_t fl_usable_size(void *heap, const void *p)
{
    (void)heap;
    return p ? size_of(header_of(p)) - HEADER : 0;
}

/* ---- The rest of the malloc family -------------------------------------------------------------------------------- */

static void *fl_calloc(void *heap, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = fl_malloc(heap, bytes);
    return p ? memset(p, 0, bytes) : NULL; /* always: the block may be a recycled one */
}

/* Makes the used block b `size` bytes long where it stands, out of a free block behind it or of the break. */
static bool resize_in_place(struct heap *h, struct header *b, size_t size)
{
    size_t have = size_of(b);
    if (have < size) {
        struct header *next = free_neighbour(h, b);
        size_t with_next = have + (next ? size_of(next) : 0), end = (next ? next : b)->size & END;
        bool at_end = (unsigned char *)b + with_next == h->end;
        if (with_next >= size) {
            list_remove(h, next);
        } else {
            if (!at_end || !is_contiguous(h) || !grow(h, size - with_next)) return false;
            with_next = size; /* over the wilderness, which is on no list */
        }
        set_size(h, b, with_next, end); /* use() sets the rest */
    }
    use(h, b, size);
    return true;
}

static void *fl_realloc(void *heap, void *p, size_t request)
{
    struct heap *h = heap;
    if (!p) return fl_malloc(heap, request);
    struct header *b = block_of(h, p);
    if (!b) return NULL;
    size_t size = block_for(request);
    if (size && resize_in_place(h, b, size)) return p;
    void *q = fl_malloc(heap, request);
    if (!q) return NULL;
    memcpy(q, p, size_of(b) - HEADER); /* it grew, or it would have stayed in place */
    release(h, b);
    return q;
}

static void *fl_reallocarray(void *heap, void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return fl_realloc(heap, p, bytes);
}

/* How far into the free block b an aligned payload's header would stand: 0, or enough for a block of its own. */
static size_t lead_of(struct header *b, size_t align)
{
    uintptr_t payload = (uintptr_t)payload_of(b);
    size_t lead = (size_t)(-payload & (align - 1));
    while (lead && lead < BLOCK_MIN) lead += align;
    return lead;
}

static bool holds(struct header *b, size_t align, size_t size)
{
    return size_of(b) >= size && size_of(b) - size >= lead_of(b, align);
}

static void *aligned(struct heap *h, size_t align, size_t request)
{
    size_t size = block_for(request);
    if (!size || align > PTRDIFF_MAX - BLOCK_MIN - size) {
        errno = ENOMEM;
        return NULL;
    }
    struct header *b = h->free, *last = wilderness(h);
    while (b && !holds(b, align, size)) b = links_of(b)->next;
    if (b) list_remove(h, b);
    else if (last && holds(last, align, size)) b = last;
    else if (last && is_contiguous(h)) b = extend(h, lead_of(last, align) + size);
    else b = grow(h, lead_of(growth_start(h), align) + size);
    if (!b) {
        errno = ENOMEM;
        return NULL;
    }
    size_t lead = lead_of(b, align), whole = size_of(b), end = b->size & END;
    if (lead) {
        struct header *front = b;
        b = (struct header *)((uintptr_t)b + lead);
        set_size(h, b, whole - lead, USED | end);
        front->size = lead;
        release(h, front);
    }
    return use(h, b, size);
}

static bool power_of_two(size_t n) { return n && !(n & (n - 1)); }

static void *fl_aligned_alloc(void *heap, size_t align, size_t request)
{
    if (power_of_two(align)) return aligned(heap, align, request);
    errno = EINVAL;
    return NULL;
}

static int fl_posix_memalign(void *heap, void **out, size_t align, size_t request)
{
    if (!power_of_two(align) || align % sizeof(void *)) return EINVAL;
    int saved = errno;
    void *p = aligned(heap, align, request);
    errno = saved; /* the result is the return value; errno is not the channel */
    if (!p) return ENOMEM;
    *out = p;
    return 0;
}

/* ---- Life and inspection ------------------------------------------------------------------------------------------ */

/* Gives all of the break back, unless somebody else has moved it: then what lies below is lost. */
static int fl_reset(void *heap)
{
    struct heap *h = heap;
    if (h->newest == &h->oldest && is_contiguous(h)) h->backing->brk(h->backing, h->backing->base);
    *h = (struct heap){.backing = h->backing};
    return 0;
}

static int fl_init(void *heap, struct backing *backing)
{
    if (backing->kind != BACKING_BREAK) return EINVAL;
    ((struct heap *)heap)->backing = backing;
    return 0;
}

static void fl_fini(void *heap) { (void)heap; }

static const char *check_segment(const struct heap *h, const struct segment *s, size_t *free_blocks)
{
    size_t last = 0;
    const unsigned char *end = s->next ? s->end : h->end;
    for (struct header *b = s->first; (unsigned char *)b != end; b = behind(b)) {
        size_t size = size_of(b);
        if (size < HEADER || size % ALIGN || size > (size_t)(end - (unsigned char *)b))
            return "block size out of range";
        if (b->before != last) return "boundary tag differs from the size of the block before";
        if (!is_used(b) && last && !is_used(before(b))) return "two free neighbours";
        last = size;
        *free_blocks += !is_used(b) && !is_last(h, b);
    }
    return s->next || h->last == last ? NULL : "boundary tag of the end differs from the last block's size";
}

static const char *fl_check(void *heap)
{
    struct heap *h = heap;
    size_t free_blocks = 0;
    for (const struct segment *s = &h->oldest; s; s = s->next) {
        const char *broken = check_segment(h, s, &free_blocks);
        if (broken) return broken;
    }
    struct header *previous = NULL;
    for (struct header *b = h->free; b; previous = b, b = links_of(b)->next) {
        if (free_blocks-- == 0) return "free list longer than the heap has free blocks, or circular";
        if (!is_block(h, b)) return "free list leaves the heap";
        if (is_used(b)) return "used block on the free list";
        if (is_last(h, b)) return "wilderness on the free list";
        if (links_of(b)->previous != previous) return "free list links disagree";
    }
    return free_blocks ? "free block not on the free list" : NULL;
}

static void fl_walk(void *heap, alloc_visit *visit, void *context)
{
    struct heap *h = heap;
    for (const struct segment *s = &h->oldest; s; s = s->next) {
        const unsigned char *end = s->next ? s->end : h->end;
        struct alloc_block record = {.base = s, .size = RECORD, .state = BLOCK_META};
        if (s != &h->oldest && !visit(context, &record)) return;
        for (struct header *b = s->first; (unsigned char *)b != end; b = behind(b)) {
            struct alloc_block block = {.base = b, .size = size_of(b), .state = is_used(b) ? BLOCK_USED : BLOCK_FREE};
            if (block.size < BLOCK_MIN && is_used(b)) block.state = BLOCK_META; /* waste before a gap */
            if (block.state == BLOCK_USED) block.payload = payload_of(b);
            if (!visit(context, &block) || block.size == 0) return;
        }
    }
}

static bool count_block(void *context, const struct alloc_block *b)
{
    struct alloc_stats *s = context;
    s->footprint_bytes += b->size;
    s->used_blocks += b->state == BLOCK_USED;
    if (b->state == BLOCK_FREE) {
        s->free_blocks++;
        s->free_bytes += b->size > HEADER ? b->size - HEADER : 0;
    }
    return true;
}

static void fl_stats(void *heap, struct alloc_stats *out)
{
    *out = (struct alloc_stats){0};
    fl_walk(heap, count_block, out);
}

const struct alloc_ops alloc_freelist = {
    .abi = ALLOC_ABI,
    .name = "freelist",
    .summary = "first fit over a growing break, boundary tags, merges at once",
    .contract = {.backing = BACKING_BREAK,
                 .align_min = ALIGN,
                 .align_max = (size_t)1 << 30,
                 .zero_size = ZERO_SIZE_UNIQUE,
                 .realloc_zero = REALLOC_ZERO_UNIQUE,
                 .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED |
                             PROMISE_MERGES | PROMISE_EXPLAINED | PROMISE_REUSES | PROMISE_STEADY | PROMISE_CONST_FREE |
                             PROMISE_DETERMINISTIC | PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_SPLITS |
                             PROMISE_DRAINS | PROMISE_FORGETS,
                 .header_bytes = HEADER,
                 .block_min_bytes = BLOCK_MIN - HEADER,
                 .overhead_bytes = ALIGN - 1,
                 .waste_max_bytes = BLOCK_MIN - HEADER + BLOCK_MIN - ALIGN},
    .state_size = sizeof(struct heap),
    .init = fl_init,
    .fini = fl_fini,
    .malloc = fl_malloc,
    .free = fl_free,
    .calloc = fl_calloc,
    .realloc = fl_realloc,
    .reallocarray = fl_reallocarray,
    .aligned_alloc = fl_aligned_alloc,
    .posix_memalign = fl_posix_memalign,
    .memalign = fl_aligned_alloc,
    .usable_size = fl_usable_size,
    .free_sized = fl_free_sized,
    .free_aligned_sized = fl_free_aligned_sized,
    .reset = fl_reset,
    .check = fl_check,
    .walk = fl_walk,
    .stats = fl_stats,
};
