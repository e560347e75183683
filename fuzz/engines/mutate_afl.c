/* mutate_afl.c: the mutators of programs (mutate.h) as a library that afl-fuzz loads (AFL_CUSTOM_MUTATOR_LIBRARY).
 *
 * afl-fuzz calls these functions by name. It keeps its own mutations too, and gives as many rounds to ours as to them.
 */
#include "mutate.h"

#include <stdlib.h>
#include <string.h>

#define CROSS_OVER_ONE_IN 8u
#define INPUT_BYTES_MAX ((size_t)1 << 20) /* AFL++'s own limit */

struct mutator {
    uint64_t state; /* of the seeds */
    unsigned char bytes[INPUT_BYTES_MAX];
};

#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *afl_custom_init(void *afl, unsigned int seed);
EXPORTED size_t afl_custom_fuzz(void *data, unsigned char *in, size_t length, unsigned char **out, unsigned char *other,
                                size_t other_length, size_t max);
EXPORTED size_t afl_custom_havoc_mutation(void *data, unsigned char *in, size_t length, unsigned char **out,
                                          size_t max);
EXPORTED void afl_custom_deinit(void *data);

/* splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014). */
static uint64_t next_word(struct mutator *m)
{
    uint64_t z = m->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void *afl_custom_init(void *afl, unsigned int seed)
{
    struct mutator *m = malloc(sizeof *m);
    (void)afl;
    if (m) m->state = seed;
    return m;
}

void afl_custom_deinit(void *data) { free(data); }

static size_t room(size_t max) { return max < INPUT_BYTES_MAX ? max : INPUT_BYTES_MAX; }

size_t afl_custom_fuzz(void *data, unsigned char *in, size_t length, unsigned char **out, unsigned char *other,
                       size_t other_length, size_t max)
{
    struct mutator *m = data;
    const uint64_t word = next_word(m);
    *out = m->bytes;
    if (other && other_length && word % CROSS_OVER_ONE_IN == 0)
        return cross_over(in, length, other, other_length, m->bytes, room(max), next_word(m));
    if (length > room(max)) length = room(max);
    memcpy(m->bytes, in, length);
    return mutate(m->bytes, length, room(max), next_word(m));
}

/* One step among many of afl-fuzz's own. */
size_t afl_custom_havoc_mutation(void *data, unsigned char *in, size_t length, unsigned char **out, size_t max)
{
    return afl_custom_fuzz(data, in, length, out, NULL, 0, max);
}
