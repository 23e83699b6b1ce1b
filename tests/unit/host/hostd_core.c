/* What portal-hostd decides, played against a host whose devices, VMs and person do as they like.
 */
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

/* On two-gpu-desktop: everything, the fast card, a USB controller of its own; and a router. */
static const char policy_text[] = "assign gpu usb to controllers\n"
				  "assign net to router\n"
				  "controller work\n"
				  "controller play {\n\tdevices 01:00.0 01:00.1\n}\n"
				  "controller side {\n\tdevices 05:00.0\n}\n"
				  "router net\n"
				  "unguard 06:00.0\n";

/* What libvirt and QEMU are really doing with a VM. */
enum truth {
	OFF,
	HOOK, /* libvirt waits for the hook */
	LAUNCHING, /* it was allowed, or core had it started */
	RUNNING,
};

enum { VMS = 4, SEEDS = 400, STEPS = 300 };

static const char *const names[VMS] = {"work", "play", "side", "net"};

struct world {
	struct machine machine;
	struct known known;
	struct policy policy;
	bool *ours;
	char **home; /* each device's driver on the host */
	const char **owner; /* the VM that has it open */
	struct core core;
	enum truth truth[VMS];
	bool by_core[VMS]; /* LAUNCHING because of CORE_START */
	bool shutting[VMS]; /* asked to shut down, not yet answered */
	struct core_action change; /* under way */
	bool changing, switching;
	char *switched; /* the last answer's reason; "" when done */
	unsigned random;
};

static unsigned roll(struct world *world, unsigned sides) {
	world->random = world->random * 1103515245u + 12345u;
	return (world->random >> 16) % sides;
}

static int index_of(const char *vm) {
	for (int i = 0; i < VMS; i++) {
		if (strcmp(names[i], vm) == 0) {
			return i;
		}
	}
	fail_msg("there is no VM %s", vm);
	return -1;
}

static struct core_view view_of(struct world *world) {
	return (struct core_view){&world->policy, &world->known, &world->machine, world->ours};
}

static void begin(struct world *world, const char *text, unsigned seed) {
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
	world->ours = must_alloc(count, sizeof(bool));
	world->home = must_alloc(count, sizeof(char *));
	world->owner = must_alloc(count, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		world->home[i] = must_copy(world->machine.devices[i].driver);
	}
	core_set_policy(&world->core, &world->policy);
	core_states_known(&world->core, true);
}

static void end(struct world *world) {
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		free(world->home[i]);
	}
	core_action_finish(&world->change);
	free(world->ours);
	free(world->home);
	free(world->owner);
	free(world->switched);
	core_finish(&world->core);
	policy_finish(&world->policy);
	known_finish(&world->known);
	machine_finish(&world->machine);
}

static size_t device_index(const struct world *world, const char *address) {
	const struct pci_device *device = machine_find(&world->machine, address);
	assert_non_null(device);
	return (size_t)(device - world->machine.devices);
}

static void bind_to(struct world *world, size_t index, const char *driver) {
	struct pci_device *device = &world->machine.devices[index];
	free(device->driver);
	device->driver = must_copy(driver);
}

