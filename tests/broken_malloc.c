/* broken_malloc.c: a malloc library that is right when built plainly and wrong in one way for each -DBUG_…; for the
 * test of the C programs that `assay show --as c` writes (reproducer.sh).
 *
 * A bump allocator over a fixed region: 16 bytes before a payload hold its usable size; when nothing is live any more
 * the region is whole again. Its symbols can bear a prefix (-DPREFIX=x_), as those of some libraries do.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef PREFIX
#define PREFIX
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(word) JOIN(PREFIX, word)

#define HEADER_BYTES 16u
#ifndef REGION_BYTES
#define REGION_BYTES 65536u
#endif

static _Alignas(4096) unsigned char region[REGION_BYTES];
static size_t top, live;

static size_t usable(const void *p)
{
    size_t size;
    memcpy(&size, (const unsigned char *)p - HEADER_BYTES, sizeof size);
    return size;
}

static void *take(size_t align, size_t size)
{
#ifdef BUG_TRUNCATES
    size = (size_t)(uint32_t)size;
#endif
#ifdef BUG_WRAPS
    if (size > SIZE_MAX - 64) size = 0;
#endif
    uintptr_t from = (uintptr_t)region + top + HEADER_BYTES;
    size_t start = ((from + align - 1) & ~(uintptr_t)(align - 1)) - (uintptr_t)region;
#ifdef BUG_MISALIGNS
    if (size >= 16) start += 8;
#endif
    if (align > REGION_BYTES || start > REGION_BYTES || size > REGION_BYTES - 16 - start) {
        errno = ENOMEM;
        return NULL;
    }
    size_t rounded = (size + 15) & ~(size_t)15;
    /* What is handed out does not begin with zeros, so that a calloc that trusts it shows. */
    memset(region + start, 0xa5, rounded < 4096 ? rounded : 4096);
    memcpy(region + start - HEADER_BYTES, &rounded, sizeof rounded);
#ifdef BUG_OVERLAPS
    top = start + rounded / 2;
#else
    top = start + rounded;
#endif
    live++;
    return region + start;
}

static void give_back(void *p)
{
#ifdef BUG_FREE_NULL
    *(volatile unsigned char *)p = 0;
#endif
    if (p == NULL) return;
#ifndef BUG_LEAKS
    if (--live == 0) top = 0;
#endif
}

/* The exported functions do not call one another: by name, they would find those of the program that loads us. */
void *NAME(malloc)(size_t size) { return take(16, size); }

void NAME(free)(void *p) { give_back(p); }

void *NAME(calloc)(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
#ifndef BUG_CALLOC_WRAPS
        errno = ENOMEM;
        return NULL;
#endif
    }
    void *p = take(16, bytes);
#ifndef BUG_CALLOC_DIRTY
    if (p != NULL) memset(p, 0, usable(p));
#endif
    return p;
}

void *NAME(realloc)(void *old, size_t size)
{
    void *p = take(16, size);
    if (p == NULL || old == NULL) return p;
    size_t kept = usable(old) < size ? usable(old) : size;
#ifdef BUG_REALLOC_FORGETS
    kept = kept > 16 ? 16 : kept;
#endif
    memmove(p, old, kept);
    give_back(old);
    return p;
}

int NAME(posix_memalign)(void **out, size_t align, size_t size)
{
    void *p = NULL;
    int error = 0;
    if (align < sizeof(void *) || (align & (align - 1)) != 0) error = EINVAL;
#ifdef BUG_ALIGNS_TO_16
    align = 16;
#endif
    if (error == 0 && (p = take(align < 16 ? 16 : align, size)) == NULL) error = ENOMEM;
#ifdef BUG_WRITES_OUTPUT
    if (error != 0) *out = region;
#endif
    if (error == 0) *out = p;
    return error;
}

size_t NAME(malloc_usable_size)(void *p)
{
#ifdef BUG_USABLE_TOO_LARGE
    return p == NULL ? 0 : usable(p) + 32;
#else
    return p == NULL ? 0 : usable(p);
#endif
}
