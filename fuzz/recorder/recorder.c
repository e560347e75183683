/* recorder.c: libassay_record.so, preloaded by `assay record`: writes down what a program asks of malloc and its family.
 *
 * Every function calls the one that it stands before, found by dlsym, and notes the call in memory shared with `assay record`
 * (recorded.h). It takes no memory of its own: what dlsym asks for while it looks, it gets from a small static arena.
 *
 * The order of the notes is one in which the calls could have been made by a single thread: a block is noted before it is
 * freed and after it is got, and a realloc, which does both, keeps the lock until it has returned. Calls made inside another
 * one, by a signal handler or by the allocator itself, are passed on and not noted. A forked child passes everything on.
 */
#include "recorded.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/* Reading it must not allocate, so it has its place from the start. */
#define OWN static _Thread_local __attribute__((tls_model("initial-exec")))

OWN bool inside; /* a call of this thread is being made or noted */

static struct recording *recording; /* NULL: nothing is noted, or not yet */
static uint32_t image;
static bool started; /* constructors run: what the environment does not say by now it will not say */
static bool lock;

/* ---- The functions behind ------------------------------------------------------------------------------------------ */

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*reallocarray)(void *, size_t, size_t);
    void (*free)(void *);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
} next;

static enum { UNKNOWN, LOOKING, KNOWN } looked;

/* A function's address from an object's: through its bytes, as there is no cast between them in C. */
#define LOOK(name) memcpy(&next.name, &(void *){dlsym(RTLD_NEXT, #name)}, sizeof next.name)

/* True once the functions behind are known; false for what dlsym asks for while it looks. */
static bool ready(void)
{
    if (looked == KNOWN) return true;
    if (looked == LOOKING) return false;
    looked = LOOKING;
    LOOK(malloc);
    LOOK(calloc);
    LOOK(realloc);
    LOOK(reallocarray);
    LOOK(free);
    LOOK(aligned_alloc);
    LOOK(posix_memalign);
    LOOK(memalign);
    LOOK(valloc);
    looked = KNOWN;
    return true;
}

/* ---- Memory for dlsym ---------------------------------------------------------------------------------------------- */

static _Alignas(max_align_t) unsigned char early[16384]; /* never given back */
static size_t early_used;

static bool is_early(const void *p) { return (uintptr_t)p - (uintptr_t)early < sizeof early; }

static void *early_take(size_t size)
{
    const size_t align = _Alignof(max_align_t);
    if (size > sizeof early - early_used) return NULL;
    void *p = early + early_used;
    early_used += (size + align - 1) / align * align;
    return p;
}

/* ---- Notes --------------------------------------------------------------------------------------------------------- */

static void open_recording(void)
{
    const char *path = getenv(RECORDED_ENVIRONMENT);
    int saved = errno, fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *p = mmap(NULL, sizeof(struct recording), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        struct recording *r = p == MAP_FAILED ? NULL : p;
        if (r && r->magic == RECORDED_MAGIC && r->pid == (int32_t)getpid()) {
            image = ++r->images;
            recording = r;
        } else if (r) {
            munmap(r, sizeof *r);
            started = true; /* somebody else's: not to be tried again */
        }
    }
    errno = saved;
}

__attribute__((constructor)) static void start(void)
{
    if (!recording && !started) open_recording();
    started = true;
}

static void note(enum recorded_kind kind, const void *old, const void *result, uint64_t a, uint64_t b)
{
    struct recording *r = recording;
    if (r->count == RECORDED_CALLS_MAX) {
        if (r->dropped < UINT32_MAX) r->dropped++;
        return;
    }
    r->calls[r->count] = (struct recorded_call){(uintptr_t)old, (uintptr_t)result, a, b, kind, image};
    __atomic_store_n(&r->count, r->count + 1, __ATOMIC_RELEASE); /* a process that is killed leaves whole notes */
}

