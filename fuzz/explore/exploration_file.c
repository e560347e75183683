/* exploration_file.c: an exploration on disk: a head that says whose it is, the record, and its states, as they lie in memory.
 * It is read by the same program on the same kind of machine, or not at all. */
#include "exploration.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC UINT64_C(0x6578706C6F726531) /* of another value where bytes lie the other way round */

struct head {
    uint64_t magic;
    uint32_t record_bytes, state_bytes;
    char version[16], name[256];
    struct alloc_contract contract;
    struct explore explore; /* as it was */
};

static void make_head(struct head *h, const struct exploration *x)
{
    memset(h, 0, sizeof *h); /* padding too: the same exploration is the same file */
    h->magic = MAGIC;
    h->record_bytes = sizeof h->explore;
    h->state_bytes = sizeof(struct explore_state);
    snprintf(h->version, sizeof h->version, "%s", ASSAY_VERSION);
    snprintf(h->name, sizeof h->name, "%s", x->target->name);
    memcpy(&h->contract, &x->target->contract, sizeof h->contract);
    memcpy(&h->explore, x->explore, sizeof h->explore);
}

int exploration_save(const struct exploration *x, const char *path, char *error, size_t size)
{
    const size_t states = (size_t)x->explore->states * sizeof(struct explore_state);
    char *bytes = malloc(sizeof(struct head) + states);
    if (!bytes) {
        snprintf(error, size, "%.200s: no memory", path);
        return -1;
    }
    make_head((struct head *)(void *)bytes, x);
    memcpy(bytes + sizeof(struct head), explore_states(x->explore), states);
    int status = store_text(path, bytes, sizeof(struct head) + states, error, size);
    free(bytes);
    return status;
}

/* Whether the record can be gone on from: nothing in it leads astray. */
static bool sound(const struct explore *e, const struct explore_state *states)
{
    bool held = e->states > 0 && e->expanded <= e->states && e->letter_count <= EXPLORE_LETTERS_MAX &&
                e->orders.size_count <= EXPLORE_SIZES_MAX;
    for (uint32_t i = 0; held && i < e->letter_count; i++)
        held = e->letters[i].kind < OP_KERNEL_FIRST && e->letters[i].count == 1;
    uint32_t depth = 0,
             level = 0; /* found by depth: parents never go back, and a level ends before its children's begins */
    for (uint64_t i = 1; held && i < e->states; i++) {
        held = states[i].parent < i && states[i].parent >= states[i - 1].parent && states[i].letter < e->letter_count &&
               states[i].slot < EXPLORE_LIVE_MAX;
        if (states[i].parent >= level) {
            level = (uint32_t)i;
            depth++;
        }
    }
    return held && depth <= EXPLORE_DEPTH_MAX;
}

static int refuse(char *error, size_t size, const char *path, const char *why)
{
    snprintf(error, size, "%.200s: %s", path, why);
    return -1;
}

static int take(struct exploration *x, const char *path, const char *bytes, size_t length, char *error, size_t size)
{
    static struct head mine, theirs;
    struct explore *e = x->explore;
    make_head(&mine, x);
    if (length < sizeof theirs) return refuse(error, size, path, "no exploration");
    memcpy(&theirs, bytes, sizeof theirs);
    if (memcmp(&mine, &theirs, offsetof(struct head, name)) != 0)
        return refuse(error, size, path, "no exploration of this version on this kind of machine");
    if (memcmp(&mine.name, &theirs.name, offsetof(struct head, explore) - offsetof(struct head, name)) != 0)
        return refuse(error, size, path, "an exploration of another allocator, or of another contract");
    const uint64_t states = theirs.explore.states;
    if (states != (length - sizeof theirs) / sizeof(struct explore_state))
        return refuse(error, size, path, "cut short");
    if (states > e->orders.states_max) return refuse(error, size, path, "holds more states than --memory allows");
    const struct explore_orders orders = e->orders;
    *e = theirs.explore;
    e->orders.depth_max = orders.depth_max;
    e->orders.states_max = orders.states_max;
    e->table_log2 = 0;
    memcpy(explore_states(e), bytes + sizeof theirs, states * sizeof(struct explore_state));
    return sound(e, explore_states(e)) ? 0 : refuse(error, size, path, "damaged");
}

int exploration_load(struct exploration *x, const char *path, char *error, size_t size)
{
    char *bytes;
    size_t length;
    struct stat st; /* store_read takes memory for as much as there may be */
    const size_t limit = stat(path, &st) ? 0 : (size_t)st.st_size;
    if (store_read(path, limit, &bytes, &length, error, size)) return -1;
    int status = take(x, path, bytes, length, error, size);
    free(bytes);
    return status;
}
