#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "scene.h"

/* A graphics card of each recorded machine that has an IOMMU. */
static const struct {
	const char *fixture, *address;
} cards[] = {
	{"notes-laptop", "0000:01:00.0"},
	{"many-nic-server", "0000:03:00.0"}, /* with the text console on it */
	{"single-gpu-laptop", "0000:04:00.0"},
	{"two-gpu-desktop", "0000:01:00.0"},
};

#define FOR_EACH_CARD(i) for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)

static const struct release_options every_rung = {
	.stop_holders = true, .suspend = RELEASE_SUSPEND_ALLOWED};

/* Where a card's bus can be reset as a whole. */
static void add_bus_reset(struct kernel_model *model, const char *address) {
	struct tree *tree = kernel_model_tree(model);
	char *path = tree_target(tree, "/sys/bus/pci/devices/%s", address);
	char *slash = strrchr(path, '/');
	*slash = '\0';
	char *file = must_print("%s/reset_subordinate", path);
	/* The root bus has no bridge. */
	if (strncmp(path_name(path), "pci", 3) != 0) {
		memory_tree_put_file(kernel_model_memory(model), file, "", 0);
	}
	free(file);
	free(path);
}

/* `cure` as kernel_model_break() has it. */
static void begin(struct scene *scene, size_t card, const char *cure,
	const struct release_options *options, unsigned deadline_ms) {
	struct kernel_model *model = kernel_model_create(cards[card].fixture);
	add_bus_reset(model, cards[card].address);
	scene_begin_with(scene, model);
	kernel_model_break(model, cards[card].address, cure);
	scene_plan_release(scene, cards[card].address, options, deadline_ms);
}

/* How many operations the whole ladder comes to. */
static unsigned count_operations(struct scene *scene, int outcome) {
	kernel_model_arm(scene->model, NULL, 0);
	assert_int_equal(scene_run(scene), outcome);
	unsigned count = kernel_model_operations(scene->model);
	kernel_model_arm(scene->model, NULL, 0);
	return count;
}

static bool is_read_only(const struct step *step) {
	return step->kind == STEP_UNHELD || step->kind == STEP_FIND;
}

/* Do the operations that a run came to stand in its plan, in order, up to and with this rung? The
 * model is told of a reset's method too, which is part of its step. */
static void assert_done_as_planned(const struct scene *scene, unsigned last_rung) {
	char *log = kernel_model_log(scene->model);
	const char *at = log;
	for (size_t i = 0; i < scene->plan.steps_count; i++) {
		const struct step *step = &scene->plan.steps[i];
		if (is_read_only(step) || step->rung > last_rung) {
			continue;
		}
		char *sentence = step_sentence(step);
		char *line = must_print("%s\n", sentence);
		const char *found = strstr(at, line);
		if (!found) {
			fail_msg("not done, or not in order: %s\n%s", line, log);
		}
		at = found + strlen(line);
		free(line);
		free(sentence);
	}
	assert_string_equal(at, "");
	free(log);
}

static unsigned rung_called(const struct plan *plan, const char *words) {
	for (size_t i = 0; i < plan->rungs_count; i++) {
		if (strstr(plan->rungs[i].title, words)) {
			return (unsigned)i + 1;
		}
	}
	return 0;
}

static void a_card_that_works_is_released_on_the_first_rung(void **state) {
	FOR_EACH_CARD(i) {
		struct scene scene;
		begin(&scene, i, NULL, &every_rung, PATIENT_MS);
		char *former = must_copy(scene.before);
		assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
		assert_done_as_planned(&scene, 1);
		scene_assert_taken(&scene);
		scene_plan_return_of_all(&scene, PATIENT_MS);
		assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
		char *now = kernel_model_state(scene.model);
		assert_string_equal(now, former);
		free(now);
		free(former);
		scene_end(&scene);
	}
}

static void each_rung_is_climbed_until_one_helps(void **state) {
	static const struct {
		const char *cure, *title;
	} cures[] = {
		{"flr", "by flr"},
		{"bus", "by bus"},
		{"reset-bus", "the bus that it is on"},
		{"rescan", "look for it again"},
		{"suspend", "suspend the whole machine"},
	};
	for (size_t k = 0; k < sizeof(cures) / sizeof(cures[0]); k++) {
		struct scene scene;
		begin(&scene, 0, cures[k].cure, &every_rung, PATIENT_MS);
		unsigned rung = rung_called(&scene.plan, cures[k].title);
		assert_int_not_equal(rung, 0);
		assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
		scene_assert_taken(&scene);
		char *log = kernel_model_log(scene.model);
		/* Nothing of a rung above it was touched. */
		assert_int_equal(strstr(log, "suspend the machine") != NULL,
			strcmp(cures[k].cure, "suspend") == 0);
		if (rung < rung_called(&scene.plan, "look for it again")) {
			assert_null(strstr(log, "let the kernel forget"));
		}
		free(log);
		scene_end(&scene);
	}
}

