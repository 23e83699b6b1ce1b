#include "release/holders.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "transaction/setting.h"

static bool is_stopped(const struct plan *plan, const char *unit) {
	for (size_t i = 0; i < plan->steps_count; i++) {
		const struct step *step = &plan->steps[i];
		if (step->kind == STEP_SET && step->setting == SETTING_UNIT &&
			strcmp(step->name, unit) == 0) {
			return true;
		}
	}
	return false;
}

static void stop_unit(struct plan *plan, const char *unit) {
	const char *dot = strrchr(unit, '.');
	if (is_stopped(plan, unit)) {
		return;
	}
	/* A scope, such as a login session, cannot be started again: its processes are gone. */
	if (!dot || strcmp(dot, ".scope") != 0) {
		plan_add_setting(plan, SETTING_UNIT, unit, "active", "inactive");
	}
	plan_add_set(plan, 0, SETTING_UNIT, unit, "inactive");
}

/* Those that open cards for the sessions that show something on them: they let go when those end,
 * and are wanted for what comes after. */
static bool serves_sessions(const char *unit) {
	static const char *const units[] = {
		"systemd-logind.service", "elogind.service", "seatd.service", "init.scope"};
	const char *slash = strchr(unit, '/');
	const char *name = slash ? slash + 1 : unit;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static bool has_process(const struct plan *plan, int pid) {
	for (size_t i = 0; i < plan->steps_count; i++) {
		if (plan->steps[i].pid == pid) {
			return true;
		}
	}
	return false;
}

static void end_process(struct plan *plan, const struct holder *holder, bool kill) {
	if (has_process(plan, holder->pid)) {
		return;
	}
	struct step *step = plan_add_step(plan, kill ? STEP_KILL : STEP_END, 0, NULL, NULL);
	step->name = must_copy(holder->name);
	step->pid = holder->pid;
}

/* A session or a user's unit, which the display manager has to do with. */
static bool is_of_session(const char *unit) {
	return strchr(unit, '/') || strncmp(unit, "session-", 8) == 0;
}

/* Calls for every process that has a device of the plan open. */
static void each_process(struct plan *plan, const struct machine *machine,
	void (*call)(struct plan *plan, const struct machine *machine, const struct holder *holder,
		const struct release_options *options),
	const struct release_options *options) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		for (size_t k = 0; plan_has(plan, device->name) && k < device->holders_count; k++) {
			if (device->holders[k].kind == HOLDER_PROCESS) {
				call(plan, machine, &device->holders[k], options);
			}
		}
	}
}

static void stop_display_manager(struct plan *plan, const struct machine *machine,
	const struct holder *holder, const struct release_options *options) {
	const char *manager = machine->display_manager;
	if (manager && holder->unit &&
		(is_of_session(holder->unit) || strcmp(holder->unit, manager) == 0)) {
		stop_unit(plan, manager);
	}
}

static void stop_unit_of(struct plan *plan, const struct machine *machine,
	const struct holder *holder, const struct release_options *options) {
	if (holder->unit && !serves_sessions(holder->unit)) {
		stop_unit(plan, holder->unit);
	}
}

static void stop_process(struct plan *plan, const struct machine *machine,
	const struct holder *holder, const struct release_options *options) {
	if (!holder->unit) {
		end_process(plan, holder, options->kill);
	}
}

void holders_stop(
	struct plan *plan, const struct machine *machine, const struct release_options *options) {
	each_process(plan, machine, stop_display_manager, options);
	each_process(plan, machine, stop_unit_of, options);
	each_process(plan, machine, stop_process, options);
}

/* Are all framebuffers on devices of the plan? Else the kernel moves the text consoles to another
 * one, and taking them off would blank that. */
static bool takes_all_framebuffers(const struct plan *plan, const struct machine *machine) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		for (size_t k = 0; k < device->holders_count; k++) {
			if (device->holders[k].kind == HOLDER_FRAMEBUFFER &&
				!plan_has(plan, device->name)) {
				return false;
			}
		}
	}
	return true;
}

/* Takes the console off, or sees to it that it stays when one of several framebuffers goes. */
static void take_console(
	struct plan *plan, const struct step_host *host, const char *console, bool off) {
	char *text = tree_text(host->tree, "/sys/class/vtconsole/%s/name", console);
	/* Only one that a framebuffer brought ("M") can be taken off; that of the text mode goes on
	 * writing to where nothing is. */
	const char *name = text && strncmp(text, "(S)", 3) != 0 ? setting_console_name(text) : NULL;
	size_t count = plan->settings_count;
	if (name) {
		plan_add_setting(plan, SETTING_CONSOLE, name, "1", off ? "0" : "1");
	}
	if (plan->settings_count > count && off) {
		plan_add_set(plan, 0, SETTING_CONSOLE, name, "0");
	}
	free(text);
}

static void take_framebuffer(struct plan *plan, struct findings *findings,
	const struct step_host *host, const char *name) {
	char *driver = setting_read(host, SETTING_FRAMEBUFFER, name);
	if (driver && driver[0]) {
		/* vfio-pci, like any driver, claims the card's memory
		 * (aperture_remove_conflicting_pci_devices). */
		findings_add(findings, false,
			"%s of the firmware does not come back before the machine is booted again, "
			"or a driver of the card is loaded after it was returned",
			name);
		plan_add_setting(plan, SETTING_FRAMEBUFFER, name, driver, "");
		plan_add_set(plan, 0, SETTING_FRAMEBUFFER, name, "");
	}
	free(driver);
}

static void take_of_device(struct plan *plan, struct findings *findings,
	const struct pci_device *device, const struct step_host *host, bool all, bool consoles) {
	for (size_t i = 0; i < device->holders_count; i++) {
		const struct holder *holder = &device->holders[i];
		/* Of a serial port it is not said through what it is shown. */
		if (consoles && holder->kind == HOLDER_CONSOLE && holder->through) {
			take_console(plan, host, holder->name, all);
		}
		if (!consoles && holder->kind == HOLDER_FRAMEBUFFER && holder->through) {
			take_framebuffer(plan, findings, host, holder->through);
		}
	}
}

void holders_take_consoles(struct plan *plan, struct findings *findings,
	const struct machine *machine, const struct step_host *host) {
	bool all = takes_all_framebuffers(plan, machine);
	for (int consoles = 1; consoles >= 0; consoles--) {
		for (size_t i = 0; i < machine->devices_count; i++) {
			const struct pci_device *device = &machine->devices[i];
			if (plan_has(plan, device->name)) {
				take_of_device(plan, findings, device, host, all, consoles == 1);
			}
		}
	}
}

void holders_keep_consoles(struct plan *plan) {
	for (size_t i = 0; i < plan->settings_count; i++) {
		const struct plan_setting *setting = &plan->settings[i];
		if (setting->kind == SETTING_CONSOLE && strcmp(setting->wanted, "1") == 0) {
			plan_add_set(plan, 0, SETTING_CONSOLE, setting->name, "1");
		}
	}
}
