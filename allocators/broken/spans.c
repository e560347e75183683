/* spans.c: a heap of size classes in which what public allocators got wrong is planted; origins.c says who did.
 *
 *     first                                                                          region
 *      |records of all spans|span: block block block ..|span|a large block ....|span|
 *
 * The region is cut into spans of 1 KiB. A span is free, or cut into blocks of one class, or the head or the tail of a run
 * of spans that is one large block. Classes are 16, 32, 48, 64, 96, 128, 192, 256 and 512 bytes; what is larger takes whole
 * spans. Free blocks of a span are linked through their first bytes; spans of a class with a free block are linked in a
 * list. An aligned block is one of a class large enough, moved up inside it: its owner's pointer is found back by the
 * span's start. Sound until it is given a bug.
 */
#include "broken.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>

/* BUG(name, rule, summary): the rule is the one that it is found by. */
#define SPANS_BUGS(BUG)                                                                                          \
    BUG(class_border_too_low, "A20", "a size equal to a class gets the class below")                             \
    BUG(class_border_to_large, "A20", "the largest class serves one byte too many")                              \
    BUG(capacity_counts_one_more, "C7", "a span has room for one block more than it has")                        \
    BUG(span_freed_too_early, "CRASH", "a span is given back with one block in use")                             \
    BUG(span_freed_stays_listed, "CRASH", "a span that is given back is still in the list of its class")         \
    BUG(full_span_listed_twice, "CRASH", "a span that was full is listed again at every free")                   \
    BUG(span_list_unlinked_one_way, "CRASH", "the list of spans is mended in one direction")                     \
    BUG(refill_crashes, "CRASH", "that there is no span left is not looked at")                                  \
    BUG(large_pages_rounded_down, "A20", "the spans of a large block are rounded down")                          \
    BUG(large_size_wraps, "A7", "rounding a large size up is not checked")                                       \
    BUG(large_size_in_32_bits, "A20", "the spans of a large block are counted from 32 bits of its size")         \
    BUG(large_free_keeps_tail, "C24", "the last span of a large block is not given back")                        \
    BUG(large_free_takes_next, "CRASH", "the span behind a large block is given back with it")                   \
    BUG(large_realloc_grows_blindly, "C7", "a large block takes the spans behind it without a look")             \
    BUG(realloc_shrinks_to_request, "A20", "a large block that shrinks keeps a span less than it needs")         \
    BUG(realloc_null_of_nothing, "A14", "realloc(NULL, 0) gives NULL where malloc(0) gives a block")             \
    BUG(realloc_copies_class, "CRASH", "as much is copied as the class of the new block holds")                  \
    BUG(realloc_of_aligned_keeps, "A20", "an aligned block is kept if its class, not what is left of it, holds") \
    BUG(aligned_usable_from_start, "C7", "the usable size of an aligned block is that of its whole class")       \
    BUG(aligned_small_is_any, "A25", "an alignment up to 64 counts as met by every class")                       \
    BUG(aligned_zero_unaligned, "A25", "no bytes need no alignment")                                             \
    BUG(aligned_above_span_dropped, "A25", "an alignment above a span's size is met by the span's")              \
    BUG(aligned_free_not_unaligned, "A20", "an aligned block is freed where its owner sees it")                  \
    BUG(aligned_size_wraps, "A29", "size and alignment are added unchecked")                                     \
    BUG(free_sized_by_size, "CRASH", "free_aligned_sized links a block by the class of its size")                \
    BUG(usable_of_null_read, "CRASH", "usable_size(NULL) looks into the record of NULL")                         \
    BUG(calloc_fresh_span_trusted, "A9", "a span that was given back counts as zero again")                      \
    BUG(calloc_clears_all_but_link, "A9", "the first bytes, where the link was, are not cleared")                \
    BUG(calloc_multiplies_late, "A9", "the product is checked after rounding")                                   \
    BUG(record_trusted_dirty, "C31", "the records of the spans are taken to be zero at the start")               \
    BUG(link_written_after_grant, "C10", "the link of a block is cleared when the next one is taken")            \
    BUG(double_grant_at_refill, "C7", "the first block of a new span is linked though it is handed out")         \
    BUG(free_links_at_end, "C10", "the link of a free block lies in its last bytes, and 8 further for 16")       \
    BUG(errno_by_refill, "A12", "freeing the last block of a span sets errno")

