#include "hostd/guest_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/must.h"
#include "hostd/budget.h"
#include "hostd/guest_progress.h"
#include "hostd/watchers.h"
#include "inventory/json.h"
#include "memory/history.h"
#include "utf8.h"

/* Between libvirt's answer to a start and its event are moments. */
enum { EVENT_S = 30 };

struct guest_call {
	struct daemon *daemon;
	sd_varlink *call;
	const char *interface;
	struct audit_who who;
	char *guest, *domain;
	struct guest_progress progress;
	uint64_t heap; /* to start: as the memory plan has it */
	char *no_room; /* why libvirt's hook was told that it does not fit; NULL: it was not */
	bool forgotten; /* its asker has gone: nobody waits for it */
	sd_event_source *deadline;
	LIST_ENTRY(guest_call) link; /* daemon.guest_calls */
};

static void add_names(struct strings *names, const struct strings *more) {
	for (size_t i = 0; i < more->count; i++) {
		if (!strings_contain(names, more->items[i])) {
			strings_add(names, more->items[i]);
		}
	}
}

struct strings guest_names(const struct policy *policy, const char *controller) {
	struct strings names = {0};
	for (size_t i = 0; !controller && i < policy->memory.guests_count; i++) {
		strings_add(&names, policy->memory.guests[i].name);
	}
	for (size_t i = 0; i < policy->vms_count; i++) {
		if (!controller || strcmp(policy->vms[i].name, controller) == 0) {
			add_names(&names, &policy->vms[i].guests);
		}
	}
	return names;
}

bool guest_is_of(const struct policy *policy, const char *controller, const char *guest) {
	struct strings names = guest_names(policy, controller);
	bool found = strings_contain(&names, guest);
	strings_finish(&names);
	return found;
}

sd_json_variant *guest_list(struct daemon *daemon, const char *controller) {
	sd_json_variant *object = NULL, *guests = json_array();
	struct strings names = guest_names(&daemon->policy, controller);
	for (size_t i = 0; i < names.count; i++) {
		const char *domain = policy_guest_domain(&daemon->policy, names.items[i]);
		const struct domain_entry *entry = domains_find(&daemon->domains, domain);
		sd_json_variant *guest = NULL;
		json_set_string(&guest, "name", names.items[i]);
		json_set_string(&guest, "state",
			domains_state_name(entry ? entry->state : HYPERVISOR_UNKNOWN));
		if (entry && domain_heap_size(entry)) {
			json_set_number(&guest, "heapSize", domain_heap_size(entry));
		}
		json_append(&guests, guest);
	}
	json_set(&object, "guests", guests);
	strings_finish(&names);
	return object;
}

int guest_refuse(
	sd_varlink *link, const char *interface, const char *name, const char *format, ...) {
	struct error reason;
	va_list args;
	va_start(args, format);
	vsnprintf(reason.text, sizeof(reason.text), format, args);
	va_end(args);
	utf8_make_whole(reason.text);
	char *error = must_print("%s.%s", interface, name);
	int result =
		sd_varlink_errorbo(link, error, SD_JSON_BUILD_PAIR_STRING("reason", reason.text));
	free(error);
	/* sd-varlink hands the error back as its errno; it has been sent. */
	return result < 0 ? 0 : result;
}

static void call_free(struct guest_call *call) {
	LIST_REMOVE(call, link);
	sd_event_source_disable_unref(call->deadline);
	sd_varlink_unref(call->call);
	audit_who_finish(&call->who);
	free(call->guest);
	free(call->domain);
	free(call->no_room);
	free(call);
}

/* Who has the memory of the host is nothing for a controller. */
static const char *room_reason(const struct audit_who *who, const char *reason) {
	return who->controller ? "the host's memory plan has no room for it" : reason;
}

/* `error` NULL: it was done. */
static void finish(struct guest_call *call, const char *error, const char *reason) {
	const char *what = call->progress.start ? "start guest" : "stop guest";
	if (error && call->no_room) {
		/* libvirt says the same, among much else. */
		audit(&call->who, what, call->guest, "refused", call->no_room);
		guest_refuse(call->call, call->interface, "Refused", "%s",
			room_reason(&call->who, call->no_room));
		call_free(call);
		return;
	}
	audit(&call->who, what, call->guest, error ? "failed" : "done", reason);
	if (error) {
		guest_refuse(call->call, call->interface, error, "%s", reason);
	} else {
		sd_varlink_reply(call->call, NULL);
	}
	call_free(call);
}

