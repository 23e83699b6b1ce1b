#include "domain/heap_ports.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "domain/devices.h"
#include "domain/guest_pci.h"
#include "domain/tree.h"

#define PORT_PREFIX "ua-portal-heapport-"
#define RESERVE "pref64-reserve"

static bool is_port(xmlNode *controller, unsigned *number) {
	char *alias = tree_get(tree_child(controller, "alias"), "name");
	int end = 0;
	bool port = alias != NULL && sscanf(alias, PORT_PREFIX "%u%n", number, &end) == 1 &&
		    alias[end] == '\0';
	free(alias);
	return port;
}

bool heap_ports_has(xmlNode *controller) {
	unsigned number;
	return is_port(controller, &number);
}

static xmlNode *find_port(xmlNode *devices, unsigned wanted) {
	xmlNode *controller = tree_child(devices, "controller");
	unsigned number;
	while (controller != NULL && !(is_port(controller, &number) && number == wanted)) {
		controller = tree_next(controller);
	}
	return controller;
}

/* The <device> of <qemu:override> that is about a port, or NULL. */
static xmlNode *find_override(xmlNode *root, unsigned number) {
	char *alias = must_print(PORT_PREFIX "%u", number);
	xmlNode *device = tree_child(tree_child(root, "override"), "device");
	while (device != NULL && !tree_is(device, "alias", alias)) {
		device = tree_next(device);
	}
	free(alias);
	return device;
}

static xmlNode *find_property(xmlNode *device) {
	xmlNode *property = tree_child(tree_child(device, "frontend"), "property");
	while (property != NULL && !tree_is(property, "name", RESERVE)) {
		property = tree_next(property);
	}
	return property;
}

static xmlNode *need_property(xmlNode *root, unsigned number) {
	xmlNode *override = tree_child(root, "override"), *device = find_override(root, number);
	xmlNode *property = find_property(device);
	if (property != NULL) {
		return property;
	}
	if (override == NULL) {
		override =
			xmlNewChild(root, devices_qemu_namespace(root), BAD_CAST "override", NULL);
	}
	if (device == NULL) {
		char *alias = must_print(PORT_PREFIX "%u", number);
		device = xmlNewChild(override, override->ns, BAD_CAST "device", NULL);
		tree_set(device, "alias", alias);
		free(alias);
	}
	xmlNode *frontend = tree_child(device, "frontend");
	if (frontend == NULL) {
		frontend = xmlNewChild(device, override->ns, BAD_CAST "frontend", NULL);
	}
	property = xmlNewChild(frontend, override->ns, BAD_CAST "property", NULL);
	tree_set(property, "name", RESERVE);
	tree_set(property, "type", "unsigned");
	return property;
}

static void set_reserve(xmlNode *root, unsigned number, uint64_t bytes) {
	char *value = must_print("%llu", (unsigned long long)bytes);
	tree_set(need_property(root, number), "value", value);
	free(value);
}

static uint64_t get_reserve(xmlNode *root, unsigned number) {
	char *text = tree_get(find_property(find_override(root, number)), "value");
	uint64_t bytes = text == NULL ? 0 : strtoull(text, NULL, 10);
	free(text);
	return bytes;
}

/* The BAR lies at a multiple of its size, the window anywhere: twice the size always holds one. */
static uint64_t reserve_for(uint64_t heap) {
	uint64_t reserve = UINT64_C(2) << 20;
	while (reserve < heap) {
		reserve *= 2;
	}
	return reserve * 2;
}

static void remove_port(xmlNode *root, unsigned number) {
	tree_remove(find_port(tree_child(root, "devices"), number));
	tree_remove(find_override(root, number));
	xmlNode *override = tree_child(root, "override");
	if (override != NULL && tree_child(override, "device") == NULL) {
		tree_remove(override);
	}
}

unsigned heap_ports_count(xmlNode *root) {
	unsigned count = 0, number;
	xmlNode *controller = tree_child(tree_child(root, "devices"), "controller");
	for (; controller != NULL; controller = tree_next(controller)) {
		count += is_port(controller, &number);
	}
	return count;
}

int heap_ports_prepare(xmlNode *root, unsigned count, uint64_t most, struct error *error) {
	xmlNode *devices = tree_need(root, "devices");
	if (count > 0 && !guest_pci_is_express(root)) {
		return error_set(error,
			"heaps can come while the VM runs only where its machine has PCI Express "
			"(q35)");
	}
	for (unsigned number = 1; number <= HEAP_PORTS_MAX; number++) {
		if (number > count) {
			remove_port(root, number);
			continue;
		}
		char *alias = must_print(PORT_PREFIX "%u", number);
		int bus =
			find_port(devices, number) == NULL ? guest_pci_add_port(devices, alias) : 0;
		free(alias);
		if (bus < 0) {
			return error_set(error, "the guest has no PCI bus left");
		}
		set_reserve(root, number, reserve_for(most));
	}
	return 0;
}

static int bus_of(xmlNode *controller) {
	char *index = tree_get(controller, "index");
	int bus = index == NULL ? 0 : atoi(index);
	free(index);
	return bus;
}

int heap_ports_find(xmlNode *root, uint64_t size, struct error *error) {
	xmlNode *devices = tree_child(root, "devices");
	uint64_t best = 0;
	bool any = false;
	unsigned number;
	for (xmlNode *controller = tree_child(devices, "controller"); controller != NULL;
		controller = tree_next(controller)) {
		if (!is_port(controller, &number)) {
			continue;
		}
		any = true;
		int bus = bus_of(controller);
		if (bus <= 0 || guest_pci_bus_in_use(devices, (unsigned)bus)) {
			continue;
		}
		uint64_t most = get_reserve(root, number) / 2;
		if (most >= size) {
			return bus;
		}
		best = most > best ? most : best;
	}
	char text[SIZE_TEXT], best_text[SIZE_TEXT];
	size_format(size, text);
	size_format(best, best_text);
	if (!any) {
		return error_set(error,
			"it was started without ports for heaps: portal-host domain edit "
			"--prepare-heaps makes them for its next start");
	}
	if (best > 0) {
		return error_set(error, "the heap has %s, and its ports are for heaps of up to %s",
			text, best_text);
	}
	return error_set(error, "all of its ports for heaps are in use");
}
