#include "inventory/nodes.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/block.h"
#include "inventory/group.h"

/* One device node of one PCI device. */
struct node {
	char *path; /* "/dev/dri/card0" */
	struct pci_device *device;
	bool disk; /* a block device, which who only looks into it does not hold */
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
		if (path && !device && strstr(path, "-framebuffer.")) {
			device = machine_boot_vga(machine); /* the firmware's */
		}
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

struct block {
	struct nodes *nodes;
	char *path;
};

static void add_block(struct pci_device *device, void *data) {
	const struct block *block = data;
	add_node(block->nodes, must_copy(block->path), device);
	block->nodes->items[block->nodes->count - 1].disk = true;
}

/* Disks, and what is made of them: VMs have logical volumes as theirs. */
static void add_blocks(struct nodes *nodes, struct machine *machine, struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/class/block");
	for (size_t i = 0; i < names.count; i++) {
		struct block block = {nodes, must_print("/dev/%s", names.items[i])};
		char *path = tree_target(tree, "/sys/class/block/%s", names.items[i]);
		/* sysfs has no slash in a name ("cciss!c0d0"). */
		for (char *mark = block.path; (mark = strchr(mark, '!'));) {
			*mark = '/';
		}
		if (path) {
			block_each_controller(machine, tree, path, add_block, &block);
		}
		free(path);
		free(block.path);
	}
	strings_finish(&names);
}

/* One that is being unplugged has lost its driver, and waits in the kernel for whoever has it open.
 */
static bool is_with_vfio(const struct pci_device *device) {
	const char *driver = device->driver ? device->driver : device->driver_override;
	return driver && group_driver_is_vfio(driver);
}

/* A VFIO group is held as a whole through one node. */
static void add_vfio_groups(struct nodes *nodes, const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *device = &machine->devices[i];
		if (is_with_vfio(device) && device->iommu_group >= 0) {
			add_node(nodes, must_print("/dev/vfio/%d", device->iommu_group), device);
		}
	}
}

/* A part of a card that keeps its driver (Documentation/driver-api/vfio-mediated-device.rst): a VM
 * has the part's group open, and the kernel waits for it when the driver goes. */
static void add_parts(struct nodes *nodes, const struct machine *machine, struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/bus/mdev/devices");
	for (size_t i = 0; i < names.count; i++) {
		char *path = tree_target(tree, "/sys/bus/mdev/devices/%s", names.items[i]);
		struct pci_device *device = path ? machine_find_path(machine, path) : NULL;
		char *group = device ? tree_link(tree, "%s/iommu_group", path) : NULL;
		if (group) {
			add_node(nodes, must_print("/dev/vfio/%s", path_name(group)), device);
		}
		free(group);
		free(path);
	}
	strings_finish(&names);
}

static bool has_suffix(const char *text, const char *suffix) {
	size_t length = strlen(text), end = strlen(suffix);
	return length >= end && strcmp(text + length - end, suffix) == 0;
}

/* Of a service or a scope, as systemd.unit(5) allows it: a user makes groups of other names, too.
 */
static bool is_unit(const char *part) {
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.\\@";
	return part[0] != '-' && part[strspn(part, allowed)] == '\0' &&
	       (has_suffix(part, ".service") || has_suffix(part, ".scope"));
}

/* The unit of a path of control groups (systemd.unit(5), "user@1000.service" being the manager of
 * a user's own units, below which all groups are that user's). A login session is a scope. The
 * caller's; NULL: none that can be stopped. */
static char *unit_of_group(char *path) {
	char *rest = path, *part, *unit = NULL, *user = NULL;
	while ((part = strsep(&rest, "/"))) {
		size_t length = strlen(part);
		if (!user && strncmp(part, "user@", 5) == 0 && has_suffix(part, ".service")) {
			free(user);
			free(unit);
			unit = NULL;
			user = must_print(
				"%.*s/", (int)(length - 5 - strlen(".service")), part + 5);
		} else if (!unit && is_unit(part)) {
			unit = must_copy(part);
		}
	}
	char *full = unit ? must_print("%s%s", user ? user : "", unit) : NULL;
	free(user);
	free(unit);
	return full;
}

