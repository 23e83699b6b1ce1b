#include "transaction/step.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "inventory/group.h"
#include "transaction/findings.h"
#include "transaction/setting.h"
#include "transaction/suspend.h"
#include "transaction/system.h"

#define DEVICES "/sys/bus/pci/devices"
#define DRIVERS "/sys/bus/pci/drivers"

const struct step_calls *step_host_calls(const struct step_host *host) {
	return host->calls ? host->calls : &system_calls;
}

struct worker_result step_host_work(
	const struct step_host *host, int (*work)(void *data), void *data, unsigned deadline_ms) {
	const struct step_calls *calls = step_host_calls(host);
	if (!calls->deadline) {
		return worker_run(work, data, deadline_ms);
	}
	int deadline = calls->deadline(deadline_ms, host->user);
	struct worker_result result = worker_run_until(work, data, deadline);
	close(deadline);
	return result;
}

static char *read_reset(struct tree *tree, const char *address) {
	char *methods = tree_text(tree, DEVICES "/%s/reset_method", address);
	return methods ? methods : must_copy("");
}

int step_read_state(struct tree *tree, const char *address, struct driver_state *state) {
	*state = (struct driver_state){0};
	char *override = tree_text(tree, DEVICES "/%s/driver_override", address);
	if (!override) {
		return -1;
	}
	if (override[0] != '\0' && strcmp(override, "(null)") != 0) {
		state->override = must_copy(override);
	}
	free(override);
	char *link = tree_link(tree, DEVICES "/%s/driver", address);
	if (link) {
		state->driver = must_copy(path_name(link));
	} else if (errno != ENOENT) {
		driver_state_finish(state);
		return -1;
	}
	free(link);
	state->reset = read_reset(tree, address);
	return 0;
}

static bool is_number(struct tree *tree, const char *address, const char *name, unsigned number) {
	return tree_number(tree, -1, DEVICES "/%s/%s", address, name) == number;
}

bool step_same_card(struct tree *tree, const struct plan_device *device) {
	const struct identity *identity = &device->identity;
	const char *address = device->address;
	return is_number(tree, address, "vendor", identity->vendor) &&
	       is_number(tree, address, "device", identity->device) &&
	       is_number(tree, address, "subsystem_vendor", identity->subsystem_vendor) &&
	       is_number(tree, address, "subsystem_device", identity->subsystem_device) &&
	       is_number(tree, address, "class", identity->class_code);
}

static bool is_there(struct tree *tree, const char *address) {
	return tree_exists(tree, DEVICES "/%s/vendor", address);
}

static bool has_driver(struct tree *tree, const char *address) {
	char *link = tree_link(tree, DEVICES "/%s/driver", address);
	free(link);
	return link != NULL;
}

static const struct plan_device *device_of(const struct plan *plan, const struct step *step) {
	for (size_t i = 0; i < plan->devices_count; i++) {
		if (strcmp(plan->devices[i].address, step->device) == 0) {
			return &plan->devices[i];
		}
	}
	return NULL;
}

/* Did what the driver core was told happen? */
static int verify_driver(const struct step_host *host, const struct step *step) {
	struct driver_state state;
	if (step_read_state(host->tree, step->device, &state) < 0) {
		return errno;
	}
	const char *found = step->kind == STEP_OVERRIDE ? state.override : state.driver;
	const char *wanted = step->kind == STEP_UNBIND ? NULL : step->driver;
	bool good = found == wanted || (found && wanted && strcmp(found, wanted) == 0);
	driver_state_finish(&state);
	return good ? 0 : EPROTO;
}

static int change_driver(const struct step_host *host, const struct step *step) {
	int status;
	if (step->kind == STEP_OVERRIDE) {
		/* A newline alone takes the override away. */
		status = tree_write(host->tree, step->driver ? step->driver : "\n",
			DEVICES "/%s/driver_override", step->device);
	} else if (step->kind == STEP_UNBIND) {
		if (!has_driver(host->tree, step->device)) {
			return 0;
		}
		status = tree_write(host->tree, step->device, DRIVERS "/%s/unbind", step->driver);
	} else {
		status = tree_write(host->tree, step->device, DRIVERS "/%s/bind", step->driver);
	}
	return status < 0 ? errno : verify_driver(host, step);
}

