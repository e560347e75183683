/* kernel_example.h: a simulated machine with a heap of all kernel families on it, for the programs beside this file. */
#ifndef KERNEL_EXAMPLE_H
#define KERNEL_EXAMPLE_H

#include "builtin.h"
#include "kernel.h"

#include <stdio.h>
#include <stdlib.h>

struct example {
    struct machine machine;
    struct backing backing;
    void *heap;
    const struct kernel_ops *kernel;
};

/* Ends the program if the host has no memory: nothing can be shown then. */
static inline void example_open(struct example *e, const struct machine_geometry *geometry)
{
    machine_init(&e->machine);
    e->heap = calloc(1, alloc_vmalloc.state_size);
    bool on = e->heap && !machine_fresh(&e->machine, geometry, NULL);
    e->backing = (struct backing){.kind = BACKING_MACHINE, .page_bytes = e->machine.page_bytes, .machine = &e->machine};
    if (!on || alloc_vmalloc.init(e->heap, &e->backing)) {
        fprintf(stderr, "there is no memory for a simulated machine\n");
        exit(2);
    }
    e->kernel = alloc_vmalloc.kernel;
}

static inline void example_close(struct example *e)
{
    free(e->heap);
    machine_close(&e->machine);
}

#endif
