/* loop_proof.c: loop_proof.h is the manual.
 *
 * Whatever runs in the copy once its memory is read-only may store to its own area and to the alternate stack alone. So
 * it calls nothing but the kernel, and is not instrumented. A mistake here, or a signal in a signal, ends the copy,
 * and with it the proof.
 */
#include "loop_proof.h"

#if defined(__x86_64__) || defined(__i386__)

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define BARE __attribute__((no_sanitize("address", "undefined"), no_profile_instrument_function))

#define TRAP_FLAG 0x100
#define RESUME_FLAG 0x10000 /* comes and goes with faults, and changes nothing */
#define PAGE_BYTES 4096u
#define PAGES_MAX 64u           /* written to between two states */
#define RANGES_MAX 2048u        /* writable mappings */
#define MAPS_BYTES (256u << 10) /* of /proc/self/maps */
#define VECTORS_BYTES (16u << 10)

#ifdef __x86_64__
#define FLAGS REG_EFL
#define COUNTER REG_RIP
#define LEGACY_BYTES 0u                                                             /* before the FXSAVE image */
static const unsigned char passing[] = {REG_ERR, REG_TRAPNO, REG_OLDMASK, REG_CR2}; /* of the last fault */
#else
#define FLAGS REG_EFL
#define COUNTER REG_EIP
#define LEGACY_BYTES 112u
static const unsigned char passing[] = {REG_ERR, REG_TRAPNO};
#endif

struct range { /* of memory that is writable, or shared with other processes */
    uintptr_t start, end;
    bool shared, writable;
    int access; /* that does no harm: not writing; none to what is shared */
};

struct page {
    uintptr_t at;
    uint64_t before[PAGE_BYTES / sizeof(uint64_t)];
};

/* In memory that both processes share. The last state that was taken is `registers` and `vectors` and what `pages` say
 * that the memory was. */
struct area {
    uint32_t period;
    uint32_t steps, taken_at, steps_max;
    uint32_t range_count, page_count;
    uintptr_t stack_start, stack_end; /* the alternate stack */
    uintptr_t vdso_start, vdso_end;   /* the kernel's code, which reads clocks that the kernel keeps in memory */
    uintptr_t pinned;                 /* a page into which the kernel writes, and which stays writable; 0: none */
    uint32_t vectors_bytes;
    gregset_t registers;
    uint64_t vectors[VECTORS_BYTES / sizeof(uint64_t)];
    struct range ranges[RANGES_MAX];
    struct page pages[PAGES_MAX];
    char maps[MAPS_BYTES];
};

static struct area *area;

_Static_assert(sizeof(gregset_t) % sizeof(uint32_t) == 0, "registers are compared by words");

/* ---- In the copy --------------------------------------------------------------------------------------------------- */

BARE static _Noreturn void end(uint32_t period)
{
    area->period = period;
    for (;;) syscall(SYS_exit_group, 0);
}

BARE static void protect(uintptr_t start, uintptr_t stop, int access)
{
    if (start < stop && syscall(SYS_mprotect, start, stop - start, access)) end(0);
}

/* Volatile, lest the compiler call memcpy, which may be a sanitizer's. */
BARE static void copy(uint64_t *to, const volatile uint64_t *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof *to; i++) to[i] = from[i];
}

BARE static bool equal(const uint64_t *a, const volatile uint64_t *b, size_t bytes)
{
    size_t i = 0;
    while (i < bytes / sizeof *a && a[i] == b[i]) i++;
    return i == bytes / sizeof *a;
}

/* determined() for two-byte opcodes, the second of which is at `p`. */
BARE static bool determined_0f(const unsigned char *p, bool prefixed)
{
    bool register_form = p[1] >> 6 == 3;
    switch (*p) {
    case 0x00: /* STR and others */
    case 0x01: /* RDTSCP, RDPRU, XGETBV and others */
    case 0x03: /* LSL, by which Linux tells the processor's number */
    case 0x05: /* SYSCALL */
    case 0x31: /* RDTSC */
    case 0x33: /* RDPMC */
    case 0x34: /* SYSENTER */
    case 0xA2: /* CPUID */ return false;
    case 0xAE: return !register_form || !prefixed;             /* RDFSBASE, WRFSBASE, UMWAIT and others */
    case 0xC7: return !register_form || (p[1] & 0x30) != 0x30; /* RDRAND, RDSEED, RDPID */
    default: return true;
    }
}

