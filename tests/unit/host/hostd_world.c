/* The world of hostd_world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "hostd/core-impl.h"
#include "hostd_world.h"

const char world_policy[] = "assign gpu usb to controllers\n"
			    "assign net to router\n"
			    "controller work\n"
			    "controller play {\n\tdevices 01:00.0 01:00.1\n}\n"
			    "controller side {\n\tdevices 05:00.0\n}\n"
			    "router net\n"
			    "unguard 06:00.0\n";

const char *const world_vms[VMS] = {"work", "play", "side", "net"};

unsigned world_roll(struct world *world, unsigned sides) {
	world->random = world->random * 1103515245u + 12345u;
	return (world->random >> 16) % sides;
}

static int index_of(const char *vm) {
	for (int i = 0; i < VMS; i++) {
		if (strcmp(world_vms[i], vm) == 0) {
			return i;
		}
	}
	fail_msg("there is no VM %s", vm);
	return -1;
}

/* What is plugged in. Good until something happens. */
struct core_view world_view(struct world *world) {
	size_t count = 0;
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (!world->absent[i]) {
			world->seen.devices[count] = world->machine.devices[i];
			world->seen_given[count] = world->given[i];
			world->seen_ours[count++] = world->ours[i];
		}
	}
	world->seen.devices_count = count;
	return (struct core_view){
		.policy = &world->policy,
		.known = &world->known,
		.machine = &world->seen,
		.ours = world->seen_ours,
		.given = world->seen_given,
		.settling = world->settling,
	};
}

void world_begin(struct world *world, const char *text, unsigned seed) {
	char path[] = "/tmp/host-core-XXXXXX";
	struct error error = {""};
	int fd = mkstemp(path);
	*world = (struct world){.machine = fixture_machine("two-gpu-desktop"), .random = seed};
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	if (policy_load(&world->policy, path, &error) < 0) {
		fail_msg("%s", error.text);
	}
	unlink(path);
	size_t count = world->machine.devices_count;
	world->seen = world->machine;
	world->seen.devices = must_alloc(count, sizeof(*world->seen.devices));
	world->seen_ours = must_alloc(count, sizeof(bool));
	world->seen_given = must_alloc(count, sizeof(char *));
	world->given = must_alloc(count, sizeof(char *));
	world->absent = must_alloc(count, sizeof(bool));
	world->astray = must_alloc(count, sizeof(bool));
	world->ours = must_alloc(count, sizeof(bool));
	world->home = must_alloc(count, sizeof(char *));
	world->owner = must_alloc(count, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		world->home[i] = must_copy(world->machine.devices[i].driver);
	}
	core_set_policy(&world->core, &world->policy);
	core_states_known(&world->core, true);
}

void world_end(struct world *world) {
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		free(world->home[i]);
	}
	core_action_finish(&world->change);
	core_action_finish(&world->attach);
	free(world->seen.devices);
	free(world->seen_ours);
	free(world->seen_given);
	free(world->given);
	free(world->absent);
	free(world->astray);
	free(world->ours);
	free(world->home);
	free(world->owner);
	free(world->switched);
	core_finish(&world->core);
	policy_finish(&world->policy);
	known_finish(&world->known);
	machine_finish(&world->machine);
}

static bool shares_group(const struct pci_device *one, const struct pci_device *other) {
	return one != other && one->iommu_group >= 0 && one->iommu_group == other->iommu_group;
}

static size_t device_index(const struct world *world, const char *address) {
	const struct pci_device *device = machine_find(&world->machine, address);
	assert_non_null(device);
	return (size_t)(device - world->machine.devices);
}

/* Who has it open, as far as the kernel says: VFIO's node is that of a whole group. NULL: nobody.
 */
static const char *find_holder(const struct world *world, size_t index) {
	const struct pci_device *device = &world->machine.devices[index];
	for (size_t i = 0; core_is_vfio(device) && i < world->machine.devices_count; i++) {
		if (world->owner[i] && shares_group(&world->machine.devices[i], device)) {
			return world->owner[i];
		}
	}
	return world->owner[index];
}

static void show_holders(struct world *world) {
	for (size_t index = 0; index < world->machine.devices_count; index++) {
		struct pci_device *device = &world->machine.devices[index];
		const char *vm = find_holder(world, index);
		for (size_t i = 0; i < device->holders_count; i++) {
			if (device->holders[i].pid == 1) {
				free(device->holders[i].name);
				free(device->holders[i].through);
				device->holders[i] = device->holders[--device->holders_count];
			}
		}
		if (vm) {
			machine_add_holder(device, HOLDER_PROCESS, vm, "/dev/vfio/1", 1);
		}
	}
}

static void bind_to(struct world *world, size_t index, const char *driver) {
	struct pci_device *device = &world->machine.devices[index];
	free(device->driver);
	device->driver = must_copy(driver);
	show_holders(world);
}

/* Opens and closes what the VM has; `vm` NULL: nobody. */
static void hold(struct world *world, size_t index, const char *vm) {
	world->owner[index] = vm;
	show_holders(world);
}

