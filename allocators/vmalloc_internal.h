/* vmalloc_internal.h: what vmalloc.c (areas) and vmalloc_map.c (frames and page tables) share. */
#ifndef VMALLOC_INTERNAL_H
#define VMALLOC_INTERNAL_H

#include "vmalloc.h"

static inline struct buddy *vmalloc_buddy(struct vmalloc_heap *v) { return &v->objects.slabs.buddy; }
static inline struct machine *vmalloc_machine(const struct vmalloc_heap *v) { return v->objects.slabs.buddy.machine; }

static inline unsigned char *area_address(const struct vmalloc_heap *v, const struct area *a)
{
    const struct machine *m = vmalloc_machine(v);
    return m->vmalloc_start + ((size_t)a->first << m->page_shift);
}

/* Takes a frame for each page of the area, in the order in which they are to be shown, and writes them down in v->pfns and
 * a->frames. False: there are not enough, and none is taken. */
bool frames_take(struct vmalloc_heap *v, struct area *a, unsigned gfp);

/* Gives the area's frames back. */
void frames_give(struct vmalloc_heap *v, struct area *a);

/* Shows v->pfns in the pages of the area. False: nothing is mapped; page tables may have been added. */
bool area_map(struct vmalloc_heap *v, const struct area *a, unsigned gfp);

#endif
