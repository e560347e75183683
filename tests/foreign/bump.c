/* bump.c: a small malloc in a shared library. It cuts blocks of a power of two off an arena, keeps freed ones for the
 * next request of their size, and begins anew when the last block is freed.
 *
 * Compile with -DPREFIX=my_ for my_malloc and so on; with -DSTATIC_TLS for thread-local state too large for the reserve
 * that the loader keeps for late libraries; with -DFORGETS for a realloc that loses the contents.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#ifndef PREFIX
#define PREFIX
#endif
#ifndef FORGETS
#define FORGETS 0 /* an expression; -DFORGETS is 1 */
#endif
#define PASTE(a, b) a##b
#define NAME2(prefix, word) PASTE(prefix, word)
#define NAME(word) NAME2(PREFIX, word)

void *NAME(malloc)(size_t size);
void NAME(free)(void *p);
void *NAME(realloc)(void *p, size_t size);
void *NAME(calloc)(size_t count, size_t size);

struct header {
    struct header *next; /* of the same class, when free */
    unsigned class;      /* the payload has 1 << class bytes */
    _Alignas(max_align_t) unsigned char payload[];
};

enum { ARENA_BYTES = 1 << 29, CLASSES = 26 };
static _Alignas(max_align_t) unsigned char arena[ARENA_BYTES];
static size_t used, live;
static struct header *lists[CLASSES];

#ifdef STATIC_TLS
static __thread __attribute__((tls_model("initial-exec"))) volatile unsigned char heavy[1 << 16];
#endif

static struct header *header_of(void *p) { return (void *)((unsigned char *)p - offsetof(struct header, payload)); }

void *NAME(malloc)(size_t size)
{
#ifdef STATIC_TLS
    heavy[size % sizeof heavy]++;
#endif
    unsigned class = 5;
    while (class < CLASSES && (size_t)1 << class < size) class ++;
    struct header *h = class < CLASSES ? lists[class] : NULL;
    const size_t bytes = sizeof *h + ((size_t)1 << class);
    if (class == CLASSES || (!h && bytes > ARENA_BYTES - used)) {
        errno = ENOMEM;
        return NULL;
    }
    if (h) lists[class] = h->next;
    else {
        h = (void *)(arena + used);
        used += bytes;
    }
    h->class = class;
    live++;
    return h->payload;
}

void NAME(free)(void *p)
{
    if (!p) return;
    struct header *h = header_of(p);
    h->next = lists[h->class];
    lists[h->class] = h;
    if (--live > 0) return;
    used = 0;
    memset(lists, 0, sizeof lists);
}

void *NAME(realloc)(void *p, size_t size)
{
    void *q = NAME(malloc)(size); /* through the symbol, as any library might: it must not reach another malloc */
    if (!p || !q) return q;
    const size_t had = (size_t)1 << header_of(p)->class;
    if (FORGETS) memset(q, 0, had < size ? had : size);
    else memcpy(q, p, had < size ? had : size);
    NAME(free)(p);
    return q;
}

void *NAME(calloc)(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = NAME(malloc)(bytes);
    if (p) memset(p, 0, bytes);
    return p;
}
