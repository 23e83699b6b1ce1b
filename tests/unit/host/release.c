/* A graphics card is released by a ladder of rungs, of which each is climbed when those below it
 * did not help. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "ladder.h"

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
	FOR_EACH_LADDER(i) {
		struct scene scene;
		ladder_begin(&scene, i, NULL, &ladder_every_rung);
		char *former = must_copy(scene.before);
		assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
		assert_done_as_planned(&scene, 1);
		scene_assert_taken(&scene);
		scene_plan_return_of_all(&scene);
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
		{"reset-bus", "the bus that it is on through VFIO"},
		{"rescan", "look for it again"},
		{"suspend", "suspend the whole machine"},
	};
	for (size_t k = 0; k < sizeof(cures) / sizeof(cures[0]); k++) {
		struct scene scene;
		ladder_begin(&scene, 0, cures[k].cure, &ladder_every_rung);
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

/* One of the rungs below its removal. */
static void assert_helped(struct scene *scene, const char *how) {
	assert_int_equal(scene_run(scene), TRANSACTION_COMMITTED);
	scene_assert_taken(scene);
	char *log = kernel_model_log(scene->model);
	if (!strstr(log, how)) {
		fail_msg("\"%s\" is missing:\n%s", how, log);
	}
	assert_null(strstr(log, "let the kernel forget"));
	free(log);
}

static void a_card_of_several_functions_is_reset_with_its_bus_without_any_right_over_the_bridge(
	void **state) {
	struct scene scene;
	ladder_begin(&scene, 0, "reset-bus", &ladder_every_rung);
	kernel_model_confine(scene.model);
	assert_helped(&scene, "reset the bus of 0000:01:00.0 through VFIO");
	scene_end(&scene);
}

static void a_bus_is_reset_by_kernels_that_have_no_file_for_it(void **state) {
	struct scene scene;
	ladder_begin_without_bus_reset(&scene, 0, "reset-bus", &ladder_every_rung);
	assert_int_equal(rung_called(&scene.plan, "through its bridge"), 0);
	assert_helped(&scene, "reset the bus of 0000:01:00.0 through VFIO");
	scene_end(&scene);
}

/* The how manieth line of the log has these words. */
static unsigned find_operation(const struct scene *scene, const char *words) {
	unsigned operation = 0;
	char *log = kernel_model_log(scene->model);
	const char *found = strstr(log, words);
	assert_non_null(found);
	for (const char *at = log; at < found; at++) {
		operation += *at == '\n';
	}
	free(log);
	return operation;
}

static void where_vfio_cannot_reset_the_bus_its_bridge_does(void **state) {
	struct scene scene;
	ladder_begin(&scene, 0, "reset-bus", &ladder_every_rung);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	const struct fault fault = {FAULT_FAIL, find_operation(&scene, "through VFIO"), EINVAL};
	scene_end(&scene);
	ladder_begin(&scene, 0, "reset-bus", &ladder_every_rung);
	kernel_model_arm(scene.model, &fault, 1);
	assert_helped(&scene, "reset the bus below");
	scene_end(&scene);
}

static void keep_failure(const char *sentence, void *user) {
	char **kept = user;
	if (strncmp(sentence, "could not", strlen("could not")) == 0) {
		free(*kept);
		*kept = must_copy(sentence);
	}
}

/* The kernel says that with an errno that is about something else. */
static void a_bus_that_cannot_be_reset_is_told_as_that(void **state) {
	struct scene scene;
	ladder_begin(&scene, 0, "reset-bus", &ladder_every_rung);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	const struct fault fault = {FAULT_FAIL, find_operation(&scene, "through VFIO"), ENOTTY};
	scene_end(&scene);
	ladder_begin(&scene, 0, "reset-bus", &ladder_every_rung);
	kernel_model_arm(scene.model, &fault, 1);
	char *failure = NULL;
	scene.host.progress = keep_failure;
	scene.host.user = &failure;
	struct error error;
	assert_int_equal(
		transaction_run(&scene.host, "take", &scene.plan, &error), TRANSACTION_COMMITTED);
	assert_string_equal(failure,
		"could not reset the bus of 0000:01:00.0 through VFIO: the kernel has no such "
		"reset for it, or it did not answer after it");
	free(failure);
	scene_end(&scene);
}

/* Kernels refuse it for some cards, which have no other reset either. */
static void a_card_that_nothing_can_reset_is_bound_without(void **state) {
	struct scene scene;
	ladder_begin_without_bus_reset(&scene, 1, NULL, &ladder_every_rung);
	assert_int_equal(rung_called(&scene.plan, "through VFIO"), 1);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	const struct fault fault = {FAULT_FAIL, find_operation(&scene, "through VFIO"), ENODEV};
	scene_end(&scene);
	ladder_begin_without_bus_reset(&scene, 1, NULL, &ladder_every_rung);
	kernel_model_arm(scene.model, &fault, 1);
	assert_helped(&scene, "reset the bus of 0000:03:00.0 through VFIO");
	scene_end(&scene);
}

static void a_card_that_nothing_revives_goes_back_to_its_driver(void **state) {
	FOR_EACH_LADDER(i) {
		struct scene scene;
		ladder_begin(&scene, i, "", &ladder_every_rung);
		struct error error;
		assert_int_equal(transaction_run(&scene.host, "take", &scene.plan, &error),
			TRANSACTION_UNDONE);
		assert_non_null(strstr(error.text, "answers, and that VFIO can open it"));
		assert_non_null(strstr(error.text, "; everything is as it was"));
		scene_assert_former(&scene);
		scene_end(&scene);
	}
}

static void a_card_that_is_pulled_out_meanwhile_keeps_nobody_waiting(void **state) {
	struct scene scene;
	ladder_begin(&scene, 0, "rescan", &ladder_every_rung);
	kernel_model_pull(scene.model, ladders[0].address);
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
		ladder_begin(&scene, 0, "suspend", &ask);
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
		cmocka_unit_test(
			a_card_of_several_functions_is_reset_with_its_bus_without_any_right_over_the_bridge),
		cmocka_unit_test(a_bus_is_reset_by_kernels_that_have_no_file_for_it),
		cmocka_unit_test(where_vfio_cannot_reset_the_bus_its_bridge_does),
		cmocka_unit_test(a_bus_that_cannot_be_reset_is_told_as_that),
		cmocka_unit_test(a_card_that_nothing_can_reset_is_bound_without),
		cmocka_unit_test(a_card_that_nothing_revives_goes_back_to_its_driver),
		cmocka_unit_test(a_card_that_is_pulled_out_meanwhile_keeps_nobody_waiting),
		cmocka_unit_test(the_machine_sleeps_only_when_somebody_says_yes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
