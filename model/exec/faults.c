/* faults.c: faults.h is the manual. */
#include "faults.h"

/* What a numbered run makes fail beside what the program does itself. */
static bool run_with(struct faults *f, struct program *p, uint64_t first, uint64_t second, uint64_t *requests)
{
    p->heap.course = COURSE_RECOVER;
    p->heap.fail = (uint32_t)first;
    p->heap.fail_also = (uint32_t)second;
    return f->run(f->context, p, requests);
}

/* The i-th of `tried` numbers at equal distances in 1 .. all. */
static uint64_t number(uint32_t i, uint32_t tried, uint64_t all) { return 1 + (uint64_t)i * all / tried; }

static bool ones(struct faults *f, struct program *p, uint64_t all, uint32_t tried)
{
    for (uint32_t i = 0; i < tried; i++) {
        uint64_t made = 0;
        f->counters->ones++;
        if (!run_with(f, p, number(i, tried, all), 0, &made)) return false;
        f->made[i] = made < UINT32_MAX ? (uint32_t)made : UINT32_MAX;
    }
    f->counters->ones_left_out += all - tried;
    return true;
}

/* By distance, nearest first; if there are more first ones than the budget, as many as that, spread evenly. */
static bool pairs(struct faults *f, struct program *p, uint64_t all, uint32_t tried)
{
    const uint32_t stride = f->budget.pairs_max ? 1 + (tried - 1) / f->budget.pairs_max : 1;
    uint64_t possible = 0, done = 0, farthest = 0;
    for (uint32_t i = 0; i < tried; i++) {
        const uint64_t n = number(i, tried, all), behind = f->made[i] > n ? f->made[i] - n : 0;
        possible += behind;
        if (behind > farthest) farthest = behind;
    }
    for (uint64_t distance = 1; distance <= farthest; distance++)
        for (uint32_t i = 0; i < tried && done < f->budget.pairs_max; i += stride) {
            const uint64_t n = number(i, tried, all);
            uint64_t made;
            if (n + distance > f->made[i]) continue;
            done++;
            f->counters->pairs++;
            if (!run_with(f, p, n, n + distance, &made)) return false;
        }
    f->counters->pairs_left_out += possible - done;
    return true;
}

bool faults_everywhere(struct faults *f, struct program *p)
{
    const struct heap_geometry own = p->heap;
    uint64_t requests = 0;
    p->heap.course = COURSE_PLAIN;
    if (!f->run(f->context, p, &requests)) return false;
    p->heap = own;
    f->counters->requests += requests;
    if (f->how == FAULTS_NONE || requests == 0) return true;
    const uint32_t tried = requests < f->budget.ones_max ? (uint32_t)requests : f->budget.ones_max;
    if (!ones(f, p, requests, tried)) return false;
    if (f->how == FAULTS_PAIRS && !pairs(f, p, requests, tried)) return false;
    p->heap = own;
    return true;
}
