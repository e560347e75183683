/* test_machine_lender.c: the simulated machine as a backing (backing.h), what the harness does for it, and how exec keeps
 * the heaps of several machines from program to program. */
#include "backing.h"
#include "exec.h"
#include "machine_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 4096 };

static struct lender lender;

static int set_up(void **state)
{
    (void)state;
    lender_init(&lender);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lender_close(&lender);
    return 0;
}

static struct machine *lend(struct lender_geometry geometry)
{
    geometry.kind = BACKING_MACHINE;
    assert_int_equal(lender_fresh(&lender, &geometry), 0);
    return lender.face.machine;
}

/* ---- The lender ----------------------------------------------------------------------------------------------------------- */

static void a_machine_is_lent_with_its_direct_map(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MACHINE_CONFIGS * 4; i++) {
        const struct machine *m =
            lend((struct lender_geometry){.machine = i / 4, .scatter = i & 2, .elsewhere = i & 1});
        const struct backing *f = &lender.face;
        assert_true(f->kind == BACKING_MACHINE && f->base == m->direct && f->page_bytes == m->page_bytes);
        assert_int_equal(f->size, m->lowmem_frames * m->page_bytes);
        assert_true(m->scatter == ((i & 2) != 0));
        assert_int_equal(m->inside->geometry.config, i / 4);
        assert_true(lender_readable(f->base + f->size - 1));
        assert_false(lender_readable(f->base + f->size));
        if (i % 3) continue; /* and other kinds in between */
        const struct lender_geometry region = {.kind = BACKING_REGION, .size = 100};
        assert_int_equal(lender_fresh(&lender, &region), 0);
        assert_null(lender.face.machine);
    }
}

static void its_dirt_is_the_lenders(void **state)
{
    (void)state;
    static const unsigned char plain[] = {[DIRT_ZERO] = 0, [DIRT_A5] = 0xA5, [DIRT_FF] = 0xFF};
    for (unsigned dirt = DIRT_ZERO; dirt <= DIRT_FF; dirt++) {
        struct machine *m = lend((struct lender_geometry){.machine = MACHINE_S4, .dirt = dirt});
        machine_take(m, 5, 1, 0);
        for (unsigned i = 0; i < PAGE; i++) assert_int_equal(m->direct[5 * PAGE + i], plain[dirt]);
    }
    static unsigned char before[PAGE];
    for (uint32_t seed = 1; seed < 4; seed++) {
        struct machine *m = lend((struct lender_geometry){.machine = MACHINE_S4, .dirt = DIRT_RANDOM, .seed = seed});
        machine_take(m, 5, 1, 0);
        assert_memory_not_equal(before, m->direct + 5 * PAGE, PAGE);
        memcpy(before, m->direct + 5 * PAGE, PAGE);
    }
}

static void reports_and_frames_are_counted(void **state)
{
    (void)state;
    struct machine *m = lend((struct lender_geometry){.machine = MACHINE_S4});
    machine_report(m, REPORT_BAD_GFP, m->direct + 3);
    lender.face.report(&lender.face, REPORT_LEAK, m->direct);
    machine_report(m, REPORT_WRONG_FREE, m->direct + 5);
    assert_int_equal(lender.reports, 3);
    assert_int_equal(lender.report, REPORT_WRONG_FREE);
    assert_ptr_equal(lender.report_where, m->direct + 5);
    machine_take(m, 1, 7, 0);
    machine_give(m, 3, 2);
    assert_int_equal(lender_footprint(&lender), 5 * PAGE);
    lend((struct lender_geometry){.machine = MACHINE_S4});
    assert_int_equal(lender.reports, 0);
    assert_int_equal(lender_footprint(&lender), 0);
}

/* ---- What the harness does for it ------------------------------------------------------------------------------------------- */

struct surroundings {
    uint32_t droppable, asked, gfp;
    bool direct, io, fs;
};

static uint32_t reclaim(void *host, uint32_t gfp, uint32_t pages, bool direct, bool *io, bool *fs)
{
    struct surroundings *s = host;
    *s = (struct surroundings){.droppable = s->droppable, .asked = pages, .gfp = gfp, .direct = direct, s->io, s->fs};
    *io = s->io;
    *fs = s->fs;
    return s->droppable;
}

static uint32_t out_of_memory(void *host, uint32_t gfp)
{
    struct surroundings *s = host;
    s->gfp = gfp;
    return s->droppable + 1;
}

