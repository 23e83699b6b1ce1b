#include "transaction/undo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "transaction/setting.h"
#include "utf8.h"

/* A device that was just let go can be busy for a moment, with udev looking at it. */
enum { ATTEMPTS = 3 };

/* Longer than any one step of it may take. */
enum { RESTORE_MS = 60000 };

/* systemd gives a unit 90 s by default. */
enum { UNIT_MS = 120000 };

struct restore_work {
	const struct step_host *host;
	const struct plan_device *device;
};

struct setting_work {
	const struct step_host *host;
	const struct plan_setting *setting;
};

struct rescan_work {
	struct tree *tree;
	const struct plan *plan;
};

/* In a worker: from whatever state to the former one. ENODEV: the device is no longer there. */
static int restore(void *data) {
	const struct restore_work *work = data;
	const struct plan_device *device = work->device;
	struct driver_state now;
	if (!step_same_card(work->host->tree, device)) {
		return ENODEV;
	}
	if (step_read_state(work->host->tree, device->address, &now) < 0) {
		return errno;
	}
	struct error ignored;
	struct plan way = {0};
	plan_transition(&way, device->address, &now, &device->former);
	int error = 0;
	for (size_t i = 0; i < way.steps_count && error == 0; i++) {
		error = step_perform(work->host, &way, &way.steps[i], &ignored);
	}
	/* Things may have settled elsewhere in the meantime, or the kernel done it after all. */
	driver_state_finish(&now);
	if (error && step_read_state(work->host->tree, device->address, &now) == 0) {
		error = driver_state_equal(&now, &device->former) ? 0 : error;
		driver_state_finish(&now);
	}
	plan_finish(&way);
	return error;
}

static struct worker_result restore_device(
	const struct transaction_host *host, const struct plan_device *device) {
	struct restore_work work = {&host->steps, device};
	struct worker_result result = {WORKER_FAILED, 0};
	for (int i = 0; i < ATTEMPTS && result.state == WORKER_FAILED; i++) {
		result = step_host_work(&host->steps, restore, &work, RESTORE_MS);
		if (result.state == WORKER_FAILED && result.error == ENODEV &&
			!step_same_card(host->steps.tree, device)) {
			break;
		}
	}
	return result;
}

/* The sentence of what could not be undone is put behind the reason of the undoing. */
static void add_failure(struct error *error, const char *address, const char *reason) {
	struct error former = *error;
	error_set(error, "%.200s; and %s could not be brought back: %s", former.text, address,
		reason);
}

static bool undo_device(const struct transaction_host *host, const struct plan_device *device,
	struct error *error) {
	struct worker_result result = restore_device(host, device);
	switch (result.state) {
	case WORKER_DONE:
		transaction_say(host, "%s is as it was", device->address);
		return true;
	case WORKER_FAILED:
		if (result.error == ENODEV && !step_same_card(host->steps.tree, device)) {
			const struct error former = *error;
			transaction_say(host, "%s is no longer there", device->address);
			error_set(error, "%.900s; %s is no longer there", former.text,
				device->address);
			return true;
		}
		add_failure(error, device->address, step_reason(result.error));
		return false;
	case WORKER_TIMED_OUT:
	case WORKER_STUCK:
		add_failure(error, device->address, "the kernel hangs");
		return false;
	}
	return false;
}

/* Does the plan let the kernel forget devices? Then drivers were kept from new ones. */
static bool removes_devices(const struct plan *plan) {
	for (size_t i = 0; i < plan->settings_count; i++) {
		if (plan->settings[i].kind == SETTING_AUTOPROBE) {
			return true;
		}
	}
	return false;
}

static bool is_missing(struct tree *tree, const struct plan_device *device) {
	return !tree_exists(tree, "/sys/bus/pci/devices/%s/vendor", device->address);
}

/* In a worker: lets the kernel find again what it was told to forget. Their former drivers are
 * bound later, one by one. */
static int find_removed(void *data) {
	const struct rescan_work *work = data;
	for (size_t i = 0; i < work->plan->devices_count; i++) {
		const struct plan_device *device = &work->plan->devices[i];
		if (!is_missing(work->tree, device)) {
			continue;
		}
		tree_write(work->tree, "0", "/sys/bus/pci/drivers_autoprobe");
		int error = step_rescan(work->tree, device->address);
		/* Without a bus there is no device to be found either. */
		if (error && error != ENOENT) {
			return error;
		}
	}
	return 0;
}

