/* kernel_vmalloc.c: canaries of the vmalloc family, made from `vmalloc`; broken.h is the manual.
 *
 * A wrapper stands in the place of one row of the kernel group. The others, and the malloc family, do not call each other
 * through the table, so they stay whole.
 */
#include "broken.h"
#include "kernel_wrapper.h"

#include "builtin.h"
#include "gfp.h"
#include "slab_internal.h"
#include "vmalloc_internal.h"

#include <string.h>

static uint32_t pages_of(struct vmalloc_heap *v, const void *p)
{
    const struct area *a = p ? vmalloc_find(v, p) : NULL;
    return a ? a->pages : 0;
}

/* Page i of an area shows this frame from now on. */
static void show(struct vmalloc_heap *v, const struct area *a, uint32_t i, uint32_t pfn)
{
    struct machine *m = vmalloc_machine(v);
    unsigned char *at = area_address(v, a) + ((size_t)i << m->page_shift);
    machine_unmap(m, at, 1);
    machine_map(m, at, &pfn, 1);
}

/* The frame of page 0 is given back, and another one, taken under this mask, takes its place. */
static void exchange(struct vmalloc_heap *v, struct area *a, unsigned gfp)
{
    struct buddy *b = vmalloc_buddy(v);
    struct page *old = a->frames[0], *page = buddy_alloc(b, gfp | GFP_BIT_NOWARN, 0);
    if (!page) return;
    page->kind = PAGE_VMALLOC;
    page->owner = a;
    a->frames[0] = page;
    show(v, a, 0, buddy_pfn(b, page));
    old->kind = PAGE_PLAIN;
    old->owner = NULL;
    buddy_free(b, old, 0);
}

/* ---- B49: what is deferred is never done --------------------------------------------------------------------------- */

static void deferred_twice(void *heap)
{
    struct vmalloc_heap *v = heap;
    const struct area *a = v->deferred;
    uint32_t pfn = a && !(a->flags & AREA_VMAP) ? buddy_pfn(vmalloc_buddy(v), a->frames[0]) : PFN_NONE;
    vmalloc_run_deferred(heap);
    if (pfn != PFN_NONE) machine_give(vmalloc_machine(v), pfn, 1);
}

static void patch_deferred_twice(struct alloc_ops *ops) { kernel_rows(ops)->run_deferred = deferred_twice; }

static void never(void *heap) { (void)heap; }

static void patch_never(struct alloc_ops *ops) { kernel_rows(ops)->run_deferred = never; }

/* ---- B86 ------------------------------------------------------------------------------------------------------------ */

static void *vmalloc_nothing(void *heap, size_t size) { return vmalloc(heap, size ? size : 1); }

static void patch_nothing(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_nothing; }

/* ---- B87 ------------------------------------------------------------------------------------------------------------ */

static uint32_t pfn_beside(void *heap, const void *p)
{
    uint32_t pfn = vmalloc_to_pfn(heap, p);
    return pfn == PFN_NONE ? pfn : pfn ^ 1;
}

static void patch_beside(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc_to_pfn = pfn_beside; }

/* ---- B88 ------------------------------------------------------------------------------------------------------------ */

/* The first page of the window that is mapped already: an older area's. */
static void *vmalloc_shared(void *heap, size_t size)
{
    struct vmalloc_heap *v = heap;
    uint32_t pfn = machine_translate(vmalloc_machine(v), vmalloc_machine(v)->vmalloc_start);
    void *p = vmalloc(heap, size);
    if (p && p != vmalloc_machine(v)->vmalloc_start && pfn != PFN_NONE) show(v, vmalloc_find(v, p), 0, pfn);
    return p;
}

static void patch_shared(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_shared; }

/* ---- B89, B93 ------------------------------------------------------------------------------------------------------- */

static void *vmalloc_low(void *heap, size_t size)
{
    void *p = vmalloc(heap, size);
    const bool low = p && machine_direct(vmalloc_machine(heap), vmalloc_to_pfn(heap, p));
    if (p && !low) exchange(heap, vmalloc_find(heap, p), GFP_KERNEL);
    return p;
}

static void patch_low(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_low; }

