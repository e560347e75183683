/* slab_heap.h: a heap of the built-ins `slab` or `kmalloc` on a simulated machine, for the unit tests of both. */
#ifndef SLAB_HEAP_H
#define SLAB_HEAP_H

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
static const struct alloc_ops *ops;
static const struct kernel_ops *k;
static void *heap;
static unsigned reports; /* since the last time that they were asked for */
static enum alloc_report report;
static const void *report_where;

static void note_report(void *host, enum alloc_report kind, const void *where)
{
    (void)host;
    reports++;
    report = kind;
    report_where = where;
}

/* A fresh machine, and a heap of this kind on it. */
static void power_on(const struct alloc_ops *kind, enum machine_config config)
{
    const struct machine_geometry geometry = {.config = config, .dirt = 0xa5};
    const struct machine_host host = {.report = note_report};
    assert_int_equal(machine_fresh(&machine, &geometry, &host), 0);
    if (heap && ops == kind) assert_int_equal(ops->reset(heap), 0);
    else {
        free(heap);
        heap = calloc(1, kind->state_size);
        assert_non_null(heap);
        face = (struct backing){.kind = BACKING_MACHINE, .machine = &machine, .page_bytes = machine.page_bytes};
        assert_int_equal(kind->init(heap, &face), 0);
    }
    ops = kind;
    k = kind->kernel;
    reports = 0;
}

/* Exactly this was reported since it was asked last, about this address. */
static bool reported(enum alloc_report kind, const void *where)
{
    bool as_expected = reports == 1 && report == kind && report_where == where;
    reports = 0;
    return as_expected;
}

static bool quiet(void) { return reports == 0; }

static uint32_t free_frames(void)
{
    uint32_t sum = 0;
    for (unsigned zone = 0; zone < ZONES; zone++) {
        struct zone_info info;
        k->zone_info(heap, (enum machine_zone_id)zone, &info);
        sum += info.free;
    }
    return sum;
}

static bool reads_as(const void *p, unsigned char byte, size_t bytes)
{
    const unsigned char *at = p;
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != byte) return false;
    return true;
}

/* The n-th attempt from now fails, whoever asks. */
static void inject(enum machine_fault fault, uint32_t nth)
{
    const struct machine_injection injection = {.nth = nth, .waiting_too = true};
    machine_inject(&machine, fault, &injection);
}

static void in_task(void) { machine.context = (struct machine_context){.spin_depth = 0}; }

static int set_up(void **state)
{
    (void)state;
    machine_init(&machine);
    return 0;
}

/* Every test leaves a heap whose records agree. */
static int tear_down(void **state)
{
    (void)state;
    const char *broken = ops->check(heap);
    machine_close(&machine);
    free(heap);
    heap = NULL;
    if (broken) print_error("%s\n", broken);
    return broken ? -1 : 0;
}

#endif
