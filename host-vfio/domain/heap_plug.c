#include "domain/heap_plug.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "domain/devices.h"
#include "domain/document.h"
#include "domain/heap_ports.h"
#include "domain/manager-impl.h"
#include "domain/tree.h"

/* Which of libvirt's events end a wait. */
enum { WATCH_REMOVED, WATCH_FAILED, WATCH_LIFECYCLE, WATCHES };

struct heap_unplug {
	virConnectPtr connection;
	char *alias;
	int watches[WATCHES]; /* -1: none */
	sd_event_source *deadline, *told; /* told: calls the handler in the loop's next turn */
	int result;
	struct error error;
	heap_unplug_handler handler;
	void *data;
};

/* The running domain's description. NULL with *failure and the reason. */
static xmlDoc *read_live(
	struct domain_manager *manager, const char *controller, int *failure, struct error *error) {
	enum domain_state state;
	char *xml = NULL;
	*failure = domain_manager_get_state(manager, controller, &state, error);
	if (*failure == 0 && state == DOMAIN_ABSENT) {
		error_set(error, "there is no domain %s", controller);
		*failure = DOMAIN_FAILURE_ABSENT;
	} else if (*failure == 0 && state == DOMAIN_OFF) {
		error_set(error, "%s does not run", controller);
		*failure = DOMAIN_FAILURE_REFUSED;
	}
	if (*failure == 0) {
		*failure = domain_manager_get_xml(manager, controller, true, &xml, error);
	}
	if (*failure < 0) {
		return NULL;
	}
	xmlDoc *document = domain_document_parse(xml, error);
	*failure = document == NULL ? DOMAIN_FAILURE_REFUSED : 0;
	free(xml);
	return document;
}

static xmlNode *find_heap(xmlDoc *document, const char *guest) {
	char *alias = peer_alias(PEER_HEAP, guest);
	xmlNode *devices = tree_child(xmlDocGetRootElement(document), "devices");
	xmlNode *heap = devices == NULL ? NULL : devices_find(devices, alias);
	free(alias);
	return heap;
}

int heap_plug_has_ports(
	struct domain_manager *manager, const char *controller, struct error *error) {
	int result;
	xmlDoc *document = read_live(manager, controller, &result, error);
	if (document != NULL) {
		result = heap_ports_count(xmlDocGetRootElement(document)) > 0;
		xmlFreeDoc(document);
	}
	return result;
}

bool heap_plug_is_defined(
	struct domain_manager *manager, const char *controller, const char *guest) {
	char *xml;
	/* One that vanishes when it stops has none. */
	if (domain_manager_get_definition(manager, controller, &xml, NULL) < 0) {
		return false;
	}
	xmlDoc *document = domain_document_parse(xml, NULL);
	bool defined = document != NULL && find_heap(document, guest) != NULL;
	xmlFreeDoc(document);
	free(xml);
	return defined;
}

static bool is_same_heap(xmlNode *node, const struct heap_device *wanted) {
	struct heap_device heap;
	char *path;
	bool same = heap_device_read(node, &heap, &path) && heap.size == wanted->size &&
		    strcmp(path, wanted->path) == 0;
	free(path);
	return same;
}

/* The root port that a bus is behind. */
static void find_port(xmlDoc *document, int bus, struct heap_plug_place *place) {
	char *index = must_print("%d", bus);
	xmlNode *controller =
		tree_child(tree_child(xmlDocGetRootElement(document), "devices"), "controller");
	*place = (struct heap_plug_place){0};
	for (; controller != NULL; controller = tree_next(controller)) {
		if (tree_is(controller, "type", "pci") && tree_is(controller, "index", index)) {
			guest_pci_read(tree_child(controller, "address"), &place->port);
		}
	}
	free(index);
}

static void find_place(xmlDoc *document, xmlNode *heap, struct heap_plug_place *place) {
	struct domain_address address = {0};
	guest_pci_read(tree_child(heap, "address"), &address);
	find_port(document, address.bus, place);
}

