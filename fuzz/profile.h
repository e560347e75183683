/* profile.h: what a profile's words do to a target. The words themselves are target_profiles in target.h. */
#ifndef PROFILE_H
#define PROFILE_H

#include "target.h"

/* Applies a comma-separated list of words to t->contract and t->illegal, from left to right. 0; or -1 with one line in
 * `error` if and only if a word is unknown, or "illegal" is among them and the contract promises no detection. */
int profile_apply(struct target *t, const char *list, char *error, size_t size);

#endif