/* Opens and closes what the VM has; `vm` NULL: nobody. */
static void hold(struct world *world, size_t index, const char *vm) {
	struct pci_device *device = &world->machine.devices[index];
	world->owner[index] = vm;
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

/* A VM is allowed to start: everything of it is ready, nobody has any of it, and then it has it. */
static void launch(struct world *world, const char *vm) {
	struct decisions decisions;
	struct core_view view = view_of(world);
	core_decide(&decisions, &world->core, &view);
	for (size_t i = 0; i < decisions.count; i++) {
		if (!decisions.items[i].vm || strcmp(decisions.items[i].vm->name, vm) != 0) {
			continue;
		}
		assert_true(core_is_vfio(&world->machine.devices[i]));
		assert_null(world->owner[i]);
		hold(world, i, names[index_of(vm)]);
	}
	decisions_finish(&decisions);
	world->truth[index_of(vm)] = LAUNCHING;
}

static void check_change(struct world *world, const struct core_action *action) {
	assert_false(world->changing);
	for (size_t i = 0; i < action->names.count; i++) {
		size_t index = device_index(world, action->names.items[i]);
		assert_null(world->owner[index]);
		assert_int_equal(
			core_is_vfio(&world->machine.devices[index]), action->kind == CORE_RETURN);
	}
}

/* Does what core says, as far as it happens at once. */
static void obey(struct world *world) {
	struct core_action action;
	struct core_view view = view_of(world);
	for (int i = 0; core_next(&world->core, &view, &action); i++) {
		assert_true(i < 100); /* it ends */
		int vm = action.vm ? index_of(action.vm) : -1;
		switch (action.kind) {
		case CORE_TAKE:
		case CORE_RETURN:
			check_change(world, &action);
			world->change = action;
			world->changing = true;
			continue;
		case CORE_START:
			assert_int_equal(world->truth[vm], OFF);
			launch(world, action.vm);
			world->by_core[vm] = true;
			break;
		case CORE_SHUTDOWN:
		case CORE_KILL:
			assert_true(world->switching);
			world->shutting[vm] = true;
			break;
		case CORE_ALLOW:
			assert_int_equal(world->truth[vm], HOOK);
			launch(world, action.vm);
			break;
		case CORE_REFUSE:
			assert_int_equal(world->truth[vm], HOOK);
			assert_non_null(action.reason);
			world->truth[vm] = OFF;
			break;
		case CORE_SWITCHED:
			assert_true(world->switching);
			world->switching = false;
			free(world->switched);
			world->switched = must_copy(action.reason ? action.reason : "");
			break;
		}
		core_action_finish(&action);
	}
}

static void end_change(struct world *world, const char *problem) {
	struct core_action change = world->change;
	world->change = (struct core_action){0};
	world->changing = false;
	for (size_t i = 0; i < change.names.count && !problem; i++) {
		size_t index = device_index(world, change.names.items[i]);
		bool take = change.kind == CORE_TAKE;
		bind_to(world, index, take ? "vfio-pci" : world->home[index]);
		world->ours[index] = take;
	}
	core_change_ended(&world->core, &change, problem);
	core_action_finish(&change);
	obey(world);
}

static void let_go(struct world *world, int vm) {
	for (size_t i = 0; i < world->machine.devices_count; i++) {
		if (world->owner[i] == names[vm]) {
			hold(world, i, NULL);
		}
	}
	core_machine_changed(&world->core);
	obey(world);
}

static void start_by_hand(struct world *world, int vm) {
	world->truth[vm] = HOOK;
	core_claim(&world->core, names[vm]);
	obey(world);
}

static void end_launch(struct world *world, int vm, const char *problem) {
	bool by_core = world->by_core[vm];
	world->by_core[vm] = false;
	world->truth[vm] = problem ? OFF : RUNNING;
	if (problem) {
		let_go(world, vm);
		core_released(&world->core, names[vm]);
	} else {
		core_vm_is(&world->core, names[vm], CORE_RUNNING);
	}
	obey(world);
	if (by_core) {
		core_start_ended(&world->core, names[vm], problem);
		obey(world);
	}
}

/* It has ended; its devices may take longer. */
static void end_vm(struct world *world, int vm, bool at_once) {
	world->truth[vm] = OFF;
	world->shutting[vm] = false;
	core_vm_is(&world->core, names[vm], CORE_OFF);
	obey(world);
	if (at_once) {
		let_go(world, vm);
	}
}

static void begin_switch(struct world *world, const char *target, bool force) {
	world->switching = true;
	core_switch(&world->core, target, force);
	obey(world);
}

static void time_out(struct world *world) {
	struct core_view view = view_of(world);
	if (core_is_waiting(&world->core)) {
		core_timeout(&world->core, &view);
		obey(world);
	}
}

static const char *driver_of(struct world *world, const char *address) {
	return machine_find(&world->machine, address)->driver;
}

/* Everything that is under way ends well, and what is held without a VM is let go. */
static void settle(struct world *world) {
	core_states_known(&world->core, true);
	for (int round = 0; round < 20; round++) {
		for (int vm = 0; vm < VMS; vm++) {
			if (world->truth[vm] == LAUNCHING) {
				end_launch(world, vm, NULL);
			} else if (world->shutting[vm]) {
				end_vm(world, vm, true);
			} else if (world->truth[vm] != RUNNING) {
				let_go(world, vm);
			}
		}
		if (world->changing) {
			end_change(world, NULL);
		}
	}
	for (int i = 0; i < 4; i++) {
		time_out(world);
	}
	core_machine_changed(&world->core);
	obey(world);
	while (world->changing) {
		end_change(world, NULL);
	}
}

static void assert_settled(struct world *world) {
	struct decisions decisions;
	struct core_view view = view_of(world);
	assert_false(world->switching);
	core_decide(&decisions, &world->core, &view);
	for (size_t i = 0; i < decisions.count; i++) {
		const struct pci_device *device = decisions.items[i].device;
		if (decisions.items[i].vm) {
			assert_true(core_is_vfio(device));
		} else {
			assert_false(world->ours[i] && core_is_vfio(device));
		}
	}
	for (int vm = 0; vm < VMS; vm++) {
		assert_int_not_equal(world->truth[vm], HOOK);
		enum core_vm_state state = core_find(&world->core, names[vm])->state;
		assert_int_equal(state == CORE_OFF, world->truth[vm] == OFF);
	}
	decisions_finish(&decisions);
}

static void happen(struct world *world) {
	int vm = (int)roll(world, VMS);
	bool bad = roll(world, 5) == 0;
	switch (roll(world, 10)) {
	case 0:
	case 1:
		if (world->changing) {
			end_change(world, bad ? "the kernel said no" : NULL);
		}
		break;
	case 2:
		if (world->truth[vm] == OFF) {
			start_by_hand(world, vm);
		}
		break;
	case 3:
		if (world->truth[vm] == LAUNCHING) {
			end_launch(world, vm, bad ? "QEMU said no" : NULL);
		}
		break;
	case 4:
		if (world->truth[vm] == RUNNING && (world->shutting[vm] || bad)) {
			end_vm(world, vm, bad);
		}
		break;
	case 5:
		if (world->truth[vm] == OFF) {
			let_go(world, vm);
		}
		break;
	case 6:
		if (!world->switching) {
			const char *targets[] = {"work", "play", "side", NULL};
			begin_switch(world, targets[roll(world, 4)], bad);
		}
		break;
	case 7:
		time_out(world);
		break;
	case 8:
		if (world->truth[vm] == HOOK && bad) {
			world->truth[vm] = OFF; /* who waited was killed */
			core_unclaim(&world->core, names[vm]);
			obey(world);
		} else if (world->shutting[vm] && bad) {
			world->shutting[vm] = false;
			core_shutdown_ended(&world->core, names[vm], "libvirt said no");
			obey(world);
		}
		break;
	case 9:
		core_states_known(&world->core, !bad);
		obey(world);
		break;
	}
}

static void whatever_happens_ends_as_the_policy_says(void **state) {
	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct world world;
		begin(&world, policy_text, seed);
		for (int step = 0; step < STEPS; step++) {
			happen(&world);
		}
		settle(&world);
		assert_settled(&world);
		end(&world);
	}
}

