/* files.c: files.h is the manual. */
#include "files.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 16u

struct walk {
    void (*visit)(void *context, const char *file);
    void *context;
    const volatile bool *stop;
    char *error;
    size_t size;
    int status;
};

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_program_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".ops") == 0 || strcmp(dot, ".bin") == 0);
}

static void descend(struct walk *w, const char *path, unsigned depth)
{
    struct dirent **entries;
    if (*w->stop || depth > DEPTH_MAX) return;
    if (!is_folder(path)) {
        w->visit(w->context, path);
        return;
    }
    int count = scandir(path, &entries, NULL, by_name);
    if (count < 0) {
        snprintf(w->error, w->size, "cannot read the folder %s", path);
        w->status = -1;
        return;
    }
    for (int i = 0; i < count; i++) {
        char below[4096];
        const char *name = entries[i]->d_name;
        snprintf(below, sizeof below, "%s/%s", path, name);
        if (name[0] != '.' && (is_folder(below) || is_program_name(name))) descend(w, below, depth + 1);
        free(entries[i]);
    }
    free(entries);
}

int files_below(const char *path, void (*visit)(void *context, const char *file), void *context,
                const volatile bool *stop, char *error, size_t size)
{
    struct walk w = {.visit = visit, .context = context, .stop = stop, .error = error, .size = size};
    descend(&w, path, 0);
    return w.status;
}
