/* free_cost.c: that free takes constant time (A24), counted and not timed.
 *
 * The processor's trap flag raises SIGTRAP after every instruction; the handler counts. One free among few free blocks
 * and one among many take about the same number of instructions, or the free looks through the list. Only x86 has the
 * flag within a program's reach, and Valgrind does not simulate it; elsewhere the rule is not checked.
 */
#include "exec_course.h"
#include "exec_internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 160u
#define SEARCH_MIN 128L
#define BLOCKS_MIN 96u /* with fewer, a linear search cannot be told from a branch taken */

#if defined(__x86_64__) || defined(__i386__)

#define TRAP_FLAG 0x100u

static volatile sig_atomic_t instructions;

static void count_instruction(int signal)
{
    (void)signal;
    instructions++;
}

#ifdef __x86_64__
static void set_flags(unsigned long long on, unsigned long long off)
{
    __builtin_ia32_writeeflags_u64((__builtin_ia32_readeflags_u64() | on) & ~off);
}
#else
static void set_flags(unsigned on, unsigned off)
{
    __builtin_ia32_writeeflags_u32((__builtin_ia32_readeflags_u32() | on) & ~off);
}
#endif

static bool can_count(void)
{
    const char *preload = getenv("LD_PRELOAD"); /* how Valgrind enters a process */
    return !preload || !strstr(preload, "vgpreload");
}

static long counted_free(struct exec *x, void *p)
{
    struct sigaction count = {.sa_handler = count_instruction}, old;
    sigaction(SIGTRAP, &count, &old);
    instructions = 0;
    set_flags(TRAP_FLAG, 0);
    x->ops->free(x->heap, p);
    set_flags(0, TRAP_FLAG);
    sigaction(SIGTRAP, &old, NULL);
    return instructions;
}

#else
static bool can_count(void) { return false; }
static long counted_free(struct exec *x, void *p)
{
    x->ops->free(x->heap, p);
    return 0;
}
#endif

/* Instructions of one free on a fresh heap, with `free_blocks` others free, none of them neighbours. -1: not so many
 * blocks fit. */
static long cost_among(struct exec *x, unsigned free_blocks, size_t request)
{
    void *p[BLOCKS_MAX];
    unsigned n = 0;
    if (!exec_fresh(x, false)) return -1;
    lender_spare(&x->lender);
    while (n < BLOCKS_MAX && (p[n] = x->ops->malloc(x->heap, request))) n++;
    if (n < BLOCKS_MIN) return -1;
    for (unsigned i = 1; i + 4 < n && free_blocks; i += 2, free_blocks--) x->ops->free(x->heap, p[i]);
    return counted_free(x, p[n / 2 * 2 - 3]);
}

bool free_cost(struct exec *x)
{
    if (!(x->options.contract.promises & PROMISE_CONST_FREE) || !can_count()) return true;
    if (!x->ops->free || x->options.contract.backing == BACKING_HOST) return true;
    long many = cost_among(x, BLOCKS_MAX, 16);
    /* Each instruction counted costs microseconds, and a search through so many blocks takes more than these. */
    long few = many <= SEARCH_MIN ? many : cost_among(x, 2, 16);
    model_fresh(x, false);
    if (few < 0 || many < 0) return true;
    exec_checked(x, RULE_A24);
    if (many <= 2 * few + 64) return true;
    return exec_fail(x, RULE_A24, NULL, "a free that costs the same however many blocks are free",
                     "%ld instructions with many, %ld with two", many, few);
}
