/* vmalloc.c: areas; vmalloc.h is the manual.
 *
 * An area is made in the kernel's order: descriptor, addresses, array, frames, page tables, mapping. Whatever fails, all
 * before it is undone in reverse, but for page tables (B95); addresses that nothing was mapped at need no purge. Memory is
 * reclaimed inside these steps, and whatever is reclaimed comes back in through vfree: so between two steps the window and
 * its lists are always whole.
 */
#include "vmalloc.h"
#include "gfp.h"
#include "vmalloc_internal.h"

#include <errno.h>
#include <string.h>

/* What B93 lets a caller say, and what of that concerns memory for descriptors and arrays. */
#define VMALLOC_GFP                                                                                                    \
    (GFP_KERNEL | GFP_BIT_HIGH | GFP_BIT_NOWARN | GFP_BIT_NOFAIL | GFP_BIT_ZERO | GFP_BIT_HARDWALL | GFP_BIT_NORETRY | \
     GFP_BIT_RETRY_MAYFAIL | GFP_BIT_ACCOUNT)
#define META_GFP (VMALLOC_GFP & ~(GFP_BIT_ZERO | GFP_BIT_HARDWALL | GFP_BIT_ACCOUNT))

static void *area_alloc(struct vmalloc_heap *v, size_t bytes, uint64_t align, unsigned flags, unsigned gfp);
static void area_free(struct vmalloc_heap *v, struct area *a);

/* ---- Addresses and descriptors -------------------------------------------------------------------------------------- */

static bool purge(struct vmalloc_heap *v)
{
    bool any = window_purge(&v->window);
    if (any) machine_flush(vmalloc_machine(v));
    return any;
}

/* Nothing is refused for want of addresses before the lazy ones have been looked at (B98). */
static uint32_t take_pages(struct vmalloc_heap *v, uint32_t pages, uint64_t align, unsigned gfp)
{
    struct machine *m = vmalloc_machine(v);
    const uint64_t origin = (uintptr_t)m->vmalloc_start >> m->page_shift;
    if (machine_fails(m, FAULT_VA, gfp, (size_t)pages << m->page_shift)) return PAGE_NONE;
    uint32_t first = window_take(&v->window, pages, align, origin);
    if (first == PAGE_NONE && purge(v)) first = window_take(&v->window, pages, align, origin);
    return first;
}

/* A descriptor and addresses for `pages` pages and a guard; align counts pages. */
static struct area *area_open(struct vmalloc_heap *v, uint32_t pages, uint64_t align, unsigned gfp)
{
    if (machine_fails(vmalloc_machine(v), FAULT_DESCRIPTOR, gfp, sizeof(struct area))) return NULL;
    struct area *a = kmalloc(v, sizeof *a, gfp & META_GFP);
    if (!a) return NULL;
    uint32_t first = take_pages(v, pages + 1, align, gfp);
    if (first == PAGE_NONE) {
        kfree(v, a);
        return NULL;
    }
    *a = (struct area){.first = first, .pages = pages};
    v->window.page[first].area = a;
    return a;
}

/* For an area at which nothing was ever mapped. */
static void area_close(struct vmalloc_heap *v, struct area *a)
{
    window_give(&v->window, a->first);
    kfree(v, a);
}

/* An array that does not fit a page is an area, whose array is 512 times smaller; so this ends soon (B104). */
static struct page **array_alloc(struct vmalloc_heap *v, uint32_t pages, unsigned gfp)
{
    struct machine *m = vmalloc_machine(v);
    size_t bytes = pages * sizeof(struct page *);
    if (machine_fails(m, FAULT_DESCRIPTOR, gfp, bytes)) return NULL;
    return bytes > m->page_bytes ? area_alloc(v, bytes, 1, 0, gfp & META_GFP) : kmalloc(v, bytes, gfp & META_GFP);
}

static void array_free(struct vmalloc_heap *v, struct page **frames)
{
    struct area *a = frames ? vmalloc_find(v, frames) : NULL;
    if (a) area_free(v, a);
    else kfree(v, frames);
}

/* ---- Areas ---------------------------------------------------------------------------------------------------------- */

