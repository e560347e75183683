/* faults.h: every request that a heap makes of its backing fails once, one by one, and in pairs.
 *
 * A program is run as it is, which counts its requests; then once for each of them, with that one failing; then with two
 * of them failing, those next to each other first, for the second of such a pair meets the allocator while it gets over
 * the first. All these runs go by the course `recover`, whatever the program's own, and leave alone what the program
 * makes fail itself. What fails is in the program's geometry, so a run that broke a rule is a program like any other.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "program.h"

enum faults_how { FAULTS_NONE, FAULTS_ONE, FAULTS_PAIRS };

#define FAULTS_ONES_MAX 2048u

/* How many runs one program is worth. Beyond, runs are left out at equal distances, and counted. */
struct faults_budget {
    uint32_t ones_max;  /* 1 .. FAULTS_ONES_MAX */
    uint32_t pairs_max; /* 0: none */
};

struct faults_counters {
    uint64_t requests;       /* made by the programs as they are */
    uint64_t ones, pairs;    /* runs with one request failing, with two */
    uint64_t ones_left_out;  /* requests that never failed alone, */
    uint64_t pairs_left_out; /* and pairs that never failed, for the budget's sake */
};

struct faults {
    enum faults_how how;
    struct faults_budget budget;
    /* Runs p and says how many requests it made; false if and only if it is not to go on, as a rule was broken. */
    bool (*run)(void *context, const struct program *p, uint64_t *requests);
    void *context;
    struct faults_counters *counters; /* added to */
    uint32_t made[FAULTS_ONES_MAX];   /* private: requests of the run in which the i-th one tried failed */
};

/* True with *p as it was, or false with *p as it was run last, if and only if a run said so. */
bool faults_everywhere(struct faults *f, struct program *p);

#endif
