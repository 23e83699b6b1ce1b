#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "domain/info.h"
#include "heap/guest_heap.h"
#include "heap/heap_file.h"
#include "heap_plan.h"
#include "machine_door.h"
#include "say.h"
#include "status.h"
#include "transport.h"
#include "vsock_device.h"

static int libvirt_failure(
	const struct machine *machine, int failure, const char *what, const struct error *error) {
	const struct config_vm *vm = machine->vm;
	switch (failure) {
	case DOMAIN_FAILURE_CONNECT:
		return say_failure(RUN_NO_LIBVIRT,
			"libvirt does not answer at %s: %s; is libvirtd (or virtqemud) running, "
			"and "
			"may you use it?",
			vm->uri, error->text);
	case DOMAIN_FAILURE_ABSENT:
		return say_failure(RUN_NO_DOMAIN,
			"libvirt has no domain %s at %s; define it with portal-run --define vm:%s",
			vm->domain, vm->uri, vm->name);
	default:
		return say_failure(RUN_DOMAIN, "cannot %s %s: %s", what, vm->name, error->text);
	}
}

static void handle_change(void *data, const char *name, enum domain_state state) {
	struct machine *machine = data;
	if (strcmp(name, machine->vm->domain) == 0) {
		machine->state = state;
		if (machine->changed != NULL) {
			machine->changed(machine->data);
		}
	}
}

int machine_init(struct machine *machine, const struct config_vm *vm, sd_event *loop) {
	*machine = (struct machine){.vm = vm, .state = DOMAIN_RUNNING};
	if (vm->uri == NULL) {
		return RUN_OK;
	}
	machine->door = host_door_is(vm->uri);
	if (machine->door) {
		return machine_door_init(machine);
	}
	struct error error = {0};
	machine->manager = domain_manager_create(vm->uri, loop, handle_change, machine, &error);
	if (machine->manager == NULL) {
		return libvirt_failure(machine, DOMAIN_FAILURE_CONNECT, NULL, &error);
	}
	int failure =
		domain_manager_get_state(machine->manager, vm->domain, &machine->state, &error);
	return failure < 0 ? libvirt_failure(machine, failure, "ask for", &error) : RUN_OK;
}

void machine_finish(struct machine *machine) {
	domain_manager_destroy(machine->manager);
	free(machine->transport);
	free(machine->heap);
	free(machine->key);
	*machine = (struct machine){0};
}

static int read_info(struct machine *machine, bool live, struct domain_info *info) {
	struct error error = {0};
	char *xml;
	int failure =
		domain_manager_get_xml(machine->manager, machine->vm->domain, live, &xml, &error);
	if (failure < 0) {
		return libvirt_failure(machine, failure, "read the definition of", &error);
	}
	int result = domain_info_read(info, xml, &error);
	free(xml);
	return result < 0 ? libvirt_failure(machine, DOMAIN_FAILURE_REFUSED,
				    "understand the definition of", &error)
			  : RUN_OK;
}

static int prepare_heap(const struct machine *machine, const struct domain_info *info) {
	struct error error;
	if (info->heap == DOMAIN_HEAP_UNSET ||
		guest_heap_make_file(machine->manager, machine->vm->domain, &error) == 0) {
		return RUN_OK;
	}
	return say_failure(RUN_HEAP, "cannot start %s: %s", machine->vm->name, error.text);
}

static int start_planned(struct machine *machine) {
	struct domain_info info;
	int status = read_info(machine, false, &info);
	if (status != RUN_OK) {
		return status;
	}
	say_progress("starting %s…", machine->vm->name);
	status = prepare_heap(machine, &info);
	if (status == RUN_OK && info.vsock_socket != NULL) {
		status = vsock_device_start(info.vsock_socket, info.vsock_cid);
	}
	domain_info_finish(&info);
	if (status != RUN_OK) {
		return status;
	}
	struct error error = {0};
	int failure = domain_manager_start(machine->manager, machine->vm->domain, &error);
	if (failure < 0) {
		return libvirt_failure(machine, failure, "start", &error);
	}
	machine->state = DOMAIN_RUNNING;
	return RUN_OK;
}

static int start_domain(struct machine *machine, const struct settings *settings) {
	struct guest_paths paths;
	int lock =
		guest_paths_init(&paths, machine->vm->name) == RUN_OK ? heap_plan_lock(&paths) : -1;
	if (lock < 0) {
		return RUN_SYSTEM;
	}
	/* One that is paused has its memory. */
	int status = machine->state == DOMAIN_PAUSED ? RUN_OK : heap_plan_apply(machine, settings);
	if (status == RUN_OK) {
		status = start_planned(machine);
	}
	close(lock);
	return status;
}

