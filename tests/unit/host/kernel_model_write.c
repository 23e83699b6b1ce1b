#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "kernel_model_state.h"

/* "/sys/bus/BUS/drivers/DRIVER/bind" and unbind. */
static int write_driver(struct kernel_model *model, const char *path, const char *text) {
	char bus[TEXT], driver[TEXT], leaf[TEXT];
	if (sscanf(path, "/sys/bus/%63[^/]/drivers/%63[^/]/%63s", bus, driver, leaf) != 3) {
		return ENOENT;
	}
	bool bind = strcmp(leaf, "bind") == 0;
	if (strcmp(bus, "platform") == 0) {
		const struct step step = {.kind = STEP_SET,
			.setting = SETTING_FRAMEBUFFER,
			.name = (char *)(uintptr_t)text,
			.value = bind ? driver : (char *)""};
		return model_operate(model, NULL, &step);
	}
	struct model_device *device = model_find(model, text, strlen(text));
	const struct step step = {.kind = bind ? STEP_BIND : STEP_UNBIND,
		.device = device ? device->address : (char *)(uintptr_t)text,
		.driver = driver};
	return model_operate(model, device, &step);
}

/* The device's own files. -1: it is none of them. */
static int write_device(struct kernel_model *model, const char *path, const char *text) {
	static const struct {
		const char *leaf;
		enum step_kind kind;
	} files[] = {
		{"driver_override", STEP_OVERRIDE},
		{"reset_method", STEP_RESET_METHOD},
		{"reset", STEP_RESET},
		{"reset_subordinate", STEP_RESET_BUS},
		{"remove", STEP_REMOVE},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct model_device *device = model_device_of(model, path, files[i].leaf);
		if (!device) {
			continue;
		}
		bool clear = text[0] == '\0' || text[0] == '\n';
		char *value = clear ? (char *)"" : (char *)(uintptr_t)text;
		const struct step step = {.kind = files[i].kind,
			.device = device->address,
			.driver = clear ? NULL : value,
			.value = files[i].kind == STEP_RESET ? device->reset : value};
		return device->removed ? ENOENT : model_operate(model, device, &step);
	}
	return -1;
}

/* Settings that are one file each. -1: it is none of them. */
static int write_setting(struct kernel_model *model, const char *path, const char *text) {
	const struct shared *shared = model->shared;
	struct step step = {.kind = STEP_SET, .name = (char *)"", .value = (char *)(uintptr_t)text};
	struct model_device *port = model_port_of(model, path);
	if (port) {
		step.setting = SETTING_POWER;
		step.name = port->address;
	} else if (strcmp(path, "/sys/bus/pci/drivers_autoprobe") == 0) {
		step.setting = SETTING_AUTOPROBE;
	} else if (strcmp(path, "/sys/power/mem_sleep") == 0) {
		step.setting = SETTING_MEM_SLEEP;
	} else if (shared->console[0] && strstr(path, shared->console)) {
		step.setting = SETTING_CONSOLE;
		step.name = (char *)"frame buffer device";
	} else {
		return -1;
	}
	return model_operate(model, NULL, &step);
}

/* The clock's alarm is set for a sleep that comes or does not. */
static int write_alarm(struct kernel_model *model, const char *text) {
	model_set_text(model->shared->alarm, strcmp(text, "0") == 0 ? "" : text);
	return 0;
}

static int sleep_and_wake(struct kernel_model *model) {
	struct shared *shared = model->shared;
	const struct step step = {
		.kind = STEP_SUSPEND, .seconds = (unsigned)strtoul(shared->alarm, NULL, 10)};
	if (!shared->alarm[0]) {
		model_wait(model, "sleep"); /* nothing would ever wake it */
	}
	int error = model_operate(model, NULL, &step);
	model_set_text(shared->alarm, "");
	return error;
}

static int write_any(struct kernel_model *model, const char *path, const char *text) {
	char bus[TEXT];
	int error = write_device(model, path, text);
	if (error < 0) {
		error = write_setting(model, path, text);
	}
	if (error >= 0) {
		return error;
	}
	if (sscanf(path, "/sys/class/pci_bus/%63[^/]/rescan", bus) == 1) {
		char *address = must_print("%s:", bus);
		/* Named by the first device that the bus has or had. */
		for (size_t i = 0; i < model->shared->count; i++) {
			const char *other = model->shared->devices[i].address;
			if (strncmp(other, address, strlen(address)) == 0) {
				free(address);
				address = must_copy(other);
				break;
			}
		}
		const struct step step = {.kind = STEP_RESCAN, .device = address};
		error = model_operate(model, NULL, &step);
		free(address);
		return error;
	}
	if (strcmp(path, "/sys/class/rtc/rtc0/wakealarm") == 0) {
		return write_alarm(model, text);
	}
	if (strcmp(path, "/sys/power/wakeup_count") == 0) {
		return 0;
	}
	return strcmp(path, "/sys/power/state") == 0 ? sleep_and_wake(model)
						     : write_driver(model, path, text);
}

int model_write(struct tree *base, const char *path, const char *text) {
	int error = write_any((struct kernel_model *)base, path, text);
	errno = error;
	return error ? -1 : 0;
}