/* The VM runs with what is its own. */
static void run(struct world *world, int vm) {
	start_by_hand(world, vm);
	while (world->changing) {
		end_change(world, NULL);
	}
	assert_int_equal(world->truth[vm], LAUNCHING);
	end_launch(world, vm, NULL);
}

enum { WORK, PLAY, SIDE, NET };

static void a_switch_waits_until_the_first_has_let_go(void **state) {
	struct world world;
	begin(&world, policy_text, 0);
	run(&world, WORK);
	assert_string_equal(driver_of(&world, "0000:01:00.0"), "vfio-pci");
	begin_switch(&world, "play", false);
	assert_true(world.shutting[WORK]);
	end_vm(&world, WORK, false);
	assert_int_equal(world.truth[PLAY], OFF);
	assert_false(world.changing); /* not even what it leaves is touched before that */
	let_go(&world, WORK);
	assert_true(world.changing);
	assert_int_equal(world.change.kind, CORE_RETURN); /* what play does not want */
	end_change(&world, NULL);
	assert_int_equal(world.truth[PLAY], LAUNCHING);
	assert_true(world.switching);
	end_launch(&world, PLAY, NULL);
	assert_string_equal(world.switched, "");
	assert_string_equal(driver_of(&world, "0000:01:00.0"), "vfio-pci");
	assert_string_equal(driver_of(&world, "0000:05:00.0"), "xhci_hcd");
	settle(&world);
	assert_settled(&world);
	end(&world);
}

static void what_one_leaves_for_the_next_stays_where_it_is(void **state) {
	struct world world;
	begin(&world, policy_text, 0);
	run(&world, PLAY);
	run(&world, SIDE);
	begin_switch(&world, "work", false);
	end_vm(&world, PLAY, true);
	assert_false(world.changing); /* work wants it too, and waits for side */
	end_vm(&world, SIDE, true);
	assert_int_equal(world.change.kind, CORE_TAKE); /* what only work has */
	end_change(&world, NULL);
	assert_int_equal(world.truth[WORK], LAUNCHING);
	end_launch(&world, WORK, NULL);
	assert_string_equal(world.switched, "");
	settle(&world);
	assert_settled(&world);
	end(&world);
}