static void a_card_that_nothing_revives_goes_back_to_its_driver(void **state) {
	FOR_EACH_CARD(i) {
		struct scene scene;
		begin(&scene, i, "", &every_rung, PATIENT_MS);
		struct error error;
		assert_int_equal(transaction_run(&scene.host, "take", &scene.plan, &error),
			TRANSACTION_UNDONE);
		assert_non_null(strstr(error.text, "answers, and that VFIO can open it"));
		scene_assert_former(&scene);
		scene_end(&scene);
	}
}

static void failing_at_any_operation_of_the_ladder_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {FAULT_FAIL, FAULT_FAIL_LATE, FAULT_IGNORE};
	static const int errors[] = {EBUSY, ENODEV, EIO, EACCES};
	FOR_EACH_CARD(i) {
		struct scene scene;
		begin(&scene, i, "", &every_rung, PATIENT_MS);
		unsigned count = count_operations(&scene, TRANSACTION_UNDONE);
		for (unsigned operation = 0; operation < count; operation++) {
			/* Over the machines each operation fails in each way. */
			const struct fault fault = {
				kinds[(operation + i) % 3], operation, errors[operation % 4]};
			scene_fail(&scene, &fault, 1);
		}
		scene_end(&scene);
	}
}

/* A fault in one rung is a reason for the next one. */
static void whatever_fails_a_card_is_taken_or_as_it_was_and_can_go_back(void **state) {
	static const char *const cures[] = {NULL, "rescan", "suspend"};
	for (size_t k = 0; k < 3; k++) {
		struct scene scene;
		begin(&scene, 1, cures[k], &every_rung, PATIENT_MS);
		char *former = must_copy(scene.before);
		unsigned count = count_operations(&scene, TRANSACTION_COMMITTED);
		scene_end(&scene);
		for (unsigned operation = 0; operation < count; operation++) {
			const struct fault fault = {FAULT_FAIL, operation, EIO};
			begin(&scene, 1, cures[k], &every_rung, PATIENT_MS);
			kernel_model_arm(scene.model, &fault, 1);
			int outcome = scene_run(&scene);
			if (outcome == TRANSACTION_COMMITTED) {
				scene_assert_taken(&scene);
				scene_plan_return_of_all(&scene, PATIENT_MS);
				assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
			} else {
				assert_int_equal(outcome, TRANSACTION_UNDONE);
			}
			char *now = kernel_model_state(scene.model);
			assert_string_equal(now, former);
			free(now);
			scene_end(&scene);
		}
		free(former);
	}
}

static void killing_the_daemon_anywhere_on_the_ladder_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {FAULT_KILL, FAULT_KILL_LATE};
	FOR_EACH_CARD(i) {
		struct scene scene;
		begin(&scene, i, "", &every_rung, PATIENT_MS);
		unsigned count = count_operations(&scene, TRANSACTION_UNDONE);
		for (unsigned operation = 0; operation < count; operation++) {
			const struct fault fault = {kinds[(operation + i) % 2], operation, 0};
			/* The last ones are those of undoing it. */
			scene_fail(&scene, &fault, 1);
		}
		/* Between the operations there is nothing that differs between machines. */
		if (i == 1) {
			assert_true(scene_kill_at_each(&scene) > (int)scene.plan.steps_count);
		}
		scene_end(&scene);
	}
}

static void killing_the_recovery_of_a_ladder_too_ends_in_the_former_state(void **state) {
	struct scene scene;
	begin(&scene, 1, "", &every_rung, PATIENT_MS);
	unsigned count = count_operations(&scene, TRANSACTION_UNDONE);
	for (unsigned operation = 0; operation < count; operation++) {
		const struct fault faults[] = {
			{FAULT_KILL_LATE, operation, 0},
			{FAULT_KILL_LATE, operation + 1 + operation % 4, 0},
		};
		scene_kill_twice(&scene, faults);
	}
	scene_end(&scene);
}

