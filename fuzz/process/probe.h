/* probe.h: asks a shared library what it offers, in a child process.
 *
 * Loading a library runs its code, which may crash, hang or exit; the process that reads the command line never does
 * it. A library with static TLS cannot be loaded into a running program at all; then the child is this program run anew
 * with the library preloaded, whose main hands over to target_probe_main.
 */
#ifndef PROBE_H
#define PROBE_H

#include "target.h"

#define PROBE_WORD "__probe" /* argv[1] of a program that is to call target_probe_main, and nothing before it */

/* The child's answer; it crosses a pipe between two runs of the same program. */
struct probe {
    int status; /* enum foreign_status */
    enum target_kind kind;
    bool preload;
    struct alloc_contract contract;
    unsigned offered[4]; /* legal operations only */
    char error[1024];    /* one line, if status is not FOREIGN_OK */
};

/* Fills *p with what the library at the absolute path offers under the prefix, within ten seconds. 0, or -1 with
 * p->error. */
int probe_library(struct probe *p, const char *path, const char *prefix);

/* main's part of it: to be called when argv[1] is PROBE_WORD. Does not return when all is well; else an exit status. */
int target_probe_main(int argc, char **argv);

#endif
