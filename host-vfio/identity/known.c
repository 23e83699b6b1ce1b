#include "identity/known.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

static void entry_finish(struct known_device *entry) {
	free(entry->name);
	free(entry->address);
	identity_finish(&entry->identity);
}

void known_finish(struct known *known) {
	for (size_t i = 0; i < known->count; i++) {
		entry_finish(&known->devices[i]);
	}
	free(known->devices);
	*known = (struct known){0};
}

struct known_device *known_find(const struct known *known, const char *name) {
	for (size_t i = 0; i < known->count; i++) {
		if (strcmp(known->devices[i].name, name) == 0) {
			return &known->devices[i];
		}
	}
	return NULL;
}

static bool is_name(const char *name) {
	if (!isalpha((unsigned char)name[0])) {
		return false;
	}
	for (const char *at = name; *at != '\0'; at++) {
		if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_') {
			return false;
		}
	}
	return true;
}

int known_add(struct known *known, const char *name, const struct pci_device *device,
	struct error *error) {
	if (!is_name(name)) {
		return error_set(error,
			"\"%s\" is no name: letters, digits, - and _, starting with a letter",
			name);
	}
	struct known_device *entry = known_find(known, name);
	if (entry) {
		entry_finish(entry);
	} else {
		known->devices = must_grow(known->devices, known->count, sizeof(*entry));
		entry = &known->devices[known->count++];
	}
	entry->name = must_copy(name);
	entry->address = must_copy(device->name);
	identity_init(&entry->identity, device);
	return 0;
}

int known_remove(struct known *known, const char *name) {
	struct known_device *entry = known_find(known, name);
	if (!entry) {
		return -1;
	}
	entry_finish(entry);
	size_t index = (size_t)(entry - known->devices);
	memmove(entry, entry + 1, (known->count - index - 1) * sizeof(*entry));
	known->count--;
	return 0;
}

static struct pci_device *device_at(const struct machine *machine, const char *path) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		char *other = identity_path(&machine->devices[i]);
		bool same = strcmp(other, path) == 0;
		free(other);
		if (same) {
			return &machine->devices[i];
		}
	}
	return NULL;
}

/* Is it the place of another known device, and that device is in it? */
static bool is_spoken_for(const struct known *known, const struct known_device *except,
	const struct pci_device *device) {
	char *path = identity_path(device);
	bool found = false;
	for (size_t i = 0; i < known->count && !found; i++) {
		const struct known_device *other = &known->devices[i];
		found = other != except && strcmp(other->identity.path, path) == 0 &&
			identity_same_card(&other->identity, device);
	}
	free(path);
	return found;
}

enum known_state known_locate(const struct known *known, const struct known_device *entry,
	const struct machine *machine, struct pci_device **device) {
	struct pci_device *there = device_at(machine, entry->identity.path);
	*device = there;
	if (there && identity_same_card(&entry->identity, there)) {
		return KNOWN_PRESENT;
	}
	*device = NULL;
	size_t candidates = 0;
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *other = &machine->devices[i];
		if (identity_same_card(&entry->identity, other) &&
			!is_spoken_for(known, entry, other)) {
			*device = other;
			candidates++;
		}
	}
	if (candidates == 1) {
		return KNOWN_MOVED;
	}
	*device = NULL;
	if (candidates > 1) {
		return KNOWN_AMBIGUOUS;
	}
	return there ? KNOWN_REPLACED : KNOWN_ABSENT;
}

const char *known_state_name(enum known_state state) {
	static const char *const names[] = {
		[KNOWN_PRESENT] = "present",
		[KNOWN_MOVED] = "moved",
		[KNOWN_AMBIGUOUS] = "ambiguous",
		[KNOWN_REPLACED] = "replaced",
		[KNOWN_ABSENT] = "absent",
	};
	return names[state];
}

struct pci_device *known_resolve(const struct known *known, const struct machine *machine,
	const char *text, struct error *error) {
	struct pci_address address;
	if (pci_address_parse(text, &address)) {
		struct pci_device *device = machine_find(machine, text);
		if (!device) {
			error_set(error, "there is no PCI function %s", text);
		}
		return device;
	}
	const struct known_device *entry = known_find(known, text);
	if (!entry) {
		error_set(error, "\"%s\" is neither a PCI address nor the name of a known device",
			text);
		return NULL;
	}
	struct pci_device *device;
	switch (known_locate(known, entry, machine, &device)) {
	case KNOWN_PRESENT:
	case KNOWN_MOVED:
		break;
	case KNOWN_AMBIGUOUS:
		error_set(error,
			"%s is not in its place %s, and there are several cards like it elsewhere",
			text, entry->identity.path);
		break;
	case KNOWN_REPLACED:
		error_set(error, "another card is where %s was (%s)", text, entry->identity.path);
		break;
	case KNOWN_ABSENT:
		error_set(error, "%s is not in this machine now (it was at %s)", text,
			entry->address);
		break;
	}
	return device;
}

static bool same_address(const char *a, const char *b) {
	struct pci_address one, other;
	return pci_address_parse(a, &one) && pci_address_parse(b, &other) &&
	       pci_address_compare(&one, &other) == 0;
}

/* Of those that had the address. NULL: none, or one of them has it. */
static const struct known_device *find_former(const struct known *known,
	const struct machine *machine, const char *address, const struct pci_device **place) {
	const struct known_device *former = NULL;
	for (size_t i = 0; i < known->count; i++) {
		const struct known_device *entry = &known->devices[i];
		struct pci_device *device;
		if (!same_address(entry->address, address)) {
			continue;
		}
		known_locate(known, entry, machine, &device);
		if (device && same_address(device->name, address)) {
			return NULL;
		}
		*place = former ? *place : device;
		former = former ? former : entry;
	}
	return former;
}

struct pci_device *known_resolve_lasting(const struct known *known, const struct machine *machine,
	const char *text, struct error *error) {
	const struct pci_device *place = NULL;
	const struct known_device *former = find_former(known, machine, text, &place);
	if (!former) {
		return known_resolve(known, machine, text, error);
	}
	error_set(error,
		"%s is where %s was, which is %s now: say %s if that is meant, and else give what "
		"is "
		"there now a name (portal-host remember %s NAME)",
		text, former->name, place ? place->name : "not in this machine", former->name,
		text);
	return NULL;
}

const char *known_name_of(
	const struct known *known, const struct machine *machine, const struct pci_device *device) {
	for (size_t i = 0; i < known->count; i++) {
		struct pci_device *found;
		known_locate(known, &known->devices[i], machine, &found);
		if (found == device) {
			return known->devices[i].name;
		}
	}
	return NULL;
}
