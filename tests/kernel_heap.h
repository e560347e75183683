/* kernel_heap.h: a heap of all kernel families on a simulated machine, for unit tests of them. */
#ifndef KERNEL_HEAP_H
#define KERNEL_HEAP_H

#include "backing.h"
#include "builtin.h"
#include "kernel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE ((size_t)4096)

static struct machine machine;
static struct backing face;
static void *heap;
static const struct kernel_ops *k; /* what is called */
static unsigned reports;           /* since expect_report */
static enum alloc_report report;   /* the last of them */

static void note_report(void *host, enum alloc_report kind, const void *where)
{
    (void)host;
    (void)where;
    reports++;
    report = kind;
}

/* The machine and the heap as new. */
static void power_on(enum machine_config config, bool scatter)
{
    const struct machine_geometry geometry = {.config = config, .scatter = scatter, .dirt = 0xa5};
    const struct machine_host host = {.report = note_report};
    assert_int_equal(machine_fresh(&machine, &geometry, &host), 0);
    if (heap) assert_int_equal(alloc_vmalloc.reset(heap), 0);
    else {
        face = (struct backing){.kind = BACKING_MACHINE, .machine = &machine, .page_bytes = machine.page_bytes};
        heap = calloc(1, alloc_vmalloc.state_size);
        assert_non_null(heap);
        assert_int_equal(alloc_vmalloc.init(heap, &face), 0);
    }
    k = alloc_vmalloc.kernel;
    reports = 0;
}

/* Whether exactly this was reported since the last call, and nothing else. */
static inline bool reported(enum alloc_report kind)
{
    bool as_expected = reports == 1 && report == kind;
    reports = 0;
    return as_expected;
}

static inline bool quiet(void)
{
    bool as_expected = !reports;
    reports = 0;
    return as_expected;
}

static inline void set_spinlock(void) { machine.context = (struct machine_context){.spin_depth = 1}; }
static inline void set_hardirq(void) { machine.context = (struct machine_context){.hardirq = true}; }
static inline void set_task(void) { machine.context = (struct machine_context){.spin_depth = 0}; }

/* The n-th attempt from now fails, whoever asks. */
static inline void inject(enum machine_fault fault, uint32_t nth)
{
    const struct machine_injection injection = {.nth = nth, .waiting_too = true, .highmem_too = true};
    machine_inject(&machine, fault, &injection);
}

static inline uint32_t free_frames(void)
{
    uint32_t sum = 0;
    for (int zone = 0; zone < ZONES; zone++) {
        struct zone_info info;
        k->zone_info(heap, (enum machine_zone_id)zone, &info);
        sum += info.free;
    }
    return sum;
}

static inline struct window_info window(void)
{
    struct window_info info;
    k->window_info(heap, &info);
    assert_int_equal(info.busy + info.guard + info.lazy + info.free,
                     (size_t)(machine.vmalloc_end - machine.vmalloc_start) / PAGE);
    return info;
}

static inline unsigned char *frame(uint32_t pfn) { return machine_oracle(&machine, pfn); }

/* The page i of an area is the frame that is claimed, seen from both sides (O7), and behind the last one it ends. */
static inline void check_area(unsigned char *p, uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t pfn = k->vmalloc_to_pfn(heap, p + i * PAGE);
        assert_int_not_equal(pfn, PFN_NONE);
        assert_ptr_equal(k->vmalloc_to_page(heap, p + i * PAGE + 17), k->pfn_to_page(heap, pfn));
        memcpy(p + i * PAGE + 100, &i, sizeof i);
        assert_memory_equal(frame(pfn) + 100, &i, sizeof i);
        frame(pfn)[PAGE - 1] = (unsigned char)~i;
        assert_int_equal(p[(i + 1) * PAGE - 1], (unsigned char)~i);
    }
    assert_false(lender_readable(p + pages * PAGE));
    assert_int_equal(k->vmalloc_to_pfn(heap, p + pages * PAGE), PFN_NONE);
    assert_null(alloc_vmalloc.check(heap));
}

static int set_up(void **state)
{
    (void)state;
    machine_init(&machine);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    machine_close(&machine);
    free(heap);
    return 0;
}

#endif
