#include "hostd/core-impl.h"

#include <string.h>

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

/* Where everything belongs when those have left and it runs. */
static void decide_then(struct decisions *decisions, const struct core *core,
	const struct core_view *view, const struct strings *leaving, const char *vm) {
	struct strings now = core_running(core), then = {0};
	for (size_t i = 0; i < now.count; i++) {
		if (!strings_contain(leaving, now.items[i])) {
			strings_add(&then, now.items[i]);
		}
	}
	if (vm && !strings_contain(&then, vm)) {
		strings_add(&then, vm);
	}
	decide(decisions, view->policy, view->known, view->machine, &then);
	strings_finish(&now);
	strings_finish(&then);
}

/* The whole group returns, or none of it. */
static bool stays(const struct decisions *decisions, const struct pci_device *device) {
	for (size_t i = 0; i < decisions->count; i++) {
		const struct decision *other = &decisions->items[i];
		bool same = other->device == device ||
			    (device->iommu_group >= 0 &&
				    other->device->iommu_group == device->iommu_group);
		if (same && other->vm) {
			return true;
		}
	}
	return false;
}

void core_foresee(struct core_foresight *foresight, const struct core *core,
	const struct core_view *view, const char *vm) {
	struct decisions decisions;
	*foresight = (struct core_foresight){.leaving = find_leaving(core, view, vm)};
	decide_then(&decisions, core, view, &foresight->leaving, vm);
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
	decisions_finish(&decisions);
}

void core_foresight_finish(struct core_foresight *foresight) {
	strings_finish(&foresight->leaving);
	strings_finish(&foresight->returning);
	strings_finish(&foresight->taking);
}
