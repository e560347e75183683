/* misuse_heap.c: the errors of the malloc family, and the ordinary calls around them; misuse.h is the manual. */
#include "misuse_world.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SETTLED 12u /* blocks alive when the error is made */
#define VICTIM 5u   /* ... and which of them it is about */
#define STEPS 600u
#define EDGE 64u /* bytes at both ends of a block that are written and looked at */
#define ROOM_MAX 4096u

/* ---- The user ------------------------------------------------------------------------------------------------------ */

/* G. Marsaglia's xorshift: every bit of it counts. */
static uint32_t next_random(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    return w->random ^= w->random << 5;
}

static size_t edge(const struct world_block *b) { return b->bytes < EDGE ? b->bytes : EDGE; }

static void fill(struct world_block *b)
{
    memset(b->at, b->key, edge(b));
    memset(b->at + b->bytes - edge(b), b->key, edge(b));
}

static bool intact(const struct world_block *b)
{
    for (size_t i = 0; i < edge(b); i++)
        if (b->at[i] != b->key || b->at[b->bytes - 1 - i] != b->key) return false;
    return true;
}

static bool inside(const struct world *w, const unsigned char *p, size_t bytes)
{
    const struct backing *f = &w->lender.face;
    if (f->kind == BACKING_HOST || f->kind == BACKING_MACHINE) return true;
    return p >= f->base && bytes <= f->size && (size_t)(p - f->base) <= f->size - bytes;
}

/* A new block; false, and none, if it is refused. One that cannot be a block ends the story: its bytes are others'. */
static bool take(struct world *w, size_t bytes)
{
    unsigned char *p = w->ops->malloc(w->heap, bytes);
    if (!p) return false;
    if (!inside(w, p, bytes)) {
        world_saw(w, SIGHT_OUTSIDE);
        return false;
    }
    for (unsigned i = 0; i < w->count; i++)
        if (p < w->blocks[i].at + w->blocks[i].bytes && w->blocks[i].at < p + bytes) world_saw(w, SIGHT_OVERLAP);
    if (w->cell->sight >= SIGHT_OVERLAP) return false;
    struct world_block *b = &w->blocks[w->count++];
    *b = (struct world_block){.at = p, .bytes = bytes, .key = (unsigned char)(next_random(w) | 1)};
    fill(b);
    return true;
}

static void look(struct world *w, const struct world_block *b)
{
    if (!intact(b)) world_saw(w, SIGHT_CHANGED);
}

static void forget(struct world *w, unsigned i) { w->blocks[i] = w->blocks[--w->count]; }

static void drop(struct world *w, unsigned i)
{
    unsigned char *p = w->blocks[i].at;
    look(w, &w->blocks[i]);
    forget(w, i);
    w->ops->free(w->heap, p);
}

bool world_settle(struct world *w)
{
    while (w->count < SETTLED)
        if (!take(w, w->size)) return false;
    return w->ops->free != NULL;
}

static void ask_check(struct world *w)
{
    if (w->ops->check && w->ops->check(w->heap)) world_saw(w, SIGHT_CHECK);
}

/* How many blocks an emptied heap holds; on the host, as many as one asks for. */
static uint32_t room(struct world *w)
{
    static void *all[ROOM_MAX];
    uint32_t n = 0;
    if (w->lender.face.kind == BACKING_HOST) return 0;
    while (n < ROOM_MAX && (all[n] = w->ops->malloc(w->heap, w->size))) n++;
    for (uint32_t i = 0; i < n; i++) w->ops->free(w->heap, all[i]);
    return n;
}

