/* offered.h: which operations of a program an allocator can be asked for, as the bits of target.offered. */
#ifndef OFFERED_H
#define OFFERED_H

#include "alloc.h"

/* Sets the bits of legal operations by what `ops` has. */
void offered_legal(unsigned offered[4], const struct alloc_ops *ops);

/* Sets and clears the bits of contract errors: each can be asked for where `promises`, as the profile has changed them,
 * say that it is reported. Comes after offered_legal. */
void offered_illegal(unsigned offered[4], unsigned promises);

#endif
