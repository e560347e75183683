/* payload.h: contents that a block's owner writes, generated and never stored (SEMANTICS O6).
 *
 * The 8-byte word number j of a block is key + j * step, its lowest byte first on every machine, with one key for each
 * generation of each block. Contents thus depend on the position: a shifted, half or foreign copy shows, and no shadow
 * copy is kept. The scheme is a counter and not a hash because a compiler makes vector code of it: it runs at the speed of
 * the memory.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_STEP \
    UINT64_C(0x9E3779B97F4A7C15) /* odd, no byte of it repeats: neighbouring words differ in every byte */

/* The key of the generation-th contents written in a run with this seed. */
uint64_t payload_key(uint32_t seed, uint64_t generation);

/* Writes bytes 0 .. n-1 of the contents to p, which may have any alignment. */
void payload_fill(void *p, size_t n, uint64_t key);

/* Offset of the first of n bytes that is not as payload_fill wrote it; n if all are. */
size_t payload_verify(const void *p, size_t n, uint64_t key);

/* Are the PAYLOAD_STRETCH bytes from byte `at` on, a multiple of 8, as payload_fill wrote them? No branch depends on it. */
#define PAYLOAD_STRETCH 32u
bool payload_same(const void *p, size_t at, uint64_t key);

/* True if and only if n bytes are zero; else *at is the offset of the first that is not. */
bool payload_zero(const void *p, size_t n, size_t *at);

/* Large blocks are written and verified at their two ends only, this many bytes each, so that a granted gigabyte costs
 * no page that the allocator did not touch. */
#define PAYLOAD_WHOLE_MAX ((size_t)1 << 18)
#define PAYLOAD_EDGE ((size_t)8192)

void payload_fill_block(void *p, size_t n, uint64_t key);
size_t payload_verify_block(const void *p, size_t n, uint64_t key);

#endif
