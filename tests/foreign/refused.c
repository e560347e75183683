/* refused.c: a malloc that asks for each block with a mapping of its own, and goes wrong as it is told to where one is
 * refused: ABORTS, FORGETS (the old block of a realloc), STAYS_DOWN (refuses everything from then on), TRUSTS (memory that
 * it has not been able to clear); OVERREADS copies a whole page more than there is. RAW asks without the C library. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define KEPT 16u

struct head {
    size_t bytes, asked, unused[2]; /* of the mapping; of the request */
};

static struct head *kept[KEPT]; /* cleared mappings of one page, to be used again */
static unsigned kept_count;
#ifdef STAYS_DOWN
static int down;
#endif

static void *map(size_t bytes)
{
#ifdef RAW
    long r = syscall(
#ifdef SYS_mmap2
        SYS_mmap2,
#else
        SYS_mmap,
#endif
        0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *p = r == -1 ? MAP_FAILED : (void *)r;
#else
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
#endif
#ifdef STAYS_DOWN
    if (down || p == MAP_FAILED) return down = 1, MAP_FAILED;
#endif
#ifdef ABORTS
    if (p == MAP_FAILED && bytes < (1 << 20)) abort(); /* what is huge is refused to everybody */
#endif
    return p;
}

void *malloc(size_t size)
{
    size_t bytes = (size + sizeof(struct head) + PAGE - 1) & ~(PAGE - 1);
    struct head *h = MAP_FAILED;
    if (size <= PTRDIFF_MAX && bytes == PAGE && kept_count) h = kept[--kept_count];
    else if (size <= PTRDIFF_MAX && bytes > size) h = map(bytes);
    if (h == MAP_FAILED) return errno = ENOMEM, NULL;
    h->bytes = bytes;
    h->asked = size;
    return h + 1;
}

void free(void *p)
{
    struct head *h = (struct head *)p - 1;
    int error = errno;
    if (!p) return;
    int clear = h->bytes == PAGE && kept_count < KEPT && madvise(h, PAGE, MADV_DONTNEED) == 0;
#ifdef TRUSTS
    clear = h->bytes == PAGE && kept_count < KEPT;
#endif
    if (clear) kept[kept_count++] = h;
    else munmap(h, h->bytes);
    errno = error;
}

void *calloc(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size) return errno = ENOMEM, NULL;
    return malloc(count * size);
}

void *realloc(void *p, size_t size)
{
    struct head *h = (struct head *)p - 1;
    void *q = malloc(size);
    if (!p) return q;
#ifdef FORGETS
    if (!q && size < 1 << 20) free(p);
#endif
    if (!q) return NULL;
#ifdef OVERREADS
    memcpy(q, p, size < h->bytes + PAGE / 2 ? size : h->bytes);
#else
    memcpy(q, p, size < h->asked ? size : h->asked);
#endif
    free(p);
    return q;
}

size_t malloc_usable_size(void *p) { return p ? ((struct head *)p - 1)->asked : 0; }
