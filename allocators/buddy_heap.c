/* buddy_heap.c: the allocator `buddy`, malloc over pages: a block of the smallest order that holds the request, so that
 * up to half of it may be waste (C28), and no record beside the page's own. Every block is aligned to its size. */
#include "buddy.h"
#include "builtin.h"
#include "gfp.h"

#include <errno.h>
#include <string.h>

#define ALIGN_MAX ((size_t)4096 << (MACHINE_ORDERS - 1))

static size_t bytes_of(const struct buddy *b, const struct page *page) { return b->machine->page_bytes << page->order; }

/* What a request of that size takes: a size of 0 is served as 1. */
static unsigned order_for(const struct buddy *b, size_t size) { return buddy_order(b, size ? size : 1); }

/* A block that holds `size` bytes, aligned to a block that holds `align`: the larger one is taken, and cut. */
static void *take(struct buddy *b, size_t align, size_t size, unsigned gfp)
{
    unsigned order = order_for(b, size), larger = buddy_order(b, align);
    struct page *page = buddy_alloc(b, gfp, larger > order ? larger : order);
    if (!page) {
        errno = ENOMEM;
        return NULL;
    }
    buddy_trim(b, page, order);
    page->kind = PAGE_HEAP;
    return buddy_page_address(b, page);
}

/* The page of a live block of this heap; or NULL with the caller's error reported (A11). */
static struct page *page_of(struct buddy *b, const void *p)
{
    if (!machine_enter_any(b->machine)) return NULL;
    struct page *page = buddy_virt_to_page(b, p);
    bool begins = page && ((uintptr_t)p & (b->machine->page_bytes - 1)) == 0;
    if (begins && page->state == PAGE_USED && page->kind == PAGE_HEAP) return page;
    bool free_already = begins && buddy_head(b, page)->state == PAGE_FREE;
    machine_report(b->machine, free_already ? REPORT_DOUBLE_FREE : REPORT_BAD_FREE, p);
    return NULL;
}

static void give(struct buddy *b, struct page *page)
{
    page->kind = PAGE_PLAIN;
    buddy_free(b, page, page->order);
}

/* ---- The malloc family ---------------------------------------------------------------------------------------------- */

static void *heap_malloc(void *heap, size_t size) { return take(heap, 1, size, GFP_KERNEL); }

static void heap_free(void *heap, void *p)
{
    struct page *page = p ? page_of(heap, p) : NULL;
    if (page) give(heap, page);
}

static void heap_free_sized(void *heap, void *p, size_t size)
{
    struct buddy *b = heap;
    struct page *page = p ? page_of(b, p) : NULL;
    if (!page) return;
    if (order_for(b, size) == page->order) give(b, page);
    else machine_report(b->machine, REPORT_BAD_FREE, p);
}

static void heap_free_aligned_sized(void *heap, void *p, size_t align, size_t size)
{
    (void)align;
    heap_free_sized(heap, p, size);
}

static void *heap_calloc(void *heap, size_t count, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes)) return take(heap, 1, bytes, GFP_KERNEL | GFP_BIT_ZERO);
    errno = ENOMEM;
    return NULL;
}

/* A block that shrinks gives its upper halves back and stays; one that grows beyond itself moves. */
static void *heap_realloc(void *heap, void *p, size_t size)
{
    struct buddy *b = heap;
    if (!p) return heap_malloc(heap, size);
    struct page *page = page_of(b, p);
    if (!page) return NULL;
    unsigned order = order_for(b, size);
    if (order <= page->order) {
        buddy_trim(b, page, order);
        return p;
    }
    void *q = heap_malloc(heap, size);
    if (!q) return NULL;
    memcpy(q, p, bytes_of(b, page));
    give(b, page);
    return q;
}

static void *heap_reallocarray(void *heap, void *p, size_t count, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes)) return heap_realloc(heap, p, bytes);
    errno = ENOMEM;
    return NULL;
}

static bool power_of_two(size_t n) { return n && !(n & (n - 1)); }

static void *heap_aligned_alloc(void *heap, size_t align, size_t size)
{
    if (power_of_two(align)) return take(heap, align, size, GFP_KERNEL);
    errno = EINVAL;
    return NULL;
}

