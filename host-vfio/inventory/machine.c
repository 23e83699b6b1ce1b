#include "inventory/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/words.h"
#include "inventory/consoles.h"
#include "inventory/disks.h"
#include "inventory/input.h"
#include "inventory/network.h"
#include "inventory/nodes.h"

static bool every_holder(const struct holder *holder, const void *data) {
	return true;
}

static void device_finish(struct pci_device *device) {
	machine_drop_holders(device, every_holder, NULL);
	free(device->holders);
	free(device->path);
	free(device->driver);
	free(device->driver_override);
	free(device->reset_methods);
	free(device->power_state);
	free(device->physical_function);
}

/* The last part of a link's target, or NULL. */
static char *link_name(struct tree *tree, const char *path, const char *name) {
	char *link = tree_link(tree, "%s/%s", path, name);
	char *last = link ? must_copy(path_name(link)) : NULL;
	free(link);
	return last;
}

static char *read_override(struct tree *tree, const char *path) {
	char *override = tree_text(tree, "%s/driver_override", path);
	/* What the kernel prints for a NULL pointer. */
	if (override && (override[0] == '\0' || strcmp(override, "(null)") == 0)) {
		free(override);
		return NULL;
	}
	return override;
}

/* Lines of "start end flags": six BARs, then the expansion ROM (Documentation/PCI/sysfs-pci). */
static void read_resources(struct tree *tree, struct pci_device *device) {
	char *text = tree_text(tree, "%s/resource", device->path);
	char *rest = text, *line;
	for (unsigned i = 0; i <= PCI_BARS && (line = strsep(&rest, "\n")); i++) {
		uint64_t start, end, flags;
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %" SCNx64, &start, &end, &flags) != 3) {
			break;
		}
		uint64_t size = end > start || start != 0 ? end - start + 1 : 0;
		if (i == PCI_BARS) {
			device->rom_size = size;
			break;
		}
		device->bars[i] = (struct pci_bar){.start = start, .size = size, .flags = flags};
		char *sizes = tree_text(tree, "%s/resource%u_resize", device->path, i);
		device->bars[i].resizable = sizes ? strtoull(sizes, NULL, 16) & PCI_BAR_SIZES : 0;
		free(sizes);
	}
	free(text);
}

/* Lines of "START END TYPE" (Documentation/ABI/testing/sysfs-kernel-iommu_groups). What a device
 * wants only while the machine starts, as graphics and USB do, is "direct-relaxable". */
static bool is_tied(struct tree *tree, int group) {
	char *text = tree_text(tree, "/sys/kernel/iommu_groups/%d/reserved_regions", group);
	bool tied = text && words_contain(text, "direct", " \n");
	free(text);
	return tied;
}

static bool read_device(struct tree *tree, const char *name, struct pci_device *device) {
	*device = (struct pci_device){.iommu_group = -1};
	if (!pci_address_parse(name, &device->address)) {
		return false;
	}
	snprintf(device->name, sizeof(device->name), "%s", name);
	device->path = tree_target(tree, "/sys/bus/pci/devices/%s", name);
	if (!device->path) {
		return false;
	}
	const char *path = device->path;
	long long vendor = tree_number(tree, -1, "%s/vendor", path);
	long long class_code = tree_number(tree, -1, "%s/class", path);
	if (vendor < 0 || class_code < 0) {
		device_finish(device);
		return false;
	}
	device->vendor = (uint16_t)vendor;
	device->device = (uint16_t)tree_number(tree, 0, "%s/device", path);
	device->subsystem_vendor = (uint16_t)tree_number(tree, 0, "%s/subsystem_vendor", path);
	device->subsystem_device = (uint16_t)tree_number(tree, 0, "%s/subsystem_device", path);
	device->revision = (uint8_t)tree_number(tree, 0, "%s/revision", path);
	device->class_code = (uint32_t)class_code;
	device->category = category_of_class(device->class_code);
	device->net_kind = category_net_kind(device->class_code);
	char *group = link_name(tree, path, "iommu_group");
	if (group) {
		device->iommu_group = atoi(group);
		device->tied = is_tied(tree, device->iommu_group);
		free(group);
	}
	device->driver = link_name(tree, path, "driver");
	device->driver_override = read_override(tree, path);
	device->boot_vga = tree_number(tree, 0, "%s/boot_vga", path) == 1;
	read_resources(tree, device);
	device->reset_methods = tree_text(tree, "%s/reset_method", path);
	if (!device->reset_methods) {
		device->reset_methods = must_copy("");
	}
	device->power_state = tree_text(tree, "%s/power_state", path);
	device->sriov_total = (unsigned)tree_number(tree, 0, "%s/sriov_totalvfs", path);
	device->physical_function = link_name(tree, path, "physfn");
	return true;
}

