/* exploration_orders.c: what is explored, from the words of the command line. */
#include "exploration.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES 256u /* of memory lent as bytes, if nothing else is said */
#define BIT(kind) (UINT64_C(1) << (kind))

static const uint64_t usual = BIT(OP_MALLOC) | BIT(OP_FREE) | BIT(OP_REALLOC) | BIT(OP_CALLOC) | BIT(OP_ALIGNED_ALLOC);
static const uint64_t on_machine = BIT(OP_MALLOC) | BIT(OP_FREE);
/* What neither is a call, nor changes anything, nor can be taken back is no letter. */
static const uint64_t never = BIT(OP_WRITE) | BIT(OP_CHECK) | BIT(OP_REPEAT) | BIT(OP_FAIL) | BIT(OP_FOREIGN_SBRK) |
                              BIT(OP_FRAME_PUSH) | BIT(OP_FRAME_POP) | BIT(OP_SBRK) | BIT(OP_BRK) | BIT(OP_MMAP) |
                              BIT(OP_MUNMAP) | BIT(OP_MAP_STORE) | BIT(OP_FILE_STORE);

static bool is_letter(unsigned kind) { return kind < OP_KERNEL_FIRST && !(never & BIT(kind)); }

static uint64_t op_named(const char *word, size_t length)
{
    for (unsigned kind = 0; kind < OP_KERNEL_FIRST; kind++) {
        const char *name = op_name((enum op_kind)kind);
        if (is_letter(kind) && strlen(name) == length && memcmp(name, word, length) == 0) return BIT(kind);
    }
    return 0;
}

static int read_ops(struct explore_orders *o, const char *words, char *error, size_t size)
{
    for (const char *at = words; *at;) {
        const size_t length = strcspn(at, ",");
        const bool all = length == 3 && memcmp(at, "all", 3) == 0;
        const uint64_t ops = all ? (BIT(OP_KERNEL_FIRST) - 1) & ~never : op_named(at, length);
        if (!ops) {
            snprintf(error, size, "--ops: '%.*s' is no call that can be explored; there are", (int)length, at);
            for (unsigned kind = 0; kind < OP_KERNEL_FIRST; kind++) {
                const size_t used = strlen(error);
                if (is_letter(kind)) snprintf(error + used, size - used, " %s,", op_name((enum op_kind)kind));
            }
            const size_t used = strlen(error);
            snprintf(error + used, size - used, " and all");
            return -1;
        }
        o->ops |= ops;
        o->odd = o->odd || all;
        at += length + (at[length] == ',');
    }
    return 0;
}

static int larger_first(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static int read_sizes(struct explore_orders *o, const char *words, char *error, size_t size)
{
    for (const char *at = words; *at; o->size_count++) {
        char *end;
        errno = 0;
        const unsigned long long n = strtoull(at, &end, 0);
        if (!isdigit((unsigned char)*at) || errno || (*end && *end != ',') || o->size_count == EXPLORE_SIZES_MAX) {
            snprintf(error, size, "--sizes: at most %u numbers of bytes joined by commas, not '%.60s'",
                     EXPLORE_SIZES_MAX, at);
            return -1;
        }
        o->sizes[o->size_count] = n;
        at = end + (*end == ',');
    }
    /* The search counts on it. */
    qsort(o->sizes, o->size_count, sizeof *o->sizes, larger_first);
    return 0;
}

int exploration_orders(struct explore_orders *o, const struct target *t, const char *ops, const char *sizes,
                       uint64_t heap_bytes, char *error, size_t size)
{
    const bool machine = t->contract.backing == BACKING_MACHINE;
    struct program p;
    program_clear(&p);
    *o = (struct explore_orders){.heap = p.heap, .depth_max = EXPLORE_DEPTH_MAX};
    o->heap.size = heap_bytes ? heap_bytes : HEAP_BYTES;
    if (!heap_bytes && t->contract.size_min_bytes > HEAP_BYTES) o->heap.size = t->contract.size_min_bytes;
    if (machine) o->heap.machine = MACHINE_TINY;
    if (!ops) o->ops = machine ? on_machine : usual;
    if (ops && read_ops(o, ops, error, size)) return -1;
    return sizes ? read_sizes(o, sizes, error, size) : 0;
}
