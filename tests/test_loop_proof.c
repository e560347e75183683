/* test_loop_proof.c: what repeats itself is proven to, with its period; whatever else could have a say in how a
 * computation goes on is seen; and a computation that was looked into goes on as if nothing had happened. */
#include <stdio.h>

#if defined(__x86_64__) || defined(__i386__)
#include "loop_proof.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define NOTHING 0u
#define INSTRUCTIONS 16384u

static struct {
    uint32_t instructions, period;
    bool leave; /* the computation, once it has been looked into */
    pid_t process;
    sigjmp_buf out;
} run;

static void on_alarm(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    run.period = loop_proof(context, run.instructions);
    if (run.leave && getpid() == run.process) siglongjmp(run.out, 1);
}

/* Has the computation looked into after 10 milliseconds of it: the period found. */
static uint32_t period_of(void (*compute)(void), uint32_t instructions, bool leave)
{
    static _Alignas(4096) unsigned char stack[64 << 10];
    const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    const struct itimerval once = {.it_value = {.tv_usec = 10000}};
    struct sigaction act = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    assert_int_equal(sigaltstack(&alternate, NULL), 0);
    assert_int_equal(sigaction(SIGVTALRM, &act, NULL), 0);
    run.instructions = instructions;
    run.period = UINT32_MAX; /* to be earned */
    run.leave = leave;
    run.process = getpid();
    if (sigsetjmp(run.out, 1) == 0) {
        setitimer(ITIMER_VIRTUAL, &once, NULL);
        compute();
    }
    return run.period;
}

static uint32_t period(void (*compute)(void)) { return period_of(compute, INSTRUCTIONS, true); }

/* Without it, there is nothing to test: another processor, or an emulator. */
static void need_proofs(void)
{
    if (!loop_proof_open()) skip();
}

/* Not counted where coverage is: the counters would grow, and be seen. */
#define LOOP __attribute__((no_profile_instrument_function)) static void

/* ---- What repeats itself --------------------------------------------------------------------------------------------- */

LOOP jump_to_itself(void)
{
    for (;;) __asm__ volatile("1: jmp 1b");
}

LOOP five_instructions(void)
{
    for (;;) __asm__ volatile("1: nop\n\tnop\n\tnop\n\tnop\n\tjmp 1b");
}

static void *volatile ring[7];

LOOP follow_a_ring(void)
{
    for (unsigned i = 0; i < 7; i++) ring[i] = (void *)&ring[(i + 3) % 7];
    for (void *volatile *p = &ring[0];; p = *p) continue;
}

static unsigned char *counter;

LOOP count_one_byte(void)
{
    for (volatile unsigned char *c = counter;; ++*c) continue;
}

static void loops_are_proven(void **state)
{
    (void)state;
    need_proofs();
    assert_int_equal(period(jump_to_itself), 1);
    assert_int_equal(period(five_instructions), 5);
}

static void loops_in_memory_are_proven(void **state)
{
    (void)state;
    need_proofs();
    uint32_t n = period(follow_a_ring);
    assert_true(n >= 7 && n % 7 == 0);
    counter = calloc(1, 1);
    assert_non_null(counter);
    n = period(count_one_byte);
    assert_true(n >= 256 && n % 256 == 0);
    assert_int_equal(period_of(count_one_byte, 200, true), NOTHING);
    free(counter);
}

/* ---- What does not --------------------------------------------------------------------------------------------------- */

static void count_in_a_register(void)
{
    size_t n = 0;
    __asm__ volatile("1: inc %0\n\tjmp 1b" : "+r"(n));
}

static void count_in_a_vector(void)
{
    __asm__ volatile("pcmpeqd %%xmm1, %%xmm1\n1: paddq %%xmm1, %%xmm0\n\tjmp 1b" ::: "xmm0", "xmm1");
}

static void count_on_the_fpu(void)
{
    __asm__ volatile("fld1\n\tfld1\n1: fadd %%st, %%st(1)\n\tjmp 1b" ::: "st", "st(1)");
}

static volatile size_t still;

static void count_in_static_data(void)
{
    for (;;) still++;
}

static void count_on_the_stack(void)
{
    for (volatile size_t n = 0;; n++) continue;
}

static void count_on_the_heap(void)
{
    for (volatile size_t *n = (void *)counter;; ++*n) continue;
}

static void counting_is_no_loop(void **state)
{
    (void)state;
    need_proofs();
    counter = calloc(1, sizeof(size_t));
    assert_non_null(counter);
    assert_int_equal(period(count_in_a_register), NOTHING);
    assert_int_equal(period(count_in_a_vector), NOTHING);
    assert_int_equal(period(count_on_the_fpu), NOTHING);
    __asm__ volatile("fninit");
    assert_int_equal(period(count_in_static_data), NOTHING);
    assert_int_equal(period(count_on_the_stack), NOTHING);
    assert_int_equal(period(count_on_the_heap), NOTHING);
    free(counter);
}

LOOP ask_the_system(void)
{
    for (;;) getppid();
}

static void read_the_clock(void)
{
    __asm__ volatile("1: rdtsc\n\txor %%eax, %%eax\n\txor %%edx, %%edx\n\tjmp 1b" ::: "eax", "edx", "cc");
}

LOOP wait_for_the_clock(void)
{
    for (;;) time(NULL);
}

static volatile int *shared;

LOOP wait_for_somebody(void)
{
    while (!*shared) continue;
}

static void what_others_may_change_is_no_loop(void **state)
{
    (void)state;
    need_proofs();
    assert_int_equal(period(ask_the_system), NOTHING);
    assert_int_equal(period(read_the_clock), NOTHING);
    assert_int_equal(period(wait_for_the_clock), NOTHING);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(p != MAP_FAILED);
    shared = p;
    assert_int_equal(period(wait_for_somebody), NOTHING);
    munmap(p, 4096);
}

static int pipe_ends[2];

static void *wait_for_the_end(void *unused)
{
    char byte;
    if (read(pipe_ends[0], &byte, 1) != 0) abort();
    return unused;
}

static void a_second_thread_is_enough_to_say_nothing(void **state)
{
    pthread_t thread;
    sigset_t alarm, before;
    (void)state;
    need_proofs();
    assert_int_equal(pipe(pipe_ends), 0);
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGVTALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, &before); /* the alarm is for the thread that computes */
    assert_int_equal(pthread_create(&thread, NULL, wait_for_the_end, NULL), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(period(jump_to_itself), NOTHING);
    close(pipe_ends[1]);
    pthread_join(thread, NULL);
    close(pipe_ends[0]);
}

/* ---- What was looked into goes on -------------------------------------------------------------------------------------- */

#define LAPS 40000000u

static volatile uint64_t sum;

static void add_up(void)
{
    for (volatile unsigned i = 1; i <= LAPS; i++) sum += i;
}

static void a_computation_goes_on_undisturbed(void **state)
{
    (void)state;
    need_proofs();
    sum = 0;
    assert_int_equal(period_of(add_up, INSTRUCTIONS, false), NOTHING);
    assert_int_equal(sum, (uint64_t)LAPS * (LAPS + 1) / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_are_proven),
        cmocka_unit_test(loops_in_memory_are_proven),
        cmocka_unit_test(counting_is_no_loop),
        cmocka_unit_test(what_others_may_change_is_no_loop),
        cmocka_unit_test(a_second_thread_is_enough_to_say_nothing),
        cmocka_unit_test(a_computation_goes_on_undisturbed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    puts("loops are proven on x86 alone");
    return 77;
}
#endif