static bool undo_removal(
	const struct transaction_host *host, const struct plan *plan, struct error *error) {
	struct rescan_work work = {host->steps.tree, plan};
	struct worker_result result = {WORKER_FAILED, 0};
	if (!removes_devices(plan)) {
		return true;
	}
	for (int i = 0; i < ATTEMPTS && result.state == WORKER_FAILED; i++) {
		result = step_host_work(&host->steps, find_removed, &work, RESTORE_MS);
	}
	if (result.state != WORKER_DONE) {
		add_failure(error, "what the kernel was told to forget",
			result.state == WORKER_FAILED ? step_reason(result.error)
						      : "the kernel hangs");
	}
	return result.state == WORKER_DONE;
}

static int restore_setting(void *data) {
	const struct setting_work *work = data;
	const struct plan_setting *setting = work->setting;
	return setting_write(work->host, setting->kind, setting->name, setting->former);
}

static bool undo_setting(const struct transaction_host *host, const struct plan_setting *setting,
	struct error *error) {
	struct setting_work work = {&host->steps, setting};
	struct step step = {.kind = STEP_SET,
		.setting = setting->kind,
		.name = setting->name,
		.value = setting->former};
	struct worker_result result = {WORKER_FAILED, 0};
	/* Consoles go with their last framebuffer, and framebuffers with their card. */
	for (int i = 0; i < ATTEMPTS && result.state == WORKER_FAILED && result.error != ENOENT;
		i++) {
		result = step_host_work(&host->steps, restore_setting, &work,
			setting->kind == SETTING_UNIT ? UNIT_MS : RESTORE_MS);
	}
	if (result.state == WORKER_DONE ||
		(result.state == WORKER_FAILED && result.error == ENOENT)) {
		return true;
	}
	char *sentence = step_sentence(&step);
	struct error former = *error;
	error_set(error, "%.200s; and could not %s: %s", former.text, sentence,
		result.state == WORKER_FAILED ? step_reason(result.error) : "it hangs");
	free(sentence);
	return false;
}

/* Devices before settings: a console comes with the driver whose framebuffer it is on, and services
 * that use a card want it to be there. */
static bool undo_all(const struct transaction_host *host, const struct plan *plan,
	const char *stuck, struct error *error) {
	bool complete = undo_removal(host, plan, error);
	for (size_t i = plan->devices_count; i > 0; i--) {
		const struct plan_device *device = &plan->devices[i - 1];
		if (stuck && strcmp(stuck, device->address) == 0) {
			add_failure(error, device->address, "the kernel still hangs with it");
			complete = false;
		} else if (!undo_device(host, device, error)) {
			complete = false;
		}
	}
	for (size_t i = plan->settings_count; i > 0; i--) {
		if (!undo_setting(host, &plan->settings[i - 1], error)) {
			complete = false;
		}
	}
	return complete;
}

/* A scope that has stopped, such as a session, cannot be started again: its plan has no setting to
 * go back to. */
static bool ends_unit(const struct plan *plan, const struct step *step) {
	bool ends = step->kind == STEP_SET && step->setting == SETTING_UNIT;
	for (size_t i = 0; i < plan->settings_count && ends; i++) {
		const struct plan_setting *setting = &plan->settings[i];
		ends = setting->kind != SETTING_UNIT || strcmp(setting->name, step->name) != 0;
	}
	return ends;
}

/* What does not come back. The caller's; NULL: nothing. */
static char *list_ended(const struct plan *plan, size_t steps_done) {
	char *list = NULL;
	for (size_t i = 0; i < steps_done; i++) {
		const struct step *step = &plan->steps[i];
		bool process = step->kind == STEP_END || step->kind == STEP_KILL;
		if (!process && !ends_unit(plan, step)) {
			continue;
		}
		char *name = process ? must_print("%s (pid %d)", step->name, step->pid)
				     : must_copy(step->name);
		char *longer = must_print("%s%s%s", list ? list : "", list ? ", " : "", name);
		free(name);
		free(list);
		list = longer;
	}
	if (list) {
		utf8_make_printable(list);
	}
	return list;
}

/* What is so now goes behind the reason. */
static void add_result(struct error *error, const struct plan *plan, size_t steps_done) {
	struct error former = *error;
	char *ended = list_ended(plan, steps_done);
	if (ended) {
		error_set(error,
			"%.400s; everything is as it was, but what was ended for it is not back: "
			"%s",
			former.text, ended);
	} else {
		error_set(error, "%.900s; everything is as it was", former.text);
	}
	free(ended);
}

enum transaction_outcome undo_plan(const struct transaction_host *host, struct journal *journal,
	const struct plan *plan, size_t steps_done, const char *stuck, struct error *error) {
	if (!undo_all(host, plan, stuck, error)) {
		return TRANSACTION_UNFINISHED;
	}
	if (journal_end(journal, JOURNAL_UNDONE) < 0) {
		/* Undoing it again does no harm. */
		add_failure(error, "the journal", strerror(errno));
		return TRANSACTION_UNFINISHED;
	}
	add_result(error, plan, steps_done);
	return TRANSACTION_UNDONE;
}
