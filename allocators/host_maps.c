/* host_maps.c: host_maps.h is the manual.
 *
 * The filter lets through what the two functions in the section `assay_direct` ask for, by the address of the
 * instruction; they are the handler's only way to the system. Nothing here sets errno, takes memory from malloc or a
 * lock: the handler may run anywhere in the library.
 */
#include "host_maps.h"

#if (defined __x86_64__ || defined __i386__) && __has_include(<linux/seccomp.h>)
#define WATCHING 1
#else
#define WATCHING 0
#endif

__thread unsigned host_maps_inside;

#if !WATCHING
#include <errno.h>

int host_maps_watch(uint64_t limit_bytes) { return (void)limit_bytes, ENOSYS; }
bool host_maps_watched(void) { return false; }
void host_maps_judge(bool (*refuses)(void *context, bool full), void *context) { (void)refuses, (void)context; }
uint64_t host_maps_bytes(void) { return 0; }
#else

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE ((uintptr_t)4096)
#define PIECES_MAX 65536u /* as many mappings as a process may have; what does not fit is not counted */

#if defined __x86_64__
#define CALL_MMAP SYS_mmap
#define ZONE_FIRST UINT64_C(0x300000001000) /* behind the heaps that backing.c lends */
#define ZONE_END UINT64_C(0x500000000000)
#define THIS_ARCH AUDIT_ARCH_X86_64
#else
#define CALL_MMAP SYS_mmap2 /* its offset counts pages; the older call is not made any more */
#define ZONE_FIRST UINT64_C(0x60001000)
#define ZONE_END UINT64_C(0xe0000000)
#define THIS_ARCH AUDIT_ARCH_I386
#endif

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_32BIT
#define MAP_32BIT 0x40
#endif
#define PLACED_BY_SYSTEM (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT | MAP_GROWSDOWN | MAP_HUGETLB)

struct piece {
    uintptr_t from, to;
};

static struct {
    bool on;
    bool (*refuses)(void *context, bool full);
    void *context;
    uint64_t limit, bytes;
    uintptr_t next;       /* where the next mapping is tried */
    uintptr_t brk;        /* 0: not yet known */
    struct piece *pieces; /* what the library has mapped, in the order of addresses, apart */
    uint32_t count;
} watch;

/* ---- The way to the system ------------------------------------------------------------------------------------------- */

extern const char __start_assay_direct[], __stop_assay_direct[];

__attribute__((section("assay_direct"), noinline)) static long direct(long number, const long *a)
{
    long result;
#if defined __x86_64__
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#else
    /* ebp and ebx may both be the compiler's own: they are saved by hand. */
    const long all[7] = {number, a[0], a[1], a[2], a[3], a[4], a[5]};
    __asm__ volatile("pushl %%ebp\n\tpushl %%ebx\n\tpushl %%esi\n\tpushl %%edi\n\t"
                     "movl 4(%%eax), %%ebx\n\tmovl 8(%%eax), %%ecx\n\tmovl 12(%%eax), %%edx\n\t"
                     "movl 16(%%eax), %%esi\n\tmovl 20(%%eax), %%edi\n\tmovl 24(%%eax), %%ebp\n\t"
                     "movl (%%eax), %%eax\n\tint $0x80\n\t"
                     "popl %%edi\n\tpopl %%esi\n\tpopl %%ebx\n\tpopl %%ebp"
                     : "=a"(result)
                     : "0"(all)
                     : "ecx", "edx", "memory");
#endif
    return result;
}

static bool is_error(long result) { return (unsigned long)result > (unsigned long)-4096; }

static long ask(long number, long a, long b, long c, long d, long e, long f)
{
    const long all[6] = {a, b, c, d, e, f};
    return direct(number, all);
}

static long unmap(uintptr_t at, size_t bytes) { return ask(SYS_munmap, (long)at, (long)bytes, 0, 0, 0, 0); }

/* ---- The books ------------------------------------------------------------------------------------------------------- */

