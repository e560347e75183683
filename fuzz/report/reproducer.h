/* reproducer.h: a program as a self-contained C program, for a bug report to people who do not have assay.
 *
 * The C program needs libc alone (`cc -o repro repro.c`). It performs the operations of the malloc family on this
 * system's malloc, or on that of a shared library (`./repro ./libfoo.so [prefix]`), and checks the rules that need no
 * knowledge of the allocator's inside. Sizes such as usable(p3)+1 are computed when it runs. Exit status: 0 every rule
 * held; 1 a rule was broken, which it names; 2 usage, or the library cannot be opened.
 */
#ifndef REPRODUCER_H
#define REPRODUCER_H

#include "exec.h"
#include "program.h"
#include "target.h"
#include "verdict.h"

#include <stdio.h>

/* Writes the C program. `trace`, `verdict` and `target` may be NULL; the verdict tells what is reproduced, the target's
 * contract how strict the checks are (the C standard's weakest reading without one); nothing is taken from the trace
 * today. 0, or -1 with errno if and only if something could not be written. */
int reproducer_write(FILE *out, const struct program *p, const struct trace *trace, const struct verdict *verdict,
                     const struct target *target);

#endif
