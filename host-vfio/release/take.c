#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "release/holders.h"
#include "release/release.h"

/* A VM is shut down by whoever runs it. */
static bool can_be_stopped(const struct holder *holder) {
	return holder->kind == HOLDER_PROCESS && strncmp(holder->through, "/dev/vfio/", 10) != 0;
}

bool release_has_holders(const struct machine *machine, const struct pci_device *device) {
	struct strings names = {0};
	bool found = false;
	strings_add(&names, device->name);
	for (size_t i = 0; i < machine->devices_count && !found; i++) {
		const struct pci_device *other = &machine->devices[i];
		bool concerned = plan_take_concerns(machine, &names, other);
		for (size_t k = 0; concerned && k < other->holders_count && !found; k++) {
			found = can_be_stopped(&other->holders[k]);
		}
	}
	strings_finish(&names);
	return found;
}

/* The steps behind the first `count` come before them. */
static void move_to_front(struct plan *plan, size_t count) {
	size_t added = plan->steps_count - count;
	struct step *steps = must_alloc(plan->steps_count + 1, sizeof(*steps));
	memcpy(steps, plan->steps + count, added * sizeof(*steps));
	memcpy(steps + added, plan->steps, count * sizeof(*steps));
	free(plan->steps);
	plan->steps = steps;
}

void release_plan_take(struct plan *plan, struct findings *findings, const struct machine *machine,
	const struct strings *names, const struct strings *unguarded,
	const struct release_options *options) {
	plan_take(plan, machine, names);
	size_t count = plan->steps_count;
	if (count > 0 && options->stop_holders) {
		holders_stop(plan, machine, options);
		for (size_t i = 0; plan->steps_count > count && i < plan->devices_count; i++) {
			plan_add_step(plan, STEP_UNHELD, 0, plan->devices[i].address, NULL);
		}
		move_to_front(plan, count);
	}
	preflight_take(findings, plan, machine, names, unguarded,
		options->stop_holders ? PREFLIGHT_STOP_HOLDERS : 0);
}
