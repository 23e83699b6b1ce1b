#include "inventory/consoles.h"

#include <stdlib.h>
#include <string.h>

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

/* The console of VGA's text mode, of a machine that was started as with a BIOS and has no
 * framebuffer (vgacon.c: "VGA+", "*VGA+" without colours). */
static void read_text_mode(struct machine *machine, struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/class/vtconsole");
	struct pci_device *device = machine_boot_vga(machine);
	for (size_t i = 0; i < names.count && device; i++) {
		char *kind = tree_text(tree, "/sys/class/vtconsole/%s/name", names.items[i]);
		if (kind && strstr(kind, "VGA") &&
			tree_number(tree, 0, "/sys/class/vtconsole/%s/bind", names.items[i]) == 1) {
			machine_add_holder(
				device, HOLDER_CONSOLE, names.items[i], "its text mode", 0);
		}
		free(kind);
	}
	strings_finish(&names);
}

static void add_framebuffer(
	struct pci_device *device, const char *name, const char *firmware, const char *console) {
	machine_add_holder(device, HOLDER_FRAMEBUFFER, name, firmware, 0);
	if (console) {
		machine_add_holder(device, HOLDER_CONSOLE, console, name, 0);
	}
}

/* The framebuffer that the firmware left is a platform device ("efi-framebuffer.0"), which the
 * kernel puts below the card whose memory it is where it knows that (sysfb.c). */
static void read_firmware(struct machine *machine, struct tree *tree, const char *console) {
	struct strings names = tree_list(tree, "/sys/bus/platform/devices");
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		char *path = strstr(name, "-framebuffer.")
				     ? tree_target(tree, "/sys/bus/platform/devices/%s", name)
				     : NULL;
		char *driver = path ? tree_link(tree, "%s/driver", path) : NULL;
		struct pci_device *device = driver ? machine_find_path(machine, path) : NULL;
		device = driver && !device ? machine_boot_vga(machine) : device;
		struct strings made = {0};
		if (device) {
			made = tree_list(tree, "%s/graphics", path);
			add_framebuffer(device, made.count > 0 ? made.items[0] : name, name,
				made.count > 0 ? console : NULL);
		}
		strings_finish(&made);
		free(driver);
		free(path);
	}
	strings_finish(&names);
}

static void read_framebuffers(struct machine *machine, struct tree *tree) {
	char *console = framebuffer_console(tree);
	read_firmware(machine, tree, console);
	struct strings names = tree_list(tree, "/sys/class/graphics");
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		char *path = NULL;
		if (strncmp(name, "fb", 2) == 0 && strcmp(name, "fbcon") != 0) {
			path = tree_target(tree, "/sys/class/graphics/%s", name);
		}
		struct pci_device *device = path && !strstr(path, "-framebuffer.")
						    ? machine_find_path(machine, path)
						    : NULL;
		if (device) {
			add_framebuffer(device, name, NULL, console);
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
	read_text_mode(machine, tree);
	read_serial(machine, tree);
}
