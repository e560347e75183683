/* store.h: findings on disk. A file is complete or not there at all. */
#ifndef STORE_H
#define STORE_H

#include "finding.h"

/* Makes sure that findings can be written to `directory`, which is made if need be: 0, or -1 with one line in `error`. */
int store_open(const char *directory, char *error, size_t size);

/* Writes the program of a finding, with what it broke as a comment below, under a name made of allocator, rule and
 * contents, and sets f->path. 0, or -1 with one line in `error`; then f->path is empty. */
int store_finding(const char *directory, struct finding *f, char *error, size_t size);

/* The last part of a target's name, with nothing in it that a file name had better not have. */
void store_word(char *out, size_t size, const char *name);

/* Removes the directory if nothing was stored there. */
void store_close(const char *directory);

/* Writes a whole file, atomically; a device, a pipe or a link there is written through; "-" is standard output. 0, or -1
 * with one line in `error`. */
int store_text(const char *path, const char *text, size_t length, char *error, size_t size);

/* Reads a whole file of at most `limit` bytes into memory from malloc: 0, or -1 with one line in `error`. */
int store_read(const char *path, size_t limit, char **bytes, size_t *length, char *error, size_t size);

/* Reads a program in either form, told by its content: text begins with a printable line, all else is bytes. */
int store_program(const char *path, struct program *p, char *error, size_t size);

#endif