static void *vmalloc_zoned(void *heap, size_t size, size_t align, unsigned gfp)
{
    void *p = vmalloc_gfp(heap, size, align, gfp);
    const struct machine *m = vmalloc_machine(heap);
    const bool apart = p && m->zones[ZONE_DMA].end && vmalloc_to_pfn(heap, p) >= m->zones[ZONE_DMA].end;
    if (apart && (gfp & GFP_BIT_DMA)) exchange(heap, vmalloc_find(heap, p), GFP_DMA);
    return p;
}

static void patch_zoned(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc_gfp = vmalloc_zoned; }

/* ---- B90 ------------------------------------------------------------------------------------------------------------ */

/* The guard page shows the last frame once more. It is unmapped before the area, whoever frees that. */
static unsigned char *guard_of(struct vmalloc_heap *v, const void *p)
{
    const struct area *a = vmalloc_find(v, p);
    return a ? area_address(v, a) + ((size_t)a->pages << vmalloc_machine(v)->page_shift) : NULL;
}

static void *vmalloc_unguarded(void *heap, size_t size)
{
    struct vmalloc_heap *v = heap;
    void *p = vmalloc(heap, size);
    unsigned char *guard = p ? guard_of(v, p) : NULL;
    if (!p || !machine_has_table(vmalloc_machine(v), guard)) return p;
    uint32_t pfn = vmalloc_to_pfn(heap, guard - 1);
    machine_map(vmalloc_machine(v), guard, &pfn, 1);
    return p;
}

static void vfree_unguarded(void *heap, const void *p)
{
    unsigned char *guard = p ? guard_of(heap, p) : NULL;
    if (guard && machine_can_sleep(vmalloc_machine(heap))) machine_unmap(vmalloc_machine(heap), guard, 1);
    vfree(heap, p);
}

static void patch_unguarded(struct alloc_ops *ops)
{
    struct kernel_ops *k = kernel_rows(ops);
    k->vmalloc = vmalloc_unguarded;
    k->vfree = vfree_unguarded;
}

/* ---- B91, B92 ------------------------------------------------------------------------------------------------------- */

static void *vmalloc_half_aligned(void *heap, size_t size, size_t align, unsigned gfp)
{
    return vmalloc_gfp(heap, size, align / 2, gfp);
}

static void patch_half_aligned(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc_gfp = vmalloc_half_aligned; }

static void *vzalloc_dirty(void *heap, size_t size)
{
    unsigned char *p = vzalloc(heap, size);
    if (p) p[size / 2] = 1;
    return p;
}

static void patch_dirty(struct alloc_ops *ops) { kernel_rows(ops)->vzalloc = vzalloc_dirty; }

/* ---- B94 ------------------------------------------------------------------------------------------------------------ */

static void *vmalloc_anywhere(void *heap, size_t size)
{
    struct machine *m = vmalloc_machine(heap);
    struct machine_context context = m->context;
    if (machine_in_interrupt(m) && !context.nmi) m->context = (struct machine_context){.scope = context.scope};
    void *p = vmalloc(heap, size);
    m->context = context;
    return p;
}

static void patch_anywhere(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_anywhere; }

/* ---- B95 ------------------------------------------------------------------------------------------------------------ */

static void *vmalloc_leaking(void *heap, size_t size)
{
    struct machine *m = vmalloc_machine(heap);
    void *p = vmalloc(heap, size);
    if (!p && size && machine_can_sleep(m))
        buddy_alloc(vmalloc_buddy(heap), GFP_HIGHUSER | GFP_BIT_NORETRY | GFP_BIT_NOWARN, 0);
    return p;
}

static void patch_leaking(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_leaking; }

/* ---- B96, B101 ------------------------------------------------------------------------------------------------------ */

/* An address inside an area stands for the area. */
static void vfree_inside(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    const struct machine *m = vmalloc_machine(v);
    uint32_t first = PAGE_NONE;
    if (machine_in_window(m, p))
        first = window_area(&v->window, (uint32_t)(((uintptr_t)p - (uintptr_t)m->vmalloc_start) >> m->page_shift));
    vfree(heap, first == PAGE_NONE ? p : area_address(v, v->window.page[first].area));
}

static void patch_inside(struct alloc_ops *ops) { kernel_rows(ops)->vfree = vfree_inside; }

static void vunmap_any(void *heap, const void *p)
{
    const struct area *a = vmalloc_find(heap, p);
    if (a && !(a->flags & AREA_VMAP)) vfree(heap, p);
    else vunmap(heap, p);
}

