/* preload.h: this program again, with a library loaded before everything else. */
#ifndef PRELOAD_H
#define PRELOAD_H

/* Replaces the process by a new run of this program with the arguments `argv` (NULL-terminated, argv[0] included).
 * `library` joins what LD_PRELOAD says already; NULL or "" leaves LD_PRELOAD alone. Returns only on failure: -1 with
 * errno, EINVAL if and only if LD_PRELOAD cannot say the path, because it has a space or a colon in it. */
int preload_exec(const char *library, char *const argv[]);

#endif
