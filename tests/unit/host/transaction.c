#include <errno.h>
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
#include "scene.h"

enum {
	/* Far more than anything here takes, on a machine that has other things to do. */
	PATIENT_MS = 30000,
	IMPATIENT_MS = 150,
};

/* A device of each recorded machine that a VM could have, and what a controller has: USB, a card
 * and sound, which are three IOMMU groups. */
static const struct {
	const char *fixture, *address;
} cards[] = {
	{"notes-laptop", "0000:01:00.0"},
	{"single-gpu-laptop", "0000:04:00.0"},
	{"two-gpu-desktop", "0000:01:00.1"},
	{"many-nic-server", "0000:3c:00.1"},
	{"two-gpu-desktop", "0000:00:14.0 0000:01:00.0 0000:00:1f.3"},
};

#define FOR_EACH_CARD(i) for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)

static char *sentences(const struct plan *plan) {
	char *text = must_copy("");
	for (size_t i = 0; i < plan->steps_count; i++) {
		char *sentence = step_sentence(&plan->steps[i]);
		char *longer = must_print("%s%s\n", text, sentence);
		free(sentence);
		free(text);
		text = longer;
	}
	return text;
}

static void what_runs_is_what_the_plan_said_and_going_back_restores(void **state) {
	FOR_EACH_CARD(i) {
		struct scene scene;
		scene_begin(&scene, cards[i].fixture, cards[i].address);
		char *begin = must_copy(scene.before);
		assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
		scene_assert_taken(&scene);
		char *planned = sentences(&scene.plan), *done = kernel_model_log(scene.model);
		assert_string_equal(planned, done);
		free(planned);
		free(done);
		scene_plan_return(&scene);
		assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
		char *now = kernel_model_state(scene.model);
		assert_string_equal(now, begin);
		free(now);
		free(begin);
		scene_end(&scene);
	}
}

static void the_plan_takes_all_of_the_group_and_nothing_else(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	assert_int_equal(scene.plan.devices_count, 2);
	assert_true(plan_has(&scene.plan, "0000:01:00.1"));
	assert_int_equal(scene.plan.steps[0].kind, STEP_LOAD);
	assert_int_equal(scene.plan.steps_count, 1 + 2 * 3);
	scene_end(&scene);
	scene_begin(&scene, "two-gpu-desktop", "0000:00:14.0 0000:01:00.0 0000:00:1f.3");
	int last = -1;
	size_t groups = 0;
	for (size_t i = 0; i < scene.plan.devices_count; i++) {
		int group =
			machine_find(&scene.machine, scene.plan.devices[i].address)->iommu_group;
		groups += group != last;
		last = group;
	}
	assert_int_equal(groups, 3);
	assert_true(plan_has(&scene.plan, "0000:01:00.1"));
	scene_end(&scene);
	/* 00:14.2 has no driver and is a part of the machine: it is left alone. */
	scene_begin(&scene, "two-gpu-desktop", "0000:00:14.0");
	assert_int_equal(scene.plan.devices_count, 1);
	scene_end(&scene);
}

static void failing_at_any_step_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {FAULT_FAIL, FAULT_FAIL_LATE, FAULT_IGNORE};
	static const int errors[] = {EBUSY, ENODEV, EIO, EACCES};
	FOR_EACH_CARD(i) {
		for (size_t k = 0; k < 3; k++) {
			struct scene scene;
			scene_begin(&scene, cards[i].fixture, cards[i].address);
			for (unsigned step = 0; step < scene.plan.steps_count; step++) {
				/* That the module did not load shows when vfio-pci is to bind. */
				const struct fault fault = {kinds[k], step, errors[step % 4]};
				scene_fail(&scene, &fault, 1);
			}
			scene_end(&scene);
		}
	}
}

