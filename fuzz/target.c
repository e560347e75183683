/* target.c: what ALLOC on the command line stands for; target.h is the manual.
 *
 * First the built-in allocators are searched, canaries among them, then what is spelt like a library is probed
 * (probe.h). The profile comes last: it changes the contract, and with it which contract errors can be asked for.
 */
#include "target.h"

#include "annotate.h"
#include "broken/broken.h"
#include "builtin.h"
#include "canaries.h"
#include "foreign.h"
#include "offered.h"
#include "probe.h"
#include "profile.h"
#include "program.h"
#include "sanitizer.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The built-in allocators ------------------------------------------------------------------------------------- */

#define BUILTINS_MAX 512u

static const struct canary *const canary_lists[] = {broken_frames,  broken_breaks,  broken_maps,  broken_heap,
                                                    broken_kin,     broken_tags,    broken_spans, broken_pages,
                                                    broken_zones,   broken_core,    broken_slab,  broken_kmalloc,
                                                    broken_vmalloc, broken_mempool, broken_faults};

/* Built once; a canary's record is made of its base's, so it cannot be a constant. */
static struct builtins {
    const struct alloc_ops *list[BUILTINS_MAX + 1];
    unsigned count;
    struct foreign libc;
    unsigned first_canary;
    struct alloc_ops canary_ops[BUILTINS_MAX];
    const struct canary *canaries[BUILTINS_MAX];
    char names[BUILTINS_MAX][64];
} builtins;

static void add_canary(const struct canary *canary)
{
    assert(builtins.count < BUILTINS_MAX);
    const unsigned i = builtins.count;
    struct alloc_ops *ops = &builtins.canary_ops[i];
    *ops = *canary->base;
    canary->patch(ops);
    snprintf(builtins.names[i], sizeof builtins.names[i], "broken/%s", canary->name);
    ops->name = builtins.names[i];
    ops->summary = canary->summary;
    builtins.canaries[i] = canary;
    builtins.list[builtins.count++] = ops;
}

const struct alloc_ops *const *target_builtins(void)
{
    if (builtins.count) return builtins.list;
    const struct alloc_ops *const references[] = {&alloc_freelist, &alloc_stack, &alloc_region,  &alloc_break,
                                                  &alloc_buddy,    &alloc_slab,  &alloc_kmalloc, &alloc_vmalloc};
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++)
        builtins.list[builtins.count++] = references[i];
    if (foreign_libc(&builtins.libc) == FOREIGN_OK) builtins.list[builtins.count++] = &builtins.libc.ops;
    builtins.first_canary = builtins.count;
    for (size_t i = 0; i < sizeof canary_lists / sizeof canary_lists[0]; i++)
        for (const struct canary *c = canary_lists[i]; c->name; c++) add_canary(c);
    return builtins.list;
}

static const struct alloc_ops *find_builtin(const char *name)
{
    const struct alloc_ops *const *list = target_builtins();
    while (*list && strcmp((*list)->name, name) != 0) list++;
    return *list;
}

const struct canary *canary_of(const char *target_name)
{
    target_builtins();
    for (unsigned i = builtins.first_canary; i < builtins.count; i++)
        if (strcmp(builtins.names[i], target_name) == 0) return builtins.canaries[i];
    return NULL;
}

/* ---- The nearest names ------------------------------------------------------------------------------------------- */

enum { NAME_MAX_BYTES = 64, FAR = 1000 };

/* Levenshtein's distance, one row of his table at a time; FAR for names too long to compare. */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[NAME_MAX_BYTES + 1];
    const size_t columns = strlen(b);
    if (columns > NAME_MAX_BYTES || strlen(a) > NAME_MAX_BYTES) return FAR;
    for (unsigned j = 0; j <= columns; j++) row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[columns];
}

static unsigned distance_to(const char *spec, const struct alloc_ops *ops)
{
    const char *base = strchr(ops->name, '/');
    const unsigned whole = edit_distance(spec, ops->name), part = base ? edit_distance(spec, base + 1) : FAR;
    return whole < part ? whole : part;
}

