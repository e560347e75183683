/* fragmentation.c: two pages side by side cannot be had, with megabytes free; and vmalloc does not mind.
 *
 * All memory of a simulated machine of 64 MiB is taken a frame at a time, and every second frame is given back. From then
 * on half of the memory is free and no two frames of it are neighbours: kmalloc, whose memory is contiguous in frames,
 * fails for 8 KiB, and vmalloc serves it and much more, as page tables put any frames side by side (SEMANTICS B28, B88).
 *
 * Prints the numbers; the exit status is 0 if and only if they are as told here.
 */
#include "kernel_example.h"

#include <string.h>

#define REQUEST ((size_t)8 << 10)
#define LARGE ((size_t)16 << 20)

static uint32_t print_zones(const struct example *e)
{
    uint32_t sum = 0, larger = 0;
    for (int zone = 0; zone < ZONES; zone++) {
        struct zone_info info;
        e->kernel->zone_info(e->heap, (enum machine_zone_id)zone, &info);
        printf("  %-8s %5u frames free; blocks of 1, 2, 4 … 1024 frames:", machine_zone_names[zone], info.free);
        for (unsigned order = 0; order <= e->machine.max_order; order++) {
            printf(" %u", info.blocks[order]);
            if (order) larger += info.blocks[order];
        }
        putchar('\n');
        sum += info.free;
    }
    printf("  in all   %5u frames free: %.1f MiB\n", sum, sum * (double)e->machine.page_bytes / (1 << 20));
    return larger;
}

/* Takes every frame there is, whatever the reserves, and gives back those with an odd number. */
static void fragment(const struct example *e)
{
    const unsigned gfp = GFP_BIT_HIGHMEM | GFP_BIT_MEMALLOC | GFP_BIT_NOWARN;
    const struct kernel_ops *k = e->kernel;
    struct page **taken = calloc(e->machine.frames, sizeof *taken), *page;
    if (!taken) exit(2);
    while ((page = k->alloc_pages(e->heap, gfp, 0))) taken[k->page_to_pfn(e->heap, page)] = page;
    for (uint32_t pfn = 1; pfn < e->machine.frames; pfn += 2)
        if (taken[pfn]) k->free_page_block(e->heap, taken[pfn], 0);
    free(taken);
}

/* Whether what is written is there, and each page at its frame. */
static bool holds(const struct example *e, unsigned char *p, size_t bytes)
{
    const size_t page = e->machine.page_bytes;
    for (size_t i = 0; i < bytes; i++) p[i] = (unsigned char)(i % 251);
    for (size_t i = 0; i < bytes; i++)
        if (machine_oracle(&e->machine, e->kernel->vmalloc_to_pfn(e->heap, p + i))[i % page] != i % 251) return false;
    return true;
}

int main(void)
{
    struct example example, *e = &example;
    example_open(e, &(struct machine_geometry){.config = MACHINE_S64});
    puts("a machine of 64 MiB:");
    print_zones(e);

    fragment(e);
    puts("every second frame taken:");
    uint32_t larger = print_zones(e);

    void *contiguous = e->kernel->kmalloc(e->heap, REQUEST, GFP_KERNEL);
    printf("kmalloc of %zu KiB: %s\n", REQUEST >> 10, contiguous ? "granted" : "refused");

    unsigned char *p = e->kernel->vmalloc(e->heap, REQUEST);
    bool held = p && holds(e, p, REQUEST);
    printf("vmalloc of %zu KiB: %s", REQUEST >> 10, p ? "granted" : "refused\n");
    if (p)
        printf(", its pages are the frames %u and %u\n", e->kernel->vmalloc_to_pfn(e->heap, p),
               e->kernel->vmalloc_to_pfn(e->heap, p + e->machine.page_bytes));

    unsigned char *q = e->kernel->vmalloc(e->heap, LARGE);
    held = held && q && holds(e, q, LARGE);
    printf("vmalloc of %zu MiB: %s\n", LARGE >> 20, q ? "granted" : "refused");

    bool as_told = !larger && !contiguous && held;
    puts(as_told ? "all of it holds what was written" : "NOT as it should be");
    example_close(e);
    return !as_told;
}
