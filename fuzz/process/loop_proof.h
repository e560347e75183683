/* loop_proof.h: proves that a computation never ends, by showing that it comes back to a state in which it was before.
 *
 * A computation that reads nothing but registers and private memory is a function of both: if all of them are again what
 * they were, what follows will be as well, for ever. The proof takes no promise and knows nothing of allocators:
 *
 *   - It runs in a copy of the process (fork), one instruction at a time (the processor's trap flag). The process itself
 *     waits, is not touched, and goes on where it was if nothing has been proven.
 *   - All memory of the copy is read-only, and each page that is written to is kept as it was before. So no store goes
 *     unseen, wherever it goes: to the heap, the stack, static data, or what an allocator has mapped for itself.
 *   - A state is the general registers, the flags, what XSAVE saves (x87 and vector registers), and those pages.
 *   - The proof is given up, and nothing said, where something else could have a say: at a system call, and in the
 *     kernel's own code (vDSO); at an instruction that reads clocks, random numbers or the processor's inside; at an access
 *     to memory shared with other processes; at a fault; and where there is more than one thread.
 *   - Two things cannot be seen: that a signal is waited for, and that rseq's number of the current processor is. Do not
 *     ask about computations that do.
 *   - States are compared by Brent's method: with the one at the last power of two, registers first. A loop of n
 *     instructions shows within 3n, and what is found is its shortest period.
 *
 * Offered on x86, 64 bits and 32.A loop in code that counts what it executes (gcov) has no period, as its counters grow.
 */
#ifndef LOOP_PROOF_H
#define LOOP_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_PROOF_INSTRUCTIONS_MAX 65536u

/* Prepares. True if and only if proofs are possible here: not on other processors, under an emulator that ignores the
 * trap flag, or without memory for it. */
bool loop_proof_open(void);

/* In a signal handler that runs on an alternate stack of whole pages, with the context that it was given: the period of
 * the interrupted computation in instructions; 0 if none has been proven within `instructions_max` of them (or within
 * LOOP_PROOF_INSTRUCTIONS_MAX), each of which takes some microseconds. Requires loop_proof_open.
 *
 * It returns in the copy as well, always with 0, and there the handler must soon return too: it may store where it
 * likes, but to shared memory, and call nothing that the computation would notice. */
uint32_t loop_proof(void *context, uint32_t instructions_max);

#endif
