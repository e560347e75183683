/* host_maps.h: what a library asks the operating system for, counted, limited, kept apart and refused on demand.
 *
 * Once watched, every system call of this process that maps, unmaps, moves or advises memory, or moves the break, stops in
 * a handler of ours, whoever makes it: a function of the C library, its inside, or an instruction of the library's own
 * (seccomp's trap). Calls made between host_maps_enter and host_maps_leave on the same thread are the library's; all
 * others, the loader's and the harness's among them, go through as they are.
 *
 * Of the library's:
 *   mmap           goes to a place of our choice, the same in every run, with at least one page before and behind it in
 *                  which nothing is ever mapped: whoever reads past a mapping faults. Not so with MAP_FIXED and its like,
 *                  MAP_32BIT, MAP_GROWSDOWN and MAP_HUGETLB, which the system places. An address without MAP_FIXED is a
 *                  hint, and is not taken.
 *   mremap         likewise if it may move; in place it grows only where a page behind it stays free.
 *   munmap         of a part leaves nothing mapped there, so the rest ends in a fault as well.
 *   brk            as it is: nothing lies behind the break.
 * Requests, which are counted and may be refused: mmap, munmap, mremap that grows, mprotect that gives access, madvise,
 * brk that grows. A refusal is ENOMEM, of madvise EAGAIN, of brk the break as it was; nothing has changed then.
 *
 * One process watches once, for good; children of it by fork inherit that. No thread of the library's own is followed.
 */
#ifndef HOST_MAPS_H
#define HOST_MAPS_H

#include <stdbool.h>
#include <stdint.h>

/* Begins. `limit_bytes`: mapped bytes and growth of the break beyond which requests get ENOMEM; 0: no limit. 0, or an
 * errno value if and only if the processor is another than x86 (ENOSYS), the system forbids it, or memory is short. */
int host_maps_watch(uint64_t limit_bytes);
bool host_maps_watched(void);

/* Who counts the requests and says which of them is refused, from now on; NULL: nobody. `full`: the limit is reached, and
 * this one is refused whatever the answer. Called with signals blocked. */
void host_maps_judge(bool (*refuses)(void *context, bool full), void *context);

/* Bytes that the library has mapped and not unmapped, with what the break has grown by; 0 if nothing is watched. */
uint64_t host_maps_bytes(void);

/* Around each call of the library. */
extern __thread unsigned host_maps_inside;
static inline void host_maps_enter(void) { host_maps_inside = 1; }
static inline void host_maps_leave(void) { host_maps_inside = 0; }

#endif
