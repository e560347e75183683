/* preload.c: this program again, with a library preloaded; preload.h is the manual. */
#include "preload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int preload_exec(const char *library, char *const argv[])
{
    if (library && *library) {
        if (strpbrk(library, " :\t\n")) {
            errno = EINVAL;
            return -1;
        }
        /* Behind what is there: a sanitizer's runtime, for one, insists on being the first. */
        const char *before = getenv("LD_PRELOAD");
        char *list = NULL;
        if (asprintf(&list, "%s%s%s", before ? before : "", before && *before ? ":" : "", library) < 0) return -1;
        const int failed = setenv("LD_PRELOAD", list, 1);
        free(list);
        if (failed) return -1;
    }
    return execv("/proc/self/exe", argv);
}
