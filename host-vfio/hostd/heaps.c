#include "hostd/heaps.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-json.h>

#include "base/must.h"
#include "hostd/audit.h"
#include "hostd/guest_call.h"
#include "hostd/hypervisor_work.h"
#include "hostd/job.h"

enum { RETRY_MS = 10 * 1000 };

/* The heaps of one controller. */
struct heaps {
	struct daemon *daemon;
	char *controller;
	struct job *job; /* NULL: there is nothing to do for it, or it waits for the retry */
	sd_event_source *retry;
	struct strings complaints; /* since something last worked: each is made once */
	LIST_ENTRY(heaps) link; /* daemon.heaps */
};

static void heaps_free(struct heaps *heaps) {
	LIST_REMOVE(heaps, link);
	job_cancel(heaps->job);
	sd_event_source_disable_unref(heaps->retry);
	strings_finish(&heaps->complaints);
	free(heaps->controller);
	free(heaps);
}

static void complain(struct heaps *heaps, const char *what, const char *reason) {
	char *text = must_print("%s in controller %s: %s", what, heaps->controller, reason);
	if (!strings_contain(&heaps->complaints, text)) {
		say(LOG_WARNING, "%s", text);
		strings_add(&heaps->complaints, text);
	}
	free(text);
}

/* {"guest", "came"} or {"guest", "reason"}: hypervisor_work.h. */
static void handle_line(void *data, const char *line) {
	struct heaps *heaps = data;
	sd_json_variant *object = NULL;
	if (sd_json_parse(line, 0, &object, NULL, NULL) < 0) {
		return;
	}
	sd_json_variant *guest = sd_json_variant_by_key(object, "guest");
	sd_json_variant *came = sd_json_variant_by_key(object, "came");
	sd_json_variant *reason = sd_json_variant_by_key(object, "reason");
	if (guest && came) {
		say(LOG_NOTICE, "the heap of %s is %s controller %s", sd_json_variant_string(guest),
			sd_json_variant_boolean(came) ? "in" : "out of", heaps->controller);
		strings_finish(&heaps->complaints);
	} else if (guest && reason) {
		char *what = must_print("the heap of %s", sd_json_variant_string(guest));
		complain(heaps, what, sd_json_variant_string(reason));
		free(what);
	} else if (reason) {
		complain(heaps, "the heaps", sd_json_variant_string(reason));
	}
	sd_json_variant_unref(object);
}

static void start(struct heaps *heaps);

static int handle_retry(sd_event_source *source, uint64_t usec, void *data) {
	start(data);
	return 0;
}

static void try_later(struct heaps *heaps) {
	if (!heaps->retry && sd_event_add_time(heaps->daemon->loop, &heaps->retry, CLOCK_MONOTONIC,
				     UINT64_MAX, 0, handle_retry, heaps) < 0) {
		return;
	}
	sd_event_source_set_time_relative(heaps->retry, (uint64_t)RETRY_MS * 1000);
	sd_event_source_set_enabled(heaps->retry, SD_EVENT_ONESHOT);
}

static void handle_end(void *data, enum job_ending ending, int status) {
	struct heaps *heaps = data;
	heaps->job = NULL;
	if (ending != JOB_DONE) {
		complain(heaps, "the heaps", "who was to bring them was ended");
	}
	if (ending != JOB_DONE || status != EXIT_SUCCESS) {
		try_later(heaps);
	}
}

static void start(struct heaps *heaps) {
	static const struct job_handlers handlers = {handle_line, handle_end};
	struct daemon *daemon = heaps->daemon;
	const struct policy_vm *vm = policy_find_vm(&daemon->policy, heaps->controller);
	struct error error;
	struct heap_follower_guest *guests = must_alloc(vm->guests.count, sizeof(*guests));
	for (size_t i = 0; i < vm->guests.count; i++) {
		const char *name = vm->guests.items[i];
		guests[i] = (struct heap_follower_guest){
			name, policy_guest_domain(&daemon->policy, name)};
	}
	struct hypervisor_heaps work = {
		.uri = daemon->options->uri,
		.controller = vm->domain,
		.guests = guests,
		.count = vm->guests.count,
		.deadline_ms = daemon->options->patience_s * 1000,
	};
	heaps->job =
		job_start(daemon->loop, hypervisor_work_heaps, &work, 0, &handlers, heaps, &error);
	free(guests);
	if (!heaps->job) {
		complain(heaps, "the heaps", error.text);
		try_later(heaps);
	}
}

static struct heaps *find(const struct daemon *daemon, const char *controller) {
	struct heaps *heaps;
	LIST_FOREACH(heaps, &daemon->heaps, link) {
		if (strcmp(heaps->controller, controller) == 0) {
			return heaps;
		}
	}
	return NULL;
}

void heaps_update(struct daemon *daemon) {
	for (size_t i = 0; i < daemon->policy.vms_count; i++) {
		const struct policy_vm *vm = &daemon->policy.vms[i];
		int state = domains_state(&daemon->domains, vm->domain);
		struct heaps *heaps = find(daemon, vm->name);
		if (heaps && (state == DOMAIN_OFF || state == DOMAIN_ABSENT)) {
			heaps_free(heaps);
		} else if (!heaps && vm->guests.count > 0 &&
			   (state == DOMAIN_RUNNING || state == DOMAIN_PAUSED)) {
			heaps = must_alloc(1, sizeof(*heaps));
			heaps->daemon = daemon;
			heaps->controller = must_copy(vm->name);
			LIST_INSERT_HEAD(&daemon->heaps, heaps, link);
			start(heaps);
		}
	}
}

void heaps_finish(struct daemon *daemon) {
	while (!LIST_EMPTY(&daemon->heaps)) {
		heaps_free(LIST_FIRST(&daemon->heaps));
	}
}