static void patch_unmap_any(struct alloc_ops *ops) { kernel_rows(ops)->vunmap = vunmap_any; }

/* ---- B97 ------------------------------------------------------------------------------------------------------------ */

static void vfree_visible(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    struct machine *m = vmalloc_machine(v);
    bool served = p && vmalloc_find(v, p) && machine_can_sleep(m);
    unsigned char *at = served ? area_address(v, vmalloc_find(v, p)) : NULL;
    uint32_t pfn = served ? vmalloc_to_pfn(heap, p) : 0;
    vfree(heap, p);
    if (served) machine_map(m, at, &pfn, 1);
}

static void patch_visible(struct alloc_ops *ops) { kernel_rows(ops)->vfree = vfree_visible; }

/* ---- B98 ------------------------------------------------------------------------------------------------------------ */

static void patch_lazy(struct alloc_ops *ops) { kernel_rows(ops)->vm_unmap_aliases = never; }

/* What was freed may be had again, and the processor has not been told. */
static void vfree_eager(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    vfree(heap, p);
    window_purge(&v->window);
}

static void patch_eager(struct alloc_ops *ops) { kernel_rows(ops)->vfree = vfree_eager; }

static void vfree_hoarding(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    uint32_t max = v->lazy_max;
    v->lazy_max = UINT32_MAX;
    vfree(heap, p);
    v->lazy_max = max;
}

static void patch_late(struct alloc_ops *ops) { kernel_rows(ops)->vfree = vfree_hoarding; }

/* ---- B99 ------------------------------------------------------------------------------------------------------------ */

static void info_unguarded(void *heap, struct window_info *out)
{
    vmalloc_window_info(heap, out);
    out->guard = 0;
}

static void patch_info(struct alloc_ops *ops) { kernel_rows(ops)->window_info = info_unguarded; }

/* ---- B100, C18 ------------------------------------------------------------------------------------------------------ */

static void *vmap_reversed(void *heap, struct page **pages, unsigned count, unsigned flags)
{
    struct vmalloc_heap *v = heap;
    void *p = vmap(heap, pages, count, flags);
    if (!p || count < 2 || pages[0] == pages[1]) return p;
    show(v, vmalloc_find(v, p), 0, buddy_pfn(vmalloc_buddy(v), pages[1]));
    show(v, vmalloc_find(v, p), 1, buddy_pfn(vmalloc_buddy(v), pages[0]));
    return p;
}

static void patch_reversed(struct alloc_ops *ops) { kernel_rows(ops)->vmap = vmap_reversed; }

/* Page tables and descriptor disagree: the last page of an area shows the first one's frame, and what is asked is answered
 * from the descriptor. */
static void *vmalloc_folded(void *heap, size_t size)
{
    struct vmalloc_heap *v = heap;
    void *p = vmalloc(heap, size);
    uint32_t pages = pages_of(v, p);
    if (pages > 1) show(v, vmalloc_find(v, p), pages - 1, vmalloc_to_pfn(heap, p));
    return p;
}

static uint32_t pfn_of_descriptor(void *heap, const void *p)
{
    struct vmalloc_heap *v = heap;
    const struct machine *m = vmalloc_machine(v);
    if (vmalloc_to_pfn(heap, p) == PFN_NONE) return PFN_NONE;
    uint32_t page = (uint32_t)(((uintptr_t)p - (uintptr_t)m->vmalloc_start) >> m->page_shift);
    const struct area *a = v->window.page[window_area(&v->window, page)].area;
    return a->frames ? buddy_pfn(vmalloc_buddy(v), a->frames[page - a->first]) : vmalloc_to_pfn(heap, p);
}

static struct page *page_of_descriptor(void *heap, const void *p)
{
    return buddy_page(vmalloc_buddy(heap), pfn_of_descriptor(heap, p));
}

static void patch_folded(struct alloc_ops *ops)
{
    struct kernel_ops *k = kernel_rows(ops);
    k->vmalloc = vmalloc_folded;
    k->vmalloc_to_pfn = pfn_of_descriptor;
    k->vmalloc_to_page = page_of_descriptor;
}

/* ---- B102 ----------------------------------------------------------------------------------------------------------- */

