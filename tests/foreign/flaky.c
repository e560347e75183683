/* flaky.c: bump.c with a realloc that loses the contents at times, whatever the program: FLAKY says when.
 *
 *   RANDOM    three times in ten, by a generator of its own, seeded by the system
 *   PROCESS   in every third process, all the time
 *   ADDRESS   where the stack of the process begins in an odd page
 *   THREAD    while a thread of its own, which is asleep most of the time, is awake
 *   LONG      one time in ten, so that a program fails the more often the longer it is
 */
#include <pthread.h>
#include <stdint.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum flaky_kind { RANDOM, PROCESS, ADDRESS, THREAD, LONG };

static volatile int awake;

static int in_a_hundred(unsigned share)
{
    uint32_t r = 0;
    return getrandom(&r, sizeof r, 0) == sizeof r && r % 100 < share;
}

static void *nap(void *unused)
{
    for (;;) {
        const struct timespec asleep = {.tv_nsec = 300000}, up = {.tv_nsec = 100000};
        awake = 0;
        nanosleep(&asleep, 0);
        awake = 1;
        nanosleep(&up, 0);
    }
    return unused;
}

static int forgets(enum flaky_kind kind)
{
    static int started;
    pthread_t thread;
    switch (kind) {
    case RANDOM: return in_a_hundred(30);
    case LONG: return in_a_hundred(10);
    case PROCESS: return getpid() % 3 == 0;
    case ADDRESS: return (uintptr_t)&thread >> 12 & 1;
    case THREAD:
        if (!started++ && pthread_create(&thread, 0, nap, 0)) return 1;
        return awake;
    }
    return 0;
}

#define FORGETS forgets(FLAKY)
#include "bump.c"
