/* region.c: whole pages of a window, as mmap and munmap hand them out, and the simplest heap above them.
 *
 * The window is inaccessible address space; pages appear in it by backing->map and vanish by backing->unmap. All that
 * has to be remembered is one byte for each page, the page map:
 *
 *     window     | A A A | . . | B B | C | . . . . |            A, B, C: mappings; .: nothing
 *     page map   | F m m | . . | F m | F | . . . . |            F: first page of a mapping, m: one more of it
 *
 * A mapping can so be cut anywhere without asking for memory: its pages are marked as free, and the page behind the
 * cut, if it was an m, becomes an F. (The F of a malloc'ed block is another than that of a mapping.)
 * Addresses are chosen first fit: the lowest gap that is long enough.
 *
 * The page map of a window up to PAGES_INSIDE pages lies in the heap's state. That of a larger window lies in pages
 * which the allocator maps for itself at the window's top, one for every page_bytes pages of window; a mapping at a
 * fixed address there is refused with ENOMEM.
 *
 * Bounds: everything is linear in the pages it concerns; the search is linear in the window. malloc(n) takes n rounded
 * up to pages, at least one. When the backing refuses a request, nothing has changed; only free cannot say so, and
 * marks its pages as stale: still in place, but the next mapping there replaces them.
 */
#include "builtin.h"

#include <errno.h>
#include <string.h>

enum page {
    PAGE_FREE,
    PAGE_STALE,
    PAGE_MORE,
    PAGE_MAPPING, /* first of a mapping made by mmap, */
    PAGE_BLOCK,   /* and of one made by malloc and its kin */
    PAGE_META,
};

#define PAGES_INSIDE 4096u
#define NO_PAGE SIZE_MAX

struct region {
    struct backing *backing;
    unsigned char *map; /* enum page of every page */
    size_t pages;       /* of the window */
    size_t page_bytes;
    unsigned char inside[PAGES_INSIDE];
};

/* ---- The page map ------------------------------------------------------------------------------------------------ */

static bool first(const struct region *r, size_t page)
{
    return r->map[page] == PAGE_MAPPING || r->map[page] == PAGE_BLOCK;
}

static bool available(const struct region *r, size_t page) { return r->map[page] <= PAGE_STALE; }

static unsigned char *address_of(const struct region *r, size_t page)
{
    return r->backing->base + page * r->page_bytes;
}

/* Pages that hold `bytes`; more than any window has if rounding up would wrap. */
static size_t pages_for(const struct region *r, size_t bytes)
{
    return bytes / r->page_bytes + (bytes % r->page_bytes != 0);
}

/* The page at this address; NO_PAGE if it is no start of a page in the window. */
static size_t page_of(const struct region *r, const void *address)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)r->backing->base;
    if (offset % r->page_bytes != 0 || offset / r->page_bytes >= r->pages) return NO_PAGE;
    return offset / r->page_bytes;
}

/* The first page behind the mapping that begins at `page`. */
static size_t mapping_end(const struct region *r, size_t page)
{
    do page++;
    while (page < r->pages && r->map[page] == PAGE_MORE);
    return page;
}

/* Marks [page, end) as one mapping or block, or as PAGE_FREE or PAGE_STALE, and cuts what is behind off from it. */
static void mark(struct region *r, size_t page, size_t end, enum page as)
{
    memset(r->map + page, as <= PAGE_STALE ? as : PAGE_MORE, end - page);
    r->map[page] = as;
    if (end < r->pages && r->map[end] == PAGE_MORE) r->map[end] = PAGE_MAPPING;
}