#define BUG_NAME(name, rule, summary) name,
enum spans_bug { SOUND, SPANS_BUGS(BUG_NAME) };
#undef BUG_NAME

#define SPAN ((size_t)1024)
#define ALIGN alignof(max_align_t)
#define LARGE_ALIGN_MAX ((size_t)4096)

enum { FREE, HEAD, TAIL };
#define CLASS0 3u /* what a span is; CLASS0 + n: of class n */
static const size_t classes[] = {16, 32, 48, 64, 96, 128, 192, 256, 512};
enum { CLASSES = sizeof classes / sizeof *classes };

struct link { /* in a free block */
    struct link *next;
};

struct span {
    struct link *free;
    struct span *next, *previous; /* of the class, while a block is free */
    uint32_t used, run;           /* blocks in use; spans of a large block */
    uint16_t kind;
    bool listed, clean; /* clean: never used since init */
};

struct spans {
    struct span *records;
    unsigned char *first; /* of the spans themselves */
    size_t count;
    struct span *partial[CLASSES];
    struct link *last; /* link_written_after_grant */
    enum spans_bug bug;
};

static bool has(const struct spans *h, enum spans_bug bug) { return h->bug == bug; }
static size_t index_of(const struct spans *h, const void *p) { return ((uintptr_t)p - (uintptr_t)h->first) / SPAN; }
static struct span *span_of(const struct spans *h, const void *p) { return &h->records[index_of(h, p)]; }
static unsigned char *start_of(const struct spans *h, const struct span *s)
{
    return h->first + (s - h->records) * (ptrdiff_t)SPAN;
}

static void *refuse(void)
{
    errno = ENOMEM;
    return NULL;
}

/* The class that holds so many bytes; CLASSES: none. */
static unsigned class_of(const struct spans *h, size_t bytes)
{
    unsigned c = 0;
    const size_t most = classes[CLASSES - 1] + has(h, class_border_to_large);
    if (bytes > most) return CLASSES;
    while (c < CLASSES - 1 && classes[c] < bytes) c++;
    return c && has(h, class_border_too_low) && bytes == classes[c] ? c - 1 : c;
}

/* ---- Spans ------------------------------------------------------------------------------------------------------- */

static void list(struct spans *h, struct span *s, unsigned c)
{
    if (s->listed && !has(h, full_span_listed_twice)) return;
    s->listed = true;
    s->previous = NULL;
    s->next = h->partial[c];
    if (s->next) s->next->previous = s;
    h->partial[c] = s;
}

static void unlist(struct spans *h, struct span *s, unsigned c)
{
    if (!s->listed) return;
    s->listed = false;
    if (s->next && !has(h, span_list_unlinked_one_way)) s->next->previous = s->previous;
    if (s->previous) s->previous->next = s->next;
    else h->partial[c] = s->next;
}

/* The first of `run` free spans in a row, on a multiple of `align` bytes; NULL: there are none. */
static struct span *find_run(const struct spans *h, size_t run, size_t align)
{
    const size_t end = h->count;
    for (size_t i = 0; run <= end && i <= end - run; i++) {
        size_t n = 0;
        if ((uintptr_t)(h->first + i * SPAN) & (align - 1)) continue;
        while (n < run && h->records[i + n].kind == FREE) n++;
        if (n == run) return &h->records[i];
    }
    return NULL;
}

