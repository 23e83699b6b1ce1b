#ifndef HOST_HOSTD_DOOR_PROGRAM_H
#define HOST_HOSTD_DOOR_PROGRAM_H

#include <sys/types.h>

/* portal-door(8), with connections to it. */

#define DOOR_CONNECTIONS 4 /* who waits for a guest's end holds one */

struct door_program {
	const char *path;
	const char *controller, *transport, *key; /* `key` may be NULL */
};

/* Starts it, as a child. Of its connections, this end is the caller's. 0, or an errno, with nothing
 * started or left open. */
int door_program_start(
	const struct door_program *program, int connections[DOOR_CONNECTIONS], pid_t *pid);

void door_program_close(const int connections[DOOR_CONNECTIONS]);

#endif
