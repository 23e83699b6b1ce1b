#include "inventory/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/group.h"
#include "utf8.h"

static void check(int result) {
	if (result < 0) {
		fputs("out of memory\n", stderr);
		abort();
	}
}

void json_append(sd_json_variant **array, sd_json_variant *value) {
	check(sd_json_variant_append_array(array, value));
	sd_json_variant_unref(value);
}

/* JSON is UTF-8, and what a process is called, or a file, need not be. The caller's. */
static sd_json_variant *make_string(const char *value) {
	sd_json_variant *string = NULL;
	char *text = must_copy(value);
	utf8_make_whole(text);
	check(sd_json_variant_new_string(&string, text));
	free(text);
	return string;
}

void json_append_string(sd_json_variant **array, const char *value) {
	json_append(array, make_string(value));
}

void json_set(sd_json_variant **object, const char *name, sd_json_variant *value) {
	check(sd_json_variant_set_field(object, name, value));
	sd_json_variant_unref(value);
}

void json_set_string(sd_json_variant **object, const char *name, const char *value) {
	if (value) {
		json_set(object, name, make_string(value));
	} else {
		sd_json_variant *null = NULL;
		check(sd_json_variant_new_null(&null));
		json_set(object, name, null);
	}
}

void json_set_number(sd_json_variant **object, const char *name, uint64_t value) {
	check(sd_json_variant_set_field_unsigned(object, name, value));
}

void json_set_flag(sd_json_variant **object, const char *name, bool value) {
	check(sd_json_variant_set_field_boolean(object, name, value));
}

sd_json_variant *json_array(void) {
	sd_json_variant *array = NULL;
	check(sd_json_variant_new_array(&array, NULL, 0));
	return array;
}

/* "10de:25a0" */
static void set_ids(sd_json_variant **object, const char *name, unsigned vendor, unsigned device) {
	char text[16];
	snprintf(text, sizeof(text), "%04x:%04x", vendor, device);
	json_set_string(object, name, text);
}

static void set_taken(sd_json_variant **object, const char *name, char *text) {
	json_set_string(object, name, text);
	free(text);
}

/* Bit n of the capability stands for 2^n MiB. */
static sd_json_variant *json_sizes(uint64_t resizable) {
	sd_json_variant *sizes = json_array();
	for (unsigned bit = 0; bit < 64; bit++) {
		sd_json_variant *size = NULL;
		if (resizable >> bit & 1) {
			check(sd_json_variant_new_unsigned(&size, (uint64_t)1 << bit));
			json_append(&sizes, size);
		}
	}
	return sizes;
}

static sd_json_variant *json_bars(const struct pci_device *device) {
	sd_json_variant *bars = json_array();
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &device->bars[i];
		if (bar->size == 0) {
			continue;
		}
		sd_json_variant *entry = NULL;
		json_set_number(&entry, "index", i);
		json_set_number(&entry, "start", bar->start);
		json_set_number(&entry, "size", bar->size);
		json_set_number(&entry, "flags", bar->flags);
		if (bar->resizable) {
			json_set(&entry, "resizableSizesMiB", json_sizes(bar->resizable));
		}
		json_append(&bars, entry);
	}
	return bars;
}

static sd_json_variant *json_holders(const struct pci_device *device) {
	sd_json_variant *holders = json_array();
	for (size_t i = 0; i < device->holders_count; i++) {
		const struct holder *holder = &device->holders[i];
		sd_json_variant *entry = NULL;
		json_set_string(&entry, "kind", holder_kind_name(holder->kind));
		json_set_string(&entry, "name", holder->name);
		json_set_string(&entry, "through", holder->through);
		if (holder->pid) {
			json_set_number(&entry, "pid", (uint64_t)holder->pid);
		}
		if (holder->unit) {
			json_set_string(&entry, "unit", holder->unit);
		}
		if (holder->peer) {
			json_set_string(&entry, "peer", holder->peer);
		}
		json_append(&holders, entry);
	}
	return holders;
}

