#include "inventory/nodes.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* One device node of one PCI device. */
struct node {
	char *path; /* "/dev/dri/card0" */
	struct pci_device *device;
};

struct nodes {
	struct node *items;
	size_t count;
};

static void add_node(struct nodes *nodes, char *path, struct pci_device *device) {
	nodes->items = must_grow(nodes->items, nodes->count, sizeof(*nodes->items));
	nodes->items[nodes->count++] = (struct node){.path = path, .device = device};
}

/* The value of DEVNAME in a uevent file; the caller's, NULL when the device has no node. */
static char *device_name(struct tree *tree, const char *path) {
	char *text = tree_text(tree, "%s/uevent", path);
	char *rest = text, *line, *name = NULL;
	while (!name && (line = strsep(&rest, "\n"))) {
		if (strncmp(line, "DEVNAME=", 8) == 0) {
			name = must_copy(line + 8);
		}
	}
	free(text);
	return name;
}

static void add_class(
	struct nodes *nodes, const struct machine *machine, struct tree *tree, const char *class) {
	struct strings names = tree_list(tree, "/sys/class/%s", class);
	for (size_t i = 0; i < names.count; i++) {
		char *path = tree_target(tree, "/sys/class/%s/%s", class, names.items[i]);
		struct pci_device *device = path ? machine_find_path(machine, path) : NULL;
		char *name = device ? device_name(tree, path) : NULL;
		if (name) {
			add_node(nodes, must_print("/dev/%s", name), device);
		}
		free(name);
		free(path);
	}
	strings_finish(&names);
}

/* NVIDIA's own driver makes nodes that sysfs knows nothing of. */
static void add_nvidia(struct nodes *nodes, const struct machine *machine, struct tree *tree) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *device = &machine->devices[i];
		if (!device->driver || strcmp(device->driver, "nvidia") != 0) {
			continue;
		}
		char *text =
			tree_text(tree, "/proc/driver/nvidia/gpus/%s/information", device->name);
		const char *minor = text ? strstr(text, "Device Minor:") : NULL;
		if (minor) {
			int number = atoi(minor + strlen("Device Minor:"));
			add_node(nodes, must_print("/dev/nvidia%d", number), device);
		}
		free(text);
	}
}

/* A VFIO group is held as a whole through one node. */
static void add_vfio_groups(struct nodes *nodes, const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *device = &machine->devices[i];
		if (device->driver && strncmp(device->driver, "vfio", 4) == 0 &&
			device->iommu_group >= 0) {
			add_node(nodes, must_print("/dev/vfio/%d", device->iommu_group), device);
		}
	}
}

static void add_process(
	const struct nodes *nodes, struct tree *tree, const char *pid, const char *open_path) {
	char *name = NULL;
	for (size_t i = 0; i < nodes->count; i++) {
		if (strcmp(nodes->items[i].path, open_path) != 0) {
			continue;
		}
		if (!name) {
			name = tree_text(tree, "/proc/%s/comm", pid);
		}
		machine_add_holder(nodes->items[i].device, HOLDER_PROCESS,
			name ? name : "a process", open_path, atoi(pid));
	}
	free(name);
}

static void read_process(const struct nodes *nodes, struct tree *tree, const char *pid) {
	struct strings files = tree_list(tree, "/proc/%s/fd", pid);
	for (size_t i = 0; i < files.count; i++) {
		char *open_path = tree_link(tree, "/proc/%s/fd/%s", pid, files.items[i]);
		if (open_path && strncmp(open_path, "/dev/", 5) == 0) {
			add_process(nodes, tree, pid, open_path);
		}
		free(open_path);
	}
	strings_finish(&files);
}

void nodes_read(struct machine *machine, struct tree *tree) {
	struct nodes nodes = {0};
	add_class(&nodes, machine, tree, "drm");
	add_class(&nodes, machine, tree, "sound");
	add_class(&nodes, machine, tree, "vfio-dev");
	add_nvidia(&nodes, machine, tree);
	add_vfio_groups(&nodes, machine);
	struct strings pids = {0};
	if (nodes.count > 0) {
		pids = tree_list(tree, "/proc");
	}
	for (size_t i = 0; i < pids.count; i++) {
		if (isdigit((unsigned char)pids.items[i][0])) {
			read_process(&nodes, tree, pids.items[i]);
		}
	}
	strings_finish(&pids);
	for (size_t i = 0; i < nodes.count; i++) {
		free(nodes.items[i].path);
	}
	free(nodes.items);
}
