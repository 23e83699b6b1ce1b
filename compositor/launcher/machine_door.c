#include "machine_door.h"

#include <stdlib.h>

#include "say.h"
#include "status.h"

/* Seconds. Allocating a large guest's memory takes a while. */
#define LIST_TIMEOUT 30
#define START_TIMEOUT 120

enum domain_state machine_door_state(const struct host_answer *answer, const char *guest) {
	const struct portal_frame_guest *found = host_answer_find(answer, guest);
	if (found == NULL) {
		return DOMAIN_ABSENT;
	}
	switch (found->state) {
	case PORTAL_GUEST_OFF:
		return DOMAIN_OFF;
	case PORTAL_GUEST_RUNNING:
		return DOMAIN_RUNNING;
	case PORTAL_GUEST_PAUSED:
		return DOMAIN_PAUSED;
	case PORTAL_GUEST_STOPPING:
		return DOMAIN_STOPPING;
	default:
		return DOMAIN_ABSENT;
	}
}

/* RUN_OK when the host did it, or says why not. */
static int judge(
	const struct machine *machine, const char *what, const struct host_answer *answer) {
	const char *name = machine->vm->name, *guest = machine->vm->domain;
	const char *colon = answer->text[0] != '\0' ? ": " : "";
	switch (answer->error) {
	case PORTAL_CALL_DONE:
		return RUN_OK;
	case PORTAL_CALL_NO_GUEST:
		return say_failure(RUN_NO_DOMAIN,
			"the host gives this controller no guest %s; see \"guests\" in its "
			"host.scfg",
			guest);
	case PORTAL_CALL_TIMEOUT:
		return say_failure(RUN_STOP_TIMEOUT,
			"%s has not shut down in time; --timeout waits longer, --force does not "
			"ask",
			name);
	case PORTAL_CALL_UNAVAILABLE:
		return say_failure(RUN_NO_LIBVIRT, "the host cannot %s %s now%s%s", what, name,
			colon, answer->text);
	case PORTAL_CALL_REFUSED:
		return say_failure(
			RUN_DOMAIN, "the host does not %s %s%s%s", what, name, colon, answer->text);
	default:
		return say_failure(
			RUN_DOMAIN, "the host cannot %s %s%s%s", what, name, colon, answer->text);
	}
}

static int call(const struct machine *machine, const char *what, const struct host_call *call,
	struct host_answer *answer) {
	int status = host_door_call(machine->vm->uri, call, answer);
	return status == RUN_OK ? judge(machine, what, answer) : status;
}

int machine_door_init(struct machine *machine) {
	const struct host_call list = {.method = PORTAL_CALL_LIST, .timeout = LIST_TIMEOUT};
	struct host_answer answer;
	int status = call(machine, "list", &list, &answer);
	if (status == RUN_OK) {
		machine->state = machine_door_state(&answer, machine->vm->domain);
	}
	free(answer.guests);
	return status;
}

static int absent(const struct machine *machine) {
	return judge(machine, "", &(struct host_answer){.error = PORTAL_CALL_NO_GUEST});
}

int machine_door_start(struct machine *machine) {
	if (machine->state == DOMAIN_ABSENT) {
		return absent(machine);
	}
	if (machine->state == DOMAIN_STOPPING) {
		return say_failure(RUN_DOMAIN, "%s is shutting down; try again when it has",
			machine->vm->name);
	}
	if (machine->state == DOMAIN_RUNNING) {
		return RUN_OK;
	}
	say_progress("the host starts %s…", machine->vm->name);
	const struct host_call start = {
		.method = PORTAL_CALL_START,
		.guest = machine->vm->domain,
		.timeout = START_TIMEOUT,
	};
	struct host_answer answer;
	int status = call(machine, "start", &start, &answer);
	free(answer.guests);
	if (status == RUN_OK) {
		machine->state = DOMAIN_RUNNING;
	}
	return status;
}

int machine_door_stop(struct machine *machine, unsigned timeout, bool force) {
	if (machine->state == DOMAIN_ABSENT) {
		return absent(machine);
	}
	/* Also one that was off in the list, which the host heard of a moment before: it looks. */
	say_progress("waiting for %s to shut down…", machine->vm->name);
	const struct host_call stop = {
		.method = PORTAL_CALL_STOP,
		.guest = machine->vm->domain,
		.force = force,
		.value = timeout,
		.timeout = timeout,
	};
	struct host_answer answer;
	int status = call(machine, "stop", &stop, &answer);
	free(answer.guests);
	say_progress_done();
	return status;
}
