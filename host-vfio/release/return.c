#include <stdlib.h>
#include <string.h>

#include "inventory/group.h"
#include "release/release.h"
#include "transaction/setting.h"

static bool share_group(const struct pci_device *a, const struct pci_device *b) {
	return a == b || (a && b && group_is_same(a, b));
}

struct strings release_first_group(const struct machine *machine, const struct strings *names) {
	struct strings group = {0};
	for (size_t i = 0; i < names->count; i++) {
		if (i == 0 || share_group(machine_find(machine, names->items[0]),
				      machine_find(machine, names->items[i]))) {
			strings_add(&group, names->items[i]);
		}
	}
	return group;
}

static bool group_has(
	const struct machine *machine, const char *name, enum device_category category) {
	const struct pci_device *device = machine_find(machine, name);
	for (size_t i = 0; device && i < machine->devices_count; i++) {
		const struct pci_device *other = &machine->devices[i];
		if (share_group(other, device) && other->category == category) {
			return true;
		}
	}
	return false;
}

struct strings release_next_return(const struct machine *machine, const struct strings *names) {
	struct strings usb = {0}, others = {0}, cards = {0}, next;
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		bool card = group_has(machine, name, CATEGORY_GPU);
		bool keyboards = group_has(machine, name, CATEGORY_USB);
		strings_add(card ? &cards : keyboards ? &usb : &others, name);
	}
	next = release_first_group(machine, usb.count > 0 ? &usb : &others);
	if (next.count > 0) {
		strings_finish(&cards);
	} else {
		next = cards;
	}
	strings_finish(&usb);
	strings_finish(&others);
	return next;
}

static bool is_meant(const struct machine *machine, const struct strings *names,
	const struct pci_device *device) {
	for (size_t i = 0; i < names->count; i++) {
		const struct pci_device *named = machine_find(machine, names->items[i]);
		if (share_group(named, device)) {
			return true;
		}
	}
	return names->count == 0;
}

static bool has_device(const struct journal_record *record, const struct plan *plan) {
	for (size_t i = 0; i < record->plan.devices_count; i++) {
		if (plan_has(plan, record->plan.devices[i].address)) {
			return true;
		}
	}
	return false;
}

/* Where the changes begin that these devices were taken by: behind their last return. */
static size_t first_record(const struct journal_records *records, const struct plan *plan) {
	size_t first = 0;
	for (size_t i = 0; i < records->count; i++) {
		const struct journal_record *record = &records->items[i];
		if (record->outcome == JOURNAL_COMMITTED && strcmp(record->what, "return") == 0 &&
			has_device(record, plan)) {
			first = i + 1;
		}
	}
	return first;
}

/* What is no longer there, or is as it was already, needs nothing. */
static void return_setting(
	struct plan *plan, const struct step_host *host, const struct plan_setting *setting) {
	char *now = setting_read(host, setting->kind, setting->name);
	/* A text console that is gone comes back with the framebuffer, by itself. */
	if (now && strcmp(now, setting->former) != 0) {
		size_t count = plan->settings_count;
		plan_add_setting(plan, setting->kind, setting->name, now, setting->former);
		if (plan->settings_count > count) {
			plan_add_set(plan, 0, setting->kind, setting->name, setting->former);
		}
	}
	free(now);
}

static void return_settings(struct plan *plan, const struct step_host *host,
	const struct journal_records *records, const char *boot) {
	for (size_t i = first_record(records, plan); i < records->count; i++) {
		const struct journal_record *record = &records->items[i];
		if (record->outcome != JOURNAL_COMMITTED || strcmp(record->boot, boot) != 0 ||
			strcmp(record->what, "take") != 0 || !has_device(record, plan)) {
			continue;
		}
		for (size_t k = record->plan.settings_count; k > 0; k--) {
			return_setting(plan, host, &record->plan.settings[k - 1]);
		}
	}
}

void release_plan_return(struct plan *plan, const struct machine *machine,
	const struct step_host *host, const struct strings *names,
	const struct journal_records *records, const char *boot) {
	*plan = (struct plan){0};
	for (size_t i = machine->devices_count; i > 0; i--) {
		const struct pci_device *device = &machine->devices[i - 1];
		const struct driver_state *former = transaction_former(records, boot, device);
		if (former && is_meant(machine, names, device)) {
			plan_add(plan, device, former);
		}
	}
	if (plan->devices_count > 0) {
		return_settings(plan, host, records, boot);
	}
}

static bool is_unbound(const struct plan *plan, const char *address) {
	for (size_t i = 0; i < plan->steps_count; i++) {
		const struct step *step = &plan->steps[i];
		if (step->kind == STEP_UNBIND && strcmp(step->device, address) == 0) {
			return true;
		}
	}
	return false;
}

/* With VFIO a device does nothing for the host: what is still said of it, such as that the
 * firmware's framebuffer was on it, is of before. But a VM that has it open makes the unbinding
 * hang. */
static bool is_in_the_way(const struct pci_device *device, const struct holder *holder) {
	return holder->kind == HOLDER_PROCESS || !group_driver_is_vfio(device->driver);
}

void release_find_users(
	struct findings *findings, const struct plan *plan, const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (!device->driver || !is_unbound(plan, device->name)) {
			continue;
		}
		for (size_t k = 0; k < device->holders_count; k++) {
			findings_add_holder(findings, is_in_the_way(device, &device->holders[k]),
				device, &device->holders[k]);
		}
	}
}
