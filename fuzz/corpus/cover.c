/* cover.c: the programs of corpus/<allocator>/: few that reach all of an allocator's code that many reach.
 *
 *   assay_cover ALLOC FILE…                            runs each file in this process, with every block verified after
 *                                                      every call and then without: for builds that count by themselves
 *   assay_cover ALLOC --choose PROGRAMS DIR [FILE…]    of PROGRAMS generated ones and the files, writes to DIR those that
 *                                                      together reach every edge that any of them reaches
 *
 * Choosing needs the allocators compiled with clang's -fsanitize-coverage=inline-bool-flag: one flag for each edge of
 * their control flow, set when it is taken. It is greedy: the program that adds most edges comes next (V. Chvatal, 1979);
 * then each loses the operations that no edge of its own needs. What is left is written in the literal form, which no
 * later change of the decoder gives another meaning.
 *
 * Exit status: 0; 1 if a program breaks a rule; 2 if nothing can be run. ci/corpus and ci/coverage are the ways in.
 */
#include "encode.h"
#include "exec.h"
#include "generator.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED 1u
#define CANDIDATES_MAX 4096u

/* ---- Edges --------------------------------------------------------------------------------------------------------- */

static bool *edges;
static size_t edge_count;

/* Called before main by every unit compiled so, each time with the flags of all of them. */
void __sanitizer_cov_bool_flag_init(bool *start, bool *stop);
void __sanitizer_cov_bool_flag_init(bool *start, bool *stop)
{
    edges = start;
    edge_count = (size_t)(stop - start);
}

static size_t count(const bool *set)
{
    size_t n = 0;
    for (size_t i = 0; i < edge_count; i++) n += set[i];
    return n;
}

/* How many of `set` are not in `known`. */
static size_t count_new(const bool *set, const bool *known)
{
    size_t n = 0;
    for (size_t i = 0; i < edge_count; i++) n += set[i] && !known[i];
    return n;
}

static void join(bool *all, const bool *set)
{
    for (size_t i = 0; i < edge_count; i++) all[i] |= set[i];
}

/* ---- Runs ---------------------------------------------------------------------------------------------------------- */

struct candidate {
    struct program *program;
    bool *reached;
};

static struct target target;
static struct exec_counters counters;
static struct exec *plain, *thorough;
static struct candidate candidates[CANDIDATES_MAX];
static size_t candidate_count;
static const char *folder; /* of what is chosen; NULL if nothing is */
static bool broken;        /* a program broke a rule */

static void *memory(size_t bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    if (p) return p;
    fputs("assay_cover: no memory\n", stderr);
    exit(2);
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "assay_cover: %s: %s\n", what, why);
    return 2;
}

/* Named by their bytes, so that what stays the same keeps its name (FNV-1a). */
static int write_program(const struct program *p)
{
    static unsigned char bytes[PROGRAM_BYTES_MAX];
    char path[4096], error[4400];
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    size_t length = program_encode(p, bytes);
    for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    snprintf(path, sizeof path, "%s/%08x.bin", folder, (unsigned)(hash ^ hash >> 32));
    return store_text(path, (char *)bytes, length, error, sizeof error) ? fail(path, error) : 0;
}

/* True if it held. One of our own making that does not is kept. */
static bool run(struct exec *x, const struct program *p)
{
    struct verdict v = {.kind = VERDICT_ERROR};
    if (edges) memset(edges, 0, edge_count);
    exec_run(x, p, &v);
    if (v.kind == VERDICT_FAIL) {
        broken = true;
        fprintf(stderr, "assay_cover: %s: %s\n  expected: %s\n  seen:     %s\n", target.name, rule_info(v.rule)->id,
                v.expected, v.seen);
        if (folder && write_program(p)) exit(2);
    }
    return v.kind == VERDICT_PASS;
}

static int open_target(const char *name)
{
    char error[1024];
    if (target_resolve(&target, name, NULL, NULL, error, sizeof error) || target_open(&target, error, sizeof error))
        return fail(name, error);
    struct exec_options o = {.ops = target.ops, .contract = target.contract, .counters = &counters};
    plain = exec_open(&o);
    o.thorough = true;
    thorough = exec_open(&o);
    return plain && thorough ? 0 : fail(name, "no memory for the executor");
}

