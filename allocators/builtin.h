/* builtin.h: the reference allocators that come with assay. Each file begins with its algorithm and its bounds. */
#ifndef BUILTIN_H
#define BUILTIN_H

#include "alloc.h"

extern const struct alloc_ops alloc_freelist; /* first fit over a break */
extern const struct alloc_ops alloc_stack;    /* frames over a region: alloca as an allocator */
extern const struct alloc_ops alloc_region;   /* whole pages in a window: mmap and munmap */
extern const struct alloc_ops alloc_break;    /* sbrk and brk, and the simplest heap above them */
extern const struct alloc_ops alloc_buddy;    /* pages of a machine: what the kernel families are built on */
extern const struct alloc_ops alloc_slab;     /* caches on three lists, over pages of a simulated machine */
extern const struct alloc_ops alloc_kmalloc;  /* size classes of caches, and pages for what is larger */
extern const struct alloc_ops alloc_vmalloc;  /* every family of a kernel on a machine; malloc is vmalloc */

#endif