static void whatever_hangs_on_the_ladder_is_given_up(void **state) {
	struct scene scene;
	begin(&scene, 1, "", &every_rung, IMPATIENT_MS);
	unsigned count = count_operations(&scene, TRANSACTION_UNDONE);
	scene.host.restore_ms = PATIENT_MS;
	for (unsigned operation = 0; operation < count; operation++) {
		/* What hangs while it is undone is waited for as long as that may take. */
		const struct fault fault = {FAULT_HANG, operation, 0};
		scene.host.restore_ms = IMPATIENT_MS;
		kernel_model_arm(scene.model, &fault, 1);
		int outcome = scene_run(&scene);
		scene.host.restore_ms = PATIENT_MS;
		if (outcome == TRANSACTION_UNFINISHED) {
			kernel_model_arm(scene.model, NULL, 0);
			outcome = scene_recover(&scene);
		}
		assert_int_equal(outcome, TRANSACTION_UNDONE);
		scene_assert_former(&scene);
	}
	scene_end(&scene);
}

static void a_power_loss_on_the_ladder_leaves_nothing_to_undo(void **state) {
	struct scene scene;
	begin(&scene, 1, "", &every_rung, PATIENT_MS);
	unsigned count = count_operations(&scene, TRANSACTION_UNDONE);
	const struct fault fault = {FAULT_KILL, count / 2, 0};
	kernel_model_arm(scene.model, &fault, 1);
	assert_int_equal(scene_run(&scene), -1);
	memory_tree_put_file(
		kernel_model_memory(scene.model), "/proc/sys/kernel/random/boot_id", "boot-2\n", 7);
	kernel_model_arm(scene.model, NULL, 0);
	assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
	assert_int_equal(kernel_model_operations(scene.model), 0);
	scene_end(&scene);
}

static void a_card_that_is_pulled_out_meanwhile_keeps_nobody_waiting(void **state) {
	struct scene scene;
	begin(&scene, 0, "rescan", &every_rung, PATIENT_MS);
	kernel_model_pull(scene.model, cards[0].address);
	struct error error;
	assert_int_equal(
		transaction_run(&scene.host, "take", &scene.plan, &error), TRANSACTION_UNDONE);
	/* Nothing is left to be recovered, and all that is still there is as it was. */
	char *now = kernel_model_state(scene.model);
	assert_non_null(strstr(now, "removed\n"));
	assert_non_null(strstr(now, "0000:01:00.1 snd_hda_intel"));
	assert_non_null(strstr(now, "autoprobe 1, sleep s2idle"));
	free(now);
	assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
	scene_end(&scene);
}

static bool refuse(const char *title, void *user) {
	return false;
}

static bool accept(const char *title, void *user) {
	return strstr(title, "suspend the whole machine") != NULL;
}

static void the_machine_sleeps_only_when_somebody_says_yes(void **state) {
	static const struct release_options ask = {
		.stop_holders = true, .suspend = RELEASE_SUSPEND_ASK};
	bool (*const answers[])(const char *title, void *user) = {NULL, refuse, accept};
	for (size_t i = 0; i < 3; i++) {
		struct scene scene;
		begin(&scene, 0, "suspend", &ask, PATIENT_MS);
		scene.host.confirm = answers[i];
		bool said_yes = answers[i] == accept;
		assert_int_equal(
			scene_run(&scene), said_yes ? TRANSACTION_COMMITTED : TRANSACTION_UNDONE);
		char *log = kernel_model_log(scene.model);
		assert_int_equal(strstr(log, "suspend the machine") != NULL, said_yes);
		free(log);
		if (!said_yes) {
			scene_assert_former(&scene);
		}
		scene_end(&scene);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_that_works_is_released_on_the_first_rung),
		cmocka_unit_test(each_rung_is_climbed_until_one_helps),
		cmocka_unit_test(a_card_that_nothing_revives_goes_back_to_its_driver),
		cmocka_unit_test(failing_at_any_operation_of_the_ladder_ends_in_the_former_state),
		cmocka_unit_test(whatever_fails_a_card_is_taken_or_as_it_was_and_can_go_back),
		cmocka_unit_test(
			killing_the_daemon_anywhere_on_the_ladder_ends_in_the_former_state),
		cmocka_unit_test(killing_the_recovery_of_a_ladder_too_ends_in_the_former_state),
		cmocka_unit_test(whatever_hangs_on_the_ladder_is_given_up),
		cmocka_unit_test(a_power_loss_on_the_ladder_leaves_nothing_to_undo),
		cmocka_unit_test(a_card_that_is_pulled_out_meanwhile_keeps_nobody_waiting),
		cmocka_unit_test(the_machine_sleeps_only_when_somebody_says_yes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
