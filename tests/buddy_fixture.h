/* buddy_fixture.h: a page allocator on a machine of its own, with surroundings that count what is asked of them. */
#ifndef BUDDY_FIXTURE_H
#define BUDDY_FIXTURE_H

#include "buddy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NONE ((unsigned)-1) /* no report */

static struct machine machine;
static struct buddy *b;

static struct surroundings {
    unsigned reports, report; /* the last of them, or NONE */
    unsigned reclaims, kills;
    uint32_t gfp, pages;         /* of the last reclaim */
    struct page *droppable[256]; /* what a round of reclaim frees, one block after the other */
    unsigned droppables, a_round;
    struct page *victims[64]; /* what a kill frees, all at once */
    unsigned victim_count;
} around;

static uint32_t fixture_reclaim(void *host, uint32_t gfp, uint32_t pages, bool direct, bool *io, bool *fs)
{
    struct surroundings *s = host;
    uint32_t released = 0;
    (void)direct;
    s->reclaims++;
    s->gfp = gfp;
    s->pages = pages;
    for (unsigned i = 0; i < s->a_round && s->droppables; i++) {
        struct page *page = s->droppable[--s->droppables];
        released += UINT32_C(1) << page->order;
        buddy_free(b, page, page->order);
    }
    *io = released && (gfp & GFP_BIT_IO);
    *fs = false;
    return released;
}

static uint32_t fixture_kill(void *host, uint32_t gfp)
{
    struct surroundings *s = host;
    uint32_t released = 0;
    (void)gfp;
    s->kills++;
    while (s->victim_count) {
        struct page *page = s->victims[--s->victim_count];
        released += UINT32_C(1) << page->order;
        buddy_free(b, page, page->order);
    }
    return released;
}

static void fixture_report(void *host, enum alloc_report kind, const void *where)
{
    struct surroundings *s = host;
    (void)where;
    s->reports++;
    s->report = kind;
}

/* A fresh machine of this configuration whose frames hold 0xA5, and a fresh page allocator on it. */
static void power_on(enum machine_config config)
{
    const struct machine_geometry geometry = {.config = config, .dirt = 0xA5};
    const struct machine_host host = {
        .host = &around, .reclaim = fixture_reclaim, .out_of_memory = fixture_kill, .report = fixture_report};
    around = (struct surroundings){.report = NONE};
    assert_int_equal(machine_fresh(&machine, &geometry, &host), 0);
    memset(b, 0, sizeof *b);
    assert_int_equal(buddy_init(b, &machine), 0);
    assert_null(buddy_check(b));
}

/* The kind of the one report since the last call, or NONE. */
static inline unsigned reported(void)
{
    unsigned kind = around.reports == 1 ? around.report : NONE;
    assert_true(around.reports <= 1);
    around.reports = 0;
    around.report = NONE;
    return kind;
}

static inline unsigned events(enum machine_event_kind kind) { return machine_event_count(&machine, kind); }
static inline enum machine_zone_id zone_of(const struct page *page)
{
    return machine_zone_of(&machine, buddy_pfn(b, page));
}

static int set_up(void **state)
{
    (void)state;
    machine_init(&machine);
    b = malloc(sizeof *b);
    return b == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    machine_close(&machine);
    free(b);
    return 0;
}

#endif
