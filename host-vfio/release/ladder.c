#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "release/holders.h"
#include "release/release.h"
#include "transaction/setting.h"
#include "transaction/suspend.h"

#define VFIO "vfio-pci"

/* Long enough for the machine to fall asleep before; short for whoever waits before its screen. */
enum { SUSPEND_SECONDS = 15 };

/* One step for each device of the plan, in order or, to undo what follows each other, against it.
 */
static void each(struct plan *plan, enum step_kind kind, unsigned rung, const char *driver) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		plan_add_step(plan, kind, rung, plan->devices[i].address, driver);
	}
}

static void each_backwards(struct plan *plan, enum step_kind kind, unsigned rung) {
	for (size_t i = plan->devices_count; i > 0; i--) {
		plan_add_step(plan, kind, rung, plan->devices[i - 1].address, NULL);
	}
}

/* What a rung ends with, and is judged by. */
static void bind_and_probe(struct plan *plan, unsigned rung) {
	each(plan, STEP_BIND, rung, VFIO);
	each(plan, STEP_PROBE, rung, NULL);
}

/* What the rung before may have bound. */
static void unbind_again(struct plan *plan, unsigned rung) {
	if (rung > 1) {
		each(plan, STEP_UNBIND, rung, VFIO);
	}
}

static bool has_method(const char *methods, const char *method) {
	size_t length = strlen(method);
	for (const char *at = methods; at && (at = strstr(at, method)); at += length) {
		if ((at == methods || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' ')) {
			return true;
		}
	}
	return false;
}

/* The methods of the plan's devices in order of preference, each once. */
static struct strings list_methods(const struct plan *plan, const struct strings *chosen) {
	struct strings methods = {0};
	for (size_t i = 0; chosen && i < chosen->count; i++) {
		strings_add(&methods, chosen->items[i]);
	}
	for (size_t i = 0; methods.count == 0 && i < plan->devices_count; i++) {
		char *copy = must_copy(plan->devices[i].former.reset), *rest = copy, *method;
		while ((method = strsep(&rest, " "))) {
			if (method[0]) {
				strings_add(&methods, method);
			}
		}
		free(copy);
	}
	return methods;
}

static void add_reset_rung(struct plan *plan, const char *method) {
	unsigned rung = 0;
	for (size_t i = 0; i < plan->devices_count; i++) {
		if (!has_method(plan->devices[i].former.reset, method)) {
			continue;
		}
		if (rung == 0) {
			rung = plan_add_rung(plan, false, "reset it by %s", method);
			unbind_again(plan, rung);
		}
		struct step *step =
			plan_add_step(plan, STEP_RESET, rung, plan->devices[i].address, NULL);
		step->value = must_copy(method);
	}
	if (rung) {
		bind_and_probe(plan, rung);
	}
}

/* The bridge that nothing but devices of the plan is behind: its bus can be reset, and with it a
 * card of several functions as a whole, which the kernel's own method "bus" does not do. NULL when
 * there is none. */
static const struct pci_device *find_bridge(
	const struct plan *plan, const struct machine *machine, const char *name) {
	char *path = must_copy(machine_find(machine, name)->path);
	*strrchr(path, '/') = '\0';
	const struct pci_device *bridge = machine_find_path(machine, path);
	for (size_t i = 0; bridge && i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		size_t length = strlen(bridge->path);
		if (strncmp(device->path, bridge->path, length) == 0 &&
			device->path[length] == '/' && !plan_has(plan, device->name)) {
			bridge = NULL;
		}
	}
	free(path);
	return bridge;
}

/* Kernels before Linux 6.13 cannot. */
static bool can_reset_bus(struct tree *tree, const struct pci_device *bridge) {
	/* A file that can only be written. */
	struct strings files = tree_list(tree, "%s", bridge->path);
	bool can = strings_contain(&files, "reset_subordinate");
	strings_finish(&files);
	return can;
}

