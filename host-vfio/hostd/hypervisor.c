#include "hostd/hypervisor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <syslog.h>
#include <systemd/sd-json.h>

#include "base/must.h"
#include "hostd/audit.h"
#include "hostd/hypervisor_work.h"
#include "hostd/job.h"
#include "hostd/usage_json.h"

enum {
	/* Starting allocates all of a guest's memory, and a controller's waits for its devices. */
	CALL_MS = 10 * 60 * 1000,
	RETRY_LEAST_MS = 1000,
	RETRY_MOST_MS = 10 * 1000,
};

struct call {
	struct job *job;
	int failure;
	char *reason;
	void (*done)(void *data, int failure, const char *reason);
	void *data;
	LIST_ENTRY(call) link; /* hypervisor.calls */
};

struct hypervisor {
	sd_event *loop;
	char *uri;
	const struct hypervisor_handlers *handlers;
	void *data;
	struct strings domains;
	struct job *watch; /* NULL: waiting for the retry */
	char *reason; /* why the watch is about to end */
	sd_event_source *retry;
	unsigned retry_ms;
	LIST_HEAD(, call) calls;
};

static sd_json_variant *parse(const char *line) {
	sd_json_variant *object = NULL;
	return sd_json_parse(line, 0, &object, NULL, NULL) < 0 ? NULL : object;
}

static const char *get_text(sd_json_variant *object, const char *name) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	return value ? sd_json_variant_string(value) : NULL;
}

static uint64_t get_number(sd_json_variant *object, const char *name) {
	sd_json_variant *value = sd_json_variant_by_key(object, name);
	return value ? sd_json_variant_unsigned(value) : 0;
}

static void replace(char **place, const char *text) {
	free(*place);
	*place = must_copy(text);
}

static void tell_domain(
	struct hypervisor *hypervisor, const char *domain, sd_json_variant *object) {
	const struct hypervisor_handlers *handlers = hypervisor->handlers;
	struct memory_usage usage;
	bool known = usage_json_read(&usage, sd_json_variant_by_key(object, "usage"));
	if (sd_json_variant_by_key(object, "state")) {
		handlers->state(hypervisor->data, domain, (int)get_number(object, "state"),
			known ? &usage : NULL);
	} else if (known) {
		handlers->usage(hypervisor->data, domain, &usage);
	}
	memory_usage_finish(&usage);
}

static void handle_watch_line(void *data, const char *line) {
	struct hypervisor *hypervisor = data;
	sd_json_variant *object = parse(line);
	const char *domain = object ? get_text(object, "domain") : NULL;
	const char *reason = object ? get_text(object, "reason") : NULL;
	if (domain) {
		tell_domain(hypervisor, domain, object);
	} else if (reason) {
		replace(&hypervisor->reason, reason);
	} else if (object) {
		hypervisor->retry_ms = RETRY_LEAST_MS;
		hypervisor->handlers->ready(hypervisor->data);
	}
	sd_json_variant_unref(object);
}

static void start_watch(struct hypervisor *hypervisor);

static int handle_retry(sd_event_source *source, uint64_t usec, void *data) {
	start_watch(data);
	return 0;
}

static void wait_for_libvirt(struct hypervisor *hypervisor) {
	hypervisor->watch = NULL;
	sd_event_source_set_time_relative(hypervisor->retry, (uint64_t)hypervisor->retry_ms * 1000);
	sd_event_source_set_enabled(hypervisor->retry, SD_EVENT_ONESHOT);
	hypervisor->retry_ms *= 2;
	if (hypervisor->retry_ms > RETRY_MOST_MS) {
		hypervisor->retry_ms = RETRY_MOST_MS;
	}
	hypervisor->handlers->lost(hypervisor->data,
		hypervisor->reason ? hypervisor->reason : "who watches libvirt was ended");
}

static void handle_watch_end(void *data, enum job_ending ending, int status) {
	wait_for_libvirt(data);
}

static void start_watch(struct hypervisor *hypervisor) {
	static const struct job_handlers handlers = {handle_watch_line, handle_watch_end};
	struct hypervisor_work work = {.uri = hypervisor->uri, .domains = &hypervisor->domains};
	struct error error;
	sd_event_source_set_enabled(hypervisor->retry, SD_EVENT_OFF);
	replace(&hypervisor->reason, NULL);
	hypervisor->watch = job_start(
		hypervisor->loop, hypervisor_work_watch, &work, 0, &handlers, hypervisor, &error);
	if (!hypervisor->watch) {
		replace(&hypervisor->reason, error.text);
		wait_for_libvirt(hypervisor);
	}
}