/* The device as libvirt takes it, on a free port; the caller's. NULL with the reason. */
static char *create_device(xmlDoc *document, const struct domain_peer *peer,
	struct heap_plug_place *place, struct error *error) {
	struct heap_device heap = peer->heap;
	heap.kind = DOMAIN_HEAP_IVSHMEM;
	xmlNode *device = heap_device_create(&heap, error);
	if (device == NULL) {
		return NULL;
	}
	int bus = heap_ports_find(xmlDocGetRootElement(document), heap.size, error);
	if (bus < 0) {
		xmlFreeNode(device);
		return NULL;
	}
	const struct domain_address address = {.bus = (uint8_t)bus};
	char *alias = peer_alias(PEER_HEAP, peer->guest);
	tree_set(tree_add(device, "alias", NULL), "name", alias);
	xmlNode *where = tree_add(device, "address", NULL);
	tree_set(where, "type", "pci");
	guest_pci_write(where, &address);
	find_port(document, bus, place);
	char *text = tree_format(device);
	free(alias);
	xmlFreeNode(device);
	return text;
}

static int attach(struct domain_manager *manager, const char *controller, const char *device,
	struct error *error) {
	int failure;
	virDomainPtr domain = domain_manager_lookup(manager, controller, &failure, error);
	if (domain == NULL) {
		return failure;
	}
	int result = virDomainAttachDeviceFlags(domain, device, VIR_DOMAIN_AFFECT_LIVE) < 0
			     ? domain_manager_fail(error)
			     : HEAP_PLUG_DONE;
	virDomainFree(domain);
	return result;
}

int heap_plug_attach(struct domain_manager *manager, const char *controller,
	const struct domain_peer *peer, struct heap_plug_place *place, struct error *error) {
	int result;
	xmlDoc *document = read_live(manager, controller, &result, error);
	if (document == NULL) {
		return result;
	}
	xmlNode *there = find_heap(document, peer->guest);
	if (there != NULL) {
		result = is_same_heap(there, &peer->heap) ? HEAP_PLUG_SAME : HEAP_PLUG_OTHER;
		find_place(document, there, place);
	} else {
		char *device = create_device(document, peer, place, error);
		result = device == NULL ? DOMAIN_FAILURE_REFUSED
					: attach(manager, controller, device, error);
		free(device);
	}
	xmlFreeDoc(document);
	return result;
}

static int handle_told(sd_event_source *source, void *data) {
	struct heap_unplug *unplug = data;
	unplug->handler(unplug->data, unplug->result, &unplug->error);
	return 0;
}

/* From within one of libvirt's callbacks, too, where its handler must not be called. */
static void finish_wait(struct heap_unplug *unplug, int result) {
	int enabled;
	if (sd_event_source_get_enabled(unplug->told, &enabled) >= 0 && enabled == SD_EVENT_OFF) {
		unplug->result = result;
		sd_event_source_set_enabled(unplug->told, SD_EVENT_ONESHOT);
		sd_event_source_set_enabled(unplug->deadline, SD_EVENT_OFF);
	}
}

static void handle_removed(
	virConnectPtr connection, virDomainPtr domain, const char *alias, void *data) {
	struct heap_unplug *unplug = data;
	if (strcmp(alias, unplug->alias) == 0) {
		finish_wait(unplug, 0);
	}
}

static void handle_failed(
	virConnectPtr connection, virDomainPtr domain, const char *alias, void *data) {
	struct heap_unplug *unplug = data;
	if (strcmp(alias, unplug->alias) == 0) {
		error_set(&unplug->error, "the guest system refused to let the heap go");
		finish_wait(unplug, DOMAIN_FAILURE_REFUSED);
	}
}

static int handle_lifecycle(
	virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data) {
	if (event == VIR_DOMAIN_EVENT_STOPPED || event == VIR_DOMAIN_EVENT_CRASHED) {
		finish_wait(data, 0);
	}
	return 0;
}

static int handle_deadline(sd_event_source *source, uint64_t usec, void *data) {
	struct heap_unplug *unplug = data;
	error_set(&unplug->error,
		"the guest system has not let the heap go yet; it may still do so: do not give the "
		"memory away");
	finish_wait(unplug, DOMAIN_FAILURE_TIME);
	return 0;
}

