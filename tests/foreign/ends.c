/* ends.c: a malloc that finds a block that is freed twice, and then does what END says: a statement. */
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct block {
    size_t size, freed;
};

enum { ARENA_BYTES = 1 << 28 };
static _Alignas(max_align_t) unsigned char arena[ARENA_BYTES];
static size_t used;

void *malloc(size_t size)
{
    const size_t bytes = (size + sizeof(struct block) + 15) & ~(size_t)15;
    if (size > ARENA_BYTES || bytes > ARENA_BYTES - used) return NULL;
    struct block *b = (struct block *)(void *)(arena + used);
    used += bytes;
    *b = (struct block){.size = size};
    return b + 1;
}

void free(void *p)
{
    if (!p) return;
    struct block *b = (struct block *)p - 1;
    if ((unsigned char *)p < arena || (unsigned char *)p >= arena + ARENA_BYTES || !b->freed++) return;
    END;
}
