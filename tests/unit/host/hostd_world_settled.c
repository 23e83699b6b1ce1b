/* The world of hostd_world.h comes to rest, where the policy has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hostd/core-impl.h"
#include "hostd_world-impl.h"

static bool holds_any(const struct world *world, int vm) {
	bool any = false;
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		any |= world->owner[i] == world_vms[vm];
	}
	return any;
}

/* Everything that is under way ends well, and what is held without a VM is let go: only that is
 * news, after which what failed is tried again. */
static void end_everything(struct world *world) {
	for (int round = 0; round < 20; round++) {
		for (int vm = 0; vm < VMS; vm++) {
			if (world->truth[vm] == LAUNCHING) {
				world_end_launch(world, vm, NULL);
			} else if (world->shutting[vm]) {
				world_end_vm(world, vm, true);
			} else if (world->truth[vm] != RUNNING && holds_any(world, vm)) {
				world_let_go(world, vm);
			}
		}
		if (world->changing) {
			world_end_change(world, NULL);
		}
		if (world->attach.vm) {
			world_end_attach(world, NULL);
		}
	}
}

void world_settle(struct world *world) {
	core_states_known(&world->core, true);
	world->settling = false;
	for (int i = 0; i < 4; i++) {
		end_everything(world);
		world_time_out(world);
	}
	core_machine_changed(&world->core);
	world_obey(world);
	end_everything(world);
}

/* It, or another one of its IOMMU group, does not return. */
static bool is_astray(const struct world *world, const struct pci_device *device) {
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (world->astray[i] &&
			world->machine.devices[i].iommu_group == device->iommu_group) {
			return true;
		}
	}
	return false;
}

/* Has one that core had given up something of its group open, which nobody else can open then? */
static bool has_stray_owner(const struct world *world, const struct pci_device *device) {
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (world->machine.devices[i].iommu_group == device->iommu_group &&
			world->owner[i] && world->given_up[world_vm(world->owner[i])]) {
			return true;
		}
	}
	return false;
}

void world_assert_settled(struct world *world) {
	struct decisions decisions;
	struct core_view view = world_view(world);
	assert_false(world->switching);
	core_decide(&decisions, &world->core, &view);
	for (size_t i = 0; i < decisions.count; i++) {
		const struct pci_device *device = decisions.items[i].device;
		if (decisions.items[i].vm) {
			const char *vm = decisions.items[i].vm->name;
			assert_true(core_is_vfio(device));
			if (!world->given_up[world_vm(vm)] && !has_stray_owner(world, device)) {
				assert_non_null(world_owner(world, device->name));
				assert_string_equal(world_owner(world, device->name), vm);
			}
		} else {
			assert_true(
				!view.ours[i] || !core_is_vfio(device) || is_astray(world, device));
		}
	}
	for (int vm = 0; vm < VMS; vm++) {
		assert_int_not_equal(world->truth[vm], HOOK);
		enum core_vm_state state = core_find(&world->core, world_vms[vm])->state;
		assert_int_equal(state == CORE_OFF, world->truth[vm] == OFF);
	}
	decisions_finish(&decisions);
}
