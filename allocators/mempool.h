/* mempool.h: pools that keep a reserve, so that somebody always gets on (B109-B112).
 *
 * An element is first asked of whoever makes them, without waiting and without others' reserves; then taken from the pool's
 * own; then asked for again with all that the mask allows. A request that may sleep is never refused: it would wait for
 * another's mempool_free, and says so by machine_block. An element that comes back fills the reserve before it is freed.
 *
 * A pool's record and its array of `min` pointers come from kmalloc. `heap` is a struct vmalloc_heap or begins with one.
 * Arguments, results and reports are those of kernel.h and SEMANTICS. What these leave open:
 * - mempool_create refuses a minimum of 0; a cache with a constructor, and a mask with ZERO, are CONTRACT_WARN (B110, B112);
 * - mempool_free of an element that lies in the reserve is DOUBLE_FREE, of what is no live element of its kind WRONG_FREE;
 * - mempool_resize to 0 elements is -EINVAL; where it may not sleep it reports that and returns -ENOMEM;
 * - mempool_destroy with elements outstanding reports LEAK once and frees the pool all the same; they stay with their owners.
 */
#ifndef MEMPOOL_H
#define MEMPOOL_H

#include "vmalloc.h"

struct mempool {
    struct pool_args args; /* args.min: elements to be kept in reserve */
    uint32_t reserved;     /* that are */
    uint32_t outstanding;  /* elements that somebody has */
    void **reserve;        /* args.min of them, `reserved` in use */
};

struct mempool *mempool_create(void *heap, const struct pool_args *args);
void *mempool_alloc(void *heap, struct mempool *pool, unsigned gfp);
void mempool_free(void *heap, struct mempool *pool, void *element);
int mempool_resize(void *heap, struct mempool *pool, uint32_t min);
void mempool_destroy(void *heap, struct mempool *pool);
uint32_t mempool_reserve(void *heap, struct mempool *pool);

/* Rows of a kernel_ops table, those of all families. */
#define MEMPOOL_KERNEL_OPS                                                                \
    VMALLOC_KERNEL_OPS, .mempool_create = mempool_create, .mempool_alloc = mempool_alloc, \
                        .mempool_free = mempool_free, .mempool_resize = mempool_resize,   \
                        .mempool_destroy = mempool_destroy, .mempool_reserve = mempool_reserve

#endif
