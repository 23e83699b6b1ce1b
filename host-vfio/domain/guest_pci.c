#include "domain/guest_pci.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/tree.h"

#define BUS_MAX 255
#define SLOTS 32
/* The last slots of a bus of chipset devices are left to them (q35's 1f, and Portal's vsock 1c). */
#define SLOT_LAST 0x1b

void domain_address_format(const struct domain_address *address, char text[DOMAIN_ADDRESS_TEXT]) {
	snprintf(text, DOMAIN_ADDRESS_TEXT, "%04x:%02x:%02x.%x", (unsigned)address->domain,
		(unsigned)address->bus, (unsigned)address->slot, (unsigned)address->function);
}

bool domain_address_same_slot(const struct domain_address *a, const struct domain_address *b) {
	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot;
}

bool domain_address_equal(const struct domain_address *a, const struct domain_address *b) {
	return domain_address_same_slot(a, b) && a->function == b->function;
}

/* A number as libvirt reads it: hexadecimal behind 0x, else decimal. */
static bool read_number(
	const xmlNode *node, const char *attribute, unsigned long most, unsigned long *number) {
	char *text = tree_get(node, attribute), *end = NULL;
	if (text == NULL) {
		*number = 0;
		return strcmp(attribute, "domain") == 0;
	}
	errno = 0;
	*number = strtoul(text, &end, 0);
	bool good = errno == 0 && end != text && *end == '\0' && *number <= most;
	free(text);
	return good;
}

bool guest_pci_read(const xmlNode *node, struct domain_address *address) {
	unsigned long domain, bus, slot, function;
	char *type = tree_get(node, "type");
	bool pci = node != NULL && (type == NULL || strcmp(type, "pci") == 0);
	free(type);
	if (!pci || !read_number(node, "domain", UINT32_MAX, &domain) ||
		!read_number(node, "bus", UINT8_MAX, &bus) ||
		!read_number(node, "slot", SLOTS - 1, &slot) ||
		!read_number(node, "function", 7, &function)) {
		return false;
	}
	*address = (struct domain_address){
		.domain = (uint32_t)domain,
		.bus = (uint8_t)bus,
		.slot = (uint8_t)slot,
		.function = (uint8_t)function,
	};
	return true;
}

void guest_pci_write(xmlNode *node, const struct domain_address *address) {
	const struct {
		const char *name;
		unsigned value;
		int digits;
	} parts[] = {
		{"domain", address->domain, 4},
		{"bus", address->bus, 2},
		{"slot", address->slot, 2},
		{"function", address->function, 1},
	};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char text[16];
		snprintf(text, sizeof(text), "0x%0*x", parts[i].digits, parts[i].value);
		tree_set(node, parts[i].name, text);
	}
}

bool guest_pci_is_express(xmlNode *root) {
	xmlNode *controller = tree_child(tree_child(root, "devices"), "controller");
	for (; controller != NULL; controller = tree_next(controller)) {
		if (tree_is(controller, "model", "pcie-root")) {
			return true;
		}
		if (tree_is(controller, "model", "pci-root")) {
			return false;
		}
	}
	/* libvirt has not seen it yet. */
	char *machine = tree_get(tree_child(tree_child(root, "os"), "type"), "machine");
	bool express = machine != NULL &&
		       (strstr(machine, "q35") != NULL || strstr(machine, "virt") != NULL);
	free(machine);
	return express;
}

/* The index of a PCI controller, which is the number of the bus behind it; -1 for another kind. */
static long controller_index(xmlNode *controller) {
	char *text = tree_is(controller, "type", "pci") ? tree_get(controller, "index") : NULL;
	long index = text == NULL ? -1 : strtol(text, NULL, 10);
	free(text);
	return index;
}

int guest_pci_add_port(xmlNode *devices, const char *alias) {
	long last = 0;
	xmlNode *after = NULL;
	for (xmlNode *controller = tree_child(devices, "controller"); controller != NULL;
		controller = tree_next(controller)) {
		long index = controller_index(controller);
		last = index > last ? index : last;
		after = index >= 0 ? controller : after;
	}
	if (last >= BUS_MAX) {
		return -1;
	}
	char index[32];
	snprintf(index, sizeof(index), "%ld", last + 1);
	xmlNode *port = tree_add(devices, "controller", NULL);
	tree_set(port, "type", "pci");
	tree_set(port, "index", index);
	tree_set(port, "model", "pcie-root-port");
	tree_set(tree_add(port, "alias", NULL), "name", alias);
	/* Where libvirt puts it too, so that what is shown is what comes of it. */
	if (after != NULL) {
		xmlAddNextSibling(after, port);
	}
	return (int)(last + 1);
}

xmlNode *guest_pci_find_port(xmlNode *devices, unsigned bus) {
	xmlNode *controller = tree_child(devices, "controller");
	for (; controller != NULL; controller = tree_next(controller)) {
		if (controller_index(controller) == (long)bus) {
			char *alias = tree_get(tree_child(controller, "alias"), "name");
			bool ours = alias != NULL && strncmp(alias, GUEST_PCI_PORT_PREFIX,
							     strlen(GUEST_PCI_PORT_PREFIX)) == 0;
			free(alias);
			return ours ? controller : NULL;
		}
	}
	return NULL;
}

static bool has_address(xmlNode *device, struct domain_address *address) {
	return device->type == XML_ELEMENT_NODE &&
	       guest_pci_read(tree_child(device, "address"), address);
}

bool guest_pci_bus_in_use(xmlNode *devices, unsigned bus) {
	struct domain_address address;
	for (xmlNode *device = devices->children; device != NULL; device = device->next) {
		if (has_address(device, &address) && address.domain == 0 && address.bus == bus) {
			return true;
		}
	}
	return false;
}

int guest_pci_free_slot(xmlNode *devices) {
	bool used[SLOTS] = {false};
	struct domain_address address;
	for (xmlNode *device = devices->children; device != NULL; device = device->next) {
		if (has_address(device, &address) && address.domain == 0 && address.bus == 0) {
			used[address.slot] = true;
		}
	}
	for (int slot = SLOT_LAST; slot > 2; slot--) {
		if (!used[slot]) {
			return slot;
		}
	}
	return -1;
}
