/* kernel_core.c: canaries for rules that hold of every call of the kernel group; broken.h is the manual. */
#include "broken.h"
#include "buddy_internal.h"
#include "builtin.h"
#include "gfp.h"
#include "kernel_wrapper.h"

#include <string.h>

static struct machine *machine_of(void *heap) { return ((struct buddy *)heap)->machine; }

/* The largest block is cut, whatever smaller ones there are. */
static struct page *wasteful_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct buddy *b = heap;
    const unsigned most = b->machine->max_order, modest = GFP_BIT_DIRECT | GFP_BIT_KSWAPD | GFP_BIT_COMP;
    bool plain =
        order < most && !(gfp & modest) && !gfp_bad(gfp_effective(b->machine, gfp)) && !b->machine->context.nmi;
    struct page *page = plain ? buddy_alloc(b, gfp | GFP_BIT_NOWARN, most) : NULL;
    if (!page) return buddy_alloc(b, gfp, order);
    buddy_trim(b, page, order);
    return page;
}

static void largest_split(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = wasteful_alloc; }

static void strict_free(void *heap, void *address, unsigned order)
{
    if (address) buddy_op_free_pages(heap, address, order);
    else machine_report(machine_of(heap), REPORT_BAD_FREE, address);
}

static void null_is_no_address(struct alloc_ops *ops) { kernel_rows(ops)->free_pages = strict_free; }

static void flushing_free(void *heap, struct page *page, unsigned order)
{
    buddy_free(heap, page, order);
    if (order) machine_flush(machine_of(heap));
}

static void free_flushes(struct alloc_ops *ops) { kernel_rows(ops)->free_page_block = flushing_free; }

static struct page *cautious_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct page *page = buddy_alloc(heap, gfp, order);
    if (page && !gfp_may_sleep(gfp)) machine_event(machine_of(heap), EVENT_MIGHT_SLEEP, 0, 0, 0);
    return page;
}

static void nowait_might_sleep(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = cautious_alloc; }

/* The neighbour's bytes show through a temporary mapping. */
static void *shifted_map(void *heap, struct page *page)
{
    struct buddy *b = heap;
    const uint32_t pfn = buddy_pfn(b, page), last = b->machine->frames - 1;
    unsigned char *at = buddy_kmap_local(b, page);
    bool highmem = at && at != machine_direct(b->machine, pfn);
    if (highmem)
        machine_kmap_slot(b->machine, (unsigned)((at - b->machine->pkmap) >> b->machine->page_shift),
                          pfn ^ (pfn < last));
    return at;
}

static void kmap_shows_neighbour(struct alloc_ops *ops) { kernel_rows(ops)->kmap_local = shifted_map; }

/* A refusal is told to the first page that somebody has. */
static struct page *angry_alloc(void *heap, unsigned gfp, unsigned order)
{
    struct buddy *b = heap;
    struct page *page = buddy_alloc(b, gfp, order);
    for (uint32_t pfn = 0; !page && pfn < b->machine->lowmem_frames; pfn++)
        if (b->pages[pfn].state == PAGE_USED && b->pages[pfn].kind == PAGE_PLAIN) {
            memset(machine_direct(b->machine, pfn), 0, 64);
            break;
        }
    return page;
}

static void page_refusal_scribbles(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = angry_alloc; }

/* The first frame of a block is taken for a second owner. */
static struct page *twice_owned(void *heap, unsigned gfp, unsigned order)
{
    struct buddy *b = heap;
    struct page *page = buddy_alloc(b, gfp, order);
    if (page) machine_take(b->machine, buddy_pfn(b, page), 1, gfp_effective(b->machine, gfp));
    return page;
}

static void frame_taken_twice(struct alloc_ops *ops) { kernel_rows(ops)->alloc_pages = twice_owned; }

const struct canary broken_core[] = {
    {"largest_split", "B15", "a largest block is split although smaller ones would do", &alloc_buddy, largest_split},
    {"null_is_no_address", "B21", "free_pages of 0 is an error", &alloc_buddy, null_is_no_address},
    {"free_flushes", "B105", "freeing pages flushes the TLB", &alloc_buddy, free_flushes},
    {"kmap_shows_neighbour", "C18", "a temporary mapping shows the neighbour", &alloc_buddy, kmap_shows_neighbour},
    {"page_refusal_scribbles", "C32", "a refusal overwrites somebody's page", &alloc_buddy, page_refusal_scribbles},
    {"frame_taken_twice", "C16", "the first frame of a block is taken twice", &alloc_buddy, frame_taken_twice},
    {"nowait_might_sleep", "C34", "a request that may not sleep says that it might", &alloc_buddy, nowait_might_sleep},
    {0},
};