/* The way back is a plan like any other; its former state is: taken. */
static void whatever_happens_at_any_step_of_the_way_back_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {
		FAULT_FAIL, FAULT_FAIL_LATE, FAULT_IGNORE, FAULT_KILL, FAULT_KILL_LATE};
	FOR_EACH_CARD(i) {
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			struct scene scene;
			scene_begin(&scene, cards[i].fixture, cards[i].address);
			assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
			scene_plan_return(&scene);
			assert_int_not_equal(scene.plan.steps_count, 0);
			for (unsigned step = 0; step < scene.plan.steps_count; step++) {
				const struct fault fault = {kinds[k], step, EIO};
				scene_fail(&scene, &fault, 1);
			}
			scene_end(&scene);
		}
	}
}

static void failing_again_while_it_is_undone_ends_in_the_former_state(void **state) {
	struct scene scene;
	scene_begin(&scene, "two-gpu-desktop", "0000:00:14.0 0000:01:00.0");
	for (unsigned first = 1; first < scene.plan.steps_count; first++) {
		for (unsigned second = first + 1; second < 3 * scene.plan.steps_count; second++) {
			const struct fault faults[] = {
				{FAULT_FAIL, first, EIO},
				{FAULT_FAIL, second, EBUSY},
			};
			scene_fail(&scene, faults, 2);
		}
	}
	scene_end(&scene);
}

static void killing_the_daemon_at_any_moment_ends_in_the_former_state(void **state) {
	FOR_EACH_CARD(i) {
		struct scene scene;
		scene_begin(&scene, cards[i].fixture, cards[i].address);
		/* The plan, and each step's beginning and end. */
		assert_int_equal(scene_kill_at_each(&scene), 1 + 2 * (int)scene.plan.steps_count);
		scene_assert_taken(&scene);
		scene_end(&scene);
	}
}

static void killing_the_daemon_within_any_step_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {FAULT_KILL, FAULT_KILL_LATE};
	FOR_EACH_CARD(i) {
		for (size_t k = 0; k < 2; k++) {
			struct scene scene;
			scene_begin(&scene, cards[i].fixture, cards[i].address);
			for (unsigned step = 0; step < scene.plan.steps_count; step++) {
				const struct fault fault = {kinds[k], step, 0};
				scene_fail(&scene, &fault, 1);
			}
			scene_end(&scene);
		}
	}
}

static void killing_the_recovery_too_ends_in_the_former_state(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	for (unsigned step = 0; step < scene.plan.steps_count; step++) {
		/* Operations of the run end with the one that kills; the recovery's follow. */
		for (unsigned more = 1; more < 8; more++) {
			const struct fault faults[] = {
				{FAULT_KILL_LATE, step, 0},
				{FAULT_KILL_LATE, step + more, 0},
			};
			scene_kill_twice(&scene, faults);
		}
		for (int report = 0; report < 4; report++) {
			const struct fault fault = {FAULT_KILL_LATE, step, 0};
			kernel_model_arm(scene.model, &fault, 1);
			assert_int_equal(scene_run(&scene), -1);
			scene_kill_at(&scene, report);
			scene_recover(&scene);
			assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
			scene_assert_former(&scene);
		}
	}
	scene_end(&scene);
}

static void a_step_that_hangs_is_given_up_and_undone(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	for (unsigned step = 0; step < scene.plan.steps_count; step++) {
		const struct fault fault = {FAULT_HANG, step, 0};
		scene_fail(&scene, &fault, 1);
	}
	scene_end(&scene);
}

static void what_hangs_with_a_device_is_undone_once_the_device_is_let_go(void **state) {
	for (unsigned step = 1;; step++) {
		struct scene scene;
		scene_begin(&scene, "notes-laptop", "0000:01:00.0");
		if (step == scene.plan.steps_count) {
			scene_end(&scene);
			break;
		}
		const struct fault fault = {FAULT_HANG_LOCKED, step, 0};
		kernel_model_arm(scene.model, &fault, 1);
		assert_int_equal(scene_run(&scene), TRANSACTION_UNFINISHED);
		/* Nothing new is begun on top of it. */
		unsigned operations = kernel_model_operations(scene.model);
		assert_int_equal(scene_run(&scene), TRANSACTION_REFUSED);
		assert_int_equal(kernel_model_operations(scene.model), operations);
		kernel_model_release(scene.model);
		assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
		scene_assert_former(&scene);
		scene_end(&scene);
	}
}

