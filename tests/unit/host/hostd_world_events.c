/* What happens in the world of hostd_world.h without core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hostd/core-impl.h"
#include "hostd_world-impl.h"

/* One device that does not return keeps the others of its change from it. */
static const char *find_astray(const struct world *world, const struct core_action *change) {
	for (size_t i = 0; change->kind == CORE_RETURN && i < change->names.count; i++) {
		if (world->astray[world_device(world, change->names.items[i])]) {
			return "its driver does not take it";
		}
	}
	return NULL;
}

void world_end_change(struct world *world, const char *problem) {
	struct core_action change = world->change;
	world->change = (struct core_action){0};
	world->changing = false;
	problem = problem ? problem : find_astray(world, &change);
	for (size_t i = 0; i < change.names.count && !problem; i++) {
		size_t index = world_device(world, change.names.items[i]);
		bool take = change.kind == CORE_TAKE;
		if (world->absent[index]) {
			continue;
		}
		world_bind_at(world, index, take ? "vfio-pci" : world->home[index]);
		world->ours[index] = take;
	}
	core_change_ended(&world->core, &change, problem);
	core_action_finish(&change);
	world_obey(world);
}

void world_end_attach(struct world *world, const char *problem) {
	struct core_action attach = world->attach;
	world->attach = (struct core_action){0};
	size_t index = world_device(world, attach.names.items[0]);
	int vm = world_vm(attach.vm);
	/* It may have been plugged in anew meanwhile. */
	if (world->truth[vm] != RUNNING || world->absent[index] ||
		!core_is_vfio(&world->machine.devices[index])) {
		problem = "it is not there";
	}
	if (!problem) {
		world_hold(world, index, world_vms[vm]);
	}
	core_attach_ended(&world->core, attach.vm, attach.names.items[0], problem);
	core_action_finish(&attach);
	world_obey(world);
}

static void let_go(struct world *world, int vm) {
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (world->owner[i] == world_vms[vm]) {
			world_hold(world, i, NULL);
		}
	}
}

void world_let_go(struct world *world, int vm) {
	let_go(world, vm);
	core_machine_changed(&world->core);
	world_obey(world);
}

void world_let_go_of(struct world *world, const char *address) {
	world_hold(world, world_device(world, address), NULL);
	core_machine_changed(&world->core);
	world_obey(world);
}

void world_start_by_hand(struct world *world, int vm) {
	world->truth[vm] = HOOK;
	core_claim(&world->core, world_vms[vm]);
	world_obey(world);
}

void world_end_launch(struct world *world, int vm, const char *problem) {
	bool by_core = world->by_core[vm];
	world->by_core[vm] = false;
	world->truth[vm] = problem ? OFF : RUNNING;
	if (problem) {
		world->shutting[vm] = false; /* if it was: there is nothing to end any more */
		world_let_go(world, vm);
		core_released(&world->core, world_vms[vm]);
	} else {
		core_vm_is(&world->core, world_vms[vm], CORE_RUNNING);
	}
	world_obey(world);
	if (by_core) {
		core_start_ended(&world->core, world_vms[vm], problem);
		world_obey(world);
	}
}

/* It has ended; its devices may take longer. */
void world_end_vm(struct world *world, int vm, bool at_once) {
	world->truth[vm] = OFF;
	world->shutting[vm] = false;
	core_vm_is(&world->core, world_vms[vm], CORE_OFF);
	world_obey(world);
	if (at_once) {
		world_let_go(world, vm);
	}
}

void world_switch(struct world *world, const char *target, bool force) {
	world->switching = true;
	core_switch(&world->core, target, force);
	world_obey(world);
}

void world_time_out(struct world *world) {
	struct core_view view = world_view(world);
	if (core_is_waiting(&world->core)) {
		core_timeout(&world->core, &view);
		world_obey(world);
	}
}

void world_unplug(struct world *world, const char *address) {
	size_t index = world_device(world, address);
	world_hold(world, index, NULL);
	world->absent[index] = true;
	world->ours[index] = false;
	core_machine_changed(&world->core);
	world_obey(world);
}

void world_plug(struct world *world, const char *address) {
	size_t index = world_device(world, address);
	if (world->absent[index]) {
		world->absent[index] = false;
		world_bind_at(world, index, world->home[index]);
		core_machine_changed(&world->core);
		world_obey(world);
	}
}

void world_kill(struct world *world, bool attached) {
	if (world->attach.vm) {
		size_t index = world_device(world, world->attach.names.items[0]);
		int vm = world_vm(world->attach.vm);
		if (attached && world->truth[vm] == RUNNING && !world->absent[index] &&
			core_is_vfio(&world->machine.devices[index])) {
			world_hold(world, index, world_vms[vm]);
		}
	}
	core_action_finish(&world->attach);
	core_action_finish(&world->change);
	world->changing = world->switching = false;
	for (int vm = 0; vm < VMS; vm++) {
		world->truth[vm] = world->truth[vm] == HOOK ? OFF : world->truth[vm];
		world->given_up[vm] |= world->truth[vm] == LAUNCHING;
		world->by_core[vm] = world->shutting[vm] = false;
	}
	core_finish(&world->core);
}

void world_end_unseen(struct world *world, int vm) {
	world->truth[vm] = OFF;
	world->shutting[vm] = false;
	let_go(world, vm);
}

void world_come_again(struct world *world) {
	core_set_policy(&world->core, &world->policy);
	for (unsigned launch = 1; launch <= world->launches; launch++) {
		for (int vm = 0; vm < VMS; vm++) {
			if (world->launched[vm] == launch && world->truth[vm] == RUNNING) {
				core_vm_is(&world->core, world_vms[vm], CORE_RUNNING);
			}
		}
	}
	core_states_known(&world->core, true);
	world_obey(world);
}

void world_lose_libvirt(struct world *world, const bool came[VMS]) {
	core_states_known(&world->core, false);
	world_obey(world);
	for (int vm = 0; vm < VMS; vm++) {
		bool by_core = world->by_core[vm];
		if (world->truth[vm] == LAUNCHING) {
			world->truth[vm] = RUNNING;
			world->given_up[vm] |= by_core;
			if (!came[vm]) {
				world_end_unseen(world, vm);
			}
		}
		if (by_core) {
			world->by_core[vm] = false;
			core_start_ended(&world->core, world_vms[vm], "libvirt went away");
			world_obey(world);
		}
	}
	for (int vm = 0; vm < VMS; vm++) {
		core_vm_is(&world->core, world_vms[vm],
			world->truth[vm] == RUNNING ? CORE_RUNNING : CORE_OFF);
	}
	core_states_known(&world->core, true);
	world_obey(world);
}

void world_run(struct world *world, int vm) {
	world_start_by_hand(world, vm);
	while (world->changing) {
		world_end_change(world, NULL);
	}
	assert_int_equal(world->truth[vm], LAUNCHING);
	world_end_launch(world, vm, NULL);
}
