/* maps.c: canaries of the mapping group, made from `region`. */
#include "backing.h"
#include "broken.h"

#include "builtin.h"

struct extra {
    struct backing *backing;
};

#define EXTRA_AT ((alloc_region.state_size + 15) & ~(size_t)15)

static struct extra *extra_of(void *heap) { return (struct extra *)(void *)((unsigned char *)heap + EXTRA_AT); }

static int init(void *heap, struct backing *backing)
{
    *extra_of(heap) = (struct extra){.backing = backing};
    return alloc_region.init(heap, backing);
}

static void with_extra(struct alloc_ops *ops)
{
    ops->state_size = EXTRA_AT + sizeof(struct extra);
    ops->init = init;
}

static size_t page_bytes(void *heap) { return extra_of(heap)->backing->page_bytes; }

/* ---- A43: a length of zero is taken for one page ----------------------------------------------------------------- */

static void *mmap_empty(void *heap, void *address, size_t length, unsigned flags, unsigned file, size_t offset)
{
    return alloc_region.mmap(heap, address, length > 0 ? length : 1, flags, file, offset);
}

static void patch_empty(struct alloc_ops *ops) { ops->mmap = mmap_empty; }

/* ---- A44: the last byte of the last page is not zero ------------------------------------------------------------- */

static void *mmap_dirty(void *heap, void *address, size_t length, unsigned flags, unsigned file, size_t offset)
{
    unsigned char *p = alloc_region.mmap(heap, address, length, flags, file, offset);
    if (p != MAPPING_FAILED && (flags & MAPPING_ANONYMOUS)) p[(length - 1) | (page_bytes(heap) - 1)] = 1;
    return p;
}

static void patch_dirty(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->mmap = mmap_dirty;
}

/* ---- A45: NOREPLACE replaces ------------------------------------------------------------------------------------- */

static void *mmap_replace(void *heap, void *address, size_t length, unsigned flags, unsigned file, size_t offset)
{
    return alloc_region.mmap(heap, address, length, flags & ~(unsigned)MAPPING_NOREPLACE, file, offset);
}

static void patch_replace(struct alloc_ops *ops) { ops->mmap = mmap_replace; }

/* ---- A46: the last page stays ------------------------------------------------------------------------------------ */

static int munmap_short(void *heap, void *address, size_t length)
{
    size_t page = page_bytes(heap), kept = (length - 1) & ~(page - 1);
    /* Only where it shows at once: a page behind the end of its file faults whether mapped or not. */
    bool shows = length > page && lender_readable((unsigned char *)address + kept);
    return alloc_region.munmap(heap, address, shows ? kept : length);
}

static void patch_short(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->munmap = munmap_short;
}

/* ---- A47: the file is mapped one page further on ----------------------------------------------------------------- */

static void *mmap_shifted(void *heap, void *address, size_t length, unsigned flags, unsigned file, size_t offset)
{
    return alloc_region.mmap(heap, address, length, flags, file, offset + page_bytes(heap));
}

static void patch_shifted(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->mmap = mmap_shifted;
}

/* ---- A48: private mappings are shared ---------------------------------------------------------------------------- */

static void *mmap_public(void *heap, void *address, size_t length, unsigned flags, unsigned file, size_t offset)
{
    unsigned both = MAPPING_SHARED | MAPPING_PRIVATE;
    if ((flags & both) == MAPPING_PRIVATE) flags ^= both;
    return alloc_region.mmap(heap, address, length, flags, file, offset);
}

static void patch_public(struct alloc_ops *ops) { ops->mmap = mmap_public; }

/* ---- C1: the second page of a block is the first page again ------------------------------------------------------ */

static void *malloc_folded(void *heap, size_t size)
{
    struct backing *b = extra_of(heap)->backing;
    unsigned char *p = alloc_region.malloc(heap, size);
    if (p == NULL || size <= b->page_bytes) return p;
    if (b->map(b, p, b->page_bytes, SOURCE_FILE_SHARED, 0, 0) == 0)
        b->map(b, p + b->page_bytes, b->page_bytes, SOURCE_FILE_SHARED, 0, 0);
    return p;
}

static void patch_folded(struct alloc_ops *ops)
{
    with_extra(ops);
    ops->malloc = malloc_folded;
}

const struct canary broken_maps[] = {
    {"map_empty", "A43", "a mapping of no bytes is made", &alloc_region, patch_empty},
    {"map_dirty", "A44", "an anonymous page is not all zero", &alloc_region, patch_dirty},
    {"map_replace", "A45", "NOREPLACE replaces", &alloc_region, patch_replace},
    {"map_short", "A46", "the last page stays mapped", &alloc_region, patch_short},
    {"map_shifted", "A47", "a file is mapped one page too far", &alloc_region, patch_shifted},
    {"map_public", "A48", "stores into a private mapping reach the file", &alloc_region, patch_public},
    {"map_folded", "C1", "two pages of a block are one", &alloc_region, patch_folded},
    {0},
};
