#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inventory/json.h"
#include "transaction/plan.h"
#include "utf8.h"

static const char *const kinds[] = {
	[STEP_LOAD] = "load",
	[STEP_OVERRIDE] = "override",
	[STEP_UNBIND] = "unbind",
	[STEP_BIND] = "bind",
	[STEP_SET] = "set",
	[STEP_END] = "end",
	[STEP_KILL] = "kill",
	[STEP_UNHELD] = "unheld",
	[STEP_RESET_METHOD] = "reset-method",
	[STEP_RESET] = "reset",
	[STEP_HOT_RESET] = "hot-reset",
	[STEP_RESET_BUS] = "reset-bus",
	[STEP_REMOVE] = "remove",
	[STEP_RESCAN] = "rescan",
	[STEP_FIND] = "find",
	[STEP_SUSPEND] = "suspend",
	[STEP_PROBE] = "probe",
};

static const char *const settings[] = {
	[SETTING_UNIT] = "unit",
	[SETTING_CONSOLE] = "console",
	[SETTING_FRAMEBUFFER] = "framebuffer",
	[SETTING_AUTOPROBE] = "autoprobe",
	[SETTING_MEM_SLEEP] = "mem-sleep",
	[SETTING_POWER] = "power",
};

bool setting_kind_from_name(const char *name, enum setting_kind *kind) {
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strcmp(settings[i], name) == 0) {
			*kind = (enum setting_kind)i;
			return true;
		}
	}
	return false;
}

static char *set_sentence(const struct step *step) {
	const char *name = step->name, *value = step->value;
	switch (step->setting) {
	case SETTING_UNIT: {
		const char *verb = strcmp(value, "active") == 0 ? "start" : "stop";
		const char *slash = strchr(name, '/');
		return slash ? must_print("%s %s of user %.*s", verb, slash + 1,
				       (int)(slash - name), name)
			     : must_print("%s %s", verb, name);
	}
	case SETTING_CONSOLE:
		return must_print("%s the text consoles %s the %s",
			strcmp(value, "0") == 0 ? "take" : "put",
			strcmp(value, "0") == 0 ? "off" : "on", name);
	case SETTING_FRAMEBUFFER:
		return value[0] ? must_print("bind the firmware's %s to %s", name, value)
				: must_print("unbind the firmware's %s", name);
	case SETTING_AUTOPROBE:
		return must_copy(strcmp(value, "0") == 0
					 ? "keep drivers from binding new devices by themselves"
					 : "let drivers bind new devices by themselves");
	case SETTING_MEM_SLEEP:
		return must_print("let suspending to memory be %s", value);
	case SETTING_POWER:
		return strcmp(value, "on") == 0 ? must_print("keep %s awake", name)
						: must_print("let %s sleep when it is idle", name);
	}
	return must_copy("");
}

static char *make_sentence(const struct step *step) {
	const char *device = step->device;
	switch (step->kind) {
	case STEP_LOAD:
		return must_print("load the driver %s", step->driver);
	case STEP_OVERRIDE:
		return step->driver
			       ? must_print("reserve %s for the driver %s", device, step->driver)
			       : must_print("open %s to every driver again", device);
	case STEP_UNBIND:
		return must_print("unbind %s from %s", device, step->driver);
	case STEP_BIND:
		return must_print("bind %s to %s", device, step->driver);
	case STEP_SET:
		return set_sentence(step);
	case STEP_END:
		return must_print("ask %s (pid %d) to end", step->name, step->pid);
	case STEP_KILL:
		return must_print("ask %s (pid %d) to end, and end it by force if it does not",
			step->name, step->pid);
	case STEP_UNHELD:
		return must_print("see that no process has %s open", device);
	case STEP_RESET_METHOD:
		return must_print("let the kernel reset %s by %s", device,
			step->value[0] ? step->value : "nothing");
	case STEP_RESET:
		return must_print("reset %s by %s", device, step->value);
	case STEP_HOT_RESET:
		return must_print("reset the bus of %s through VFIO", device);
	case STEP_RESET_BUS:
		return must_print("reset the bus below %s", device);
	case STEP_REMOVE:
		return must_print("let the kernel forget %s", device);
	case STEP_RESCAN:
		return must_print("look for devices on the bus of %s again", device);
	case STEP_FIND:
		return must_print("see that %s is the same card, and its IOMMU group free", device);
	case STEP_SUSPEND:
		return must_print("suspend the machine to memory for %u s", step->seconds);
	case STEP_PROBE:
		return must_print("see that %s answers, and that VFIO can open it", device);
	}
	return must_copy("");
}

