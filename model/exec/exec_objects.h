/* exec_objects.h: objects in slabs and large kmallocs, for all who get them: caches, kmalloc, kvmalloc, pools. */
#ifndef EXEC_OBJECTS_H
#define EXEC_OBJECTS_H

#include "cache_model.h"
#include "exec_kernel.h"

/* What a request for an object must give. */
struct object_request {
    unsigned group;  /* whose slabs it may lie in; GROUP_NONE: pages of its own */
    uint64_t bytes;  /* of the request */
    uint64_t usable; /* what the size is rounded to */
    uint64_t align;
    unsigned order; /* of the smallest slab, or of the pages */
    bool zeroed, constructed;
    bool fallible; /* asked without NOFAIL, whatever the call's mask says (B106) */
    enum rule align_rule, zero_rule, class_rule, refusal_rule;
    /* filled by objects_expect, on the state before the call */
    uint32_t spare; /* free objects that the group had */
    bool must_succeed;
};

/* After kernel_begin of a request for objects: false if the call is not made, and over. Two errors at once are not asked for, nor
 * a mask of which the stray bits might be taken away (B63) or reported (B4). To zero what was constructed is one (B69). */
bool objects_asked(struct exec *x, struct kernel_call *c, bool zeroes_constructed);

/* Before the call, after kernel_begin. */
void objects_expect(struct exec *x, const struct kernel_call *c, struct object_request *r);

/* After kernel_end: p was returned, not NULL. Judges where it lies and what it is like, settles the frames that came with
 * it, and enters `block`, of which origin, owner and gfp are filled. */
bool objects_granted(struct exec *x, struct kernel_call *c, const struct object_request *r, void *p,
                     struct kernel_block block);
/* ... NULL was returned: may it be? */
bool objects_refused(struct exec *x, struct kernel_call *c, const struct object_request *r);

/* Part of both; for calls about many objects, whose refusals are their own affair. */
bool objects_judge_injection(struct exec *x, const struct kernel_call *c, const struct object_request *r);

/* The block's bytes are nobody's any more; before the call that frees it. objects_return puts it back, when that call
 * did not free after all. */
void objects_leave(struct exec *x, unsigned slot);
void objects_return(struct exec *x, unsigned slot);

/* The request that kmalloc(size, gfp) stands for, gfp as in force. */
struct object_request kmalloc_request(const struct exec *x, uint64_t size, unsigned effective);

/* The request that kmem_cache_alloc of this cache stands for. */
struct object_request caches_request(const struct exec *x, unsigned number);

/* exec_cache_objects.c: the constructor of a cache of this number, which works while x is set; OP_CACHE_ALLOC and the like. */
void (*caches_constructor(unsigned number))(void *object);
void caches_construct(struct exec *x);
bool caches_step_object(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b);

/* The result p, which may be NULL, of a call that asked kmalloc for a new block; `impossible` is the rule that forbids the
 * request, or RULE_NONE. */
bool kmalloc_granted(struct exec *x, struct kernel_call *c, struct object_request *r, enum rule impossible, void *p);
/* The result, not NULL, of a call that asked for another size of an old block, and that has left it (objects_leave) if it
 * was moved. */
bool kmalloc_resized(struct exec *x, struct kernel_call *c, struct object_request *r, const struct kernel_block *old,
                     void *p);

/* OP_KFREE, OP_KFREE_SENSITIVE, and OP_KVFREE of what is no area. */
bool kmalloc_step_free(struct exec *x, const struct op *op, unsigned slot);

/* At the end of a call that asked for objects: the frames in flight are slabs of the group that it asked for; of a call
 * that asked for something else, of some class of kmalloc. Then as kernel_settle. */
bool caches_settle(struct exec *x, struct kernel_call *c);

/* Asks slabinfo for the stride and the slab size of a group, if they are not known. */
void caches_learn(struct exec *x, unsigned group);

/* From now on the allocator takes objects of kmalloc for itself: what its classes hold can no more be told exactly. */
void caches_shared(struct exec *x);

/* OP_MISUSE and OP_SCRIBBLE on objects. */
bool object_misuse(struct exec *x, const struct op *op, unsigned slot, uint64_t misuse);
bool object_scribble(struct exec *x, const struct op *op, unsigned slot, uint64_t where);

#endif