static int heap_posix_memalign(void *heap, void **out, size_t align, size_t size)
{
    if (!power_of_two(align) || align % sizeof(void *)) return EINVAL;
    int saved = errno;
    void *p = take(heap, align, size, GFP_KERNEL);
    errno = saved; /* the result is the return value; errno is not the channel */
    if (!p) return ENOMEM;
    *out = p;
    return 0;
}

static size_t heap_usable_size(void *heap, const void *p)
{
    const struct page *page = p ? buddy_virt_to_page(heap, p) : NULL;
    return page ? bytes_of(heap, page) : 0;
}

/* ---- Life and inspection -------------------------------------------------------------------------------------------- */

static int heap_init(void *heap, struct backing *backing)
{
    return backing->kind == BACKING_MACHINE ? buddy_init(heap, backing->machine) : EINVAL;
}

static void heap_fini(void *heap) { (void)heap; }

static int heap_reset(void *heap)
{
    buddy_reset(heap);
    return 0;
}

static const char *heap_check(void *heap) { return buddy_check(heap); }

/* The direct map from end to end; highmem has no addresses to show. Pages that were not asked for through malloc belong to
 * no block of the malloc family. */
static void heap_walk(void *heap, alloc_visit *visit, void *context)
{
    static const enum block_state of_page[] = {[PAGE_FREE] = BLOCK_FREE, [PAGE_USED] = BLOCK_META};
    struct buddy *b = heap;
    for (uint32_t pfn = 0; pfn < b->machine->lowmem_frames; pfn += UINT32_C(1) << b->pages[pfn].order) {
        const struct page *page = &b->pages[pfn];
        struct alloc_block block = {.base = machine_direct(b->machine, pfn), .size = bytes_of(b, page)};
        block.state = page->kind == PAGE_HEAP ? BLOCK_USED : of_page[page->state];
        if (block.state == BLOCK_USED) block.payload = block.base;
        if (!visit(context, &block)) return;
    }
}

static bool count_used(void *context, const struct alloc_block *block)
{
    struct alloc_stats *s = context;
    s->used_blocks += block->state == BLOCK_USED;
    return true;
}

static void heap_stats(void *heap, struct alloc_stats *out)
{
    const struct buddy *b = heap;
    uint32_t free = 0;
    *out = (struct alloc_stats){0};
    for (unsigned zone = 0; zone < ZONES; zone++) {
        const struct buddy_zone *z = &b->zones[zone];
        free += z->free;
        if (zone == ZONE_HIGHMEM) continue;
        out->free_bytes += z->free * b->machine->page_bytes;
        for (unsigned order = 0; order < MACHINE_ORDERS; order++) out->free_blocks += z->blocks[order];
    }
    out->footprint_bytes = (b->machine->frames - free) * b->machine->page_bytes;
    heap_walk(heap, count_used, out);
}

static const struct kernel_ops kernel = {BUDDY_KERNEL_OPS, .kmalloc_min = 8, .checks_misuse = true};

const struct alloc_ops alloc_buddy = {
    .abi = ALLOC_ABI,
    .name = "buddy",
    .summary = "binary buddies over the pages of a machine: zones, marks, reserves, highmem",
    .contract = {.backing = BACKING_MACHINE,
                 .align_min = 4096,
                 .align_max = ALIGN_MAX,
                 .zero_size = ZERO_SIZE_UNIQUE,
                 .realloc_zero = REALLOC_ZERO_UNIQUE,
                 .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED |
                             PROMISE_REUSES | PROMISE_STEADY | PROMISE_CONST_FREE | PROMISE_DETERMINISTIC |
                             PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_DRAINS | PROMISE_PHYSICAL,
                 .block_min_bytes = 4096,
                 .waste_max_bytes = ALIGN_MAX / 2 - 1,
                 .request_max_bytes = ALIGN_MAX},
    .state_size = sizeof(struct buddy),
    .init = heap_init,
    .fini = heap_fini,
    .malloc = heap_malloc,
    .free = heap_free,
    .calloc = heap_calloc,
    .realloc = heap_realloc,
    .reallocarray = heap_reallocarray,
    .aligned_alloc = heap_aligned_alloc,
    .posix_memalign = heap_posix_memalign,
    .memalign = heap_aligned_alloc,
    .usable_size = heap_usable_size,
    .free_sized = heap_free_sized,
    .free_aligned_sized = heap_free_aligned_sized,
    .reset = heap_reset,
    .check = heap_check,
    .walk = heap_walk,
    .stats = heap_stats,
    .kernel = &kernel,
};
