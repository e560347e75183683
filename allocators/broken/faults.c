/* faults.c: canaries that go wrong only where a request for memory was refused, or the second of two.
 *
 * Those over the freelist stand between it and its backing, so that they know of each refusal; those over the kernel
 * families look for the fault among the events of the call.
 */
#include "broken.h"

#include "builtin.h"
#include "kernel_wrapper.h"
#include "vmalloc_internal.h"
#include "wrapper.h"

#include <errno.h>

/* ---- Over the freelist ------------------------------------------------------------------------------------------------ */

struct between {
    struct backing face; /* what the freelist gets for its backing */
    struct backing *real;
    unsigned refused; /* requests */
    bool deaf;        /* to all requests, from the first refused one on */
};

static struct between *between_of(void *heap)
{
    return (struct between *)(void *)((unsigned char *)heap + memory_offset());
}

static struct backing *real_of(struct backing *b) { return ((struct between *)(void *)b)->real; }

static void *sbrk_counted(struct backing *b, ptrdiff_t delta_bytes)
{
    struct between *w = (struct between *)(void *)b;
    void *old = w->real->sbrk(w->real, delta_bytes);
    w->refused += old == SBRK_FAILED;
    return old;
}

static int brk_passed(struct backing *b, void *end) { return real_of(b)->brk(real_of(b), end); }

static void report_passed(struct backing *b, enum alloc_report kind, const void *where)
{
    real_of(b)->report(real_of(b), kind, where);
}

static int init_between(void *heap, struct backing *backing)
{
    struct between *w = between_of(heap);
    *w = (struct between){.face = *backing, .real = backing};
    w->face.sbrk = sbrk_counted;
    w->face.brk = brk_passed;
    w->face.report = report_passed;
    return alloc_freelist.init(heap, &w->face);
}

static void stand_between(struct alloc_ops *ops)
{
    ops->state_size = memory_offset() + sizeof(struct between);
    ops->init = init_between;
    ops->reset = NULL;
}

/* Growth in two steps, of which the first stays when the second is refused. */
static void *sbrk_by_halves(struct backing *b, ptrdiff_t delta_bytes)
{
    struct backing *real = real_of(b);
    ptrdiff_t half = delta_bytes > 64 ? delta_bytes / 2 & ~(ptrdiff_t)15 : 0;
    void *old = real->sbrk(real, half);
    if (old == SBRK_FAILED || real->sbrk(real, delta_bytes - half) == SBRK_FAILED) return SBRK_FAILED;
    return old;
}

static int init_by_halves(void *heap, struct backing *backing)
{
    int error = init_between(heap, backing);
    between_of(heap)->face.sbrk = sbrk_by_halves;
    return error;
}

static void grows_by_halves(struct alloc_ops *ops)
{
    stand_between(ops);
    hide_inside(ops);
    drop_thrift_but(ops, PROMISE_MERGES);
    ops->init = init_by_halves;
}

/* After a refusal nothing is asked for any more. */
static void *sbrk_once_refused(struct backing *b, ptrdiff_t delta_bytes)
{
    struct between *w = (struct between *)(void *)b;
    errno = ENOMEM;
    if (w->deaf && delta_bytes > 0) return SBRK_FAILED;
    void *old = w->real->sbrk(w->real, delta_bytes);
    w->deaf = w->deaf || old == SBRK_FAILED;
    return old;
}

static int init_once_refused(void *heap, struct backing *backing)
{
    int error = init_between(heap, backing);
    between_of(heap)->face.sbrk = sbrk_once_refused;
    return error;
}

static void never_asks_again(struct alloc_ops *ops)
{
    stand_between(ops);
    ops->init = init_once_refused;
}

static void *malloc_with_errno(void *heap, size_t size)
{
    struct between *w = between_of(heap);
    unsigned before = w->refused;
    void *p = alloc_freelist.malloc(heap, size);
    if (!p && w->refused != before && size < w->face.size / 2) errno = EAGAIN;
    return p;
}

static void wrong_errno(struct alloc_ops *ops)
{
    stand_between(ops);
    ops->malloc = malloc_with_errno;
}

/* What the heap could have grown by, had it not been refused on demand. */
static bool had_room(struct between *w, size_t size)
{
    size_t left = (size_t)(w->face.base + w->face.size - (unsigned char *)w->real->sbrk(w->real, 0));
    return size < left / 2;
}

/* A block whose growth is refused is let go of. */
static void *realloc_letting_go(void *heap, void *p, size_t size)
{
    struct between *w = between_of(heap);
    unsigned before = w->refused;
    void *q = alloc_freelist.realloc(heap, p, size);
    if (q || !p || w->refused == before || !had_room(w, size)) return q;
    alloc_freelist.free(heap, p);
    errno = ENOMEM;
    return NULL;
}

/* What becomes of a block that its owner still has is not what these are to be found by. */
static void report_dropped(struct backing *b, enum alloc_report kind, const void *where)
{
    (void)b;
    (void)kind;
    (void)where;
}

static int init_silent(void *heap, struct backing *backing)
{
    int error = init_between(heap, backing);
    between_of(heap)->face.report = report_dropped;
    return error;
}

static void stand_silently(struct alloc_ops *ops)
{
    stand_between(ops);
    drop_thrift_but(ops, 0);
    ops->init = init_silent;
    ops->contract.promises &=
        ~(unsigned)(PROMISE_ERRNO | PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_DETECTS_WRITES);
}

