#include "transaction/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/group.h"

/* How long the kernel may take for each kind of step. */
static const unsigned deadlines_ms[] = {
	[STEP_LOAD] = 30000,
	[STEP_OVERRIDE] = 5000,
	/* A driver that lets go of a graphics card flushes and frees gigabytes. */
	[STEP_UNBIND] = 30000,
	/* Binding resets the card and may train its link. */
	[STEP_BIND] = 30000,
	[STEP_SET] = 10000,
	[STEP_END] = 10000,
	[STEP_KILL] = 20000,
	[STEP_UNHELD] = 10000,
	[STEP_RESET_METHOD] = 5000,
	/* The kernel waits up to 60 s for a device to be ready again (PCIE_RESET_READY_POLL_MS). */
	[STEP_RESET] = 70000,
	/* Opened for it, a device is reset by itself before, if it can be. */
	[STEP_HOT_RESET] = 140000,
	[STEP_RESET_BUS] = 70000,
	[STEP_REMOVE] = 30000,
	[STEP_RESCAN] = 30000,
	[STEP_FIND] = 10000,
	/* The clock that deadlines are measured by stands still while the machine sleeps. */
	[STEP_SUSPEND] = 120000,
	[STEP_PROBE] = 70000,
};

static bool same(const char *a, const char *b) {
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool driver_state_equal(const struct driver_state *a, const struct driver_state *b) {
	bool reset = !a->reset || !b->reset || strcmp(a->reset, b->reset) == 0;
	return same(a->driver, b->driver) && same(a->override, b->override) && reset;
}

static void copy_state(struct driver_state *to, const struct driver_state *from) {
	*to = (struct driver_state){
		.driver = must_copy(from->driver),
		.override = must_copy(from->override),
		.reset = must_copy(from->reset),
	};
}

void driver_state_finish(struct driver_state *state) {
	free(state->driver);
	free(state->override);
	free(state->reset);
	*state = (struct driver_state){0};
}

struct step *plan_add_step(struct plan *plan, enum step_kind kind, unsigned rung,
	const char *device, const char *driver) {
	plan->steps = must_grow(plan->steps, plan->steps_count, sizeof(*plan->steps));
	struct step *step = &plan->steps[plan->steps_count++];
	*step = (struct step){
		.kind = kind,
		.rung = rung,
		.device = must_copy(device),
		.driver = must_copy(driver),
		.deadline_ms = deadlines_ms[kind],
	};
	return step;
}

void plan_add_set(struct plan *plan, unsigned rung, enum setting_kind kind, const char *name,
	const char *value) {
	struct step *step = plan_add_step(plan, STEP_SET, rung, NULL, NULL);
	step->setting = kind;
	/* A display manager ends all of its sessions; systemd kills what is left after 90 s. */
	step->deadline_ms = kind == SETTING_UNIT ? 120000 : deadlines_ms[STEP_SET];
	step->name = must_copy(name);
	step->value = must_copy(value);
}

void plan_add_setting(struct plan *plan, enum setting_kind kind, const char *name,
	const char *former, const char *wanted) {
	for (size_t i = 0; i < plan->settings_count; i++) {
		if (plan->settings[i].kind == kind && strcmp(plan->settings[i].name, name) == 0) {
			return;
		}
	}
	plan->settings = must_grow(plan->settings, plan->settings_count, sizeof(*plan->settings));
	plan->settings[plan->settings_count++] = (struct plan_setting){
		.kind = kind,
		.name = must_copy(name),
		.former = must_copy(former),
		.wanted = must_copy(wanted),
	};
}

unsigned plan_add_rung(struct plan *plan, bool confirm, const char *format, ...) {
	va_list args;
	va_start(args, format);
	char *title = NULL;
	int length = vasprintf(&title, format, args);
	va_end(args);
	must_have(length < 0 ? NULL : title);
	plan->rungs = must_grow(plan->rungs, plan->rungs_count, sizeof(*plan->rungs));
	plan->rungs[plan->rungs_count++] = (struct plan_rung){.title = title, .confirm = confirm};
	return (unsigned)plan->rungs_count;
}

void plan_transition(struct plan *plan, const char *address, const struct driver_state *from,
	const struct driver_state *to) {
	if (from->reset && to->reset && strcmp(from->reset, to->reset) != 0) {
		struct step *step = plan_add_step(plan, STEP_RESET_METHOD, 0, address, NULL);
		step->value = must_copy(to->reset);
	}
	if (!same(from->override, to->override)) {
		plan_add_step(plan, STEP_OVERRIDE, 0, address, to->override);
	}
	if (same(from->driver, to->driver)) {
		return;
	}
	if (from->driver) {
		plan_add_step(plan, STEP_UNBIND, 0, address, from->driver);
	}
	if (to->driver) {
		plan_add_step(plan, STEP_BIND, 0, address, to->driver);
	}
}

bool plan_has(const struct plan *plan, const char *address) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		if (strcmp(plan->devices[i].address, address) == 0) {
			return true;
		}
	}
	return false;
}