static int remap_from_start(void *heap, const void *p, unsigned long offset, unsigned long count, uint32_t *pfns)
{
    int error = remap_vmalloc_range(heap, p, offset, count, pfns);
    return error ? error : remap_vmalloc_range(heap, p, 0, count, pfns);
}

static void patch_remap(struct alloc_ops *ops) { kernel_rows(ops)->remap_vmalloc_range = remap_from_start; }

/* ---- B103 ----------------------------------------------------------------------------------------------------------- */

static void *vrealloc_short(void *heap, const void *p, size_t size, size_t align, unsigned gfp)
{
    const struct area *a = p ? vmalloc_find(heap, p) : NULL;
    size_t old = a ? a->bytes : 0;
    unsigned char *q = vrealloc(heap, p, size, align, gfp);
    if (old && q && q != p) q[old - 1] ^= 1;
    return q;
}

static void patch_short(struct alloc_ops *ops) { kernel_rows(ops)->vrealloc = vrealloc_short; }

static void *vrealloc_moves(void *heap, const void *p, size_t size, size_t align, unsigned gfp)
{
    const struct area *a = p ? vmalloc_find(heap, p) : NULL;
    struct machine *m = vmalloc_machine(heap);
    bool shrinks = a && !(a->flags & AREA_VMAP) && size && size < a->bytes && machine_can_sleep(m);
    bool fits = !align || !((uintptr_t)p & (align - 1));
    void *q = shrinks && fits ? vmalloc_gfp(heap, size, align, gfp) : NULL;
    if (!q) return vrealloc(heap, p, size, align, gfp);
    memcpy(q, p, size);
    vfree(heap, p);
    return q;
}

static void *vrealloc_anyhow(void *heap, const void *p, size_t size, size_t align, unsigned gfp)
{
    bool fits = !align || !((uintptr_t)p & (align - 1));
    return vrealloc(heap, p, size, fits ? align : 0, gfp);
}

static void patch_anyhow(struct alloc_ops *ops) { kernel_rows(ops)->vrealloc = vrealloc_anyhow; }

static void patch_moves(struct alloc_ops *ops) { kernel_rows(ops)->vrealloc = vrealloc_moves; }

/* ---- B104, B105 ----------------------------------------------------------------------------------------------------- */

/* A table for the end of the window, which nobody needs yet. */
static void *vmalloc_prepared(void *heap, size_t size)
{
    struct machine *m = vmalloc_machine(heap);
    const unsigned char *last = m->vmalloc_end - 1;
    void *p = vmalloc(heap, size);
    struct page *table = p && !machine_has_table(m, last) ? buddy_alloc(vmalloc_buddy(heap), GFP_KERNEL, 0) : NULL;
    if (!table) return p;
    table->kind = PAGE_TABLE;
    machine_add_table(m, last, buddy_pfn(vmalloc_buddy(heap), table));
    return p;
}

static void patch_prepared(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_prepared; }

static void *vmalloc_twice(void *heap, size_t size)
{
    void *p = vmalloc(heap, size);
    if (p) show(heap, vmalloc_find(heap, p), 0, vmalloc_to_pfn(heap, p));
    return p;
}

static void patch_twice(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_twice; }

/* ---- B100: what goes over to the area ---------------------------------------------------------------------------------- */

static void *vmap_keeps(void *heap, struct page **pages, unsigned count, unsigned flags)
{
    return vmap(heap, pages, count, flags & ~(unsigned)VMAP_PUT_PAGES);
}

static void patch_keeps(struct alloc_ops *ops) { kernel_rows(ops)->vmap = vmap_keeps; }

/* ---- B106-B108, B127, B128 ------------------------------------------------------------------------------------------ */

static void *kvmalloc_mapped(void *heap, size_t size, unsigned gfp)
{
    bool maps = size && size <= 4096 && gfp_may_sleep(gfp) && machine_can_sleep(vmalloc_machine(heap));
    return maps ? vmalloc_gfp(heap, size, 0, gfp) : kvmalloc(heap, size, gfp);
}

static void patch_kv_mapped(struct alloc_ops *ops) { kernel_rows(ops)->kvmalloc = kvmalloc_mapped; }

static void *kvcalloc_wraps(void *heap, size_t count, size_t size, unsigned gfp)
{
    return kvmalloc(heap, count * size, gfp | GFP_BIT_ZERO);
}

static void patch_kv_wraps(struct alloc_ops *ops) { kernel_rows(ops)->kvcalloc = kvcalloc_wraps; }