static void *area_alloc(struct vmalloc_heap *v, size_t bytes, uint64_t align, unsigned flags, unsigned gfp)
{
    const struct machine *m = vmalloc_machine(v);
    struct area *a = area_open(v, (uint32_t)((bytes - 1) >> m->page_shift) + 1, align, gfp);
    if (!a) return NULL;
    a->flags = flags;
    a->bytes = bytes;
    a->frames = array_alloc(v, a->pages, gfp);
    if (a->frames && frames_take(v, a, gfp & ~(unsigned)GFP_BIT_ZERO)) {
        if (area_map(v, a, gfp & META_GFP)) {
            if (gfp & GFP_BIT_ZERO) memset(area_address(v, a), 0, (size_t)a->pages << m->page_shift);
            return area_address(v, a);
        }
        frames_give(v, a);
    }
    array_free(v, a->frames);
    area_close(v, a);
    return NULL;
}

static void area_free(struct vmalloc_heap *v, struct area *a)
{
    machine_unmap(vmalloc_machine(v), area_address(v, a), a->pages);
    window_retire(&v->window, a->first);
    if (!(a->flags & AREA_VMAP)) frames_give(v, a);
    if (a->flags & AREA_PUT)
        for (uint32_t i = 0; i < a->pages; i++) buddy_put(vmalloc_buddy(v), a->frames[i]);
    array_free(v, a->frames);
    kfree(v, a);
    if (v->window.lazy_pages > v->lazy_max) purge(v);
}

struct area *vmalloc_find(struct vmalloc_heap *v, const void *p)
{
    const struct machine *m = vmalloc_machine(v);
    if (!machine_in_window(m, p)) return NULL;
    size_t offset = (size_t)((uintptr_t)p - (uintptr_t)m->vmalloc_start);
    const struct window_page *page = &v->window.page[offset >> m->page_shift];
    if (offset % m->page_bytes || page->state != RANGE_BUSY || (page->area->flags & AREA_DEFERRED)) return NULL;
    return page->area;
}

/* As vmalloc_find; NULL is reported. */
static struct area *area_at(struct vmalloc_heap *v, const void *p)
{
    struct machine *m = vmalloc_machine(v);
    struct area *a = vmalloc_find(v, p);
    if (a) return a;
    enum alloc_report report = REPORT_WRONG_FREE;
    if (machine_in_window(m, p)) {
        size_t offset = (size_t)((uintptr_t)p - (uintptr_t)m->vmalloc_start);
        uint32_t page = (uint32_t)(offset >> m->page_shift);
        bool began = v->window.page[page].state == RANGE_BUSY || window_was_area(&v->window, page);
        report = offset % m->page_bytes == 0 && began ? REPORT_DOUBLE_FREE : REPORT_CONTRACT_WARN;
    }
    machine_report(m, report, p);
    return NULL;
}

/* ---- vmalloc -------------------------------------------------------------------------------------------------------- */

/* B94: not in an interrupt, whatever the mask says; and page tables are waited for inside a noreclaim scope too (B48). */
static bool enter(struct machine *m, unsigned gfp)
{
    if (machine_in_interrupt(m)) {
        machine_report(m, REPORT_BUG, NULL);
        return false;
    }
    return !gfp_may_sleep(gfp) || machine_enter_sleeping(m);
}

static void *warn(struct machine *m, unsigned gfp)
{
    if (!(gfp & GFP_BIT_NOWARN)) machine_event(m, EVENT_WARN, 0, 0, 0);
    return NULL;
}

/* One message for the whole request, so those of its parts are kept quiet; and a request that may not fail waits (B40). */
static void *request(struct vmalloc_heap *v, size_t size, size_t align, unsigned flags, unsigned gfp)
{
    struct machine *m = vmalloc_machine(v);
    if (!align) align = 1;
    if (!size || (align & (align - 1)) || (size - 1) >> m->page_shift >= m->frames) return warn(m, gfp);
    if (gfp & ~(unsigned)VMALLOC_GFP) machine_event(m, EVENT_WARN, 0, 0, 0);
    gfp &= VMALLOC_GFP;
    if (!gfp_may_sleep(gfp)) gfp &= ~(unsigned)GFP_BIT_NOFAIL;
    uint64_t align_pages = align > m->page_bytes ? align >> m->page_shift : 1;
    void *p = area_alloc(v, size, align_pages, flags, gfp | GFP_BIT_NOWARN);
    if (p) return p;
    if (!(gfp & GFP_BIT_NOFAIL)) return warn(m, gfp);
    machine_block(m);
    return NULL;
}

