/* outside.h: fuzzing engines that are programs of their own, as child processes of `assay fuzz`.
 *
 * Everything of one campaign is in one folder, work, and stays there: the engine's corpus, its log, and each input that
 * ended a run until it has been judged. So an interrupted campaign goes on where it was, and loses nothing.
 *
 *     work/seeds/      what the campaign begins with, as bytes
 *     work/judged/     inputs that ended a run, once it is known which rule they break
 *     work/JOB.log     what the engine and the target said last
 *     work/JOB.count   struct exec_counters of that job's target, in memory that both share
 *     ...              what the engine makes of it
 */
#ifndef OUTSIDE_H
#define OUTSIDE_H

#include "exec.h"
#include "target.h"

#include <sys/types.h>

#define OUTSIDE_JOBS_MAX 256u
#define OUTSIDE_PATH_MAX 4096u
#define OUTSIDE_INPUT_MAX 2048u /* bytes of one program in swarm form: 508 operations */

struct outside_job {
    char name[64];
    pid_t pid; /* 0: not running */
    unsigned starts;
    struct exec_counters *counters;
};

struct outside {
    const struct outside_engine *engine;
    const struct target *target;
    double timeout; /* seconds for one call */
    uint64_t seed;
    char root[OUTSIDE_PATH_MAX];    /* of the source tree */
    char program[OUTSIDE_PATH_MAX]; /* the fuzz target */
    char work[OUTSIDE_PATH_MAX];    /* absolute */
    char profile[1024];             /* for the target, as given; may be empty */
    unsigned job_count;
    struct outside_job jobs[OUTSIDE_JOBS_MAX];
};

#define OUTSIDE_WORDS_MAX 48u

struct outside_words {
    char text[2 * OUTSIDE_PATH_MAX];
    size_t used;
    char *words[OUTSIDE_WORDS_MAX + 1];
    unsigned count;
};

/* Appends one word of a command; too long a command ends in a word that no engine takes. */
void outside_word(struct outside_words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct outside_engine {
    const char *name;         /* as --engine names it */
    const char *preset;       /* of the source tree; it builds in build/<preset> */
    const char *const *tools; /* programs that it takes, NULL-terminated, ... */
    const char *packages;     /* ... and where they are from */
    const char *const *parts; /* what is built beside the target, NULL-terminated */
    const char *const *ended; /* patterns, below work, of inputs that ended a run, NULL-terminated */
    const char *gains;        /* likewise of inputs that reached what the seeds do not, after `settle` */
    int death_signal;         /* sent to it when this process dies */
    bool ends_at_finding;     /* and is to be started again */
    void (*name_job)(char *name, size_t size, unsigned job);
    void (*command)(const struct outside *o, const struct outside_job *job, struct outside_words *w);
    void (*environment)(const struct outside *o, const struct outside_job *job); /* in the new process; may be NULL */
    void (*settle)(const struct outside *o,
                   struct outside_words *w); /* a command to run before gains are looked at; or NULL */
    uint64_t (*coverage)(const struct outside *o, const struct outside_job *job); /* edges reached; 0: not known */
};

extern const struct outside_engine outside_libfuzzer, outside_afl;

/* ---- outside_build.c ---------------------------------------------------------------------------------------------- */

/* Finds the source tree and the tools, builds the fuzz target, and sets root and program. 0, or -1 with one line in
 * `error`: what is missing, and what to do. `interrupted` ends it. */
int outside_build(struct outside *o, const volatile bool *interrupted, char *error, size_t size);

/* ---- outside.c ---------------------------------------------------------------------------------------------------- */

/* Makes the folders and the counters. 0, or -1 with `error`. */
int outside_open(struct outside *o, const char *folder, unsigned jobs, char *error, size_t size);
void outside_close(struct outside *o);

/* Starts what is not running. 0, or -1 with `error`. */
int outside_start(struct outside *o, char *error, size_t size);

/* The job that has ended since the last call, or NULL. */
struct outside_job *outside_ended(struct outside *o);

/* Ends all jobs in order, within seconds; none is left when it returns. */
void outside_stop(struct outside *o);

/* Runs one command to its end, its output into the file `log`; -1 if it could not be run, or took longer than `seconds`, or
 * was interrupted (which may be NULL); else its exit status. */
int outside_command(char *const *words, const char *folder, const char *log, double seconds,
                    const volatile bool *interrupted);

/* The sum of what all jobs did, and the most that one of them covers. */
void outside_sum(const struct outside *o, struct exec_counters *sum, uint64_t *coverage);

/* Calls each with every file below work that matches; stops when it returns false. */
void outside_files(const struct outside *o, const char *pattern, bool (*each)(void *context, const char *path),
                   void *context);

/* The last line of a job's log that says something, into `line`. */
void outside_last_words(const struct outside *o, const struct outside_job *job, char *line, size_t size);

/* The number behind the last `word` in the last part of a file; 0 if there is none. */
uint64_t outside_last_number(const char *path, const char *word);

#endif