static bool shares_slot(const struct pci_device *a, const struct pci_device *b) {
	return pci_address_same_slot(&a->address, &b->address);
}

/* The addresses of the functions that share something with this one. */
static sd_json_variant *json_others(const struct machine *machine, const struct pci_device *device,
	bool (*shares)(const struct pci_device *, const struct pci_device *)) {
	sd_json_variant *others = json_array();
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *other = &machine->devices[i];
		if (other != device && shares(other, device)) {
			json_append_string(&others, other->name);
		}
	}
	return others;
}

sd_json_variant *json_device(
	const struct machine *machine, const struct pci_device *device, struct names *names) {
	sd_json_variant *object = NULL;
	char class_text[8];
	snprintf(class_text, sizeof(class_text), "%06x", device->class_code);
	json_set_string(&object, "address", device->name);
	json_set_string(&object, "path", device->path);
	set_taken(&object, "name", names_device(names, device));
	set_ids(&object, "ids", device->vendor, device->device);
	set_taken(&object, "subsystemName", names_subsystem(names, device));
	set_ids(&object, "subsystemIds", device->subsystem_vendor, device->subsystem_device);
	json_set_string(&object, "class", class_text);
	set_taken(&object, "className", names_class(names, device));
	json_set_number(&object, "revision", device->revision);
	json_set_string(&object, "category", category_name(device->category));
	if (device->net_kind != NET_NONE) {
		json_set_string(&object, "netKind", category_net_kind_name(device->net_kind));
	}
	if (device->iommu_group >= 0) {
		json_set_number(&object, "iommuGroup", (uint64_t)device->iommu_group);
		json_set(&object, "iommuGroupShared", json_others(machine, device, group_is_same));
	}
	json_set_string(&object, "driver", device->driver);
	json_set_string(&object, "driverOverride", device->driver_override);
	json_set_flag(&object, "bootVga", device->boot_vga);
	json_set(&object, "bars", json_bars(device));
	json_set_number(&object, "romSize", device->rom_size);
	json_set_string(&object, "resetMethods", device->reset_methods);
	json_set_string(&object, "powerState", device->power_state);
	json_set_number(&object, "sriovTotal", device->sriov_total);
	json_set_number(&object, "sriovEnabled", device->sriov_enabled);
	json_set_string(&object, "physicalFunction", device->physical_function);
	json_set(&object, "siblings", json_others(machine, device, shares_slot));
	json_set(&object, "holders", json_holders(device));
	json_set_flag(&object, "holdersComplete", machine->unseen_processes == 0);
	return object;
}

sd_json_variant *json_machine(const struct machine *machine, struct names *names) {
	sd_json_variant *object = NULL, *devices = json_array();
	for (size_t i = 0; i < machine->devices_count; i++) {
		json_append(&devices, json_device(machine, &machine->devices[i], names));
	}
	json_set_flag(&object, "iommu", machine->iommu);
	json_set_flag(&object, "vfioPci", machine->vfio_pci);
	json_set_flag(&object, "ps2Keyboard", machine->ps2_keyboard);
	json_set_flag(&object, "ps2Mouse", machine->ps2_mouse);
	json_set(&object, "devices", devices);
	return object;
}

static sd_json_variant *json_group(const struct machine *machine, int group) {
	sd_json_variant *object = NULL, *members = json_array();
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (machine->devices[i].iommu_group == group) {
			json_append_string(&members, machine->devices[i].name);
		}
	}
	const struct pci_device *blocker;
	json_set_number(&object, "group", (uint64_t)group);
	json_set_flag(&object, "viable", group_is_viable(machine, group, &blocker));
	json_set(&object, "devices", members);
	return object;
}

sd_json_variant *json_groups(const struct machine *machine) {
	sd_json_variant *groups = json_array();
	for (int group = 0; group <= machine_last_group(machine); group++) {
		for (size_t i = 0; i < machine->devices_count; i++) {
			if (machine->devices[i].iommu_group == group) {
				json_append(&groups, json_group(machine, group));
				break;
			}
		}
	}
	return groups;
}
