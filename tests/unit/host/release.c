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

/* Far more than anything here takes, on a machine that has other things to do. */
enum { PATIENT_MS = 30000 };
/* For operations that are made to hang. */
enum { IMPATIENT_MS = 150 };

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
			kernel_model_arm(scene.model, &fault, 1);
			assert_int_equal(scene_run(&scene), TRANSACTION_UNDONE);
			scene_assert_former(&scene);
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
			kernel_model_arm(scene.model, &fault, 1);
			/* The last ones are those of undoing it. */
			assert_int_equal(scene_run(&scene), -1);
			assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
			scene_assert_former(&scene);
		}
		/* Between the operations there is nothing that differs between machines. */
		for (int report = 0; i == 1; report++) {
			kernel_model_arm(scene.model, NULL, 0);
			scene_kill_at(&scene, report);
			if (scene_run(&scene) != -1) {
				break;
			}
			assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
			scene_assert_former(&scene);
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
		kernel_model_arm(scene.model, faults, 2);
		assert_int_equal(scene_run(&scene), -1);
		int outcome = scene_recover(&scene);
		assert_true(outcome == -1 || outcome == TRANSACTION_UNDONE);
		assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
		scene_assert_former(&scene);
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

/* Finds why the machine would not sleep; the caller's, NULL when it would. */
static char *why_not(struct kernel_model *model) {
	struct scene scene;
	struct findings findings = {0};
	struct strings names = {0}, none = {0};
	char *found = NULL;
	scene_begin_with(&scene, model);
	strings_add(&names, cards[0].address);
	release_plan(&scene.plan, &findings, &scene.machine, &scene.host.steps, &names, &none,
		&every_rung);
	strings_finish(&names);
	for (size_t i = 0; i < findings.count; i++) {
		const char *text = strstr(findings.items[i].text, "will not be suspended: ");
		if (text) {
			found = must_copy(text + strlen("will not be suspended: "));
		}
	}
	assert_int_equal(found == NULL, rung_called(&scene.plan, "suspend") != 0);
	findings_finish(&findings);
	scene_end(&scene);
	return found;
}

static void assert_why_not(struct kernel_model *model, const char *words) {
	char *reason = why_not(model);
	if (!reason || !strstr(reason, words)) {
		fail_msg("\"%s\" lacks \"%s\"", reason ? reason : "(none)", words);
	}
	free(reason);
}

static void put_unit(struct memory_tree *tree, int pid, const char *group) {
	char *path = must_print("/proc/%d/cgroup", pid);
	char *text = must_print("0::%s\n", group);
	memory_tree_put_file(tree, path, text, strlen(text));
	free(text);
	free(path);
}

static void put_process(struct memory_tree *tree, int pid, const char *name, const char *node) {
	char *comm = must_print("/proc/%d/comm", pid), *fd = must_print("/proc/%d/fd/3", pid);
	char *line = must_print("%s\n", name);
	memory_tree_put_file(tree, comm, line, strlen(line));
	memory_tree_put_link(tree, fd, node);
	free(line);
	free(comm);
	free(fd);
}

static struct kernel_model *with_file(const char *path, const char *text) {
	struct memory_tree *tree = fixture_tree(cards[0].fixture);
	struct kernel_model *model = kernel_model_create_from(tree);
	memory_tree_put_file(tree, path, text, strlen(text));
	return model;
}

static void a_sleep_that_is_not_safe_is_refused_with_its_reason(void **state) {
	assert_null(why_not(kernel_model_create(cards[0].fixture)));
	assert_why_not(with_file("/sys/power/state", "freeze disk\n"), "(ACPI S3)");
	assert_why_not(with_file("/sys/class/rtc/rtc0/device/power/wakeup", "disabled\n"),
		"no alarm that could wake it");
	struct kernel_model *model = kernel_model_create(cards[0].fixture);
	tree_write(kernel_model_tree(model), "1800000000", "/sys/class/rtc/rtc0/wakealarm");
	assert_why_not(model, "set for something else");
	model = kernel_model_create(cards[0].fixture);
	kernel_model_inhibit(model, "a backup runs");
	assert_why_not(model, "a backup runs");
	struct memory_tree *tree = fixture_tree(cards[0].fixture);
	put_process(tree, 77, "qemu-system-x86", "/dev/vfio/5");
	memory_tree_remove(tree, "/sys/devices/pci0000:00/0000:00:14.3/driver");
	memory_tree_put_link(tree, "/sys/devices/pci0000:00/0000:00:14.3/driver",
		"../../../bus/pci/drivers/vfio-pci");
	assert_why_not(kernel_model_create_from(tree), "qemu-system-x86 (pid 77) has 0000:00:14.3");
	static const char swaps[] =
		"Filename Type Size Used Priority\n/dev/sda1 partition 9 0 -2\n";
	model = with_file("/proc/swaps", swaps);
	memory_tree_put_link(kernel_model_memory(model), "/sys/class/block/sda1",
		"../../devices/pci0000:00/0000:00:14.0/usb2/2-1/block/sda/sda1");
	assert_why_not(model, "/dev/sda1 is on a disk behind the USB controller 0000:00:14.0");
}

/* A desktop on the laptop's second card: its display manager, the session's compositor, a service
 * of the user, a process of nobody, and logind, which opened the card for the session. */
static struct kernel_model *desktop_in_use(void) {
	struct memory_tree *tree = fixture_tree(cards[0].fixture);
	put_unit(tree, 1390, "/system.slice/nvidia-persistenced.service");
	put_unit(tree, 1411,
		"/user.slice/user-1000.slice/user@1000.service/session.slice/"
		"wireplumber.service");
	put_process(tree, 1500, "Xorg", "/dev/nvidia0");
	put_unit(tree, 1500, "/user.slice/user-1000.slice/session-2.scope");
	put_process(tree, 1501, "cuda-job", "/dev/nvidia0");
	put_process(tree, 600, "systemd-logind", "/dev/nvidia0");
	put_unit(tree, 600, "/system.slice/systemd-logind.service");
	memory_tree_put_link(tree, "/etc/systemd/system/display-manager.service",
		"/usr/lib/systemd/system/gdm.service");
	memory_tree_put_file(
		tree, "/sys/fs/cgroup/system.slice/gdm.service/cgroup.procs", "700\n", 4);
	struct kernel_model *model = kernel_model_create_from(tree);
	static const char *const units[] = {"gdm.service", "session-2.scope",
		"nvidia-persistenced.service", "1000/wireplumber.service"};
	for (size_t i = 0; i < 4; i++) {
		kernel_model_add_unit(model, units[i]);
	}
	return model;
}

static void holders_are_stopped_by_their_units_the_display_manager_first(void **state) {
	static const char *const expected[] = {
		"stop gdm.service",
		"stop nvidia-persistenced.service",
		"stop session-2.scope",
		"stop wireplumber.service of user 1000",
		"ask cuda-job (pid 1501) to end",
	};
	struct scene scene;
	scene_begin_with(&scene, desktop_in_use());
	scene_plan_release(&scene, cards[0].address, &every_rung, PATIENT_MS);
	size_t count = 0;
	while (scene.plan.steps[count].kind != STEP_UNHELD) {
		count++;
	}
	assert_int_equal(count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < count; i++) {
		bool found = false;
		for (size_t k = 0; k < count; k++) {
			char *sentence = step_sentence(&scene.plan.steps[i]);
			found |= strcmp(sentence, expected[k]) == 0;
			free(sentence);
		}
		assert_true(found);
	}
	/* A session that was ended cannot be begun again. */
	for (size_t i = 0; i < scene.plan.settings_count; i++) {
		assert_null(strstr(scene.plan.settings[i].name, ".scope"));
	}
	char *first = step_sentence(&scene.plan.steps[0]);
	assert_string_equal(first, expected[0]);
	free(first);
	assert_int_equal(scene.plan.steps[count - 1].kind, STEP_END);
	scene_end(&scene);
}

static void whoever_still_has_the_card_open_is_named_and_everything_undone(void **state) {
	struct scene scene;
	/* The model's processes do not end with their units. */
	scene_begin_with(&scene, desktop_in_use());
	scene_plan_release(&scene, cards[0].address, &every_rung, IMPATIENT_MS);
	struct error error;
	assert_int_equal(
		transaction_run(&scene.host, "take", &scene.plan, &error), TRANSACTION_UNDONE);
	assert_non_null(strstr(error.text, "has /dev/nvidia0 open"));
	char *log = kernel_model_log(scene.model);
	assert_null(strstr(log, "unbind"));
	assert_non_null(strstr(log, "start gdm.service"));
	free(log);
	/* All but the session, which is over. */
	char *now = kernel_model_state(scene.model);
	assert_non_null(strstr(now, "gdm.service 1"));
	assert_non_null(strstr(now, "nvidia-persistenced.service 1"));
	assert_non_null(strstr(now, "1000/wireplumber.service 1"));
	free(now);
	scene_end(&scene);
}

static void units_that_were_stopped_for_a_card_are_started_when_it_is_returned(void **state) {
	struct memory_tree *tree = fixture_tree(cards[0].fixture);
	put_unit(tree, 1390, "/system.slice/nvidia-persistenced.service");
	struct kernel_model *model = kernel_model_create_from(tree);
	kernel_model_add_unit(model, "nvidia-persistenced.service");
	struct scene scene;
	scene_begin_with(&scene, model);
	scene_plan_release(&scene, cards[0].address, &every_rung, PATIENT_MS);
	char *former = must_copy(scene.before);
	/* It ends with its unit, and the plan was made while it ran. */
	memory_tree_remove(tree, "/proc/1390");
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	char *now = kernel_model_state(model);
	assert_non_null(strstr(now, "nvidia-persistenced.service 0"));
	free(now);
	scene_plan_return_of_all(&scene, PATIENT_MS);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	now = kernel_model_state(model);
	assert_string_equal(now, former);
	free(now);
	free(former);
	scene_end(&scene);
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
		cmocka_unit_test(a_sleep_that_is_not_safe_is_refused_with_its_reason),
		cmocka_unit_test(holders_are_stopped_by_their_units_the_display_manager_first),
		cmocka_unit_test(whoever_still_has_the_card_open_is_named_and_everything_undone),
		cmocka_unit_test(
			units_that_were_stopped_for_a_card_are_started_when_it_is_returned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
