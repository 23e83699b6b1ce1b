#include "identity/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

char *identity_path(const struct pci_device *device) {
	char *copy = must_copy(device->path), *rest = copy, *part;
	char *path = must_alloc(strlen(copy) + 1, 1);
	while ((part = strsep(&rest, "/"))) {
		struct pci_address address;
		char name[8];
		if (pci_address_parse(part, &address)) {
			snprintf(name, sizeof(name), "%02x.%x", address.slot, address.function);
			part = name;
		} else if (strncmp(part, "pci", 3) != 0) {
			continue; /* "", "sys", "devices" */
		}
		if (path[0] != '\0') {
			strcat(path, "/");
		}
		strcat(path, part);
	}
	free(copy);
	return path;
}

void identity_init(struct identity *identity, const struct pci_device *device) {
	*identity = (struct identity){
		.path = identity_path(device),
		.vendor = device->vendor,
		.device = device->device,
		.subsystem_vendor = device->subsystem_vendor,
		.subsystem_device = device->subsystem_device,
		.class_code = device->class_code,
	};
}

void identity_finish(struct identity *identity) {
	free(identity->path);
	*identity = (struct identity){0};
}

bool identity_same_card(const struct identity *identity, const struct pci_device *device) {
	return identity->vendor == device->vendor && identity->device == device->device &&
	       identity->subsystem_vendor == device->subsystem_vendor &&
	       identity->subsystem_device == device->subsystem_device &&
	       identity->class_code == device->class_code;
}
