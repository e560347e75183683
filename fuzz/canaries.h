/* canaries.h: the canaries among the built-in allocators. A canary is a reference allocator with one fault planted in
 * it (allocators/broken/broken.h); a campaign that finds no such fault is broken itself.
 */
#ifndef CANARIES_H
#define CANARIES_H

struct canary;

/* The canary behind a built-in's name, "broken/<name>"; NULL if and only if there is none. */
const struct canary *canary_of(const char *target_name);

#endif