static int watch(struct heap_unplug *unplug, virDomainPtr domain, struct error *error) {
	/* void (*)(void) is the type that C compilers take for "any function". */
	const struct {
		int event;
		void (*callback)(void);
	} events[WATCHES] = {
		[WATCH_REMOVED] = {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
			(void (*)(void))handle_removed},
		[WATCH_FAILED] = {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
			(void (*)(void))handle_failed},
		[WATCH_LIFECYCLE] = {VIR_DOMAIN_EVENT_ID_LIFECYCLE,
			(void (*)(void))handle_lifecycle},
	};
	for (int i = 0; i < WATCHES; i++) {
		unplug->watches[i] = virConnectDomainEventRegisterAny(unplug->connection, domain,
			events[i].event, (virConnectDomainEventGenericCallback)events[i].callback,
			unplug, NULL);
		if (unplug->watches[i] < 0) {
			return domain_manager_fail(error);
		}
	}
	return 0;
}

static struct heap_unplug *create(struct domain_manager *manager, const char *guest,
	unsigned deadline_ms, heap_unplug_handler handler, void *data) {
	struct heap_unplug *unplug = must_alloc(1, sizeof(*unplug));
	unplug->connection = manager->connection;
	unplug->alias = peer_alias(PEER_HEAP, guest);
	unplug->handler = handler;
	unplug->data = data;
	for (int i = 0; i < WATCHES; i++) {
		unplug->watches[i] = -1;
	}
	if (sd_event_add_defer(manager->loop, &unplug->told, handle_told, unplug) < 0 ||
		sd_event_source_set_enabled(unplug->told, SD_EVENT_OFF) < 0 ||
		sd_event_add_time_relative(manager->loop, &unplug->deadline, CLOCK_MONOTONIC,
			(uint64_t)deadline_ms * 1000, 0, handle_deadline, unplug) < 0) {
		heap_unplug_destroy(unplug);
		return NULL;
	}
	return unplug;
}

/* The events are watched first: the answer may come before the call returns. */
static int detach(struct heap_unplug *unplug, struct domain_manager *manager,
	const char *controller, struct error *error) {
	int result;
	virDomainPtr domain = domain_manager_lookup(manager, controller, &result, error);
	if (domain == NULL) {
		return result;
	}
	result = watch(unplug, domain, error);
	if (result == 0 &&
		virDomainDetachDeviceAlias(domain, unplug->alias, VIR_DOMAIN_AFFECT_LIVE) < 0) {
		result = domain_manager_fail(error);
	}
	virDomainFree(domain);
	return result;
}

int heap_plug_detach(struct domain_manager *manager, const char *controller, const char *guest,
	unsigned deadline_ms, heap_unplug_handler handler, void *data, struct heap_unplug **unplug,
	struct error *error) {
	int result;
	*unplug = NULL;
	xmlDoc *document = read_live(manager, controller, &result, error);
	if (document == NULL) {
		return result;
	}
	bool there = find_heap(document, guest) != NULL;
	xmlFreeDoc(document);
	if (!there) {
		return HEAP_PLUG_SAME;
	}
	*unplug = create(manager, guest, deadline_ms, handler, data);
	if (*unplug == NULL) {
		error_set(error, "out of memory");
		return DOMAIN_FAILURE_REFUSED;
	}
	result = detach(*unplug, manager, controller, error);
	if (result < 0) {
		heap_unplug_destroy(*unplug);
		*unplug = NULL;
	}
	return result;
}

void heap_unplug_destroy(struct heap_unplug *unplug) {
	if (unplug == NULL) {
		return;
	}
	for (int i = 0; i < WATCHES; i++) {
		if (unplug->watches[i] >= 0) {
			virConnectDomainEventDeregisterAny(unplug->connection, unplug->watches[i]);
		}
	}
	sd_event_source_disable_unref(unplug->told);
	sd_event_source_disable_unref(unplug->deadline);
	free(unplug->alias);
	free(unplug);
}
