/* Each operation of the ladder fails or hangs in turn. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/must.h"
#include "ladder.h"

static void failing_at_any_operation_of_the_ladder_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {FAULT_FAIL, FAULT_FAIL_LATE, FAULT_IGNORE};
	static const int errors[] = {EBUSY, ENODEV, EIO, EACCES};
	FOR_EACH_LADDER(i) {
		struct scene scene;
		ladder_begin(&scene, i, "", &ladder_every_rung);
		unsigned count = ladder_count_operations(&scene, TRANSACTION_UNDONE);
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
		ladder_begin(&scene, 1, cures[k], &ladder_every_rung);
		char *former = must_copy(scene.before);
		unsigned count = ladder_count_operations(&scene, TRANSACTION_COMMITTED);
		scene_end(&scene);
		for (unsigned operation = 0; operation < count; operation++) {
			const struct fault fault = {FAULT_FAIL, operation, EIO};
			ladder_begin(&scene, 1, cures[k], &ladder_every_rung);
			kernel_model_arm(scene.model, &fault, 1);
			int outcome = scene_run(&scene);
			if (outcome == TRANSACTION_COMMITTED) {
				scene_assert_taken(&scene);
				scene_plan_return_of_all(&scene);
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

static void whatever_hangs_on_the_ladder_is_given_up(void **state) {
	struct scene scene;
	ladder_begin(&scene, 1, "", &ladder_every_rung);
	unsigned count = ladder_count_operations(&scene, TRANSACTION_UNDONE);
	for (unsigned operation = 0; operation < count; operation++) {
		const struct fault fault = {FAULT_HANG, operation, 0};
		kernel_model_arm(scene.model, &fault, 1);
		int outcome = scene_run(&scene);
		if (outcome == TRANSACTION_UNFINISHED) {
			kernel_model_arm(scene.model, NULL, 0);
			outcome = scene_recover(&scene);
		}
		assert_int_equal(outcome, TRANSACTION_UNDONE);
		scene_assert_former(&scene);
	}
	scene_end(&scene);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_at_any_operation_of_the_ladder_ends_in_the_former_state),
		cmocka_unit_test(whatever_fails_a_card_is_taken_or_as_it_was_and_can_go_back),
		cmocka_unit_test(whatever_hangs_on_the_ladder_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
