/* exec_kernel.h: what the files of the kernel group share (exec_kernel.c, exec_pages.c, exec_caches.c, exec_kmalloc.c,
 * exec_vmalloc.c, exec_pools.c).
 *
 * Every call goes the same way:
 *
 *     kernel_begin     enter the context, say what report the call must give (X rules)
 *     the family       sets what else it must report, verifies the blocks concerned (kernel_verify)
 *     kernel_declines  an error on an allocator that does not promise to report it: the call is not made
 *     the call         in the family's file, the only place that calls the allocator
 *     kernel_end       judge reports and events, follow TAKE and GIVE in the frame map: taken frames are in flight
 *     the family       judges the result, claims the frames in flight that belong to it (kernel_claim), enters the block
 *     kernel_settle    what is still in flight is the allocator's own (slabs, page tables, arrays)
 *
 *     static bool step(struct exec *x, const struct op *op, unsigned slot, uint64_t a, uint64_t b)
 *     {
 *         struct kernel_call c = {.op = op, .slot = slot, .act = ACT_ALLOC, .gfp = op->gfp, .request = a};
 *         if (!kernel_begin(x, &c)) return false;
 *         if (kernel_declines(x, &c)) return true;
 *         void *p = ops->kmalloc(x->heap, a, op->gfp);
 *         if (!kernel_end(x, &c)) return false;
 *         if (c.reported) return true;
 *         ...
 *         return kernel_settle(x, &c, FRAME_SLAB);
 *     }
 *
 * Calls nest: a request may reclaim, and what is droppable is then freed by calls of its own (B122). A block of a slot
 * that is concerned by a call in progress is never freed that way.
 *
 * The model learns of frames from events, never from the allocator's records, and proves what it learned through the
 * oracle view: a frame is where the model thinks if and only if bytes written through the block's address show up there
 * (O7). zone_info and its like are held against the model at OP_CHECK, after refusals and at the end (C20, C32).
 */
#ifndef EXEC_KERNEL_H
#define EXEC_KERNEL_H

#include "exec_internal.h"
#include "frame_map.h"
#include "gfp_model.h"
#include "kernel.h"
#include "ruling.h"
#include "zone_model.h"

/* What a slot of the kernel group holds: where it came from, which decides how it is freed. */
enum kernel_origin {
    ORIGIN_NONE,
    ORIGIN_PAGES,   /* alloc_pages: handle is the struct page * */
    ORIGIN_ADDRESS, /* get_free_pages, get_zeroed_page: handle is the address */
    ORIGIN_EXACT,
    ORIGIN_BULK,   /* many single frames, pfns in the list; also what split_page leaves */
    ORIGIN_OBJECT, /* of cache `owner` */
    ORIGIN_KMALLOC,
    ORIGIN_ZERO_SIZE, /* ZERO_SIZE_PTR */
    ORIGIN_VMALLOC,
    ORIGIN_VMAP,
    ORIGIN_ELEMENT, /* of pool `owner` */
    ORIGINS
};

enum kernel_life { LIFE_NONE, LIFE_LIVE, LIFE_DEFERRED, LIFE_DEAD }; /* dead: remembered for misuse */

struct kernel_block {
    uint8_t origin, life;
    uint8_t order;          /* of ORIGIN_PAGES, ORIGIN_ADDRESS */
    uint8_t owner;          /* number of the cache or pool */
    uint8_t droppable;      /* 0: no; else 1 + OP_DROPPABLE's a */
    bool compound : 1;      /* B27 */
    bool usermap : 1;       /* B91 */
    bool always_zeroed : 1; /* B60 */
    bool whole : 1;         /* every byte of the request is written, not only the ends of pages */
    bool put : 1;           /* an area of frames that were the caller's (B100) */
    uint16_t references;    /* beyond the first (B23) */
    uint16_t source;        /* ORIGIN_VMAP: slot whose frames it shows */
    uint16_t pins;          /* kmaps and vmaps that show its frames: not freed while there are any */
    uint32_t gfp;           /* effective, of the request */
    void *handle;           /* what the call returned */
    unsigned char *va;      /* first byte, NULL if it has no address of its own (highmem) */
    uint32_t pfn;           /* frame of its first byte; further ones follow, unless `list` says otherwise */
    uint32_t frames;        /* owned or shown; 0 where frames are shared with others (objects) */
    uint32_t list;          /* scattered: index in kernel_model.pfns of `frames` entries; else LIST_NONE */
    uint32_t generation;    /* of the contents */
    uint64_t request, usable;
};

