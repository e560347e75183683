/* stack.c: alloca as an allocator.
 *
 * A stack grows downwards through a fixed region. A block is taken from the newest frame and lives until that frame is
 * popped; nothing else releases it. Both ends of a block are multiples of ALIGN, and its record lies directly below
 * its payload, so the whole stack can be read from its top upwards, newest block first:
 *
 *     base                  top                                                                 end
 *      | never used yet      | record | payload (newest) | record | payload | ... | record | payload | slack |
 *      low addresses          frames=1                    frames=0                 frames=2
 *
 * A record says how many frames were opened between the block above it and its own block. So a frame costs nothing by
 * itself: opening one is counted in the heap's state until a block comes to carry the count, and no depth of calls is
 * too great. Popping a frame walks over its blocks, each of which was pushed once: constant time, amortised.
 *
 * Bounds: malloc is O(1); a block of n bytes costs n rounded up to ALIGN plus sizeof(struct record); the two ends of
 * the region lose at most ALIGN - 1 bytes each. A block that does not fit is reported as a stack overflow, which the
 * real alloca cannot do (A32): there the guard page below the stack is all that stands between it and other memory.
 */
#include "builtin.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>

struct record {
    alignas(max_align_t) size_t bytes; /* of the payload, a multiple of ALIGN */
    size_t frames;                     /* opened since the block above was taken */
};

/* No less than a record, so that there is room for one wherever there is room at all. There are machines on which no type
 * asks for as much. */
#define ALIGN sizeof(struct record)
static_assert(ALIGN % alignof(max_align_t) == 0, "payloads are aligned for all types");

struct stack {
    struct backing *backing;
    unsigned char *floor;   /* no record lies below */
    unsigned char *top;     /* the newest record; the ceiling of an empty stack */
    unsigned char *ceiling; /* the oldest block ends here */
    size_t frames;          /* opened since the newest block was taken */
};

static struct record *record_at(unsigned char *p) { return (struct record *)(void *)p; }

static unsigned char *record_end(struct record *r) { return (unsigned char *)(r + 1) + r->bytes; }

static int stack_reset(void *heap)
{
    struct stack *s = heap;
    s->top = s->ceiling;
    s->frames = 0;
    return 0;
}

static int stack_init(void *heap, struct backing *backing)
{
    struct stack *s = heap;
    if (backing->kind != BACKING_REGION) return EINVAL;
    size_t below = -(uintptr_t)backing->base & (ALIGN - 1);
    size_t above = (uintptr_t)(backing->base + backing->size) & (ALIGN - 1);
    if (backing->size < below + above) return ENOMEM;
    s->backing = backing;
    s->floor = backing->base + below;
    s->ceiling = backing->base + backing->size - above;
    return stack_reset(s);
}

static void stack_fini(void *heap) { (void)heap; }

static void *stack_malloc(void *heap, size_t size)
{
    struct stack *s = heap;
    size_t room = (size_t)(s->top - s->floor); /* a multiple of ALIGN, so rounding a size within it cannot wrap */
    if (room < sizeof(struct record) || size > room - sizeof(struct record)) {
        s->backing->report(s->backing, REPORT_STACK_OVERFLOW, NULL);
        return NULL;
    }
    size_t bytes = (size + ALIGN - 1) & ~(ALIGN - 1);
    s->top -= sizeof(struct record) + bytes;
    struct record *r = record_at(s->top);
    *r = (struct record){.bytes = bytes, .frames = s->frames};
    s->frames = 0;
    return r + 1;
}

static size_t stack_usable_size(void *heap, const void *p)
{
    (void)heap;
    return p == NULL ? 0 : ((const struct record *)p - 1)->bytes;
}

static void stack_frame_push(void *heap)
{
    struct stack *s = heap;
    s->frames++;
}

static void stack_frame_pop(void *heap)
{
    struct stack *s = heap;
    while (s->frames == 0 && s->top < s->ceiling) {
        struct record *r = record_at(s->top);
        s->frames = r->frames;
        s->top = record_end(r);
    }
    if (s->frames > 0) s->frames--; /* else the frame that init opened: it stays, empty */
}

static const char *stack_check(void *heap)
{
    struct stack *s = heap;
    if (s->top < s->floor || s->top > s->ceiling) return "the top lies between floor and ceiling";
    unsigned char *p = s->top;
    while (p < s->ceiling) {
        size_t above = (size_t)(s->ceiling - p);
        if (above < sizeof(struct record)) return "the blocks end at the ceiling";
        struct record *r = record_at(p);
        if (r->bytes % ALIGN != 0) return "a block's size is a multiple of the alignment";
        if (r->bytes > above - sizeof *r) return "the blocks end at the ceiling";
        p = record_end(r);
    }
    return NULL;
}

static void stack_walk(void *heap, alloc_visit *visit, void *context)
{
    struct stack *s = heap;
    struct alloc_block unused = {.base = s->floor, .size = (size_t)(s->top - s->floor), .state = BLOCK_FREE};
    if (unused.size > 0 && !visit(context, &unused)) return;
    for (unsigned char *p = s->top; p < s->ceiling;) {
        struct record *r = record_at(p);
        struct alloc_block block = {.base = r, .size = sizeof *r + r->bytes, .payload = r + 1, .state = BLOCK_USED};
        p = record_end(r);
        if (!visit(context, &block)) return;
    }
}

static void stack_stats(void *heap, struct alloc_stats *out)
{
    struct stack *s = heap;
    size_t room = (size_t)(s->top - s->floor);
    *out = (struct alloc_stats){.footprint_bytes = s->backing->size};
    if (room >= sizeof(struct record)) {
        out->free_bytes = room - sizeof(struct record);
        out->free_blocks = 1;
    }
    for (unsigned char *p = s->top; p < s->ceiling; p = record_end(record_at(p))) out->used_blocks++;
}

const struct alloc_ops alloc_stack = {
    .abi = ALLOC_ABI,
    .name = "stack",
    .summary = "frames of blocks in one region, newest lowest: alloca as an allocator",
    .contract =
        {
            .backing = BACKING_REGION,
            .align_min = ALIGN,
            .align_max = ALIGN,
            .zero_size = ZERO_SIZE_UNIQUE,
            .promises = PROMISE_ALIGN_SMALL | PROMISE_FRAMES | PROMISE_DETERMINISTIC,
            .header_bytes = sizeof(struct record),
            .overhead_bytes = 2 * (ALIGN - 1),
            .waste_max_bytes = ALIGN - 1,
            .size_min_bytes = 2 * (ALIGN - 1),
        },
    .state_size = sizeof(struct stack),
    .init = stack_init,
    .fini = stack_fini,
    .malloc = stack_malloc,
    .usable_size = stack_usable_size,
    .frame_push = stack_frame_push,
    .frame_pop = stack_frame_pop,
    .reset = stack_reset,
    .check = stack_check,
    .walk = stack_walk,
    .stats = stack_stats,
};