static void realloc_lets_go(struct alloc_ops *ops)
{
    stand_silently(ops);
    ops->realloc = realloc_letting_go;
}

/* It tries twice; when that is refused too, the block is let go of. */
static void *realloc_letting_go_twice(void *heap, void *p, size_t size)
{
    struct between *w = between_of(heap);
    unsigned before = w->refused;
    void *q = alloc_freelist.realloc(heap, p, size);
    if (q || !p || w->refused == before || !had_room(w, size)) return q;
    before = w->refused;
    q = alloc_freelist.realloc(heap, p, size);
    if (q || w->refused == before) return q;
    alloc_freelist.free(heap, p);
    errno = ENOMEM;
    return NULL;
}

static void realloc_lets_go_twice(struct alloc_ops *ops)
{
    stand_silently(ops);
    ops->realloc = realloc_letting_go_twice;
}

/* Likewise for malloc, which takes some of what is left and forgets it. */
static void *malloc_forgetting(void *heap, size_t size)
{
    struct between *w = between_of(heap);
    unsigned before = w->refused;
    void *p = alloc_freelist.malloc(heap, size);
    if (p || w->refused == before || !had_room(w, size)) return p;
    before = w->refused;
    p = alloc_freelist.malloc(heap, size);
    if (!p && w->refused != before) w->real->sbrk(w->real, 256);
    return p;
}

static void malloc_forgets_twice(struct alloc_ops *ops)
{
    stand_between(ops);
    hide_inside(ops);
    drop_thrift_but(ops, PROMISE_MERGES);
    ops->malloc = malloc_forgetting;
}

/* ---- Over mappings ------------------------------------------------------------------------------------------------------ */

static int munmap_content(void *heap, void *address, size_t length)
{
    int result = alloc_region.munmap(heap, address, length);
    return result && errno == ENOMEM ? 0 : result;
}

static void unmap_refused(struct alloc_ops *ops) { ops->munmap = munmap_content; }

/* ---- Over the kernel families ----------------------------------------------------------------------------------------- */

static bool struck(const struct machine *m, enum machine_fault fault)
{
    uint32_t count;
    const struct machine_event *e = machine_events(m, &count);
    for (uint32_t i = 0; i < count; i++)
        if (e[i].kind == EVENT_INJECTED && e[i].a == (uint32_t)fault) return true;
    return false;
}

static void lose_a_frame(void *heap, unsigned gfp)
{
    buddy_alloc(vmalloc_buddy(heap), (gfp & ~(unsigned)GFP_BIT_NOFAIL) | GFP_BIT_NORETRY | GFP_BIT_NOWARN, 0);
}

/* The area's last frame is forgotten when mapping them fails. */
static void *vmalloc_half_mapped(void *heap, size_t size)
{
    void *p = vmalloc(heap, size);
    if (!p && struck(vmalloc_machine(heap), FAULT_MAP)) lose_a_frame(heap, GFP_HIGHUSER);
    return p;
}

static void map_keeps_frame(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_half_mapped; }

/* It tries again when there is no page for a table, and forgets a frame when that fails too. */
static void *vmalloc_twice(void *heap, size_t size)
{
    struct machine *m = vmalloc_machine(heap);
    void *p = vmalloc(heap, size);
    const uint32_t before = machine_event_count(m, EVENT_INJECTED);
    if (p || !before || !machine_can_sleep(m)) return p;
    p = vmalloc(heap, size);
    if (!p && machine_event_count(m, EVENT_INJECTED) != before) lose_a_frame(heap, GFP_HIGHUSER);
    return p;
}

static void map_twice_keeps_frame(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_twice; }

/* A slab that cannot be had costs a frame. */
static void *kmalloc_refilling(void *heap, size_t size, unsigned gfp)
{
    const struct kernel_ops *base = alloc_vmalloc.kernel;
    void *p = base->kmalloc(heap, size, gfp);
    if (!p && struck(vmalloc_machine(heap), FAULT_PAGES)) lose_a_frame(heap, gfp);
    return p;
}

static void refill_loses_frame(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = kmalloc_refilling; }

const struct canary broken_faults[] = {
    {"fault_grows_by_halves", "C25", "of a growth that is refused half-way, the first half is lost", &alloc_freelist,
     grows_by_halves},
    {"fault_never_asks_again", "C31", "after one refusal the heap asks for no more memory", &alloc_freelist,
     never_asks_again},
    {"fault_wrong_errno", "A6", "a refused growth is told as EAGAIN", &alloc_freelist, wrong_errno},
    {"fault_realloc_lets_go", "A16", "a block whose growth is refused is freed", &alloc_freelist, realloc_lets_go},
    {"fault_realloc_lets_go_twice", "A16", "a block is freed when its growth is refused twice", &alloc_freelist,
     realloc_lets_go_twice},
    {"fault_malloc_forgets_twice", "C25", "256 bytes are lost when growth is refused twice", &alloc_freelist,
     malloc_forgets_twice},
    {"fault_unmap_refused", "A46", "an unmapping that is refused is reported as done", &alloc_region, unmap_refused},
    {"fault_map_keeps_frame", "B95", "an area whose mapping is refused keeps a frame", &alloc_vmalloc, map_keeps_frame},
    {"fault_map_twice_keeps_frame", "B95", "an area that is refused twice keeps a frame", &alloc_vmalloc,
     map_twice_keeps_frame},
    {"fault_refill_loses_frame", "C25", "a slab that is refused costs a frame", &alloc_vmalloc, refill_loses_frame},
    {0},
};
