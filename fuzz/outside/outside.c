/* outside.c: outside.h is the manual. */
#include "outside.h"

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STOP_SECONDS 10.0 /* for an engine to end in order */
#define LOOK_NANOSECONDS 10000000
#define TAIL_BYTES 8192

void outside_word(struct outside_words *w, const char *format, ...)
{
    va_list arguments;
    const size_t room = sizeof w->text - w->used;
    if (w->count == OUTSIDE_WORDS_MAX || !room) return;
    va_start(arguments, format);
    const int length = vsnprintf(w->text + w->used, room, format, arguments);
    va_end(arguments);
    w->words[w->count++] = w->text + w->used;
    w->words[w->count] = NULL;
    w->used += length < 0 || (size_t)length >= room ? room : (size_t)length + 1;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_briefly(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_NANOSECONDS};
    nanosleep(&pause, NULL);
}

/* ---- Folders and counters -------------------------------------------------------------------------------------------- */

static int make_folder(const char *path, char *error, size_t size)
{
    if (!mkdir(path, 0777) || errno == EEXIST) return 0;
    snprintf(error, size, "cannot make the directory %s: %s; name another with --out", path, strerror(errno));
    return -1;
}

static int open_counters(struct outside *o, struct outside_job *job, char *error, size_t size)
{
    char path[OUTSIDE_PATH_MAX + 80];
    snprintf(path, sizeof path, "%s/%s.count", o->work, job->name);
    const int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666);
    void *p = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof *job->counters) == 0)
        p = mmap(NULL, sizeof *job->counters, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) snprintf(error, size, "cannot write %s: %s", path, strerror(errno));
    else job->counters = p;
    if (fd >= 0) close(fd);
    return p == MAP_FAILED ? -1 : 0;
}

static void tell(const char *name, const char *value)
{
    if (*value) setenv(name, value, 1);
    else unsetenv(name);
}

/* What every fuzz target reads from its environment. */
static void tell_targets(const struct outside *o)
{
    tell("ASSAY_ALLOCATOR", *o->target->path ? o->target->path : o->target->name);
    tell("ASSAY_PREFIX", o->target->prefix);
    tell("ASSAY_PROFILE", o->profile);
    setenv("ASSAY_OUT", "", 1); /* the engine keeps its inputs; they are stored when they have been judged */
}

int outside_open(struct outside *o, const char *folder, unsigned jobs, char *error, size_t size)
{
    static const char *const below[] = {"", "/seeds", "/judged", "/found", "/corpus"};
    char path[OUTSIDE_PATH_MAX + 16];
    if (make_folder(folder, error, size)) return -1;
    if (!realpath(folder, path)) {
        snprintf(error, size, "cannot find the directory %s: %s", folder, strerror(errno));
        return -1;
    }
    char word[128];
    store_word(word, sizeof word, o->target->name);
    if (snprintf(o->work, sizeof o->work, "%s/%s-%s", path, o->engine->name, word) >= (int)sizeof o->work) {
        snprintf(error, size, "%s: the path is too long", folder);
        return -1;
    }
    for (unsigned i = 0; i < sizeof below / sizeof *below; i++) {
        snprintf(path, sizeof path, "%s%s", o->work, below[i]);
        if (make_folder(path, error, size)) return -1;
    }
    o->job_count = jobs < OUTSIDE_JOBS_MAX ? jobs : OUTSIDE_JOBS_MAX;
    for (unsigned i = 0; i < o->job_count; i++) {
        o->jobs[i] = (struct outside_job){0};
        o->engine->name_job(o->jobs[i].name, sizeof o->jobs[i].name, i);
        if (open_counters(o, &o->jobs[i], error, size)) return -1;
    }
    tell_targets(o);
    return 0;
}

void outside_close(struct outside *o)
{
    outside_stop(o);
    for (unsigned i = 0; i < o->job_count; i++)
        if (o->jobs[i].counters) munmap(o->jobs[i].counters, sizeof *o->jobs[i].counters);
    o->job_count = 0;
}

void outside_sum(const struct outside *o, struct exec_counters *sum, uint64_t *coverage)
{
    memset(sum, 0, sizeof *sum);
    *coverage = 0;
    for (unsigned i = 0; i < o->job_count; i++) {
        const uint64_t *from = (const uint64_t *)o->jobs[i].counters;
        uint64_t *to = (uint64_t *)sum, reached = o->engine->coverage(o, &o->jobs[i]);
        for (size_t k = 0; k < sizeof *sum / sizeof *to; k++) to[k] += from[k];
        if (reached > *coverage) *coverage = reached;
    }
}

/* ---- Processes ------------------------------------------------------------------------------------------------------- */

/* In the new process: a group of its own, so that an interrupt at the terminal is ours to pass on, and none of what this
 * program has changed for itself. */
static void detach(int death_signal, pid_t parent, const char *log)
{
    const struct rlimit no_core = {0, 0};
    setsid();
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (getppid() != parent) _exit(127); /* it died before we asked to die with it */
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    const int null = open("/dev/null", O_RDONLY), out = open(log, O_CREAT | O_APPEND | O_WRONLY, 0666);
    if (null >= 0) dup2(null, STDIN_FILENO);
    if (out >= 0) dup2(out, STDOUT_FILENO);
    if (out >= 0) dup2(out, STDERR_FILENO);
}

