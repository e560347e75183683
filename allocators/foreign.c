/* foreign.c: any shared library as an allocator; foreign.h is the manual.
 *
 * The operations of a foreign heap are the same few trampolines for every library. The heap is one pointer to the
 * struct foreign that holds the library's functions. Only init, which is given an empty heap, cannot know its library
 * from its arguments; so there is one init for each of FOREIGN_MAX places.
 */
#include "foreign.h"

#include "host_maps.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

__attribute__((format(printf, 3, 4))) static enum foreign_status fail(char *error, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, size, format, arguments);
    va_end(arguments);
    return FOREIGN_ERROR;
}

/* ---- Trampolines ------------------------------------------------------------------------------------------------- */

static const struct foreign *of(void *heap) { return *(const struct foreign **)heap; }

/* What a library asks of the system meanwhile is its own (host_maps.h). */
#define RETURN_OF(type, call)   \
    do {                        \
        host_maps_enter();      \
        const type came = call; \
        host_maps_leave();      \
        return came;            \
    } while (0)

typedef void *pointer;

static void *call_malloc(void *heap, size_t size) { RETURN_OF(pointer, of(heap)->malloc(size)); }
static void *call_calloc(void *heap, size_t count, size_t size) { RETURN_OF(pointer, of(heap)->calloc(count, size)); }
static void *call_realloc(void *heap, void *p, size_t size) { RETURN_OF(pointer, of(heap)->realloc(p, size)); }
static void *call_reallocarray(void *heap, void *p, size_t count, size_t size)
{
    RETURN_OF(pointer, of(heap)->reallocarray(p, count, size));
}
static void *call_aligned_alloc(void *heap, size_t align, size_t size)
{
    RETURN_OF(pointer, of(heap)->aligned_alloc(align, size));
}
static int call_posix_memalign(void *heap, void **out, size_t align, size_t size)
{
    RETURN_OF(int, of(heap)->posix_memalign(out, align, size));
}
static void *call_memalign(void *heap, size_t align, size_t size)
{
    RETURN_OF(pointer, of(heap)->memalign(align, size));
}
static size_t call_usable_size(void *heap, const void *p) { RETURN_OF(size_t, of(heap)->usable_size((void *)p)); }

static void call_free(void *heap, void *p)
{
    host_maps_enter();
    of(heap)->free(p);
    host_maps_leave();
}

static void call_free_sized(void *heap, void *p, size_t size)
{
    host_maps_enter();
    of(heap)->free_sized(p, size);
    host_maps_leave();
}

static void call_free_aligned_sized(void *heap, void *p, size_t align, size_t size)
{
    host_maps_enter();
    of(heap)->free_aligned_sized(p, align, size);
    host_maps_leave();
}

static struct foreign *places[FOREIGN_MAX];

static int enter(void *heap, const struct backing *backing, unsigned place)
{
    if (backing->kind != BACKING_HOST) return EINVAL;
    *(const struct foreign **)heap = places[place];
    return 0;
}

/* It would take the uses of the macro for declarations that run on. */
/* clang-format off */
#define INIT(n) static int init_##n(void *heap, struct backing *backing) { return enter(heap, backing, n); }
INIT(0) INIT(1) INIT(2) INIT(3) INIT(4) INIT(5) INIT(6) INIT(7)

static int (*const inits[])(void *heap, struct backing *backing) = {
    init_0, init_1, init_2, init_3, init_4, init_5, init_6, init_7,
};
/* clang-format on */
_Static_assert(sizeof inits / sizeof inits[0] == FOREIGN_MAX, "one init for each place");

static void nothing_to_give_back(void *heap) { (void)heap; }