/* Whether the outcome of the instruction at `p` depends on registers and memory alone, and tracing does not change it.
 * Only what a program may execute is looked for. */
BARE static bool determined(const unsigned char *p)
{
    bool prefixed = false; /* by one that selects another instruction */
    for (;; p++) {
        bool rex = sizeof(void *) == 8 && (*p & 0xF0) == 0x40;
        bool selects = *p == 0x66 || *p == 0xF2 || *p == 0xF3;
        bool segment = *p == 0x2E || *p == 0x36 || *p == 0x3E || *p == 0x26 || *p == 0x64 || *p == 0x65;
        if (!rex && !selects && !segment && *p != 0x67 && *p != 0xF0) break;
        prefixed |= selects;
    }
    switch (*p) {
    case 0x9C: /* PUSHF, which sees the trap flag, */
    case 0x9D: /* POPF, */
    case 0xCF: /* and IRET, which clear it */
    case 0xCC: /* INT, INTO */
    case 0xCD:
    case 0xCE:
    case 0xF1: return false;
    case 0xC7: return p[1] != 0xF8; /* XBEGIN: a trap aborts the transaction */
    case 0x0F: return determined_0f(p + 1, prefixed);
    default: return true;
    }
}

/* The same of what a computation is about to do. */
BARE static bool goes_on_by_itself(const struct area *a, const ucontext_t *u)
{
    uintptr_t at = (uintptr_t)u->uc_mcontext.gregs[COUNTER];
    return (at < a->vdso_start || at >= a->vdso_end) && determined((const unsigned char *)at);
}

BARE static void watch_page(struct area *a, uintptr_t at)
{
    if (a->page_count == PAGES_MAX) end(0);
    struct page *page = &a->pages[a->page_count++];
    page->at = at;
    copy(page->before, (const uint64_t *)at, PAGE_BYTES);
}

BARE static const struct range *range_of(const struct area *a, uintptr_t at)
{
    for (uint32_t i = 0; i < a->range_count; i++)
        if (at >= a->ranges[i].start && at < a->ranges[i].end) return &a->ranges[i];
    return NULL;
}

/* A store into a read-only page: the page is kept as it is, and then open. */
BARE static void on_fault(int number, siginfo_t *info, void *context)
{
    const ucontext_t *u = context;
    struct area *a = area;
    uintptr_t at = (uintptr_t)info->si_addr & -(uintptr_t)PAGE_BYTES;
    const struct range *range = range_of(a, at);
    bool stores = u->uc_mcontext.gregs[REG_ERR] & 2;
    (void)number;
    if (!range || range->shared || !stores || info->si_code != SEGV_ACCERR) end(0);
    watch_page(a, at);
    protect(at, at + PAGE_BYTES, range->access | PROT_WRITE);
}

BARE static void registers_of(const ucontext_t *u, gregset_t *out)
{
    const volatile greg_t *from = u->uc_mcontext.gregs;
    for (unsigned i = 0; i < sizeof *out / sizeof **out; i++) (*out)[i] = from[i];
    for (unsigned i = 0; i < sizeof passing; i++) (*out)[passing[i]] = 0;
    (*out)[FLAGS] &= ~RESUME_FLAG;
}

/* What the kernel has saved of the x87 and vector registers, of vectors_bytes. */
BARE static const uint64_t *vectors_of(const ucontext_t *u) { return (const void *)u->uc_mcontext.fpregs; }

BARE static bool same_state(const struct area *a, const ucontext_t *u)
{
    gregset_t now;
    registers_of(u, &now);
    for (unsigned i = 0; i < sizeof now / sizeof *now; i++)
        if (now[i] != a->registers[i]) return false;
    if (!equal(a->vectors, vectors_of(u), a->vectors_bytes)) return false;
    for (uint32_t i = 0; i < a->page_count; i++)
        if (!equal(a->pages[i].before, (const uint64_t *)a->pages[i].at, PAGE_BYTES)) return false;
    return true;
}

