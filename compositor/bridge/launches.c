#include "launches.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "bridge-varlink.h"

/* A guest whose programs never exit is slowed by its own memory long before. */
#define LAUNCHES_MAX 4096

void bridge_launches_init(struct bridge_launches *launches) {
	*launches = (struct bridge_launches){0};
	/* An agent may still speak of programs that an earlier bridge launched: begin anywhere. */
	if (getrandom(&launches->next_id, sizeof(launches->next_id), GRND_NONBLOCK) < 0) {
		launches->next_id = 1;
	}
}

static void release_caller(struct bridge_launch *launch) {
	launch->caller = sd_varlink_unref(launch->caller);
}

void bridge_launches_finish(struct bridge_launches *launches, const char *message) {
	for (size_t i = 0; i < launches->count; i++) {
		struct bridge_launch *launch = &launches->list[i];
		if (launch->caller) {
			sd_varlink_errorbo(launch->caller, BRIDGE_ERROR_AGENT_LOST,
				SD_JSON_BUILD_PAIR_STRING("message", message));
			sd_varlink_flush(launch->caller);
		}
		release_caller(launch);
	}
	free(launches->list);
	launches->list = NULL;
	launches->count = launches->capacity = 0;
}

struct bridge_launch *bridge_launches_add(
	struct bridge_launches *launches, sd_varlink *caller, bool more) {
	if (launches->count == LAUNCHES_MAX) {
		errno = EDQUOT;
		return NULL;
	}
	if (launches->count == launches->capacity) {
		size_t capacity = launches->capacity ? launches->capacity * 2 : 8;
		struct bridge_launch *grown = realloc(launches->list, capacity * sizeof(*grown));
		if (!grown) {
			return NULL;
		}
		launches->list = grown;
		launches->capacity = capacity;
	}
	do {
		launches->next_id++;
	} while (bridge_launches_find(launches, launches->next_id));
	struct bridge_launch *launch = &launches->list[launches->count++];
	*launch = (struct bridge_launch){
		.id = launches->next_id,
		.caller = sd_varlink_ref(caller),
		.more = more,
	};
	return launch;
}

struct bridge_launch *bridge_launches_find(struct bridge_launches *launches, uint32_t id) {
	for (size_t i = 0; i < launches->count; i++) {
		if (launches->list[i].id == id) {
			return &launches->list[i];
		}
	}
	return NULL;
}

void bridge_launches_remove(struct bridge_launches *launches, struct bridge_launch *launch) {
	release_caller(launch);
	*launch = launches->list[--launches->count];
}

static void report_started(struct bridge_launch *launch) {
	if (!launch->caller) {
		return;
	}
	int (*reply)(sd_varlink *link, ...) = launch->more ? sd_varlink_notifyb : sd_varlink_replyb;
	reply(launch->caller, SD_JSON_BUILD_OBJECT(SD_JSON_BUILD_PAIR_STRING("event", "started"),
				      SD_JSON_BUILD_PAIR_UNSIGNED("launch", launch->id),
				      SD_JSON_BUILD_PAIR_INTEGER("pid", launch->pid)));
	if (!launch->more) {
		release_caller(launch);
	}
}

void bridge_launches_launched(struct bridge_launches *launches, uint32_t id, int32_t untrusted_pid,
	int32_t untrusted_error) {
	struct bridge_launch *launch = bridge_launches_find(launches, id);
	if (!launch || launch->pid != 0) {
		return;
	}
	if (untrusted_error == 0 && untrusted_pid > 0) {
		launch->pid = untrusted_pid;
		report_started(launch);
		return;
	}
	if (launch->caller) {
		int32_t error =
			untrusted_error > 0 && untrusted_error < 4096 ? untrusted_error : EIO;
		sd_varlink_errorbo(launch->caller, BRIDGE_ERROR_LAUNCH_FAILED,
			SD_JSON_BUILD_PAIR_INTEGER("errno", error));
	}
	bridge_launches_remove(launches, launch);
}

void bridge_launches_exited(struct bridge_launches *launches, uint32_t id, int32_t untrusted_status,
	int32_t untrusted_signal) {
	struct bridge_launch *launch = bridge_launches_find(launches, id);
	if (!launch || launch->pid == 0) {
		return;
	}
	int32_t signal = untrusted_signal > 0 && untrusted_signal <= 64 ? untrusted_signal : 0;
	int32_t status = untrusted_status & 0xff;
	if (launch->caller) {
		sd_varlink_replybo(launch->caller, SD_JSON_BUILD_PAIR_STRING("event", "exited"),
			SD_JSON_BUILD_PAIR_UNSIGNED("launch", launch->id),
			SD_JSON_BUILD_PAIR_CONDITION(
				signal == 0, "status", SD_JSON_BUILD_INTEGER(status)),
			SD_JSON_BUILD_PAIR_CONDITION(
				signal != 0, "signal", SD_JSON_BUILD_INTEGER(signal)));
	}
	bridge_launches_remove(launches, launch);
}

void bridge_launches_forget(struct bridge_launches *launches, sd_varlink *caller) {
	for (size_t i = 0; i < launches->count; i++) {
		if (launches->list[i].caller == caller) {
			release_caller(&launches->list[i]);
		}
	}
}
