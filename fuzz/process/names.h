/* names.h: the names of errno values and signals. Each libc has its own way to ask for them and its own words, or none,
 * and a report must not depend on the libc that it was built with. */
#ifndef NAMES_H
#define NAMES_H

const char *error_name(int error);   /* "ENOMEM"; NULL for what no allocator has reason to set */
const char *signal_name(int signal); /* "SIGSEGV"; NULL for a real-time signal or none at all */

#endif