static void nobody_reclaims_unless_somebody_is_there(void **state) /* B121, B122 */
{
    (void)state;
    struct machine *m = lend((struct lender_geometry){.machine = MACHINE_S4});
    assert_int_equal(machine_reclaim(m, 1, 8, true), 0);
    assert_int_equal(machine_out_of_memory(m, 1), 0);
    assert_int_equal(machine_event_count(m, EVENT_DIRECT_RECLAIM), 1); /* the attempt is told all the same */
    assert_int_equal(machine_event_count(m, EVENT_OOM), 1);

    struct surroundings s = {.droppable = 5, .io = true};
    const struct machine_host host = {&s, reclaim, out_of_memory, NULL, NULL};
    lender.surroundings = &host;
    m = lend((struct lender_geometry){.machine = MACHINE_S64});
    assert_int_equal(machine_reclaim(m, 0x40, 8, true), 5);
    assert_true(s.asked == 8 && s.gfp == 0x40 && s.direct);
    assert_int_equal(machine_out_of_memory(m, 0x80), 6);
    assert_int_equal(s.gfp, 0x80);
    uint32_t count;
    const struct machine_event *events = machine_events(m, &count);
    assert_int_equal(count, 3);
    assert_true(events[0].kind == EVENT_DIRECT_RECLAIM && events[0].a == 5);
    assert_true(events[1].kind == EVENT_IO && events[2].kind == EVENT_OOM && events[2].a == 6);
    machine_events_clear(m);
    s.io = false;
    s.fs = true;
    assert_int_equal(machine_reclaim(m, 0, 1, false), 5); /* kswapd's is no direct one */
    events = machine_events(m, &count);
    assert_true(count == 1 && events[0].kind == EVENT_FS && !s.direct);
}

/* ---- exec ------------------------------------------------------------------------------------------------------------------ */

/* One frame at a time from the bottom of the direct map, never given back before reset. */
struct bottom {
    struct machine *machine;
    uint32_t next;
};

static struct {
    unsigned inits, resets, finis;
} calls;

static int bottom_init(void *heap, struct backing *backing)
{
    struct bottom *b = heap;
    calls.inits++;
    if (b->machine || b->next) return EINVAL; /* state is to be zero */
    *b = (struct bottom){.machine = backing->machine};
    return 0;
}

static int bottom_reset(void *heap)
{
    struct bottom *b = heap;
    calls.resets++;
    b->next = 0;
    return 0;
}

static void bottom_fini(void *heap)
{
    (void)heap;
    calls.finis++;
}

static void *bottom_malloc(void *heap, size_t size)
{
    struct bottom *b = heap;
    if (size > b->machine->page_bytes || b->next == b->machine->lowmem_frames) {
        errno = ENOMEM;
        return NULL;
    }
    machine_take(b->machine, b->next, 1, 0);
    return machine_direct(b->machine, b->next++);
}

static void bottom_free(void *heap, void *p)
{
    (void)heap;
    (void)p;
}

static struct alloc_ops bottom = {
    .abi = ALLOC_ABI,
    .name = "bottom",
    .summary = "one frame for each block",
    .contract = {.backing = BACKING_MACHINE, .align_min = 16, .align_max = PAGE, .promises = PROMISE_DETERMINISTIC},
    .state_size = sizeof(struct bottom),
    .init = bottom_init,
    .fini = bottom_fini,
    .malloc = bottom_malloc,
    .free = bottom_free,
};

/* Runs four programs on each machine in turn, two of them twins. */
static void run_on_all_machines(void)
{
    static struct exec_counters counters;
    static struct program p;
    struct exec *x =
        exec_open(&(struct exec_options){.ops = &bottom, .contract = bottom.contract, .counters = &counters});
    assert_non_null(x);
    memset(&calls, 0, sizeof calls);
    for (unsigned i = 0; i < MACHINE_CONFIGS * 4; i++) {
        p = (struct program){.heap = {.size = 4096, .seed = i, .dirty = DIRTY_RANDOM, .machine = i % MACHINE_CONFIGS}};
        p.heap.course = i / MACHINE_CONFIGS % 2 ? COURSE_TWIN : COURSE_PLAIN;
        for (unsigned k = 0; k < 3; k++)
            p.ops[p.op_count++] = (struct op){.kind = OP_MALLOC, .slot = (uint16_t)k, .count = 1, .a = 100 + k};
        struct verdict verdict;
        exec_run(x, &p, &verdict);
        assert_int_equal(verdict.kind, VERDICT_PASS);
    }
    exec_close(x);
}

static void heaps_rest_where_reset_is_offered(void **state)
{
    (void)state;
    unsigned rounds = MACHINE_CONFIGS * (2 * 1 + 2 * 3); /* a twin is run three times */
    bottom.reset = NULL;
    run_on_all_machines();
    assert_true(calls.inits == rounds && calls.finis == rounds && calls.resets == 0);
    bottom.reset = bottom_reset;
    run_on_all_machines();
    unsigned heaps = MACHINE_CONFIGS * 2, closed = heaps - 1; /* all but the last are reset once more to be closed */
    assert_int_equal(calls.inits, heaps);
    assert_int_equal(calls.finis, heaps);
    assert_int_equal(calls.resets, rounds - heaps + closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_machine_is_lent_with_its_direct_map, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_dirt_is_the_lenders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reports_and_frames_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_reclaims_unless_somebody_is_there, set_up, tear_down),
        cmocka_unit_test(heaps_rest_where_reset_is_offered),
    };
    return cmocka_run_group_tests_name("machine as a backing", tests, NULL, NULL);
}
