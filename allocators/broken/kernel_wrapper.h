/* kernel_wrapper.h: what the canaries over the kernel families share.
 *
 * A wrapper puts itself in the place of one row of the kernel group; the base's own functions never call each other
 * through the table, so that no other row is broken.
 */
#ifndef KERNEL_WRAPPER_H
#define KERNEL_WRAPPER_H

#include "kernel.h"

/* A copy of the base's kernel group that the patch may change; it lives as long as the program. */
struct kernel_ops *kernel_rows(struct alloc_ops *ops);

#endif