/* Begins a call: true if it is to be noted, and then the thread holds `inside`. */
static bool begin(void)
{
    if (inside) return false;
    if (!recording && !started) {
        inside = true;
        open_recording();
        inside = false;
    }
    if (!recording || recording->pid != (int32_t)getpid()) return false;
    return inside = true;
}

static void end(void) { inside = false; }

static void take_lock(void)
{
    while (__atomic_test_and_set(&lock, __ATOMIC_ACQUIRE)) continue;
}

static void leave_lock(void) { __atomic_clear(&lock, __ATOMIC_RELEASE); }

static void note_locked(enum recorded_kind kind, const void *old, const void *result, uint64_t a, uint64_t b)
{
    take_lock();
    note(kind, old, result, a, b);
    leave_lock();
}

/* ---- The functions in front ------------------------------------------------------------------------------------------ */

EXPORT void *malloc(size_t size)
{
    if (!ready()) return early_take(size);
    bool noted = begin();
    void *p = next.malloc(size);
    if (!noted) return p;
    note_locked(RECORDED_MALLOC, NULL, p, size, 0);
    return end(), p;
}

EXPORT void *calloc(size_t count, size_t size)
{
    if (!ready()) return size && count > sizeof early / size ? NULL : early_take(count * size);
    bool noted = begin();
    void *p = next.calloc(count, size);
    if (!noted) return p;
    note_locked(RECORDED_CALLOC, NULL, p, count, size);
    return end(), p;
}

/* What dlsym had before moves to where it can be freed from. */
static void *leave_early(const void *old, size_t size)
{
    size_t room = (size_t)(early + sizeof early - (const unsigned char *)old);
    void *p = ready() ? next.malloc(size) : early_take(size);
    return p ? memcpy(p, old, size < room ? size : room) : NULL;
}

EXPORT void *realloc(void *old, size_t size)
{
    if (is_early(old)) return leave_early(old, size);
    if (!ready()) return early_take(size);
    if (!begin()) return next.realloc(old, size);
    take_lock();
    void *p = next.realloc(old, size);
    note(RECORDED_REALLOC, old, p, size, 0);
    leave_lock();
    return end(), p;
}

EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (!ready() || is_early(old) || !next.reallocarray) {
        if (!__builtin_mul_overflow(count, size, &bytes)) return realloc(old, bytes);
        errno = ENOMEM;
        return NULL;
    }
    if (!begin()) return next.reallocarray(old, count, size);
    take_lock();
    void *p = next.reallocarray(old, count, size);
    note(RECORDED_REALLOCARRAY, old, p, count, size);
    leave_lock();
    return end(), p;
}

EXPORT void free(void *old)
{
    if (is_early(old) || !ready()) return;
    bool noted = old && begin();
    if (noted) note_locked(RECORDED_FREE, old, NULL, 0, 0);
    next.free(old);
    if (noted) end();
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    if (!ready()) return NULL;
    bool noted = begin();
    void *p = next.aligned_alloc(align, size);
    if (!noted) return p;
    note_locked(RECORDED_ALIGNED_ALLOC, NULL, p, size, align);
    return end(), p;
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    if (!ready()) return ENOMEM;
    bool noted = begin();
    int error = next.posix_memalign(out, align, size);
    if (!noted) return error;
    note_locked(RECORDED_POSIX_MEMALIGN, NULL, error ? NULL : *out, size, align);
    return end(), error;
}

EXPORT void *memalign(size_t align, size_t size);
EXPORT void *memalign(size_t align, size_t size)
{
    if (!ready() || !next.memalign) return NULL;
    bool noted = begin();
    void *p = next.memalign(align, size);
    if (!noted) return p;
    note_locked(RECORDED_MEMALIGN, NULL, p, size, align);
    return end(), p;
}

EXPORT void *valloc(size_t size)
{
    if (!ready() || !next.valloc) return NULL;
    bool noted = begin();
    void *p = next.valloc(size);
    if (!noted) return p;
    note_locked(RECORDED_MEMALIGN, NULL, p, size, (uint64_t)sysconf(_SC_PAGESIZE));
    return end(), p;
}
