/* exec_objects.h: objects in slabs and large kmallocs, for all who get them: caches, kmalloc, kvmalloc, pools. */
#ifndef EXEC_OBJECTS_H
#define EXEC_OBJECTS_H

#include "cache_model.h"
#include "exec_kernel.h"

/* What a request for an object must give. */
struct object_request {
    unsigned group;      /* whose slabs it may lie in; GROUP_NONE: pages of its own */
    uint64_t bytes;      /* of the request */
    uint64_t usable;     /* what the size is rounded to */
    uint64_t align;
    unsigned order;      /* of the smallest slab, or of the pages */
    bool zeroed, constructed;
    enum rule align_rule, zero_rule, class_rule, refusal_rule;
    /* filled by objects_expect, on the state before the call */
    uint32_t spare; /* free objects that the group had */
    bool must_succeed;
};

/* Before the call, after kernel_begin. */
void objects_expect(struct exec *x, const struct kernel_call *c, struct object_request *r);

/* After kernel_end: p was returned, not NULL. Judges where it lies and what it is like, settles the frames that came with
 * it, and enters `block`, of which origin, owner and gfp are filled. */
bool objects_granted(struct exec *x, struct kernel_call *c, const struct object_request *r, void *p,
                     struct kernel_block block);
/* ... NULL was returned: may it be? */
bool objects_refused(struct exec *x, struct kernel_call *c, const struct object_request *r);

/* The block's bytes are nobody's any more; before the call that frees it. objects_return puts it back, when that call
 * did not free after all. */
void objects_leave(struct exec *x, unsigned slot);
void objects_return(struct exec *x, unsigned slot);

/* The request that kmalloc(size, gfp) stands for, gfp as in force. */
struct object_request kmalloc_request(const struct exec *x, uint64_t size, unsigned effective);

/* The machine gave these frames back to free memory during the call in progress; they were a slab's. */
bool caches_gave(struct exec *x, uint32_t pfn, uint32_t count);
/* These frames are still in flight at the end of the call: a slab of the group that it asked for. */
void caches_took(struct exec *x, uint32_t pfn, uint32_t count);

/* Asks slabinfo for the stride of a group, if it is not known. */
void caches_learn(struct exec *x, unsigned group);

#endif