/* Makes f->ops of the functions that f holds. False if and only if every place is taken. */
static bool make_ops(struct foreign *f)
{
    unsigned place = 0;
    while (place < FOREIGN_MAX && places[place]) place++;
    if (place == FOREIGN_MAX) return false;
    places[place] = f;
    f->ops = (struct alloc_ops){
        .abi = ALLOC_ABI,
        .name = f->name,
        .summary = f->summary,
        .contract = {.backing = BACKING_HOST, .align_min = alignof(max_align_t), .align_max = 4096},
        .state_size = sizeof(struct foreign *),
        .init = inits[place],
        .fini = nothing_to_give_back,
        .malloc = call_malloc,
        .free = call_free,
        .calloc = f->calloc ? call_calloc : NULL,
        .realloc = f->realloc ? call_realloc : NULL,
        .reallocarray = f->reallocarray ? call_reallocarray : NULL,
        .aligned_alloc = f->aligned_alloc ? call_aligned_alloc : NULL,
        .posix_memalign = f->posix_memalign ? call_posix_memalign : NULL,
        .memalign = f->memalign ? call_memalign : NULL,
        .usable_size = f->usable_size ? call_usable_size : NULL,
        .free_sized = f->free_sized ? call_free_sized : NULL,
        .free_aligned_sized = f->free_aligned_sized ? call_free_aligned_sized : NULL,
    };
    return true;
}

/* ---- The file: what it is, and which names it exports ------------------------------------------------------------ */

struct image {
    unsigned char *bytes;
    size_t size;
    ElfW(Shdr) symbols, strings; /* the dynamic symbol table and its names; sh_size 0 if there are none */
};

/* Copies, because nothing in a file need be aligned; false if the file ends before. */
static bool image_read(const struct image *m, uint64_t offset, void *out, size_t length)
{
    if (offset > m->size || m->size - offset < length) return false;
    memcpy(out, m->bytes + offset, length);
    return true;
}

static void image_close(struct image *m) { munmap(m->bytes, m->size); }

static void image_find_symbols(struct image *m, const ElfW(Ehdr) *head)
{
    ElfW(Shdr) section;
    for (unsigned i = 0; i < head->e_shnum; i++) {
        if (!image_read(m, head->e_shoff + (uint64_t)i * sizeof section, &section, sizeof section)) return;
        if (section.sh_type != SHT_DYNSYM) continue;
        if (!image_read(m, head->e_shoff + (uint64_t)section.sh_link * sizeof section, &m->strings, sizeof section))
            return;
        m->symbols = section;
        return;
    }
}

/* Maps the file if it is a shared library for programs like this one; the loader's own messages say less. */
static enum foreign_status image_open(struct image *m, const char *path, char *error, size_t size)
{
    *m = (struct image){.bytes = MAP_FAILED};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(error, size, "%s: %s", path, errno == ENOENT ? "no such file" : strerror(errno));
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        m->size = (size_t)status.st_size;
        m->bytes = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    if (m->bytes == MAP_FAILED) return fail(error, size, "%s: not a shared library (no file with contents)", path);

    /* The identification bytes have the same place in both classes, the rest of the header has not. */
    const int class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32, bits = (int)sizeof(void *) * 8;
    const char *wrong = NULL;
    ElfW(Ehdr) head;
    if (m->size < EI_NIDENT || memcmp(m->bytes, ELFMAG, SELFMAG) != 0) wrong = "no ELF file";
    else if (m->bytes[EI_CLASS] != class) wrong = m->bytes[EI_CLASS] == ELFCLASS32 ? "32-bit" : "64-bit";
    else if (!image_read(m, 0, &head, sizeof head)) wrong = "cut short";
    else if (head.e_type == ET_REL) wrong = "an object file; link it with -shared";
    else if (head.e_type != ET_DYN) wrong = "a program";
    if (!wrong) {
        image_find_symbols(m, &head);
        return FOREIGN_OK;
    }
    if (m->size >= EI_NIDENT && strstr(wrong, "-bit"))
        fail(error, size, "%s: a %s library; this program is %d-bit", path, wrong, bits);
    else fail(error, size, "%s: not a shared library (%s)", path, wrong);
    image_close(m);
    return FOREIGN_ERROR;
}