/* The kernel lets whoever has all that is on a bus reset it. */
static void add_hot_reset_rung(struct plan *plan, const char *name) {
	unsigned rung = plan_add_rung(plan, false, "reset the bus that it is on through VFIO");
	unbind_again(plan, rung);
	each(plan, STEP_BIND, rung, VFIO);
	plan_add_step(plan, STEP_HOT_RESET, rung, name, NULL);
	each(plan, STEP_PROBE, rung, NULL);
}

/* Where VFIO could not: it has to open the card for that, which one in a bad state does not let it.
 * It wants CAP_SYS_ADMIN. */
static void add_bridge_reset_rung(struct plan *plan, const struct pci_device *bridge) {
	unsigned rung =
		plan_add_rung(plan, false, "reset the bus that it is on through its bridge");
	unbind_again(plan, rung);
	plan_add_step(plan, STEP_RESET_BUS, rung, bridge->name, NULL);
	bind_and_probe(plan, rung);
}

static bool can_reset(
	const struct plan *plan, const struct pci_device *bridge, const char *method) {
	bool can = bridge && strcmp(method, "bus") == 0;
	for (size_t i = 0; i < plan->devices_count; i++) {
		can |= has_method(plan->devices[i].former.reset, method);
	}
	return can;
}

/* Does VFIO have all of the plan's devices? One that was taken with a method lists no other. */
static bool is_with_vfio(const struct plan *plan) {
	bool with_vfio = true;
	for (size_t i = 0; i < plan->devices_count; i++) {
		const char *driver = plan->devices[i].former.driver;
		with_vfio &= driver && strcmp(driver, VFIO) == 0;
	}
	return with_vfio;
}

/* The methods that are there, as words for a sentence; the caller's. */
static char *describe_methods(const struct plan *plan, const struct pci_device *bridge) {
	struct strings methods = list_methods(plan, NULL), told = {0};
	if (bridge) {
		strings_add(&methods, "bus");
	}
	char *list = NULL;
	for (size_t i = 0; i < methods.count; i++) {
		if (strings_contain(&told, methods.items[i])) {
			continue;
		}
		strings_add(&told, methods.items[i]);
		char *longer =
			must_print("%s%s%s", list ? list : "", list ? ", " : "", methods.items[i]);
		free(list);
		list = longer;
	}
	strings_finish(&told);
	strings_finish(&methods);
	return list ? list : must_copy("none");
}

/* A method that was asked for is not left out in silence: without it a card may be given to a VM as
 * another one left it. */
static void check_resets(struct findings *findings, const struct plan *plan,
	const struct pci_device *bridge, const char *name, const struct strings *chosen) {
	size_t possible = 0;
	for (size_t i = 0; chosen && i < chosen->count; i++) {
		possible += can_reset(plan, bridge, chosen->items[i]);
	}
	for (size_t i = 0; chosen && i < chosen->count; i++) {
		if (can_reset(plan, bridge, chosen->items[i])) {
			continue;
		}
		bool was_chosen_before = possible > 0 && is_with_vfio(plan);
		char *methods = describe_methods(plan, bridge);
		findings_add(findings, !was_chosen_before,
			"%s cannot be reset by %s, which --reset or the policy asks for: it has %s",
			name, chosen->items[i], methods);
		free(methods);
	}
}

static void add_reset_rungs(struct plan *plan, struct findings *findings,
	const struct machine *machine, struct tree *tree, const struct strings *names,
	const struct strings *chosen) {
	struct strings methods = list_methods(plan, chosen), tried = {0};
	const struct pci_device *bridge =
		names->count == 1 ? find_bridge(plan, machine, names->items[0]) : NULL;
	check_resets(findings, plan, bridge, names->items[0], chosen);
	size_t before = plan->rungs_count;
	for (size_t i = 0; i < methods.count; i++) {
		if (!strings_contain(&tried, methods.items[i])) {
			strings_add(&tried, methods.items[i]);
			add_reset_rung(plan, methods.items[i]);
		}
	}
	bool has_methods = plan->rungs_count > before;
	if (bridge && (!chosen || chosen->count == 0 || strings_contain(chosen, "bus"))) {
		add_hot_reset_rung(plan, names->items[0]);
		if (can_reset_bus(tree, bridge)) {
			add_bridge_reset_rung(plan, bridge);
		}
	}
	/* A bus need not let itself be reset, as methods that the kernel lists do. */
	if (!has_methods) {
		unsigned rung = plan_add_rung(plan, false, "bind it without a reset");
		unbind_again(plan, rung);
		bind_and_probe(plan, rung);
	}
	strings_finish(&methods);
	strings_finish(&tried);
}

