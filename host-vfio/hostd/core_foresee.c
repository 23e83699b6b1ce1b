#include "hostd/core-impl.h"

#include <string.h>

#include "inventory/group.h"
#include "release/release.h"

static struct strings find_leaving(
	const struct core *core, const struct core_view *view, const char *vm) {
	struct strings leaving = {0}, running;
	if (vm) {
		return core_rivals(core, view, vm);
	}
	running = core_running(core);
	for (size_t i = 0; i < running.count; i++) {
		const struct policy_vm *policy = policy_find_vm(view->policy, running.items[i]);
		if (policy && policy->role == POLICY_ROLE_CONTROLLER) {
			strings_add(&leaving, running.items[i]);
		}
	}
	strings_finish(&running);
	return leaving;
}

/* When those have left and it runs. */
void core_decide_then(struct decisions *decisions, const struct core *core,
	const struct core_view *view, const struct strings *leaving, const char *vm) {
	struct strings then = core_running(core);
	strings_remove_all(&then, leaving);
	if (vm && !strings_contain(&then, vm)) {
		strings_add(&then, vm);
	}
	decide(decisions, view->policy, view->known, view->machine, &then);
	strings_finish(&then);
}

/* The whole group returns, or none of it. */
static bool stays(const struct decisions *decisions, const struct pci_device *device) {
	for (size_t i = 0; i < decisions->count; i++) {
		const struct decision *other = &decisions->items[i];
		if (group_is_same(other->device, device) && other->vm) {
			return true;
		}
	}
	return false;
}

/* In the order in which they return. */
static void sort_returning(struct strings *names, const struct machine *machine) {
	struct strings sorted = {0};
	while (names->count > 0) {
		struct strings next = release_next_return(machine, names);
		for (size_t i = 0; i < next.count; i++) {
			strings_add(&sorted, next.items[i]);
		}
		strings_remove_all(names, &next);
		strings_finish(&next);
	}
	strings_finish(names);
	*names = sorted;
}

void core_foresee(struct core_foresight *foresight, const struct core *core,
	const struct core_view *view, const char *vm) {
	struct decisions decisions;
	*foresight = (struct core_foresight){.leaving = find_leaving(core, view, vm)};
	core_decide_then(&decisions, core, view, &foresight->leaving, vm);
	for (size_t i = 0; i < decisions.count; i++) {
		const struct decision *decision = &decisions.items[i];
		const struct pci_device *device = decision->device;
		bool vfio = core_is_vfio(device);
		if (view->ours[i] && vfio && !stays(&decisions, device)) {
			strings_add(&foresight->returning, device->name);
		} else if (vm && !vfio && core_is_for(decision, vm) &&
			   !core_is_held(core, device)) {
			strings_add(&foresight->taking, device->name);
		}
	}
	sort_returning(&foresight->returning, view->machine);
	decisions_finish(&decisions);
}

void core_foresight_finish(struct core_foresight *foresight) {
	strings_finish(&foresight->leaving);
	strings_finish(&foresight->returning);
	strings_finish(&foresight->taking);
}