static void take_run(struct span *s, size_t run)
{
    for (size_t i = 0; i < run; i++) {
        s[i].kind = i ? TAIL : HEAD;
        s[i].clean = false;
    }
    s->run = (uint32_t)run;
}

/* A span cut into blocks of class c, in the list; NULL with nothing changed if there is no span. */
static struct span *cut(struct spans *h, unsigned c)
{
    struct span *s = find_run(h, 1, 1);
    if (!s && !has(h, refill_crashes)) return NULL;
    s->kind = (uint16_t)(CLASS0 + c);
    s->free = NULL;
    s->used = 0;
    size_t n = SPAN / classes[c] + (has(h, capacity_counts_one_more) && SPAN % classes[c]);
    while (n-- > 0) {
        struct link *b = (struct link *)(void *)(start_of(h, s) + n * classes[c]);
        b->next = s->free;
        s->free = b;
    }
    s->listed = false;
    list(h, s, c);
    return s;
}

/* ---- Blocks -------------------------------------------------------------------------------------------------------- */

static void *take_large(struct spans *h, size_t bytes, size_t align)
{
    size_t run = (bytes + SPAN - 1) / SPAN;
    if (bytes > PTRDIFF_MAX - SPAN && !has(h, large_size_wraps)) return refuse();
    if (has(h, large_size_in_32_bits)) run = ((uint32_t)bytes + SPAN - 1) / SPAN;
    if (has(h, large_pages_rounded_down) && bytes % SPAN < 64) run = bytes / SPAN;
    struct span *s = find_run(h, run ? run : 1, align);
    if (!s) return refuse();
    take_run(s, run ? run : 1);
    return start_of(h, s);
}

static void *take(struct spans *h, size_t bytes)
{
    const unsigned c = class_of(h, bytes);
    if (c == CLASSES) return take_large(h, bytes, 1);
    struct span *s = h->partial[c] ? h->partial[c] : cut(h, c);
    if (!s) return refuse();
    struct link *b = s->free;
    const bool fresh = !s->used;
    if (!(has(h, double_grant_at_refill) && fresh && s->clean)) s->free = b->next;
    s->clean = s->clean && has(h, calloc_fresh_span_trusted);
    s->used++;
    if (!s->free) unlist(h, s, c);
    if (has(h, link_written_after_grant) && h->last && h->last != b && span_of(h, h->last)->kind == s->kind)
        h->last->next = NULL;
    h->last = b;
    return b;
}

static void *spans_malloc(void *heap, size_t size) { return take(heap, size); }

/* The block that p lies in: an aligned pointer is not its first byte. */
static unsigned char *block_of(const struct spans *h, const struct span *s, void *p)
{
    unsigned char *start = start_of(h, s);
    const size_t bytes = classes[s->kind - CLASS0];
    return start + (size_t)((unsigned char *)p - start) / bytes * bytes;
}

static void give_large(struct spans *h, struct span *s)
{
    size_t run = s->run - (has(h, large_free_keeps_tail) && s->run > 2);
    if (has(h, large_free_takes_next) && s->run > 1 && s + run < h->records + h->count && s[run].kind == HEAD) run++;
    for (size_t i = 0; i < run; i++) s[i].kind = FREE;
}

static void give(struct spans *h, void *p, unsigned as)
{
    struct span *s = span_of(h, p);
    if (s->kind == HEAD) {
        give_large(h, s);
        return;
    }
    const unsigned c = s->kind - CLASS0;
    struct link *b = has(h, aligned_free_not_unaligned) ? p : (void *)block_of(h, s, p);
    if (has(h, free_links_at_end) && c) memset((unsigned char *)b + classes[c], 0, sizeof b->next);
    if (as != c && h->partial[as]) s = h->partial[as]; /* free_sized_by_size */
    b->next = s->free;
    s->free = b;
    list(h, s, s->kind - CLASS0);
    if (--s->used > has(h, span_freed_too_early)) return;
    if (!has(h, span_freed_stays_listed)) unlist(h, s, s->kind - CLASS0);
    if (has(h, calloc_fresh_span_trusted)) s->clean = true;
    s->kind = FREE;
    if (has(h, errno_by_refill)) errno = ENOMEM;
}

