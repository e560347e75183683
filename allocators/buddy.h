/* buddy.h: the page allocator of the kernel families, to be embedded in the state of whatever is built on pages.
 *
 * Every frame has one record, `struct page`, and the two are each other's index (B1). The record that counts is the one of
 * a block's first frame, its head; frames inside have an empty record, and whoever needs their head looks for it among the
 * at most eleven blocks that could contain them. So a block of any order is taken and freed in O(orders).
 *
 * Free memory is always in the canonical form of B17: a block is merged with its buddy as soon as both are free.
 *
 * An allocator built on pages has a `struct buddy` as the FIRST member of its state and so may list BUDDY_KERNEL_OPS in
 * its own kernel_ops. What it takes with buddy_alloc it marks as its own (page->kind, page->owner on the head), so that
 * the wrong family's free is told from a good one (B120), and unmarks before buddy_free.
 */
#ifndef BUDDY_H
#define BUDDY_H

#include "kernel.h"
#include "machine.h"

#define BUDDY_FRAMES_MAX 32768u /* the largest machine (E12, E16) */
#define KMAP_SLOTS_MAX 1024u    /* E10 */

enum page_state {
    PAGE_INSIDE, /* not a head; everything else in the record is 0 */
    PAGE_FREE,   /* head of a free block */
    PAGE_USED,   /* head of a block that somebody has */
};

/* Who has a used block. Only blocks of PAGE_PLAIN may be freed by whoever took pages (B120). */
enum page_kind { PAGE_PLAIN, PAGE_EXACT, PAGE_HEAP, PAGE_SLAB, PAGE_KMALLOC, PAGE_VMALLOC, PAGE_TABLE, PAGE_POOL };

struct page {
    void *owner;    /* PAGE_USED: its owner's business; NULL when taken */
    uint16_t refs;  /* PAGE_USED: references (B23) */
    uint16_t exact; /* PAGE_EXACT: frames of the allocation, in its first one; 0 in the others (B25) */
    uint8_t state;  /* enum page_state */
    uint8_t order;
    uint8_t kind; /* enum page_kind */
    bool compound;
};
_Static_assert(sizeof(struct page) <= 16, "a record for each frame");

struct buddy_zone {
    uint32_t start, end, free;              /* frames */
    uint32_t blocks[MACHINE_ORDERS];        /* free blocks of each order */
    uint32_t mark_min, mark_low, mark_high; /* B34 */
    uint32_t reserve[ZONES];                /* B35: kept from requests that selected zone j */
};

/* Where the free blocks of an order begin: one bit for each place, orders one behind the other in words of 64, and above
 * them one bit for each word that is not 0. */
#define FREE_MAP_WORDS (2 * BUDDY_FRAMES_MAX / 64)
struct free_map {
    uint64_t words[FREE_MAP_WORDS], summary[FREE_MAP_WORDS / 64];
};

/* Temporary mappings of highmem (B8). Of the machine's kmap slots, the last quarter is for kmap_local, oldest first, and the
 * very last the allocator's own; kmap uses the others. */
struct highmem {
    uint16_t slot_of[BUDDY_FRAMES_MAX]; /* slot + 1 of a frame that is kmapped, else 0 */
    uint32_t pfn[KMAP_SLOTS_MAX];
    uint16_t count[KMAP_SLOTS_MAX]; /* kmaps without their kunmap; 0: the slot is free */
    unsigned end;                   /* slots from here on have not been used since the last reset */
    unsigned depth;                 /* of kmap_local */
};

struct buddy {
    struct machine *machine;
    uint32_t touched; /* bit i: something was taken from frames [1024 i, 1024 (i + 1)) since the last reset */
    struct buddy_zone zones[ZONES];
    struct free_map free;
    struct highmem highmem;
    struct page pages[BUDDY_FRAMES_MAX];
};

/* ---- Life ---------------------------------------------------------------------------------------------------------- */

/* All frames of a fresh machine, free. *b is zeroed; it and the machine stay where they are. 0, or EINVAL if and only if
 * the machine has more frames than BUDDY_FRAMES_MAX. reset: the same again after machine_fresh, with whatever geometry;
 * its cost follows what was touched. */
int buddy_init(struct buddy *b, struct machine *m);
void buddy_reset(struct buddy *b);
/* NULL, or the name of the broken invariant. O(blocks). */
const char *buddy_check(const struct buddy *b);

/* ---- Pages: the functions behind kernel_ops, with their reports ---------------------------------------------------- */

struct page *buddy_alloc(struct buddy *b, unsigned gfp, unsigned order);                   /* alloc_pages */
void buddy_free(struct buddy *b, struct page *page, unsigned order);                       /* __free_pages */
size_t buddy_alloc_bulk(struct buddy *b, unsigned gfp, size_t count, struct page **array); /* B26 */
void buddy_split(struct buddy *b, struct page *page, unsigned order);                      /* split_page (B24) */
void *buddy_alloc_exact(struct buddy *b, size_t bytes, unsigned gfp);                      /* B25 */
void buddy_free_exact(struct buddy *b, void *address, size_t bytes);
void buddy_get(struct buddy *b, struct page *page);
void buddy_put(struct buddy *b, struct page *page);
/* Keeps the first 2^order frames of a plain block that nobody else refers to, and frees the rest. */
void buddy_trim(struct buddy *b, struct page *page, unsigned order);
void buddy_step_kswapd(struct buddy *b); /* B123 */