static int compare_devices(const void *a, const void *b) {
	const struct pci_device *x = a, *y = b;
	return pci_address_compare(&x->address, &y->address);
}

static void read_devices(struct machine *machine, struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/bus/pci/devices");
	for (size_t i = 0; i < names.count; i++) {
		struct pci_device device;
		if (read_device(tree, names.items[i], &device)) {
			machine->devices =
				must_grow(machine->devices, machine->devices_count, sizeof(device));
			machine->devices[machine->devices_count++] = device;
		}
	}
	strings_finish(&names);
	if (machine->devices_count > 1) {
		qsort(machine->devices, machine->devices_count, sizeof(*machine->devices),
			compare_devices);
	}
}

/* sriov_numvfs says so, too; but the kernel takes the device's lock to read it, and keeps that
 * while a device that is being unplugged is not let go by its VM. */
static void count_virtual_functions(struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const char *physical = machine->devices[i].physical_function;
		struct pci_device *device = physical ? machine_find(machine, physical) : NULL;
		if (device) {
			device->sriov_enabled++;
		}
	}
}

static void mark_gpu_audio(struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *device = &machine->devices[i];
		if (device->category == CATEGORY_AUDIO && machine_gpu_of(machine, device)) {
			device->category = CATEGORY_GPU_AUDIO;
		}
	}
}

static bool read_iommu(struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/class/iommu");
	bool found = false;
	for (size_t i = 0; i < names.count && !found; i++) {
		char *link = tree_link(tree, "/sys/class/iommu/%s", names.items[i]);
		found = link != NULL;
		free(link);
	}
	strings_finish(&names);
	return found;
}

/* Before Linux 6.6 the kernel took it seriously with Intel's IOMMU ("dmar0") alone. */
static void forgive_ties(struct machine *machine, struct tree *tree) {
	struct strings names = tree_list(tree, "/sys/class/iommu");
	char *release = tree_text(tree, "/proc/sys/kernel/osrelease");
	unsigned major, minor;
	bool strict = !release || sscanf(release, "%u.%u", &major, &minor) != 2 || major > 6 ||
		      (major == 6 && minor >= 6);
	for (size_t i = 0; i < names.count; i++) {
		strict |= strncmp(names.items[i], "dmar", 4) == 0;
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		machine->devices[i].tied &= strict;
	}
	free(release);
	strings_finish(&names);
}

int machine_read(struct machine *machine, struct tree *tree, struct error *error) {
	*machine = (struct machine){0};
	read_devices(machine, tree);
	if (machine->devices_count == 0) {
		return error_set(error, "there is no PCI device in /sys/bus/pci/devices");
	}
	mark_gpu_audio(machine);
	forgive_ties(machine, tree);
	count_virtual_functions(machine);
	machine->iommu = read_iommu(tree);
	machine->vfio_pci = tree_exists(tree, "/sys/bus/pci/drivers/vfio-pci/module") ||
			    tree_exists(tree, "/sys/module/vfio_pci/parameters/disable_idle_d3");
	nodes_read(machine, tree);
	disks_read(machine, tree);
	network_read(machine, tree);
	consoles_read(machine, tree);
	input_read(machine, tree);
	return 0;
}

void machine_finish(struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		device_finish(&machine->devices[i]);
	}
	free(machine->devices);
	free(machine->display_manager);
	*machine = (struct machine){0};
}

struct pci_device *machine_find(const struct machine *machine, const char *name) {
	struct pci_address address;
	if (!pci_address_parse(name, &address)) {
		return NULL;
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (pci_address_compare(&machine->devices[i].address, &address) == 0) {
			return &machine->devices[i];
		}
	}
	return NULL;
}

struct pci_device *machine_find_path(const struct machine *machine, const char *path) {
	struct pci_device *found = NULL;
	size_t found_length = 0;
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *device = &machine->devices[i];
		size_t length = strlen(device->path);
		if (length > found_length && strncmp(path, device->path, length) == 0 &&
			(path[length] == '/' || path[length] == '\0')) {
			found = device;
			found_length = length;
		}
	}
	return found;
}

const struct pci_device *machine_gpu_of(
	const struct machine *machine, const struct pci_device *device) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *other = &machine->devices[i];
		/* Processors with graphics put functions that have nothing to do with them into the
		 * same slot, but those are of another maker (AMD's graphics are ATI's 1002). */
		if (other->category == CATEGORY_GPU && other->vendor == device->vendor &&
			pci_address_same_slot(&other->address, &device->address)) {
			return other;
		}
	}
	return NULL;
}

struct pci_device *machine_boot_vga(const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (machine->devices[i].boot_vga) {
			return &machine->devices[i];
		}
	}
	return NULL;
}

int machine_last_group(const struct machine *machine) {
	int last = -1;
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (machine->devices[i].iommu_group > last) {
			last = machine->devices[i].iommu_group;
		}
	}
	return last;
}
