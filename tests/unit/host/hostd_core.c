/* What portal-hostd decides: controllers come, go, and follow each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "hostd_world.h"

/* What returns, one change after the other; the caller finishes it. */
static struct strings end_returns(struct world *world) {
	struct strings returned = {0};
	while (world->changing && world->change.kind == CORE_RETURN) {
		for (size_t i = 0; i < world->change.names.count; i++) {
			strings_add(&returned, world->change.names.items[i]);
		}
		world_end_change(world, NULL);
	}
	return returned;
}

static void end_all_returns(struct world *world) {
	struct strings returned = end_returns(world);
	strings_finish(&returned);
}

static void a_switch_waits_until_the_first_has_let_go(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, WORK);
	assert_string_equal(world_driver(&world, "0000:01:00.0"), "vfio-pci");
	world_switch(&world, "play", false);
	assert_true(world.shutting[WORK]);
	world_end_vm(&world, WORK, false);
	assert_int_equal(world.truth[PLAY], OFF);
	assert_false(world.changing); /* not even what it leaves is touched before that */
	world_let_go(&world, WORK);
	assert_true(world.changing);
	assert_int_equal(world.change.kind, CORE_RETURN); /* what play does not want */
	end_all_returns(&world);
	assert_int_equal(world.truth[PLAY], LAUNCHING);
	assert_true(world.switching);
	world_end_launch(&world, PLAY, NULL);
	assert_string_equal(world.switched, "");
	assert_string_equal(world_driver(&world, "0000:01:00.0"), "vfio-pci");
	assert_string_equal(world_driver(&world, "0000:05:00.0"), "xhci_hcd");
	world_settle(&world);
	world_assert_settled(&world);
	world_end(&world);
}

static void what_one_leaves_for_the_next_stays_where_it_is(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, PLAY);
	world_run(&world, SIDE);
	world_switch(&world, "work", false);
	world_end_vm(&world, PLAY, true);
	assert_false(world.changing); /* work wants it too, and waits for side */
	world_end_vm(&world, SIDE, true);
	assert_int_equal(world.change.kind, CORE_TAKE); /* what only work has */
	world_end_change(&world, NULL);
	assert_int_equal(world.truth[WORK], LAUNCHING);
	world_end_launch(&world, WORK, NULL);
	assert_string_equal(world.switched, "");
	world_settle(&world);
	world_assert_settled(&world);
	world_end(&world);
}

static void assert_same(const struct strings *these, const struct strings *those) {
	assert_int_equal(these->count, those->count);
	for (size_t i = 0; i < these->count; i++) {
		assert_string_equal(these->items[i], those->items[i]);
	}
}

/* Everything that returns, and then everything that is taken, in one switch. */
static void what_a_switch_does_was_foreseen(void **state) {
	static const int from[] = {WORK, PLAY, SIDE, WORK}, to[] = {PLAY, WORK, WORK, -1};
	for (size_t i = 0; i < 4; i++) {
		const char *target = to[i] < 0 ? NULL : world_vms[to[i]];
		struct core_foresight foresight;
		struct world world;
		struct strings nothing = {0};
		world_begin(&world, world_policy, 0);
		world_run(&world, from[i]);
		struct core_view view = world_view(&world);
		core_foresee(&foresight, &world.core, &view, target);
		assert_int_equal(foresight.leaving.count, 1);
		assert_string_equal(foresight.leaving.items[0], world_vms[from[i]]);
		world_switch(&world, target, false);
		world_end_vm(&world, from[i], true);
		struct strings returned = end_returns(&world);
		assert_same(&foresight.returning, &returned);
		strings_finish(&returned);
		assert_same(&foresight.taking, world.changing ? &world.change.names : &nothing);
		core_foresight_finish(&foresight);
		world_settle(&world);
		world_end(&world);
	}
}

static void a_controller_that_does_not_start_gives_way_to_the_former(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, WORK);
	world_switch(&world, "play", false);
	world_end_vm(&world, WORK, true);
	end_all_returns(&world);
	world_end_launch(&world, PLAY, "no such file");
	assert_true(world.switching);
	while (world.changing) {
		world_end_change(&world, NULL);
	}
	assert_int_equal(world.truth[WORK], LAUNCHING);
	world_end_launch(&world, WORK, NULL);
	assert_string_equal(world.switched, "play did not start: no such file; work is back");
	world_settle(&world);
	world_assert_settled(&world);
	world_end(&world);
}