/* The processes that have the device open. 0: none; EBUSY with the reason and the first one's node.
 */
static int find_holder(
	const struct step_host *host, const char *address, char **node, struct error *reason) {
	struct machine machine;
	*node = NULL;
	if (machine_read(&machine, host->tree, reason) < 0) {
		return ENODEV;
	}
	const struct pci_device *device = machine_find(&machine, address);
	int status = device ? 0 : ENODEV;
	struct findings findings = {0};
	for (size_t i = 0; device && i < device->holders_count; i++) {
		const struct holder *holder = &device->holders[i];
		if (holder->kind == HOLDER_PROCESS) {
			findings_add_holder(&findings, true, device, holder);
			*node = *node ? *node : must_copy(holder->through);
		}
	}
	if (findings_refuse(&findings, reason) < 0) {
		status = EBUSY;
	}
	findings_finish(&findings);
	machine_finish(&machine);
	return status;
}

/* Some drivers wait in the kernel for whoever has the device open. A server that opened it for a
 * session closes it a moment after the session's end; the deadline ends the wait. */
static int see_unheld(const struct step_host *host, const struct step *step, struct error *reason) {
	char *node;
	int status = find_holder(host, step->device, &node, reason);
	while (status == EBUSY) {
		step_host_calls(host)->wait_for_close(node, host->user);
		free(node);
		status = find_holder(host, step->device, &node, reason);
	}
	free(node);
	return status;
}

/* Methods that the kernel listed once it need not take again: whether a device can be reset with
 * its bus depends on what else is there. Then its own choice is as near as one can get. */
static int set_reset_methods(struct tree *tree, const char *address, const char *methods) {
	int status =
		tree_write(tree, methods[0] ? methods : "\n", DEVICES "/%s/reset_method", address);
	if (status < 0 && errno == EINVAL) {
		status = tree_write(tree, "default", DEVICES "/%s/reset_method", address);
		return status < 0 ? errno : 0;
	}
	if (status < 0) {
		return errno;
	}
	char *now = read_reset(tree, address);
	status = strcmp(now, methods) == 0 ? 0 : EPROTO;
	free(now);
	return status;
}

static int reset(struct tree *tree, const struct step *step) {
	if (tree_write(tree, step->value, DEVICES "/%s/reset_method", step->device) < 0) {
		return errno;
	}
	char *methods = read_reset(tree, step->device);
	bool good = strcmp(methods, step->value) == 0;
	free(methods);
	if (!good) {
		return EPROTO;
	}
	return tree_write(tree, "1", DEVICES "/%s/reset", step->device) < 0 ? errno : 0;
}

static int remove_device(struct tree *tree, const char *address) {
	if (!is_there(tree, address)) {
		return 0;
	}
	if (tree_write(tree, "1", DEVICES "/%s/remove", address) < 0) {
		return errno;
	}
	return is_there(tree, address) ? EPROTO : 0;
}

int step_rescan(struct tree *tree, const char *address) {
	const char *colon = strrchr(address, ':');
	int length = colon ? (int)(colon - address) : 0;
	return tree_write(tree, "1", "/sys/class/pci_bus/%.*s/rescan", length, address) < 0 ? errno
											    : 0;
}

