/* test_frame_map.c: the frame map against a search of all frames, on every machine and on odd zone borders. */
#include "frame_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct shape {
    struct machine_zone zones[ZONES];
    unsigned max_order;
};

static const struct shape shapes[] = {
    {{{0, 1024}, {1024, 8192}, {8192, 16384}}, 10}, /* S64 */
    {{{0, 0}, {0, 64}, {64, 64}}, 4},               /* S4 */
    {{{0, 1000}, {1000, 5003}, {5003, 16384}}, 10}, /* SODD */
    {{{0, 1024}, {1024, 4096}, {4096, 32768}}, 10}, /* SMAP */
    {{{0, 1}, {1, 2}, {2, 3}}, 10},                 /* a frame each */
    {{{0, 7}, {7, 7}, {7, 100}}, 5},                /* a missing zone, no round length */
    {{{0, 512}, {512, 1024}, {1024, 1536}}, 10},    /* zones that could merge into larger blocks */
};

static struct machine machine_of(const struct shape *s)
{
    struct machine m = {.frames = s->zones[ZONE_HIGHMEM].end, .max_order = s->max_order};
    memcpy(m.zones, s->zones, sizeof m.zones);
    return m;
}

static bool all_free(const struct frame_map *f, uint32_t pfn, uint32_t count)
{
    for (uint32_t i = pfn; i < pfn + count; i++)
        if (f->owner[i] != FRAME_FREE) return false;
    return true;
}

/* B17's words, frame by frame: aligned, all free, in one zone, in no larger such block. */
static void count_blocks(const struct frame_map *f, unsigned zone, uint32_t blocks[MACHINE_ORDERS])
{
    const struct machine_zone *z = &f->machine->zones[zone];
    memset(blocks, 0, MACHINE_ORDERS * sizeof *blocks);
    for (uint32_t pfn = z->start; pfn < z->end;) {
        unsigned k = f->machine->max_order + 1, fits = MACHINE_ORDERS;
        while (k-- > 0 && fits == MACHINE_ORDERS)
            if (pfn % (1u << k) == 0 && pfn + (1u << k) <= z->end && all_free(f, pfn, 1u << k)) fits = k;
        if (fits < MACHINE_ORDERS) blocks[fits]++;
        pfn += fits < MACHINE_ORDERS ? 1u << fits : 1;
    }
}

static void assert_canonical(const struct frame_map *f)
{
    for (unsigned zone = 0; zone < ZONES; zone++) {
        uint32_t blocks[MACHINE_ORDERS], above = 0, frames = 0;
        count_blocks(f, zone, blocks);
        for (unsigned k = MACHINE_ORDERS; k-- > 0;) {
            above += blocks[k];
            frames += blocks[k] << k;
            if (k <= f->machine->max_order)
                assert_int_equal(frame_map_blocks(f, (enum machine_zone_id)zone, k), blocks[k]);
            assert_int_equal(frame_map_has(f, (enum machine_zone_id)zone, k), above > 0);
        }
        assert_int_equal(frame_map_free(f, (enum machine_zone_id)zone), frames);
    }
}

static void assert_owned(const struct frame_map *f)
{
    uint32_t owned[FRAME_OWNERS] = {0};
    for (uint32_t pfn = 0; pfn < f->machine->frames; pfn++)
        if (f->owner[pfn] < FRAME_OWNERS) owned[f->owner[pfn]]++;
    assert_memory_equal(owned, f->owned, sizeof owned);
}

static uint32_t draw(uint64_t *dice, uint32_t n)
{
    *dice = *dice * UINT64_C(0xD1342543DE82EF95) + 1;
    return (uint32_t)((*dice >> 33) % n);
}

/* A range in one zone, all of it free or all of it not. */
static void change(struct frame_map *f, uint64_t *dice)
{
    uint32_t pfn = draw(dice, f->machine->frames), most = draw(dice, 4) ? 8 : 1500, count = 1;
    const struct machine_zone *z = &f->machine->zones[machine_zone_of(f->machine, pfn)];
    bool is_free = f->owner[pfn] == FRAME_FREE;
    while (count < most && pfn + count < z->end && (f->owner[pfn + count] == FRAME_FREE) == is_free) count++;
    count = draw(dice, count) + 1;
    uint16_t owner = (uint16_t)(draw(dice, 2) ? FRAME_FLIGHT + draw(dice, 5) : FRAME_SLOT + draw(dice, 40));
    frame_map_set(f, pfn, count, is_free || !draw(dice, 5) ? owner : FRAME_FREE);
    assert_int_equal(frame_map_untouched(f, pfn), false);
}

static void blocks_follow_from_free_frames(void **state)
{
    (void)state;
    struct frame_map f;
    assert_int_equal(frame_map_open(&f), 0);
    uint64_t dice = 1;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct machine m = machine_of(&shapes[i]);
        frame_map_fresh(&f, &m);
        assert_canonical(&f);
        for (unsigned step = 0; step < 2000; step++) {
            change(&f, &dice);
            if (step < 40 || step % 50 == 0) assert_canonical(&f);
        }
        assert_owned(&f);
        frame_map_fresh(&f, &m);
        assert_canonical(&f);
        assert_int_equal(f.owned[FRAME_FREE], m.frames);
        assert_owned(&f);
    }
    frame_map_close(&f);
}

static void the_first_other_owner_is_found(void **state)
{
    (void)state;
    struct frame_map f;
    struct machine m = machine_of(&shapes[0]);
    assert_int_equal(frame_map_open(&f), 0);
    frame_map_fresh(&f, &m);
    assert_true(frame_map_untouched(&f, 700));
    frame_map_set(&f, 100, 50, FRAME_SLAB);
    frame_map_set(&f, 150, 1, FRAME_SLOT + 3);
    assert_int_equal(frame_map_other(&f, 100, 50, FRAME_SLAB), 150);
    assert_int_equal(frame_map_other(&f, 100, 51, FRAME_SLAB), 150);
    assert_int_equal(frame_map_other(&f, 90, 20, FRAME_FREE), 100);
    assert_int_equal(frame_map_other(&f, 90, 20, FRAME_SLAB), 90);
    assert_true(frame_map_untouched(&f, 700));
    frame_map_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_follow_from_free_frames),
        cmocka_unit_test(the_first_other_owner_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