_Static_assert(sizeof(struct kernel_block) <= 64, "one line of a cache: among thousands, a block's is in none");

#define LIST_NONE UINT32_MAX

struct cache_model; /* cache_model.h: caches by number, kmalloc's classes, what lies in which slab */
struct area_model;  /* area_model.h: the vmalloc window */
struct pool_model;  /* pool_model.h */

#define KERNEL_SCOPES_MAX 16u
#define KERNEL_KMAPS_MAX 256u

struct kernel_call;

struct kernel_model {
    struct machine *machine;
    const struct kernel_ops *ops;
    struct machine_host host; /* reclaim and out-of-memory come back to exec_reclaim.c */
    struct frame_map frames;
    struct frame_map
        parked[MACHINE_CONFIGS]; /* those of the other machines, to be had again without being made again */
    struct zone_model zones;
    _Alignas(64) struct kernel_block blocks[PROGRAM_SLOTS];
    uint64_t alive[PROGRAM_SLOTS / 64]; /* bit s % 64 of word s / 64: slot s is LIFE_LIVE */
    uint32_t slot_end;                  /* no slot from here on was used in this run */
    uint32_t live, droppable;           /* slots that are LIFE_LIVE, and those of them that are droppable */
    uint32_t *pfns, *pfns_spare;        /* lists of scattered frames, from the front; compacted when full */
    uint32_t pfns_used;
    uint64_t largest;    /* request granted in this run */
    uint64_t live_bytes; /* requests of the slots that are LIFE_LIVE, summed */
    struct cache_model *caches;
    struct area_model *areas;
    struct pool_model *pools;
    uint8_t config; /* enum machine_config that `frames` and `zones` are of */
    enum program_context context;
    uint8_t scopes[KERNEL_SCOPES_MAX];
    unsigned scope_depth;
    unsigned scope;                /* enum machine_scope, or-ed, in force */
    uint32_t sweep, sweep_page;    /* slot that the rotating sweep looks at next, and which page of it */
    struct kernel_call *current;   /* the innermost call in progress */
    bool broken;                   /* a rule was broken in a nested call: the outer ones only return */
    uint32_t baseline;             /* frames taken when the heap was made */
    uint32_t probes;               /* turns of what is looked at now and then */
    struct {                       /* runs of frames taken by calls in progress */
        uint32_t pfn, count, each; /* `each` frames at a time */
    } * flights;
    uint32_t flight_count;
    struct kernel_kmap { /* exec_pages.c: pages that are kmapped; local ones are a stack */
        uint32_t pfn, slot;
        uint32_t page;  /* of the slot's block */
        uint32_t count; /* 0: free entry */
        unsigned char *va;
    } kmaps[KERNEL_KMAPS_MAX], locals[KERNEL_SCOPES_MAX];
    uint32_t kmap_count, local_count;
};

/* One call. The first part is filled before kernel_begin (what is not said is 0), the second by it, the third by
 * kernel_end. */
struct kernel_call {
    const struct op *op;
    unsigned slot, slots; /* slots [slot, slot + slots) are concerned, 0 stands for 1: their frames may be given back */
    enum kernel_act act;
    unsigned gfp;     /* as given; GFP_KERNEL for calls without a mask that allocate */
    unsigned order;   /* of pages, for must_succeed and must_fail */
    uint64_t request; /* bytes or frames, for the words of a verdict */
    bool single;      /* each run of frames taken is one block of `order` */
    bool may_block;   /* waiting for ever is no error of the allocator (B110); nofail may always */

    unsigned effective;           /* gfp after the scopes (B45) */
    enum alloc_report must;       /* the report that the call must give; REPORT_KINDS: none. A family may set it itself
                                    after kernel_begin, before the call (wrong family's free and the like) */
    enum alloc_report must_or;    /* or this one; REPORT_KINDS: no other */
    unsigned must_count;          /* reports that there must be: 1, unless the family says otherwise (OBJECTS_REMAIN) */
    enum rule must_rule;          /* under which its absence is found */
    bool deferred;                /* B48's `d` */
    bool plenty;                  /* likewise: a zone above its low mark has a block */
    bool must_succeed, must_fail; /* pages: B28 on the state before, for a request of `order` under `effective` */
    uint32_t flight_first, flight_before;
    struct kernel_call *outer;

