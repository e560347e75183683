/* zone_model.h: what a zone keeps back (B31-B36), computed from the sizes of the zones and from nothing else.
 *
 * A request of n frames leaves a zone above its floor if
 *
 *     free - (n - 1) > mark after the request's rights + what is kept from requests that selected a higher zone
 *
 * with the frames that are free before it. That the blocks taken are there is the frame map's business.
 */
#ifndef ZONE_MODEL_H
#define ZONE_MODEL_H

#include "frame_map.h"
#include "kernel.h"

struct zone_model {
    uint32_t min[ZONES], low[ZONES], high[ZONES]; /* frames (B34) */
    uint32_t reserve[ZONES][ZONES];               /* [zone][zone selected] (B35) */
};

void zone_model_make(struct zone_model *z, const struct machine *m);

/* Rights below the minimum mark (B33). */
enum zone_right {
    RIGHT_HIGH = 1 << 0,   /* half of it */
    RIGHT_ATOMIC = 1 << 1, /* a quarter of the rest too */
    RIGHT_VICTIM = 1 << 2, /* half of what remains */
    RIGHT_ALL = 1 << 3,    /* no mark at all */
};

/* The rights of a mask; `killed`: somebody was killed for this request already (B40). */
unsigned zone_rights(unsigned gfp, const struct machine_context *c, bool killed);
/* Whether the mask has the right that an EVENT_RESERVE names (enum machine_reserve). */
bool zone_right_named(unsigned gfp, const struct machine_context *c, bool killed, unsigned reserve);

/* Would the zone, with so many frames free, stay above the mark after giving `count` to a request that selected
 * `selected`? The minimum mark with these rights; the low mark, which knows none. */
bool zone_above_min(const struct zone_model *z, enum machine_zone_id zone, enum machine_zone_id selected, uint32_t free,
                    uint32_t count, unsigned rights);
bool zone_above_low(const struct zone_model *z, enum machine_zone_id zone, enum machine_zone_id selected, uint32_t free,
                    uint32_t count);

/* B28: some zone up to the selected one has a block and passes the mark. `low`: at the low mark, else at the minimum. */
bool zones_serve(const struct zone_model *z, const struct frame_map *f, enum machine_zone_id selected, unsigned order,
                 unsigned rights, bool low);
/* Some zone up to the selected one has a block, whatever the marks. */
bool zones_have(const struct frame_map *f, enum machine_zone_id selected, unsigned order);

#endif
