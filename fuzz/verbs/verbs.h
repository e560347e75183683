/* verbs.h: one function for each verb of the command line, each in a file of its own; returns the exit status. */
#ifndef VERBS_H
#define VERBS_H

#include "campaign.h"
#include "options.h"

#define STATUS_HELD 0
#define STATUS_BROKEN 1
#define STATUS_NOT_JUDGED 2

int verb_list(const struct options *o);
int verb_check(const struct options *o);
int verb_fuzz(const struct options *o);
int verb_replay(const struct options *o);
int verb_diff(const struct options *o);
int verb_minimize(const struct options *o);
int verb_show(const struct options *o);
int verb_record(const struct options *o);
int verb_explore(const struct options *o);
int verb_misuse(const struct options *o);

/* One line on standard error: "assay: …". Returns STATUS_NOT_JUDGED. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Becomes true at SIGINT or SIGTERM, once watch_interrupts has been called; the second signal ends the program. */
extern volatile bool interrupted;
void watch_interrupts(void);

struct child_limits limits_of(const struct options *o);

#endif