/* A VM is allowed to start: everything of it is ready, nobody has any of it, and then it has it. */
static void launch(struct world *world, const char *vm) {
	struct decisions decisions;
	struct core_view view = world_view(world);
	core_decide(&decisions, &world->core, &view);
	for (size_t i = 0; i < decisions.count; i++) {
		if (!decisions.items[i].vm || strcmp(decisions.items[i].vm->name, vm) != 0) {
			continue;
		}
		size_t index = device_index(world, decisions.items[i].device->name);
		assert_true(core_is_vfio(&world->machine.devices[index]));
		assert_null(world->owner[index]);
		/* Nobody moves what a VM starts with. */
		assert_false(
			strings_contain(&world->change.names, decisions.items[i].device->name));
		hold(world, index, world_vms[index_of(vm)]);
	}
	decisions_finish(&decisions);
	world->truth[index_of(vm)] = LAUNCHING;
	world->launched[index_of(vm)] = ++world->launches;
	world->given_up[index_of(vm)] = false;
}

static void check_change(struct world *world, const struct core_action *action) {
	assert_false(world->changing);
	for (size_t i = 0; i < action->names.count; i++) {
		size_t index = device_index(world, action->names.items[i]);
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
	size_t index = device_index(world, action->names.items[0]);
	const struct pci_device *device = &world->machine.devices[index];
	assert_false(world->absent[index]);
	/* No group has functions in two VMs. Of one that has some in this VM nothing says which,
	 * and libvirt is asked again for what it has done before. */
	bool shared = false;
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (shares_group(&world->machine.devices[i], device) && world->owner[i]) {
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
	assert_int_equal(world->truth[index_of(action->vm)], RUNNING);
}

/* Does what core says, as far as it happens at once. What takes longer is taken over. */
static void perform(struct world *world, struct core_action *action) {
	int vm = action->vm ? index_of(action->vm) : -1;
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
		world->given[i] = vm ? world_vms[index_of(vm)] : NULL;
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

/* One device that does not return keeps the others of its change from it. */
static const char *find_astray(const struct world *world, const struct core_action *change) {
	for (size_t i = 0; change->kind == CORE_RETURN && i < change->names.count; i++) {
		if (world->astray[device_index(world, change->names.items[i])]) {
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
		size_t index = device_index(world, change.names.items[i]);
		bool take = change.kind == CORE_TAKE;
		if (world->absent[index]) {
			continue;
		}
		bind_to(world, index, take ? "vfio-pci" : world->home[index]);
		world->ours[index] = take;
	}
	core_change_ended(&world->core, &change, problem);
	core_action_finish(&change);
	world_obey(world);
}

void world_end_attach(struct world *world, const char *problem) {
	struct core_action attach = world->attach;
	world->attach = (struct core_action){0};
	size_t index = device_index(world, attach.names.items[0]);
	int vm = index_of(attach.vm);
	/* It may have been plugged in anew meanwhile. */
	if (world->truth[vm] != RUNNING || world->absent[index] ||
		!core_is_vfio(&world->machine.devices[index])) {
		problem = "it is not there";
	}
	if (!problem) {
		hold(world, index, world_vms[vm]);
	}
	core_attach_ended(&world->core, attach.vm, attach.names.items[0], problem);
	core_action_finish(&attach);
	world_obey(world);
}

static void let_go(struct world *world, int vm) {
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (world->owner[i] == world_vms[vm]) {
			hold(world, i, NULL);
		}
	}
}

void world_let_go(struct world *world, int vm) {
	let_go(world, vm);
	core_machine_changed(&world->core);
	world_obey(world);
}

void world_let_go_of(struct world *world, const char *address) {
	hold(world, device_index(world, address), NULL);
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
	size_t index = device_index(world, address);
	hold(world, index, NULL);
	world->absent[index] = true;
	world->ours[index] = false;
	core_machine_changed(&world->core);
	world_obey(world);
}

void world_plug(struct world *world, const char *address) {
	size_t index = device_index(world, address);
	if (world->absent[index]) {
		world->absent[index] = false;
		bind_to(world, index, world->home[index]);
		core_machine_changed(&world->core);
		world_obey(world);
	}
}

void world_kill(struct world *world, bool attached) {
	if (world->attach.vm) {
		size_t index = device_index(world, world->attach.names.items[0]);
		int vm = index_of(world->attach.vm);
		if (attached && world->truth[vm] == RUNNING && !world->absent[index] &&
			core_is_vfio(&world->machine.devices[index])) {
			hold(world, index, world_vms[vm]);
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

void world_take(struct world *world, const char *address) {
	world_bind(world, address, "vfio-pci");
	world->ours[device_index(world, address)] = true;
}

void world_go_astray(struct world *world, const char *address, bool astray) {
	world->astray[device_index(world, address)] = astray;
}

void world_bind(struct world *world, const char *address, const char *driver) {
	bind_to(world, device_index(world, address), driver);
}

const char *world_driver(struct world *world, const char *address) {
	return world->machine.devices[device_index(world, address)].driver;
}

const char *world_owner(struct world *world, const char *address) {
	return world->owner[device_index(world, address)];
}

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
			world->owner[i] && world->given_up[index_of(world->owner[i])]) {
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
			if (!world->given_up[index_of(vm)] && !has_stray_owner(world, device)) {
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

void world_run(struct world *world, int vm) {
	world_start_by_hand(world, vm);
	while (world->changing) {
		world_end_change(world, NULL);
	}
	assert_int_equal(world->truth[vm], LAUNCHING);
	world_end_launch(world, vm, NULL);
}
