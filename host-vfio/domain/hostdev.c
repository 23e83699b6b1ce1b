#include "domain/hostdev.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "domain/tree.h"

#define FUNCTIONS 8

static bool read_source(xmlNode *device, struct domain_address *host) {
	return guest_pci_read(tree_child(tree_child(device, "source"), "address"), host);
}

static bool read_host(xmlNode *hostdev, struct domain_address *host) {
	return tree_is(hostdev, "type", "pci") && read_source(hostdev, host);
}

/* The element that a function is: <hostdev>, or <interface> of that type. */
static bool is_function(xmlNode *device, struct domain_address *host) {
	if (device->type != XML_ELEMENT_NODE) {
		return false;
	}
	return strcmp((const char *)device->name, "interface") == 0
		       ? tree_is(device, "type", "hostdev") && read_source(device, host)
		       : strcmp((const char *)device->name, "hostdev") == 0 &&
				 read_host(device, host);
}

/* What takes a function from the host: QEMU has an NVMe disk by VFIO, too. */
static bool takes_function(xmlNode *device, struct domain_address *host) {
	return is_function(device, host) ||
	       (device->type == XML_ELEMENT_NODE &&
		       strcmp((const char *)device->name, "disk") == 0 &&
		       tree_is(device, "type", "nvme") && read_source(device, host));
}

static xmlNode *first_device(xmlNode *root) {
	xmlNode *devices = tree_child(root, "devices");
	return devices == NULL ? NULL : devices->children;
}

xmlNode *hostdev_find(xmlNode *root, const struct domain_address *host) {
	xmlNode *device = first_device(root);
	struct domain_address address;
	while (device != NULL &&
		!(is_function(device, &address) && domain_address_equal(&address, host))) {
		device = device->next;
	}
	return device;
}

void hostdev_each(
	xmlNode *root, void (*each)(void *data, const struct domain_address *host), void *data) {
	for (xmlNode *device = first_device(root); device != NULL; device = device->next) {
		struct domain_address host;
		if (takes_function(device, &host)) {
			each(data, &host);
		}
	}
}

static void add_address(void *data, const struct domain_address *host) {
	char text[DOMAIN_ADDRESS_TEXT];
	domain_address_format(host, text);
	strings_add(data, text);
}

struct strings hostdev_list(xmlNode *root) {
	struct strings addresses = {0};
	hostdev_each(root, add_address, &addresses);
	return addresses;
}

static xmlNode *create(xmlNode *devices, const struct domain_address *host) {
	xmlNode *hostdev = tree_add(devices, "hostdev", NULL);
	tree_set(hostdev, "mode", "subsystem");
	tree_set(hostdev, "type", "pci");
	guest_pci_write(tree_add(tree_add(hostdev, "source", NULL), "address", NULL), host);
	char *alias = must_print("ua-portal-pci-%04x-%02x-%02x-%x", (unsigned)host->domain,
		(unsigned)host->bus, (unsigned)host->slot, (unsigned)host->function);
	tree_set(tree_add(hostdev, "alias", NULL), "name", alias);
	free(alias);
	return hostdev;
}

static void apply_rom(xmlNode *hostdev, const struct domain_hostdev *wanted) {
	if (wanted->rom_bar == DOMAIN_SWITCH_UNSET && wanted->rom_file == NULL) {
		return;
	}
	xmlNode *rom = tree_need(hostdev, "rom");
	if (wanted->rom_bar == DOMAIN_SWITCH_DEFAULT) {
		xmlUnsetProp(rom, BAD_CAST "bar");
	} else if (wanted->rom_bar != DOMAIN_SWITCH_UNSET) {
		tree_set(rom, "bar", wanted->rom_bar == DOMAIN_SWITCH_ON ? "on" : "off");
	}
	if (wanted->rom_file != NULL && wanted->rom_file[0] != '\0') {
		tree_set(rom, "file", wanted->rom_file);
	} else if (wanted->rom_file != NULL) {
		xmlUnsetProp(rom, BAD_CAST "file");
	}
	if (rom->properties == NULL) {
		tree_remove(rom);
	}
}

/* The functions that the domain has of one slot of the host, by their numbers there. */
struct slot {
	xmlNode *functions[FUNCTIONS];
	unsigned count;
	unsigned first; /* the lowest number */
};

static struct slot find_slot(xmlNode *root, const struct domain_address *host) {
	struct slot slot = {.first = FUNCTIONS};
	xmlNode *hostdev = tree_child(tree_child(root, "devices"), "hostdev");
	for (; hostdev != NULL; hostdev = tree_next(hostdev)) {
		struct domain_address address;
		if (!read_host(hostdev, &address) || !domain_address_same_slot(&address, host) ||
			slot.functions[address.function] != NULL) {
			continue;
		}
		slot.functions[address.function] = hostdev;
		slot.count++;
		slot.first = address.function < slot.first ? address.function : slot.first;
	}
	return slot;
}

/* Where the guest has the slot already: at its first function that has a place. */
static bool find_place(const struct slot *slot, struct domain_address *place) {
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		if (slot->functions[i] != NULL &&
			guest_pci_read(tree_child(slot->functions[i], "address"), place)) {
			return true;
		}
	}
	return false;
}