/* Up to three names that differ by a third of their letters at most, the nearest first. */
static int unknown_builtin(const char *spec, char *error, size_t size)
{
    const unsigned limit = 1 + (unsigned)strlen(spec) / 3;
    size_t used = 0;
    unsigned told = 0;
    snprintf(error, size, "no built-in allocator '%.64s'", spec);
    used = strlen(error);
    for (unsigned distance = 0; distance <= limit && distance < FAR; distance++)
        for (const struct alloc_ops *const *o = target_builtins(); *o && told < 3; o++)
            if (distance_to(spec, *o) == distance && used < size) {
                snprintf(error + used, size - used, "%s%s", told++ ? " or " : "; did you mean ", (*o)->name);
                used += strlen(error + used);
            }
    snprintf(error + used, size - used, "%s",
             told ? "?" : "; 'assay list' names them, and a library is a path with '/' or one that ends in .so");
    return -1;
}

/* ---- Resolving --------------------------------------------------------------------------------------------------- */

/* Ends in ".so", or in ".so." and a version. */
static bool ends_in_so(const char *spec)
{
    const char *end = strstr(spec, ".so");
    for (const char *next = end; next; next = strstr(next + 1, ".so")) end = next;
    if (!end) return false;
    end += strlen(".so");
    return *end == '\0' || (end[0] == '.' && end[1] && strspn(end, ".0123456789") == strlen(end));
}

static bool names_library(const char *spec) { return strchr(spec, '/') || ends_in_so(spec); }

/* Begins like a library: in the format of executables and shared objects. */
static bool is_object_file(const char *path)
{
    char magic[4] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : read(fd, magic, sizeof magic);
    if (fd >= 0) close(fd);
    return n == sizeof magic && memcmp(magic, "\177ELF", sizeof magic) == 0;
}

static bool names_program(const char *spec)
{
    const char *dot = strrchr(spec, '.');
    return dot && (strcmp(dot, ".ops") == 0 || strcmp(dot, ".bin") == 0);
}

bool target_is_allocator(const char *spec)
{
    struct stat st;
    const bool there = stat(spec, &st) == 0;
    if (find_builtin(spec)) return true;
    if (there && S_ISDIR(st.st_mode)) return false;
    if (ends_in_so(spec)) return true;
    if (there) return is_object_file(spec);
    return strncmp(spec, "broken/", 7) == 0 || !(strchr(spec, '/') || names_program(spec) || strcmp(spec, "-") == 0);
}

/* Symbolic links stay: they are how a path that LD_PRELOAD cannot say is given a name that it can. */
static int absolute_path(char *out, size_t size, const char *spec)
{
    char here[4096] = "";
    if (*spec != '/' && !getcwd(here, sizeof here)) return -1;
    const int length = snprintf(out, size, "%s%s%s", here, *spec == '/' ? "" : "/", spec);
    return length >= 0 && (size_t)length < size ? 0 : -1;
}

static int resolve_builtin(struct target *t, const struct alloc_ops *ops, char *error, size_t size)
{
    if (*t->prefix) {
        snprintf(error, size, "--prefix is for the names in a shared library; %s is built in", t->name);
        return -1;
    }
    t->kind = TARGET_BUILTIN;
    t->ops = ops;
    t->contract = ops->contract;
    offered_legal(t->offered, ops);
    return 0;
}

static int resolve_library(struct target *t, char *error, size_t size)
{
    if (absolute_path(t->path, sizeof t->path, t->name) != 0) {
        snprintf(error, size, "%s: the path is too long", t->name);
        return -1;
    }
    struct probe probe;
    if (probe_library(&probe, t->path, t->prefix) != 0) {
        snprintf(error, size, "%s", probe.error);
        return -1;
    }
    t->kind = probe.kind;
    t->preload = probe.preload;
    t->contract = probe.contract;
    memcpy(t->offered, probe.offered, sizeof t->offered);
    return 0;
}

int target_watch(struct target *t, enum faults_how faults, bool guard_maps, uint64_t maps_max, char *error, size_t size)
{
    const bool library = t->contract.backing == BACKING_HOST && t->kind != TARGET_VTABLE;
    t->faults = faults;
    t->guard_maps = guard_maps;
    t->maps_max = maps_max;
    if (library || (!guard_maps && !maps_max)) return 0;
    snprintf(error, size, "--guard-maps and --limit-maps are for libraries; %s takes no memory from the system",
             t->name);
    return -1;
}

