#ifndef PORTAL_LAUNCHER_PROCESS_H
#define PORTAL_LAUNCHER_PROCESS_H

#include <sys/types.h>

/* A pidfd of a child of that process that still runs, or -1 when there is none. */
int process_open_child(pid_t parent);

#endif
