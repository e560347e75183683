/* kmalloc.h: memory by size, physically contiguous: classes of caches up to 8 KiB, pages above (B51-B64).
 *
 * A request of up to KMALLOC_CACHE_MAX bytes is an object of the smallest class that holds it; of each class there is a
 * cache for ordinary, reclaimable and DMA memory, chosen by the gfp mask (B63; ACCOUNT is ordinary, as without memory
 * cgroups). A larger one is a compound block of pages (B53). Every class is aligned to the largest power of two that
 * divides it, so every request is too (B55).
 *
 * Sizes are not remembered: ksize is that of the class or block (B56), krealloc copies that much, and zeroed memory is zero
 * up to there, so that it stays zero when it grows (B60).
 *
 * As in slab.h: a heap built on kmalloc has a `struct kmalloc_heap` as the FIRST member of its state, and `heap` is one or
 * begins with one.
 */
#ifndef KMALLOC_H
#define KMALLOC_H

#include "slab.h"

enum kmalloc_type { KMALLOC_NORMAL, KMALLOC_RECLAIM, KMALLOC_DMA, KMALLOC_TYPES };

#define KMALLOC_CLASSES 13u /* 8, 16, 32, 64, 96, 128, 192, 256 … 8192 (B52) */

struct kmalloc_heap {
    struct slab_heap slabs;
    unsigned min; /* the smallest class: 8, 64 or 128 */
    struct kmem_cache caches[KMALLOC_TYPES][KMALLOC_CLASSES];
};

/* An empty heap over a fresh machine; *h is zeroed. As slab_init; `min` is a profile of B52, 8 unless DMA needs more. */
int kmalloc_init(struct kmalloc_heap *h, struct machine *m, bool three_lists, unsigned min);
void kmalloc_reset(struct kmalloc_heap *h);
const char *kmalloc_check(struct kmalloc_heap *h);

void *kmalloc(void *heap, size_t size, unsigned gfp);
void *kzalloc(void *heap, size_t size, unsigned gfp);
void *kcalloc(void *heap, size_t count, size_t size, unsigned gfp);
void *kmalloc_array(void *heap, size_t count, size_t size, unsigned gfp);
void *krealloc(void *heap, const void *p, size_t size, unsigned gfp);
void *krealloc_array(void *heap, void *p, size_t count, size_t size, unsigned gfp);
/* Objects of caches too (F5). */
void kfree(void *heap, const void *p);
void kfree_sensitive(void *heap, const void *p);
size_t ksize(void *heap,
             const void *p); /* 0 for NULL and ZERO_SIZE_PTR; of anything else that is not live: reported, 0 */
size_t kmalloc_size_roundup(void *heap, size_t size);
/* Also what kfree takes; cache may be NULL (B77). */
void kmalloc_free_bulk(void *heap, struct kmem_cache *cache, size_t count, void **objects);

static inline bool zero_or_null(const void *p) { return (uintptr_t)p <= (uintptr_t)ZERO_SIZE_PTR; }

/* Rows of a kernel_ops table, those of pages and caches included. */
#define KMALLOC_KERNEL_OPS                                                                                             \
    BUDDY_KERNEL_OPS, SLAB_ROWS, .cache_free_bulk = kmalloc_free_bulk, .kmalloc = kmalloc, .kzalloc = kzalloc,         \
                                 .kcalloc = kcalloc, .kmalloc_array = kmalloc_array, .krealloc = krealloc,             \
                                 .krealloc_array = krealloc_array, .kfree = kfree, .kfree_sensitive = kfree_sensitive, \
                                 .ksize = ksize, .kmalloc_size_roundup = kmalloc_size_roundup

#endif
