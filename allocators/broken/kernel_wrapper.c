/* kernel_wrapper.c: tables for canaries; kernel_wrapper.h is the manual. */
#include "kernel_wrapper.h"

#include <assert.h>

#define TABLES_MAX 192u

struct kernel_ops *kernel_rows(struct alloc_ops *ops)
{
    static struct kernel_ops tables[TABLES_MAX]; /* filled once, when the list of built-ins is */
    static unsigned used;
    assert(used < TABLES_MAX);
    struct kernel_ops *rows = &tables[used++];
    *rows = *ops->kernel;
    ops->kernel = rows;
    return rows;
}
