/* explore_states.c: the states that have been found, in one array in the order of finding, and a table to find them by.
 *
 * The table has open addressing; a place holds the number of a state and half of its hash, so that a look-up hardly ever
 * touches the array. It is doubled when seven eighths of it are taken: the old one is forgotten and the new one filled
 * from the array, in the same memory, so that nothing is ever held twice.
 */
#include "explore_internal.h"

#include <string.h>

#define TABLE_LOG2_MIN 10u

/* Of a place: its low half is the number of the state and 1, 0 if there is none; its high half that of the hash. */
#define PLACE(number, hash) ((uint64_t)((number) + 1) | ((hash)&UINT64_C(0xFFFFFFFF00000000)))

struct explore_state *explore_states(const struct explore *e)
{
    const size_t head = (sizeof *e + 4095) / 4096 * 4096;
    return (struct explore_state *)((uintptr_t)e + head);
}

static uint64_t *table_of(const struct explore *e) { return (uint64_t *)(explore_states(e) + e->orders.states_max); }

static unsigned table_log2_for(uint64_t states)
{
    unsigned log2 = TABLE_LOG2_MIN;
    while ((UINT64_C(7) << log2) / 8 < states) log2++;
    return log2;
}

size_t explore_bytes(uint64_t states_max)
{
    const size_t head = (sizeof(struct explore) + 4095) / 4096 * 4096;
    return head + (size_t)states_max * sizeof(struct explore_state) + (sizeof(uint64_t) << table_log2_for(states_max));
}

uint64_t explore_states_in(uint64_t bytes)
{
    uint64_t low = 1, high = UINT32_MAX - 1;
    if (bytes / sizeof(struct explore_state) < high) high = bytes / sizeof(struct explore_state) + 1;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (explore_bytes(middle) <= bytes) low = middle;
        else high = middle - 1;
    }
    return low;
}

bool states_full(const struct explore *e) { return e->states >= e->orders.states_max; }

/* The place of this hash, or the empty one where it belongs. */
static uint64_t *find(const struct explore *e, uint64_t hash)
{
    uint64_t *table = table_of(e), mask = (UINT64_C(1) << e->table_log2) - 1;
    const struct explore_state *states = explore_states(e);
    for (uint64_t i = hash & mask;; i = (i + 1) & mask) {
        const uint64_t place = table[i], number = place & UINT32_MAX;
        if (!number) return &table[i];
        if ((place ^ hash) >> 32 == 0 && states[number - 1].hash == hash) return &table[i];
    }
}

void states_index(struct explore *e)
{
    const struct explore_state *states = explore_states(e);
    const unsigned log2 = table_log2_for(e->states + 1);
    memset(table_of(e), 0, sizeof(uint64_t) << (e->table_log2 > log2 ? e->table_log2 : log2));
    e->table_log2 = log2;
    for (uint64_t i = 0; i < e->states; i++) *find(e, states[i].hash) = PLACE(i, states[i].hash);
}

bool states_know(const struct explore *e, uint64_t hash) { return *find(e, hash); }

bool states_add(struct explore *e, const struct explore_state *s)
{
    uint64_t *place = find(e, s->hash);
    if (*place) return false;
    const uint64_t number = e->states;
    explore_states(e)[number] = *s;
    *place = PLACE(number, s->hash);
    e->states = number + 1;
    if (table_log2_for(e->states + 1) > e->table_log2) states_index(e);
    return true;
}
