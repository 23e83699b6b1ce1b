/* What portal-hostd decides about devices that come and go while VMs run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostd_world.h"

#define USB "0000:05:00.0"
#define CARD "0000:01:00.0"
#define SOUND "0000:01:00.1" /* of the card, in one IOMMU group with it */

/* Work runs without the USB controller, which was not there when it started. */
static void begin_without(struct world *world) {
	world_begin(world, world_policy, 0);
	world_unplug(world, USB);
	world_run(world, WORK);
	assert_null(world->attach.vm);
}

static void finish(struct world *world) {
	world_settle(world);
	world_assert_settled(world);
	world_end(world);
}

/* It is plugged in, given to VFIO, and libvirt is attaching it. */
static void plug_and_take(struct world *world) {
	world_plug(world, USB);
	assert_int_equal(world->change.kind, CORE_TAKE);
	assert_string_equal(world->change.names.items[0], USB);
	world_end_change(world, NULL);
	assert_non_null(world->attach.vm);
	assert_string_equal(world->attach.vm, "work");
	assert_string_equal(world->attach.names.items[0], USB);
}

static void what_is_plugged_in_is_attached_to_the_vm_that_runs(void **state) {
	struct world world;
	begin_without(&world);
	plug_and_take(&world);
	world_end_attach(&world, NULL);
	assert_string_equal(world_owner(&world, USB), "work");
	assert_null(world.attach.vm); /* once */
	assert_string_equal(core_owner(&world.core, USB), "work");
	world_end_vm(&world, WORK, true);
	assert_int_equal(world.change.kind, CORE_RETURN);
	while (world.changing) {
		world_end_change(&world, NULL);
	}
	assert_string_equal(world_driver(&world, USB), "xhci_hcd");
	finish(&world);
}

static void what_was_unplugged_is_attached_again_when_it_comes_again(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, WORK);
	assert_string_equal(core_owner(&world.core, USB), "work");
	world_unplug(&world, USB);
	assert_null(core_owner(&world.core, USB));
	assert_false(world.changing);
	plug_and_take(&world);
	world_end_attach(&world, NULL);
	assert_string_equal(world_owner(&world, USB), "work");
	finish(&world);
}

static void one_that_is_pulled_out_is_left_alone_until_its_vm_lets_go(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, WORK);
	world_bind(&world, USB, NULL); /* which is how the kernel begins to remove it */
	core_machine_changed(&world.core);
	world_obey(&world);
	assert_false(world.changing);
	assert_null(world.attach.vm);
	assert_string_equal(core_owner(&world.core, USB), "work");
	world_unplug(&world, USB);
	assert_false(world.changing);
	assert_null(core_owner(&world.core, USB));
	plug_and_take(&world);
	world_end_attach(&world, NULL);
	finish(&world);
}

static void what_a_person_detached_is_not_attached_again(void **state) {
	struct world world;
	begin_without(&world);
	plug_and_take(&world);
	world_end_attach(&world, NULL);
	world_let_go(&world, WORK);
	assert_null(world_owner(&world, USB));
	assert_null(world.attach.vm);
	assert_false(world.changing);
	world_end(&world);
}

static void an_attachment_that_failed_is_tried_again_when_something_changes(void **state) {
	struct world world;
	begin_without(&world);
	plug_and_take(&world);
	world_end_attach(&world, "no port is left");
	assert_null(world.attach.vm);
	world_obey(&world);
	assert_null(world.attach.vm);
	core_machine_changed(&world.core);
	world_obey(&world);
	assert_non_null(world.attach.vm);
	world_end_attach(&world, NULL);
	assert_string_equal(world_owner(&world, USB), "work");
	finish(&world);
}

