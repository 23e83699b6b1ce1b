#include "policy/guard.h"

#include <string.h>

#include "base/must.h"

struct objections {
	struct guard_objection *items;
	size_t count;
};

static void object(struct objections *objections, enum guard_rule rule,
	const struct pci_device *device, const char *text) {
	objections->items =
		must_grow(objections->items, objections->count, sizeof(*objections->items));
	objections->items[objections->count++] =
		(struct guard_objection){.rule = rule, .device = device, .text = text};
}

static bool is_held(const struct pci_device *device, enum holder_kind kind) {
	for (size_t i = 0; i < device->holders_count; i++) {
		if (device->holders[i].kind == kind) {
			return true;
		}
	}
	return false;
}

/* A directory of the system itself, without which the running host falls over. */
static bool is_system_mount(const char *point) {
	static const char *const system[] = {"/", "/boot", "/boot/efi", "/efi", "/etc", "/usr",
		"/var", "/nix", "/nix/store", "/sysroot"};
	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++) {
		if (strcmp(system[i], point) == 0) {
			return true;
		}
	}
	return false;
}

static bool carries_system(const struct pci_device *device) {
	for (size_t i = 0; i < device->holders_count; i++) {
		if (device->holders[i].kind == HOLDER_MOUNT &&
			is_system_mount(device->holders[i].name)) {
			return true;
		}
	}
	return is_held(device, HOLDER_SWAP);
}

static bool has_keyboard(const struct pci_device *device) {
	for (size_t i = 0; i < device->holders_count; i++) {
		const struct holder *holder = &device->holders[i];
		if (holder->kind == HOLDER_INPUT && strcmp(holder->through, "keyboard") == 0) {
			return true;
		}
	}
	return false;
}

static void check_each(
	struct objections *objections, const struct machine *machine, const bool *taken) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (taken[i] && carries_system(device)) {
			object(objections, GUARD_BOOT_DISK, device,
				"the host's own file systems or swap are on disks behind it");
		}
		if (taken[i] && device->boot_vga && is_held(device, HOLDER_CONSOLE)) {
			object(objections, GUARD_CONSOLE, device,
				"it is the boot VGA and the console is on it");
		}
	}
}

/* The default route survives when one of the cards that carry it stays. */
static void check_route(
	struct objections *objections, const struct machine *machine, const bool *taken) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (!taken[i] && is_held(&machine->devices[i], HOLDER_ROUTE)) {
			return;
		}
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (taken[i] && is_held(&machine->devices[i], HOLDER_ROUTE)) {
			object(objections, GUARD_ROUTE, &machine->devices[i],
				"the default route goes through it and through no card that stays");
		}
	}
}

/* One controller is enough, but where there are keyboards it must be one with a keyboard. */
static void check_input(
	struct objections *objections, const struct machine *machine, const bool *taken) {
	const struct pci_device *last = NULL;
	bool keyboards = false;
	if (machine->ps2_keyboard) {
		return;
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		keyboards |= has_keyboard(&machine->devices[i]);
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (!(keyboards ? has_keyboard(device) : is_held(device, HOLDER_INPUT))) {
			continue;
		}
		if (!taken[i]) {
			return;
		}
		last = last ? last : device;
	}
	if (last) {
		object(objections, GUARD_INPUT, last,
			"no controller runs, and it is the last with a keyboard or mouse plugged "
			"into it (there is no PS/2 keyboard)");
	}
}

size_t guard_check(const struct machine *machine, const bool *taken, bool controller_runs,
	struct guard_objection **objections) {
	struct objections found = {0};
	check_each(&found, machine, taken);
	check_route(&found, machine, taken);
	if (!controller_runs) {
		check_input(&found, machine, taken);
	}
	*objections = found.items;
	return found.count;
}

const char *guard_rule_name(enum guard_rule rule) {
	static const char *const names[] = {
		[GUARD_BOOT_DISK] = "boot-disk",
		[GUARD_ROUTE] = "default-route",
		[GUARD_CONSOLE] = "console",
		[GUARD_INPUT] = "input",
	};
	return names[rule];
}
