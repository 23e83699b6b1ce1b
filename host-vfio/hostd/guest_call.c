#include "hostd/guest_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/must.h"
#include "hostd/budget.h"
#include "hostd/watchers.h"
#include "inventory/json.h"
#include "memory/history.h"

struct guest_call {
	struct daemon *daemon;
	sd_varlink *call;
	const char *interface;
	struct audit_who who;
	char *guest, *domain;
	bool start;
	uint64_t heap; /* to start: as the memory plan has it */
	bool asked; /* libvirt has taken the order: its end is waited for */
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
		if (entry && entry->heap_size) {
			json_set_number(&guest, "heapSize", entry->heap_size);
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
	free(call);
}

/* `error` NULL: it was done. */
static void finish(struct guest_call *call, const char *error, const char *reason) {
	audit(&call->who, call->start ? "start guest" : "stop guest", call->guest,
		error ? "failed" : "done", reason);
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
		if (call->start && other->start && other != call &&
			strcmp(other->guest, call->guest) == 0) {
			finish(other, error, reason);
		}
	}
	finish(call, error, reason);
}

static bool has_happened(const struct guest_call *call) {
	int state = domains_state(&call->daemon->domains, call->domain);
	return state == DOMAIN_OFF || state == DOMAIN_ABSENT;
}

static void give_up(struct guest_call *call) {
	finish(call, "Timeout", "who asked for it has gone; the guest is still shutting down");
}

static void handle_asked(void *data, int failure, const char *reason) {
	struct guest_call *call = data;
	switch (failure) {
	case 0:
		break;
	case DOMAIN_FAILURE_CONNECT:
	case HYPERVISOR_NO_ANSWER:
		finish_all(call, "NoLibvirt", reason);
		return;
	default:
		finish_all(call, "Failed", reason ? reason : "libvirt said no");
		return;
	}
	call->asked = true;
	if (call->start) {
		/* The event says so later: too late for a stop that comes before it. */
		domains_set(&call->daemon->domains, call->domain, DOMAIN_RUNNING, 0);
		watchers_changed(call->daemon);
	}
	if (call->start || has_happened(call)) {
		finish_all(call, NULL, NULL);
	} else if (call->forgotten) {
		give_up(call);
	}
}

static int handle_deadline(sd_event_source *source, uint64_t usec, void *data) {
	struct guest_call *call = data;
	if (call->asked) {
		finish(call, "Timeout", "the guest is still shutting down");
	} else {
		/* Libvirt has not even taken the order. Its own deadline ends that call. */
		sd_event_source_set_time_relative(source, 1000 * 1000);
		sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	return 0;
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
	if (state == (order->start ? DOMAIN_RUNNING : DOMAIN_OFF)) {
		return sd_varlink_reply(link, NULL);
	}
	uint64_t starting;
	if (order->start && state != DOMAIN_PAUSED &&
		!guest_is_starting(daemon, order->guest, &starting) &&
		budget_check(daemon, order->guest, heap, &error) < 0) {
		audit(who, what, order->guest, "refused", error.text);
		return guest_refuse(link, interface, "Refused", "%s", error.text);
	}
	*answered = false;
	return 0;
}

bool guest_is_starting(const struct daemon *daemon, const char *guest, uint64_t *heap) {
	const struct guest_call *call;
	LIST_FOREACH(call, &daemon->guest_calls, link) {
		if (call->start && strcmp(call->guest, guest) == 0) {
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
		.start = order->start,
		.heap = heap,
	};
	*who = (struct audit_who){0};
	uint64_t under_way;
	bool joins = order->start && guest_is_starting(daemon, order->guest, &under_way);
	LIST_INSERT_HEAD(&daemon->guest_calls, call, link);
	if (!order->start) {
		uint64_t seconds = order->timeout_s < GUEST_TIMEOUT_MOST_S ? order->timeout_s
									   : GUEST_TIMEOUT_MOST_S;
		sd_event_add_time_relative(daemon->loop, &call->deadline, CLOCK_MONOTONIC,
			seconds * 1000 * 1000, 0, handle_deadline, call);
	}
	if (joins) {
		return 0; /* answered with who asked first */
	}
	enum hypervisor_operation operation = order->start   ? HYPERVISOR_START
					      : order->force ? HYPERVISOR_KILL
							     : HYPERVISOR_SHUTDOWN;
	const struct hypervisor_order to_libvirt = {
		.operation = operation, .domain = call->domain, .heap = heap};
	hypervisor_call(daemon->hypervisor, &to_libvirt, handle_asked, call);
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
	uint64_t most = entry && entry->heap_size ? entry->heap_size : planned->heap_most;
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

void guest_calls_update(struct daemon *daemon) {
	struct guest_call *call, *next;
	for (call = LIST_FIRST(&daemon->guest_calls); call; call = next) {
		next = LIST_NEXT(call, link);
		if (!call->asked) {
			continue; /* libvirt's own answer to the call comes yet */
		}
		if (!daemon->domains.known) {
			finish(call, "NoLibvirt", "libvirt went away");
		} else if (has_happened(call)) {
			finish(call, NULL, NULL);
		}
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
		if (call->asked) {
			give_up(call);
		}
	}
}

void guest_calls_finish(struct daemon *daemon) {
	while (!LIST_EMPTY(&daemon->guest_calls)) {
		call_free(LIST_FIRST(&daemon->guest_calls));
	}
}
