/* foreign.h: any shared library as an allocator.
 *
 * foreign_open loads a library and makes `struct alloc_ops` of what it exports: its own vtable if it has an
 * assay_allocator, otherwise malloc and its family, found by name. What it does not export is NULL, not offered; what
 * it merely inherits from the libraries that it depends on does not count, for there every library has a malloc.
 *
 * The contract of a malloc found by name is the weakest legal one: memory from the host, no promises, zero sizes and
 * realloc to zero as the C standard leaves them. Profiles add to it what the user says that the library promises.
 *
 * A library runs code of its own while it is being loaded, which may do anything: open it in a process that may die.
 */
#ifndef FOREIGN_H
#define FOREIGN_H

#include "alloc.h"

#define FOREIGN_MAX 8u         /* foreign allocators open at a time */
#define FOREIGN_PREFIX_MAX 63u /* bytes of a prefix */

enum foreign_status {
    FOREIGN_OK,
    FOREIGN_ERROR,
    FOREIGN_STATIC_TLS, /* cannot be loaded into a running program; LD_PRELOAD does it */
};

struct foreign {
    struct alloc_ops ops; /* the result; usable while this record lives at this address */
    bool vtable;          /* the library brought its own: `ops` is a copy of it, the functions below are NULL */
    void *handle;         /* of dlopen; NULL for the C library of this program */
    char name[64];        /* behind ops.name and ops.summary */
    char summary[192];

    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*reallocarray)(void *, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*usable_size)(void *);
    void (*free_sized)(void *, size_t);
    void (*free_aligned_sized)(void *, size_t, size_t);
};

/* Loads the library at `path`, as open(2) takes it, and finds its functions under `prefix` + name; `prefix` may be NULL
 * or empty. Anything but FOREIGN_OK comes with one line in `error`: what is wrong, and what to do about it. */
enum foreign_status foreign_open(struct foreign *f, const char *path, const char *prefix, char *error, size_t size);

/* The C library of this very program, under the name "libc", with what it documents as its contract. FOREIGN_OK, or
 * FOREIGN_ERROR if and only if FOREIGN_MAX are open already. */
enum foreign_status foreign_libc(struct foreign *f);

/* Ends the use of f. The library stays loaded: few allocators survive being unloaded. */
void foreign_close(struct foreign *f);

#endif