int target_resolve(struct target *t, const char *spec, const char *prefix, const char *profile, char *error,
                   size_t size)
{
    memset(t, 0, sizeof *t);
    if (!prefix) prefix = "";
    if (strlen(spec) >= sizeof t->name || strlen(prefix) >= sizeof t->prefix) {
        snprintf(error, size, "%.32s…: longer than %zu bytes", strlen(spec) >= sizeof t->name ? spec : prefix,
                 (strlen(spec) >= sizeof t->name ? sizeof t->name : sizeof t->prefix) - 1);
        return -1;
    }
    snprintf(t->name, sizeof t->name, "%s", spec);
    snprintf(t->prefix, sizeof t->prefix, "%s", prefix);

    const struct alloc_ops *ops = find_builtin(spec);
    const bool canary_misspelt = !ops && strncmp(spec, "broken/", 7) == 0 && access(spec, F_OK) != 0;
    if (!ops && (canary_misspelt || !names_library(spec))) return unknown_builtin(spec, error, size);
    if ((ops ? resolve_builtin(t, ops, error, size) : resolve_library(t, error, size)) != 0) return -1;
    if (profile_apply(t, profile, error, size) != 0) return -1;
    offered_illegal(t->offered, t->contract.promises);
    return 0;
}

int target_adopt(struct target *t, const struct alloc_ops *ops, const char *name, const char *profile, char *error,
                 size_t size)
{
    memset(t, 0, sizeof *t);
    if (strlen(name) >= sizeof t->name || absolute_path(t->path, sizeof t->path, name) != 0) {
        snprintf(error, size, "%.32s…: the path is too long", name);
        return -1;
    }
    snprintf(t->name, sizeof t->name, "%s", name);
    t->kind = TARGET_VTABLE;
    t->ops = ops;
    t->contract = ops->contract;
    offered_legal(t->offered, ops);
    if (profile_apply(t, profile, error, size) != 0) return -1;
    offered_illegal(t->offered, t->contract.promises);
    return 0;
}

int target_narrow(struct target *t, enum target_mode mode, unsigned machine, char *error, size_t size)
{
    const unsigned detects = PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_DETECTS_WRITES;
    const bool misuse = t->offered[OP_MISUSE / 32] >> OP_MISUSE % 32 & 1;
    t->mode = mode;
    t->machine = machine;
    if (machine && t->contract.backing != BACKING_MACHINE) {
        snprintf(error, size, "--machine: %s runs on no simulated machine", t->name);
        return -1;
    }
    if (mode == MODE_ILLEGAL && !misuse && !(t->contract.promises & detects)) {
        snprintf(error, size,
                 "--mode: 'illegal' needs an allocator that promises to report contract errors; %s does not", t->name);
        return -1;
    }
    return 0;
}

int target_guard(struct target *t, char *error, size_t size)
{
    const unsigned detects = PROMISE_DETECTS_BAD_FREE | PROMISE_DETECTS_SIZE | PROMISE_DETECTS_WRITES;
    if (!sanitizer_memcheck()) {
        snprintf(error, size,
                 "--guard: nobody listens; run this under valgrind, with assay built where "
                 "<valgrind/memcheck.h> is");
        return -1;
    }
    if (t->contract.backing == BACKING_MACHINE || t->offered[OP_SBRK / 32] >> OP_SBRK % 32 & 1 ||
        t->offered[OP_MMAP / 32] >> OP_MMAP % 32 & 1) {
        snprintf(error, size, "--guard: %s gives memory otherwise than in blocks", t->name);
        return -1;
    }
    t->guard = true;
    t->illegal = false;
    t->contract.promises &= ~detects;
    offered_illegal(t->offered, t->contract.promises);
    return 0;
}

static int open_library(struct target *t, char *error, size_t size)
{
    static struct foreign libraries[FOREIGN_MAX];
    static unsigned count;
    if (count == FOREIGN_MAX) {
        snprintf(error, size, "%s: more than %u libraries at a time", t->name, FOREIGN_MAX);
        return -1;
    }
    if (foreign_open(&libraries[count], t->path, t->prefix, error, size) != FOREIGN_OK) return -1;
    t->ops = &libraries[count++].ops;
    return 0;
}

int target_open(struct target *t, char *error, size_t size)
{
    if (t->kind == TARGET_BUILTIN) {
        t->ops = find_builtin(t->name);
        if (!t->ops) return unknown_builtin(t->name, error, size);
    } else if (open_library(t, error, size) != 0) {
        return -1;
    }
    if (t->guard) t->ops = annotate(t->ops, ANNOTATE_ALLOCATOR);
    if (!t->ops) snprintf(error, size, "--guard: %s gives memory otherwise than in blocks", t->name);
    return t->ops ? 0 : -1;
}
