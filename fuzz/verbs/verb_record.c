/* verb_record.c: assay record -o FILE -- COMMAND…: a real program's allocations, as programs. recording.h says what of them
 * is kept.
 */
#include "recording.h"
#include "store.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBRARY "libassay_record.so"
#define PROGRAMS_MAX 1000u /* files that one recording becomes */

/* ---- The recorder ------------------------------------------------------------------------------------------------- */

/* Beside this program. */
static int find_library(char *path, size_t size)
{
    char own[4000] = "";
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    char *slash = length > 0 ? strrchr(own, '/') : NULL;
    if (slash) slash[1] = '\0';
    snprintf(path, size, "%s%s", slash ? own : "", LIBRARY);
    if (access(path, R_OK)) return complain("the recorder is missing: %s", path);
    if (strpbrk(path, " :\t\n")) return complain("%s: a path with blanks or colons cannot be preloaded", path);
    return 0;
}

static struct recording *make_recording(int *fd)
{
    void *p = MAP_FAILED;
    *fd = memfd_create("assay-record", MFD_CLOEXEC);
    if (*fd >= 0 && ftruncate(*fd, sizeof(struct recording)) == 0)
        p = mmap(NULL, sizeof(struct recording), PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (p == MAP_FAILED) return NULL;
    ((struct recording *)p)->magic = RECORDED_MAGIC;
    return p;
}

/* ---- The command -------------------------------------------------------------------------------------------------- */

static void set(const char *name, const char *value)
{
    if (setenv(name, value, 1)) _exit(127);
}

/* In the child: becomes the command, or tells why not. What is preloaded already stays behind the recorder: it may be the
 * allocator that the command is to have. */
static _Noreturn void become(char **command, struct recording *r, const char *library, const char *path, int tell)
{
    char list[8192];
    const char *others = getenv("LD_PRELOAD");
    snprintf(list, sizeof list, "%s%s%s", library, others && *others ? ":" : "", others ? others : "");
    set("LD_PRELOAD", list);
    set(RECORDED_ENVIRONMENT, path);
    r->pid = (int32_t)getpid();
    execvp(command[0], command);
    int error = errno;
    _exit(write(tell, &error, sizeof error) == sizeof error ? 127 : 126);
}

/* Runs it to its end; 0, or the status of a complaint. */
static int run(char **command, struct recording *r, const char *library, int fd)
{
    char path[64];
    int pipe_ends[2], error = 0, status;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    if (pipe2(pipe_ends, O_CLOEXEC)) return complain("no pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) become(command, r, library, path, pipe_ends[1]);
    close(pipe_ends[1]);
    if (pid < 0) {
        close(pipe_ends[0]);
        return complain("cannot start a process: %s", strerror(errno));
    }
    /* An interrupt at the terminal is the command's; what it did until then is kept. */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    bool failed = read(pipe_ends[0], &error, sizeof error) == sizeof error;
    close(pipe_ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    return failed ? complain("cannot run %s: %s", command[0], strerror(error)) : 0;
}

/* ---- The programs --------------------------------------------------------------------------------------------------- */

/* Whether FILE can be written is asked before the command runs, which may take long and do things. */
static int check_output(const char *path)
{
    char folder[4096];
    struct stat st;
    if (!path) return complain("-o FILE is missing: where the program goes");
    if (strcmp(path, "-") == 0) return 0;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return complain("cannot write %s: %s", path, strerror(EISDIR));
    if (access(path, F_OK) == 0) return access(path, W_OK) ? complain("cannot write %s: %s", path, strerror(errno)) : 0;
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    if (access(slash ? folder : ".", W_OK | X_OK) == 0) return 0;
    return complain("cannot write %s: %s", path, strerror(errno));
}

/* FILE itself if there is one program only, else with a number before the suffix. */
static void name_file(char *out, size_t size, const char *path, unsigned number, bool only)
{
    const char *base = strrchr(path, '/'), *dot = strrchr(base ? base : path, '.');
    int stem = dot && dot != path ? (int)(dot - path) : (int)strlen(path);
    if (only || strcmp(path, "-") == 0) snprintf(out, size, "%s", path);
    else snprintf(out, size, "%.*s-%u%s", stem, path, number, path + stem);
}

static int write_program(const char *path, const struct program *p, char **command, uint32_t first, uint32_t end,
                         uint32_t count)
{
    char error[4400], *text = NULL;
    size_t length, size = program_print(p, NULL, 0);
    FILE *stream = open_memstream(&text, &length);
    char *lines = malloc(size + 1);
    int status = -1;
    if (stream && lines) {
        program_print(p, lines, size + 1);
        fprintf(stream, "%s# Recorded: calls %u to %u of %u of", lines, first + 1, end, count);
        for (; *command; command++) {
            putc(' ', stream);
            for (const char *c = *command; *c; c++) putc(*c == '\n' || *c == '\r' ? ' ' : *c, stream);
        }
        status = fputs("\n", stream);
    }
    if (stream && fclose(stream)) status = -1;
    if (status < 0) status = complain("no memory");
    else status = store_text(path, text, length, error, sizeof error) ? complain("%s", error) : 0;
    free(lines);
    free(text);
    return status;
}

static int write_programs(const struct options *o, const struct recording *r)
{
    static struct program p, ahead;
    struct conversion c;
    unsigned count = 0;
    char path[4096];
    int status = 0, more;
    uint32_t from = 0, end = 0;
    conversion_begin(&c, r);
    more = conversion_next(&c, &ahead);
    while (more > 0 && !status && count < PROGRAMS_MAX) {
        p = ahead;
        from = end;
        end = c.next;
        more = conversion_next(&c, &ahead);
        count++;
        name_file(path, sizeof path, o->output, count, count == 1 && more == 0);
        status = write_program(path, &p, o->operands, from, end, r->count);
    }
    conversion_end(&c);
    if (more < 0) return complain("no memory");
    if (status || o->quiet) return status;
    fprintf(stderr, "recorded %u of %llu calls as %u %s, the last of them %s\n", end,
            (unsigned long long)r->count + r->dropped, count, count == 1 ? "program" : "programs", path);
    if (c.refused || c.unseen)
        fprintf(stderr, "  left out: %llu refused, %llu on blocks whose making was not seen\n",
                (unsigned long long)c.refused, (unsigned long long)c.unseen);
    return 0;
}

int verb_record(const struct options *o)
{
    char library[4096];
    int fd, status;
    if ((status = check_output(o->output)) || (status = find_library(library, sizeof library))) return status;
    struct recording *r = make_recording(&fd);
    if (!r) return complain("no memory for a recording: %s", strerror(errno));
    status = run(o->operands, r, library, fd);
    if (!status && !r->count)
        status = complain("%s: nothing was recorded: it %s", o->operands[0],
                          r->images ? "asked for no memory"
                                    : "is linked statically, of another architecture, or privileged");
    if (!status) status = write_programs(o, r);
    munmap(r, sizeof *r);
    close(fd);
    return status;
}
