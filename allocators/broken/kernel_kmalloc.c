/* kernel_kmalloc.c: canaries for the rules about kmalloc, made from `kmalloc`; broken.h is the manual. */
#include "broken.h"
#include "builtin.h"
#include "kernel_wrapper.h"
#include "kmalloc.h"

#include "gfp.h"

#include <string.h>

static struct machine *machine_of(void *heap) { return ((struct buddy *)heap)->machine; }

/* ---- Sizes and addresses (B51-B57) ------------------------------------------------------------------------------------ */

/* Neither its mask nor where it is made forbids the request. */
static bool is_legal(void *heap, unsigned gfp)
{
    const struct machine *m = machine_of(heap);
    return !m->context.nmi && !gfp_bad(gfp) && (!gfp_reclaims(m, gfp) || machine_can_sleep(m));
}

/* Where no block is due, a place in memory instead of what says so: no block, so that no frame is spent on it. */
static void *some_place(void *heap) { return machine_of(heap)->direct; }

static void *place_for_nothing(void *heap, size_t size, unsigned gfp)
{
    void *p = kmalloc(heap, size, gfp);
    return p == ZERO_SIZE_PTR ? some_place(heap) : p;
}

static void zero_gets_place(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = place_for_nothing; }

static void *null_for_nothing(void *heap, size_t size, unsigned gfp)
{
    void *p = kmalloc(heap, size, gfp);
    return p == ZERO_SIZE_PTR ? NULL : p;
}

static void zero_gets_null(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = null_for_nothing; }

/* At the upper border of a class: told to be of the next one. */
static size_t ksize_of_next_class(void *heap, const void *p)
{
    size_t size = ksize(heap, p);
    return size == 64 ? 96 : size;
}

static void class_of_64_is_96(struct alloc_ops *ops) { kernel_rows(ops)->ksize = ksize_of_next_class; }

static void *unlimited(void *heap, size_t size, unsigned gfp)
{
    void *p = kmalloc(heap, size, gfp);
    return size > KMALLOC_MAX && is_legal(heap, gfp) ? some_place(heap) : p;
}

static void too_large_granted(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = unlimited; }

/* One page, by an address that is no constant away from its frame. */
static void *mapped(void *heap, size_t size, unsigned gfp)
{
    const struct buddy *b = heap;
    bool ample = b->zones[ZONE_HIGHMEM].free > 512 && gfp_may_sleep(gfp) && machine_can_sleep(b->machine);
    if (!ample || size <= 2048 || size > b->machine->page_bytes ||
        gfp & (GFP_BIT_DMA | GFP_BIT_DMA32 | GFP_BIT_HIGHMEM))
        return kmalloc(heap, size, gfp);
    struct page *page = buddy_alloc(heap, gfp | GFP_BIT_HIGHMEM, 0);
    return page ? buddy_kmap(heap, page) : NULL;
}

static void page_in_highmem(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = mapped; }

static void *eight_further(void *heap, size_t size, unsigned gfp)
{
    unsigned char *p = kmalloc(heap, size, gfp);
    return p && size == 96 ? p + 8 : p;
}

static void class_96_misaligned(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = eight_further; }

static size_t half_ksize(void *heap, const void *p)
{
    size_t size = ksize(heap, p);
    return size > 8 && size <= KMALLOC_CACHE_MAX ? size / 2 : size;
}

static void ksize_halved(struct alloc_ops *ops) { kernel_rows(ops)->ksize = half_ksize; }

static size_t border_rounded_up(void *heap, size_t size)
{
    size_t rounded = kmalloc_size_roundup(heap, size);
    return size && size == rounded ? kmalloc_size_roundup(heap, size + 1) : rounded;
}

/* A class that was left out: sizes of it are rounded to the next one, as well as they are. */
static size_t rounded_without_96(void *heap, size_t size)
{
    size_t rounded = kmalloc_size_roundup(heap, size);
    return rounded == 96 ? 128 : rounded;
}

static void roundup_without_96(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc_size_roundup = rounded_without_96; }

static void roundup_at_border(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc_size_roundup = border_rounded_up; }

/* ---- Contents (B58-B61) ------------------------------------------------------------------------------------------------ */

