/* cache_model.h: caches and slabs, as far as they follow from calls and events (B52, B66, B67, B71-B76, B81, B83).
 *
 * A slab is a run of frames that the allocator took while it served a request for an object, and it belongs to the cache
 * that the request was for. How many objects it holds follows from its size and from the stride that slabinfo declares;
 * how many are in use is what the program holds. So whether a free object exists, and how many slabs are full, partly
 * used and empty, is known without asking.
 *
 * A group is what slabs belong to: one of the program's caches, or one of kmalloc's classes of one type (B63). Groups that
 * turn out to share slabs are joined, where the allocator may merge them (B81).
 */
#ifndef CACHE_MODEL_H
#define CACHE_MODEL_H

#include "frame_map.h"
#include "kernel.h"
#include "program.h"
#include "shadow.h"

#define KMALLOC_CLASSES 13u /* B52 */

enum kmalloc_type { KMALLOC_NORMAL, KMALLOC_DMA, KMALLOC_RECLAIM, KMALLOC_TYPES };

#define GROUP_KMALLOC PROGRAM_CACHES
#define GROUP_OTHERS (GROUP_KMALLOC + KMALLOC_CLASSES * KMALLOC_TYPES) /* came with a call for something else */
#define GROUPS (GROUP_OTHERS + 1)
#define GROUP_NONE GROUPS

/* What stands at a frame: the head of a slab, another frame of one, or nothing. */
struct slab {
    uint16_t frames;   /* of the slab that begins here; 0: none does */
    uint16_t back;     /* frames back to the head, at the slab's other frames */
    uint16_t used;     /* objects that the program holds */
    uint16_t capacity; /* objects in it; 0 until the stride is known */
    uint32_t
        phase; /* offset of an object in it, modulo the stride, + 1; PHASE_NONE until one was seen; 0: never used */
    uint8_t group;
};

#define PHASE_NONE UINT32_MAX

struct cache_group {
    uint8_t joined;   /* another group that this one is part of, or itself */
    uint32_t stride;  /* bytes from object to object, as declared; 0: not known yet */
    uint32_t pages;   /* of a slab, as declared; 0: not known yet */
    uint32_t slabs;   /* now */
    uint32_t objects; /* in all of them */
    uint32_t used;    /* by the program */
    uint32_t empty, full;
    uint32_t constructed; /* objects that a constructor has run on */
};

struct known_cache {
    struct kmem_cache *handle; /* NULL: there is none */
    bool zombie;               /* destroyed with live objects (B74) */
    bool constructor;
    unsigned flags; /* enum cache_flags */
    uint32_t size, align;
    uint32_t live; /* objects */
    bool pooled;   /* a pool keeps objects of it in reserve: more may be in use than are live */
    bool inexact;  /* … or did: slabs of it came with calls of the pool, and are not known to be its own */
};

struct cache_model {
    struct known_cache caches[PROGRAM_CACHES];
    struct cache_group groups[GROUPS];
    struct slab slabs[FRAME_MAP_FRAMES];
    uint32_t touched[FRAME_MAP_FRAMES], touched_count; /* frames at which a slab stood */
    struct shadow shadow;                              /* bytes of live objects */
    bool shadow_ready;
    uint8_t current;  /* group that the call in progress asks for; GROUP_NONE */
    uint32_t arrived; /* slabs that this call has brought to it */
    bool others;      /* another family of the allocator uses kmalloc too: counts of its classes are lower bounds */
    bool zombies;     /* some cache was destroyed with live objects in this run */
};

/* Nothing known; costs in proportion to what was. */
void cache_model_fresh(struct cache_model *m);

/* The group that g is part of by now. */
unsigned cache_model_group(const struct cache_model *m, unsigned g);
/* The two share slabs from now on. */
void cache_model_join(struct cache_model *m, unsigned a, unsigned b);
/* The cache is gone; if others share its slabs, those are theirs from now on. */
void cache_model_depart(struct cache_model *m, unsigned number);
/* May they (B81)? Groups of kmalloc are caches of their class's size without flags. */
bool cache_model_mergeable(const struct cache_model *m, unsigned a, unsigned b, unsigned kmalloc_min);

/* The stride of a group is known now: its slabs have a capacity from here on. */
void cache_model_stride(struct cache_model *m, unsigned g, uint32_t stride, size_t page_bytes);

/* A slab of `frames` frames from pfn on has come to a group; or whatever slabs begin in [pfn, pfn + frames) are gone: false
 * if and only if one of them had objects in use. */
void cache_model_take(struct cache_model *m, unsigned g, uint32_t pfn, uint32_t frames, size_t page_bytes);
bool cache_model_give(struct cache_model *m, uint32_t pfn, uint32_t frames);
/* It shows whose a slab is that came with a call for something else; no object of it has been seen until now. */
void cache_model_adopt(struct cache_model *m, struct slab *slab, unsigned g, size_t page_bytes);
/* The slab that the frame is part of, and its first frame; NULL if it is part of none. */
struct slab *cache_model_slab(struct cache_model *m, uint32_t pfn, uint32_t *head);
/* An object of the slab is taken (+1) or given back (-1). */
void cache_model_use(struct cache_model *m, struct slab *slab, int delta);

/* Free objects in the group's slabs, where known. */
uint32_t cache_model_spare(const struct cache_model *m, unsigned g);

/* kmalloc's class for 1 <= size <= KMALLOC_CACHE_MAX, with this smallest class (B52); its size in bytes; the type (B63). */
unsigned kmalloc_class(size_t size, unsigned kmalloc_min);
uint32_t kmalloc_class_bytes(unsigned class);
enum kmalloc_type kmalloc_type_of(unsigned gfp, bool has_dma);
/* What kmalloc_size_roundup must say (B57). */
size_t kmalloc_roundup(size_t size, unsigned kmalloc_min, size_t page_bytes);
/* The least alignment of kmalloc(size) (B55). */
size_t kmalloc_alignment(size_t size, unsigned kmalloc_min);

/* Effective alignment of a cache's objects (B66). */
uint32_t cache_alignment(uint32_t size, uint32_t align, unsigned flags);

#endif