/* With everybody who asked for the same start meanwhile. */
static void finish_all(struct guest_call *call, const char *error, const char *reason) {
	struct guest_call *other, *next;
	for (other = LIST_FIRST(&call->daemon->guest_calls); other; other = next) {
		next = LIST_NEXT(other, link);
		if (call->progress.start && other->progress.start && other != call &&
			strcmp(other->guest, call->guest) == 0) {
			finish(other, error, reason);
		}
	}
	finish(call, error, reason);
}

static void give_up(struct guest_call *call) {
	finish(call, "Timeout", "who asked for it has gone; the guest is still shutting down");
}

/* False: there is something to wait for yet. */
static bool finish_as_it_stands(struct guest_call *call) {
	switch (guest_progress_verdict(&call->progress)) {
	case GUEST_DONE:
		finish_all(call, NULL, NULL);
		return true;
	case GUEST_DIED:
		finish_all(call, "Failed", "it has ended as soon as it was started");
		return true;
	case GUEST_WAIT:
		break;
	}
	return false;
}

static void set_deadline(struct guest_call *call, uint64_t seconds);

static void handle_answer(void *data, int failure, const char *reason) {
	struct guest_call *call = data;
	switch (failure) {
	case 0:
	case HYPERVISOR_WAS_OFF:
		break;
	case DOMAIN_FAILURE_CONNECT:
	case HYPERVISOR_NO_ANSWER:
		finish_all(call, "NoLibvirt", reason);
		return;
	default:
		finish_all(call, "Failed", reason ? reason : "libvirt said no");
		return;
	}
	guest_progress_answer(&call->progress, failure == HYPERVISOR_WAS_OFF);
	if (finish_as_it_stands(call)) {
		return;
	}
	if (call->progress.start) {
		set_deadline(call, EVENT_S);
	} else if (call->forgotten) {
		give_up(call);
	}
}

static int handle_deadline(sd_event_source *source, uint64_t usec, void *data) {
	struct guest_call *call = data;
	if (call->progress.answered && call->progress.start) {
		finish_all(call, "Failed", "it was started, but libvirt does not say that it runs");
	} else if (call->progress.answered) {
		finish(call, "Timeout", "the guest is still shutting down");
	} else {
		/* Libvirt has not even taken the order. Its own deadline ends that call. */
		set_deadline(call, 1);
	}
	return 0;
}

static void set_deadline(struct guest_call *call, uint64_t seconds) {
	if (!call->deadline) {
		sd_event_add_time_relative(call->daemon->loop, &call->deadline, CLOCK_MONOTONIC,
			seconds * 1000 * 1000, 0, handle_deadline, call);
		return;
	}
	sd_event_source_set_time_relative(call->deadline, seconds * 1000 * 1000);
	sd_event_source_set_enabled(call->deadline, SD_EVENT_ONESHOT);
}

/* What can be said without asking libvirt; NULL: nothing. */
static int refuse_at_once(struct daemon *daemon, sd_varlink *link, const char *interface,
	const struct audit_who *who, const struct guest_order *order, uint64_t *heap,
	bool *answered) {
	const char *domain = policy_guest_domain(&daemon->policy, order->guest);
	const char *what = order->start ? "start guest" : "stop guest";
	int state = domains_state(&daemon->domains, domain);
	struct error error;
	*answered = true;
	if (!guest_is_of(&daemon->policy, who->controller, order->guest)) {
		audit(who, what, order->guest, "refused", "no such guest");
		return guest_refuse(link, interface, "NoSuchGuest",
			"the host's policy has no guest %s%s%s", order->guest,
			who->controller ? " for controller " : "",
			who->controller ? who->controller : "");
	}
	if (!daemon->domains.known) {
		hypervisor_retry(daemon->hypervisor);
		const char *reason = daemon->domains.reason;
		audit(who, what, order->guest, "failed", reason);
		return guest_refuse(link, interface, "NoLibvirt", "%s",
			reason ? reason : "libvirt has not answered yet");
	}
	/* One that was heard to be off may have been started a moment ago: libvirt knows. */
	if (order->start && state == DOMAIN_RUNNING) {
		return sd_varlink_reply(link, NULL);
	}
	uint64_t starting;
	if (order->start && state != DOMAIN_PAUSED &&
		!guest_domain_is_starting(daemon, domain, &starting) &&
		budget_check(daemon, order->guest, heap, &error) < 0) {
		audit(who, what, order->guest, "refused", error.text);
		return guest_refuse(link, interface, "Refused", "%s", room_reason(who, error.text));
	}
	*answered = false;
	return 0;
}

void guest_calls_no_room(struct daemon *daemon, const char *domain, const char *reason) {
	struct guest_call *call;
	LIST_FOREACH(call, &daemon->guest_calls, link) {
		if (call->progress.start && strcmp(call->domain, domain) == 0) {
			free(call->no_room);
			call->no_room = must_copy(reason);
		}
	}
}

