/* sanitizer.h: telling AddressSanitizer and Valgrind's memcheck whose the bytes of a heap are.
 *
 * Both know where malloc's blocks end and nothing of blocks that lie in memory lent to a heap. These functions tell them.
 * Each does nothing where nobody listens:
 *
 * - ASan listens if and only if its runtime is in the process, whether this file was compiled with -fsanitize=address or
 *   not: the harness is not, and lends memory to allocators that are. Only instrumented code is ever accused.
 * - memcheck listens if and only if the process runs under it and <valgrind/memcheck.h> was there at compile time. Every
 *   instruction of the process is watched, those of the harness too; sanitizer_mute says where not.
 *
 * ASan counts in granules of 8 bytes of which the first so many are legal. What cannot be said so stays legal: the bytes
 * of a forbidden range that share a granule with legal ones behind them, or bytes before the start of a legal range in
 * its first granule. So nobody is accused falsely, and ranges that begin on multiples of 8 are exact.
 */
#ifndef SANITIZER_H
#define SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

#if defined __has_include
#if __has_include(<valgrind/memcheck.h>) && !defined NVALGRIND
#include <valgrind/memcheck.h>
#define SANITIZER_MEMCHECK 1
#endif
#endif

/* The runtime's own functions, NULL where it is not in the process. */
void __asan_poison_memory_region(const volatile void *, size_t) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *, size_t) __attribute__((weak));
int __asan_address_is_poisoned(const volatile void *) __attribute__((weak));

/* By pointers that the compiler cannot see through: fuzzing services count direct calls of these functions, and take code
 * that has any for instrumented. */
static inline void sanitizer_tell(void (*tell)(const volatile void *, size_t), const void *p, size_t bytes)
{
    __asm__("" : "+r"(tell));
    if (tell) tell(p, bytes);
}

static inline bool sanitizer_ask(int (*ask)(const volatile void *), const void *p)
{
    __asm__("" : "+r"(ask));
    return ask && ask(p);
}

/* Who listens. */
static inline bool sanitizer_asan(void) { return __asan_poison_memory_region != NULL; }

static inline bool sanitizer_memcheck(void)
{
#ifdef SANITIZER_MEMCHECK
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* From now on every access to these bytes is reported. */
static inline void sanitizer_forbid(const void *p, size_t bytes)
{
    sanitizer_tell(__asan_poison_memory_region, p, bytes);
#ifdef SANITIZER_MEMCHECK
    (void)VALGRIND_MAKE_MEM_NOACCESS(p, bytes);
#endif
}

/* From now on accesses are legal, and the bytes count as written. */
static inline void sanitizer_allow(const void *p, size_t bytes)
{
    sanitizer_tell(__asan_unpoison_memory_region, p, bytes);
#ifdef SANITIZER_MEMCHECK
    (void)VALGRIND_MAKE_MEM_DEFINED(p, bytes);
#endif
}

/* As sanitizer_allow, but memcheck reports what is decided by one of the bytes before it is written. */
static inline void sanitizer_allow_unwritten(const void *p, size_t bytes)
{
    sanitizer_tell(__asan_unpoison_memory_region, p, bytes);
#ifdef SANITIZER_MEMCHECK
    (void)VALGRIND_MAKE_MEM_UNDEFINED(p, bytes);
#endif
}

/* Whether somebody who listens would report an access to the byte at p. */
static inline bool sanitizer_forbidden(const void *p)
{
    if (sanitizer_ask(__asan_address_is_poisoned, p)) return true;
#ifdef SANITIZER_MEMCHECK
    char vbits;
    return VALGRIND_GET_VBITS(p, &vbits, 1) == 3; /* not addressable; 0 where nobody listens */
#else
    return false;
#endif
}

/* memcheck reports nothing of this thread until sanitizer_unmute has been called as often. What it reads from forbidden
 * bytes then is what they hold. ASan has no such switch: it accuses instrumented code only. */
static inline void sanitizer_mute(void)
{
#ifdef SANITIZER_MEMCHECK
    VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

static inline void sanitizer_unmute(void)
{
#ifdef SANITIZER_MEMCHECK
    VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

/* ---- Blocks by name, so that a report says whose they are and how far from them the access was -------------------- */

/* A block begins to live: as sanitizer_allow_unwritten. memcheck counts it as a leak if it is still there, and nowhere
 * pointed to, when the process ends. Nothing is done to the bytes around it. */
static inline void sanitizer_block_begins(const void *p, size_t bytes)
{
    sanitizer_tell(__asan_unpoison_memory_region, p, bytes);
#ifdef SANITIZER_MEMCHECK
    VALGRIND_MALLOCLIKE_BLOCK(p, bytes, 0, 0);
#endif
}

/* And ends: as sanitizer_forbid. Must have begun. */
static inline void sanitizer_block_ends(const void *p, size_t bytes)
{
    sanitizer_tell(__asan_poison_memory_region, p, bytes);
#ifdef SANITIZER_MEMCHECK
    VALGRIND_FREELIKE_BLOCK(p, 0);
#endif
}

#endif