/* The name of dynamic symbol i; "" if it is undefined or damaged, NULL behind the last. */
static const char *image_symbol(const struct image *m, size_t i)
{
    ElfW(Sym) symbol;
    if (i >= m->symbols.sh_size / sizeof symbol) return NULL;
    if (!image_read(m, m->symbols.sh_offset + (uint64_t)i * sizeof symbol, &symbol, sizeof symbol)) return NULL;
    const uint64_t at = (uint64_t)m->strings.sh_offset + symbol.st_name;
    if (symbol.st_shndx == SHN_UNDEF || at >= m->size || !memchr(m->bytes + at, 0, m->size - at)) return "";
    return (const char *)m->bytes + at;
}

static bool image_exports(const struct image *m, const char *prefix, size_t length, const char *word)
{
    const char *name;
    for (size_t i = 0; (name = image_symbol(m, i)); i++)
        if (strncmp(name, prefix, length) == 0 && strcmp(name + length, word) == 0) return true;
    return false;
}

/* Of prefixes that continue another one, as x_aligned_ does x_, the malloc is rarely of malloc's type. */
static bool continues(const char *const *best, const size_t *lengths, int k)
{
    for (int i = 0; i < k; i++)
        if (lengths[i] && strncmp(best[k], best[i], lengths[i]) == 0) return true;
    return false;
}

/* Writes which prefixes would find a malloc and a free: the shortest three, for they are the plainest. */
static void suggest_prefixes(const struct image *m, char *out, size_t size)
{
    enum { BEST = 3 };
    const char *best[BEST] = {NULL}, *name;
    size_t lengths[BEST] = {0}, used = 0;
    for (size_t i = 0; (name = image_symbol(m, i)); i++) {
        size_t length = strlen(name);
        if (length < strlen("malloc") || strcmp(name + length - strlen("malloc"), "malloc") != 0) continue;
        length -= strlen("malloc");
        if (length > FOREIGN_PREFIX_MAX || !image_exports(m, name, length, "free")) continue;
        for (int k = 0; k < BEST; k++) {
            if (best[k] && lengths[k] <= length) continue;
            const char *shifted = best[k];
            const size_t shifted_length = lengths[k];
            best[k] = name, lengths[k] = length;
            if (!shifted) break;
            name = shifted, length = shifted_length;
        }
    }
    snprintf(out, size, "; nothing in it looks like an allocator");
    for (int k = 0; k < BEST && best[k]; k++) {
        if (continues(best, lengths, k)) continue;
        const char *lead = k == 0 ? "; try " : " or ";
        const int n = lengths[k] ? snprintf(out + used, size - used, "%s--prefix %.*s", lead, (int)lengths[k], best[k])
                                 : snprintf(out + used, size - used, "%sno --prefix", lead);
        if (n < 0 || (size_t)n >= size - used) return;
        used += (size_t)n;
    }
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

/* A library's own calls of malloc must reach its own malloc, not the program's: RTLD_DEEPBIND sees to that where it is
 * known. The sanitizers' runtimes refuse it. */
#ifdef __has_feature
#define SANITIZED \
    (__has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer))
#elif defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#if defined RTLD_DEEPBIND && !SANITIZED
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND)
#else
#define LOAD_FLAGS (RTLD_NOW | RTLD_LOCAL)
#endif

static enum foreign_status load(struct foreign *f, const char *path, char *error, size_t size)
{
    f->handle = dlopen(path, LOAD_FLAGS);
    if (f->handle) return FOREIGN_OK;
    const char *said = dlerror();
    if (!said) said = "cannot be loaded";
    if (strstr(said, "static TLS") || strstr(said, "initial-exec TLS")) {
        fail(error, size, "%s: uses static TLS, so it can only be preloaded", path);
        return FOREIGN_STATIC_TLS;
    }
    /* The file itself has been opened before: what is not found now is something that it needs. */
    const char *missing = strstr(said, ": cannot open shared object file");
    if (missing) return fail(error, size, "%s: needs %.*s, which is not found", path, (int)(missing - said), said);
    return fail(error, size, "%s%s%s", strstr(said, path) ? "" : path, strstr(said, path) ? "" : ": ", said);
}

