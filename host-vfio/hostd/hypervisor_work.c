#include "hostd/hypervisor_work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "domain/document.h"
#include "domain/hostdev.h"
#include "domain/hostdev_plug.h"
#include "heap/domain_usage.h"
#include "heap/guest_heap.h"
#include "heap/start_needs.h"
#include "hostd/definition.h"
#include "hostd/usage_json.h"
#include "inventory/address.h"
#include "inventory/json.h"

/* How far away an end may be that libvirt's refusal comes from. */
static const uint64_t ending_usec = 2 * 1000 * 1000;

struct watcher {
	int out;
	sd_event *loop;
	struct domain_manager *manager;
	struct heap_follower *follower; /* or NULL */
};

/* A pipe takes lines of this size in one piece. */
static void tell(int out, sd_json_variant *object) {
	char *line = NULL;
	if (sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &line) >= 0 &&
		write(out, line, strlen(line)) < 0) {
		_exit(EXIT_FAILURE); /* nobody listens */
	}
	free(line);
	sd_json_variant_unref(object);
}

static int tell_failure(int out, int failure, const struct error *error) {
	sd_json_variant *object = NULL;
	json_set_number(&object, "failure", (uint64_t)-failure);
	json_set_string(&object, "reason", error->text);
	tell(out, object);
	return EXIT_FAILURE;
}

/* What it takes of the memory is left out where it has vanished meanwhile. */
static void set_usage(
	sd_json_variant **object, struct domain_manager *manager, const char *domain) {
	struct memory_usage usage;
	char *xml = NULL;
	if (domain_manager_get_xml(manager, domain, true, &xml, NULL) == 0 &&
		domain_usage_read(&usage, NULL, xml, NULL) == 0) {
		json_set(object, "usage", usage_json(&usage));
		memory_usage_finish(&usage);
	}
	free(xml);
}

static void tell_state(
	const struct watcher *watcher, const char *domain, enum domain_state state, bool usage) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "domain", domain);
	json_set_number(&object, "state", state);
	if (usage) {
		set_usage(&object, watcher->manager, domain);
	}
	tell(watcher->out, object);
}

static void handle_state(void *data, const char *domain, enum domain_state state) {
	/* Its definition may be new, or have changed before it was started. */
	tell_state(data, domain, state, state == DOMAIN_RUNNING || state == DOMAIN_OFF);
}

static void handle_usage(void *data, const char *domain) {
	const struct watcher *watcher = data;
	sd_json_variant *object = NULL;
	json_set_string(&object, "domain", domain);
	set_usage(&object, watcher->manager, domain);
	tell(watcher->out, object);
}

static void handle_closed(void *data) {
	struct watcher *watcher = data;
	sd_event_exit(watcher->loop, 0);
}

static int tell_one(const struct watcher *watcher, const char *domain) {
	struct error error;
	enum domain_state state;
	int failure = domain_manager_get_state(watcher->manager, domain, &state, &error);
	if (failure != 0) {
		return tell_failure(watcher->out, failure, &error);
	}
	tell_state(watcher, domain, state, state != DOMAIN_ABSENT);
	return EXIT_SUCCESS;
}

/* Those that libvirt has, and those that are asked about beside them: as they were started, since
 * of two that run the first has what both would have. Changes that come meanwhile wait in the loop,
 * and so are told after these. */
static int tell_all(const struct watcher *watcher, const struct strings *domains) {
	struct strings names = {0};
	struct error error;
	int failure = domain_manager_list_by_start(watcher->manager, &names, &error);
	int status = failure != 0 ? tell_failure(watcher->out, failure, &error) : EXIT_SUCCESS;
	size_t listed = names.count;
	for (size_t i = 0; status == EXIT_SUCCESS && i < listed; i++) {
		status = tell_one(watcher, names.items[i]);
	}
	for (size_t i = 0; status == EXIT_SUCCESS && i < domains->count; i++) {
		if (!strings_contain(&names, domains->items[i])) {
			status = tell_one(watcher, domains->items[i]);
		}
	}
	strings_finish(&names);
	if (status == EXIT_SUCCESS) {
		sd_json_variant *object = NULL;
		json_set_flag(&object, "ready", true);
		tell(watcher->out, object);
	}
	return status;
}