/* With the name that a process has given itself, on its way to a terminal or a log. */
char *step_sentence(const struct step *step) {
	char *sentence = make_sentence(step);
	utf8_make_printable(sentence);
	return sentence;
}

/* The heading of a rung where its first step comes. */
static void print_rung(const struct plan *plan, unsigned rung, FILE *file) {
	const struct plan_rung *entry = &plan->rungs[rung - 1];
	fprintf(file, "%s, %s%s:\n", rung == 1 ? "then" : "if that does not do", entry->title,
		entry->confirm ? " (you are asked before)" : "");
}

void plan_print(const struct plan *plan, FILE *file) {
	unsigned rung = 0;
	if (plan->steps_count == 0) {
		fputs("nothing to do\n", file);
	}
	for (size_t i = 0; i < plan->steps_count; i++) {
		const struct step *step = &plan->steps[i];
		if (step->rung != rung) {
			rung = step->rung;
			print_rung(plan, rung, file);
		}
		char *sentence = step_sentence(step);
		fprintf(file, "%2zu. %s (within %u s)\n", i + 1, sentence,
			step->deadline_ms / 1000);
		free(sentence);
	}
}

static sd_json_variant *state_json(const struct driver_state *state) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "driver", state->driver);
	json_set_string(&object, "override", state->override);
	json_set_string(&object, "reset", state->reset);
	return object;
}

static sd_json_variant *device_json(const struct plan_device *device) {
	sd_json_variant *object = NULL;
	const struct identity *identity = &device->identity;
	json_set_string(&object, "address", device->address);
	json_set_string(&object, "path", identity->path);
	json_set_number(&object, "vendor", identity->vendor);
	json_set_number(&object, "device", identity->device);
	json_set_number(&object, "subsystemVendor", identity->subsystem_vendor);
	json_set_number(&object, "subsystemDevice", identity->subsystem_device);
	json_set_number(&object, "class", identity->class_code);
	json_set(&object, "former", state_json(&device->former));
	json_set(&object, "wanted", state_json(&device->wanted));
	return object;
}

static sd_json_variant *setting_json(const struct plan_setting *setting) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "kind", settings[setting->kind]);
	json_set_string(&object, "name", setting->name);
	json_set_string(&object, "former", setting->former);
	json_set_string(&object, "wanted", setting->wanted);
	return object;
}

static sd_json_variant *rung_json(const struct plan_rung *rung) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "title", rung->title);
	json_set_flag(&object, "confirm", rung->confirm);
	return object;
}

static sd_json_variant *step_json(const struct step *step) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "kind", kinds[step->kind]);
	json_set_number(&object, "rung", step->rung);
	json_set_string(&object, "device", step->device);
	json_set_string(&object, "driver", step->driver);
	if (step->kind == STEP_SET) {
		json_set_string(&object, "setting", settings[step->setting]);
	}
	if (step->name) {
		json_set_string(&object, "name", step->name);
	}
	if (step->value) {
		json_set_string(&object, "value", step->value);
	}
	if (step->pid > 0) {
		json_set_number(&object, "pid", (uint64_t)step->pid);
	}
	if (step->seconds > 0) {
		json_set_number(&object, "seconds", step->seconds);
	}
	json_set_number(&object, "deadlineMs", step->deadline_ms);
	return object;
}

sd_json_variant *plan_json(const struct plan *plan) {
	sd_json_variant *object = NULL, *list = json_array();
	for (size_t i = 0; i < plan->devices_count; i++) {
		json_append(&list, device_json(&plan->devices[i]));
	}
	json_set(&object, "devices", list);
	list = json_array();
	for (size_t i = 0; i < plan->settings_count; i++) {
		json_append(&list, setting_json(&plan->settings[i]));
	}
	json_set(&object, "settings", list);
	list = json_array();
	for (size_t i = 0; i < plan->rungs_count; i++) {
		json_append(&list, rung_json(&plan->rungs[i]));
	}
	json_set(&object, "rungs", list);
	list = json_array();
	for (size_t i = 0; i < plan->steps_count; i++) {
		json_append(&list, step_json(&plan->steps[i]));
	}
	json_set(&object, "steps", list);
	return object;
}