/* What portal.scfg says comes first, then the running domain. */
static int find_ends(
	struct machine *machine, const struct settings *settings, const struct domain_info *info) {
	const struct config_vm *vm = machine->vm;
	const char *transport = vm->transport != NULL ? vm->transport : info->transport;
	if (transport == NULL) {
		return say_failure(RUN_CONFIG,
			"how to reach %s is not known: its domain has no channel for an agent; add "
			"one with portal-run --define, or a line \"transport\" to its block in %s",
			vm->name, settings->path);
	}
	if (vm->heap == NULL && info->heap == DOMAIN_HEAP_UNSET) {
		return say_failure(RUN_CONFIG,
			"where the heap of %s lies is not known: its domain has no nvdimm or shmem "
			"device; add one with portal-run --define, or a line \"heap\" to its block "
			"in %s",
			vm->name, settings->path);
	}
	machine->transport = strdup(transport);
	if (vm->heap != NULL) {
		machine->heap = strdup(vm->heap);
	} else if (asprintf(&machine->heap, "file:%s", info->heap_path) < 0) {
		machine->heap = NULL;
	}
	if (vm->key != NULL) {
		machine->key = strdup(vm->key);
	} else {
		machine->key = info->key != NULL ? strdup(info->key) : settings_find_key(vm->name);
	}
	if (machine->transport == NULL || machine->heap == NULL || machine->key == NULL) {
		return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	return RUN_OK;
}

/* A heap of others is found out here: a bridge would wait for it in vain. */
static int check_heap(const struct machine *machine) {
	static const char file[] = "file:";
	const char *path = machine->heap + strlen(file);
	struct stat status;
	char owner[HEAP_FILE_USER];
	if (strncmp(machine->heap, file, strlen(file)) != 0 || stat(path, &status) < 0 ||
		access(path, R_OK | W_OK) == 0 || errno != EACCES) {
		return RUN_OK;
	}
	return say_failure(RUN_HEAP,
		"the heap %s belongs to %s, and you may not open it; once %s is off, portal-run "
		"--define vm:%s --replace has its QEMU run as you",
		path, heap_file_user(status.st_uid, owner), machine->vm->name, machine->vm->name);
}

/* A key that is missing is found out here, where it can be said what to do. */
static int check_key(struct machine *machine) {
	struct portal_transport_address address;
	if (portal_transport_parse(&address, machine->transport, NULL) == 0 &&
		!portal_transport_needs_key(&address)) {
		free(machine->key);
		machine->key = NULL;
		return RUN_OK;
	}
	if (access(machine->key, R_OK) == 0) {
		return RUN_OK;
	}
	return say_failure(RUN_KEY,
		"%s: %s; portal-run --define vm:%s makes the key of a new guest, the line \"key\" "
		"in portal.scfg says where another one is",
		machine->key, strerror(errno), machine->vm->name);
}

int machine_start(struct machine *machine, const struct settings *settings) {
	struct domain_info info = {0};
	int status = RUN_OK;
	if (machine->door) {
		status = machine_door_start(machine);
	} else if (machine->manager != NULL) {
		struct error absent = {0};
		if (machine->state == DOMAIN_ABSENT) {
			return libvirt_failure(machine, DOMAIN_FAILURE_ABSENT, NULL, &absent);
		}
		if (machine->state == DOMAIN_STOPPING) {
			return say_failure(RUN_DOMAIN, "%s is shutting down; try again when it has",
				machine->vm->name);
		}
		if (machine->state != DOMAIN_RUNNING) {
			status = start_domain(machine, settings);
		}
		if (status == RUN_OK) {
			status = read_info(machine, true, &info);
		}
	}
	if (status == RUN_OK) {
		status = find_ends(machine, settings, &info);
	}
	domain_info_finish(&info);
	if (status == RUN_OK) {
		status = check_heap(machine);
	}
	return status != RUN_OK ? status : check_key(machine);
}

struct stop {
	sd_event *loop;
	struct machine *machine;
};

static void handle_stop_change(void *data) {
	struct stop *stop = data;
	if (stop->machine->state == DOMAIN_OFF || stop->machine->state == DOMAIN_ABSENT) {
		sd_event_exit(stop->loop, RUN_OK);
	}
}

static int handle_stop_time(sd_event_source *source, uint64_t time, void *data) {
	struct stop *stop = data;
	return sd_event_exit(stop->loop, RUN_STOP_TIMEOUT);
}

int machine_stop(struct machine *machine, sd_event *loop, unsigned timeout, bool force) {
	const struct config_vm *vm = machine->vm;
	struct error error = {0};
	if (machine->door) {
		return machine_door_stop(machine, timeout, force);
	}
	if (machine->manager == NULL) {
		return say_failure(RUN_CONFIG,
			"%s has \"uri none\": what started it has to stop it", vm->name);
	}
	if (machine->state == DOMAIN_ABSENT) {
		return libvirt_failure(machine, DOMAIN_FAILURE_ABSENT, NULL, &error);
	}
	if (machine->state == DOMAIN_OFF) {
		return RUN_OK;
	}
	if (machine->state == DOMAIN_PAUSED && !force) {
		return say_failure(RUN_DOMAIN,
			"%s is paused and cannot be asked to shut down; resume it, or end it with "
			"--force",
			vm->name);
	}
	struct stop stop = {.loop = loop, .machine = machine};
	machine->changed = handle_stop_change;
	machine->data = &stop;
	int failure = force ? domain_manager_kill(machine->manager, vm->domain, &error)
			    : domain_manager_shutdown(machine->manager, vm->domain, &error);
	if (failure < 0) {
		return libvirt_failure(machine, failure, "stop", &error);
	}
	say_progress("waiting for %s to shut down…", vm->name);
	sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, (uint64_t)timeout * 1000000, 0,
		handle_stop_time, &stop);
	int status = sd_event_loop(loop);
	say_progress_done();
	machine->changed = NULL;
	return status == RUN_STOP_TIMEOUT ? say_failure(RUN_STOP_TIMEOUT,
						    "%s has not shut down in %u seconds; --timeout "
						    "waits longer, --force does "
						    "not ask",
						    vm->name, timeout)
					  : RUN_OK;
}
