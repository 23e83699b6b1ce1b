#include <errno.h>
#include <string.h>

#include "inventory/group.h"
#include "kernel_model_state.h"

/* Would the driver core let this driver bind this device? 0 or an errno. */
static int may_bind(
	const struct shared *shared, const struct model_device *device, const char *driver) {
	const char *only = device->override[0] ? device->override : device->native;
	if (strcmp(only, driver) != 0) {
		return ENODEV;
	}
	if (device->driver[0]) {
		return EBUSY;
	}
	/* A group whose DMA a VM owns takes no driver of the host
	 * (iommu_device_use_default_domain). */
	for (size_t i = 0; i < shared->count; i++) {
		const struct model_device *other = &shared->devices[i];
		if (other->held && other->group == device->group &&
			!group_driver_is_harmless(driver)) {
			return EBUSY;
		}
	}
	return 0;
}

static bool is_loaded(const struct shared *shared, const char *driver) {
	if (strcmp(driver, "vfio-pci") == 0) {
		return shared->vfio_loaded;
	}
	for (size_t i = 0; i < shared->count; i++) {
		if (strcmp(shared->devices[i].native, driver) == 0) {
			return true;
		}
	}
	return false;
}

static bool has_word(const char *words, const char *word, size_t length) {
	for (const char *at = words; (at = strstr(at, word)); at++) {
		bool begins = at == words || at[-1] == ' ';
		if (begins && (at[length] == ' ' || at[length] == '\0')) {
			return true;
		}
	}
	return false;
}

/* Every word of a list has to be a method of the device (reset_method_store). */
static int judge_methods(const struct model_device *device, const char *methods) {
	char copy[TEXT], *rest = copy, *word;
	model_set_text(copy, methods);
	if (strcmp(methods, "default") == 0) {
		return 0;
	}
	while ((word = strsep(&rest, " "))) {
		if (word[0] && !has_word(device->methods, word, strlen(word))) {
			return EINVAL;
		}
	}
	return 0;
}

/* VFIO opens a device whose whole group is free. */
static int judge_open(const struct shared *shared, const struct model_device *device) {
	for (size_t i = 0; i < shared->count; i++) {
		const struct model_device *other = &shared->devices[i];
		if (other->group == device->group && other->driver[0] &&
			!group_driver_is_harmless(other->driver)) {
			return EBUSY;
		}
	}
	return strcmp(device->driver, "vfio-pci") != 0 ? ENODEV : 0;
}

static int judge_probe(const struct shared *shared, const struct model_device *device) {
	int error = judge_open(shared, device);
	return error ? error : device->dead ? EIO : 0;
}

bool model_same_bus(const struct model_device *a, const struct model_device *b) {
	size_t length = (size_t)(strrchr(a->address, ':') - a->address) + 1;
	return strncmp(a->address, b->address, length) == 0;
}

/* VFIO has all that is on the bus, and no VM any of it (vfio_pci_dev_set_hot_reset). */
static int judge_hot_reset(const struct shared *shared, const struct model_device *device) {
	for (size_t i = 0; i < shared->count; i++) {
		const struct model_device *other = &shared->devices[i];
		if (other->removed || !model_same_bus(device, other)) {
			continue;
		}
		if (strcmp(other->driver, "vfio-pci") != 0) {
			return EINVAL;
		}
		if (other->held) {
			return EBUSY;
		}
	}
	return judge_open(shared, device);
}

static int judge_setting(const struct shared *shared, const struct step *step) {
	if (step->setting == SETTING_CONSOLE) {
		return model_has_console(shared) ? 0 : ENOENT;
	}
	for (size_t i = 0; step->setting == SETTING_FRAMEBUFFER && i < shared->platforms_count;
		i++) {
		const struct model_platform *platform = &shared->platforms[i];
		if (strcmp(platform->name, step->name) == 0) {
			return !platform->driver[0] == !step->value[0] ? ENODEV : 0;
		}
	}
	return step->setting == SETTING_FRAMEBUFFER ? ENODEV : 0;
}

int model_judge(
	const struct shared *shared, const struct model_device *device, const struct step *step) {
	switch (step->kind) {
	case STEP_OVERRIDE:
		return step->driver && strlen(step->driver) >= TEXT ? EINVAL : 0;
	case STEP_UNBIND:
	case STEP_BIND:
		if (!is_loaded(shared, step->driver)) {
			return ENOENT;
		}
		if (!device || device->removed) {
			return ENODEV;
		}
		if (step->kind == STEP_BIND) {
			return may_bind(shared, device, step->driver);
		}
		return strcmp(device->driver, step->driver) == 0 ? 0 : ENODEV;
	case STEP_RESET_METHOD:
		return judge_methods(device, step->value);
	case STEP_RESET:
		return device->reset[0] ? 0 : ENOTTY;
	case STEP_HOT_RESET:
		return judge_hot_reset(shared, device);
	case STEP_RESET_BUS:
		return shared->confined ? EPERM : 0;
	case STEP_PROBE:
		return judge_probe(shared, device);
	case STEP_SET:
		return judge_setting(shared, step);
	default:
		return 0;
	}
}