int hypervisor_work_watch(void *data, int out) {
	const struct hypervisor_work *work = data;
	struct watcher watcher = {.out = out};
	struct error error;
	if (sd_event_new(&watcher.loop) < 0) {
		return EXIT_FAILURE;
	}
	watcher.manager =
		domain_manager_create(work->uri, watcher.loop, handle_state, &watcher, &error);
	if (!watcher.manager) {
		return tell_failure(out, DOMAIN_FAILURE_CONNECT, &error);
	}
	domain_manager_on_close(watcher.manager, handle_closed, &watcher);
	int failure = domain_manager_on_change(watcher.manager, handle_usage, &watcher, &error);
	if (failure != 0) {
		return tell_failure(out, failure, &error);
	}
	int status = tell_all(&watcher, work->domains);
	if (status == EXIT_SUCCESS) {
		sd_event_loop(watcher.loop);
		error_set(&error, "the connection to libvirt ended");
		status = tell_failure(out, DOMAIN_FAILURE_CONNECT, &error);
	}
	return status;
}

/* The service may write to few places, and this is where that is met. */
static const char *advice_for(const char *problem) {
	return strstr(problem, strerror(EROFS))
		       ? "; where portal-hostd.service may not write, a line ReadWritePaths= with "
			 "the directory lets it (systemctl edit portal-hostd)"
		       : "";
}

static void say_all(const struct strings *problems, struct error *error) {
	error->text[0] = '\0';
	for (size_t i = 0; i < problems->count; i++) {
		strlcat(error->text, i == 0 ? "" : "; ", sizeof(error->text));
		strlcat(error->text, problems->items[i], sizeof(error->text));
	}
}

/* libvirt's hook, where it is installed, makes them too, and with its own rights; so what cannot be
 * made from here keeps nobody from starting. What others would see windows through does. */
static int make_needs(
	struct domain_manager *manager, const char *domain, int out, struct error *error) {
	char *xml;
	struct strings problems = {0};
	struct domain_dac dac;
	int failure = domain_manager_get_xml(manager, domain, false, &xml, error);
	if (failure != 0) {
		return failure;
	}
	failure = domain_manager_get_dac(manager, xml, &dac, error);
	if (failure == 0 && start_needs_make(xml, &dac, &problems) == START_NEEDS_REFUSED) {
		say_all(&problems, error);
		failure = DOMAIN_FAILURE_REFUSED;
	}
	for (size_t i = 0; i < problems.count && failure == 0; i++) {
		sd_json_variant *object = NULL;
		char *text = must_print("start %s: %s: it is not made from here%s", domain,
			problems.items[i], advice_for(problems.items[i]));
		json_set_string(&object, "warning", text);
		tell(out, object);
		free(text);
	}
	strings_finish(&problems);
	free(xml);
	return failure;
}

/* A heap that is not what the definition says is memory that nobody else has. */
static int make_heap_file(struct domain_manager *manager, const char *domain, struct error *error) {
	int failure = guest_heap_make_file(manager, domain, error);
	if (failure != 0) {
		strlcat(error->text, advice_for(error->text), sizeof(error->text));
	}
	return failure;
}

static bool is_off(struct domain_manager *manager, const char *domain) {
	enum domain_state state;
	return domain_manager_get_state(manager, domain, &state, NULL) == 0 && state == DOMAIN_OFF;
}

/* A domain that is off gets its heap first: the size that is planned, and the file; a controller
 * those of its guests. */
static int start(struct domain_manager *manager, const struct hypervisor_work *work, int out,
	struct error *error) {
	struct guest_heap heap;
	enum domain_state state;
	int failure = domain_manager_get_state(manager, work->order.domain, &state, error);
	if (failure == 0 && state == DOMAIN_OFF && work->order.heap != 0) {
		failure = guest_heap_resize(
			manager, work->order.domain, work->order.heap, &heap, error);
	}
	if (failure == 0 && state == DOMAIN_OFF) {
		failure = make_heap_file(manager, work->order.domain, error);
	}
	if (failure == 0 && state == DOMAIN_OFF) {
		failure = make_needs(manager, work->order.domain, out, error);
	}
	if (failure == 0) {
		failure = domain_manager_start(manager, work->order.domain, error);
	}
	if (failure == 0 && is_off(manager, work->order.domain)) {
		error_set(error, "it has ended as soon as it was started");
		failure = DOMAIN_FAILURE_REFUSED;
	}
	return failure;
}

/* A domain that is to end. */
struct ending {
	sd_event *loop;
	const char *domain;
	bool off;
};

static void handle_ending(void *data, const char *domain, enum domain_state state) {
	struct ending *ending = data;
	ending->off |= state == DOMAIN_OFF && strcmp(domain, ending->domain) == 0;
}

/* One that ends by itself at that moment makes libvirt complain of what was wanted. */
static bool ends_anyway(struct domain_manager *manager, struct ending *ending) {
	if (is_off(manager, ending->domain)) {
		return true;
	}
	while (!ending->off && sd_event_run(ending->loop, ending_usec) > 0) {
	}
	return ending->off;
}

