#include "inventory/consoles.h"

#include <stdlib.h>
#include <string.h>

static struct pci_device *boot_vga(const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (machine->devices[i].boot_vga) {
			return &machine->devices[i];
		}
	}
	return NULL;
}

/* Is a text console bound to framebuffers? ("(M) frame buffer device" in vtconsole/NAME/name) */
static char *framebuffer_console(struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/class/vtconsole");
	char *found = NULL;
	for (size_t i = 0; i < names.count && !found; i++) {
		char *kind = tree_text(tree, "/sys/class/vtconsole/%s/name", names.items[i]);
		if (kind && strstr(kind, "frame buffer") &&
			tree_number(tree, 0, "/sys/class/vtconsole/%s/bind", names.items[i]) == 1) {
			found = names.items[i];
			names.items[i] = NULL;
		}
		free(kind);
	}
	strings_finish(&names);
	return found;
}

static void read_framebuffers(struct machine *machine, struct tree *tree) {
	char *console = framebuffer_console(tree);
	struct strings names = tree_list(tree, "/sys/class/graphics");
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		char *path = NULL;
		if (strncmp(name, "fb", 2) == 0 && strcmp(name, "fbcon") != 0) {
			path = tree_target(tree, "/sys/class/graphics/%s", name);
		}
		if (!path) {
			continue;
		}
		/* The firmware's framebuffer is a platform device on the boot card's memory. */
		struct pci_device *device = machine_find_path(machine, path);
		bool firmware = !device && strstr(path, "/platform/");
		device = firmware ? boot_vga(machine) : device;
		if (device) {
			machine_add_holder(device, HOLDER_FRAMEBUFFER, name,
				firmware ? "the firmware" : NULL, 0);
			if (console) {
				machine_add_holder(device, HOLDER_CONSOLE, console, name, 0);
			}
		}
		free(path);
	}
	strings_finish(&names);
	free(console);
}

/* Kernel messages on a serial port of a PCI card. */
static void read_serial(struct machine *machine, struct tree *tree) {
	char *text = tree_text(tree, "/sys/class/tty/console/active");
	char *rest = text, *name;
	while ((name = strsep(&rest, " "))) {
		char *path = tree_target(tree, "/sys/class/tty/%s", name);
		struct pci_device *device = path ? machine_find_path(machine, path) : NULL;
		if (device) {
			machine_add_holder(device, HOLDER_CONSOLE, name, NULL, 0);
		}
		free(path);
	}
	free(text);
}

void consoles_read(struct machine *machine, struct tree *tree) {
	read_framebuffers(machine, tree);
	read_serial(machine, tree);
}