/* The address of prefix + name in this very object, NULL if it has none: dlsym alone would search what the library
 * depends on as well. */
static void *own_symbol(const struct foreign *f, const char *prefix, const char *name)
{
    char full[FOREIGN_PREFIX_MAX + 32];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    struct link_map *map;
    Dl_info object, symbol;
    void *address = dlsym(f->handle, full);
    if (!address || dlinfo(f->handle, RTLD_DI_LINKMAP, &map) != 0) return NULL;
    /* The dynamic section is a part of every object, so it tells where this one lies. */
    if (!dladdr(map->l_ld, &object) || !dladdr(address, &symbol)) return NULL;
    return object.dli_fbase == symbol.dli_fbase ? address : NULL;
}

/* What to look for, and where its address goes; of several names the first that exists. */
static const struct wanted {
    size_t at;
    const char *names[4];
} family[] = {
    {offsetof(struct foreign, malloc), {"malloc"}},
    {offsetof(struct foreign, free), {"free"}},
    {offsetof(struct foreign, calloc), {"calloc"}},
    {offsetof(struct foreign, realloc), {"realloc"}},
    {offsetof(struct foreign, reallocarray), {"reallocarray"}},
    {offsetof(struct foreign, aligned_alloc), {"aligned_alloc"}},
    {offsetof(struct foreign, posix_memalign), {"posix_memalign"}},
    {offsetof(struct foreign, memalign), {"memalign"}},
    {offsetof(struct foreign, usable_size), {"malloc_usable_size", "usable_size", "msize", "malloc_size"}},
    {offsetof(struct foreign, free_sized), {"free_sized"}},
    {offsetof(struct foreign, free_aligned_sized), {"free_aligned_sized"}},
};
_Static_assert(sizeof(void *) == sizeof(void (*)(void)), "POSIX: dlsym's result holds the address of a function");

static void find_family(struct foreign *f, const char *prefix)
{
    for (size_t i = 0; i < sizeof family / sizeof family[0]; i++) {
        void *address = NULL;
        for (int k = 0; k < 4 && family[i].names[k] && !address; k++)
            address = own_symbol(f, prefix, family[i].names[k]);
        memcpy((char *)f + family[i].at, &address, sizeof address); /* no cast turns data into a function */
    }
}

/* The first member of a library's vtable that is wrong, NULL if none is. */
static const char *wrong_member(const struct alloc_ops *ops)
{
    const struct alloc_contract *c = &ops->contract;
    const bool frames = c->promises & PROMISE_FRAMES;
    if (!ops->name || !*ops->name) return "name: missing";
    if (!ops->summary) return "summary: missing";
    if (!ops->init) return "init: missing";
    if (!ops->malloc) return "malloc: missing";
    if (!ops->free && !frames) return "free: missing, and PROMISE_FRAMES is not given";
    if (frames && !ops->frame_push) return "frame_push: missing, but PROMISE_FRAMES is given";
    if (!ops->frame_push != !ops->frame_pop) return "frame_pop: frame_push and frame_pop are offered together";
    if (c->backing > BACKING_HOST) return "contract.backing: not an enum backing_kind";
    if (c->zero_size > ZERO_SIZE_NULL) return "contract.zero_size: not an enum zero_size";
    if (c->realloc_zero > REALLOC_ZERO_FAILS) return "contract.realloc_zero: not an enum realloc_zero";
    if (c->align_min == 0 || (c->align_min & (c->align_min - 1))) return "contract.align_min: not a power of two";
    if (c->align_max & (c->align_max - 1)) return "contract.align_max: not a power of two";
    if (c->align_max < c->align_min) return "contract.align_max: below align_min";
    return NULL;
}