    bool reported;                      /* it did, rightly: the family returns true and enters nothing */
    bool blocked;                       /* machine_block was called */
    unsigned injected;                  /* 1 << enum machine_fault, or-ed */
    uint32_t taken;                     /* frames now in flight */
    uint32_t count[EVENT_KINDS];        /* events of each kind; TAKE, GIVE, MAP and UNMAP: frames or pages */
    uint32_t reclaimed, killed;         /* frames that the last EVENT_DIRECT_RECLAIM, EVENT_OOM released */
    bool below_min;                     /* something was granted that the plain minimum mark would have refused */
    unsigned split_from, split_instead; /* a larger block was split than had to be; 0: none */
    uint32_t reports_before;
};

/* Says what the call must report and what a request must come to; false if and only if a rule was broken (x->verdict says
 * which). */
bool kernel_begin(struct exec *x, struct kernel_call *c);
/* True if the call is an error and the allocator does not promise to report it: it is over, and nothing was called. */
bool kernel_declines(struct exec *x, struct kernel_call *c);
/* Gives the call up before it was made, for any other reason. */
void kernel_abandon(struct exec *x, struct kernel_call *c);
/* Judges reports and events; false as kernel_begin. Sets x->outcome to RESULT_REPORT if the call reported. */
bool kernel_end(struct exec *x, struct kernel_call *c);

/* The block takes `count` frames from pfn on that must be in flight (C16, C25): owner becomes the slot. */
bool kernel_claim(struct exec *x, struct kernel_call *c, uint32_t pfn, uint32_t count);
/* All that is still in flight becomes the allocator's own, of this kind; FRAME_FREE: there must be nothing left, else
 * frames are lost (C25). */
bool kernel_settle(struct exec *x, struct kernel_call *c, enum frame_owner kind);

/* Enters a block whose fields from `origin` to `usable` are filled; judges containment and place (C8, B6), aliasing of
 * address and frames (C18, O7), and writes its contents. Frames were claimed before. `zeroed`: must read as zero (C12). */
bool kernel_enter(struct exec *x, struct kernel_call *c, const struct kernel_block *block, bool zeroed);
/* Before a free: its frames are still its own (C16) and hold what they must. After it: the block is dead (or deferred), and
 * none of its frames is its own any more, else they are lost (C25). */
bool kernel_verify(struct exec *x, unsigned slot, enum rule rule);
bool kernel_forget(struct exec *x, unsigned slot, enum kernel_life life);
/* The i-th frame of a block, and its address through the oracle view. */
uint32_t kernel_frame(const struct exec *x, const struct kernel_block *b, uint32_t i);
/* Writes new contents over the whole request, or verifies it up to `bytes` (realloc's prefix). */
void kernel_write(struct exec *x, unsigned slot);
bool kernel_verify_prefix(struct exec *x, const struct kernel_block *b, uint64_t bytes, enum rule rule);

/* Verifies every live block; a stretch of the next one. */
bool kernel_verify_all(struct exec *x, enum rule rule);
/* The same, but of large live sets a part, which goes around from call to call. */
bool kernel_verify_most(struct exec *x, enum rule rule);
bool kernel_sweep(struct exec *x, enum rule rule);

/* A hint to the processor: soon the contents of slot `soon` are verified, and later the block of slot `later` is looked at.
 * Among thousands of blocks neither is in a cache, nor its page in a translation buffer. */
void kernel_fetch(const struct exec *x, unsigned soon, unsigned later);
/* Bytes [from, from + n) of a block, which lie in one page, must hold what its owner wrote there, seen at p (C18: through
 * another view of the frame). */
bool kernel_shows(struct exec *x, const struct kernel_block *b, uint64_t from, size_t n, const unsigned char *p);

/* A list of `count` frames in kernel_model.pfns; LIST_NONE if and only if there is no room for it. */
uint32_t kernel_list(struct exec *x, uint32_t count);

/* Is the slot concerned by a call in progress? */
bool kernel_busy(const struct exec *x, unsigned slot);
/* The slot's block may be freed: live, and none of its frames shown elsewhere. */
bool kernel_free_to_go(const struct exec *x, unsigned slot);

