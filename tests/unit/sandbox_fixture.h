#ifndef TESTS_SANDBOX_FIXTURE_H
#define TESTS_SANDBOX_FIXTURE_H

#include <sys/types.h>
#include <sys/un.h>

/* What the bridge has before it is confined, and processes that are confined as it is. */

struct sockets {
	char directory[32];
	struct sockaddr_un compositor, other;
	int compositor_fd; /* O_PATH */
	int listeners[2];
	int unconnected;
	pid_t parent; /* getppid() is no call that the filter lets */
};

int sandbox_setup(void **state);
int sandbox_teardown(void **state);

/* Ways to confine the calling process: all of it, and each wall by itself. 0 or more, or -1. */
int enter_sandbox(struct sockets *sockets);
int enter_landlock(struct sockets *sockets);
/* The last wall by itself: what it leaves open, no Landlock of an older kernel would stop. */
int enter_filter(struct sockets *sockets);

/* Runs an attempt in a confined process: 0 when it was let, else the errno it failed with. */
int attempt_in(struct sockets *sockets, int (*enter)(struct sockets *sockets),
	int (*function)(struct sockets *sockets));
/* The same with all walls. */
int attempt(struct sockets *sockets, int (*function)(struct sockets *sockets));

/* An attempt that each wall denies by itself. */
int signal_parent(struct sockets *sockets);

#endif
