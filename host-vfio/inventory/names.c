#include "inventory/names.h"

#include <stdio.h>
#include <stdlib.h>

#include <pci/pci.h>

#include "base/must.h"

/* The database's files alone: asking udev's gives the same names, and loses memory without one. */
enum { LOOKUP = PCI_LOOKUP_NO_HWDB };

struct names {
	struct pci_access *access;
};

static void ignore(char *format, ...) {
	(void)format; /* libpci warns about each bus it cannot look at; only its names are used */
}

struct names *names_create(void) {
	struct names *names = must_alloc(1, sizeof(*names));
	names->access = pci_alloc();
	names->access->warning = ignore;
	names->access->debug = ignore;
	/* Without the user's cache of names that were looked up on the network: it is not ours. */
	names->access->id_lookup_mode = 0;
	return names;
}

void names_destroy(struct names *names) {
	if (names) {
		pci_cleanup(names->access);
		free(names);
	}
}

char *names_device(struct names *names, const struct pci_device *device) {
	char text[256];
	const char *found = pci_lookup_name(names->access, text, sizeof(text),
		LOOKUP | PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, device->vendor, device->device);
	return found ? must_copy(found)
		     : must_print("Vendor %04x Device %04x", device->vendor, device->device);
}

char *names_model(struct names *names, const struct pci_device *device) {
	char text[256];
	const char *found = pci_lookup_name(names->access, text, sizeof(text),
		LOOKUP | PCI_LOOKUP_DEVICE, device->vendor, device->device);
	return found ? must_copy(found) : must_print("Device %04x", device->device);
}

char *names_subsystem(struct names *names, const struct pci_device *device) {
	char text[256];
	if (device->subsystem_vendor == 0) {
		return NULL;
	}
	const char *found = pci_lookup_name(names->access, text, sizeof(text),
		LOOKUP | PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_SUBSYSTEM,
		device->vendor, device->device, device->subsystem_vendor, device->subsystem_device);
	return found ? must_copy(found)
		     : must_print("Vendor %04x Device %04x", device->subsystem_vendor,
			       device->subsystem_device);
}

char *names_class(struct names *names, const struct pci_device *device) {
	char text[256];
	const char *found = pci_lookup_name(names->access, text, sizeof(text),
		LOOKUP | PCI_LOOKUP_CLASS, device->class_code >> 8);
	return found ? must_copy(found) : must_print("Class %06x", device->class_code);
}