static void *kvrealloc_zero(void *heap, const void *p, size_t size, unsigned gfp)
{
    bool area = machine_in_window(vmalloc_machine(heap), p);
    void *q = kvrealloc(heap, p, size, gfp);
    return area && !size ? ZERO_SIZE_PTR : q;
}

static void patch_kv_zero(struct alloc_ops *ops) { kernel_rows(ops)->kvrealloc = kvrealloc_zero; }

static void *vmalloc_seldom(void *heap, size_t size) { return vmalloc(heap, size > 4096 && size <= 8192 ? 0 : size); }

static void patch_seldom(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_seldom; }

static void *kvmalloc_seldom(void *heap, size_t size, unsigned gfp)
{
    return size > 4096 && size <= 8192 ? NULL : kvmalloc(heap, size, gfp);
}

static void patch_kv_seldom(struct alloc_ops *ops) { kernel_rows(ops)->kvmalloc = kvmalloc_seldom; }

static void kvfree_carelessly(void *heap, const void *p, size_t size)
{
    (void)size;
    kvfree(heap, p);
}

static void patch_kv_careless(struct alloc_ops *ops) { kernel_rows(ops)->kvfree_sensitive = kvfree_carelessly; }

/* ---- C3, C17 -------------------------------------------------------------------------------------------------------- */

static void *vmalloc_repeated(void *heap, size_t size)
{
    void *p = vmalloc(heap, size);
    if (pages_of(heap, p) > 1) show(heap, vmalloc_find(heap, p), 1, vmalloc_to_pfn(heap, p));
    return p;
}

static void patch_repeated(struct alloc_ops *ops) { kernel_rows(ops)->vmalloc = vmalloc_repeated; }

/* The first two frames of the lowest area change places, with what is in them. */
static void migrate(struct vmalloc_heap *v)
{
    const struct window *w = &v->window;
    unsigned char page[4096];
    for (uint32_t first = 0; first < w->pages; first += w->page[first].pages) {
        struct area *a = w->page[first].area;
        if (w->page[first].state != RANGE_BUSY || a->flags || a->pages < 2) continue;
        unsigned char *p = area_address(v, a);
        struct page *frame = a->frames[0];
        memcpy(page, p, sizeof page);
        memcpy(p, p + sizeof page, sizeof page);
        memcpy(p + sizeof page, page, sizeof page);
        a->frames[0] = a->frames[1];
        a->frames[1] = frame;
        show(v, a, 0, buddy_pfn(vmalloc_buddy(v), a->frames[0]));
        show(v, a, 1, buddy_pfn(vmalloc_buddy(v), a->frames[1]));
        return;
    }
}

static void vfree_migrating(void *heap, const void *p)
{
    vfree(heap, p);
    if (p && machine_can_sleep(vmalloc_machine(heap))) migrate(heap);
}

static void patch_migrating(struct alloc_ops *ops) { kernel_rows(ops)->vfree = vfree_migrating; }

/* What was in an object decides whether it or another free one is given. */
static void *kmalloc_moody(void *heap, size_t size, unsigned gfp)
{
    struct slab_heap *h = heap;
    struct slab_place at;
    unsigned char *p = kmalloc(heap, size, gfp);
    if (zero_or_null(p) || gfp & GFP_BIT_ZERO || slab_find(h, NULL, p, &at) != REPORT_KINDS) return p;
    const bool room = at.slab->used > 1 && at.slab->used < at.slab->objects;
    if (!room || !(*p & 1)) return p;
    void *other = slab_take(h, at.slab->cache, gfp);
    slab_give(h, at);
    return other;
}

static void patch_moody(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = kmalloc_moody; }

static void patch_physical(struct alloc_ops *ops) { ops->contract.promises |= PROMISE_PHYSICAL; }