/* The lowest aligned gap of `count` pages; NO_PAGE if there is none. */
static size_t find_gap(const struct region *r, size_t count, size_t align)
{
    size_t stride = align > r->page_bytes ? align / r->page_bytes : 1;
    size_t page = (-(uintptr_t)r->backing->base & (align - 1)) / r->page_bytes;
    while (page < r->pages && count <= r->pages - page) {
        size_t end = page;
        while (end < page + count && available(r, end)) end++;
        if (end == page + count) return page;
        size_t skip = (end + 1 - page + stride - 1) / stride; /* past the page that is in the way */
        page += skip * stride;
    }
    return NO_PAGE;
}

static int unmap_pages(struct region *r, size_t page, size_t end)
{
    return r->backing->unmap(r->backing, address_of(r, page), (end - page) * r->page_bytes);
}

static int map_pages(struct region *r, size_t page, size_t end)
{
    return r->backing->map(r->backing, address_of(r, page), (end - page) * r->page_bytes, SOURCE_ANONYMOUS, 0, 0);
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

static int region_init(void *heap, struct backing *backing)
{
    struct region *r = heap;
    if (backing->kind != BACKING_PAGES) return EINVAL;
    r->backing = backing;
    r->page_bytes = backing->page_bytes;
    r->pages = backing->size / backing->page_bytes;
    r->map = r->inside;
    if (r->pages <= PAGES_INSIDE) return 0;

    size_t meta = pages_for(r, r->pages);
    if (map_pages(r, r->pages - meta, r->pages) != 0) return ENOMEM;
    r->map = address_of(r, r->pages - meta);
    memset(r->map + r->pages - meta, PAGE_META, meta);
    return 0;
}

static void region_fini(void *heap) { (void)heap; }

/* ---- Mappings ---------------------------------------------------------------------------------------------------- */

static void *mapping_failed(int error)
{
    errno = error;
    return MAPPING_FAILED;
}

/* Where the mapping goes: a page, or NO_PAGE with *error. */
static size_t choose_page(const struct region *r, void *address, size_t count, unsigned flags, int *error)
{
    *error = ENOMEM;
    if (!(flags & MAPPING_FIXED)) return find_gap(r, count, r->page_bytes);
    size_t page = page_of(r, address);
    if (page == NO_PAGE || count > r->pages - page) return NO_PAGE;
    for (size_t i = page; i < page + count; i++) {
        if (available(r, i)) continue;
        if (flags & MAPPING_NOREPLACE) *error = EEXIST;
        if (r->map[i] == PAGE_META || *error == EEXIST) return NO_PAGE;
    }
    return page;
}

static void *region_mmap(void *heap, void *address, size_t length, unsigned flags, unsigned file, size_t offset)
{
    struct region *r = heap;
    bool shared = flags & MAPPING_SHARED, private = flags & MAPPING_PRIVATE, anonymous = flags & MAPPING_ANONYMOUS;
    if (length == 0 || shared == private || offset % r->page_bytes != 0) return mapping_failed(EINVAL);
    if (!anonymous && file >= r->backing->files) return mapping_failed(EINVAL);
    if ((flags & MAPPING_FIXED) && (uintptr_t)address % r->page_bytes != 0) return mapping_failed(EINVAL);

    int error;
    size_t count = pages_for(r, length);
    size_t page = choose_page(r, address, count, flags, &error);
    if (page == NO_PAGE) return mapping_failed(error);
    enum backing_source source = anonymous ? SOURCE_ANONYMOUS : shared ? SOURCE_FILE_SHARED : SOURCE_FILE_PRIVATE;
    void *at = address_of(r, page);
    if (r->backing->map(r->backing, at, count * r->page_bytes, source, file, offset) != 0)
        return mapping_failed(ENOMEM);
    mark(r, page, page + count, PAGE_MAPPING);
    return at;
}

static int region_munmap(void *heap, void *address, size_t length)
{
    struct region *r = heap;
    size_t page = page_of(r, address), count = pages_for(r, length);
    int error = EINVAL;
    if (length > 0 && page != NO_PAGE && count <= r->pages - page && !memchr(r->map + page, PAGE_META, count)) {
        error = unmap_pages(r, page, page + count);
        if (error == 0) {
            mark(r, page, page + count, PAGE_FREE);
            return 0;
        }
    }
    errno = error;
    return -1;
}

/* ---- The heap: every block is a mapping of its own --------------------------------------------------------------- */

static void *allocate(struct region *r, size_t align, size_t size)
{
    size_t count = pages_for(r, size > 0 ? size : 1);
    size_t page = size > PTRDIFF_MAX ? NO_PAGE : find_gap(r, count, align);
    if (page == NO_PAGE || map_pages(r, page, page + count) != 0) {
        errno = ENOMEM;
        return NULL;
    }
    mark(r, page, page + count, PAGE_BLOCK);
    return address_of(r, page);
}

static void *region_malloc(void *heap, size_t size) { return allocate(heap, 1, size); }

/* The block's first page; NO_PAGE, and a report, if p is not the start of one. */
static size_t block_page(struct region *r, void *p)
{
    size_t page = page_of(r, p);
    if (page != NO_PAGE && r->map[page] == PAGE_BLOCK) return page;
    enum alloc_report kind = page != NO_PAGE && available(r, page) ? REPORT_DOUBLE_FREE : REPORT_BAD_FREE;
    r->backing->report(r->backing, kind, p);
    return NO_PAGE;
}

static void release(struct region *r, size_t page, size_t end)
{
    mark(r, page, end, unmap_pages(r, page, end) == 0 ? PAGE_FREE : PAGE_STALE);
}

static void region_free(void *heap, void *p)
{
    struct region *r = heap;
    if (p == NULL) return;
    size_t page = block_page(r, p);
    if (page == NO_PAGE) return;
    int saved = errno;
    release(r, page, mapping_end(r, page));
    errno = saved;
}

static void *region_calloc(void *heap, size_t count, size_t size)
{
    if (size > 0 && count > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return allocate(heap, 1, count * size); /* fresh pages are zero */
}

/* Grows the block [page, end) to `count` pages where it is; false, and nothing changed, if that cannot be. */
static bool grow_in_place(struct region *r, size_t page, size_t end, size_t count)
{
    if (count > r->pages - page) return false;
    for (size_t i = end; i < page + count; i++)
        if (!available(r, i)) return false;
    if (map_pages(r, end, page + count) != 0) return false;
    mark(r, page, page + count, PAGE_BLOCK);
    return true;
}

static void *region_realloc(void *heap, void *p, size_t size)
{
    struct region *r = heap;
    if (p == NULL) return allocate(r, 1, size);
    size_t page = block_page(r, p);
    if (page == NO_PAGE) return NULL;
    size_t end = mapping_end(r, page), count = pages_for(r, size > 0 ? size : 1);
    if (count <= end - page) {
        if (page + count < end) release(r, page + count, end);
        return p;
    }
    if (grow_in_place(r, page, end, count)) return p;
    void *moved = allocate(r, 1, size);
    if (moved == NULL) return NULL;
    memcpy(moved, p, (end - page) * r->page_bytes);
    release(r, page, end);
    return moved;
}

static void *region_aligned_alloc(void *heap, size_t align, size_t size)
{
    if (align == 0 || (align & (align - 1)) != 0) {
        errno = EINVAL;
        return NULL;
    }
    return allocate(heap, align, size);
}

static int region_posix_memalign(void *heap, void **out, size_t align, size_t size)
{
    if (align < sizeof(void *) || (align & (align - 1)) != 0) return EINVAL;
    int saved = errno;
    void *p = allocate(heap, align, size);
    errno = saved;
    if (p == NULL) return ENOMEM;
    *out = p;
    return 0;
}

static size_t region_usable_size(void *heap, const void *p)
{
    const struct region *r = heap;
    size_t page = p == NULL ? NO_PAGE : page_of(r, p);
    return page == NO_PAGE ? 0 : (mapping_end(r, page) - page) * r->page_bytes;
}

/* ---- Inspection -------------------------------------------------------------------------------------------------- */

/* The end of the run that begins at `page`: a mapping, a gap, or the page map's own pages. */
static size_t run_end(const struct region *r, size_t page)
{
    if (first(r, page)) return mapping_end(r, page);
    bool gap = available(r, page);
    size_t end = page + 1;
    while (end < r->pages && (gap ? available(r, end) : r->map[end] == PAGE_META)) end++;
    return end;
}

static int region_reset(void *heap)
{
    struct region *r = heap;
    for (size_t page = 0, end; page < r->pages; page = end) {
        end = run_end(r, page);
        if (first(r, page)) release(r, page, end);
    }
    return 0;
}

static const char *region_check(void *heap)
{
    struct region *r = heap;
    size_t meta = r->map == r->inside ? 0 : pages_for(r, r->pages);
    for (size_t i = 0; i < r->pages; i++) {
        if (r->map[i] > PAGE_META) return "every page has a known state";
        if ((r->map[i] == PAGE_META) != (i >= r->pages - meta)) return "the page map lies at the window's top";
        if (r->map[i] == PAGE_MORE && (i == 0 || available(r, i - 1))) return "a mapping begins with its first page";
    }
    return NULL;
}

/* A mapping made by mmap is no block: it is shown among the allocator's own pages. */
static void region_walk(void *heap, alloc_visit *visit, void *context)
{
    struct region *r = heap;
    for (size_t page = 0, end; page < r->pages; page = end) {
        end = run_end(r, page);
        struct alloc_block block = {.base = address_of(r, page), .size = (end - page) * r->page_bytes};
        block.state = available(r, page) ? BLOCK_FREE : r->map[page] == PAGE_BLOCK ? BLOCK_USED : BLOCK_META;
        if (block.state == BLOCK_USED) block.payload = block.base;
        if (!visit(context, &block)) return;
    }
}

static void region_stats(void *heap, struct alloc_stats *out)
{
    struct region *r = heap;
    *out = (struct alloc_stats){.footprint_bytes = 0};
    for (size_t page = 0, end; page < r->pages; page = end) {
        end = run_end(r, page);
        if (available(r, page)) {
            out->free_blocks++;
            out->free_bytes += (end - page) * r->page_bytes;
        }
        if (r->map[page] == PAGE_BLOCK) out->used_blocks++;
        for (size_t i = page; i < end; i++)
            if (r->map[i] != PAGE_FREE) out->footprint_bytes += r->page_bytes;
    }
}

const struct alloc_ops alloc_region = {
    .abi = ALLOC_ABI,
    .name = "region",
    .summary = "whole pages of a window, first fit: mmap and munmap, and every block a mapping",
    .contract =
        {
            .backing = BACKING_PAGES,
            .align_min = 4096,
            .align_max = 4096,
            .zero_size = ZERO_SIZE_UNIQUE,
            .realloc_zero = REALLOC_ZERO_UNIQUE,
            .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED |
                        PROMISE_MERGES | PROMISE_STEADY | PROMISE_DRAINS | PROMISE_DETERMINISTIC |
                        PROMISE_DETECTS_BAD_FREE,
            .waste_max_bytes = 4096,
            .size_max_bytes = (size_t)64 << 20, /* calls look through a map of the window, a byte a page */
        },
    .state_size = sizeof(struct region),
    .init = region_init,
    .fini = region_fini,
    .malloc = region_malloc,
    .free = region_free,
    .calloc = region_calloc,
    .realloc = region_realloc,
    .aligned_alloc = region_aligned_alloc,
    .posix_memalign = region_posix_memalign,
    .usable_size = region_usable_size,
    .mmap = region_mmap,
    .munmap = region_munmap,
    .reset = region_reset,
    .check = region_check,
    .walk = region_walk,
    .stats = region_stats,
};