bool guest_domain_is_starting(const struct daemon *daemon, const char *domain, uint64_t *heap) {
	const struct guest_call *call;
	LIST_FOREACH(call, &daemon->guest_calls, link) {
		if (call->progress.start && strcmp(call->domain, domain) == 0) {
			*heap = call->heap;
			return true;
		}
	}
	return false;
}

int guest_call_begin(struct daemon *daemon, sd_varlink *link, const char *interface,
	struct audit_who *who, const struct guest_order *order) {
	bool answered;
	uint64_t heap = 0;
	int result = refuse_at_once(daemon, link, interface, who, order, &heap, &answered);
	if (answered) {
		audit_who_finish(who);
		return result;
	}
	struct guest_call *call = must_alloc(1, sizeof(*call));
	*call = (struct guest_call){
		.daemon = daemon,
		.call = sd_varlink_ref(link),
		.interface = interface,
		.who = *who,
		.guest = must_copy(order->guest),
		.domain = must_copy(policy_guest_domain(&daemon->policy, order->guest)),
		.heap = heap,
	};
	call->progress =
		guest_progress_begin(order->start, domains_state(&daemon->domains, call->domain));
	*who = (struct audit_who){0};
	uint64_t under_way;
	bool joins = order->start && guest_domain_is_starting(daemon, call->domain, &under_way);
	LIST_INSERT_HEAD(&daemon->guest_calls, call, link);
	if (!order->start) {
		set_deadline(call, order->timeout_s < GUEST_TIMEOUT_MOST_S ? order->timeout_s
									   : GUEST_TIMEOUT_MOST_S);
	}
	if (joins) {
		return 0; /* answered with who asked first */
	}
	enum hypervisor_operation operation = order->start   ? HYPERVISOR_START
					      : order->force ? HYPERVISOR_KILL
							     : HYPERVISOR_SHUTDOWN;
	const struct hypervisor_order to_libvirt = {
		.operation = operation, .domain = call->domain, .heap = heap};
	hypervisor_call(daemon->hypervisor, &to_libvirt, handle_answer, call);
	return 0;
}

int guest_report_heap(struct daemon *daemon, sd_varlink *link, const char *interface,
	const char *guest, uint64_t used) {
	const struct memory_guest *planned = memory_settings_find(&daemon->policy.memory, guest);
	if (!planned) {
		return guest_refuse(link, interface, "Refused",
			"the host's policy has no memory plan for guest %s", guest);
	}
	const struct domain_entry *entry =
		domains_find(&daemon->domains, policy_guest_domain(&daemon->policy, guest));
	uint64_t size = entry ? domain_heap_size(entry) : 0;
	uint64_t most = size ? size : planned->heap_most;
	if (used > most) {
		return guest_refuse(
			link, interface, "Refused", "that is more than the heap of %s has", guest);
	}
	struct error error;
	if (budget_report(daemon, guest, used, &error) < 0) {
		return guest_refuse(link, interface, "Failed", "%s", error.text);
	}
	return sd_varlink_reply(link, NULL);
}

/* A call that has ended; others that waited for the same start end with it. */
static bool finish_one(struct daemon *daemon) {
	struct guest_call *call;
	LIST_FOREACH(call, &daemon->guest_calls, link) {
		if (!call->progress.answered) {
			continue; /* libvirt's own answer comes yet */
		}
		if (!daemon->domains.known) {
			finish_all(call, "NoLibvirt", "libvirt went away");
			return true;
		}
		if (finish_as_it_stands(call)) {
			return true;
		}
	}
	return false;
}

void guest_calls_update(struct daemon *daemon) {
	struct guest_call *call;
	LIST_FOREACH(call, &daemon->guest_calls, link) {
		guest_progress_hear(&call->progress, domains_state(&daemon->domains, call->domain));
	}
	while (finish_one(daemon)) {
	}
}

/* What libvirt has not answered yet is not over: how that went is to be in the log. */
void guest_calls_forget(struct daemon *daemon, const sd_varlink *link) {
	struct guest_call *call, *next;
	for (call = LIST_FIRST(&daemon->guest_calls); call; call = next) {
		next = LIST_NEXT(call, link);
		if (call->call != link) {
			continue;
		}
		call->forgotten = true;
		if (call->progress.answered && !call->progress.start) {
			give_up(call);
		}
	}
}

void guest_calls_finish(struct daemon *daemon) {
	while (!LIST_EMPTY(&daemon->guest_calls)) {
		call_free(LIST_FIRST(&daemon->guest_calls));
	}
}