static void what_libvirt_is_attaching_is_not_moved(void **state) {
	struct world world;
	begin_without(&world);
	plug_and_take(&world);
	world_end_vm(&world, WORK, true);
	/* The rest goes back to the host, and it when libvirt has answered. */
	assert_true(world.changing);
	while (world.changing) {
		assert_int_equal(world.change.kind, CORE_RETURN);
		assert_false(strings_contain(&world.change.names, USB));
		world_end_change(&world, NULL);
	}
	assert_string_equal(world_driver(&world, USB), "vfio-pci");
	world_end_attach(&world, NULL);
	core_machine_changed(&world.core);
	world_obey(&world);
	assert_true(world.changing);
	world_end_change(&world, NULL);
	assert_string_equal(world_driver(&world, USB), "xhci_hcd");
	finish(&world);
}

static void what_comes_while_libvirt_starts_the_vm_is_attached_when_it_runs(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_unplug(&world, USB);
	world_start_by_hand(&world, WORK);
	while (world.changing) {
		world_end_change(&world, NULL);
	}
	assert_int_equal(world.truth[WORK], LAUNCHING);
	world_plug(&world, USB);
	world_end_change(&world, NULL);
	assert_null(world.attach.vm);
	world_end_launch(&world, WORK, NULL);
	assert_non_null(world.attach.vm);
	world_end_attach(&world, NULL);
	assert_string_equal(world_owner(&world, USB), "work");
	finish(&world);
}

/* The policy comes to give it to play as well. */
static void give_to_play(struct world *world) {
	for (size_t i = 0; i < world->policy.vms_count; i++) {
		if (strcmp(world->policy.vms[i].name, "play") == 0) {
			strings_add(&world->policy.vms[i].devices, USB);
		}
	}
}

static void what_another_vm_leaves_is_attached_to_the_one_that_runs(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, PLAY);
	world_run(&world, SIDE);
	assert_string_equal(world_owner(&world, USB), "side");
	give_to_play(&world);
	core_set_policy(&world.core, &world.policy);
	world_end_vm(&world, SIDE, false);
	assert_null(world.attach.vm); /* not before side has let go */
	world_let_go(&world, SIDE);
	assert_non_null(world.attach.vm);
	assert_string_equal(world.attach.vm, "play");
	world_end_attach(&world, NULL);
	assert_string_equal(world_owner(&world, USB), "play");
	finish(&world);
}

static void a_daemon_that_comes_again_attaches_nothing_that_was_there(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, WORK);
	world_kill(&world, false);
	world_come_again(&world);
	assert_null(world.attach.vm);
	assert_false(world.changing);
	assert_string_equal(core_owner(&world.core, CARD), "work");
	finish(&world);
}

static void what_a_killed_daemon_had_taken_for_a_vm_is_attached_by_the_next(void **state) {
	struct world world;
	begin_without(&world);
	plug_and_take(&world);
	world_kill(&world, false);
	world_come_again(&world);
	assert_false(world.changing);
	assert_non_null(world.attach.vm);
	assert_string_equal(world.attach.names.items[0], USB);
	world_end_attach(&world, NULL);
	assert_string_equal(world_owner(&world, USB), "work");
	finish(&world);
}

static void what_libvirt_attached_for_a_killed_daemon_is_there(void **state) {
	struct world world;
	begin_without(&world);
	plug_and_take(&world);
	world_kill(&world, true);
	world_come_again(&world);
	assert_false(world.changing);
	assert_null(world.attach.vm);
	assert_string_equal(core_owner(&world.core, USB), "work");
	finish(&world);
}

static void what_a_killed_daemon_had_taken_for_a_vm_that_has_ended_returns(void **state) {
	struct world world;
	begin_without(&world);
	plug_and_take(&world);
	world_kill(&world, false);
	world_end_unseen(&world, WORK);
	world_come_again(&world);
	assert_int_equal(world.change.kind, CORE_RETURN);
	while (world.changing) {
		world_end_change(&world, NULL);
	}
	assert_string_equal(world_driver(&world, USB), "xhci_hcd");
	finish(&world);
}

static void what_a_person_detached_stays_so_for_the_daemon_that_comes_again(void **state) {
	struct world world;
	begin_without(&world);
	plug_and_take(&world);
	world_end_attach(&world, NULL);
	world_let_go(&world, WORK);
	for (int i = 0; i < 2; i++) {
		world_kill(&world, false);
		world_come_again(&world);
		assert_null(world.attach.vm);
		assert_false(world.changing);
	}
	world_end(&world);
}