void world_go_on(struct world *w)
{
    const size_t sizes[] = {w->size, w->size / 2 + 1, w->size + w->size / 2, 24};
    world_stage(w, STAGE_AFTER);
    /* What the error has left on a list is found by who asks for the same again, and by who empties the list. */
    while (w->count < SETTLED + 6 && take(w, w->size)) continue;
    for (unsigned step = 0; step < STEPS && w->cell->sight < SIGHT_OVERLAP; step++) {
        uint32_t r = next_random(w), grows = step / 60 % 2 ? 3 : 6;
        bool more = w->count < 4 || (w->count < WORLD_BLOCKS && (r >> 16) % 8 < grows);
        if (more) take(w, sizes[(r >> 1) % 4]);
        else drop(w, (r >> 1) % w->count);
        if (w->count) look(w, &w->blocks[(r >> 9) % w->count]);
    }
    if (w->cell->sight >= SIGHT_OVERLAP) return;
    ask_check(w);
    while (w->count && w->cell->sight < SIGHT_OVERLAP) drop(w, w->count - 1);
    if (w->cell->sight >= SIGHT_OVERLAP) return;
    uint32_t now = room(w);
    if (now < w->cell->room) world_saw(w, SIGHT_LOST);
    if (!w->cell->row) w->cell->room = now;
}

/* ---- Frees --------------------------------------------------------------------------------------------------------- */

static void bad_free(struct world *w, void *p)
{
    world_stage(w, STAGE_CALL);
    w->ops->free(w->heap, p);
}

static unsigned char *victim(const struct world *w) { return w->blocks[VICTIM].at; }

static void nothing(struct world *w) { (void)w; }

static void double_free(struct world *w)
{
    unsigned char *p = victim(w);
    drop(w, VICTIM);
    bad_free(w, p);
}

static void double_free_between(struct world *w)
{
    unsigned char *p = victim(w);
    drop(w, VICTIM);
    drop(w, 7);
    bad_free(w, p);
}

/* Taken again until the same block comes back; its new owner does not know of the second free. */
static void double_free_reused(struct world *w)
{
    unsigned char *p = victim(w);
    drop(w, VICTIM);
    while (w->count < WORLD_BLOCKS && take(w, w->size))
        if (w->blocks[w->count - 1].at == p) {
            bad_free(w, p);
            return;
        }
    w->cell->skipped = true;
}

static void free_inside(struct world *w) { bad_free(w, victim(w) + 16); }
static void free_odd(struct world *w) { bad_free(w, victim(w) + 1); }

static void free_stack(struct world *w)
{
    _Alignas(16) unsigned char local[256] = {0};
    bad_free(w, local + 64);
}

static void free_mapping(struct world *w)
{
    unsigned char *p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) w->cell->skipped = true;
    else bad_free(w, p + 4096);
}

/* Of the C library's malloc, which is another allocator unless it is the one in question. */
static void free_of_another(struct world *w)
{
    const struct target *t = &w->cell->target;
    void *p = t->preload || !strcmp(t->name, "libc") ? NULL : malloc(w->size);
    if (!p) w->cell->skipped = true;
    else bad_free(w, p);
}

static size_t usable(const struct world *w, const unsigned char *p)
{
    return w->ops->usable_size ? w->ops->usable_size(w->heap, p) : w->size;
}

static void free_sized_wrong(struct world *w)
{
    size_t wrong = 3 * usable(w, victim(w)) + EDGE; /* more than any rounding explains */
    world_stage(w, STAGE_CALL);
    w->ops->free_sized(w->heap, victim(w), wrong);
    forget(w, VICTIM); /* whoever takes it for a free has freed it */
}

static void realloc_of_freed(struct world *w)
{
    unsigned char *p = victim(w);
    drop(w, VICTIM);
    world_stage(w, STAGE_CALL);
    if (!w->ops->realloc(w->heap, p, w->size + w->size / 2)) world_saw(w, SIGHT_REFUSAL);
}

/* ---- Stores -------------------------------------------------------------------------------------------------------- */

/* Inverts bytes that are nobody's business; if they are another block's, that is noted, and its owner content. */
static void store(struct world *w, unsigned char *at, size_t bytes, unsigned char mask)
{
    world_stage(w, STAGE_STORE);
    for (size_t i = 0; i < bytes; i++) ((volatile unsigned char *)at)[i] ^= mask;
    world_stage(w, STAGE_AFTER);
    for (unsigned i = 0; i < w->count; i++) {
        if (intact(&w->blocks[i])) continue;
        world_saw(w, SIGHT_NEIGHBOUR);
        fill(&w->blocks[i]);
    }
    ask_check(w);
}

static void store_behind(struct world *w, size_t bytes)
{
    store(w, victim(w) + usable(w, victim(w)), bytes, 0xff);
    drop(w, VICTIM);
}

