/* child.h: the process in which the allocator under test lives.
 *
 * The parent owns a journal in shared memory: it says what to run there, and whatever the child finds out is there too,
 * counters, position and verdict, also when the child dies in the middle. So a crash, an abort, exit(), a hang and a
 * runaway of the allocator are verdicts like any other. A child dies with its parent.
 *
 * Two kinds of work: one given program (child_run), and a campaign of generated ones that the child makes for itself
 * (child_campaign, driven by campaign.c).
 */
#ifndef CHILD_H
#define CHILD_H

#include "exec.h"
#include "generator.h"
#include "observe.h"
#include "target.h"

#include <sys/types.h>

/* ---- The journal -------------------------------------------------------------------------------------------------- */

#define WINDOW_PROGRAMS 64u /* programs of one worker in one window */
#define WINDOWS_KEPT 64u    /* how far a worker may run ahead of the slowest one */

/* A campaign is cut into windows, and each window into one part for each worker, so that all of them can stop at the same
 * place whatever their speed: counts do not depend on time. */
struct campaign_orders {
    struct generator generator;
    uint64_t first;                          /* index of the campaign's first program */
    uint64_t programs;                       /* how many in all, UINT64_MAX: no bound */
    uint32_t worker, workers;                /* this one, of how many */
    volatile uint64_t last_window;           /* stop after this one; may be lowered while they run */
    volatile uint64_t slowest;               /* windows that every worker has finished */
    volatile uint64_t done;                  /* windows that this worker has finished */
    volatile uint64_t index;                 /* the program that is running, or failed */
    struct exec_counters kept[WINDOWS_KEPT]; /* as they were at the end of window w, in place w % WINDOWS_KEPT */
};

enum journal_state { JOURNAL_IDLE, JOURNAL_RUNNING, JOURNAL_DONE };

struct journal {
    struct target target;
    uint64_t request_max;
    volatile uint32_t state;
    volatile uint64_t started; /* programs begun: a heartbeat */
    struct exec_position position;
    struct exec_counters counters;
    struct verdict verdict;
    bool thorough;
    int signal_number;    /* of a fault that the child saw itself, else 0 */
    uint32_t loop_period; /* instructions: the call has been proven to repeat itself for ever (loop_proof.h); else 0 */
    volatile uint64_t first_bytes; /* anonymous memory of the child when this work began */
    char error[256];               /* why the child could not begin; empty if it could */
    struct campaign_orders campaign;
    struct explore *explore; /* what to explore, in memory shared by fork; NULL: nothing */
    volatile pid_t apart;    /* the copy of the child that is running instead of it; 0: none */
    volatile bool apart_done;
    volatile uint64_t apart_requests;
    bool observing; /* an observation log lies behind this record */
    bool weighing;  /* observer.weighs */
    struct program program;
    struct trace trace;
};

/* What the runs of this child looked like to an observer; NULL if it has none. */
static inline struct observation_log *journal_log(struct journal *j)
{
    return j->observing ? (struct observation_log *)(void *)(j + 1) : NULL;
}

/* What has been started, programs and calls: a call goes on for as long as this stays the same. */
static inline uint64_t journal_beat(const struct journal *j) { return j->started << 32 ^ j->position.calls; }

/* ---- Children ------------------------------------------------------------------------------------------------------ */

struct child_limits {
    double timeout; /* CPU seconds for one call, and twenty times that of wall time */
    /* Resident bytes. 0, the default: 1 GiB, and where the heap's memory is lent, 16 MiB beside what the harness has
     * lent and uses itself, but under memcheck, whose own memory cannot be told from the allocator's. */
    uint64_t memory_bytes;
    uint64_t request_max; /* exec's */
    /* Of minimising: judgements in all candidates, so that its end depends on no clock. 0, the default: about ten seconds'
     * worth. */
    uint64_t effort_max;
};

struct child {
    struct child_limits limits;
    struct target target;
    struct journal *journal;
    size_t journal_bytes;
    int journal_fd, socket;
    bool
        anew; /* a library's process begins by exec and not by fork alone, so that its addresses are others each time */
    pid_t pid; /* 0: none is running */
    /* of the watch over the running program */
    pid_t watched_pid; /* whose processor time cpu_then is */
    uint64_t watched;  /* the journal's heartbeat when looked at last */
    double cpu_then, wall_then;
};

/* Prepares a child; starts nothing yet. 0, or -1 with a line in `error` if and only if there is no shared memory. */
int child_open(struct child *c, const struct target *target, const struct child_limits *limits, char *error,
               size_t size);
void child_close(struct child *c);

/* Has every run from now on noted in the journal's log (observe.h): a single program's alone, a stretch's behind what is
 * there. Before anything is started. 0 or -1 as child_open. */
int child_observe(struct child *c, bool weighing, char *error, size_t size);

/* Ends the process, if any; the next call starts another. */
void child_kill(struct child *c);

struct child_result {
    struct verdict verdict;
    int signal_number, exit_status; /* for CRASH, ABORT; for EXIT */
    bool proven;                    /* for HANG: it was not waited for */
};

/* Runs one program, in a new process if none is running. The result's verdict is ERROR if the child could not be
 * started or the library not be opened. The trace of the run is in journal->trace afterwards. */
void child_run(struct child *c, const struct program *p, bool thorough, struct child_result *result);

/* As minimising runs it, with every block verified after every call; and if that holds, as a campaign does. On a heap of the
 * host in a process of its own each time. */
void child_replay(struct child *c, const struct program *p, struct child_result *result);

/* Runs the program with every request failing, as the target's `faults` says; where that breaks a rule, p's geometry is
 * made that of the run which did. */
void child_faults(struct child *c, struct program *p, struct child_result *result);

/* Begins a campaign by the journal's orders; 0 or -1 as child_run's ERROR, with the reason in journal->error. */
int child_begin_campaign(struct child *c);

/* Begins programs [first, first + count) of the journal's campaign.generator, for whose runs the log has room; it ends with
 * the first that breaks a rule, whose index is in campaign.index. 0 or -1 likewise. */
int child_begin_stretch(struct child *c, uint64_t first, unsigned count);

/* Begins the exploration (explore.h), whose record lies in memory that is shared with processes forked from here. Not for
 * what has to be preloaded. 0 or -1 likewise. */
int child_begin_exploration(struct child *c, struct explore *e);

/* Waits for at most `seconds` for something to happen. True if the work has ended, with *result filled. */
bool child_wait(struct child *c, double seconds, struct child_result *result);

struct process_memory {
    uint64_t resident, anonymous; /* bytes; 0 if they cannot be had */
};

/* Of a process of ours. */
struct process_memory memory_of(pid_t pid);

/* The worker's main, in a process that preload_exec started with these arguments: "__worker" JOURNAL_FD SOCKET_FD. */
#define WORKER_WORD "__worker"
int child_worker_main(int argc, char **argv);

#endif
