#include "transaction/undo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "transaction/worker.h"

/* A device that was just let go can be busy for a moment, with udev looking at it. */
enum { ATTEMPTS = 3 };

/* Longer than any one step of it may take. */
enum { RESTORE_MS = 60000 };

struct restore_work {
	const struct step_host *host;
	const struct plan_device *device;
};

static bool is_number(struct tree *tree, const char *address, const char *name, unsigned number) {
	return tree_number(tree, -1, "/sys/bus/pci/devices/%s/%s", address, name) == number;
}

/* Another card at the address is not ours to touch. */
static bool is_same_card(struct tree *tree, const struct plan_device *device) {
	const struct identity *identity = &device->identity;
	const char *address = device->address;
	return is_number(tree, address, "vendor", identity->vendor) &&
	       is_number(tree, address, "device", identity->device) &&
	       is_number(tree, address, "subsystem_vendor", identity->subsystem_vendor) &&
	       is_number(tree, address, "subsystem_device", identity->subsystem_device) &&
	       is_number(tree, address, "class", identity->class_code);
}

/* In a worker: from whatever state to the former one. ENODEV: the device is no longer there. */
static int restore(void *data) {
	const struct restore_work *work = data;
	const struct plan_device *device = work->device;
	struct driver_state now;
	if (!is_same_card(work->host->tree, device)) {
		return ENODEV;
	}
	if (step_read_state(work->host->tree, device->address, &now) < 0) {
		return errno;
	}
	struct plan way = {0};
	plan_transition(&way, device->address, &now, &device->former);
	int error = 0;
	for (size_t i = 0; i < way.steps_count && error == 0; i++) {
		error = step_perform(work->host, &way.steps[i]);
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
		result = worker_run(
			restore, &work, host->restore_ms ? host->restore_ms : RESTORE_MS);
		if (result.state == WORKER_FAILED && result.error == ENODEV &&
			!is_same_card(host->steps.tree, device)) {
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
		if (result.error == ENODEV && !is_same_card(host->steps.tree, device)) {
			transaction_say(host, "%s is no longer there", device->address);
			return true;
		}
		add_failure(error, device->address, strerror(result.error));
		return false;
	case WORKER_TIMED_OUT:
	case WORKER_STUCK:
		add_failure(error, device->address, "the kernel hangs");
		return false;
	}
	return false;
}

enum transaction_outcome undo_plan(const struct transaction_host *host, struct journal *journal,
	const struct plan *plan, const char *stuck, struct error *error) {
	bool complete = true;
	for (size_t i = plan->devices_count; i > 0; i--) {
		const struct plan_device *device = &plan->devices[i - 1];
		if (stuck && strcmp(stuck, device->address) == 0) {
			add_failure(error, device->address, "the kernel still hangs with it");
			complete = false;
		} else if (!undo_device(host, device, error)) {
			complete = false;
		}
	}
	if (!complete) {
		return TRANSACTION_UNFINISHED;
	}
	if (journal_end(journal, JOURNAL_UNDONE) < 0) {
		/* Undoing it again does no harm. */
		add_failure(error, "the journal", strerror(errno));
		return TRANSACTION_UNFINISHED;
	}
	transaction_say(host, "everything is as it was");
	return TRANSACTION_UNDONE;
}