/* The first piece that ends behind `at`. */
static uint32_t piece_at(uintptr_t at)
{
    uint32_t low = 0, high = watch.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (watch.pieces[middle].to <= at) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void insert(uint32_t i, struct piece p)
{
    if (watch.count == PIECES_MAX) return;
    memmove(watch.pieces + i + 1, watch.pieces + i, (watch.count - i) * sizeof p);
    watch.pieces[i] = p;
    watch.count++;
    watch.bytes += p.to - p.from;
}

static void forget(uintptr_t from, uintptr_t to)
{
    uint32_t i = piece_at(from);
    while (i < watch.count && watch.pieces[i].from < to) {
        const struct piece p = watch.pieces[i];
        watch.count--;
        memmove(watch.pieces + i, watch.pieces + i + 1, (watch.count - i) * sizeof p);
        watch.bytes -= p.to - p.from;
        if (p.from < from) insert(i++, (struct piece){p.from, from});
        if (p.to > to) insert(i, (struct piece){to, p.to});
    }
}

static void note(uintptr_t from, size_t bytes)
{
    forget(from, from + bytes);
    insert(piece_at(from), (struct piece){from, from + bytes});
}

static size_t whole(long bytes) { return ((size_t)bytes + PAGE - 1) & ~(size_t)(PAGE - 1); }

/* Refused on demand, or as the limit is reached. */
static bool refused(size_t more)
{
    const bool full = watch.limit && (watch.bytes > watch.limit || more > watch.limit - watch.bytes);
    return (watch.refuses && watch.refuses(watch.context, full)) || full;
}

/* ---- The library's calls ---------------------------------------------------------------------------------------------- */

/* Maps at the next free place of the zone, one page behind the last mapping. */
static long place(size_t bytes, long protection, long flags, long fd, long offset)
{
    for (unsigned turns = 0; turns < 2; watch.next = (uintptr_t)ZONE_FIRST, turns++)
        while (watch.next < ZONE_END && bytes < ZONE_END - watch.next) {
            long r = ask(CALL_MMAP, (long)watch.next, (long)bytes, protection, flags | MAP_FIXED_NOREPLACE, fd, offset);
            if (!is_error(r) && (uintptr_t)r != watch.next) unmap((uintptr_t)r, bytes), r = -EEXIST; /* an old kernel */
            if (r != -EEXIST) {
                if (!is_error(r)) watch.next += bytes + PAGE;
                return r;
            }
            watch.next += bytes + PAGE;
        }
    return -ENOMEM;
}

static long map(const long *a)
{
    const size_t bytes = whole(a[1]);
    if (!bytes || bytes < (size_t)a[1]) return direct(CALL_MMAP, a);
    if (refused(bytes)) return -ENOMEM;
    const bool system = a[3] & PLACED_BY_SYSTEM;
    long r = system ? direct(CALL_MMAP, a) : place(bytes, a[2], a[3], a[4], a[5]);
    if (!is_error(r)) note((uintptr_t)r, bytes);
    return r;
}

static long unmap_some(const long *a)
{
    if (refused(0)) return -ENOMEM;
    long r = direct(SYS_munmap, a);
    if (!r) forget((uintptr_t)a[0], (uintptr_t)a[0] + whole(a[1]));
    return r;
}

static long grow_in_place(uintptr_t at, size_t old, size_t bytes)
{
    long r = ask(SYS_mremap, (long)at, (long)old, (long)(bytes + PAGE), 0, 0, 0);
    if (!is_error(r)) unmap(at + bytes, PAGE);
    return r;
}

static long grow_elsewhere(uintptr_t at, size_t old, size_t bytes)
{
    long to = place(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (is_error(to)) return to;
    long r = ask(SYS_mremap, (long)at, (long)old, (long)bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to, 0);
    if (is_error(r)) unmap((uintptr_t)to, bytes);
    return r;
}

static long move(const long *a)
{
    const uintptr_t at = (uintptr_t)a[0];
    const size_t old = whole(a[1]), bytes = whole(a[2]);
    const bool plain = !(a[3] & ~(long)MREMAP_MAYMOVE) && old && bytes;
    if (bytes > old && refused(bytes - old)) return -ENOMEM;
    long r = !plain || bytes <= old  ? direct(SYS_mremap, a)
             : a[3] & MREMAP_MAYMOVE ? grow_elsewhere(at, old, bytes)
                                     : grow_in_place(at, old, bytes);
    if (is_error(r)) return r;
    if (!(a[3] & ~(long)(MREMAP_MAYMOVE | MREMAP_FIXED))) forget(at, at + old);
    note((uintptr_t)r, bytes);
    return r;
}

static long move_break(const long *a)
{
    const uintptr_t now = watch.brk ? watch.brk : (uintptr_t)ask(SYS_brk, 0, 0, 0, 0, 0, 0), to = (uintptr_t)a[0];
    watch.brk = now;
    if (to > now && refused(to - now)) return (long)now;
    watch.brk = (uintptr_t)direct(SYS_brk, a);
    watch.bytes += watch.brk - now;
    return (long)watch.brk;
}

static long serve(long number, const long *a)
{
    if (!host_maps_inside) {
        if (number == SYS_brk) watch.brk = 0; /* moved behind the books */
        return direct(number, a);
    }
    switch (number) {
    case CALL_MMAP: return map(a);
    case SYS_munmap: return unmap_some(a);
    case SYS_mremap: return move(a);
    case SYS_brk: return move_break(a);
    case SYS_mprotect: return a[2] && refused(0) ? -ENOMEM : direct(number, a);
    case SYS_madvise: return refused(0) ? -EAGAIN : direct(number, a);
    default: return direct(number, a);
    }
}

static void on_call(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
#if defined __x86_64__
    const long a[6] = {r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8], r[REG_R9]};
    r[REG_RAX] = serve(info->si_syscall, a);
#else
    const long a[6] = {r[REG_EBX], r[REG_ECX], r[REG_EDX], r[REG_ESI], r[REG_EDI], r[REG_EBP]};
    r[REG_EAX] = serve(info->si_syscall, a);
#endif
}

/* ---- The filter -------------------------------------------------------------------------------------------------------- */

#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, name))
#define POINTER_HIGH \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, instruction_pointer) + 4)
#define CALL(number, to_pointer) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(number), (to_pointer), 0)

static int install(void)
{
    const uint64_t first = (uintptr_t)__start_assay_direct, end = (uintptr_t)__stop_assay_direct;
    struct sock_filter filter[] = {
        FIELD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 0, 7),
        FIELD(nr),
        CALL(CALL_MMAP, 6),
        CALL(SYS_munmap, 5),
        CALL(SYS_mremap, 4),
        CALL(SYS_brk, 3),
        CALL(SYS_mprotect, 2),
        CALL(SYS_madvise, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        POINTER_HIGH,
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(first >> 32), 0, 4),
        FIELD(instruction_pointer), /* its lower half, on a little-endian processor */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)first, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)end, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (first >> 32 != end >> 32) return ENOSYS; /* one half of the address is compared once */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? errno : 0;
}

int host_maps_watch(uint64_t limit_bytes)
{
    struct sigaction act = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (watch.on) return 0;
    void *p = mmap(NULL, PIECES_MAX * sizeof *watch.pieces, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return ENOMEM;
    watch.pieces = p;
    watch.limit = limit_bytes;
    watch.next = (uintptr_t)ZONE_FIRST;
    sigfillset(&act.sa_mask);
    if (sigaction(SIGSYS, &act, NULL)) return errno;
    const int error = install();
    watch.on = error == 0;
    return error;
}

bool host_maps_watched(void) { return watch.on; }

void host_maps_judge(bool (*refuses)(void *context, bool full), void *context)
{
    watch.context = context;
    watch.refuses = refuses;
}

uint64_t host_maps_bytes(void) { return watch.bytes; }

#endif
