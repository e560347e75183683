/* bench.h: what the programs of bench/ share: a clock, medians, and the form of a result.
 *
 * Every figure is the median of several repeats. CPU time is taken, not wall time, so that a busy machine disturbs as
 * little as it can; a ratio's two sides are measured in turns, in the same process, for the same reason.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BENCH_REPEATS 15u

static inline double bench_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline int bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, bench_compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* splitmix64: any start is a good one. */
static inline uint64_t bench_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* One row of the table that bench/run prints: "what", the figure with its unit, and "at most" or "at least" a target; a
 * target of 0 is none. The last column is figure : target, below 1.00 being good where it says "at most". */
enum bench_bound { BENCH_AT_MOST, BENCH_AT_LEAST };

static inline void bench_row(const char *what, double figure, const char *unit, enum bench_bound bound, double target)
{
    const char *sign = bound == BENCH_AT_MOST ? "<=" : ">=";
    if (target > 0) printf("%-58s %10.2f %-8s %s %7.2f %8.2f\n", what, figure, unit, sign, target, figure / target);
    else printf("%-58s %10.2f %s\n", what, figure, unit);
}

#endif