static int replay(char **paths)
{
    static struct program p;
    char error[4400];
    int status = 0;
    for (; *paths; paths++) {
        if (store_program(*paths, &p, error, sizeof error)) return fail(*paths, error);
        if (run(thorough, &p) && run(plain, &p)) continue;
        status = fail(*paths, "does not hold") - 1;
    }
    return status;
}

/* ---- Choosing ------------------------------------------------------------------------------------------------------ */

/* Keeps the program if it reaches what none before it did. */
static void consider(const struct program *p, bool *reached)
{
    if (candidate_count == CANDIDATES_MAX || !run(plain, p) || !count_new(edges, reached)) return;
    struct candidate *c = &candidates[candidate_count++];
    c->program = memory(sizeof *p);
    c->reached = memory(edge_count);
    *c->program = *p;
    memcpy(c->reached, edges, edge_count);
    join(reached, edges);
}

/* Brings the best of those from `chosen` on to that place; false if none adds anything. */
static bool choose_next(size_t chosen, const bool *covered)
{
    size_t best = chosen, most = 0;
    for (size_t i = chosen; i < candidate_count; i++) {
        size_t n = count_new(candidates[i].reached, covered);
        if (n < most || (n == most && candidates[i].program->op_count >= candidates[best].program->op_count)) continue;
        best = i;
        most = n;
    }
    if (!most) return false;
    struct candidate c = candidates[best];
    candidates[best] = candidates[chosen];
    candidates[chosen] = c;
    return true;
}

/* Leaves out operations, many at first and then one by one, while everything in `needed` is still reached. */
static void shrink(struct candidate *c, const bool *needed)
{
    static struct program shorter;
    struct program *p = c->program;
    for (uint32_t length = p->op_count / 2; length; length /= 2) {
        for (uint32_t at = 0; at + length <= p->op_count;) {
            shorter = *p;
            shorter.op_count -= length;
            memmove(shorter.ops + at, p->ops + at + length, (p->op_count - at - length) * sizeof *p->ops);
            if (run(plain, &shorter) && !count_new(needed, edges)) {
                *p = shorter;
                memcpy(c->reached, edges, edge_count);
            } else {
                at += length;
            }
        }
    }
}

static void shrink_all(size_t chosen)
{
    bool *needed = memory(edge_count), *others = memory(edge_count);
    for (size_t i = 0; i < chosen; i++) {
        memset(others, 0, edge_count);
        for (size_t k = 0; k < chosen; k++)
            if (k != i) join(others, candidates[k].reached);
        for (size_t k = 0; k < edge_count; k++) needed[k] = candidates[i].reached[k] && !others[k];
        shrink(&candidates[i], needed);
    }
    free(needed);
    free(others);
}

static int choose(uint64_t programs, char **paths)
{
    static struct program p;
    struct generator g;
    char error[4400];
    if (!edge_count) return fail(target.name, "its code was not compiled to tell which edges are taken");
    bool *reached = memory(edge_count), *covered = memory(edge_count);
    int status = 0;
    for (; *paths && !status; paths++) {
        if (store_program(*paths, &p, error, sizeof error)) status = fail(*paths, error);
        else consider(&p, reached);
    }
    generator_init(&g, &target, SEED);
    for (uint64_t i = 0; i < programs && !status; i++) {
        generator_program(&g, i, &p);
        consider(&p, reached);
    }
    size_t chosen = 0;
    for (; choose_next(chosen, covered); chosen++) join(covered, candidates[chosen].reached);
    shrink_all(chosen);
    for (size_t i = 0; i < chosen && !status; i++) status = write_program(candidates[i].program);
    printf("%s: %zu programs reach the %zu edges that %llu reach\n", target.name, chosen, count(covered),
           (unsigned long long)programs);
    free(reached);
    free(covered);
    return status ? status : broken;
}

int main(int argc, char **argv)
{
    if (argc < 3) return fail("usage", "assay_cover ALLOC FILE…, or ALLOC --choose PROGRAMS DIR [FILE…]");
    if (open_target(argv[1])) return 2;
    if (strcmp(argv[2], "--choose") != 0) {
        int status = replay(argv + 2);
        exec_close(plain);
        exec_close(thorough);
        return status;
    }
    if (argc < 5) return fail("--choose", "needs a number and a folder");
    folder = argv[4];
    return choose(strtoull(argv[3], NULL, 10), argv + 5);
}
