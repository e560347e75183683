/* kernel_patch.h: what the canaries of the kernel group share. */
#ifndef KERNEL_PATCH_H
#define KERNEL_PATCH_H

#include "kernel.h"

#include <assert.h>

#define KERNEL_TABLES 64u /* in each file that patches */

/* A table of its own for a patched allocator, which begins as a copy of its base's and lives as long as the program. */
static inline struct kernel_ops *own_kernel(struct alloc_ops *ops)
{
    static struct kernel_ops tables[KERNEL_TABLES];
    static unsigned used;
    assert(used < KERNEL_TABLES);
    struct kernel_ops *table = &tables[used++];
    *table = *ops->kernel;
    ops->kernel = table;
    return table;
}

#endif