/* The smallest order whose blocks have that many bytes; MACHINE_ORDERS if there is none. bytes > 0 (B26). */
unsigned buddy_order(const struct buddy *b, size_t bytes);

static inline struct page *buddy_page(struct buddy *b, uint32_t pfn)
{
    return pfn < b->machine->frames ? &b->pages[pfn] : NULL;
}
static inline uint32_t buddy_pfn(const struct buddy *b, const struct page *page) { return (uint32_t)(page - b->pages); }

/* The page of an address in the direct map, of any byte in it; NULL for any other address (B1, B6). */
static inline struct page *buddy_virt_to_page(struct buddy *b, const void *address)
{
    uint32_t pfn = machine_direct_pfn(b->machine, address);
    return pfn == PFN_NONE ? NULL : &b->pages[pfn];
}
/* Its address in the direct map, or where kmap has put it; NULL if nowhere (B7). */
void *buddy_page_address(const struct buddy *b, const struct page *page);
/* The head of the free or used block that contains the page, whether compound or not. */
struct page *buddy_head(struct buddy *b, struct page *page);
/* What compound_head gives: the head of a compound block, any other page itself (B27). */
struct page *buddy_compound_head(struct buddy *b, struct page *page);

/* ---- Highmem (B7, B8, B19) ------------------------------------------------------------------------------------------ */

void *buddy_kmap(struct buddy *b, struct page *page);
void buddy_kunmap(struct buddy *b, struct page *page);
void *buddy_kmap_local(struct buddy *b, struct page *page);
void buddy_kunmap_local(struct buddy *b, void *address);
/* Fills frames with zeros wherever they are, in any context. False if and only if the host has no room to map one. */
bool buddy_zero(struct buddy *b, uint32_t pfn, uint32_t count);

/* ---- Rows of a kernel_ops table ------------------------------------------------------------------------------------- */

struct page *buddy_op_alloc_pages(void *heap, unsigned gfp, unsigned order);
void buddy_op_free_page_block(void *heap, struct page *page, unsigned order);
void *buddy_op_get_free_pages(void *heap, unsigned gfp, unsigned order);
void *buddy_op_get_zeroed_page(void *heap, unsigned gfp);
void buddy_op_free_pages(void *heap, void *address, unsigned order);
void *buddy_op_alloc_pages_exact(void *heap, size_t bytes, unsigned gfp);
void buddy_op_free_pages_exact(void *heap, void *address, size_t bytes);
void buddy_op_split_page(void *heap, struct page *page, unsigned order);
size_t buddy_op_alloc_pages_bulk(void *heap, unsigned gfp, size_t count, struct page **array);
void buddy_op_get_page(void *heap, struct page *page);
void buddy_op_put_page(void *heap, struct page *page);
uint32_t buddy_op_page_to_pfn(void *heap, const struct page *page);
struct page *buddy_op_pfn_to_page(void *heap, uint32_t pfn);
void *buddy_op_page_address(void *heap, const struct page *page);
struct page *buddy_op_virt_to_page(void *heap, const void *address);
struct page *buddy_op_compound_head(void *heap, struct page *page);
void buddy_op_zone_info(void *heap, enum machine_zone_id zone, struct zone_info *out);
void buddy_op_step_kswapd(void *heap);
void *buddy_op_kmap(void *heap, struct page *page);
void buddy_op_kunmap(void *heap, struct page *page);
void *buddy_op_kmap_local(void *heap, struct page *page);
void buddy_op_kunmap_local(void *heap, void *address);

#define BUDDY_KERNEL_OPS                                                                                             \
    .alloc_pages = buddy_op_alloc_pages, .free_page_block = buddy_op_free_page_block,                                \
    .get_free_pages = buddy_op_get_free_pages, .get_zeroed_page = buddy_op_get_zeroed_page,                          \
    .free_pages = buddy_op_free_pages, .alloc_pages_exact = buddy_op_alloc_pages_exact,                              \
    .free_pages_exact = buddy_op_free_pages_exact, .split_page = buddy_op_split_page,                                \
    .alloc_pages_bulk = buddy_op_alloc_pages_bulk, .get_page = buddy_op_get_page, .put_page = buddy_op_put_page,     \
    .page_to_pfn = buddy_op_page_to_pfn, .pfn_to_page = buddy_op_pfn_to_page, .page_address = buddy_op_page_address, \
    .virt_to_page = buddy_op_virt_to_page, .compound_head = buddy_op_compound_head, .zone_info = buddy_op_zone_info, \
    .step_kswapd = buddy_op_step_kswapd, .kmap = buddy_op_kmap, .kunmap = buddy_op_kunmap,                           \
    .kmap_local = buddy_op_kmap_local, .kunmap_local = buddy_op_kunmap_local

#endif
