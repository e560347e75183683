/* broken.h: canaries: allocators that break one rule each, to show that the bench finds it.
 *
 * A canary is a reference allocator with one or two operations replaced: `patch` is given a copy of *base, whose name
 * and summary have already been set, and changes it. What a canary has to remember lies behind the base's state.
 */
#ifndef BROKEN_H
#define BROKEN_H

#include "alloc.h"

struct canary {
    const char *name;
    const char *rule; /* the ID of the rule that it breaks: "A36" */
    const char *summary;
    const struct alloc_ops *base;
    void (*patch)(struct alloc_ops *ops);
};

/* Who got that wrong in the field (origins.c); by the name of the canary. Ends with a NULL name. */
struct canary_origin {
    const char *name, *origin;
};
extern const struct canary_origin canary_origins[];

/* Each ends with a NULL name. */
extern const struct canary broken_heap[], broken_kin[], broken_tags[], broken_spans[];
extern const struct canary broken_frames[], broken_breaks[], broken_maps[];
extern const struct canary broken_pages[], broken_zones[], broken_core[];
extern const struct canary broken_slab[], broken_kmalloc[];
extern const struct canary broken_vmalloc[], broken_mempool[];
extern const struct canary broken_faults[];

#endif
