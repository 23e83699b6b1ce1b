#ifndef PORTAL_LAUNCHER_SESSION_H
#define PORTAL_LAUNCHER_SESSION_H

#include <systemd/sd-event.h>

#include "machine.h"
#include "paths.h"

/* One program in one guest, from the bridge's first answer to the program's end. */
struct session_request {
	const char *vm; /* for messages: "vm:demo" or "local" */
	const char *name; /* the guest's */
	const struct guest_paths *paths;
	char *const *command; /* NULL terminated */
	const struct config_vm_env *env;
	size_t env_len;
	bool detach;
	unsigned timeout; /* seconds for the agent to answer */
	struct machine *machine; /* whose end is noticed, or NULL */
};

/* Runs it on the loop. Returns the status to exit with, after saying why when it is portal-run's.
 */
int session_run(sd_event *loop, const struct session_request *request);

#endif
