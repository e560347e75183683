/* harvest.h: from the inputs that ended an engine's run to findings like those of `assay check`.
 *
 * Each is run again in a process of its own, minimised, stored and reported, and only then leaves the place where the engine
 * put it. So whatever an interrupt cuts off is still there, and is taken up by the next run.
 */
#ifndef HARVEST_H
#define HARVEST_H

#include "child.h"
#include "generator.h"
#include "known.h"
#include "outside.h"
#include "report.h"

struct harvest {
    const struct outside *outside;
    const struct target *target;
    struct child_limits limits;
    const volatile bool *interrupted;
    const char *findings; /* folder */
    bool minimised;       /* findings are */
    bool all;             /* go on after the first */
    struct report *report;
    /* of the harvest itself */
    struct generator generator;
    struct child child;
    struct known known;
    struct finding *finding;
    uint32_t judged;   /* inputs */
    uint32_t found;    /* findings */
    uint32_t vanished; /* inputs that ended a run and break no rule by themselves */
    bool hasty;        /* takes only what has been written completely by now, and leaves the rest for later */
    char error[4500];  /* the last thing that went wrong, or empty */
};

/* The first eight members are the caller's. 0, or -1 with h->error. */
int harvest_open(struct harvest *h);
void harvest_close(struct harvest *h);

/* Judges what lies in the engine's folder. After a finding, unless all are wanted, only what shows the same is taken away. */
void harvest_inputs(struct harvest *h);

/* How many are left there: the next campaign begins with them. */
unsigned harvest_waiting(const struct harvest *h);

/* Copies the programs in a folder, if it is there, to the engine's seeds, as bytes, and judges them; the simplest program is
 * always among them. */
void harvest_seeds(struct harvest *h, const char *folder);

/* Files what reached new coverage in a folder; returns how many files are new there. */
unsigned harvest_gains(struct harvest *h, const char *folder);

#endif