static void spans_free(void *heap, void *p)
{
    struct spans *h = heap;
    if (!p) return;
    const struct span *s = span_of(h, p);
    give(h, p, s->kind >= CLASS0 ? s->kind - CLASS0 : 0);
}

static size_t spans_usable_size(void *heap, const void *p)
{
    const struct spans *h = heap;
    if (!p && !has(h, usable_of_null_read)) return 0;
    const struct span *s = span_of(h, p);
    if (s->kind == HEAD) return s->run * SPAN;
    const size_t bytes = classes[s->kind - CLASS0], in = ((uintptr_t)p - (uintptr_t)start_of(h, s)) % bytes;
    return bytes - (has(h, aligned_usable_from_start) ? 0 : in);
}

static void *spans_calloc(void *heap, size_t count, size_t size)
{
    struct spans *h = heap;
    size_t bytes;
    if (has(h, calloc_multiplies_late)) bytes = count * ((size + 7) & ~(size_t)7);
    else if (__builtin_mul_overflow(count, size, &bytes)) return refuse();
    const unsigned c = class_of(h, bytes);
    void *p = take(h, bytes);
    if (!p) return NULL;
    if (has(h, calloc_fresh_span_trusted) && c < CLASSES && span_of(h, p)->clean) return p;
    const size_t from = has(h, calloc_clears_all_but_link) && bytes > 64 ? sizeof(struct link) : 0;
    memset((unsigned char *)p + from, 0, bytes - from);
    return p;
}

/* ---- realloc and alignment ----------------------------------------------------------------------------------------------- */

/* A large block in place: true if it has as many spans as it needs, or they could be had. */
static bool resize_large(struct spans *h, struct span *s, size_t bytes)
{
    size_t run = bytes / SPAN + (bytes % SPAN != 0), have = s->run;
    if (has(h, realloc_shrinks_to_request) && run > 2 && run < have && bytes % SPAN) run--;
    if (run > h->count - (size_t)(s - h->records)) return false;
    for (size_t i = have; i < run; i++)
        if (s[i].kind != FREE && !has(h, large_realloc_grows_blindly)) return false;
    for (size_t i = run; i < have; i++) s[i].kind = FREE;
    take_run(s, run);
    return true;
}

static void *spans_realloc(void *heap, void *p, size_t size)
{
    struct spans *h = heap;
    if (!p) return !size && has(h, realloc_null_of_nothing) ? refuse() : take(h, size);
    if (size > PTRDIFF_MAX) return refuse();
    struct span *s = span_of(h, p);
    const bool large = s->kind == HEAD;
    size_t have = spans_usable_size(h, p);
    if (large && size > classes[CLASSES - 1] && resize_large(h, s, size)) return p;
    size_t holds = have;
    if (has(h, realloc_of_aligned_keeps) && !large) holds = classes[s->kind - CLASS0];
    if (!large && size <= holds && size * 2 >= holds) return p;
    void *q = take(h, size);
    if (!q) return NULL;
    size_t keep = have < size ? have : size;
    if (has(h, realloc_copies_class)) keep = spans_usable_size(h, q);
    memcpy(q, p, keep);
    spans_free(h, p);
    return q;
}

static void *spans_memalign(void *heap, size_t align, size_t size)
{
    struct spans *h = heap;
    if (align <= ALIGN || (has(h, aligned_small_is_any) && align <= 64)) return take(h, size);
    if (has(h, aligned_zero_unaligned) && !size) return take(h, size);
    if (has(h, aligned_above_span_dropped) && align > SPAN) align = SPAN;
    if (align > LARGE_ALIGN_MAX) return refuse();
    if (has(h, aligned_size_wraps)) size = size + align < size ? align : size;
    else if (size > PTRDIFF_MAX - align) return refuse();
    if (!size) size = 1; /* it must have an address of its own */
    if (size + align - ALIGN > classes[CLASSES - 1]) return take_large(h, size, align);
    unsigned char *p = take(h, size + align - ALIGN);
    return p ? p + (-(uintptr_t)p & (align - 1)) : NULL;
}