/* The line "0::/PATH" of /proc/PID/cgroup is that of the unified hierarchy. */
static char *read_unit(struct tree *tree, const char *pid) {
	char *text = tree_text(tree, "/proc/%s/cgroup", pid);
	char *line = text ? strstr(text, "0::/") : NULL;
	char *end = line ? strchr(line, '\n') : NULL;
	if (end) {
		*end = '\0';
	}
	char *unit = line ? unit_of_group(line + 3) : NULL;
	free(text);
	return unit;
}

/* udev, smartd and multipathd look into disks; whoever writes to one has it as its own. */
static bool may_write(struct tree *tree, const char *pid, const char *file) {
	char *text = tree_text(tree, "/proc/%s/fdinfo/%s", pid, file);
	const char *line = text ? strstr(text, "flags:") : NULL;
	unsigned flags = O_RDONLY;
	if (line) {
		sscanf(line, "flags: %o", &flags);
	}
	free(text);
	return (flags & O_ACCMODE) != O_RDONLY;
}

static void add_process(const struct nodes *nodes, struct tree *tree, const char *pid,
	const char *file, const char *open_path) {
	char *name = NULL;
	for (size_t i = 0; i < nodes->count; i++) {
		if (strcmp(nodes->items[i].path, open_path) != 0 ||
			(nodes->items[i].disk && !may_write(tree, pid, file))) {
			continue;
		}
		if (!name) {
			name = tree_text(tree, "/proc/%s/comm", pid);
		}
		struct holder *holder = machine_add_holder(nodes->items[i].device, HOLDER_PROCESS,
			name ? name : "a process", open_path, atoi(pid));
		if (!holder->unit) {
			holder->unit = read_unit(tree, pid);
		}
	}
	free(name);
}

static bool is_denied(int error) {
	return error == EACCES || error == EPERM;
}

/* False: this user may not see all that it has open. One that has ended has nothing open. */
static bool read_process(const struct nodes *nodes, struct tree *tree, const char *pid) {
	struct strings files = {0};
	char *directory = must_print("/proc/%s/fd", pid);
	bool seen = tree->impl->list(tree, directory, &files) == 0 || !is_denied(errno);
	strings_sort(&files);
	for (size_t i = 0; i < files.count; i++) {
		char *open_path = tree_link(tree, "%s/%s", directory, files.items[i]);
		if (!open_path) {
			seen &= !is_denied(errno);
		} else if (strncmp(open_path, "/dev/", 5) == 0) {
			add_process(nodes, tree, pid, files.items[i], open_path);
		}
		free(open_path);
	}
	strings_finish(&files);
	free(directory);
	return seen;
}

/* What display-manager.service is an alias of, when it has processes. */
static char *read_display_manager(struct tree *tree) {
	char *link = tree_link(tree, "/etc/systemd/system/display-manager.service");
	char *unit = link ? must_copy(path_name(link)) : NULL;
	char *processes =
		unit ? tree_text(tree, "/sys/fs/cgroup/system.slice/%s/cgroup.procs", unit) : NULL;
	if (!processes || processes[0] == '\0') {
		free(unit);
		unit = NULL;
	}
	free(processes);
	free(link);
	return unit;
}

void nodes_read(struct machine *machine, struct tree *tree) {
	machine->display_manager = read_display_manager(tree);
	struct nodes nodes = {0};
	add_class(&nodes, machine, tree, "drm");
	add_class(&nodes, machine, tree, "graphics");
	add_class(&nodes, machine, tree, "sound");
	add_class(&nodes, machine, tree, "vfio-dev");
	add_nvidia(&nodes, machine, tree);
	add_vfio_groups(&nodes, machine);
	add_parts(&nodes, machine, tree);
	add_blocks(&nodes, machine, tree);
	struct strings pids = {0};
	if (nodes.count > 0) {
		pids = tree_list(tree, "/proc");
	}
	for (size_t i = 0; i < pids.count; i++) {
		if (isdigit((unsigned char)pids.items[i][0])) {
			machine->unseen_processes += !read_process(&nodes, tree, pids.items[i]);
		}
	}
	strings_finish(&pids);
	/* Of a recorded machine: those that whoever recorded it could not look at. */
	long long unseen = tree_number(tree, 0, "/processes/unseen");
	machine->unseen_processes += unseen > 0 ? (size_t)unseen : 0;
	for (size_t i = 0; i < nodes.count; i++) {
		free(nodes.items[i].path);
	}
	free(nodes.items);
}