struct hypervisor *hypervisor_create(
	sd_event *loop, const char *uri, const struct hypervisor_handlers *handlers, void *data) {
	struct hypervisor *hypervisor = must_alloc(1, sizeof(*hypervisor));
	hypervisor->loop = sd_event_ref(loop);
	hypervisor->uri = must_copy(uri);
	hypervisor->handlers = handlers;
	hypervisor->data = data;
	hypervisor->retry_ms = RETRY_LEAST_MS;
	LIST_INIT(&hypervisor->calls);
	if (sd_event_add_time(loop, &hypervisor->retry, CLOCK_MONOTONIC, UINT64_MAX, 0,
		    handle_retry, hypervisor) < 0) {
		hypervisor_destroy(hypervisor);
		return NULL;
	}
	sd_event_source_set_enabled(hypervisor->retry, SD_EVENT_OFF);
	return hypervisor;
}

static void call_free(struct call *call) {
	LIST_REMOVE(call, link);
	free(call->reason);
	free(call);
}

void hypervisor_destroy(struct hypervisor *hypervisor) {
	if (!hypervisor) {
		return;
	}
	job_cancel(hypervisor->watch);
	while (!LIST_EMPTY(&hypervisor->calls)) {
		struct call *call = LIST_FIRST(&hypervisor->calls);
		job_cancel(call->job);
		call_free(call);
	}
	sd_event_source_disable_unref(hypervisor->retry);
	strings_finish(&hypervisor->domains);
	free(hypervisor->uri);
	free(hypervisor->reason);
	sd_event_unref(hypervisor->loop);
	free(hypervisor);
}

void hypervisor_watch(struct hypervisor *hypervisor, const struct strings *domains) {
	strings_finish(&hypervisor->domains);
	for (size_t i = 0; i < domains->count; i++) {
		strings_add(&hypervisor->domains, domains->items[i]);
	}
	job_cancel(hypervisor->watch);
	start_watch(hypervisor);
}

void hypervisor_retry(struct hypervisor *hypervisor) {
	if (!hypervisor->watch) {
		start_watch(hypervisor);
	}
}

static void handle_call_line(void *data, const char *line) {
	struct call *call = data;
	sd_json_variant *object = parse(line);
	const char *warning = object ? get_text(object, "warning") : NULL;
	if (warning) {
		say(LOG_WARNING, "%s", warning);
	} else if (object && sd_json_variant_by_key(object, "off")) {
		call->failure = HYPERVISOR_WAS_OFF;
	} else if (object) {
		call->failure = -(int)get_number(object, "failure");
		replace(&call->reason, get_text(object, "reason"));
	}
	sd_json_variant_unref(object);
}

static void handle_call_end(void *data, enum job_ending ending, int status) {
	struct call *call = data;
	if (ending == JOB_TIMED_OUT) {
		call->failure = HYPERVISOR_NO_ANSWER;
		replace(&call->reason, "libvirt does not answer");
	} else if ((ending == JOB_KILLED || status != 0) && call->failure == 0) {
		call->failure = HYPERVISOR_NO_ANSWER;
		replace(&call->reason, "who was to ask libvirt was ended");
	}
	call->job = NULL;
	call->done(call->data, call->failure, call->reason);
	call_free(call);
}

void hypervisor_call(struct hypervisor *hypervisor, const struct hypervisor_order *order,
	void (*done)(void *data, int failure, const char *reason), void *data) {
	static const struct job_handlers handlers = {handle_call_line, handle_call_end};
	struct hypervisor_work work = {.uri = hypervisor->uri, .order = *order};
	struct error error;
	struct call *call = must_alloc(1, sizeof(*call));
	*call = (struct call){.done = done, .data = data};
	LIST_INSERT_HEAD(&hypervisor->calls, call, link);
	call->job = job_start(
		hypervisor->loop, hypervisor_work_call, &work, CALL_MS, &handlers, call, &error);
	if (!call->job) {
		done(data, HYPERVISOR_NO_ANSWER, error.text);
		call_free(call);
	}
}
