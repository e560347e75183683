/* outside_build.c: the fuzz targets of an engine, built when they are needed; outside.h is the manual.
 *
 * They cannot be delivered with the program: what is under test is compiled with the engine's own coverage. So the source
 * tree is looked for above the program and above the current folder, and its preset for the engine is built there.
 */
#include "outside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUILD_SECONDS 3600.0

static bool has_file(const char *folder, const char *name)
{
    char path[OUTSIDE_PATH_MAX + 64];
    return snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path && access(path, R_OK) == 0;
}

static bool is_source(const char *folder)
{
    return has_file(folder, "CMakePresets.json") && has_file(folder, "fuzz/engines/engine.h");
}

/* The nearest source tree at or above a path, which is cut down to it. */
static bool climb(char *path)
{
    while (*path) {
        if (is_source(path)) return true;
        char *slash = strrchr(path, '/');
        if (!slash) break;
        *slash = '\0';
    }
    return false;
}

static bool find_source(char *root, size_t size)
{
    const char *told = getenv("ASSAY_SOURCE");
    if (told && *told) {
        char *whole = realpath(told, NULL);
        snprintf(root, size, "%s", whole ? whole : "");
        free(whole);
        return is_source(root);
    }
    const ssize_t length = readlink("/proc/self/exe", root, size - 1);
    root[length > 0 ? length : 0] = '\0';
    return climb(root) || (getcwd(root, size) && climb(root));
}

static bool has_tool(const char *name)
{
    char path[OUTSIDE_PATH_MAX];
    const char *from = getenv("PATH");
    while (from && *from) {
        const size_t length = strcspn(from, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)length, from, name);
        if (access(path, X_OK) == 0) return true;
        from += length + (from[length] == ':');
    }
    return false;
}

/* Whether the allocator has a target of its own: reference ones do. Canaries and libraries are reached through `any`. */
static bool has_own_target(const struct target *t) { return t->kind == TARGET_BUILTIN && !strchr(t->name, '/'); }

/* Two builds in one folder would disturb each other. */
static int lock_build(const struct outside *o)
{
    char path[OUTSIDE_PATH_MAX + 64];
    static const char *const folders[] = {"build", "build/log"};
    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", o->root, folders[i]);
        mkdir(path, 0777);
    }
    snprintf(path, sizeof path, "%s/build/log/fuzz-%s.lock", o->root, o->engine->preset);
    const int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (fd >= 0) flock(fd, LOCK_EX);
    return fd;
}

static int build(struct outside *o, const volatile bool *interrupted, char *error, size_t size)
{
    struct outside_words configure = {0}, make = {0};
    char log[OUTSIDE_PATH_MAX + 64], folder[64];
    const char *name = strrchr(o->program, '/') + 1;
    const char *cc = getenv("CC");
    int status = 0;
    snprintf(log, sizeof log, "%s/build/log/fuzz-%s.log", o->root, o->engine->preset);
    snprintf(folder, sizeof folder, "build/%s/build.ninja", o->engine->preset);
    if (!has_file(o->root, folder)) { /* else the build configures anew by itself when it has to */
        outside_word(&configure, "cmake");
        outside_word(&configure, "--preset");
        outside_word(&configure, "%s", o->engine->preset);
        /* CMake takes CFLAGS and its kin from the environment by itself, but the preset's compiler before CC. */
        if (cc && strstr(cc, "clang")) outside_word(&configure, "-DCMAKE_C_COMPILER=%s", cc);
        status = outside_command(configure.words, o->root, log, BUILD_SECONDS, interrupted);
    }
    outside_word(&make, "cmake");
    outside_word(&make, "--build");
    outside_word(&make, "build/%s", o->engine->preset);
    outside_word(&make, "--target");
    outside_word(&make, "%s", name);
    for (const char *const *part = o->engine->parts; *part; part++) outside_word(&make, "%s", *part);
    if (!status) status = outside_command(make.words, o->root, log, BUILD_SECONDS, interrupted);
    if (interrupted && *interrupted) snprintf(error, size, "interrupted while %s was built", name);
    else if (status) snprintf(error, size, "%s could not be built: %s has the reason", name, log);
    return status ? -1 : 0;
}

int outside_build(struct outside *o, const volatile bool *interrupted, char *error, size_t size)
{
    const struct outside_engine *e = o->engine;
    if (!find_source(o->root, sizeof o->root)) {
        snprintf(error, size,
                 "--engine %s builds its targets from assay's source tree, and none is above the program, above this "
                 "folder or in ASSAY_SOURCE; --engine builtin needs none",
                 e->name);
        return -1;
    }
    for (const char *const *tool = e->tools; *tool; tool++) {
        if (has_tool(*tool)) continue;
        snprintf(error, size, "--engine %s needs %s, which is not installed: %s; --engine builtin does without",
                 e->name, *tool, e->packages);
        return -1;
    }
    const int length = snprintf(o->program, sizeof o->program, "%s/build/%s/engines/assay_fuzz_%s", o->root, e->preset,
                                has_own_target(o->target) ? o->target->name : "any");
    if (length >= (int)sizeof o->program) {
        snprintf(error, size, "%s: the path is too long", o->root);
        return -1;
    }
    const int lock = lock_build(o);
    const int status = build(o, interrupted, error, size);
    if (lock >= 0) close(lock);
    return status;
}