/* The groups are made anew with their devices, and may have other members then. */
static int find_again(const struct step_host *host, const struct plan *plan,
	const struct step *step, struct error *reason) {
	const struct plan_device *planned = device_of(plan, step);
	struct machine machine;
	if (!planned || !is_there(host->tree, step->device)) {
		return ENODEV;
	}
	if (!step_same_card(host->tree, planned)) {
		error_set(reason, "another card is there");
		return ENODEV;
	}
	if (machine_read(&machine, host->tree, reason) < 0) {
		return ENODEV;
	}
	const struct pci_device *device = machine_find(&machine, step->device);
	int status = device && device->iommu_group >= 0 ? 0 : ENODEV;
	for (size_t i = 0; i < machine.devices_count && status == 0; i++) {
		const struct pci_device *other = &machine.devices[i];
		if (other->iommu_group == device->iommu_group && !plan_has(plan, other->name) &&
			!group_driver_is_harmless(other->driver)) {
			error_set(reason, "%s (driver %s) is in its IOMMU group now", other->name,
				other->driver);
			status = EBUSY;
		}
	}
	machine_finish(&machine);
	return status;
}

static int group_of(struct tree *tree, const char *address) {
	char *link = tree_link(tree, DEVICES "/%s/iommu_group", address);
	int group = link ? atoi(path_name(link)) : -1;
	free(link);
	return group;
}

static int probe(const struct step_host *host, const struct plan *plan, const struct step *step) {
	const struct plan_device *planned = device_of(plan, step);
	unsigned char config[4] = {0};
	if (!planned || tree_bytes(host->tree, config, sizeof(config), DEVICES "/%s/config",
				step->device) != sizeof(config)) {
		return EIO;
	}
	const struct identity *identity = &planned->identity;
	/* A device that is gone or asleep reads as ones. */
	if ((config[0] | config[1] << 8) != identity->vendor ||
		(config[2] | config[3] << 8) != identity->device) {
		return EIO;
	}
	return step_host_calls(host)->vfio_open(step->device, group_of(host->tree, step->device),
		identity->vendor, identity->device, host->user);
}

static int hot_reset(const struct step_host *host, const struct plan *plan, const struct step *step,
	struct error *reason) {
	struct strings ours = {0};
	for (size_t i = 0; i < plan->devices_count; i++) {
		strings_add(&ours, plan->devices[i].address);
	}
	int status = step_host_calls(host)->vfio_reset_bus(
		step->device, group_of(host->tree, step->device), &ours, reason, host->user);
	strings_finish(&ours);
	return status;
}

int step_perform(const struct step_host *host, const struct plan *plan, const struct step *step,
	struct error *reason) {
	const struct step_calls *calls = step_host_calls(host);
	reason->text[0] = '\0';
	switch (step->kind) {
	case STEP_LOAD:
		return calls->load_driver(step->driver, host->user);
	case STEP_OVERRIDE:
	case STEP_UNBIND:
	case STEP_BIND:
		return change_driver(host, step);
	case STEP_SET:
		return setting_write(host, step->setting, step->name, step->value);
	case STEP_END:
		return calls->end_process(step->pid, step->name, 0, host->user);
	case STEP_KILL:
		return calls->end_process(step->pid, step->name, step->deadline_ms / 2, host->user);
	case STEP_UNHELD:
		return see_unheld(host, step, reason);
	case STEP_RESET_METHOD:
		return set_reset_methods(host->tree, step->device, step->value);
	case STEP_RESET:
		return reset(host->tree, step);
	case STEP_HOT_RESET:
		return hot_reset(host, plan, step, reason);
	case STEP_RESET_BUS:
		return tree_write(host->tree, "1", DEVICES "/%s/reset_subordinate", step->device) <
				       0
			       ? errno
			       : 0;
	case STEP_REMOVE:
		return remove_device(host->tree, step->device);
	case STEP_RESCAN:
		return step_rescan(host->tree, step->device);
	case STEP_FIND:
		return find_again(host, plan, step, reason);
	case STEP_SUSPEND:
		return suspend_perform(host, step->seconds, reason);
	case STEP_PROBE:
		return probe(host, plan, step);
	}
	return EINVAL;
}

const char *step_reason(int error) {
	switch (error) {
	case EPROTO:
		return "the kernel said yes, and it did not happen";
	case ENOTTY:
		/* Of resets only (pci_reset_bus, pci_bridge_wait_for_secondary_bus). */
		return "the kernel has no such reset for it, or it did not answer after it";
	default:
		return strerror(error);
	}
}