/* What a call came to, for trace and courses: `p` NULL for none. */
void kernel_outcome(struct exec *x, const struct kernel_call *c, enum result_class result, const void *p);

/* B28 as the model sees it, for 2^order frames under this effective mask, on the state now. */
bool kernel_must_succeed(const struct exec *x, unsigned effective, unsigned order);
bool kernel_must_fail(const struct exec *x, unsigned effective, unsigned order);

/* The families' steps. OP_MISUSE and OP_SCRIBBLE go to the family that the slot's block is of; OP_RUN_DEFERRED and OP_PURGE
 * to exec_step_vmalloc. */
exec_step exec_step_kernel, exec_step_pages, exec_step_kmap, exec_step_caches, exec_step_kmalloc, exec_step_vmalloc,
    exec_step_pools;

/* Freeing a slot's block in the ordinary way, whatever it is (reclaim, the end of a program); false as an exec_step. */
bool kernel_release(struct exec *x, unsigned slot); /* exec_machine.c */
bool pages_release(struct exec *x, unsigned slot);
bool object_release(struct exec *x, unsigned slot);
bool kmalloc_release(struct exec *x, unsigned slot);
bool area_release(struct exec *x, unsigned slot);
bool element_release(struct exec *x, unsigned slot);

/* EVENT_MAP, EVENT_UNMAP, EVENT_FLUSH, EVENT_PT_ALLOC of any call. */
void areas_follow(struct exec *x, const struct machine_event *e);

/* Frames [pfn, pfn + count) of a slab's have just been given back; false if a rule was broken: an object lives there. */
bool caches_given(struct exec *x, struct kernel_call *c, uint32_t pfn, uint32_t count);

/* A heap has been made afresh; a program ends: everything is released, deferred work run, caches shrunk, areas purged, and
 * the state must be the initial one (C24, B30); and between programs the memory of the models is given back.
 * kernel_finish works as a task without scopes and faults: first every vmap, then every element, then what else lives;
 * pools_finish destroys the pools, areas_finish runs the deferred work and purges, caches_finish destroys the caches and
 * answers for every frame that is still FRAME_SLAB or FRAME_PLAIN then (kept empty slabs; without caches there is none).
 * Page tables stay. */
bool kernel_open(struct exec *x);
bool kernel_fresh(struct exec *x);
bool kernel_finish(struct exec *x);
void kernel_close(struct exec *x);
/* OP_CHECK and what is asked after a refusal: the allocator's own counts against the model's (C20, C23, B30, B83, B99). */
bool kernel_inspect(struct exec *x);
/* Of these, the zones' alone. */
bool kernel_zones(struct exec *x);
bool caches_fresh(struct exec *x), caches_finish(struct exec *x), caches_inspect(struct exec *x);
bool areas_fresh(struct exec *x), areas_finish(struct exec *x), areas_inspect(struct exec *x);
bool pools_fresh(struct exec *x), pools_finish(struct exec *x), pools_inspect(struct exec *x);
void caches_close(struct exec *x), areas_close(struct exec *x), pools_close(struct exec *x);

/* A step of the malloc family on a machine: made as a task with GFP_KERNEL, whatever the program's context. What it takes is
 * FRAME_PLAIN. The pair around calls that a course makes by itself. */
bool kernel_plain(struct exec *x, exec_step *step, const struct op *op, unsigned slot, uint64_t a, uint64_t b);
void kernel_plain_begin(struct exec *x, struct kernel_call *c, const struct op *op);
/* During such a call: has a fault struck it? Then a refusal says nothing of the next request like it. */
bool kernel_struck(const struct exec *x);
bool kernel_plain_end(struct exec *x, struct kernel_call *c);
/* The context alone, and back to the program's; nothing without a machine. */
void kernel_as_task(struct exec *x, bool task);

/* exec_pages.c: every kmap undone, at the end of a program. */
bool pages_unmap_all(struct exec *x);

/* exec_reclaim.c: the machine calls back (B121, B122), and OP_KSWAPD. */
uint32_t kernel_reclaim(void *host, uint32_t gfp, uint32_t pages, bool direct, bool *io, bool *fs);
uint32_t kernel_out_of_memory(void *host, uint32_t gfp);
bool kernel_kswapd(struct exec *x, const struct op *op);
/* Whether something is droppable that a request under this mask may reclaim. */
bool kernel_reclaimable(const struct exec *x, unsigned gfp, bool kill);

#endif