static int start(struct outside *o, struct outside_job *job, char *error, size_t size)
{
    static struct outside_words w;
    char log[OUTSIDE_PATH_MAX + 80];
    snprintf(log, sizeof log, "%s/%s.log", o->work, job->name);
    if (job->starts++ == 0) unlink(log);
    w = (struct outside_words){0};
    o->engine->command(o, job, &w);
    fflush(NULL); /* nothing of ours may be printed twice */
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0) {
        snprintf(error, size, "cannot start a child process: %s", strerror(errno));
        return -1;
    }
    if (pid == 0) {
        detach(o->engine->death_signal, parent, log);
        char path[OUTSIDE_PATH_MAX + 80];
        snprintf(path, sizeof path, "%s/%s.count", o->work, job->name);
        setenv("ASSAY_COUNTERS", path, 1);
        if (o->engine->environment) o->engine->environment(o, job);
        execvp(w.words[0], w.words);
        dprintf(STDERR_FILENO, "cannot run %s: %s\n", w.words[0], strerror(errno));
        _exit(127);
    }
    job->pid = pid;
    return 0;
}

int outside_start(struct outside *o, char *error, size_t size)
{
    for (unsigned i = 0; i < o->job_count; i++)
        if (!o->jobs[i].pid && start(o, &o->jobs[i], error, size)) return -1;
    return 0;
}

struct outside_job *outside_ended(struct outside *o)
{
    for (unsigned i = 0; i < o->job_count; i++) {
        struct outside_job *job = &o->jobs[i];
        if (!job->pid || waitpid(job->pid, NULL, WNOHANG) != job->pid) continue;
        job->pid = 0;
        return job;
    }
    return NULL;
}

void outside_stop(struct outside *o)
{
    const double end = now() + STOP_SECONDS;
    unsigned left = 0;
    for (unsigned i = 0; i < o->job_count; i++) {
        if (!o->jobs[i].pid) continue;
        kill(o->jobs[i].pid, SIGTERM);
        left++;
    }
    while (left && now() < end) {
        while (left && outside_ended(o)) left--;
        if (left) pause_briefly();
    }
    for (unsigned i = 0; i < o->job_count; i++) {
        if (!o->jobs[i].pid) continue;
        kill(-o->jobs[i].pid, SIGKILL);
        while (waitpid(o->jobs[i].pid, NULL, 0) < 0 && errno == EINTR) continue;
        o->jobs[i].pid = 0;
    }
}

int outside_command(char *const *words, const char *folder, const char *log, double seconds,
                    const volatile bool *interrupted)
{
    const double end = now() + seconds;
    int status;
    unlink(log);
    fflush(NULL);
    const pid_t parent = getpid(), pid = fork();
    if (pid < 0) return -1;
    if (pid == 0) {
        detach(SIGKILL, parent, log);
        if (chdir(folder) == 0) execvp(words[0], words);
        dprintf(STDERR_FILENO, "cannot run %s: %s\n", words[0], strerror(errno));
        _exit(127);
    }
    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (now() > end || (interrupted && *interrupted)) {
            kill(-pid, SIGKILL);
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
            return -1;
        }
        pause_briefly();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- What the engine leaves ------------------------------------------------------------------------------------------ */

void outside_files(const struct outside *o, const char *pattern, bool (*each)(void *context, const char *path),
                   void *context)
{
    char whole[2 * OUTSIDE_PATH_MAX + 256], *to = whole;
    glob_t found;
    for (const char *c = o->work; *c; c++) {
        if (strchr("*?[]\\", *c)) *to++ = '\\';
        *to++ = *c;
    }
    snprintf(to, (size_t)(whole + sizeof whole - to), "/%s", pattern);
    if (glob(whole, 0, NULL, &found)) return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (!each(context, found.gl_pathv[i])) break;
    globfree(&found);
}

static size_t read_tail(const char *path, char text[TAIL_BYTES + 1])
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;
    if (fd >= 0) {
        const off_t end = lseek(fd, 0, SEEK_END);
        n = pread(fd, text, TAIL_BYTES, end > TAIL_BYTES ? end - TAIL_BYTES : 0);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

uint64_t outside_last_number(const char *path, const char *word)
{
    char text[TAIL_BYTES + 1];
    const char *last = NULL;
    read_tail(path, text);
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) last = at + strlen(word);
    return last ? strtoull(last, NULL, 10) : 0;
}

/* Without the colours that a terminal would show. */
static void plain(char *text)
{
    char *to = text;
    for (const char *c = text; *c; c++) {
        if (*c == '\033' && c[1] == '[') {
            while (*c && *c != 'm' && *c != 'K' && *c != 'h' && *c != 'l') c++;
            if (!*c) break;
        } else if ((unsigned char)*c >= ' ' || *c == '\n') *to++ = *c;
    }
    *to = '\0';
}

void outside_last_words(const struct outside *o, const struct outside_job *job, char *line, size_t size)
{
    char path[OUTSIDE_PATH_MAX + 80], text[TAIL_BYTES + 1];
    const char *last = "it said nothing";
    snprintf(path, sizeof path, "%s/%s.log", o->work, job->name);
    read_tail(path, text);
    plain(text);
    for (char *at = strtok(text, "\n"); at; at = strtok(NULL, "\n")) {
        while (*at == ' ') at++;
        if (strstr(at, "PROGRAM ABORT") || strncmp(at, "assay: ", 7) == 0) {
            last = at;
            break;
        }
        if (*at && strncmp(at, "Location", 8) != 0) last = at;
    }
    snprintf(line, size, "%s", last);
}
