/* worker.h: what runs inside the process under test; child.h has the protocol. */
#ifndef WORKER_H
#define WORKER_H

#include "child.h"

enum worker_command {
    WORKER_RUN = 'r',
    WORKER_CAMPAIGN = 'c',
    WORKER_STRETCH = 's',
    WORKER_EXPLORE = 'e',
    WORKER_FAULTS = 'f',
};

/* Serves commands from the socket until it closes; returns the exit status. The harness takes no memory from malloc and
 * prints nothing from here on: malloc may be the allocator under test. */
int worker_main(struct journal *j, int socket);

#endif
