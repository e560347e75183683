/* target.h: what ALLOC on the command line stands for.
 *
 * A built-in's name, or the path of a shared library (anything with a '/' in it or ending in ".so" or ".so.N"). A
 * library is never opened in the process that reads the command line: target_probe asks a child what it offers, and the
 * worker (child.h) opens it for itself.
 */
#ifndef TARGET_H
#define TARGET_H

#include "alloc.h"
#include "faults.h"

enum target_kind {
    TARGET_BUILTIN,
    TARGET_LIBRARY, /* malloc and its family by name, with a prefix */
    TARGET_VTABLE,  /* a library that exports assay_allocator */
};

/* Which programs are made for it. */
enum target_mode {
    MODE_BOTH,    /* legal ones and, where it promises to report them, contract errors */
    MODE_LEGAL,   /* no contract errors */
    MODE_ILLEGAL, /* contract errors in every program */
};

struct target {
    char name[256];  /* as given: what replay commands and reports say */
    char path[4096]; /* absolute; empty for built-ins */
    char prefix[64]; /* for symbol names, may be empty */
    enum target_kind kind;
    bool preload;                /* cannot be opened late (static TLS): loaded with LD_PRELOAD */
    bool illegal;                /* profile bit: contract errors are generated too */
    bool guard;                  /* set by target_guard: live blocks are closed to the allocator (annotate.h) */
    enum faults_how faults;      /* requests that fail in each program, beside what it makes fail itself (faults.h) */
    bool guard_maps;             /* a library's calls for memory are watched, its mappings set apart (host_maps.h) */
    uint64_t maps_max;           /* likewise, and it gets no more bytes than this; 0: no limit */
    enum target_mode mode;       /* set by target_narrow */
    unsigned machine;            /* likewise; 0: all of them, else enum machine_config + 1 */
    const struct alloc_ops *ops; /* built-ins; otherwise what target_open made, in the worker only */
    struct alloc_contract contract; /* as the profile has changed it */
    unsigned offered[4];            /* bit k of word k/32: the operation `enum op_kind` k is offered */
};

/* Finds the built-in or probes the library. 0; or -1 with one line for stderr in `error` (what is wrong and what to do,
 * with the nearest names for an unknown built-in). `profile` is a comma-separated list, NULL for none; target_profiles
 * lists the words. */
int target_resolve(struct target *t, const char *spec, const char *prefix, const char *profile, char *error,
                   size_t size);

/* Does `spec` stand for an allocator where files are allowed too? A built-in's name does, and so does what is spelt like a
 * library or is one by its first bytes; a folder, any other file, and what is spelt like a path or a program's file do not.
 * A name that is nothing of these is taken for an allocator's, so that target_resolve says what is like it. */
bool target_is_allocator(const char *spec);

/* An allocator that is part of this program, to be called `name`: the module that other verbs find it in, for their
 * commands are told. It is open at once. 0, or -1 with `error` if the name is too long or a word of the profile unknown. */
int target_adopt(struct target *t, const struct alloc_ops *ops, const char *name, const char *profile, char *error,
                 size_t size);

/* Narrows what programs are made for it. 0; or -1 with `error` if it runs on no machine, or promises to report no contract
 * error. */
int target_narrow(struct target *t, enum target_mode mode, unsigned machine, char *error, size_t size);

/* Has memcheck report it when the allocator touches a block that lives; contract errors are not asked for then. 0; or -1
 * with `error` if the process does not run under memcheck, or the allocator gives memory otherwise than in blocks. */
int target_guard(struct target *t, char *error, size_t size);

/* What is done about its requests for memory. 0; or -1 with `error` if mappings are to be watched of what makes none. */
int target_watch(struct target *t, enum faults_how faults, bool guard_maps, uint64_t maps_max, char *error,
                 size_t size);

/* In the worker process: makes t->ops usable. 0, or -1 with `error`. */
int target_open(struct target *t, char *error, size_t size);

/* The profiles' words and what each does, NULL-terminated pairs. */
extern const char *const target_profiles[][2];

/* The built-in allocators, NULL-terminated, reference ones first, then the canaries of allocators/broken/ under the name
 * "broken/<name>". Terminated by NULL; built at first use. */
const struct alloc_ops *const *target_builtins(void);

#endif