static int choose_place(xmlNode *root, const struct domain_address *host,
	struct domain_address *place, struct error *error) {
	xmlNode *devices = tree_child(root, "devices");
	*place = (struct domain_address){0};
	if (!guest_pci_is_express(root)) {
		int free_slot = guest_pci_free_slot(devices);
		place->slot = (uint8_t)free_slot;
		return free_slot >= 0 ? 0
				      : error_set(error, "the guest's PCI bus has no slot left");
	}
	char *alias = must_print(GUEST_PCI_PORT_PREFIX "%04x-%02x-%02x", (unsigned)host->domain,
		(unsigned)host->bus, (unsigned)host->slot);
	int bus = guest_pci_add_port(devices, alias);
	free(alias);
	place->bus = (uint8_t)bus;
	return bus >= 0 ? 0 : error_set(error, "the guest has no PCI bus left");
}

/* Is there something else at the guest's slot: a device that is not of this slot of the host? */
static bool is_shared(xmlNode *root, const struct slot *slot, const struct domain_address *place) {
	xmlNode *device = tree_child(root, "devices")->children;
	for (; device != NULL; device = device->next) {
		struct domain_address address;
		bool member = false;
		for (unsigned i = 0; i < FUNCTIONS; i++) {
			member |= slot->functions[i] == device;
		}
		if (!member && device->type == XML_ELEMENT_NODE &&
			guest_pci_read(tree_child(device, "address"), &address) &&
			domain_address_same_slot(&address, place)) {
			return true;
		}
	}
	return false;
}

/*
 * Gives the functions of a slot their addresses in the guest. The host's numbers are kept, so that
 * a driver finds what belongs together; but a slot without a function 0 is empty for the guest.
 */
static int lay_out(xmlNode *root, const struct domain_address *host, struct error *error) {
	struct slot slot = find_slot(root, host);
	struct domain_address place;
	if (slot.count == 0) {
		return 0;
	}
	bool placed = find_place(&slot, &place);
	bool shared = placed && is_shared(root, &slot, &place);
	if (shared && slot.count == 1) {
		return 0; /* somebody put it beside something else, at a number that is its own */
	}
	placed &= !shared;
	if (!placed && choose_place(root, host, &place, error) < 0) {
		return -1;
	}
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		if (slot.functions[i] == NULL) {
			continue;
		}
		xmlNode *address = tree_need(slot.functions[i], "address");
		place.function = (uint8_t)(i == slot.first ? 0 : i);
		tree_set(address, "type", "pci");
		guest_pci_write(address, &place);
		if (place.function == 0 && slot.count > 1) {
			tree_set(address, "multifunction", "on");
		} else {
			xmlUnsetProp(address, BAD_CAST "multifunction");
		}
	}
	return 0;
}

/* Is the function what one of its disks is? */
static bool is_disk(xmlNode *root, const struct domain_address *host) {
	for (xmlNode *device = first_device(root); device != NULL; device = device->next) {
		struct domain_address address;
		if (!is_function(device, &address) && takes_function(device, &address) &&
			domain_address_equal(&address, host)) {
			return true;
		}
	}
	return false;
}

int hostdev_add(
	xmlNode *root, const struct domain_hostdev *hostdevs, size_t count, struct error *error) {
	xmlNode *devices = tree_need(root, "devices");
	for (size_t i = 0; i < count; i++) {
		xmlNode *hostdev = hostdev_find(root, &hostdevs[i].host);
		if (hostdev == NULL && is_disk(root, &hostdevs[i].host)) {
			char text[DOMAIN_ADDRESS_TEXT];
			domain_address_format(&hostdevs[i].host, text);
			return error_set(error,
				"it has %s as a disk already (<disk type='nvme'>), and QEMU opens "
				"a function once: take the disk out first, by virsh edit",
				text);
		}
		if (hostdev == NULL) {
			hostdev = create(devices, &hostdevs[i].host);
		}
		tree_set(hostdev, "managed", "no");
		apply_rom(hostdev, &hostdevs[i]);
	}
	for (size_t i = 0; i < count; i++) {
		if (lay_out(root, &hostdevs[i].host, error) < 0) {
			return -1;
		}
	}
	return 0;
}

/* A port that was made for a slot goes when the slot is empty. */
static void remove_port(xmlNode *devices, unsigned bus) {
	if (bus != 0 && !guest_pci_bus_in_use(devices, bus)) {
		tree_remove(guest_pci_find_port(devices, bus));
	}
}

void hostdev_remove(xmlNode *root, const struct domain_address *host) {
	xmlNode *hostdev = hostdev_find(root, host);
	if (hostdev == NULL) {
		return;
	}
	struct domain_address place;
	bool placed = guest_pci_read(tree_child(hostdev, "address"), &place);
	tree_remove(hostdev);
	/* It has a place already, so there is nothing that could fail. */
	lay_out(root, host, NULL);
	if (placed) {
		remove_port(tree_child(root, "devices"), place.bus);
	}
}