/* One step for each bus with devices of the plan. */
static void rescan_buses(struct plan *plan, unsigned rung) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		const char *address = plan->devices[i].address;
		size_t length = (size_t)(strrchr(address, ':') - address) + 1, k = 0;
		while (k < i && strncmp(plan->devices[k].address, address, length) != 0) {
			k++;
		}
		if (k == i) {
			plan_add_step(plan, STEP_RESCAN, rung, address, NULL);
		}
	}
}

/* A port with nothing behind it falls asleep at once, and what is behind one that sleeps cannot be
 * found: the kernel wakes no port for a rescan of its bus (bus_rescan_store). Kept awake are those
 * that may sleep and have the plan's devices right behind them. */
static void add_ports(
	struct plan *plan, const struct machine *machine, const struct step_host *host) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		char *path = must_copy(machine_find(machine, plan->devices[i].address)->path);
		*strrchr(path, '/') = '\0';
		const struct pci_device *port = machine_find_path(machine, path);
		char *may = port ? setting_read(host, SETTING_POWER, port->name) : NULL;
		if (may && strcmp(may, "auto") == 0) {
			plan_add_setting(plan, SETTING_POWER, port->name, may, may);
		}
		free(may);
		free(path);
	}
}

static void set_ports(struct plan *plan, unsigned rung, bool awake) {
	for (size_t i = 0; i < plan->settings_count; i++) {
		const struct plan_setting *setting = &plan->settings[i];
		if (setting->kind == SETTING_POWER) {
			plan_add_set(plan, rung, SETTING_POWER, setting->name,
				awake ? "on" : setting->former);
		}
	}
}

/* Devices are made anew by a rescan, without an override: nothing may bind them before they have
 * it again. */
static void find_again(struct plan *plan, unsigned rung, bool remove) {
	plan_add_set(plan, rung, SETTING_AUTOPROBE, "", "0");
	set_ports(plan, rung, true);
	if (remove) {
		each_backwards(plan, STEP_REMOVE, rung);
	}
	rescan_buses(plan, rung);
	each(plan, STEP_FIND, rung, NULL);
	each(plan, STEP_OVERRIDE, rung, VFIO);
	set_ports(plan, rung, false);
	plan_add_set(plan, rung, SETTING_AUTOPROBE, "", "1");
	bind_and_probe(plan, rung);
}

static void add_rescan_rung(struct plan *plan) {
	unsigned rung = plan_add_rung(plan, false, "remove it and look for it again");
	unbind_again(plan, rung);
	find_again(plan, rung, true);
}

static void add_suspend_rung(struct plan *plan, const struct step_host *host, bool confirm,
	unsigned seconds, const char *sleep) {
	unsigned rung = plan_add_rung(
		plan, confirm, "suspend the whole machine to memory for %u s", seconds);
	if (strcmp(sleep, "deep") != 0) {
		plan_add_setting(plan, SETTING_MEM_SLEEP, "", sleep, "deep");
		plan_add_set(plan, rung, SETTING_MEM_SLEEP, "", "deep");
	}
	unbind_again(plan, rung);
	plan_add_step(plan, STEP_SUSPEND, rung, NULL, NULL)->seconds = seconds;
	if (strcmp(sleep, "deep") != 0) {
		plan_add_set(plan, rung, SETTING_MEM_SLEEP, "", sleep);
	}
	find_again(plan, rung, false);
}

