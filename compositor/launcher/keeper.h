#ifndef PORTAL_LAUNCHER_KEEPER_H
#define PORTAL_LAUNCHER_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "paths.h"

/*
 * The keeper: a background process beside each bridge, started by the portal-run that finds no
 * bridge, as `portal-run --keep`. It is the parent of the bridge and, for local:, of the agent;
 * starts a bridge that crashed again; ends it all when the domain has stopped, when the last
 * program of local: has, or, with idle-stop, when the guest has had no window for long enough.
 */

struct keeper_guest {
	const char *vm;
	const char *transport, *heap;
	const char *key; /* NULL: none */
	const char *label;
	uint64_t heap_size; /* local: of the agent's memfd */
	const char *uri, *domain; /* NULL: nothing here starts or stops the guest */
	int idle_stop; /* minutes, 0: never */
};

/*
 * Makes the control socket and starts a keeper. After success a caller can connect. The start lock
 * must be held. With `detached`, logs go to a file where there is no journal. RUN_OK, or says what
 * is wrong and returns a status.
 */
int keeper_start(const struct guest_paths *paths, const struct keeper_guest *guest, bool detached);

/* The whole life of a keeper: `portal-run --keep …`. Returns the exit status. */
int keeper_main(int argc, char **argv);

/*
 * Why the bridge went away: waits until the keeper has written it down. Says it and returns the
 * status of that before a program was asked for.
 */
int keeper_explain(const struct guest_paths *paths, const char *vm);

#endif
