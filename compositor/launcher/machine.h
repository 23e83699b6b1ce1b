#ifndef PORTAL_LAUNCHER_MACHINE_H
#define PORTAL_LAUNCHER_MACHINE_H

#include <systemd/sd-event.h>

#include "config_vm.h"
#include "domain/manager.h"
#include "settings.h"

/* The virtual machine of a vm block, through libvirt or the host's door. */
struct machine {
	const struct config_vm *vm;
	struct domain_manager *manager; /* NULL when libvirt is not asked (uri none, uri door:…) */
	bool door; /* the host is asked */
	char *transport, *heap; /* for the bridge */
	char *key; /* path, or NULL */
	/* Last heard of, and who wants to hear. */
	enum domain_state state;
	void (*changed)(void *data);
	void *data;
};

/* A status, after saying why when it is not RUN_OK. machine_finish() is allowed after a failure. */
int machine_init(struct machine *machine, const struct config_vm *vm, sd_event *loop);
void machine_finish(struct machine *machine);

/* Starts the domain when it is not running, heap first, and finds out how the bridge reaches it. */
int machine_start(struct machine *machine, const struct settings *settings);

/* Asks the guest to shut down, or with `force` does not ask, and waits until it has. */
int machine_stop(struct machine *machine, sd_event *loop, unsigned timeout, bool force);

#endif