const struct canary broken_vmalloc[] = {
    {"deferred_never", "B49", "deferred frees are never carried out", &alloc_vmalloc, patch_never},
    {"deferred_twice", "B49", "a frame of a deferred area is given back twice", &alloc_vmalloc, patch_deferred_twice},
    {"vmalloc_nothing", "B86", "an area of no bytes is made", &alloc_vmalloc, patch_nothing},
    {"vmalloc_pfn_beside", "B87", "vmalloc_to_pfn names the frame beside", &alloc_vmalloc, patch_beside},
    {"vmalloc_shared", "B88", "an area shows a frame of another one", &alloc_vmalloc, patch_shared},
    {"vmalloc_low", "B89", "an area's first frame is lowmem though highmem is free", &alloc_vmalloc, patch_low},
    {"vmalloc_unguarded", "B90", "the page behind an area is accessible", &alloc_vmalloc, patch_unguarded},
    {"vmalloc_half_aligned", "B91", "an area is aligned to half of what was asked", &alloc_vmalloc, patch_half_aligned},
    {"vzalloc_dirty", "B92", "a byte of a zeroed area is not zero", &alloc_vmalloc, patch_dirty},
    {"vmalloc_zoned", "B93", "vmalloc heeds the DMA bit", &alloc_vmalloc, patch_zoned},
    {"vmalloc_anywhere", "B94", "vmalloc serves interrupts", &alloc_vmalloc, patch_anywhere},
    {"vmalloc_leaking", "B95", "a refused area leaks a frame", &alloc_vmalloc, patch_leaking},
    {"vfree_inside", "B96", "vfree takes any address of an area", &alloc_vmalloc, patch_inside},
    {"vfree_visible", "B97", "the first page of a freed area stays accessible", &alloc_vmalloc, patch_visible},
    {"purge_never", "B98", "vm_unmap_aliases purges nothing", &alloc_vmalloc, patch_lazy},
    {"purge_eager", "B98", "freed addresses are had again without a flush", &alloc_vmalloc, patch_eager},
    {"purge_late", "B98", "however much is lazy, a free purges nothing", &alloc_vmalloc, patch_late},
    {"window_unguarded", "B99", "guard pages are not counted", &alloc_vmalloc, patch_info},
    {"vmap_reversed", "B100", "vmap shows the first two pages in the wrong order", &alloc_vmalloc, patch_reversed},
    {"vmap_keeps", "B100", "pages put into an area stay when it is freed", &alloc_vmalloc, patch_keeps},
    {"kmalloc_moody", "C37", "what an object held decides who gets it", &alloc_vmalloc, patch_moody},
    {"vunmap_any", "B101", "vunmap frees areas of vmalloc", &alloc_vmalloc, patch_unmap_any},
    {"remap_from_start", "B102", "a user mapping ignores its offset", &alloc_vmalloc, patch_remap},
    {"vrealloc_short", "B103", "the last byte is lost when an area moves", &alloc_vmalloc, patch_short},
    {"vrealloc_anyhow", "B103", "an area is resized though it is aligned to less than asked", &alloc_vmalloc,
     patch_anyhow},
    {"vrealloc_moves", "B103", "an area moves when it shrinks", &alloc_vmalloc, patch_moves},
    {"vmalloc_prepared", "B104", "a page table is made that nobody needs", &alloc_vmalloc, patch_prepared},
    {"vmalloc_twice", "B105", "the first page is mapped twice", &alloc_vmalloc, patch_twice},
    {"kvmalloc_mapped", "B106", "less than a page is served by vmalloc", &alloc_vmalloc, patch_kv_mapped},
    {"kvcalloc_wraps", "B107", "the product of count and size wraps", &alloc_vmalloc, patch_kv_wraps},
    {"kvfree_careless", "B107", "kvfree_sensitive wipes nothing", &alloc_vmalloc, patch_kv_careless},
    {"kvrealloc_zero", "B108", "an area that is shrunk to nothing becomes ZERO_SIZE_PTR", &alloc_vmalloc,
     patch_kv_zero},
    {"vmalloc_seldom", "B127", "areas of two pages are refused", &alloc_vmalloc, patch_seldom},
    {"kvmalloc_seldom", "B128", "a kvmalloc of two pages is refused", &alloc_vmalloc, patch_kv_seldom},
    {"vmalloc_physical", "C2", "malloc promises consecutive frames, and maps whatever is free", &alloc_vmalloc,
     patch_physical},
    {"vmalloc_repeated", "C3", "two pages of an area show one frame", &alloc_vmalloc, patch_repeated},
    {"vfree_migrating", "C17", "another area's frames move when one is freed", &alloc_vmalloc, patch_migrating},
    {"vmalloc_folded", "C18", "the last page of an area shows another frame than its own", &alloc_vmalloc,
     patch_folded},
    {0},
};