static void *spans_aligned_alloc(void *heap, size_t align, size_t size)
{
    if (align && !(align & (align - 1))) return spans_memalign(heap, align, size);
    errno = EINVAL;
    return NULL;
}

static void spans_free_aligned_sized(void *heap, void *p, size_t align, size_t size)
{
    struct spans *h = heap;
    const unsigned c = class_of(h, size);
    (void)align;
    if (!p || !has(h, free_sized_by_size) || c == CLASSES) spans_free(h, p);
    else give(h, p, c);
}

/* ---- The rest of the interface -------------------------------------------------------------------------------------------- */

static int start(void *heap, struct backing *backing, enum spans_bug bug)
{
    struct spans *h = heap;
    if (backing->kind != BACKING_REGION) return EINVAL;
    *h = (struct spans){.bug = bug};
    const uintptr_t mask = alignof(struct span) - 1, base = ((uintptr_t)backing->base + mask) & ~mask;
    const size_t lost = base - (uintptr_t)backing->base + SPAN;
    if (backing->size < lost + 2 * SPAN) return ENOMEM;
    h->records = (struct span *)base;
    h->count = (backing->size - lost) / (SPAN + sizeof *h->records);
    h->first = (unsigned char *)((base + h->count * sizeof *h->records + SPAN - 1) & ~(uintptr_t)(SPAN - 1));
    for (size_t i = 0; i < h->count; i++) {
        if (!has(h, record_trusted_dirty)) h->records[i] = (struct span){.kind = FREE, .clean = true};
    }
    return 0;
}

static int init_sound(void *heap, struct backing *backing) { return start(heap, backing, SOUND); }
static void spans_fini(void *heap) { (void)heap; }

const struct alloc_ops alloc_spans = {
    .abi = ALLOC_ABI,
    .name = "spans",
    .summary = "size classes in spans of a region",
    .contract = {.backing = BACKING_REGION,
                 .align_min = ALIGN,
                 .align_max = LARGE_ALIGN_MAX,
                 .zero_size = ZERO_SIZE_UNIQUE,
                 .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED |
                             PROMISE_REUSES | PROMISE_DRAINS,
                 .size_min_bytes = 4 * SPAN,
                 /* init writes a record for each span */
                 .size_max_bytes = (size_t)1 << 24},
    .state_size = sizeof(struct spans),
    .init = init_sound,
    .fini = spans_fini,
    .malloc = spans_malloc,
    .free = spans_free,
    .calloc = spans_calloc,
    .realloc = spans_realloc,
    .aligned_alloc = spans_aligned_alloc,
    .memalign = spans_memalign,
    .usable_size = spans_usable_size,
    .free_aligned_sized = spans_free_aligned_sized,
};

/* ---- The canaries --------------------------------------------------------------------------------------------------- */

#define BUG_PATCH(name, rule, summary)                                                        \
    static int init_##name(void *heap, struct backing *b) { return start(heap, b, name); }    \
    static void patch_##name(struct alloc_ops *ops)                                           \
    {                                                                                         \
        ops->init = init_##name;                                                              \
        if (name == calloc_fresh_span_trusted) ops->contract.promises |= PROMISE_TRUSTS_ZERO; \
    }
SPANS_BUGS(BUG_PATCH)

#define BUG_ROW(name, rule, summary) {#name, rule, summary, &alloc_spans, patch_##name},
const struct canary broken_spans[] = {SPANS_BUGS(BUG_ROW){0}};
