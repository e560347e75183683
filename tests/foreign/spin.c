/* spin.c: a bump arena, right but for what its malloc does first: SPIN says what, for one of the functions below. */
#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct arena {
    unsigned char *next, *end;
    volatile size_t laps;
    void *volatile ring[3];
};

#ifndef LAPS
#define LAPS 500000000u
#endif

static inline void slow_in_memory(struct arena *a)
{
    for (a->laps = 0; a->laps < LAPS; a->laps++) continue;
}
static inline void slow_in_a_register(struct arena *a)
{
    (void)a;
    for (size_t n = 0; n < LAPS; n++) __asm__ volatile("" : "+r"(n));
}
static inline void count_for_ever(struct arena *a)
{
    for (;;) a->laps++;
}
static inline void follow_a_ring(struct arena *a)
{
    for (unsigned i = 0; i < 3; i++) a->ring[i] = (void *)&a->ring[(i + 1) % 3];
    for (void *volatile *p = &a->ring[0];; p = *p) continue;
}
/* A MiB of the host's for each block. */
static inline void take_from_the_host(struct arena *a)
{
    void *p = malloc((size_t)1 << 20);
    if (p) memset(p, 1, (size_t)1 << 20);
    a->ring[0] = p;
}

static int start(void *heap, struct backing *b)
{
    if (b->kind != BACKING_REGION) return EINVAL;
    *(struct arena *)heap = (struct arena){.next = b->base, .end = b->base + b->size};
    return 0;
}

static void *take(void *heap, size_t size)
{
    struct arena *a = heap;
    unsigned char *p = a->next;
    SPIN(a);
    if (!size) size = 1;
    if (size > (size_t)(a->end - p)) return NULL;
    a->next = p + size;
    return p;
}

static void finish(void *heap) { (void)heap; }
static void give(void *heap, void *p) { (void)heap, (void)p; }

static const struct alloc_ops arena = {
    .abi = ALLOC_ABI,
    .name = "spin",
    .summary = "bump arena that spins",
    .contract = {.backing = BACKING_REGION, .align_min = 1, .align_max = 1},
    .state_size = sizeof(struct arena),
    .init = start,
    .fini = finish,
    .malloc = take,
    .free = give,
};

assay_allocator_fn assay_allocator;
const struct alloc_ops *assay_allocator(void) { return &arena; }