struct plan_device *plan_add_device(
	struct plan *plan, const struct pci_device *device, const struct driver_state *wanted) {
	const struct driver_state former = {
		device->driver, device->driver_override, device->reset_methods};
	plan->devices = must_grow(plan->devices, plan->devices_count, sizeof(*plan->devices));
	struct plan_device *entry = &plan->devices[plan->devices_count++];
	*entry = (struct plan_device){.address = must_copy(device->name)};
	identity_init(&entry->identity, device);
	copy_state(&entry->former, &former);
	copy_state(&entry->wanted, wanted);
	return entry;
}

void plan_add(
	struct plan *plan, const struct pci_device *device, const struct driver_state *wanted) {
	const struct driver_state former = {
		device->driver, device->driver_override, device->reset_methods};
	if (plan_has(plan, device->name) || driver_state_equal(&former, wanted)) {
		return;
	}
	plan_add_device(plan, device, wanted);
	plan_transition(plan, device->name, &former, wanted);
}

/* Does the device go along when another one of its group is taken? */
static bool goes_along(const struct pci_device *device) {
	if (device->category == CATEGORY_BRIDGE) {
		return false;
	}
	/* The SMBus controller and its like are left alone; bound ones are the preflight's matter.
	 */
	return device->category != CATEGORY_SYSTEM;
}

bool plan_take_concerns(const struct machine *machine, const struct strings *names,
	const struct pci_device *device) {
	bool named = false, shares = false;
	for (size_t k = 0; k < names->count; k++) {
		const struct pci_device *other = machine_find(machine, names->items[k]);
		named |= other == device;
		shares |= other && group_is_same(other, device);
	}
	return named || (shares && goes_along(device));
}

void plan_take(struct plan *plan, const struct machine *machine, const struct strings *names) {
	const struct driver_state wanted = {(char *)"vfio-pci", (char *)"vfio-pci", NULL};
	*plan = (struct plan){0};
	if (!machine->vfio_pci) {
		plan_add_step(plan, STEP_LOAD, 0, NULL, wanted.driver);
	}
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		/* One that VFIO has already, by whatever way, is as it should be. */
		bool there = device->driver && strcmp(device->driver, wanted.driver) == 0;
		if (!there && plan_take_concerns(machine, names, device)) {
			plan_add(plan, device, &wanted);
		}
	}
	if (plan->devices_count == 0) {
		plan_finish(plan);
	}
}

void plan_finish(struct plan *plan) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		struct plan_device *device = &plan->devices[i];
		free(device->address);
		identity_finish(&device->identity);
		driver_state_finish(&device->former);
		driver_state_finish(&device->wanted);
	}
	for (size_t i = 0; i < plan->settings_count; i++) {
		free(plan->settings[i].name);
		free(plan->settings[i].former);
		free(plan->settings[i].wanted);
	}
	for (size_t i = 0; i < plan->rungs_count; i++) {
		free(plan->rungs[i].title);
	}
	for (size_t i = 0; i < plan->steps_count; i++) {
		free(plan->steps[i].device);
		free(plan->steps[i].driver);
		free(plan->steps[i].name);
		free(plan->steps[i].value);
	}
	free(plan->devices);
	free(plan->settings);
	free(plan->rungs);
	free(plan->steps);
	*plan = (struct plan){0};
}
