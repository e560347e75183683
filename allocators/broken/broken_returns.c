/* broken_returns.c: heaps whose calls do not come back; broken.h is the manual. */
#include "patches.h"
#include "wrapper.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct alloc_ops *const base = &alloc_freelist;

/* The null pointer is for the processor to find, in sanitized builds too. */
__attribute__((no_sanitize("undefined"))) static void *hasty_calloc(void *heap, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    volatile unsigned char *p = base->malloc(heap, bytes);
    for (size_t i = 0; i < bytes; i++) p[i] = 0;
    return (void *)(uintptr_t)p;
}

void calloc_clears_null(struct alloc_ops *ops) { ops->calloc = hasty_calloc; }

/* Ends the heap with a zero byte, for which there is room unless the heap ends where the memory does. */
static void *terminating_malloc(void *heap, size_t size)
{
    struct backing *m = memory_of(heap)->backing;
    unsigned char *p = base->malloc(heap, size);
    if (p) *(volatile unsigned char *)m->sbrk(m, 0) = 0;
    return p;
}

void writes_past_the_end(struct alloc_ops *ops)
{
    keep_memory(ops);
    ops->malloc = terminating_malloc;
}

static void *aborting_malloc(void *heap, size_t size)
{
    void *p = base->malloc(heap, size);
    if (!p) abort();
    return p;
}

void aborts_when_full(struct alloc_ops *ops) { ops->malloc = aborting_malloc; }

static void *exiting_malloc(void *heap, size_t size)
{
    void *p = base->malloc(heap, size);
    if (!p) _exit(3);
    return p;
}

void exits_when_full(struct alloc_ops *ops) { ops->malloc = exiting_malloc; }

static void hanging_free(void *heap, void *p)
{
    base->free(heap, p);
    for (volatile bool circular = stats_of(heap).free_blocks == 5; circular;) continue;
}

void hangs_on_free_list(struct alloc_ops *ops)
{
    ops->contract.promises &= ~(unsigned)PROMISE_CONST_FREE;
    ops->free = hanging_free;
}

#define TAKEN_BYTES ((size_t)4 << 20)

static void *greedy_malloc(void *heap, size_t size)
{
    mmap(NULL, TAKEN_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return base->malloc(heap, size);
}

void takes_host_memory(struct alloc_ops *ops) { ops->malloc = greedy_malloc; }