static void or_to_the_host_where_the_policy_says_so(void **state) {
	struct world world;
	char *text = must_print("%sfailed-switch host\n", world_policy);
	world_begin(&world, text, 0);
	free(text);
	world_run(&world, WORK);
	world_switch(&world, "play", false);
	world_end_vm(&world, WORK, true);
	end_all_returns(&world);
	world_end_launch(&world, PLAY, "no such file");
	assert_string_equal(world.switched, "play did not start: no such file");
	world_settle(&world);
	assert_int_equal(world.truth[WORK], OFF);
	assert_string_equal(world_driver(&world, "0000:01:00.0"), "nouveau");
	world_assert_settled(&world);
	world_end(&world);
}

static void one_that_does_not_shut_down_stays_unless_forced(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, WORK);
	world_switch(&world, "play", false);
	world_time_out(&world);
	assert_string_equal(world.switched, "work has not shut down in time, and still runs");
	assert_int_equal(core_find(&world.core, "work")->state, CORE_RUNNING);
	world.shutting[WORK] = false;
	world_switch(&world, NULL, true);
	world.shutting[WORK] = false;
	world_time_out(&world);
	assert_true(world.shutting[WORK]); /* ended by force */
	world_end_vm(&world, WORK, true);
	assert_string_equal(world.change.names.items[0], "0000:00:14.0");
	end_all_returns(&world);
	assert_string_equal(world.switched, "");
	assert_string_equal(world_driver(&world, "0000:01:00.0"), "nouveau");
	world_end(&world);
}

static void a_second_controller_is_refused_what_the_first_has(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, PLAY);
	world_start_by_hand(&world, SIDE); /* wants nothing of it */
	world_end_change(&world, NULL);
	world_end_launch(&world, SIDE, NULL);
	assert_int_equal(world.truth[SIDE], RUNNING);
	world_start_by_hand(&world, WORK);
	assert_int_equal(world.truth[WORK], OFF);
	world_settle(&world);
	world_assert_settled(&world);
	world_end(&world);
}

static void what_was_taken_before_something_else_failed_goes_back(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_start_by_hand(&world, PLAY);
	assert_int_equal(world.change.kind, CORE_TAKE);
	world_take(&world, "0000:01:00.0");
	world_end_change(&world, "its sound would not go");
	assert_int_equal(world.truth[PLAY], OFF);
	assert_true(world.changing);
	assert_int_equal(world.change.kind, CORE_RETURN);
	world_end_change(&world, NULL);
	assert_string_equal(world_driver(&world, "0000:01:00.0"), "nouveau");
	world_settle(&world);
	world_assert_settled(&world);
	world_end(&world);
}

/* The keyboard is back whatever becomes of the card, and so is everything else. */
static void what_does_not_return_keeps_nothing_else_away(void **state) {
	static const char *const usb[] = {"0000:00:14.0", "0000:05:00.0"};
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, WORK);
	world_go_astray(&world, "0000:01:00.0", true);
	world_switch(&world, NULL, false);
	world_end_vm(&world, WORK, true);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world.change.names.count, 1);
		assert_string_equal(world.change.names.items[0], usb[i]);
		assert_true(world.switching);
		world_end_change(&world, NULL);
		assert_string_equal(world_driver(&world, usb[i]), "xhci_hcd");
	}
	assert_string_equal(world.change.names.items[0], "0000:01:00.0");
	world_end_change(&world, NULL);
	assert_false(world.changing); /* the same is not tried again before anything is new */
	assert_string_equal(world.switched, "its driver does not take it");
	assert_string_equal(world_driver(&world, "0000:01:00.0"), "vfio-pci");
	world_settle(&world);
	world_assert_settled(&world);
	world_go_astray(&world, "0000:01:00.0", false);
	world_settle(&world);
	assert_string_equal(world_driver(&world, "0000:01:00.0"), "nouveau");
	world_end(&world);
}

static void of_two_cards_that_do_not_return_together_one_does(void **state) {
	struct world world;
	char *text = must_print("%sunguard 00:02.0\n", world_policy);
	world_begin(&world, text, 0);
	free(text);
	world_run(&world, WORK);
	assert_string_equal(world_driver(&world, "0000:00:02.0"), "vfio-pci");
	world_go_astray(&world, "0000:00:02.0", true);
	world_end_vm(&world, WORK, true);
	bool together = false;
	while (world.changing) {
		together |= strings_contain(&world.change.names, "0000:00:02.0") &&
			    strings_contain(&world.change.names, "0000:01:00.0");
		world_end_change(&world, NULL);
	}
	assert_true(together); /* what shows something begins when both are there */
	assert_string_equal(world_driver(&world, "0000:00:02.0"), "vfio-pci");
	assert_string_equal(world_driver(&world, "0000:01:00.0"), "nouveau");
	assert_string_equal(world_driver(&world, "0000:00:14.0"), "xhci_hcd");
	world_settle(&world);
	world_assert_settled(&world);
	world_end(&world);
}