static void a_controller_that_does_not_start_gives_way_to_the_former(void **state) {
	struct world world;
	begin(&world, policy_text, 0);
	run(&world, WORK);
	begin_switch(&world, "play", false);
	end_vm(&world, WORK, true);
	end_change(&world, NULL);
	end_launch(&world, PLAY, "no such file");
	assert_true(world.switching);
	while (world.changing) {
		end_change(&world, NULL);
	}
	assert_int_equal(world.truth[WORK], LAUNCHING);
	end_launch(&world, WORK, NULL);
	assert_string_equal(world.switched, "play did not start: no such file; work is back");
	settle(&world);
	assert_settled(&world);
	end(&world);
}

static void or_to_the_host_where_the_policy_says_so(void **state) {
	struct world world;
	char *text = must_print("%sfailed-switch host\n", policy_text);
	begin(&world, text, 0);
	free(text);
	run(&world, WORK);
	begin_switch(&world, "play", false);
	end_vm(&world, WORK, true);
	end_change(&world, NULL);
	end_launch(&world, PLAY, "no such file");
	assert_string_equal(world.switched, "play did not start: no such file");
	settle(&world);
	assert_int_equal(world.truth[WORK], OFF);
	assert_string_equal(driver_of(&world, "0000:01:00.0"), "nouveau");
	assert_settled(&world);
	end(&world);
}

static void one_that_does_not_shut_down_stays_unless_forced(void **state) {
	struct world world;
	begin(&world, policy_text, 0);
	run(&world, WORK);
	begin_switch(&world, "play", false);
	time_out(&world);
	assert_string_equal(world.switched, "work has not shut down in time, and still runs");
	assert_int_equal(core_find(&world.core, "work")->state, CORE_RUNNING);
	world.shutting[WORK] = false;
	begin_switch(&world, NULL, true);
	world.shutting[WORK] = false;
	time_out(&world);
	assert_true(world.shutting[WORK]); /* ended by force */
	end_vm(&world, WORK, true);
	end_change(&world, NULL);
	assert_string_equal(world.switched, "");
	assert_string_equal(driver_of(&world, "0000:01:00.0"), "nouveau");
	end(&world);
}

static void a_second_controller_is_refused_what_the_first_has(void **state) {
	struct world world;
	begin(&world, policy_text, 0);
	run(&world, PLAY);
	start_by_hand(&world, SIDE); /* wants nothing of it */
	end_change(&world, NULL);
	end_launch(&world, SIDE, NULL);
	assert_int_equal(world.truth[SIDE], RUNNING);
	start_by_hand(&world, WORK);
	assert_int_equal(world.truth[WORK], OFF);
	settle(&world);
	assert_settled(&world);
	end(&world);
}

static void nothing_is_returned_while_nobody_knows_what_runs(void **state) {
	struct world world;
	begin(&world, policy_text, 0);
	run(&world, WORK);
	core_states_known(&world.core, false);
	end_vm(&world, WORK, true);
	assert_false(world.changing);
	core_states_known(&world.core, true);
	obey(&world);
	assert_true(world.changing);
	end(&world);
}

static void what_a_person_took_is_left_alone(void **state) {
	struct world world;
	begin(&world, policy_text, 0);
	bind_to(&world, device_index(&world, "0000:05:00.0"), "vfio-pci");
	core_machine_changed(&world.core);
	obey(&world);
	assert_false(world.changing);
	end(&world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_switch_waits_until_the_first_has_let_go),
		cmocka_unit_test(what_one_leaves_for_the_next_stays_where_it_is),
		cmocka_unit_test(a_controller_that_does_not_start_gives_way_to_the_former),
		cmocka_unit_test(or_to_the_host_where_the_policy_says_so),
		cmocka_unit_test(one_that_does_not_shut_down_stays_unless_forced),
		cmocka_unit_test(a_second_controller_is_refused_what_the_first_has),
		cmocka_unit_test(nothing_is_returned_while_nobody_knows_what_runs),
		cmocka_unit_test(what_a_person_took_is_left_alone),
		cmocka_unit_test(whatever_happens_ends_as_the_policy_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
