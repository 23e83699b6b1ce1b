#include "transaction/suspend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE "/sys/power/state"
#define WAKEUP_COUNT "/sys/power/wakeup_count"
#define CLOCK "/sys/class/rtc/rtc0"

static bool has_word(struct tree *tree, const char *path, const char *word) {
	char *text = tree_text(tree, "%s", path), *rest = text, *part;
	bool found = false;
	while (!found && (part = strsep(&rest, " []\n"))) {
		found = strcmp(part, word) == 0;
	}
	free(text);
	return found;
}

static int refuse(struct error *reason, const char *sentence) {
	error_set(reason, "%s", sentence);
	return EPERM;
}

static int check_clock(struct tree *tree, struct error *reason) {
	char *alarm = tree_text(tree, CLOCK "/wakealarm");
	char *wakeup = tree_text(tree, CLOCK "/device/power/wakeup");
	int status = 0;
	if (!alarm || (wakeup && strcmp(wakeup, "enabled") != 0)) {
		status = refuse(reason, "the machine's clock has no alarm that could wake it");
	} else if (alarm[0] != '\0') {
		status = refuse(
			reason, "the alarm of the machine's clock is set for something else");
	}
	free(alarm);
	free(wakeup);
	return status;
}

static int check_holder(
	const struct pci_device *device, const struct holder *holder, struct error *reason) {
	const char *through = holder->through ? holder->through : "";
	if (holder->kind == HOLDER_PROCESS && strncmp(through, "/dev/vfio/", 10) == 0) {
		error_set(reason, "%s (pid %d) has %s, which would lose its state", holder->name,
			holder->pid, device->name);
		return EPERM;
	}
	/* A controller that loses its power gives its disks up, and they come back as others. */
	if (device->category == CATEGORY_USB &&
		(holder->kind == HOLDER_MOUNT || holder->kind == HOLDER_SWAP)) {
		error_set(reason,
			"%s is on a disk behind the USB controller %s, which may not "
			"come back as the same",
			holder->name, device->name);
		return EPERM;
	}
	return 0;
}

int suspend_check(
	const struct step_host *host, const struct machine *machine, struct error *reason) {
	if (!has_word(host->tree, STATE, "mem") ||
		!has_word(host->tree, "/sys/power/mem_sleep", "deep")) {
		return refuse(reason, "the machine cannot be suspended to memory (ACPI S3)");
	}
	int status = check_clock(host->tree, reason);
	for (size_t i = 0; i < machine->devices_count && status == 0; i++) {
		const struct pci_device *device = &machine->devices[i];
		for (size_t k = 0; k < device->holders_count && status == 0; k++) {
			status = check_holder(device, &device->holders[k], reason);
		}
	}
	return status ? status : step_host_calls(host)->may_suspend(reason, host->user);
}

/* Anything that wakes the machine from here on keeps it from falling asleep: were the alarm over
 * before it sleeps, it would sleep for ever (Documentation/ABI/testing/sysfs-power). */
static int watch_wakeups(struct tree *tree) {
	char *count = tree_text(tree, WAKEUP_COUNT);
	int status = !count ? errno : tree_write(tree, count, WAKEUP_COUNT) < 0 ? errno : 0;
	free(count);
	return status;
}

int suspend_perform(const struct step_host *host, unsigned seconds, struct error *reason) {
	struct machine machine;
	if (machine_read(&machine, host->tree, reason) < 0) {
		return ENODEV;
	}
	int status = suspend_check(host, &machine, reason);
	machine_finish(&machine);
	if (status) {
		return status;
	}
	char alarm[16];
	snprintf(alarm, sizeof(alarm), "+%u", seconds);
	status = watch_wakeups(host->tree);
	if (status == 0 && tree_write(host->tree, alarm, CLOCK "/wakealarm") < 0) {
		status = errno;
	}
	if (status) {
		return status;
	}
	status = tree_write(host->tree, "mem", STATE) < 0 ? errno : 0;
	if (status) {
		/* It did not sleep, and is not to be woken when it does for another reason. */
		tree_write(host->tree, "0", CLOCK "/wakealarm");
	}
	return status;
}