/* Inside of the kernel nothing ends a process: it keeps the lock, and what it was told to do
 * happens when the kernel goes on. */
static void what_cannot_even_be_killed_is_left_alone_until_it_ends(void **state) {
	static const enum step_kind kinds[] = {STEP_UNBIND, STEP_BIND};
	for (size_t i = 0; i < 2; i++) {
		struct scene scene;
		struct error error;
		scene_begin(&scene, "notes-laptop", "0000:01:00.0");
		kernel_model_trap(scene.model, "0000:01:00.0", kinds[i], FAULT_HANG_STUCK);
		assert_int_equal(scene_run(&scene), TRANSACTION_UNFINISHED);
		/* All of the others are as they were. */
		struct driver_state now;
		assert_int_equal(step_read_state(scene.host.steps.tree, "0000:01:00.1", &now), 0);
		assert_true(driver_state_equal(&now, &scene.plan.devices[1].former));
		driver_state_finish(&now);
		assert_int_equal(journal_lock(scene.directory, IMPATIENT_MS, &error), -1);
		assert_non_null(strstr(error.text, "still hangs in the kernel"));
		unsigned operations = kernel_model_operations(scene.model);
		assert_true(transaction_is_blocked(&scene.host, &error));
		assert_int_equal(kernel_model_operations(scene.model), operations);
		kernel_model_release(scene.model);
		assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
		scene_assert_former(&scene);
		scene_end(&scene);
	}
}

/* Nothing is left of the change but what the other device was. */
static void a_device_that_is_pulled_out_at_any_step_is_let_go(void **state) {
	static const char card[] = "0000:01:00.0", sound[] = "0000:01:00.1";
	for (unsigned step = 1;; step++) {
		struct scene scene;
		struct error error;
		scene_begin(&scene, "notes-laptop", card);
		if (step == scene.plan.steps_count) {
			scene_end(&scene);
			break;
		}
		const struct fault fault = {FAULT_UNPLUG, step, 0};
		const char *pulled = scene.plan.steps[step].device;
		const char *other = strcmp(pulled, card) == 0 ? sound : card;
		kernel_model_arm(scene.model, &fault, 1);
		assert_int_equal(transaction_run(&scene.host, "take", &scene.plan, &error),
			TRANSACTION_UNDONE);
		char *gone = must_print("; %s is no longer there", pulled);
		assert_non_null(strstr(error.text, gone));
		free(gone);
		assert_false(transaction_is_blocked(&scene.host, &error));
		for (size_t i = 0; i < scene.plan.devices_count; i++) {
			struct driver_state now;
			const struct plan_device *device = &scene.plan.devices[i];
			if (strcmp(device->address, other) == 0) {
				assert_int_equal(
					step_read_state(scene.host.steps.tree, other, &now), 0);
				assert_true(driver_state_equal(&now, &device->former));
				driver_state_finish(&now);
			}
		}
		/* It comes back as any other. */
		kernel_model_plug(scene.model, pulled);
		scene_assert_former(&scene);
		assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
		scene_assert_taken(&scene);
		scene_end(&scene);
	}
}

/* Between the plan and its first step. */
static void what_was_pulled_out_before_is_refused(void **state) {
	struct scene scene;
	struct error error;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	kernel_model_unplug(scene.model, "0000:01:00.1");
	assert_int_equal(
		transaction_run(&scene.host, "take", &scene.plan, &error), TRANSACTION_REFUSED);
	assert_non_null(strstr(error.text, "changed since the plan was made"));
	assert_int_equal(kernel_model_operations(scene.model), 0);
	scene_end(&scene);
}

static void a_slow_step_is_waited_for(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	const struct fault faults[] = {{FAULT_DELAY, 2, 0}, {FAULT_DELAY, 3, 0}};
	kernel_model_arm(scene.model, faults, 2);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	scene_assert_taken(&scene);
	scene_end(&scene);
}