/* Adds the rung, or says why not. */
static void plan_suspend(struct plan *plan, struct findings *findings,
	const struct machine *machine, const struct step_host *host,
	const struct release_options *options) {
	struct error reason;
	if (options->suspend == RELEASE_SUSPEND_NEVER) {
		return;
	}
	char *sleep = setting_read(host, SETTING_MEM_SLEEP, "");
	if (suspend_check(host, machine, &reason) != 0) {
		findings_add(findings, false, "the machine will not be suspended: %s", reason.text);
	} else if (sleep) {
		add_suspend_rung(plan, host, options->suspend == RELEASE_SUSPEND_ASK,
			options->suspend_seconds ? options->suspend_seconds : SUSPEND_SECONDS,
			sleep);
	}
	free(sleep);
}

/* The devices, with those that VFIO has already: it is their resets that are wanted then. */
static void add_devices(
	struct plan *plan, const struct machine *machine, const struct strings *names) {
	const struct driver_state wanted = {(char *)VFIO, (char *)VFIO, NULL};
	for (size_t i = 0; i < machine->devices_count; i++) {
		if (plan_take_concerns(machine, names, &machine->devices[i])) {
			plan_add_device(plan, &machine->devices[i], &wanted);
		}
	}
}

/* Every step is one of those that always happen. */
static void add_base(struct plan *plan, struct findings *findings, const struct machine *machine,
	const struct step_host *host, const struct release_options *options) {
	if (options->stop_holders) {
		holders_stop(plan, machine, options);
	}
	holders_take_consoles(plan, findings, machine, host);
	each(plan, STEP_UNHELD, 0, NULL);
	if (!machine->vfio_pci) {
		plan_add_step(plan, STEP_LOAD, 0, NULL, VFIO);
	}
	for (size_t i = 0; i < plan->devices_count; i++) {
		const struct plan_device *device = &plan->devices[i];
		/* Up to the binding, which each rung does for itself. */
		const struct driver_state unbound = {NULL, (char *)VFIO, NULL};
		plan_transition(plan, device->address, &device->former, &unbound);
	}
	holders_keep_consoles(plan);
}

void release_options_init(struct release_options *options, const struct policy *policy,
	const struct known *known, const struct machine *machine, const char *address) {
	static const enum release_suspend suspends[] = {
		[POLICY_SUSPEND_ASK] = RELEASE_SUSPEND_ASK,
		[POLICY_SUSPEND_NEVER] = RELEASE_SUSPEND_NEVER,
		[POLICY_SUSPEND_ALLOWED] = RELEASE_SUSPEND_ALLOWED,
	};
	const struct policy_release *release = &policy->release;
	*options = (struct release_options){
		.stop_holders = release->stop_holders,
		.kill = release->kill,
		.suspend = suspends[release->suspend],
	};
	for (size_t i = 0; i < release->resets_count && !options->resets; i++) {
		const struct pci_device *device =
			known_resolve_lasting(known, machine, release->resets[i].device, NULL);
		if (device && strcmp(device->name, address) == 0) {
			options->resets = &release->resets[i].methods;
		}
	}
}

void release_plan(struct plan *plan, struct findings *findings, const struct machine *machine,
	const struct step_host *host, const struct strings *names, const struct strings *unguarded,
	const struct release_options *options) {
	*plan = (struct plan){0};
	add_devices(plan, machine, names);
	preflight_take(findings, plan, machine, names, unguarded,
		PREFLIGHT_RELEASE_CONSOLE | (options->stop_holders ? PREFLIGHT_STOP_HOLDERS : 0));
	add_base(plan, findings, machine, host, options);
	add_reset_rungs(plan, findings, machine, host->tree, names, options->resets);
	char *autoprobe = setting_read(host, SETTING_AUTOPROBE, "");
	/* Where nothing is known of it, as in a recorded machine, it is as kernels have it. */
	plan_add_setting(plan, SETTING_AUTOPROBE, "", autoprobe ? autoprobe : "1",
		autoprobe ? autoprobe : "1");
	add_ports(plan, machine, host);
	add_rescan_rung(plan);
	plan_suspend(plan, findings, machine, host, options);
	free(autoprobe);
}