static void nothing_is_returned_while_nobody_knows_what_runs(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_run(&world, WORK);
	core_states_known(&world.core, false);
	world_end_vm(&world, WORK, true);
	assert_false(world.changing);
	core_states_known(&world.core, true);
	world_obey(&world);
	assert_true(world.changing);
	world_end(&world);
}

static void a_start_that_libvirt_dies_in_is_over_or_has_come_about(void **state) {
	for (int came = 0; came < 2; came++) {
		struct world world;
		const bool all[VMS] = {came, came, came, came};
		world_begin(&world, world_policy, 0);
		world_start_by_hand(&world, NET);
		world_end_change(&world, NULL);
		assert_int_equal(world.truth[NET], LAUNCHING);
		world_lose_libvirt(&world, all);
		assert_int_equal(world.changing, !came);
		if (!came) {
			assert_int_equal(world.change.kind, CORE_RETURN);
			world_end_change(&world, NULL);
		}
		assert_string_equal(
			world_driver(&world, "0000:06:00.0"), came ? "vfio-pci" : "igc");
		world_settle(&world);
		world_assert_settled(&world);
		/* The next one is like any other. */
		if (!came) {
			world_run(&world, NET);
		}
		world_end(&world);
	}
}

/* Its hook may outlive it, and waits for an answer. */
static void who_waits_for_libvirt_when_it_dies_is_refused(void **state) {
	static const bool none[VMS] = {false};
	struct world world;
	world_begin(&world, world_policy, 0);
	world_start_by_hand(&world, NET);
	assert_int_equal(world.truth[NET], HOOK);
	world_lose_libvirt(&world, none);
	assert_int_equal(world.truth[NET], OFF);
	world_settle(&world);
	world_assert_settled(&world);
	world_end(&world);
}

static void a_vm_that_is_apart_from_a_change_does_not_wait_for_it(void **state) {
	struct world world;
	struct strings one = {0};
	world_begin(&world, world_policy, 0);
	world_take(&world, "0000:06:00.0");
	strings_add(&one, "0000:05:00.0");
	core_others_change(&world.core, &one);
	world_start_by_hand(&world, NET);
	assert_int_equal(world.truth[NET], LAUNCHING);
	world_start_by_hand(&world, SIDE);
	assert_int_equal(world.truth[SIDE], HOOK);
	core_others_change_ended(&world.core);
	world_obey(&world);
	world_end_change(&world, NULL);
	assert_int_equal(world.truth[SIDE], LAUNCHING);
	world_settle(&world);
	world_assert_settled(&world);
	world_end(&world);
	/* Nor one whose devices may all be moved, or are away for a moment. */
	for (int i = 0; i < 2; i++) {
		world_begin(&world, world_policy, 0);
		world_take(&world, "0000:06:00.0");
		world_unplug(&world, "0000:05:00.0");
		core_others_change(&world.core, i == 0 ? NULL : &one);
		world_start_by_hand(&world, NET);
		assert_int_equal(world.truth[NET], HOOK);
		world_end(&world);
	}
	strings_finish(&one);
}

static void what_a_person_took_is_left_alone(void **state) {
	struct world world;
	world_begin(&world, world_policy, 0);
	world_bind(&world, "0000:05:00.0", "vfio-pci");
	core_machine_changed(&world.core);
	world_obey(&world);
	assert_false(world.changing);
	world_end(&world);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_switch_waits_until_the_first_has_let_go),
		cmocka_unit_test(what_one_leaves_for_the_next_stays_where_it_is),
		cmocka_unit_test(what_a_switch_does_was_foreseen),
		cmocka_unit_test(a_controller_that_does_not_start_gives_way_to_the_former),
		cmocka_unit_test(or_to_the_host_where_the_policy_says_so),
		cmocka_unit_test(one_that_does_not_shut_down_stays_unless_forced),
		cmocka_unit_test(a_second_controller_is_refused_what_the_first_has),
		cmocka_unit_test(what_was_taken_before_something_else_failed_goes_back),
		cmocka_unit_test(what_does_not_return_keeps_nothing_else_away),
		cmocka_unit_test(of_two_cards_that_do_not_return_together_one_does),
		cmocka_unit_test(nothing_is_returned_while_nobody_knows_what_runs),
		cmocka_unit_test(a_start_that_libvirt_dies_in_is_over_or_has_come_about),
		cmocka_unit_test(who_waits_for_libvirt_when_it_dies_is_refused),
		cmocka_unit_test(a_vm_that_is_apart_from_a_change_does_not_wait_for_it),
		cmocka_unit_test(what_a_person_took_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