static void what_another_vm_left_while_there_was_no_daemon_is_attached(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, PLAY);
	world_run(&world, SIDE);
	give_to_play(&world);
	core_set_policy(&world.core, &world.policy);
	world_kill(&world, false);
	world_end_unseen(&world, SIDE);
	world_come_again(&world);
	assert_non_null(world.attach.vm);
	assert_string_equal(world.attach.vm, "play");
	world_end_attach(&world, NULL);
	finish(&world);
}

static void a_device_whose_driver_is_being_loaded_is_waited_for(void **state) {
	struct world world;
	begin_without(&world);
	world.settling = true;
	char *home = world.home[machine_find(&world.machine, USB) - world.machine.devices];
	world.home[machine_find(&world.machine, USB) - world.machine.devices] = NULL;
	world_plug(&world, USB);
	assert_false(world.changing);
	world.home[machine_find(&world.machine, USB) - world.machine.devices] = home;
	world_bind(&world, USB, home);
	world_obey(&world);
	assert_true(world.changing); /* whatever else udev does */
	world_end_change(&world, NULL);
	world_end_attach(&world, NULL);
	world.settling = false;
	finish(&world);
}

static void one_for_which_udev_finds_no_driver_is_taken_without(void **state) {
	struct world world;
	begin_without(&world);
	world.settling = true;
	world_plug(&world, USB);
	world_end_change(&world, "it went away");
	world_unplug(&world, USB);
	size_t index = (size_t)(machine_find(&world.machine, USB) - world.machine.devices);
	free(world.home[index]);
	world.home[index] = NULL;
	world_plug(&world, USB);
	assert_false(world.changing);
	world.settling = false;
	world_obey(&world);
	assert_true(world.changing);
	world_end_change(&world, NULL);
	world_end_attach(&world, NULL);
	finish(&world);
}

/* Work runs without the card, which was not there when it started; then it is plugged in and taken.
 */
static void plug_card(struct world *world) {
	world_begin(world, world_policy, 0);
	world_unplug(world, CARD);
	world_unplug(world, SOUND);
	world_run(world, WORK);
	world_plug(world, CARD);
	world_plug(world, SOUND);
	while (world->changing) {
		world_end_change(world, NULL);
	}
	assert_string_equal(world_driver(world, SOUND), "vfio-pci");
}

static void expect_attach(struct world *world, const char *vm, const char *device) {
	assert_non_null(world->attach.vm);
	assert_string_equal(world->attach.vm, vm);
	assert_string_equal(world->attach.names.items[0], device);
}

static void attach(struct world *world, const char *vm, const char *device) {
	expect_attach(world, vm, device);
	world_end_attach(world, NULL);
}

static void assert_has_card(struct world *world, const char *vm) {
	assert_null(world->attach.vm);
	assert_string_equal(world_owner(world, CARD), vm);
	assert_string_equal(world_owner(world, SOUND), vm);
	assert_string_equal(core_owner(&world->core, CARD), vm);
	assert_string_equal(core_owner(&world->core, SOUND), vm);
}

static void all_functions_of_a_card_come_to_the_vm_that_runs(void **state) {
	struct world world;
	plug_card(&world);
	attach(&world, "work", CARD);
	attach(&world, "work", SOUND);
	assert_has_card(&world, "work");
	finish(&world);
}

static void a_function_that_comes_later_follows_the_one_that_is_attached(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_unplug(&world, SOUND);
	world_run(&world, WORK);
	assert_string_equal(world_owner(&world, CARD), "work");
	world_plug(&world, SOUND);
	assert_int_equal(world.change.kind, CORE_TAKE);
	world_end_change(&world, NULL);
	attach(&world, "work", SOUND);
	assert_has_card(&world, "work");
	finish(&world);
}