static enum foreign_status take_vtable(struct foreign *f, const char *path, void *address, char *error, size_t size)
{
    assay_allocator_fn *allocator;
    memcpy(&allocator, &address, sizeof allocator);
    const struct alloc_ops *ops = allocator();
    if (!ops) return fail(error, size, "%s: assay_allocator returns NULL", path);
    if (ops->abi != ALLOC_ABI)
        return fail(error, size, "%s: assay_allocator: abi: %u, but this program has %u; compile it again", path,
                    ops->abi, ALLOC_ABI);
    const char *wrong = wrong_member(ops);
    if (wrong) return fail(error, size, "%s: assay_allocator: %s", path, wrong);
    f->ops = *ops;
    if (!f->ops.fini) f->ops.fini = nothing_to_give_back; /* no part of what is tested */
    f->vtable = true;
    return FOREIGN_OK;
}

enum foreign_status foreign_open(struct foreign *f, const char *path, const char *prefix, char *error, size_t size)
{
    memset(f, 0, sizeof *f);
    if (!prefix) prefix = "";
    if (strlen(prefix) > FOREIGN_PREFIX_MAX)
        return fail(error, size, "--prefix: longer than %u bytes", FOREIGN_PREFIX_MAX);
    struct image image;
    enum foreign_status status = image_open(&image, path, error, size);
    if (status != FOREIGN_OK) return status;

    /* dlopen would search for a name without a slash. */
    char place[PATH_MAX];
    const char *base = strrchr(path, '/');
    snprintf(place, sizeof place, "%s%s", base ? "" : "./", path);
    snprintf(f->name, sizeof f->name, "%s", base ? base + 1 : path);
    snprintf(f->summary, sizeof f->summary, "%smalloc and its family, from %s", prefix, f->name);

    status = load(f, place, error, size);
    void *vtable = status == FOREIGN_OK && !*prefix ? own_symbol(f, "", "assay_allocator") : NULL;
    if (vtable) status = take_vtable(f, path, vtable, error, size);
    else if (status == FOREIGN_OK) {
        find_family(f, prefix);
        if (!f->malloc || !f->free) {
            char advice[3 * (FOREIGN_PREFIX_MAX + 16)];
            suggest_prefixes(&image, advice, sizeof advice);
            status = fail(error, size, "%s: exports no %s%s (looked for %smalloc and %sfree)%s", path, prefix,
                          f->malloc ? "free" : "malloc", prefix, prefix, advice);
        } else if (!make_ops(f)) {
            status = fail(error, size, "%s: more than %u foreign allocators at a time", path, FOREIGN_MAX);
        }
    }
    image_close(&image);
    return status;
}

/* ---- The C library of this program ------------------------------------------------------------------------------- */

/* What the documentation of the running version promises. */
static void libc_contract(struct alloc_contract *c)
{
    c->promises = PROMISE_ALIGN_SMALL | PROMISE_ERRNO | PROMISE_EXPLAINED; /* no arena of its own limits it */
    c->zero_size = ZERO_SIZE_UNIQUE;
#ifdef __GLIBC__
    unsigned major = 0, minor = 0;
    sscanf(gnu_get_libc_version(), "%u.%u", &major, &minor);
    if (major > 2 || minor >= 33) c->promises |= PROMISE_FREE_ERRNO;
    if (major > 2 || minor >= 38) c->promises |= PROMISE_ALIGN_CHECKED;
    c->realloc_zero = REALLOC_ZERO_FREES;
#else
    c->promises |= PROMISE_FREE_ERRNO;
    c->realloc_zero = REALLOC_ZERO_UNIQUE;
#endif
}

enum foreign_status foreign_libc(struct foreign *f)
{
    *f = (struct foreign){
        .name = "libc",
        .summary = "the C library of this program",
        .malloc = malloc,
        .free = free,
        .calloc = calloc,
        .realloc = realloc,
        .reallocarray = reallocarray,
        .aligned_alloc = aligned_alloc,
        .posix_memalign = posix_memalign,
        .memalign = memalign,
        .usable_size = malloc_usable_size,
    };
    if (!make_ops(f)) return FOREIGN_ERROR;
    libc_contract(&f->ops.contract);
    return FOREIGN_OK;
}

void foreign_close(struct foreign *f)
{
    for (unsigned i = 0; i < FOREIGN_MAX; i++)
        if (places[i] == f) places[i] = NULL;
}
