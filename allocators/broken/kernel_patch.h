/* kernel_patch.h: what the canaries of the kernel group share. */
#ifndef KERNEL_PATCH_H
#define KERNEL_PATCH_H

#include "kernel.h"

/* A table of its own for a patched allocator, which begins as a copy of its base's and lives as long as the program. */
static inline struct kernel_ops *own_kernel(struct alloc_ops *ops, struct kernel_ops *table)
{
    *table = *ops->kernel;
    ops->kernel = table;
    return table;
}

#endif