static void no_function_is_attached_while_another_vm_has_one_of_its_group(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, PLAY);
	world_run(&world, SIDE);
	for (size_t i = 0; i < world.policy.vms_count; i++) {
		if (strcmp(world.policy.vms[i].name, "side") == 0) {
			strings_add(&world.policy.vms[i].devices, CARD);
			strings_add(&world.policy.vms[i].devices, SOUND);
		}
	}
	core_set_policy(&world.core, &world.policy);
	world_end_vm(&world, PLAY, false);
	assert_null(world.attach.vm);
	world_let_go_of(&world, CARD);
	assert_null(world.attach.vm); /* its sound is still with play */
	world_let_go_of(&world, SOUND);
	attach(&world, "side", CARD);
	attach(&world, "side", SOUND);
	assert_has_card(&world, "side");
	finish(&world);
}

static void what_a_daemon_killed_between_two_functions_left_the_next_attaches(void **state) {
	for (int attached = 0; attached < 2; attached++) {
		struct world world;
		plug_card(&world);
		attach(&world, "work", CARD);
		expect_attach(&world, "work", SOUND);
		world_kill(&world, attached == 1);
		world_come_again(&world);
		attach(&world, "work", SOUND);
		assert_has_card(&world, "work");
		finish(&world);
	}
}

static void after_one_killed_while_the_first_was_attached_the_others_follow(void **state) {
	for (int attached = 0; attached < 2; attached++) {
		struct world world;
		plug_card(&world);
		expect_attach(&world, "work", CARD);
		world_kill(&world, attached == 1);
		world_come_again(&world);
		if (attached == 0) {
			attach(&world, "work", CARD);
		}
		attach(&world, "work", SOUND);
		assert_has_card(&world, "work");
		finish(&world);
	}
}

static void a_function_that_a_person_detached_is_not_attached_again(void **state) {
	struct world world;
	plug_card(&world);
	world_end_attach(&world, NULL);
	world_end_attach(&world, NULL);
	world_let_go_of(&world, SOUND);
	assert_null(world.attach.vm);
	world_kill(&world, false);
	world_come_again(&world);
	assert_null(world.attach.vm);
	assert_null(world_owner(&world, SOUND));
	world_end(&world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_plugged_in_is_attached_to_the_vm_that_runs),
		cmocka_unit_test(what_was_unplugged_is_attached_again_when_it_comes_again),
		cmocka_unit_test(one_that_is_pulled_out_is_left_alone_until_its_vm_lets_go),
		cmocka_unit_test(what_a_person_detached_is_not_attached_again),
		cmocka_unit_test(an_attachment_that_failed_is_tried_again_when_something_changes),
		cmocka_unit_test(what_libvirt_is_attaching_is_not_moved),
		cmocka_unit_test(what_comes_while_libvirt_starts_the_vm_is_attached_when_it_runs),
		cmocka_unit_test(what_another_vm_leaves_is_attached_to_the_one_that_runs),
		cmocka_unit_test(a_daemon_that_comes_again_attaches_nothing_that_was_there),
		cmocka_unit_test(what_a_killed_daemon_had_taken_for_a_vm_is_attached_by_the_next),
		cmocka_unit_test(what_libvirt_attached_for_a_killed_daemon_is_there),
		cmocka_unit_test(what_a_killed_daemon_had_taken_for_a_vm_that_has_ended_returns),
		cmocka_unit_test(what_a_person_detached_stays_so_for_the_daemon_that_comes_again),
		cmocka_unit_test(what_another_vm_left_while_there_was_no_daemon_is_attached),
		cmocka_unit_test(a_device_whose_driver_is_being_loaded_is_waited_for),
		cmocka_unit_test(one_for_which_udev_finds_no_driver_is_taken_without),
		cmocka_unit_test(all_functions_of_a_card_come_to_the_vm_that_runs),
		cmocka_unit_test(a_function_that_comes_later_follows_the_one_that_is_attached),
		cmocka_unit_test(no_function_is_attached_while_another_vm_has_one_of_its_group),
		cmocka_unit_test(what_a_daemon_killed_between_two_functions_left_the_next_attaches),
		cmocka_unit_test(after_one_killed_while_the_first_was_attached_the_others_follow),
		cmocka_unit_test(a_function_that_a_person_detached_is_not_attached_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
