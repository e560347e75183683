/* offered.c: which operations an allocator can be asked for; offered.h is the manual. */
#include "offered.h"

#include "kernel.h"
#include "program.h"

_Static_assert(OP_KINDS <= 128, "target.offered has four words of bits");

static bool is_offered(const unsigned offered[4], enum op_kind kind) { return offered[kind / 32] >> kind % 32 & 1; }

static void offer(unsigned offered[4], enum op_kind kind, bool yes)
{
    if (yes) offered[kind / 32] |= 1u << kind % 32;
    else offered[kind / 32] &= ~(1u << kind % 32);
}

static void offer_pages(unsigned offered[4], const struct kernel_ops *k)
{
    offer(offered, OP_ALLOC_PAGES, k->alloc_pages && k->free_page_block);
    offer(offered, OP_GET_FREE_PAGES, k->get_free_pages && k->free_pages);
    offer(offered, OP_GET_ZEROED_PAGE, k->get_zeroed_page && k->free_pages);
    offer(offered, OP_ALLOC_PAGES_EXACT, k->alloc_pages_exact && k->free_pages_exact);
    offer(offered, OP_ALLOC_PAGES_BULK, k->alloc_pages_bulk && k->free_page_block);
    offer(offered, OP_FREE_PAGES, k->free_page_block || k->free_pages);
    offer(offered, OP_SPLIT_PAGE, k->split_page);
    offer(offered, OP_GET_PAGE, k->get_page);
    offer(offered, OP_PUT_PAGE, k->put_page);
    offer(offered, OP_KMAP, k->kmap);
    offer(offered, OP_KUNMAP, k->kunmap);
    offer(offered, OP_KMAP_LOCAL, k->kmap_local);
    offer(offered, OP_KUNMAP_LOCAL, k->kunmap_local);
    offer(offered, OP_DROPPABLE, k->free_page_block || k->free_pages);
    offer(offered, OP_KSWAPD, k->step_kswapd);
}

static void offer_caches(unsigned offered[4], const struct kernel_ops *k)
{
    offer(offered, OP_CACHE_CREATE, k->cache_create);
    offer(offered, OP_CACHE_ALLOC, k->cache_alloc && k->cache_create);
    offer(offered, OP_CACHE_ZALLOC, k->cache_zalloc && k->cache_create);
    offer(offered, OP_CACHE_ALLOC_BULK, k->cache_alloc_bulk && k->cache_create);
    offer(offered, OP_CACHE_FREE, k->cache_free);
    offer(offered, OP_CACHE_FREE_BULK, k->cache_free_bulk);
    offer(offered, OP_CACHE_SHRINK, k->cache_shrink);
    offer(offered, OP_CACHE_DESTROY, k->cache_destroy);
    offer(offered, OP_POOL_CREATE, k->mempool_create);
    offer(offered, OP_POOL_ALLOC, k->mempool_alloc && k->mempool_create);
    offer(offered, OP_POOL_FREE, k->mempool_free);
    offer(offered, OP_POOL_RESIZE, k->mempool_resize);
    offer(offered, OP_POOL_DESTROY, k->mempool_destroy);
}

static void offer_kmalloc(unsigned offered[4], const struct kernel_ops *k)
{
    offer(offered, OP_KMALLOC, k->kmalloc);
    offer(offered, OP_KZALLOC, k->kzalloc);
    offer(offered, OP_KCALLOC, k->kcalloc);
    offer(offered, OP_KMALLOC_ARRAY, k->kmalloc_array);
    offer(offered, OP_KREALLOC, k->krealloc);
    offer(offered, OP_KREALLOC_ARRAY, k->krealloc_array);
    offer(offered, OP_KFREE, k->kfree);
    offer(offered, OP_KFREE_SENSITIVE, k->kfree_sensitive);
}

