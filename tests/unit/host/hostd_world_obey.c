/* The world of hostd_world.h does what core says, and checks that it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "hostd/core-impl.h"
#include "hostd_world-impl.h"

/* A VM is allowed to start: everything of it is ready, nobody has any of it, and then it has it. */
static void launch(struct world *world, const char *vm) {
	struct decisions decisions;
	struct core_view view = world_view(world);
	core_decide(&decisions, &world->core, &view);
	for (size_t i = 0; i < decisions.count; i++) {
		if (!decisions.items[i].vm || strcmp(decisions.items[i].vm->name, vm) != 0) {
			continue;
		}
		size_t index = world_device(world, decisions.items[i].device->name);
		assert_true(core_is_vfio(&world->machine.devices[index]));
		assert_null(world->owner[index]);
		/* Nobody moves what a VM starts with. */
		assert_false(
			strings_contain(&world->change.names, decisions.items[i].device->name));
		world_hold(world, index, world_vms[world_vm(vm)]);
	}
	decisions_finish(&decisions);
	world->truth[world_vm(vm)] = LAUNCHING;
	world->launched[world_vm(vm)] = ++world->launches;
	world->given_up[world_vm(vm)] = false;
}

static void check_change(struct world *world, const struct core_action *action) {
	assert_false(world->changing);
	for (size_t i = 0; i < action->names.count; i++) {
		size_t index = world_device(world, action->names.items[i]);
		assert_false(world->absent[index]);
		assert_null(world->owner[index]);
		assert_int_equal(
			core_is_vfio(&world->machine.devices[index]), action->kind == CORE_RETURN);
		/* Nobody moves what libvirt is giving to somebody. */
		assert_false(strings_contain(&world->attach.names, action->names.items[i]));
	}
}

static void check_attach(struct world *world, const struct core_action *action) {
	assert_int_equal(action->names.count, 1);
	assert_null(world->attach.vm);
	size_t index = world_device(world, action->names.items[0]);
	const struct pci_device *device = &world->machine.devices[index];
	assert_false(world->absent[index]);
	/* No group has functions in two VMs. Of one that has some in this VM nothing says which,
	 * and libvirt is asked again for what it has done before. */
	bool shared = false;
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (world_shares_group(&world->machine.devices[i], device) && world->owner[i]) {
			assert_string_equal(world->owner[i], action->vm);
			shared = true;
		}
	}
	if (world->owner[index]) {
		assert_true(shared);
		assert_string_equal(world->owner[index], action->vm);
	}
	assert_true(world->ours[index]);
	assert_true(core_is_vfio(&world->machine.devices[index]));
	assert_int_equal(world->truth[world_vm(action->vm)], RUNNING);
}

/* Does what core says, as far as it happens at once. What takes longer is taken over. */
static void perform(struct world *world, struct core_action *action) {
	int vm = action->vm ? world_vm(action->vm) : -1;
	switch (action->kind) {
	case CORE_TAKE:
	case CORE_RETURN:
		check_change(world, action);
		world->change = *action;
		world->changing = true;
		*action = (struct core_action){0};
		break;
	case CORE_ATTACH:
		check_attach(world, action);
		world->attach = *action;
		*action = (struct core_action){0};
		break;
	case CORE_START:
		/* One that was given up, for taking too long or since something that it was to have
		 * failed, while nothing of that was held: libvirt goes on with the start that it
		 * has, and what has come since is not in that. */
		if (world->truth[vm] == LAUNCHING) {
			world->given_up[vm] = true;
		} else {
			assert_int_equal(world->truth[vm], OFF);
			launch(world, action->vm);
		}
		world->by_core[vm] = true;
		break;
	case CORE_SHUTDOWN:
	case CORE_KILL:
		assert_true(world->switching);
		world->shutting[vm] = true;
		break;
	case CORE_ALLOW:
		assert_int_equal(world->truth[vm], HOOK);
		launch(world, action->vm);
		break;
	case CORE_REFUSE:
		assert_int_equal(world->truth[vm], HOOK);
		assert_non_null(action->reason);
		world->truth[vm] = OFF;
		break;
	case CORE_SWITCHED:
		assert_true(world->switching);
		world->switching = false;
		free(world->switched);
		world->switched = must_copy(action->reason ? action->reason : "");
		break;
	}
}

/* As the daemon notes it for the next one. */
static void note_owners(struct world *world) {
	for (size_t i = 0; core_knows_owners(&world->core) && i < world->machine.devices_count;
		i++) {
		const char *vm = world->ours[i] ? core_known_owner(&world->core,
							  world->machine.devices[i].name)
						: NULL;
		world->given[i] = vm ? world_vms[world_vm(vm)] : NULL;
	}
}

static void note_given_up(struct world *world) {
	for (int vm = 0; vm < VMS; vm++) {
		world->given_up[vm] |= world->truth[vm] == LAUNCHING &&
				       core_find(&world->core, world_vms[vm])->state == CORE_OFF;
	}
}

void world_obey(struct world *world) {
	note_given_up(world);
	for (int i = 0;; i++) {
		struct core_view view = world_view(world);
		struct core_action action;
		assert_true(i < 100); /* it ends */
		if (!core_next(&world->core, &view, &action)) {
			note_owners(world);
			return;
		}
		perform(world, &action);
		note_given_up(world);
		core_action_finish(&action);
	}
}
