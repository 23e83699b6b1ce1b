#include "hostd/definition.h"

#include <string.h>

#include "base/must.h"

char *definition_find_stray(
	const struct decisions *decisions, const char *vm, const struct strings *devices) {
	for (size_t i = 0; i < decisions->count; i++) {
		const struct decision *decision = &decisions->items[i];
		bool own = decision->vm && strcmp(decision->vm->name, vm) == 0;
		if (!own && strings_contain(devices, decision->device->name)) {
			return must_print("its definition has %s, which belongs to %s: %s",
				decision->device->name,
				decision->vm ? decision->vm->name : "the host", decision->reason);
		}
	}
	return NULL;
}

/* Where a known device is that was at this address when it was named; NULL: it is there, or is not
 * known to be anywhere. */
static const char *find_new_place(const struct known *known, const struct machine *machine,
	const char *address, const char **name) {
	for (size_t i = 0; i < known->count; i++) {
		const struct known_device *entry = &known->devices[i];
		struct pci_device *device;
		if (strcmp(entry->address, address) != 0) {
			continue;
		}
		known_locate(known, entry, machine, &device);
		if (device && strcmp(device->name, address) != 0) {
			*name = entry->name;
			return device->name;
		}
	}
	return NULL;
}

char *definition_find_moved(const struct known *known, const struct machine *machine,
	const char *domain, const struct strings *devices) {
	for (size_t i = 0; i < devices->count; i++) {
		const char *address = devices->items[i], *name;
		const char *place = find_new_place(known, machine, address, &name);
		/* The definition knows already, and has another card at the old one. */
		if (place && !strings_contain(devices, place)) {
			return must_print("%s has moved from %s to %s, and the definition has the "
					  "old address: portal-host domain edit %s --remove-device "
					  "%s --device %s --apply",
				name, address, place, domain, address, name);
		}
		if (!machine_find(machine, address)) {
			return must_print("its definition has %s, where there is no device now: "
					  "portal-host domain edit %s --remove-device %s --apply "
					  "takes it out",
				address, domain, address);
		}
	}
	return NULL;
}