static void offer_vmalloc(unsigned offered[4], const struct kernel_ops *k)
{
    offer(offered, OP_VMALLOC, k->vmalloc);
    offer(offered, OP_VZALLOC, k->vzalloc);
    offer(offered, OP_VMALLOC_USER, k->vmalloc_user);
    offer(offered, OP_VMALLOC_GFP, k->vmalloc_gfp);
    offer(offered, OP_VREALLOC, k->vrealloc);
    offer(offered, OP_VFREE, k->vfree);
    offer(offered, OP_VFREE_ATOMIC, k->vfree_atomic);
    offer(offered, OP_VMAP, k->vmap);
    offer(offered, OP_VUNMAP, k->vunmap);
    offer(offered, OP_REMAP, k->remap_vmalloc_range);
    offer(offered, OP_KVMALLOC, k->kvmalloc);
    offer(offered, OP_KVCALLOC, k->kvcalloc);
    offer(offered, OP_KVREALLOC, k->kvrealloc);
    offer(offered, OP_KVFREE, k->kvfree);
    offer(offered, OP_RUN_DEFERRED, k->run_deferred);
    offer(offered, OP_PURGE, k->vm_unmap_aliases);
}

/* Contract errors need no promise but the kernel group's own (checks_misuse). */
static void offer_kernel(unsigned offered[4], const struct kernel_ops *k)
{
    offer_pages(offered, k);
    offer_caches(offered, k);
    offer_kmalloc(offered, k);
    offer_vmalloc(offered, k);
    offer(offered, OP_CONTEXT, true);
    offer(offered, OP_SCOPE, true);
    offer(offered, OP_SCOPE_END, true);
    offer(offered, OP_INJECT, true);
    offer(offered, OP_MISUSE, k->checks_misuse);
    offer(offered, OP_SCRIBBLE, k->checks_misuse && k->cache_free);
}

void offered_legal(unsigned offered[4], const struct alloc_ops *ops)
{
    const bool frames = ops->frame_push && ops->frame_pop;
    const enum backing_kind backing = ops->contract.backing;
    offer(offered, OP_MALLOC, ops->malloc);
    offer(offered, OP_FREE, ops->free);
    offer(offered, OP_REALLOC, ops->realloc);
    offer(offered, OP_CALLOC, ops->calloc);
    offer(offered, OP_ALIGNED_ALLOC, ops->aligned_alloc);
    offer(offered, OP_POSIX_MEMALIGN, ops->posix_memalign);
    offer(offered, OP_MEMALIGN, ops->memalign);
    offer(offered, OP_REALLOCARRAY, ops->reallocarray);
    offer(offered, OP_USABLE_SIZE, ops->usable_size);
    offer(offered, OP_FREE_SIZED, ops->free_sized);
    offer(offered, OP_FREE_ALIGNED_SIZED, ops->free_aligned_sized && ops->aligned_alloc);
    offer(offered, OP_WRITE, true);
    offer(offered, OP_FREE_NULL, ops->free);
    offer(offered, OP_CHECK, true);
    offer(offered, OP_REPEAT, true);
    offer(offered, OP_FAIL, backing == BACKING_BREAK || backing == BACKING_PAGES);
    offer(offered, OP_FOREIGN_SBRK, backing == BACKING_BREAK);
    offer(offered, OP_FRAME_PUSH, frames);
    offer(offered, OP_FRAME_POP, frames);
    offer(offered, OP_SBRK, ops->sbrk);
    offer(offered, OP_BRK, ops->brk);
    offer(offered, OP_MMAP, ops->mmap);
    offer(offered, OP_MUNMAP, ops->munmap);
    offer(offered, OP_MAP_STORE, ops->mmap);
    offer(offered, OP_FILE_STORE, ops->mmap);
    if (ops->kernel) offer_kernel(offered, ops->kernel);
}

void offered_illegal(unsigned offered[4], unsigned promises)
{
    const bool frees = is_offered(offered, OP_FREE) && promises & PROMISE_DETECTS_BAD_FREE;
    offer(offered, OP_DOUBLE_FREE, frees);
    offer(offered, OP_INTERIOR_FREE, frees);
    offer(offered, OP_FOREIGN_FREE, frees);
    offer(offered, OP_WRONG_SIZE_FREE, is_offered(offered, OP_FREE_SIZED) && promises & PROMISE_DETECTS_SIZE);
    offer(offered, OP_WRITE_AFTER_FREE, is_offered(offered, OP_FREE) && promises & PROMISE_DETECTS_WRITES);
}