BARE static void take_state(struct area *a, const ucontext_t *u)
{
    registers_of(u, &a->registers);
    copy(a->vectors, vectors_of(u), a->vectors_bytes);
    for (uint32_t i = 0; i < a->page_count; i++) {
        uintptr_t at = a->pages[i].at;
        if (at != a->pinned) protect(at, at + PAGE_BYTES, range_of(a, at)->access);
    }
    a->page_count = 0;
    if (a->pinned) watch_page(a, a->pinned);
    a->taken_at = a->steps;
}

BARE static void on_step(int number, siginfo_t *info, void *context)
{
    const ucontext_t *u = context;
    struct area *a = area;
    (void)number;
    (void)info;
    if (a->steps++ && same_state(a, u)) end(a->steps - a->taken_at);
    if (a->steps >= a->steps_max || !goes_on_by_itself(a, u)) end(0);
    if (a->steps == 1)
        for (uint32_t i = 0; i < a->range_count; i++)
            if (a->ranges[i].shared) protect(a->ranges[i].start, a->ranges[i].end, PROT_NONE);
    if ((a->steps & (a->steps - 1)) == 0) take_state(a, u);
}

/* ---- Into the copy -------------------------------------------------------------------------------------------------- */

static uintptr_t read_address(const char **text)
{
    uintptr_t n = 0;
    for (;; ++*text) {
        char c = **text;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;
        if (digit == 16) return n;
        n = n << 4 | digit;
    }
}

/* Adds what of a range the proof does not need for itself; false if there is no room. */
static bool add_range(struct area *a, struct range r)
{
    const uintptr_t own[][2] = {{(uintptr_t)a, ((uintptr_t)(a + 1) + PAGE_BYTES - 1) & -(uintptr_t)PAGE_BYTES},
                                {a->stack_start, a->stack_end}};
    for (unsigned i = 0; i < 2; i++) {
        struct range below = r, above = r;
        if (own[i][0] >= r.end || own[i][1] <= r.start) continue;
        below.end = own[i][0];
        above.start = own[i][1];
        return (below.end <= r.start || add_range(a, below)) && (above.start >= r.end || add_range(a, above));
    }
    if (a->range_count == RANGES_MAX) return false;
    a->ranges[a->range_count++] = r;
    return true;
}

/* Lists what is writable, and all that is shared. */
static bool read_maps(struct area *a)
{
    size_t used = 0;
    ssize_t n = 0;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    while (used < MAPS_BYTES - 1 && (n = read(fd, a->maps + used, MAPS_BYTES - 1 - used)) > 0) used += (size_t)n;
    close(fd);
    a->maps[used] = '\0';
    a->range_count = 0;
    a->vdso_start = a->vdso_end = 0;
    if (n != 0 || !used) return false;
    for (const char *at = a->maps, *line_end; *at; at = line_end + 1) { /* "START-END rwxp OFFSET … [vdso]" */
        struct range r = {.start = read_address(&at)};
        at += *at == '-';
        r.end = read_address(&at);
        if (*at != ' ') return false;
        r.writable = at[2] == 'w';
        r.shared = at[4] == 's';
        if (!r.shared) r.access = (at[1] == 'r' ? PROT_READ : 0) | (at[3] == 'x' ? PROT_EXEC : 0);
        if ((r.shared || r.writable) && !add_range(a, r)) return false;
        line_end = strchr(at, '\n');
        if (!line_end) return false;
        if (strncmp(line_end - 6, "[vdso]", 6) == 0) a->vdso_start = r.start, a->vdso_end = r.end;
    }
    return true;
}

extern const ptrdiff_t __rseq_offset __attribute__((weak)); /* glibc's, from 2.35 */
extern const unsigned __rseq_size __attribute__((weak));

/* Where the kernel notes the processor that a thread runs on, if the C library has asked for that. */
static uintptr_t pinned_page(void)
{
    uintptr_t thread;
    if (!&__rseq_offset || !&__rseq_size || !__rseq_size) return 0;
#ifdef __x86_64__
    __asm__("mov %%fs:0, %0" : "=r"(thread));
#else
    __asm__("mov %%gs:0, %0" : "=r"(thread));
#endif
    return (thread + (uintptr_t)__rseq_offset) & -(uintptr_t)PAGE_BYTES;
}

