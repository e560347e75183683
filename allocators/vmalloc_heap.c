/* vmalloc_heap.c: all kernel families as one heap, whose malloc is vmalloc: whole pages that only page tables hold together.
 *
 * vmalloc.h has the algorithm. malloc, calloc and realloc are vmalloc, vzalloc and vrealloc in the context of the moment;
 * free tells the errors of its caller as those of the malloc family are told (A11). An area that shrinks keeps its frames
 * (B103), so nothing is promised about waste.
 */
#include "builtin.h"
#include "mempool.h"
#include "vmalloc_internal.h"

#include <errno.h>

#define ALIGN_MAX ((size_t)16 << 10)

static int heap_init(void *heap, struct backing *b)
{
    return b->kind == BACKING_MACHINE ? vmalloc_init(heap, b->machine) : EINVAL;
}

static void heap_fini(void *heap) { (void)heap; }
static int heap_reset(void *heap) { return vmalloc_reset(heap); }
static const char *heap_check(void *heap) { return vmalloc_check(heap); }

static void *or_enomem(void *p)
{
    if (!p) errno = ENOMEM;
    return p;
}

/* What only looks like a request is none: malloc(0) is NULL, but no failure to be told in a log. */
static void *heap_malloc(void *heap, size_t size) { return or_enomem(size ? vmalloc(heap, size) : NULL); }

static void *heap_calloc(void *heap, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
    return or_enomem(bytes ? vzalloc(heap, bytes) : NULL);
}

static void *heap_aligned_alloc(void *heap, size_t align, size_t size)
{
    if (!align || (align & (align - 1))) {
        errno = EINVAL;
        return NULL;
    }
    return or_enomem(size ? vmalloc_gfp(heap, size, align, GFP_KERNEL) : NULL);
}

static int heap_posix_memalign(void *heap, void **out, size_t align, size_t size)
{
    if (align < sizeof(void *) || (align & (align - 1))) return EINVAL;
    void *p = size ? vmalloc_gfp(heap, size, align, GFP_KERNEL) : NULL;
    if (size && !p) return ENOMEM;
    *out = p;
    return 0;
}

static bool is_live(struct vmalloc_heap *v, const void *p)
{
    if (vmalloc_find(v, p)) return true;
    const struct machine *m = vmalloc_machine(v);
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)m->vmalloc_start);
    bool again = machine_in_window(m, p) && offset % m->page_bytes == 0 &&
                 window_was_area(&v->window, (uint32_t)(offset >> m->page_shift));
    machine_report(vmalloc_machine(v), again ? REPORT_DOUBLE_FREE : REPORT_BAD_FREE, p);
    return false;
}

static void heap_free(void *heap, void *p)
{
    if (p && is_live(heap, p)) vfree(heap, p);
}

/* realloc(p, 0) frees (A18). */
static void *heap_realloc(void *heap, void *p, size_t size)
{
    if (!p) return heap_malloc(heap, size);
    if (!is_live(heap, p)) return NULL;
    void *q = vrealloc(heap, p, size, 0, GFP_KERNEL);
    return size ? or_enomem(q) : q;
}

static void *heap_reallocarray(void *heap, void *p, size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? or_enomem(NULL) : heap_realloc(heap, p, bytes);
}

static size_t heap_usable_size(void *heap, const void *p)
{
    const struct area *a = vmalloc_find(heap, p);
    return a ? (size_t)a->pages << vmalloc_machine(heap)->page_shift : 0;
}

static const struct kernel_ops kernel = {
    .kfree_takes_cached = true,
    .merges_caches = true,
    .kmalloc_min = 8,
    .checks_misuse = true,
    MEMPOOL_KERNEL_OPS,
};

const struct alloc_ops alloc_vmalloc = {
    .abi = ALLOC_ABI,
    .name = "vmalloc",
    .summary =
        "whole pages that only page tables hold together, first fit over a window: vmalloc, and all that is below it",
    .contract =
        {
            .backing = BACKING_MACHINE,
            .align_min = 4096,
            .align_max = ALIGN_MAX,
            .zero_size = ZERO_SIZE_NULL,
            .realloc_zero = REALLOC_ZERO_FREES,
            .promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_FREE_ERRNO | PROMISE_ALIGN_CHECKED |
                        PROMISE_MERGES | PROMISE_DETERMINISTIC | PROMISE_DETECTS_BAD_FREE,
        },
    .state_size = sizeof(struct vmalloc_heap),
    .init = heap_init,
    .fini = heap_fini,
    .malloc = heap_malloc,
    .free = heap_free,
    .calloc = heap_calloc,
    .realloc = heap_realloc,
    .reallocarray = heap_reallocarray,
    .aligned_alloc = heap_aligned_alloc,
    .posix_memalign = heap_posix_memalign,
    .usable_size = heap_usable_size,
    .reset = heap_reset,
    .check = heap_check,
    .kernel = &kernel,
};