static void *last_byte_dirty(void *heap, size_t size, unsigned gfp)
{
    unsigned char *p = kzalloc(heap, size, gfp);
    if (!zero_or_null(p)) p[size - 1] = 0x5a;
    return p;
}

static void kzalloc_dirty(struct alloc_ops *ops) { kernel_rows(ops)->kzalloc = last_byte_dirty; }

static void *unchecked_product(void *heap, size_t count, size_t size, unsigned gfp)
{
    size_t bytes;
    void *p = kcalloc(heap, count, size, gfp);
    bool wraps = __builtin_mul_overflow(count, size, &bytes);
    return wraps && is_legal(heap, gfp) ? some_place(heap) : p;
}

static void kcalloc_wraps(struct alloc_ops *ops) { kernel_rows(ops)->kcalloc = unchecked_product; }

/* A block that moves loses its second half. */
static void *half_krealloc(void *heap, const void *p, size_t size, unsigned gfp)
{
    size_t have = zero_or_null(p) ? 0 : ksize(heap, p);
    unsigned char *q = krealloc(heap, p, size, gfp);
    if (have && q && q != p && !zero_or_null(q)) memset(q + have / 2, 0x5a, have - have / 2);
    return q;
}

static void krealloc_copies_half(struct alloc_ops *ops) { kernel_rows(ops)->krealloc = half_krealloc; }

/* As if a link had been written into a block that is not free. */
static void *hasty_krealloc(void *heap, const void *p, size_t size, unsigned gfp)
{
    void *q = krealloc(heap, p, size, gfp);
    if (!q && is_legal(heap, gfp) && !zero_or_null(p)) memset((void *)(uintptr_t)p, 0x5a, 8);
    return q;
}

static void refusal_spoils_old(struct alloc_ops *ops) { kernel_rows(ops)->krealloc = hasty_krealloc; }

static void *dirty_krealloc(void *heap, const void *p, size_t size, unsigned gfp)
{
    return krealloc(heap, p, size, zero_or_null(p) ? gfp : gfp & ~(unsigned)GFP_BIT_ZERO);
}

static void krealloc_leaves_dirt(struct alloc_ops *ops) { kernel_rows(ops)->krealloc = dirty_krealloc; }

static void secret_kept(struct alloc_ops *ops) { kernel_rows(ops)->kfree_sensitive = kfree; }

/* ---- Where from, and whether (B47, B63, B64, B113, B114) --------------------------------------------------------------- */

static void *sleepless(void *heap, size_t size, unsigned gfp)
{
    bool may = machine_can_sleep(machine_of(heap));
    return kmalloc(heap, size, may ? gfp : gfp & ~(unsigned)GFP_BIT_DIRECT);
}

static void sleep_in_atomic_unnoticed(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = sleepless; }

static void *anywhere(void *heap, size_t size, unsigned gfp)
{
    return kmalloc(heap, size, gfp_bad(gfp) ? gfp : gfp & ~(unsigned)GFP_BIT_DMA);
}

static void dma_from_normal(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = anywhere; }

static void *without_strays(void *heap, size_t size, unsigned gfp)
{
    return kmalloc(heap, size, gfp_bad(gfp) ? gfp : gfp & ~(unsigned)(GFP_BIT_HIGHMEM | GFP_BIT_DMA32));
}

static void silent_strip(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = without_strays; }

static void *choosy(void *heap, size_t size, unsigned gfp)
{
    if (size <= KMALLOC_CACHE_MAX || size > 2 * KMALLOC_CACHE_MAX) return kmalloc(heap, size, gfp);
    if (gfp_enter(machine_of(heap), gfp) && !(gfp & GFP_BIT_NOWARN))
        machine_event(machine_of(heap), EVENT_WARN, 0, 0, gfp);
    return NULL;
}

static void four_pages_refused(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = choosy; }

static void *failing_nofail(void *heap, size_t size, unsigned gfp)
{
    struct machine *m = machine_of(heap);
    bool asked = (gfp & GFP_BIT_NOFAIL) && size && size <= KMALLOC_CACHE_MAX && !gfp_bad(gfp) && machine_can_sleep(m);
    if (asked && machine_fails(m, FAULT_SLAB, gfp & ~(unsigned)GFP_BIT_NOFAIL, size)) return NULL;
    return kmalloc(heap, size, gfp);
}

