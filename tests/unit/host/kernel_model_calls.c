#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "kernel_model_state.h"

static int call_load(const char *driver, void *user) {
	const struct step step = {.kind = STEP_LOAD, .driver = (char *)(uintptr_t)driver};
	return model_operate(user, NULL, &step);
}

static int call_unit_state(const char *unit, bool *active, void *user) {
	const struct shared *shared = ((struct kernel_model *)user)->shared;
	for (size_t i = 0; i < shared->units_count; i++) {
		if (strcmp(shared->units[i].name, unit) == 0) {
			*active = shared->units[i].active;
			return 0;
		}
	}
	return ENOENT;
}

static int call_unit_set(const char *unit, bool active, void *user) {
	const struct step step = {.kind = STEP_SET,
		.setting = SETTING_UNIT,
		.name = (char *)(uintptr_t)unit,
		.value = (char *)(uintptr_t)(active ? "active" : "inactive")};
	return model_operate(user, NULL, &step);
}

static int call_end_process(int pid, const char *name, unsigned force_ms, void *user) {
	const struct step step = {.kind = force_ms ? STEP_KILL : STEP_END,
		.name = (char *)(uintptr_t)name,
		.pid = pid};
	return model_operate(user, NULL, &step);
}

/* Whoever has it open keeps it. */
static void call_wait_for_close(const char *path, void *user) {
	model_wait(user, path);
}

/* Time passes only for what hangs. */
static int call_deadline(unsigned deadline_ms, void *user) {
	struct kernel_model *model = user;
	model->deadline = eventfd(0, EFD_CLOEXEC);
	return model->deadline;
}

static int call_vfio_open(
	const char *address, int group, uint16_t vendor, uint16_t device, void *user) {
	struct model_device *found = model_find(user, address, strlen(address));
	const struct step step = {.kind = STEP_PROBE, .device = (char *)(uintptr_t)address};
	return found ? model_operate(user, found, &step) : ENODEV;
}

static int call_vfio_reset_bus(const char *address, int group, const struct strings *ours,
	struct error *reason, void *user) {
	const struct shared *shared = ((struct kernel_model *)user)->shared;
	struct model_device *found = model_find(user, address, strlen(address));
	for (size_t i = 0; found && i < shared->count; i++) {
		const struct model_device *other = &shared->devices[i];
		if (!other->removed && model_same_bus(found, other) &&
			!strings_contain(ours, other->address)) {
			error_set(reason, "%s would be reset, too", other->address);
			return EBUSY;
		}
	}
	const struct step step = {.kind = STEP_HOT_RESET, .device = (char *)(uintptr_t)address};
	return found ? model_operate(user, found, &step) : ENODEV;
}

static int call_may_suspend(struct error *reason, void *user) {
	const struct shared *shared = ((struct kernel_model *)user)->shared;
	error_set(reason, "%s", shared->inhibited);
	return shared->inhibited[0] ? EPERM : 0;
}

struct step_host kernel_model_host(struct kernel_model *model) {
	static const struct step_calls calls = {
		.load_driver = call_load,
		.unit_state = call_unit_state,
		.unit_set = call_unit_set,
		.end_process = call_end_process,
		.wait_for_close = call_wait_for_close,
		.vfio_open = call_vfio_open,
		.vfio_reset_bus = call_vfio_reset_bus,
		.may_suspend = call_may_suspend,
		.deadline = call_deadline,
	};
	return (struct step_host){.tree = &model->base, .calls = &calls, .user = model};
}