static int attach(
	struct domain_manager *manager, const struct hypervisor_work *work, struct error *error) {
	struct pci_address address;
	if (!pci_address_parse(work->order.device, &address)) {
		error_set(error, "%s is no address", work->order.device);
		return DOMAIN_FAILURE_REFUSED;
	}
	const struct domain_address host = {.domain = address.domain,
		.bus = address.bus,
		.slot = address.slot,
		.function = address.function};
	return hostdev_plug_attach(manager, work->order.domain, &host, error);
}

/* libvirt says the same when the VM starts, and by then others were shut down for it. */
static int check(
	struct domain_manager *manager, const struct hypervisor_work *work, struct error *error) {
	const struct hypervisor_check *check = work->order.check;
	char *xml;
	int failure = domain_manager_get_xml(manager, work->order.domain, false, &xml, error);
	if (failure != 0) {
		return failure;
	}
	xmlDoc *document = domain_document_parse(xml, error);
	free(xml);
	if (!document) {
		return DOMAIN_FAILURE_REFUSED;
	}
	struct strings devices = hostdev_list(xmlDocGetRootElement(document));
	char *problem =
		definition_find_moved(check->known, check->machine, work->order.domain, &devices);
	if (!problem) {
		problem = definition_find_stray(check->decisions, check->vm, &devices);
	}
	if (problem) {
		error_set(error, "%s: %s", check->vm, problem);
		failure = DOMAIN_FAILURE_REFUSED;
	}
	free(problem);
	strings_finish(&devices);
	xmlFreeDoc(document);
	return failure;
}

static int perform(struct domain_manager *manager, const struct hypervisor_work *work,
	struct ending *ending, int out, struct error *error) {
	int failure = 0;
	switch (work->order.operation) {
	case HYPERVISOR_START:
		return start(manager, work, out, error);
	case HYPERVISOR_ATTACH:
		return attach(manager, work, error);
	case HYPERVISOR_CHECK:
		return check(manager, work, error);
	case HYPERVISOR_SHUTDOWN:
		failure = domain_manager_shutdown(manager, work->order.domain, error);
		break;
	case HYPERVISOR_KILL:
		failure = domain_manager_kill(manager, work->order.domain, error);
		break;
	}
	return failure != 0 && ends_anyway(manager, ending) ? HYPERVISOR_WAS_OFF : failure;
}

int hypervisor_work_call(void *data, int out) {
	const struct hypervisor_work *work = data;
	struct ending ending = {.domain = work->order.domain};
	struct error error;
	if (sd_event_new(&ending.loop) < 0) {
		return EXIT_FAILURE;
	}
	struct domain_manager *manager =
		domain_manager_create(work->uri, ending.loop, handle_ending, &ending, &error);
	if (!manager) {
		return tell_failure(out, DOMAIN_FAILURE_CONNECT, &error);
	}
	int failure = perform(manager, work, &ending, out, &error);
	if (failure == HYPERVISOR_WAS_OFF) {
		sd_json_variant *object = NULL;
		json_set_flag(&object, "off", true);
		tell(out, object);
		return EXIT_SUCCESS;
	}
	return failure == 0 ? EXIT_SUCCESS : tell_failure(out, failure, &error);
}

static void handle_change(void *data, const char *domain, enum domain_state state) {
	const struct watcher *watcher = data;
	heap_follower_notice(watcher->follower);
}

static void handle_followed(
	void *data, const char *guest, bool came, int result, const struct error *error) {
	const struct watcher *watcher = data;
	sd_json_variant *object = NULL;
	json_set_string(&object, "guest", guest);
	if (result < 0) {
		json_set_string(&object, "reason", error->text);
	} else {
		json_set_flag(&object, "came", came);
	}
	tell(watcher->out, object);
}

int hypervisor_work_heaps(void *data, int out) {
	const struct hypervisor_heaps *work = data;
	struct watcher watcher = {.out = out};
	struct error error;
	if (sd_event_new(&watcher.loop) < 0) {
		return EXIT_FAILURE;
	}
	watcher.manager =
		domain_manager_create(work->uri, watcher.loop, handle_change, &watcher, &error);
	if (!watcher.manager) {
		return tell_failure(out, DOMAIN_FAILURE_CONNECT, &error);
	}
	domain_manager_on_close(watcher.manager, handle_closed, &watcher);
	int ports = heap_plug_has_ports(watcher.manager, work->controller, &error);
	if (ports <= 0) {
		return ports == 0 ? EXIT_SUCCESS : tell_failure(out, ports, &error);
	}
	watcher.follower = heap_follower_create(watcher.manager, work->controller, work->guests,
		work->count, work->deadline_ms, handle_followed, &watcher);
	if (!watcher.follower) {
		return EXIT_FAILURE;
	}
	sd_event_loop(watcher.loop);
	error_set(&error, "the connection to libvirt ended");
	return tell_failure(out, DOMAIN_FAILURE_CONNECT, &error);
}