static void a_device_that_a_vm_holds_blocks_its_return_and_goes_back_to_the_vm(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	scene_plan_return(&scene);
	kernel_model_hold(scene.model, "0000:01:00.0");
	kernel_model_hold(scene.model, "0000:01:00.1");
	assert_int_equal(scene_run(&scene), TRANSACTION_UNFINISHED);
	kernel_model_release(scene.model);
	assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
	/* The former state of a return is: taken. */
	scene_assert_former(&scene);
	scene_end(&scene);
}

static void a_plan_made_before_the_machine_changed_is_refused(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	unsigned operations = kernel_model_operations(scene.model);
	struct error error;
	assert_int_equal(
		transaction_run(&scene.host, "take", &scene.plan, &error), TRANSACTION_REFUSED);
	assert_non_null(strstr(error.text, "changed since the plan was made"));
	assert_int_equal(kernel_model_operations(scene.model), operations);
	scene_end(&scene);
}

static void two_changes_at_once_are_refused(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	struct error error;
	int lock = journal_lock(scene.directory, PATIENT_MS, &error);
	assert_true(lock >= 0);
	assert_int_equal(journal_lock(scene.directory, IMPATIENT_MS, &error), -1);
	assert_non_null(strstr(error.text, "another change of devices is under way"));
	close(lock);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	scene_end(&scene);
}

static void a_read_only_sysfs_or_journal_changes_nothing_and_says_so(void **state) {
	struct scene scene;
	struct error error;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
	struct transaction_host host = scene.host;
	host.steps.tree = memory_tree_base(kernel_model_memory(scene.model));
	assert_int_equal(transaction_run(&host, "take", &scene.plan, &error), TRANSACTION_UNDONE);
	assert_non_null(strstr(error.text, "Read-only file system; everything is as it was"));
	assert_null(strstr(error.text, "not back"));
	kernel_model_arm(scene.model, NULL, 0);
	host = scene.host;
	host.journals = "/proc/nonexistent/journals";
	assert_int_equal(transaction_run(&host, "take", &scene.plan, &error), TRANSACTION_REFUSED);
	assert_non_null(strstr(error.text, "/proc/nonexistent"));
	assert_int_equal(kernel_model_operations(scene.model), 0);
	scene_assert_former(&scene);
	scene_end(&scene);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_runs_is_what_the_plan_said_and_going_back_restores),
		cmocka_unit_test(the_plan_takes_all_of_the_group_and_nothing_else),
		cmocka_unit_test(failing_at_any_step_ends_in_the_former_state),
		cmocka_unit_test(
			whatever_happens_at_any_step_of_the_way_back_ends_in_the_former_state),
		cmocka_unit_test(failing_again_while_it_is_undone_ends_in_the_former_state),
		cmocka_unit_test(killing_the_daemon_at_any_moment_ends_in_the_former_state),
		cmocka_unit_test(killing_the_daemon_within_any_step_ends_in_the_former_state),
		cmocka_unit_test(killing_the_recovery_too_ends_in_the_former_state),
		cmocka_unit_test(a_step_that_hangs_is_given_up_and_undone),
		cmocka_unit_test(what_hangs_with_a_device_is_undone_once_the_device_is_let_go),
		cmocka_unit_test(what_cannot_even_be_killed_is_left_alone_until_it_ends),
		cmocka_unit_test(a_device_that_is_pulled_out_at_any_step_is_let_go),
		cmocka_unit_test(what_was_pulled_out_before_is_refused),
		cmocka_unit_test(a_slow_step_is_waited_for),
		cmocka_unit_test(
			a_device_that_a_vm_holds_blocks_its_return_and_goes_back_to_the_vm),
		cmocka_unit_test(a_plan_made_before_the_machine_changed_is_refused),
		cmocka_unit_test(two_changes_at_once_are_refused),
		cmocka_unit_test(a_read_only_sysfs_or_journal_changes_nothing_and_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