static void nofail_injected(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = failing_nofail; }

static void *failing_large(void *heap, size_t size, unsigned gfp)
{
    struct machine *m = machine_of(heap);
    bool asked = size > KMALLOC_CACHE_MAX && size <= KMALLOC_MAX && !gfp_bad(gfp) && machine_can_sleep(m);
    if (asked && machine_fails(m, FAULT_SLAB, gfp, size)) return NULL;
    return kmalloc(heap, size, gfp);
}

static void failslab_of_pages(struct alloc_ops *ops) { kernel_rows(ops)->kmalloc = failing_large; }

/* ---- Misuse (B120) --------------------------------------------------------------------------------------------------------- */

static void indulgent_kfree(void *heap, const void *p)
{
    struct page *page = buddy_virt_to_page(heap, p), *head = page ? buddy_head(heap, page) : NULL;
    bool pages = head && head->state == PAGE_USED && (head->kind == PAGE_PLAIN || head->kind == PAGE_EXACT);
    if (!pages || machine_of(heap)->context.nmi) kfree(heap, p);
}

static void pages_unnoticed(struct alloc_ops *ops) { kernel_rows(ops)->kfree = indulgent_kfree; }

/* ---------------------------------------------------------------------------------------------------------------------------- */

const struct canary broken_kmalloc[] = {
    {"kmalloc_sleeps_in_atomic", "B47", "a request that may sleep is served where none may", &alloc_kmalloc,
     sleep_in_atomic_unnoticed},
    {"kmalloc_zero_gets_place", "B51", "kmalloc(0) is an address like any other", &alloc_kmalloc, zero_gets_place},
    {"kmalloc_zero_gets_null", "B51", "kmalloc(0) is NULL", &alloc_kmalloc, zero_gets_null},
    {"kmalloc_class_border", "B52", "a class of 64 bytes counts as one of 96", &alloc_kmalloc, class_of_64_is_96},
    {"kmalloc_too_large_granted", "B53", "more than 4 MiB are promised", &alloc_kmalloc, too_large_granted},
    {"kmalloc_in_highmem", "B54", "a page comes from highmem", &alloc_kmalloc, page_in_highmem},
    {"kmalloc_96_misaligned", "B55", "96 bytes are aligned to 8", &alloc_kmalloc, class_96_misaligned},
    {"ksize_halved", "B56", "ksize is half of the class", &alloc_kmalloc, ksize_halved},
    {"roundup_without_96", "B57", "96 bytes are rounded up to 128", &alloc_kmalloc, roundup_without_96},
    {"roundup_at_border", "C6", "the size of a class is rounded up to the next", &alloc_kmalloc, roundup_at_border},
    {"kzalloc_dirty", "B58", "kzalloc forgets the last byte", &alloc_kmalloc, kzalloc_dirty},
    {"kcalloc_wraps", "B58", "the product is not checked", &alloc_kmalloc, kcalloc_wraps},
    {"krealloc_copies_half", "B59", "a block that moves loses its second half", &alloc_kmalloc, krealloc_copies_half},
    {"krealloc_spoils_old", "B59", "a refused krealloc writes into the old block", &alloc_kmalloc, refusal_spoils_old},
    {"krealloc_leaves_dirt", "B60", "__GFP_ZERO is lost on the way", &alloc_kmalloc, krealloc_leaves_dirt},
    {"kfree_sensitive_keeps", "B61", "kfree_sensitive wipes nothing", &alloc_kmalloc, secret_kept},
    {"kmalloc_dma_from_normal", "B63", "memory for DMA comes from anywhere", &alloc_kmalloc, dma_from_normal},
    {"kmalloc_drops_highmem_silently", "B63", "HIGHMEM is taken away without a word", &alloc_kmalloc, silent_strip},
    {"kmalloc_refuses_four_pages", "B64", "what takes four pages is never served", &alloc_kmalloc, four_pages_refused},
    {"failslab_hits_nofail", "B113", "a request that must not fail is made to", &alloc_kmalloc, nofail_injected},
    {"failslab_hits_pages", "B114", "a large request is subject to failslab", &alloc_kmalloc, failslab_of_pages},
    {"kfree_ignores_pages", "B120", "kfree of pages is passed over", &alloc_kmalloc, pages_unnoticed},
    {0},
};