void *vmalloc_gfp(void *heap, size_t size, size_t align, unsigned gfp)
{
    struct vmalloc_heap *v = heap;
    return enter(vmalloc_machine(v), gfp) ? request(v, size, align, 0, gfp) : NULL;
}

void *vmalloc(void *heap, size_t size) { return vmalloc_gfp(heap, size, 0, GFP_KERNEL); }
void *vzalloc(void *heap, size_t size) { return vmalloc_gfp(heap, size, 0, GFP_KERNEL | GFP_BIT_ZERO); }

void *vmalloc_user(void *heap, size_t size)
{
    struct vmalloc_heap *v = heap;
    if (!enter(vmalloc_machine(v), GFP_KERNEL)) return NULL;
    return request(v, size, 0, AREA_USER, GFP_KERNEL | GFP_BIT_ZERO);
}

/* What lies between the smaller and the larger of two sizes is zero if every call asked for it (B103). */
static void resize_inside(struct area *a, unsigned char *p, size_t size, unsigned gfp)
{
    if (gfp & GFP_BIT_ZERO) {
        if (size > a->bytes) memset(p + a->bytes, 0, size - a->bytes);
        else memset(p + size, 0, a->bytes - size);
    }
    a->bytes = size;
}

void *vrealloc(void *heap, const void *p, size_t size, size_t align, unsigned gfp)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    if (!p) return vmalloc_gfp(heap, size, align, gfp);
    if (!size) {
        vfree(heap, p);
        return NULL;
    }
    struct area *a = area_at(v, p);
    if (!a) return NULL;
    if (a->flags & AREA_VMAP) {
        machine_report(m, REPORT_WRONG_FREE, p);
        return NULL;
    }
    unsigned char *old = area_address(v, a);
    if (align && (uintptr_t)old & (align - 1)) return warn(m, gfp);
    if (size <= (size_t)a->pages << m->page_shift) {
        resize_inside(a, old, size, gfp);
        return old;
    }
    void *larger = vmalloc_gfp(heap, size, align, gfp);
    if (!larger) return NULL;
    memcpy(larger, old, a->bytes);
    area_free(v, a);
    return larger;
}

/* ---- vfree ---------------------------------------------------------------------------------------------------------- */

void vfree_atomic(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    if (!p || !machine_enter_any(m)) return;
    struct area *a = area_at(v, p);
    if (!a) return;
    a->flags |= AREA_DEFERRED;
    a->next = v->deferred;
    v->deferred = a;
    machine_event(m, EVENT_DEFERRED, 0, 0, 0);
}

void vfree(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    if (!p) return;
    if (machine_in_interrupt(m)) {
        vfree_atomic(heap, p);
        return;
    }
    if (!machine_enter_sleeping(m)) return;
    struct area *a = area_at(v, p);
    if (a) area_free(v, a);
}

void vmalloc_run_deferred(void *heap)
{
    struct vmalloc_heap *v = heap;
    while (v->deferred) {
        struct area *a = v->deferred;
        v->deferred = a->next;
        area_free(v, a);
    }
}

/* ---- vmap ----------------------------------------------------------------------------------------------------------- */

static void *area_vmap(struct vmalloc_heap *v, struct page **pages, unsigned count, bool put)
{
    const unsigned gfp = GFP_KERNEL | GFP_BIT_NOWARN;
    struct area *a = area_open(v, count, 1, gfp);
    if (!a) return NULL;
    a->flags = put ? AREA_VMAP | AREA_PUT : AREA_VMAP;
    a->bytes = (size_t)count << vmalloc_machine(v)->page_shift;
    a->frames = put ? array_alloc(v, count, gfp) : NULL;
    if (a->frames || !put) {
        for (unsigned i = 0; i < count; i++) {
            if (put) a->frames[i] = pages[i];
            v->pfns[i] = buddy_pfn(vmalloc_buddy(v), pages[i]);
        }
        if (area_map(v, a, gfp)) return area_address(v, a);
    }
    array_free(v, a->frames);
    area_close(v, a);
    return NULL;
}

void *vmap(void *heap, struct page **pages, unsigned count, unsigned flags)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    if (!enter(m, GFP_KERNEL)) return NULL;
    void *p = count && count <= m->frames ? area_vmap(v, pages, count, flags & VMAP_PUT_PAGES) : NULL;
    return p ? p : warn(m, 0);
}

