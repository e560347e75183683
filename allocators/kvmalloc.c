/* kvmalloc.c: kmalloc if that is easily had, else vmalloc (B106-B108); vmalloc.h is the manual.
 *
 * Whoever asks does not care for physical contiguity, so nobody's memory is reclaimed to put frames side by side.
 */
#include "gfp.h"
#include "vmalloc_internal.h"

#include <limits.h>
#include <string.h>

/* The mask of the attempt with kmalloc. What may not fail is vmalloc's affair. */
static unsigned attempt_gfp(const struct machine *m, size_t size, unsigned gfp)
{
    if (size <= m->page_bytes) return gfp;
    if (!(gfp & GFP_BIT_RETRY_MAYFAIL)) gfp &= ~(unsigned)GFP_BIT_DIRECT;
    return (gfp | GFP_BIT_NOWARN) & ~(unsigned)GFP_BIT_NOFAIL;
}

/* Where vmalloc may not be called there is only what kmalloc has (B94). */
static bool may_map(const struct machine *m, unsigned gfp)
{
    return !machine_in_interrupt(m) && (machine_can_sleep(m) || !gfp_may_sleep(gfp));
}

void *kvmalloc(void *heap, size_t size, unsigned gfp)
{
    struct machine *m = vmalloc_machine(heap);
    if (!gfp_enter(m, gfp)) return NULL;
    void *p = kmalloc(heap, size, attempt_gfp(m, size, gfp));
    if (p || size <= m->page_bytes || !may_map(m, gfp)) return p;
    if (size <= INT_MAX) return vmalloc_gfp(heap, size, 0, gfp);
    if (!(gfp & GFP_BIT_NOWARN)) machine_event(m, EVENT_WARN, 0, 0, 0);
    return NULL;
}

void *kvcalloc(void *heap, size_t count, size_t size, unsigned gfp)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    return kvmalloc(heap, bytes, gfp | GFP_BIT_ZERO);
}

void kvfree(void *heap, const void *p)
{
    if (machine_in_window(vmalloc_machine(heap), p)) vfree(heap, p);
    else kfree(heap, p);
}

/* Nothing is wiped before a call that is going to be reported. */
void kvfree_sensitive(void *heap, const void *p, size_t size)
{
    struct vmalloc_heap *v = heap;
    const struct machine *m = vmalloc_machine(v);
    if (!machine_in_window(m, p)) {
        kfree_sensitive(heap, p);
        return;
    }
    const struct area *a = vmalloc_find(v, p);
    bool allowed = machine_in_interrupt(m) ? !m->context.nmi : machine_can_sleep(m);
    size_t capacity = a ? (size_t)a->pages << m->page_shift : 0;
    if (a && allowed) memset(area_address(v, a), 0, size < capacity ? size : capacity);
    vfree(heap, p);
}

/* krealloc first, as kvmalloc tries kmalloc first; ksize reports a pointer that is nobody's. */
void *kvrealloc(void *heap, const void *p, size_t size, unsigned gfp)
{
    struct machine *m = vmalloc_machine(heap);
    if (machine_in_window(m, p)) return vrealloc(heap, p, size, 0, gfp);
    if (!gfp_enter(m, gfp)) return NULL;
    size_t old = ksize(heap, p);
    if (!old && !zero_or_null(p)) return NULL;
    void *q = krealloc(heap, p, size, attempt_gfp(m, size, gfp));
    if (q || !(q = kvmalloc(heap, size, gfp))) return q;
    if (old) memcpy(q, p, old < size ? old : size);
    kfree(heap, p);
    return q;
}
