/* probe.c: asks a shared library what it offers, in a child process; probe.h is the manual. */
#include "probe.h"

#include "foreign.h"
#include "offered.h"
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROBE_SECONDS = 10 };

/* ---- The child --------------------------------------------------------------------------------------------------- */

_Noreturn static void answer(int fd, const struct probe *p)
{
    const char *bytes = (const char *)p;
    for (size_t sent = 0; sent < sizeof *p;) {
        const ssize_t n = write(fd, bytes + sent, sizeof *p - sent);
        if (n < 0 && errno != EINTR) break;
        if (n > 0) sent += (size_t)n;
    }
    _exit(0); /* the library's destructors are none of our business */
}

_Noreturn static void probe_here(int fd, const char *path, const char *prefix)
{
    static struct foreign library;
    struct probe p;
    memset(&p, 0, sizeof p); /* padding too, for it crosses the pipe */
    p.status = foreign_open(&library, path, prefix, p.error, sizeof p.error);
    if (p.status == FOREIGN_OK) {
        p.kind = library.vtable ? TARGET_VTABLE : TARGET_LIBRARY;
        p.contract = library.ops.contract;
        offered_legal(p.offered, &library.ops);
    }
    answer(fd, &p);
}

_Noreturn static void probe_preloaded(int fd, const char *path, const char *prefix)
{
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    char *arguments[] = {"assay", PROBE_WORD, (char *)path, (char *)prefix, number, NULL};
    struct probe p;
    memset(&p, 0, sizeof p);
    if (fcntl(fd, F_SETFD, 0) == 0) preload_exec(path, arguments);
    p.status = FOREIGN_ERROR;
    if (errno == EINVAL)
        snprintf(p.error, sizeof p.error,
                 "%.512s: uses static TLS, so it must be preloaded, and LD_PRELOAD takes no path with a space or a "
                 "colon; use a symbolic link",
                 path);
    else
        snprintf(p.error, sizeof p.error, "%.512s: cannot run this program again to preload it: %s", path,
                 strerror(errno));
    answer(fd, &p);
}

int target_probe_main(int argc, char **argv)
{
    if (argc == 5) probe_here(atoi(argv[4]), argv[2], argv[3]);
    fprintf(stderr, "assay: %s is for the program's own use\n", PROBE_WORD);
    return 2;
}

/* ---- The parent -------------------------------------------------------------------------------------------------- */

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads the answer: how many bytes of it came before the pipe was closed, or -1 when time was up. */
static ssize_t receive(int fd, struct probe *p)
{
    const long deadline = milliseconds() + PROBE_SECONDS * 1000L;
    size_t got = 0;
    while (got < sizeof *p) {
        const long left = deadline - milliseconds();
        if (left <= 0) return -1;
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (poll(&waiting, 1, (int)left) <= 0) continue;
        const ssize_t n = read(fd, (char *)p + got, sizeof *p - got);
        if (n == 0) break;
        if (n > 0) got += (size_t)n;
    }
    return (ssize_t)got;
}

/* One child, waited for. Whatever happens to it ends as an answer in *p. */
static void probe_once(struct probe *p, const char *path, const char *prefix, bool preload)
{
    memset(p, 0, sizeof *p);
    int fds[2];
    const pid_t child = pipe2(fds, O_CLOEXEC) == 0 ? fork() : -1;
    if (child == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(STDERR_FILENO, STDOUT_FILENO); /* what the library says is no part of our report */
        if (preload) probe_preloaded(fds[1], path, prefix);
        probe_here(fds[1], path, prefix);
    }
    p->status = FOREIGN_ERROR;
    if (child < 0) {
        snprintf(p->error, sizeof p->error, "cannot start a process: %s", strerror(errno));
        return;
    }
    close(fds[1]);
    const ssize_t got = receive(fds[0], p);
    close(fds[0]);
    int status = 0;
    kill(child, SIGKILL); /* no effect on the status of one that is ending already */
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (got == (ssize_t)sizeof *p) return;
    memset(p, 0, sizeof *p);
    p->status = FOREIGN_ERROR;
    if (got < 0) snprintf(p->error, sizeof p->error, "%.512s: not loaded within %d seconds", path, PROBE_SECONDS);
    else if (WIFSIGNALED(status))
        snprintf(p->error, sizeof p->error, "%.512s: crashes while it is loaded (%s)", path,
                 strsignal(WTERMSIG(status)));
    else
        snprintf(p->error, sizeof p->error, "%.512s: ends the process while it is loaded (exit status %d)", path,
                 WEXITSTATUS(status));
}

int probe_library(struct probe *p, const char *path, const char *prefix)
{
    probe_once(p, path, prefix, false);
    if (p->status == FOREIGN_STATIC_TLS) {
        probe_once(p, path, prefix, true);
        p->preload = p->status == FOREIGN_OK;
    }
    return p->status == FOREIGN_OK ? 0 : -1;
}
