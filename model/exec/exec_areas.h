/* exec_areas.h: areas of the vmalloc window, shared by exec_vmalloc.c (new ones, vrealloc), exec_vfree.c (freeing, deferred
 * work, what the window must add up to), exec_vmap.c (other views of frames) and exec_kvmalloc.c.
 */
#ifndef EXEC_AREAS_H
#define EXEC_AREAS_H

#include "area_model.h"
#include "exec_objects.h"

/* What vmalloc heeds of a mask (B93); the rest is taken away with a warning. */
#define AREA_GFP                                                                                                       \
    (GFP_KERNEL | GFP_BIT_HIGH | GFP_BIT_NOWARN | GFP_BIT_NOFAIL | GFP_BIT_ZERO | GFP_BIT_HARDWALL | GFP_BIT_NORETRY | \
     GFP_BIT_RETRY_MAYFAIL | GFP_BIT_ACCOUNT)

/* What is asked for. */
struct area_request {
    uint64_t bytes, pages, align;   /* align: bytes, at least a page */
    bool zeroed, user, masked;      /* masked: bits of the mask were taken away (B93) */
    const struct kernel_block *old; /* whose contents came along, freed on the way; or NULL */
    enum rule copy_rule;            /* which says so */
    /* filled by area_expect, on the state before the call */
    bool possible;     /* neither nothing nor more than there is (B86) */
    bool must_succeed; /* B127 */
    bool lazy_needed;  /* … if what is lazy is purged (B98) */
    uint32_t tables;   /* page tables */
};

/* Page of the window; pages that so many bytes need. */
static inline uint32_t area_page_of(const struct exec *x, const void *va)
{
    const struct machine *m = x->kernel->machine;
    return (uint32_t)(((uintptr_t)va - (uintptr_t)m->vmalloc_start) >> m->page_shift);
}

static inline uint64_t area_pages_of(const struct exec *x, uint64_t bytes)
{
    return bytes ? ((bytes - 1) >> x->kernel->machine->page_shift) + 1 : 0;
}

static inline bool kernel_idle(const struct kernel_block *b)
{
    return b->life != LIFE_LIVE && b->life != LIFE_DEFERRED;
}

/* Where it lies: in whole pages of the window, none of them or of its neighbours another area's (B86, B90); and, when all
 * else has been looked at, none of them unmapped since the last flush (B98). */
bool area_judge_span(struct exec *x, const unsigned char *p, uint64_t pages);
bool area_judge_stale(struct exec *x, const unsigned char *p, uint32_t pages);
/* Each page shows the frame that it did when the area was made (C17). */
bool area_judge_frames(struct exec *x, const struct kernel_block *b);

/* After kernel_begin, before the call. */
void area_expect(struct exec *x, const struct kernel_call *c, struct area_request *r);
/* After kernel_end: the result, NULL or not; or one of the two. `block` may have always_zeroed set. */
bool area_result(struct exec *x, struct kernel_call *c, const struct area_request *r, void *p,
                 struct kernel_block block);
bool area_granted(struct exec *x, struct kernel_call *c, const struct area_request *r, unsigned char *p,
                  struct kernel_block block);
bool area_refused(struct exec *x, struct kernel_call *c, const struct area_request *r);

/* The result of vrealloc where the old area's pages suffice (B103). */
bool area_resized(struct exec *x, struct kernel_call *c, const struct kernel_block *old, uint64_t bytes, void *p);

/* The call has freed or unmapped the block `old` of its slot: its pages are lazy and fault. */
bool area_left(struct exec *x, const struct kernel_block *old);

/* Whether pools hold frames that no slab explains. */
bool pools_have_pages(const struct exec *x);

bool area_step_free(struct exec *x, const struct op *op, unsigned slot);
bool area_step_vmap(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b);
bool area_step_remap(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b);
bool area_step_kvmalloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b);
bool area_step_kvrealloc(struct exec *x, const struct op *op, unsigned slot, uint64_t a);
bool area_misuse(struct exec *x, const struct op *op, unsigned slot, uint64_t misuse);
bool area_run_deferred(struct exec *x, const struct op *op);
bool area_purge(struct exec *x, const struct op *op);

#endif
