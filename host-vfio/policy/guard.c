#include "policy/guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct objections {
	struct guard_objection *items;
	size_t count;
};

/* Takes the text over. */
static void object(struct objections *objections, enum guard_rule rule,
	const struct pci_device *device, char *text) {
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
				must_copy("the host's own file systems or swap are on disks behind "
					  "it"));
		}
		if (taken[i] && device->boot_vga && is_held(device, HOLDER_CONSOLE)) {
			object(objections, GUARD_CONSOLE, device,
				must_copy("it is the boot VGA and the console is on it"));
		}
	}
}

static bool same_text(const char *a, const char *b) {
	return a == b || (a && b && strcmp(a, b) == 0);
}

static const char *interface_of(const struct holder *holder) {
	return holder->kind == HOLDER_ROUTE ? holder->name : holder->through;
}

/* Of a bond one card is as good as the other; of a bridge the other leads elsewhere. One without a
 * link stands in for none that has one. */
static bool is_stand_in(const struct holder *holder, const struct holder *other) {
	bool same_use = other->kind == holder->kind && same_text(holder->through, other->through);
	if (other->idle && !holder->idle) {
		return false;
	}
	switch (holder->kind) {
	case HOLDER_ROUTE: /* of the same table */
	case HOLDER_LOGIN: /* to an address of the same interface */
		break;
	default: /* some network is better than none */
		same_use = other->kind == HOLDER_ROUTE || other->kind == HOLDER_NETWORK;
	}
	return same_use &&
	       !(holder->bridged && same_text(interface_of(holder), interface_of(other)));
}

/* Does a card that stays carry what the holder, of one that is taken, is about? */
static bool survives(
	const struct machine *machine, const bool *taken, const struct holder *holder) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		for (size_t k = 0; !taken[i] && k < device->holders_count; k++) {
			if (is_stand_in(holder, &device->holders[k])) {
				return true;
			}
		}
	}
	return false;
}

/* What was said of a card's network already outweighs what else would be. */
static bool is_kept_for_network(
	const struct objections *objections, const struct pci_device *device) {
	for (size_t i = 0; i < objections->count; i++) {
		const struct guard_objection *objection = &objections->items[i];
		if (objection->device == device &&
			(objection->rule == GUARD_ROUTE || objection->rule == GUARD_LOGIN ||
				objection->rule == GUARD_NETWORK)) {
			return true;
		}
	}
	return false;
}

static void object_to_use(struct objections *objections, enum guard_rule rule,
	const struct pci_device *device, const struct holder *holder) {
	char *sentence = holder_sentence(holder);
	const char *others = holder->bridged	     ? "is sure to lead there"
			     : rule == GUARD_NETWORK ? "reaches any"
						     : "does the same";
	object(objections, rule, device,
		must_print("%s, and no card that stays %s", sentence, others));
	free(sentence);
}

static void check_network(struct objections *objections, const struct machine *machine,
	const bool *taken, enum holder_kind kind, enum guard_rule rule) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		for (size_t k = 0; taken[i] && k < device->holders_count; k++) {
			const struct holder *holder = &device->holders[k];
			if (holder->kind == kind && !survives(machine, taken, holder) &&
				!(rule == GUARD_NETWORK &&
					is_kept_for_network(objections, device))) {
				object_to_use(objections, rule, device, holder);
			}
		}
	}
}

/* One controller is enough, but where there are keyboards it must be one with a keyboard. */
static void check_input(struct objections *objections, const struct machine *machine,
	const bool *taken, const bool *lent) {
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
		if (!taken[i] || (lent && lent[i])) {
			return;
		}
		last = last ? last : device;
	}
	if (last) {
		object(objections, GUARD_INPUT, last,
			must_copy(
				"it is the last with a keyboard or mouse plugged into it (there is "
				"no PS/2 keyboard), and nothing but a controller's end brings that "
				"back by itself"));
	}
}

size_t guard_check(const struct machine *machine, const bool *taken, const bool *lent,
	struct guard_objection **objections) {
	struct objections found = {0};
	check_each(&found, machine, taken);
	check_network(&found, machine, taken, HOLDER_ROUTE, GUARD_ROUTE);
	check_network(&found, machine, taken, HOLDER_LOGIN, GUARD_LOGIN);
	check_network(&found, machine, taken, HOLDER_NETWORK, GUARD_NETWORK);
	check_input(&found, machine, taken, lent);
	*objections = found.items;
	return found.count;
}

void guard_free(struct guard_objection *objections, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(objections[i].text);
	}
	free(objections);
}

const char *guard_rule_name(enum guard_rule rule) {
	static const char *const names[] = {
		[GUARD_BOOT_DISK] = "boot-disk",
		[GUARD_ROUTE] = "default-route",
		[GUARD_LOGIN] = "login",
		[GUARD_NETWORK] = "network",
		[GUARD_CONSOLE] = "console",
		[GUARD_INPUT] = "input",
	};
	return names[rule];
}