static void store_behind_one(struct world *w) { store_behind(w, 1); }
static void store_behind_sixteen(struct world *w) { store_behind(w, 16); }

static void store_before(struct world *w)
{
    store(w, victim(w) - 8, 8, 0xff);
    drop(w, VICTIM);
}

static void store_after_free(struct world *w, bool last)
{
    unsigned char *p = victim(w);
    drop(w, VICTIM);
    if (last) store(w, p + w->size - 1, 1, 0xff);
    else store(w, p, 8, 0xff);
}

static void store_first_after_free(struct world *w) { store_after_free(w, false); }
static void store_last_after_free(struct world *w) { store_after_free(w, true); }

static void flip_before_live(struct world *w)
{
    store(w, victim(w) - 1 - w->cell->trial / 8, 1, (unsigned char)(1u << w->cell->trial % 8));
    drop(w, VICTIM);
}

static void flip_in_free(struct world *w)
{
    unsigned char *p = victim(w);
    drop(w, 7);
    drop(w, VICTIM);
    store(w, p + w->cell->trial / 8, 1, (unsigned char)(1u << w->cell->trial % 8));
}

/* ---- The table ----------------------------------------------------------------------------------------------------- */

static bool has_free(const struct alloc_ops *o) { return o->malloc && o->free; }
static bool has_realloc(const struct alloc_ops *o) { return has_free(o) && o->realloc; }
static bool has_free_sized(const struct alloc_ops *o) { return has_free(o) && o->free_sized; }

#define FREE "undefined: C11 7.22.3.3p2"
#define STORE "undefined: C11 6.5.6p8"
#define DEAD "undefined: C11 6.2.4p2"
#define ROW(error, law, act, offered, promise)                               \
    {                                                                        \
        {"malloc", error, law, 1, true, false}, act, offered, promise, false \
    }

const struct misuse_act misuse_heap_acts[] = {
    {{"malloc", "none at all", "defined", 1, true, true}, nothing, has_free, 0, false},
    ROW("double free", FREE, double_free, has_free, PROMISE_DETECTS_BAD_FREE),
    ROW("double free, another between", FREE, double_free_between, has_free, PROMISE_DETECTS_BAD_FREE),
    ROW("double free of what lives again", FREE "; nobody can tell it from a right one", double_free_reused, has_free,
        0),
    ROW("free of a block + 16", FREE, free_inside, has_free, PROMISE_DETECTS_BAD_FREE),
    ROW("free of a block + 1", FREE, free_odd, has_free, PROMISE_DETECTS_BAD_FREE),
    ROW("free of a local variable", FREE, free_stack, has_free, PROMISE_DETECTS_BAD_FREE),
    ROW("free of a mapping", FREE, free_mapping, has_free, PROMISE_DETECTS_BAD_FREE),
    ROW("free of another malloc's block", FREE, free_of_another, has_free, PROMISE_DETECTS_BAD_FREE),
    ROW("free_sized with far too large a size", "undefined: C23 7.24.3.4p2", free_sized_wrong, has_free_sized,
        PROMISE_DETECTS_SIZE),
    ROW("realloc of a freed block", "undefined: C11 7.22.3.5p3", realloc_of_freed, has_realloc, 0),
    ROW("store behind a block, 1 byte", STORE, store_behind_one, has_free, 0),
    ROW("store behind a block, 16 bytes", STORE, store_behind_sixteen, has_free, 0),
    ROW("store before a block, 8 bytes", STORE, store_before, has_free, 0),
    ROW("store after free, first 8 bytes", DEAD, store_first_after_free, has_free, PROMISE_DETECTS_WRITES),
    ROW("store after free, last byte", DEAD, store_last_after_free, has_free, PROMISE_DETECTS_WRITES),
    {{"malloc", "a bit flips, 8 bytes before a block", "no promise: memory is taken to hold", 64, true, false},
     flip_before_live,
     has_free,
     0,
     false},
    {{"malloc", "a bit flips, first 8 bytes of a freed one", "no promise: memory is taken to hold", 64, true, false},
     flip_in_free,
     has_free,
     PROMISE_DETECTS_WRITES,
     false},
    {.act = NULL},
};
