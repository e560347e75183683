/* pool_model.h: pools by number (B109-B112). What a pool keeps in reserve is asked of it and held against what it must be:
 * the reserve and the elements outstanding are never fewer together than its minimum.
 */
#ifndef POOL_MODEL_H
#define POOL_MODEL_H

#include "kernel.h"
#include "program.h"

struct known_pool {
    struct mempool *handle; /* NULL: there is none */
    struct pool_args args;
    unsigned cache;       /* number of the cache, for POOL_CACHE */
    uint32_t outstanding; /* elements that the program holds */
    uint32_t missing;     /* elements that a larger minimum could not be filled up with yet (B112) */
};

struct pool_model {
    struct known_pool pools[PROGRAM_CACHES];
};

#endif
