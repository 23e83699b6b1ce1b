/* The daemon, and its recovery, are killed at each operation of the ladder in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ladder.h"

static void killing_the_daemon_anywhere_on_the_ladder_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {FAULT_KILL, FAULT_KILL_LATE};
	FOR_EACH_LADDER(i) {
		struct scene scene;
		ladder_begin(&scene, i, "", &ladder_every_rung);
		unsigned count = ladder_count_operations(&scene, TRANSACTION_UNDONE);
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
	ladder_begin(&scene, 1, "", &ladder_every_rung);
	unsigned count = ladder_count_operations(&scene, TRANSACTION_UNDONE);
	for (unsigned operation = 0; operation < count; operation++) {
		const struct fault faults[] = {
			{FAULT_KILL_LATE, operation, 0},
			{FAULT_KILL_LATE, operation + 1 + operation % 4, 0},
		};
		scene_kill_twice(&scene, faults);
	}
	scene_end(&scene);
}

static void a_power_loss_on_the_ladder_leaves_nothing_to_undo(void **state) {
	struct scene scene;
	ladder_begin(&scene, 1, "", &ladder_every_rung);
	unsigned count = ladder_count_operations(&scene, TRANSACTION_UNDONE);
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

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			killing_the_daemon_anywhere_on_the_ladder_ends_in_the_former_state),
		cmocka_unit_test(killing_the_recovery_of_a_ladder_too_ends_in_the_former_state),
		cmocka_unit_test(a_power_loss_on_the_ladder_leaves_nothing_to_undo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
