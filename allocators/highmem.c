/* highmem.c: addresses for frames that have none (B7, B8, B19).
 *
 *     pkmap | kmap: shared, counted, found by frame ....... | kmap_local: a stack ... | ours |
 *           0                                       local_first                  slots - 1
 *
 * A frame keeps its slot from its first kmap to its last kunmap; lowmem needs none. Linux puts the unmapping off until all
 * slots are used up, to save flushes; here a slot is given back at once, so that a stale address faults.
 */
#include "buddy_internal.h"
#include "gfp.h"

#include <string.h>

static unsigned own_slot(const struct machine *m) { return m->pkmap_slots - 1; }
static unsigned local_first(const struct machine *m) { return m->pkmap_slots - m->pkmap_slots / 4; }

void *buddy_page_address(const struct buddy *b, const struct page *page)
{
    uint32_t pfn = buddy_pfn(b, page);
    void *direct = machine_direct(b->machine, pfn);
    unsigned slot = b->highmem.slot_of[pfn];
    return direct || !slot ? direct : b->machine->pkmap + (slot - 1) * b->machine->page_bytes;
}

/* A slot that nobody uses, or local_first if there is none. */
static unsigned kmap_find(const struct buddy *b)
{
    const struct highmem *h = &b->highmem;
    unsigned slot = 0;
    while (slot < h->end && h->count[slot]) slot++;
    return slot;
}

void *buddy_kmap(struct buddy *b, struct page *page)
{
    struct machine *m = b->machine;
    struct highmem *h = &b->highmem;
    uint32_t pfn = buddy_pfn(b, page);
    if (!machine_enter_sleeping(m)) return NULL;
    if (machine_direct(m, pfn)) return machine_direct(m, pfn);
    unsigned slot = h->slot_of[pfn] ? h->slot_of[pfn] - 1u : kmap_find(b);
    if (slot == local_first(m) || (h->count[slot] == UINT16_MAX)) {
        machine_block(m); /* nobody else is there to unmap anything */
        return NULL;
    }
    if (!h->count[slot] && !machine_kmap_slot(m, slot, pfn)) return NULL;
    if (slot == h->end) h->end++;
    h->slot_of[pfn] = (uint16_t)(slot + 1);
    h->pfn[slot] = pfn;
    h->count[slot]++;
    return buddy_page_address(b, page);
}

void buddy_kunmap(struct buddy *b, struct page *page)
{
    struct highmem *h = &b->highmem;
    uint32_t pfn = buddy_pfn(b, page);
    if (!machine_enter_any(b->machine) || machine_direct(b->machine, pfn)) return;
    if (!h->slot_of[pfn]) {
        machine_report(b->machine, REPORT_BUG, NULL);
        return;
    }
    unsigned slot = h->slot_of[pfn] - 1u;
    if (--h->count[slot]) return;
    h->slot_of[pfn] = 0;
    machine_kmap_slot(b->machine, slot, PFN_NONE);
}

void *buddy_kmap_local(struct buddy *b, struct page *page)
{
    struct machine *m = b->machine;
    uint32_t pfn = buddy_pfn(b, page);
    if (!machine_enter_any(m)) return NULL;
    if (machine_direct(m, pfn)) return machine_direct(m, pfn);
    unsigned slot = local_first(m) + b->highmem.depth;
    if (slot >= own_slot(m)) {
        machine_report(m, REPORT_BUG, NULL); /* the stack of local mappings overflows */
        return NULL;
    }
    void *at = machine_kmap_slot(m, slot, pfn);
    if (at) b->highmem.depth++;
    return at;
}

void buddy_kunmap_local(struct buddy *b, void *address)
{
    struct machine *m = b->machine;
    unsigned newest = local_first(m) + b->highmem.depth - 1;
    if (!machine_enter_any(m) || machine_direct_pfn(m, address) != PFN_NONE) return;
    uintptr_t offset = (uintptr_t)address - (uintptr_t)m->pkmap;
    if (!b->highmem.depth || offset >> m->page_shift != newest) {
        machine_report(m, REPORT_CONTRACT_WARN, address); /* not in reverse order, or not such an address at all */
        return;
    }
    machine_kmap_slot(m, newest, PFN_NONE);
    b->highmem.depth--;
}

bool buddy_zero(struct buddy *b, uint32_t pfn, uint32_t count)
{
    struct machine *m = b->machine;
    void *direct = machine_direct(m, pfn);
    if (direct) memset(direct, 0, (size_t)count << m->page_shift);
    if (direct) return true;
    uint32_t done = 0;
    for (void *at; done < count && (at = machine_kmap_slot(m, own_slot(m), pfn + done)); done++)
        memset(at, 0, m->page_bytes);
    machine_kmap_slot(m, own_slot(m), PFN_NONE);
    return done == count;
}

/* The fresh machine has unmapped the slots already. */
void highmem_reset(struct buddy *b)
{
    struct highmem *h = &b->highmem;
    for (unsigned slot = 0; slot < h->end; slot++) {
        h->slot_of[h->pfn[slot]] = 0;
        h->pfn[slot] = h->count[slot] = 0;
    }
    h->end = h->depth = 0;
}

const char *highmem_check(const struct buddy *b)
{
    const struct highmem *h = &b->highmem;
    for (unsigned slot = 0; slot < h->end; slot++)
        if (h->count[slot] && h->slot_of[h->pfn[slot]] != slot + 1) return "a mapped frame knows its slot";
    return NULL;
}
