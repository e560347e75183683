/* vtable.c: a shared library that brings its vtable along: the adapter that an allocator with an interface of its own
 * needs, here around the C library's. The macros make it wrong in one member each.
 */
#include "alloc.h"

#include <stdlib.h>

#ifndef ABI
#define ABI ALLOC_ABI
#endif
#ifndef ALIGN
#define ALIGN _Alignof(max_align_t)
#endif
#ifndef MALLOC
#define MALLOC take
#endif

static int start(void *heap, struct backing *backing) { return (void)heap, (void)backing, 0; }
static void finish(void *heap) { (void)heap; }
static inline void *take(void *heap, size_t size) { return (void)heap, malloc(size); }
static void give(void *heap, void *p) { (void)heap, free(p); }
static void *resize(void *heap, void *p, size_t size) { return (void)heap, realloc(p, size); }

static const struct alloc_ops vtable = {
    .abi = ABI,
    .name = "wrapped",
    .summary = "the C library's malloc behind a vtable",
    .contract = {.backing = BACKING_HOST, .align_min = ALIGN, .align_max = 4096, .promises = PROMISE_ERRNO},
    .state_size = 1,
    .init = start,
    .fini = finish,
    .malloc = MALLOC,
    .free = give,
    .realloc = resize,
};

assay_allocator_fn assay_allocator;
const struct alloc_ops *assay_allocator(void) { return &vtable; }