static void cure(struct model_device *device, const char *by) {
	if (device->dead && device->cure[0] && strcmp(device->cure, by) == 0) {
		device->dead = false;
	}
}

static void reset_bus_of(struct shared *shared, const struct model_device *device) {
	for (size_t i = 0; i < shared->count; i++) {
		if (model_same_bus(device, &shared->devices[i])) {
			cure(&shared->devices[i], "reset-bus");
		}
	}
}

/* A port that nothing is left behind sleeps at once, where it may; the configuration space of what
 * is behind it cannot be reached then, and a rescan of its bus does not wake it
 * (pcie_port_runtime_idle, bus_rescan_store). */
static bool is_asleep(const struct shared *shared, int bridge) {
	bool asleep = bridge >= 0 && strcmp(shared->devices[bridge].control, "auto") == 0;
	for (size_t i = 0; i < shared->count; i++) {
		asleep &= shared->devices[i].bridge != bridge || shared->devices[i].removed;
	}
	return asleep;
}

/* Makes everything anew that was removed from the bus of an address. */
static void rescan(struct shared *shared, const char *address) {
	size_t length = (size_t)(strrchr(address, ':') - address) + 1;
	bool found[DEVICES_MAX] = {false};
	for (size_t i = 0; i < shared->count; i++) {
		const struct model_device *device = &shared->devices[i];
		found[i] = device->removed && !device->pulled &&
			   strncmp(device->address, address, length) == 0 &&
			   !is_asleep(shared, device->bridge);
	}
	for (size_t i = 0; i < shared->count; i++) {
		struct model_device *device = &shared->devices[i];
		if (!found[i]) {
			continue;
		}
		device->removed = false;
		model_set_text(device->override, "");
		model_set_text(device->reset, device->methods);
		model_set_text(
			device->driver, strcmp(shared->autoprobe, "1") == 0 ? device->native : "");
		cure(device, "rescan");
	}
}

static void apply_setting(struct shared *shared, const struct step *step) {
	bool on = strcmp(step->value, "1") == 0 || strcmp(step->value, "active") == 0;
	switch (step->setting) {
	case SETTING_UNIT:
		for (size_t i = 0; i < shared->units_count; i++) {
			if (strcmp(shared->units[i].name, step->name) == 0) {
				shared->units[i].active = on;
			}
		}
		break;
	case SETTING_CONSOLE:
		shared->console_bound = on;
		break;
	case SETTING_FRAMEBUFFER:
		for (size_t i = 0; i < shared->platforms_count; i++) {
			if (strcmp(shared->platforms[i].name, step->name) == 0) {
				model_set_text(shared->platforms[i].driver, step->value);
			}
		}
		break;
	case SETTING_AUTOPROBE:
		model_set_text(shared->autoprobe, step->value);
		break;
	case SETTING_MEM_SLEEP:
		model_set_text(shared->mem_sleep, step->value);
		break;
	case SETTING_POWER:
		for (size_t i = 0; i < shared->count; i++) {
			if (strcmp(shared->devices[i].address, step->name) == 0) {
				model_set_text(shared->devices[i].control, step->value);
			}
		}
		break;
	}
}

static void apply_driver(struct model_device *device, const struct step *step) {
	if (step->kind == STEP_OVERRIDE) {
		model_set_text(device->override, step->driver);
		return;
	}
	/* It is the host's driver that leaves a card in a state that nothing else gets along with.
	 */
	if (step->kind == STEP_UNBIND && !group_driver_is_harmless(device->driver)) {
		device->dead = device->fragile;
	}
	model_set_text(device->driver, step->kind == STEP_BIND ? step->driver : "");
}

static void apply(struct shared *shared, struct model_device *device, const struct step *step) {
	switch (step->kind) {
	case STEP_LOAD:
		shared->vfio_loaded = true;
		break;
	case STEP_OVERRIDE:
	case STEP_UNBIND:
	case STEP_BIND:
		apply_driver(device, step);
		break;
	case STEP_RESET_METHOD:
		model_set_text(device->reset,
			strcmp(step->value, "default") == 0 ? device->methods : step->value);
		break;
	case STEP_RESET:
		cure(device, device->reset);
		break;
	case STEP_REMOVE:
		device->removed = true;
		model_set_text(device->driver, "");
		break;
	case STEP_RESCAN:
		rescan(shared, step->device);
		break;
	case STEP_SET:
		apply_setting(shared, step);
		break;
	case STEP_HOT_RESET:
		reset_bus_of(shared, device);
		break;
	case STEP_RESET_BUS:
	case STEP_SUSPEND:
		for (size_t i = 0; i < shared->count; i++) {
			cure(&shared->devices[i],
				step->kind == STEP_SUSPEND ? "suspend" : "reset-bus");
		}
		break;
	case STEP_END:
	case STEP_KILL:
		if (shared->ended_count < PROCESSES_MAX) {
			shared->ended[shared->ended_count++] = step->pid;
		}
		break;
	default:
		break;
	}
}

void model_apply(struct shared *shared, struct model_device *device, const struct step *step) {
	bool had_console = model_has_console(shared);
	apply(shared, device, step);
	/* The first framebuffer brings the text console, which takes over by itself. */
	if (!had_console && model_has_console(shared)) {
		shared->console_bound = true;
	}
}
