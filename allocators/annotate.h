/* annotate.h: an allocator whose heap tells AddressSanitizer and memcheck whose its bytes are (sanitizer.h).
 *
 * A decorator: ordinary operations around another allocator's, which it forwards. Of every live block it remembers place
 * and size as asked for, and so can forbid, from one of two sides, what is not to be touched:
 *
 * - ANNOTATE_OWNERS, for a program that uses the allocator: outside of the allocator's calls nothing of the memory lent is
 *   accessible but the blocks that live. Headers, slack, freed and untouched memory are red zones, so a stray access of a
 *   block's owner is reported where it happens. Within the calls everything is accessible, and nothing is reported: the
 *   allocator's own records lie in that memory, but so its own strays are hidden.
 * - ANNOTATE_ALLOCATOR, for a harness: within the calls the live blocks are forbidden, so a stray access of the allocator
 *   into somebody's block is reported where it happens; outside of them nothing is. Bytes of a region that nobody has
 *   written yet are undefined for memcheck. What ASan sees of this needs an allocator that is instrumented, and a harness
 *   that is not.
 *
 * Neither is on unless it is asked for: which of the two is right depends on who is under suspicion. Where nobody listens
 * the decorator only forwards. Sizes of requests are not changed, so blocks of an allocator without headers whose sizes fill
 * its granules touch each other, and a stray from one straight into the next is not seen.
 *
 *     static const struct alloc_ops *ops;
 *     ops = annotate(assay_allocator(), ANNOTATE_OWNERS);      // then init, malloc, free of `ops` as always
 *
 * The heap's state holds the inner heap's. Calls must be legal: promises to detect misuse are taken out of the contract.
 */
#ifndef ANNOTATE_H
#define ANNOTATE_H

#include "alloc.h"

#define ANNOTATED_MAX 8u /* decorated allocators in a process */

enum annotate_side { ANNOTATE_OWNERS, ANNOTATE_ALLOCATOR };

/* The decorated allocator; it lasts as long as the process, and `inner` must. NULL if and only if `inner` gives memory
 * otherwise than in blocks (sbrk, mmap, the kernel families), if ANNOTATE_OWNERS is asked for on a host heap, where nobody
 * knows what is lent, or if ANNOTATED_MAX are made. */
const struct alloc_ops *annotate(const struct alloc_ops *inner, enum annotate_side side);

#endif
