/* annotate.c: a heap that tells sanitizers whose its bytes are; annotate.h is the manual.
 *
 * The live blocks are a hash table with linear probing, in memory of its own from mmap: whoever debugs an allocator takes
 * none from it. On the owners' side ASan is told of all of them anew after every call, which costs what is lent; memcheck
 * can be muted during a call instead, and keeps what it knows of each byte.
 */
#include "annotate.h"

#include "sanitizer.h"

#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>

struct live {
    uintptr_t base; /* 0: the place is free */
    size_t bytes;   /* as asked for */
    size_t depth;   /* of the frame that it belongs to */
};

struct annotation {
    const struct alloc_ops *inner;
    enum annotate_side side;
    unsigned char *lent; /* NULL on a host heap */
    size_t lent_bytes;
    struct live *table;
    size_t places, count;                      /* of the table: a power of two, at most half of them taken */
    size_t depth;                              /* frames pushed */
    alignas(max_align_t) unsigned char heap[]; /* the inner one's state */
};

#define PLACES_FIRST 256u

/* ---- The live blocks ------------------------------------------------------------------------------------------------- */

static size_t place_of(const struct annotation *a, uintptr_t base)
{
    size_t i = (size_t)((base >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (a->places - 1);
    while (a->table[i].base && a->table[i].base != base) i = (i + 1) & (a->places - 1);
    return i;
}

/* Doubles the table. False if and only if there is no memory for it. */
static bool grow(struct annotation *a)
{
    const size_t places = a->places ? 2 * a->places : PLACES_FIRST;
    const size_t before = a->places;
    struct live *old = a->table;
    void *p = mmap(NULL, places * sizeof *old, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return false;
    a->table = p;
    a->places = places;
    for (size_t i = 0; i < before; i++)
        if (old[i].base) a->table[place_of(a, old[i].base)] = old[i];
    if (old) munmap(old, before * sizeof *old);
    return true;
}

/* Empties the place and moves up what was only behind it because it was taken. */
static void vacate(struct annotation *a, size_t place)
{
    a->table[place].base = 0;
    a->count--;
    for (size_t i = (place + 1) & (a->places - 1); a->table[i].base; i = (i + 1) & (a->places - 1)) {
        const struct live b = a->table[i];
        a->table[i].base = 0;
        a->table[place_of(a, b.base)] = b;
    }
}

/* A block begins to live; `written`: its first bytes hold something. An address that lives already is somebody's mistake, and
 * the model's to judge. */
static void enter(struct annotation *a, void *p, size_t bytes, size_t written)
{
    if (2 * a->count >= a->places && !grow(a)) return;
    struct live *b = &a->table[place_of(a, (uintptr_t)p)];
    if (b->base) return;
    *b = (struct live){.base = (uintptr_t)p, .bytes = bytes, .depth = a->depth};
    a->count++;
    sanitizer_block_begins(p, bytes);
    if (a->side == ANNOTATE_ALLOCATOR) sanitizer_forbid(p, bytes);
    else if (written) sanitizer_allow(p, written);
}

static void end(struct annotation *a, size_t place)
{
    const struct live b = a->table[place];
    sanitizer_block_ends((void *)b.base, b.bytes);
    if (a->side == ANNOTATE_ALLOCATOR) sanitizer_allow((void *)b.base, b.bytes);
    vacate(a, place);
}

/* The block at p, which the allocator may touch from now on; of base 0 if none lives there. */
static struct live leave(struct annotation *a, const void *p)
{
    if (!p || !a->places) return (struct live){0};
    const size_t place = place_of(a, (uintptr_t)p);
    const struct live b = a->table[place];
    if (b.base) end(a, place);
    return b;
}

/* All blocks of frames as deep as this one or deeper. What vacate moves up may come to lie behind the index, when the
 * table's end is crossed: until nothing is found, then. */
static void leave_frames(struct annotation *a, size_t depth)
{
    for (bool found = a->count > 0; found;) {
        found = false;
        for (size_t i = 0; i < a->places; i++)
            while (a->table[i].base && a->table[i].depth >= depth) {
                end(a, i);
                found = true;
            }
    }
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------ */

/* Pairs around every call of the inner allocator. */
static void *begin(struct annotation *a)
{
    if (a->side == ANNOTATE_ALLOCATOR) {
        sanitizer_unmute();
    } else {
        sanitizer_mute();
        if (sanitizer_asan()) sanitizer_allow(a->lent, a->lent_bytes);
    }
    return a->heap;
}

static void done(struct annotation *a)
{
    if (a->side == ANNOTATE_ALLOCATOR) {
        sanitizer_mute();
        return;
    }
    if (sanitizer_asan()) {
        sanitizer_forbid(a->lent, a->lent_bytes);
        for (size_t i = 0; i < a->places; i++)
            if (a->table[i].base) sanitizer_allow((void *)a->table[i].base, a->table[i].bytes);
    }
    sanitizer_unmute();
}

static void *granted(struct annotation *a, void *p, size_t bytes, size_t written)
{
    if (p && (uintptr_t)p != UINTPTR_MAX) enter(a, p, bytes, written);
    done(a);
    return p;
}

static void *take(void *heap, size_t size)
{
    struct annotation *a = heap;
    void *p = a->inner->malloc(begin(a), size);
    return granted(a, p, size, 0);
}

/* Of a product that wraps there is no block. */
static void *take_zeroed(void *heap, size_t count, size_t size)
{
    struct annotation *a = heap;
    void *p = a->inner->calloc(begin(a), count, size);
    return granted(a, p, count * size, count * size);
}

static void *take_aligned(void *heap, size_t align, size_t size)
{
    struct annotation *a = heap;
    void *p = a->inner->aligned_alloc(begin(a), align, size);
    return granted(a, p, size, 0);
}

static void *take_memalign(void *heap, size_t align, size_t size)
{
    struct annotation *a = heap;
    void *p = a->inner->memalign(begin(a), align, size);
    return granted(a, p, size, 0);
}

static int take_posix(void *heap, void **out, size_t align, size_t size)
{
    struct annotation *a = heap;
    int error = a->inner->posix_memalign(begin(a), out, align, size);
    granted(a, error ? NULL : *out, size, 0);
    return error;
}

/* The block of a realloc was `was` until the call, which gave q. */
static void *moved(struct annotation *a, const struct live *was, void *q, size_t size)
{
    const bool kept = !q && (size || a->inner->contract.realloc_zero == REALLOC_ZERO_FAILS);
    if (kept && was->base) enter(a, (void *)was->base, was->bytes, was->bytes);
    return granted(a, q, size, was->bytes < size ? was->bytes : size);
}

static void *resize(void *heap, void *p, size_t size)
{
    struct annotation *a = heap;
    const struct live was = leave(a, p);
    void *q = a->inner->realloc(begin(a), p, size);
    return moved(a, &was, q, size);
}

static void *resize_array(void *heap, void *p, size_t count, size_t size)
{
    struct annotation *a = heap;
    const struct live was = leave(a, p);
    void *q = a->inner->reallocarray(begin(a), p, count, size);
    return moved(a, &was, q, count && size > SIZE_MAX / count ? SIZE_MAX : count * size);
}

static void give(void *heap, void *p)
{
    struct annotation *a = heap;
    leave(a, p);
    a->inner->free(begin(a), p);
    done(a);
}

static void give_sized(void *heap, void *p, size_t size)
{
    struct annotation *a = heap;
    leave(a, p);
    a->inner->free_sized(begin(a), p, size);
    done(a);
}

static void give_aligned_sized(void *heap, void *p, size_t align, size_t size)
{
    struct annotation *a = heap;
    leave(a, p);
    a->inner->free_aligned_sized(begin(a), p, align, size);
    done(a);
}

static size_t usable(void *heap, const void *p)
{
    struct annotation *a = heap;
    size_t bytes = a->inner->usable_size(begin(a), p);
    done(a);
    return bytes;
}

static void push(void *heap)
{
    struct annotation *a = heap;
    a->inner->frame_push(begin(a));
    a->depth++;
    done(a);
}

static void pop(void *heap)
{
    struct annotation *a = heap;
    leave_frames(a, a->depth);
    a->inner->frame_pop(begin(a));
    a->depth--;
    done(a);
}

static const char *check(void *heap)
{
    struct annotation *a = heap;
    const char *wrong = a->inner->check(begin(a));
    done(a);
    return wrong;
}

static void walk(void *heap, alloc_visit *visit, void *context)
{
    struct annotation *a = heap;
    a->inner->walk(begin(a), visit, context);
    done(a);
}

static void stats(void *heap, struct alloc_stats *out)
{
    struct annotation *a = heap;
    a->inner->stats(begin(a), out);
    done(a);
}

/* ---- The heap's life --------------------------------------------------------------------------------------------------- */

static struct {
    const struct alloc_ops *inner;
    enum annotate_side side;
    struct alloc_ops ops;
} made[ANNOTATED_MAX];

/* All that is lent is the allocator's. Bytes of a region mean nothing before it writes them, unless it counts on zeros;
 * pages, and a break's new bytes, come zeroed. */
static void lend(struct annotation *a, const struct backing *b)
{
    if (b->kind == BACKING_HOST) return;
    a->lent = b->base;
    a->lent_bytes = b->size;
    if (b->kind == BACKING_PAGES) return;
    const bool unwritten = b->kind == BACKING_REGION && !(a->inner->contract.promises & PROMISE_TRUSTS_ZERO);
    (unwritten && a->side == ANNOTATE_ALLOCATOR ? sanitizer_allow_unwritten : sanitizer_allow)(a->lent, a->lent_bytes);
}

/* The memory goes back as it came: accessible. In the place of done. */
static void close_all(struct annotation *a)
{
    if (a->side == ANNOTATE_OWNERS) sanitizer_unmute();
    sanitizer_allow(a->lent, a->lent_bytes);
    if (a->table) munmap(a->table, a->places * sizeof *a->table);
    a->table = NULL;
    a->places = a->count = 0;
}

static int start(void *heap, struct backing *backing, unsigned place)
{
    struct annotation *a = heap;
    *a = (struct annotation){.inner = made[place].inner, .side = made[place].side};
    lend(a, backing);
    if (a->side == ANNOTATE_OWNERS && !sanitizer_asan()) sanitizer_forbid(a->lent, a->lent_bytes);
    int error = a->inner->init(begin(a), backing);
    if (error) close_all(a);
    else done(a);
    return error;
}

static int reset(void *heap)
{
    struct annotation *a = heap;
    leave_frames(a, 0);
    a->depth = 0;
    int error = a->inner->reset(begin(a));
    done(a);
    return error;
}

static void stop(void *heap)
{
    struct annotation *a = heap;
    leave_frames(a, 0);
    a->inner->fini(begin(a));
    close_all(a);
}

/* clang-format off */
#define INIT(n) static int init_##n(void *heap, struct backing *backing) { return start(heap, backing, n); }
INIT(0) INIT(1) INIT(2) INIT(3) INIT(4) INIT(5) INIT(6) INIT(7)

static int (*const inits[])(void *heap, struct backing *backing) = {
    init_0, init_1, init_2, init_3, init_4, init_5, init_6, init_7,
};
/* clang-format on */
_Static_assert(sizeof inits / sizeof inits[0] == ANNOTATED_MAX, "one init for each place");

const struct alloc_ops *annotate(const struct alloc_ops *inner, enum annotate_side side)
{
    const unsigned detects = PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_DETECTS_WRITES;
    unsigned place = 0;
    while (place < ANNOTATED_MAX && made[place].inner) place++;
    if (place == ANNOTATED_MAX || inner->sbrk || inner->brk || inner->mmap || inner->munmap || inner->kernel ||
        inner->contract.backing == BACKING_MACHINE ||
        (side == ANNOTATE_OWNERS && inner->contract.backing == BACKING_HOST))
        return NULL;
    struct alloc_ops *o = &made[place].ops;
    made[place].inner = inner;
    made[place].side = side;
    *o = (struct alloc_ops){
        .abi = ALLOC_ABI,
        .name = inner->name,
        .summary = inner->summary,
        .contract = inner->contract,
        .state_size = sizeof(struct annotation) + inner->state_size,
        .init = inits[place],
        .fini = stop,
        .malloc = take,
        .free = inner->free ? give : NULL,
        .calloc = inner->calloc ? take_zeroed : NULL,
        .realloc = inner->realloc ? resize : NULL,
        .reallocarray = inner->reallocarray ? resize_array : NULL,
        .aligned_alloc = inner->aligned_alloc ? take_aligned : NULL,
        .posix_memalign = inner->posix_memalign ? take_posix : NULL,
        .memalign = inner->memalign ? take_memalign : NULL,
        .usable_size = inner->usable_size ? usable : NULL,
        .free_sized = inner->free_sized ? give_sized : NULL,
        .free_aligned_sized = inner->free_aligned_sized ? give_aligned_sized : NULL,
        .frame_push = inner->frame_push ? push : NULL,
        .frame_pop = inner->frame_pop ? pop : NULL,
        .reset = inner->reset ? reset : NULL,
        .check = inner->check ? check : NULL,
        .walk = inner->walk ? walk : NULL,
        .stats = inner->stats ? stats : NULL,
    };
    o->contract.promises &= ~detects;
    return o;
}
