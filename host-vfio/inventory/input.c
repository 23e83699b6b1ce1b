#include "inventory/input.h"

#include <stdlib.h>
#include <string.h>

enum { BUS_BLUETOOTH = 0x05, BUS_I8042 = 0x11 }; /* linux/input.h */

/* The lowest 64 bits of a capability bitmap: sysfs prints the highest word first. */
static unsigned long long low_word(struct tree *tree, const char *path, const char *kind) {
	char *text = tree_text(tree, "%s/capabilities/%s", path, kind);
	unsigned long long word = 0;
	if (text) {
		const char *last = strrchr(text, ' ');
		word = strtoull(last ? last + 1 : text, NULL, 16);
	}
	free(text);
	return word;
}

bool input_is_keyboard(struct tree *tree, const char *path) {
	return (low_word(tree, path, "key") & 0xfffffffeULL) == 0xfffffffeULL;
}

bool input_is_pointer(struct tree *tree, const char *path) {
	return (low_word(tree, path, "rel") & 3) == 3 || (low_word(tree, path, "abs") & 3) == 3;
}

static void add_to(struct pci_device *device, const char *name, bool keyboard) {
	machine_add_holder(device, HOLDER_INPUT, name ? name : "an input device",
		keyboard ? "keyboard" : "mouse", 0);
}

/* BlueZ speaks with keyboards and mice itself and makes their devices by /dev/uhid, below no radio:
 * which of several they are reached through is not in sysfs. */
static void add_to_radios(
	struct machine *machine, struct tree *tree, const char *name, bool keyboard) {
	struct strings names = tree_list(tree, "/sys/class/bluetooth");
	for (size_t i = 0; i < names.count; i++) {
		/* "hci0:11" is a connection. */
		bool radio = strncmp(names.items[i], "hci", 3) == 0 && !strchr(names.items[i], ':');
		char *path =
			radio ? tree_target(tree, "/sys/class/bluetooth/%s", names.items[i]) : NULL;
		struct pci_device *device = path ? machine_find_path(machine, path) : NULL;
		/* Most are on USB, some have a function of their own. */
		if (device && device->category != CATEGORY_BRIDGE &&
			device->category != CATEGORY_SYSTEM) {
			add_to(device, name, keyboard);
		}
		free(path);
	}
	strings_finish(&names);
}

static void read_one(struct machine *machine, struct tree *tree, const char *path) {
	bool keyboard = input_is_keyboard(tree, path), pointer = input_is_pointer(tree, path);
	if (!keyboard && !pointer) {
		return;
	}
	char *text = tree_text(tree, "%s/id/bustype", path);
	unsigned long bus = text ? strtoul(text, NULL, 16) : 0;
	char *name = tree_text(tree, "%s/name", path);
	if (bus == BUS_I8042) {
		machine->ps2_keyboard |= keyboard;
		machine->ps2_mouse |= pointer;
	}
	struct pci_device *device = machine_find_path(machine, path);
	/* A PS/2 port can hang below the LPC bridge, which nobody gives away. */
	if (device && device->category == CATEGORY_USB) {
		add_to(device, name, keyboard);
	} else if (bus == BUS_BLUETOOTH && strncmp(path, "/sys/devices/virtual/", 21) == 0) {
		add_to_radios(machine, tree, name, keyboard);
	}
	free(name);
	free(text);
}

void input_read(struct machine *machine, struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/class/input");
	for (size_t i = 0; i < names.count; i++) {
		if (strncmp(names.items[i], "input", 5) != 0) {
			continue;
		}
		char *path = tree_target(tree, "/sys/class/input/%s", names.items[i]);
		if (path) {
			read_one(machine, tree, path);
		}
		free(path);
	}
	strings_finish(&names);
}
