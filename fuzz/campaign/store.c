/* store.c: store.h is the manual. */
#include "store.h"
#include "report_internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROGRAM_FILE_MAX ((size_t)16 << 20)
#define ROOM_BYTES 65536 /* free space that a run wants to see before it begins */

static int say(char *error, size_t size, const char *what, const char *path, const char *advice)
{
    snprintf(error, size, "%s %s: %s%s", what, path, strerror(errno), advice);
    return -1;
}

int store_open(const char *directory, char *error, size_t size)
{
    char path[4096];
    if (mkdir(directory, 0777) && errno != EEXIST)
        return say(error, size, "cannot make the directory", directory, "; name another with --out");
    snprintf(path, sizeof path, "%s/.assay-%d", directory, (int)getpid());
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) return say(error, size, "cannot write to the directory", directory, "; name another with --out");
    int full = posix_fallocate(fd, 0, ROOM_BYTES);
    close(fd);
    unlink(path);
    if (full != ENOSPC && full != EDQUOT && full != EFBIG) return 0;
    errno = full;
    return say(error, size, "no room for findings in", directory, "; free some space or name another with --out");
}

void store_close(const char *directory) { rmdir(directory); }

static int write_all(int fd, const char *text, size_t length)
{
    while (length) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        text += n;
        length -= (size_t)n;
    }
    return 0;
}

/* Into what is there already: a device, a pipe or a link keeps its place, where a rename would put a file in it. */
static int write_through(const char *path, const char *text, size_t length, char *error, size_t size)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) return say(error, size, "cannot write", path, "");
    bool written = write_all(fd, text, length) == 0;
    int saved = errno;
    if (close(fd) == 0 && written) return 0;
    if (!written) errno = saved;
    return say(error, size, "cannot write", path, "");
}

int store_text(const char *path, const char *text, size_t length, char *error, size_t size)
{
    char temporary[4200];
    struct stat st;
    if (strcmp(path, "-") == 0)
        return write_all(STDOUT_FILENO, text, length) ? say(error, size, "cannot write to", "standard output", "") : 0;
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) return write_through(path, text, length, error, size);
    snprintf(temporary, sizeof temporary, "%s.%d.tmp", path, (int)getpid());
    int fd = open(temporary, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) return say(error, size, "cannot write", path, "");
    bool written = write_all(fd, text, length) == 0 && fsync(fd) == 0;
    if (close(fd) == 0 && written && rename(temporary, path) == 0) return 0;
    int saved = errno;
    unlink(temporary);
    errno = saved;
    return say(error, size, "cannot write", path, "");
}

/* FNV-1a: names only. */
static uint32_t digest(const char *text, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

void store_word(char *out, size_t size, const char *name)
{
    const char *base = strrchr(name, '/');
    snprintf(out, size, "%.100s", base ? base + 1 : name);
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-') *c = '-';
}

int store_finding(const char *directory, struct finding *f, char *error, size_t size)
{
    char word[128], command[8192], who[REPORT_WHO_MAX];
    const struct rule_info *rule = rule_info(f->verdict.rule);
    size_t length = program_print(&f->program, NULL, 0), room = length + sizeof command + sizeof who + 1024;
    char *text = malloc(room);
    if (!text) {
        snprintf(error, size, "no memory for a finding of %zu bytes", length);
        return -1;
    }
    program_print(&f->program, text, room);
    store_word(word, sizeof word, f->target->name);
    snprintf(f->path, sizeof f->path, "%s/%s-%s-%08x.ops", directory, word, rule->id, digest(text, length));
    report_who(f, who, sizeof who);
    report_replay_command(f, command, sizeof command);
    length += (size_t)snprintf(text + length, room - length, "# %s %s %s: %s [%s]\n# expected: %s\n# seen: %s\n# %s\n",
                               who, f->other ? "break" : "breaks", rule->id, rule->sentence, rule->source,
                               f->verdict.expected, f->verdict.seen, command);
    int failed = store_text(f->path, text, length < room ? length : room - 1, error, size);
    if (failed) f->path[0] = '\0';
    free(text);
    return failed;
}

int store_read(const char *path, size_t limit, char **bytes, size_t *length, char *error, size_t size)
{
    struct stat st;
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return say(error, size, "cannot read", path, "");
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        errno = EISDIR;
        return say(error, size, "cannot read", path, "");
    }
    char *all = malloc(limit + 1);
    size_t have = 0;
    ssize_t n = 0;
    while (all && have <= limit && (n = read(fd, all + have, limit + 1 - have)) > 0) have += (size_t)n;
    int saved = errno;
    close(fd);
    if (!all || n < 0 || have > limit) {
        free(all);
        errno = !all ? ENOMEM : n < 0 ? saved : EFBIG;
        return say(error, size, "cannot read", path, "");
    }
    *bytes = all;
    *length = have;
    return 0;
}

/* The text form starts with its word, after comments and blanks at most; the byte forms do not look like that. */
static bool is_text(const char *bytes, size_t length, const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot && strcmp(dot, ".ops") == 0) return true;
    size_t i = 0;
    while (i < length && (isspace((unsigned char)bytes[i]) || bytes[i] == '#')) {
        if (bytes[i] == '#')
            while (i < length && bytes[i] != '\n') i++;
        else i++;
    }
    return length - i > 6 && memcmp(bytes + i, "assay ", 6) == 0;
}

int store_program(const char *path, struct program *p, char *error, size_t size)
{
    char *bytes;
    size_t length;
    struct parse_error wrong;
    if (store_read(path, PROGRAM_FILE_MAX, &bytes, &length, error, size)) return -1;
    int failed = 0;
    if (!is_text(bytes, length, path)) {
        program_decode(p, bytes, length);
    } else if (!program_parse(p, bytes, length, &wrong)) {
        snprintf(error, size, "%s:%zu:%zu: %s", path, wrong.line, wrong.column, wrong.message);
        failed = -1;
    }
    free(bytes);
    return failed;
}
