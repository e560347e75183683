/* vmalloc.h: memory that is contiguous by virtue of page tables only (B86-B108), and what chooses between it and kmalloc.
 *
 * An area is a run of pages of the window, each shown the frame of its own; behind it lies a guard page that is never
 * mapped (B90). What an area costs is taken from the machine like anybody's memory: a descriptor and an array with a
 * pointer for each page come from kmalloc (an array larger than a page is an area itself), page tables are frames of
 * their own, which are kept for ever (B104). What can be had for them is taken from highmem first (B89).
 *
 *     window  | area 0 .......... | guard | area 1 .. | guard | lazy ......... | free .........................
 *
 * vfree unmaps at once but leaves the addresses lazy; when there are more of those than lazy_max, or none are free, all of
 * them are purged at the price of one flush of the TLB (B98).
 *
 * As in kmalloc.h: a heap built on vmalloc has a `struct vmalloc_heap` as the FIRST member of its state, and `heap` is one
 * or begins with one. Arguments, results and reports are those of kernel.h and SEMANTICS. What these leave open:
 * - a call in the wrong context does nothing else, not even look at its arguments, but for NULL, which is freed anywhere;
 * - an address that is no area's first: CONTRACT_WARN in the window (DOUBLE_FREE if an area began there and nobody had the
 *   page since), WRONG_FREE outside it (B96, B101, B120);
 * - vfree of what vmap made without VMAP_PUT_PAGES unmaps it; vunmap of anything else is WRONG_FREE (B101);
 * - a refused request leaves one WARN unless NOWARN says otherwise (B41), and so does a mask with bits that vmalloc does
 *   not know, which are cleared (B93).
 */
#ifndef VMALLOC_H
#define VMALLOC_H

#include "kmalloc.h"
#include "vmalloc_areas.h"

enum area_flags {
    AREA_USER = 1 << 0,     /* may be shown to users: remap_vmalloc_range (B102) */
    AREA_VMAP = 1 << 1,     /* the caller's frames */
    AREA_PUT = 1 << 2,      /* ... until now: they lose a reference each when the area is freed (B100) */
    AREA_DEFERRED = 1 << 3, /* freed, but the work is still to be done (B49) */
};

struct area {
    uint32_t first, pages; /* of the window; guard not counted */
    unsigned flags;        /* enum area_flags */
    size_t bytes;          /* requested */
    struct page **frames;  /* `pages` of them; NULL if they are the caller's */
    struct area *next;     /* AREA_DEFERRED */
};

struct vmalloc_heap {
    struct kmalloc_heap objects;
    struct window window;
    uint32_t lazy_max;           /* lazy pages beyond which vfree purges */
    struct area *deferred;       /* newest first */
    uint32_t pfns[WINDOW_PAGES]; /* of the area that is being made */
};

/* An empty heap over a fresh machine; *v is zeroed. As kmalloc_init; EINVAL too if the window is larger than WINDOW_PAGES. */
int vmalloc_init(struct vmalloc_heap *v, struct machine *m);
int vmalloc_reset(struct vmalloc_heap *v);
/* NULL, or the name of the broken invariant, those of kmalloc included. */
const char *vmalloc_check(struct vmalloc_heap *v);

/* ---- The functions behind kernel_ops -------------------------------------------------------------------------------- */

void *vmalloc(void *heap, size_t size);
void *vzalloc(void *heap, size_t size);
void *vmalloc_user(void *heap, size_t size);
void *vmalloc_gfp(void *heap, size_t size, size_t align, unsigned gfp); /* align: a power of two, or 0 for a page */
/* align likewise; NULL, and the area as it was, if that is at an address which is not a multiple of it (B103). */
void *vrealloc(void *heap, const void *p, size_t size, size_t align, unsigned gfp);
void vfree(void *heap, const void *p);
void vfree_atomic(void *heap, const void *p);
void *vmap(void *heap, struct page **pages, unsigned count, unsigned flags);
void vunmap(void *heap, const void *p);
struct page *vmalloc_to_page(void *heap, const void *p);
uint32_t vmalloc_to_pfn(void *heap, const void *p);
int remap_vmalloc_range(void *heap, const void *p, unsigned long offset, unsigned long count, uint32_t *pfns);
void vm_unmap_aliases(void *heap);
void vmalloc_window_info(void *heap, struct window_info *out);
void vmalloc_run_deferred(void *heap);

/* kvmalloc.c */
void *kvmalloc(void *heap, size_t size, unsigned gfp);
void *kvcalloc(void *heap, size_t count, size_t size, unsigned gfp);
void kvfree(void *heap, const void *p);
void kvfree_sensitive(void *heap, const void *p, size_t size);
void *kvrealloc(void *heap, const void *p, size_t size, unsigned gfp);

/* The area that begins at p; NULL if there is none, or it has been freed and the work is still to be done. */
struct area *vmalloc_find(struct vmalloc_heap *v, const void *p);

/* Rows of a kernel_ops table, those of pages, caches and kmalloc included. */
#define VMALLOC_KERNEL_OPS                                                                                  \
    KMALLOC_KERNEL_OPS,                                                                                     \
        .vmalloc = vmalloc, .vzalloc = vzalloc, .vmalloc_user = vmalloc_user, .vmalloc_gfp = vmalloc_gfp,   \
        .vrealloc = vrealloc, .vfree = vfree, .vfree_atomic = vfree_atomic, .vmap = vmap, .vunmap = vunmap, \
        .vmalloc_to_page = vmalloc_to_page, .vmalloc_to_pfn = vmalloc_to_pfn,                               \
        .remap_vmalloc_range = remap_vmalloc_range, .vm_unmap_aliases = vm_unmap_aliases,                   \
        .window_info = vmalloc_window_info, .kvmalloc = kvmalloc, .kvcalloc = kvcalloc, .kvfree = kvfree,   \
        .kvfree_sensitive = kvfree_sensitive, .kvrealloc = kvrealloc, .run_deferred = vmalloc_run_deferred

#endif