/* The length of the saved registers: the kernel tells it behind the FXSAVE image where there is more than that. */
static uint32_t vectors_bytes(const ucontext_t *u)
{
    const unsigned char *saved = (const void *)u->uc_mcontext.fpregs;
    uint32_t told[2];
    if (!saved) return 0;
    memcpy(told, saved + LEGACY_BYTES + 464, sizeof told);
    return told[0] == 0x46505853 ? told[1] / 8 * 8 : LEGACY_BYTES + 512;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&act.sa_mask);
    sigaction(number, &act, NULL);
}

/* Makes this process, which is the copy, go on by steps when the signal handler returns. On its way it may still read
 * what is shared. */
BARE static void begin(struct area *a, ucontext_t *u)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    handle(SIGTRAP, on_step);
    handle(SIGSEGV, on_fault);
    sigdelset(&u->uc_sigmask, SIGTRAP);
    sigdelset(&u->uc_sigmask, SIGSEGV);
    if (!read_maps(a) || !goes_on_by_itself(a, u)) end(0);
    u->uc_mcontext.gregs[FLAGS] |= TRAP_FLAG;
    for (uint32_t i = 0; i < a->range_count; i++) {
        const struct range *r = &a->ranges[i];
        bool pinned = a->pinned >= r->start && a->pinned < r->end;
        if (!r->writable) continue;
        protect(r->start, pinned ? a->pinned : r->end, r->shared ? PROT_READ : r->access);
        if (pinned) protect(a->pinned + PAGE_BYTES, r->end, r->access);
    }
}

/* ---- In the process --------------------------------------------------------------------------------------------------- */

/* How many threads there are; 0 if the system does not tell. */
static unsigned threads(void)
{
    struct stat s;
    return stat("/proc/self/task", &s) || s.st_nlink < 3 ? 0 : (unsigned)s.st_nlink - 2;
}

uint32_t loop_proof(void *context, uint32_t instructions_max)
{
    ucontext_t *u = context;
    struct area *a = area;
    stack_t stack;
    int status;
    if (threads() != 1 || sigaltstack(NULL, &stack) || !(stack.ss_flags & SS_ONSTACK)) return 0;
    a->stack_start = (uintptr_t)stack.ss_sp;
    a->stack_end = a->stack_start + stack.ss_size;
    if (a->stack_start % PAGE_BYTES || a->stack_end % PAGE_BYTES) return 0;
    a->vectors_bytes = vectors_bytes(u);
    if (!a->vectors_bytes || a->vectors_bytes > VECTORS_BYTES) return 0;
    a->pinned = pinned_page();
    a->period = a->steps = a->page_count = 0;
    a->steps_max = instructions_max < LOOP_PROOF_INSTRUCTIONS_MAX ? instructions_max : LOOP_PROOF_INSTRUCTIONS_MAX;
    /* Not fork(), which runs what the allocator may have registered for it. */
    long copy = syscall(SYS_fork);
    if (copy < 0) return 0;
    if (copy == 0) {
        begin(a, u);
        return 0; /* into the interrupted computation, by way of the handler */
    }
    while (waitpid((pid_t)copy, &status, 0) < 0 && errno == EINTR) continue;
    return a->period;
}

static volatile sig_atomic_t trapped;

static void on_trap(int number)
{
    (void)number;
    trapped = 1;
}

bool loop_proof_open(void)
{
    struct sigaction act = {.sa_handler = on_trap}, old;
    if (sysconf(_SC_PAGESIZE) != PAGE_BYTES) return false;
    sigaction(SIGTRAP, &act, &old);
#ifdef __x86_64__
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(unsigned long long)TRAP_FLAG);
#else
    __builtin_ia32_writeeflags_u32(__builtin_ia32_readeflags_u32() | TRAP_FLAG);
    __builtin_ia32_writeeflags_u32(__builtin_ia32_readeflags_u32() & ~(unsigned)TRAP_FLAG);
#endif
    sigaction(SIGTRAP, &old, NULL);
    if (!trapped || area) return trapped;
    void *p = mmap(NULL, sizeof *area, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) area = p;
    return area != NULL;
}

#else

bool loop_proof_open(void) { return false; }
uint32_t loop_proof(void *context, uint32_t instructions_max)
{
    (void)context;
    (void)instructions_max;
    return 0;
}

#endif
