/* zone_model.c: zone_model.h is the manual. */
#include "zone_model.h"

#include "gfp_model.h"

#include <string.h>

static uint64_t root(uint64_t n)
{
    uint64_t r = 0;
    while ((r + 1) * (r + 1) <= n) r++;
    return r;
}

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high) { return n < low ? low : n > high ? high : n; }

void zone_model_make(struct zone_model *z, const struct machine *m)
{
    memset(z, 0, sizeof *z);
    if (m->no_watermarks) return;
    uint64_t size[ZONES], kib = m->page_bytes / 1024;
    for (unsigned i = 0; i < ZONES; i++) size[i] = m->zones[i].end - m->zones[i].start;
    uint64_t lowmem = size[ZONE_DMA] + size[ZONE_NORMAL];
    uint64_t pages_min = clamp(root(16 * lowmem * kib), 128, 262144) / kib;
    for (unsigned i = 0; i < ZONES && lowmem; i++) {
        uint64_t share = pages_min * size[i] / lowmem, step = size[i] * 10 / 10000;
        if (step < share / 4) step = share / 4;
        z->min[i] = (uint32_t)(i == ZONE_HIGHMEM ? clamp(size[i] / 1024, 32, 128) : share);
        z->low[i] = z->min[i] + (uint32_t)step;
        z->high[i] = z->low[i] + (uint32_t)step;
    }
    static const uint32_t ratio[ZONES] = {[ZONE_DMA] = 256, [ZONE_NORMAL] = 32};
    for (unsigned i = 0; i < ZONES; i++) {
        uint64_t above = 0;
        for (unsigned j = i + 1; j < ZONES; j++) {
            above += size[j];
            z->reserve[i][j] = (uint32_t)(size[i] ? above / ratio[i] : 0);
        }
    }
}

/* ---- Rights -------------------------------------------------------------------------------------------------------- */

static bool all_reserves(unsigned gfp, const struct machine_context *c)
{
    bool frees = (c->scope & SCOPE_NORECLAIM) && !c->hardirq && !c->nmi;
    return ((gfp & GFP_BIT_MEMALLOC) || frees) && !(gfp & GFP_BIT_NOMEMALLOC);
}

unsigned zone_rights(unsigned gfp, const struct machine_context *c, bool killed)
{
    unsigned rights = 0;
    if ((gfp & GFP_BIT_HIGH) || mask_never_fails(gfp)) rights |= RIGHT_HIGH;
    if ((gfp & GFP_BIT_HIGH) && !(gfp & (GFP_BIT_DIRECT | GFP_BIT_NOMEMALLOC))) rights |= RIGHT_ATOMIC;
    if (c->out_of_memory && !(gfp & GFP_BIT_NOMEMALLOC)) rights |= RIGHT_VICTIM;
    if (all_reserves(gfp, c) || (killed && mask_never_fails(gfp))) rights |= RIGHT_ALL;
    return rights;
}

bool zone_right_named(unsigned gfp, const struct machine_context *c, bool killed, unsigned reserve)
{
    unsigned rights = zone_rights(gfp, c, killed);
    switch (reserve) {
    case RESERVE_HIGH: return gfp & GFP_BIT_HIGH;
    case RESERVE_ATOMIC: return rights & RIGHT_ATOMIC;
    case RESERVE_OOM: return rights & RIGHT_VICTIM;
    case RESERVE_ALL: return rights & RIGHT_ALL;
    case RESERVE_NOFAIL: return mask_never_fails(gfp);
    default: return false;
    }
}

/* ---- Marks --------------------------------------------------------------------------------------------------------- */

static bool above(uint32_t free, uint32_t count, uint32_t floor)
{
    return (uint64_t)free + 1 > (uint64_t)floor + count;
}

bool zone_above_min(const struct zone_model *z, enum machine_zone_id zone, enum machine_zone_id selected, uint32_t free,
                    uint32_t count, unsigned rights)
{
    if (rights & RIGHT_ALL) return true;
    uint32_t mark = z->min[zone];
    if (rights & RIGHT_HIGH) mark -= mark / 2;
    if (rights & RIGHT_ATOMIC) mark -= mark / 4;
    if (rights & RIGHT_VICTIM) mark -= mark / 2;
    return above(free, count, mark + z->reserve[zone][selected]);
}

bool zone_above_low(const struct zone_model *z, enum machine_zone_id zone, enum machine_zone_id selected, uint32_t free,
                    uint32_t count)
{
    return above(free, count, z->low[zone] + z->reserve[zone][selected]);
}

bool zones_serve(const struct zone_model *z, const struct frame_map *f, enum machine_zone_id selected, unsigned order,
                 unsigned rights, bool low)
{
    for (int i = (int)selected; i >= 0; i--) {
        enum machine_zone_id zone = (enum machine_zone_id)i;
        if (!frame_map_has(f, zone, order)) continue;
        uint32_t count = UINT32_C(1) << order, free = frame_map_free(f, zone);
        if (low ? zone_above_low(z, zone, selected, free, count)
                : zone_above_min(z, zone, selected, free, count, rights))
            return true;
    }
    return false;
}

bool zones_have(const struct frame_map *f, enum machine_zone_id selected, unsigned order)
{
    for (int i = (int)selected; i >= 0; i--)
        if (frame_map_has(f, (enum machine_zone_id)i, order)) return true;
    return false;
}