void vunmap(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    if (!p) return;
    if (machine_in_interrupt(m)) {
        machine_report(m, REPORT_BUG, p);
        return;
    }
    if (!machine_enter_sleeping(m)) return;
    struct area *a = area_at(v, p);
    if (a && (a->flags & (AREA_VMAP | AREA_PUT)) == AREA_VMAP) area_free(v, a);
    else if (a) machine_report(m, REPORT_WRONG_FREE, p);
}

/* ---- Questions ------------------------------------------------------------------------------------------------------ */

uint32_t vmalloc_to_pfn(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    const struct machine *m = vmalloc_machine(v);
    return machine_in_window(m, p) ? machine_translate(m, p) : PFN_NONE;
}

struct page *vmalloc_to_page(void *heap, const void *p)
{
    return buddy_page(vmalloc_buddy(heap), vmalloc_to_pfn(heap, p));
}

int remap_vmalloc_range(void *heap, const void *p, unsigned long offset, unsigned long count, uint32_t *pfns)
{
    struct vmalloc_heap *v = heap;
    const struct machine *m = vmalloc_machine(v);
    if (!machine_in_window(m, p) || (uintptr_t)p % m->page_bytes) return -EINVAL;
    uint32_t page = (uint32_t)(((uintptr_t)p - (uintptr_t)m->vmalloc_start) >> m->page_shift);
    uint32_t first = window_area(&v->window, page);
    if (first == PAGE_NONE) return -EINVAL;
    const struct area *a = v->window.page[first].area;
    const unsigned long behind = a->pages - (page - first);
    if (!(a->flags & AREA_USER) || offset > behind || count > behind - offset) return -EINVAL;
    for (unsigned long i = 0; i < count; i++)
        pfns[i] = buddy_pfn(vmalloc_buddy(v), a->frames[page - first + offset + i]);
    return 0;
}

void vm_unmap_aliases(void *heap) { purge(heap); }

void vmalloc_window_info(void *heap, struct window_info *out)
{
    const struct vmalloc_heap *v = heap;
    const struct window *w = &v->window;
    *out = (struct window_info){.busy = w->busy_pages - w->areas,
                                .guard = w->areas,
                                .lazy = w->lazy_pages,
                                .free = w->free_pages,
                                .largest_free = window_longest_free(w),
                                .lazy_max = v->lazy_max,
                                .areas = w->areas};
}

/* ---- Life ----------------------------------------------------------------------------------------------------------- */

static uint32_t window_pages(const struct machine *m)
{
    return (uint32_t)((size_t)(m->vmalloc_end - m->vmalloc_start) >> m->page_shift);
}

int vmalloc_init(struct vmalloc_heap *v, struct machine *m)
{
    if ((size_t)(m->vmalloc_end - m->vmalloc_start) >> m->page_shift > WINDOW_PAGES) return EINVAL;
    int error = kmalloc_init(&v->objects, m, false, 8);
    if (error) return error;
    window_open(&v->window, window_pages(m));
    v->lazy_max = window_pages(m) / 4; /* E13 */
    return 0;
}

int vmalloc_reset(struct vmalloc_heap *v)
{
    const struct machine *m = vmalloc_machine(v);
    if ((size_t)(m->vmalloc_end - m->vmalloc_start) >> m->page_shift > WINDOW_PAGES) return EINVAL;
    kmalloc_reset(&v->objects);
    window_reset(&v->window, window_pages(m));
    v->lazy_max = window_pages(m) / 4;
    v->deferred = NULL;
    return 0;
}

const char *vmalloc_check(struct vmalloc_heap *v)
{
    const struct window *w = &v->window;
    const char *broken = kmalloc_check(&v->objects);
    if (!broken) broken = window_check(w);
    if (broken) return broken;
    for (uint32_t first = 0; first < w->pages; first += w->page[first].pages) {
        const struct area *a = w->page[first].area;
        if (w->page[first].state != RANGE_BUSY) continue;
        if (!a || a->first != first || a->pages + 1 != w->page[first].pages) return "an area knows its addresses";
        for (uint32_t i = 0; i < a->pages && !(a->flags & AREA_VMAP); i++)
            if (a->frames[i]->kind != PAGE_VMALLOC || a->frames[i]->owner != a) return "an area owns its frames";
    }
    return NULL;
}
