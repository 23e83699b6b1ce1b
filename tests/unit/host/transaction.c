#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "scene.h"

/* Far more than anything here takes, on a machine that has other things to do. */
enum { PATIENT_MS = 30000 };
/* For operations that are made to hang: a step that is slow for another reason is undone as well,
 * so the outcome does not hang on it. */
enum { IMPATIENT_MS = 150 };

/* A device of each recorded machine that a VM could have. */
static const struct {
	const char *fixture, *address;
} cards[] = {
	{"notes-laptop", "0000:01:00.0"},
	{"single-gpu-laptop", "0000:04:00.0"},
	{"two-gpu-desktop", "0000:01:00.1"},
	{"many-nic-server", "0000:3c:00.1"},
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
		scene_begin(&scene, cards[i].fixture, cards[i].address, PATIENT_MS);
		char *begin = must_copy(scene.before);
		assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
		scene_assert_taken(&scene);
		char *planned = sentences(&scene.plan), *done = kernel_model_log(scene.model);
		assert_string_equal(planned, done);
		free(planned);
		free(done);
		scene_plan_return(&scene, PATIENT_MS);
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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	assert_int_equal(scene.plan.devices_count, 2);
	assert_true(plan_has(&scene.plan, "0000:01:00.1"));
	assert_int_equal(scene.plan.steps[0].kind, STEP_LOAD);
	assert_int_equal(scene.plan.steps_count, 1 + 2 * 3);
	scene_end(&scene);
	/* 00:14.2 has no driver and is a part of the machine: it is left alone. */
	scene_begin(&scene, "two-gpu-desktop", "0000:00:14.0", PATIENT_MS);
	assert_int_equal(scene.plan.devices_count, 1);
	scene_end(&scene);
}

static void failing_at_any_step_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {FAULT_FAIL, FAULT_FAIL_LATE, FAULT_IGNORE};
	static const int errors[] = {EBUSY, ENODEV, EIO, EACCES};
	FOR_EACH_CARD(i) {
		for (size_t k = 0; k < 3; k++) {
			struct scene scene;
			scene_begin(&scene, cards[i].fixture, cards[i].address, PATIENT_MS);
			for (unsigned step = 0; step < scene.plan.steps_count; step++) {
				/* That the module did not load shows when vfio-pci is to bind. */
				const struct fault fault = {kinds[k], step, errors[step % 4]};
				kernel_model_arm(scene.model, &fault, 1);
				assert_int_equal(scene_run(&scene), TRANSACTION_UNDONE);
				scene_assert_former(&scene);
				assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
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
			bool killed = kinds[k] == FAULT_KILL || kinds[k] == FAULT_KILL_LATE;
			struct scene scene;
			scene_begin(&scene, cards[i].fixture, cards[i].address, PATIENT_MS);
			assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
			scene_plan_return(&scene, PATIENT_MS);
			assert_int_not_equal(scene.plan.steps_count, 0);
			for (unsigned step = 0; step < scene.plan.steps_count; step++) {
				const struct fault fault = {kinds[k], step, EIO};
				kernel_model_arm(scene.model, &fault, 1);
				assert_int_equal(
					scene_run(&scene), killed ? -1 : TRANSACTION_UNDONE);
				assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
				scene_assert_former(&scene);
			}
			scene_end(&scene);
		}
	}
}

static void failing_again_while_it_is_undone_ends_in_the_former_state(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	for (unsigned first = 1; first < scene.plan.steps_count; first++) {
		for (unsigned second = first + 1; second < 3 * scene.plan.steps_count; second++) {
			const struct fault faults[] = {
				{FAULT_FAIL, first, EIO},
				{FAULT_FAIL, second, EBUSY},
			};
			kernel_model_arm(scene.model, faults, 2);
			assert_int_equal(scene_run(&scene), TRANSACTION_UNDONE);
			scene_assert_former(&scene);
		}
	}
	scene_end(&scene);
}

static void killing_the_daemon_at_any_moment_ends_in_the_former_state(void **state) {
	FOR_EACH_CARD(i) {
		struct scene scene;
		scene_begin(&scene, cards[i].fixture, cards[i].address, PATIENT_MS);
		int report = 0;
		for (;; report++) {
			kernel_model_arm(scene.model, NULL, 0);
			scene_kill_at(&scene, report);
			if (scene_run(&scene) != -1) {
				break; /* there was no such moment */
			}
			assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
			scene_assert_former(&scene);
		}
		/* The plan, and each step's beginning and end. */
		assert_int_equal(report, 1 + 2 * (int)scene.plan.steps_count);
		scene_assert_taken(&scene);
		scene_end(&scene);
	}
}

static void killing_the_daemon_within_any_step_ends_in_the_former_state(void **state) {
	static const enum fault_kind kinds[] = {FAULT_KILL, FAULT_KILL_LATE};
	FOR_EACH_CARD(i) {
		for (size_t k = 0; k < 2; k++) {
			struct scene scene;
			scene_begin(&scene, cards[i].fixture, cards[i].address, PATIENT_MS);
			for (unsigned step = 0; step < scene.plan.steps_count; step++) {
				const struct fault fault = {kinds[k], step, 0};
				kernel_model_arm(scene.model, &fault, 1);
				assert_int_equal(scene_run(&scene), -1);
				assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
				scene_assert_former(&scene);
			}
			scene_end(&scene);
		}
	}
}

static void killing_the_recovery_too_ends_in_the_former_state(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	for (unsigned step = 0; step < scene.plan.steps_count; step++) {
		/* Operations of the run end with the one that kills; the recovery's follow. */
		for (unsigned more = 1; more < 8; more++) {
			const struct fault faults[] = {
				{FAULT_KILL_LATE, step, 0},
				{FAULT_KILL_LATE, step + more, 0},
			};
			kernel_model_arm(scene.model, faults, 2);
			assert_int_equal(scene_run(&scene), -1);
			int outcome = scene_recover(&scene);
			assert_true(outcome == -1 || outcome == TRANSACTION_UNDONE);
			assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
			scene_assert_former(&scene);
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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", IMPATIENT_MS);
	for (unsigned step = 0; step < scene.plan.steps_count; step++) {
		const struct fault fault = {FAULT_HANG, step, 0};
		kernel_model_arm(scene.model, &fault, 1);
		assert_int_equal(scene_run(&scene), TRANSACTION_UNDONE);
		scene_assert_former(&scene);
	}
	scene_end(&scene);
}

static void what_hangs_with_a_device_is_undone_once_the_device_is_let_go(void **state) {
	for (unsigned step = 1;; step++) {
		struct scene scene;
		scene_begin(&scene, "notes-laptop", "0000:01:00.0", IMPATIENT_MS);
		if (step == scene.plan.steps_count) {
			scene_end(&scene);
			break;
		}
		const struct fault fault = {FAULT_HANG_LOCKED, step, 0};
		kernel_model_arm(scene.model, &fault, 1);
		scene.host.restore_ms = IMPATIENT_MS;
		assert_int_equal(scene_run(&scene), TRANSACTION_UNFINISHED);
		/* Nothing new is begun on top of it. */
		unsigned operations = kernel_model_operations(scene.model);
		assert_int_equal(scene_run(&scene), TRANSACTION_REFUSED);
		assert_int_equal(kernel_model_operations(scene.model), operations);
		kernel_model_release(scene.model);
		scene.host.restore_ms = PATIENT_MS;
		assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
		scene_assert_former(&scene);
		scene_end(&scene);
	}
}

static void a_slow_step_is_waited_for(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	const struct fault faults[] = {{FAULT_DELAY, 2, 0}, {FAULT_DELAY, 3, 0}};
	kernel_model_arm(scene.model, faults, 2);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	scene_assert_taken(&scene);
	scene_end(&scene);
}

static void a_device_that_a_vm_holds_blocks_its_return_and_goes_back_to_the_vm(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	scene_plan_return(&scene, IMPATIENT_MS);
	scene.host.restore_ms = IMPATIENT_MS;
	kernel_model_hold(scene.model, "0000:01:00.0");
	kernel_model_hold(scene.model, "0000:01:00.1");
	assert_int_equal(scene_run(&scene), TRANSACTION_UNFINISHED);
	kernel_model_release(scene.model);
	scene.host.restore_ms = PATIENT_MS;
	assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
	/* The former state of a return is: taken. */
	scene_assert_former(&scene);
	scene_end(&scene);
}

static char *journal_path(const struct scene *scene) {
	return must_print("%s/%020d.journal", scene->directory, 1);
}

static size_t read_journal(const char *path, char *data, size_t size) {
	int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, data, size);
	close(fd);
	assert_true(length > 0 && (size_t)length < size);
	return (size_t)length;
}

static void write_journal(const char *path, const char *data, size_t size) {
	int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

/* Leaves an open journal of a run that was killed in its middle; its text. */
static size_t interrupt(struct scene *scene, char *data, size_t size) {
	const struct fault fault = {FAULT_KILL_LATE, 5, 0};
	kernel_model_arm(scene->model, &fault, 1);
	assert_int_equal(scene_run(scene), -1);
	char *path = journal_path(scene);
	size_t length = read_journal(path, data, size);
	free(path);
	return length;
}

static void a_journal_cut_off_by_a_power_loss_is_good_up_to_there(void **state) {
	char data[16384];
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	size_t length = interrupt(&scene, data, sizeof(data));
	char *path = journal_path(&scene);
	size_t begin = (size_t)((char *)memchr(data, '\n', length) - data) + 1;
	assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
	for (size_t cut = begin; cut < length; cut++) {
		write_journal(path, data, cut);
		assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
		struct journal_record record;
		assert_int_equal(journal_read(&record, path, NULL), 0);
		assert_int_equal(record.outcome, JOURNAL_UNDONE);
		journal_record_finish(&record);
	}
	scene_assert_former(&scene);
	free(path);
	scene_end(&scene);
}

static void on_the_word_of_a_corrupt_journal_nothing_is_changed(void **state) {
	char data[16384];
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	size_t length = interrupt(&scene, data, sizeof(data));
	char *path = journal_path(&scene), *middle = kernel_model_state(scene.model);
	const char *last = data + length - 1;
	while (last[-1] != '\n') {
		last--;
	}
	unsigned operations = kernel_model_operations(scene.model);
	for (const char *at = data; at < last; at += 7) {
		char *broken = must_alloc(length, 1);
		memcpy(broken, data, length);
		broken[at - data] ^= 0x11;
		write_journal(path, broken, length);
		struct error error;
		assert_int_equal(transaction_recover(&scene.host, &error), TRANSACTION_UNFINISHED);
		assert_non_null(strstr(error.text, "corrupt in line"));
		assert_int_equal(transaction_run(&scene.host, "take", &scene.plan, &error),
			TRANSACTION_REFUSED);
		free(broken);
	}
	assert_int_equal(kernel_model_operations(scene.model), operations);
	char *now = kernel_model_state(scene.model);
	assert_string_equal(now, middle);
	write_journal(path, "", 0);
	struct error error;
	assert_int_equal(transaction_recover(&scene.host, &error), TRANSACTION_UNFINISHED);
	assert_non_null(strstr(error.text, "is empty"));
	write_journal(path, data, length);
	assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
	scene_assert_former(&scene);
	free(now);
	free(middle);
	free(path);
	scene_end(&scene);
}

static void a_reboot_closes_what_was_open_and_writes_nothing(void **state) {
	char data[16384];
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	interrupt(&scene, data, sizeof(data));
	memory_tree_put_file(
		kernel_model_memory(scene.model), "/proc/sys/kernel/random/boot_id", "boot-2\n", 7);
	kernel_model_arm(scene.model, NULL, 0);
	assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
	assert_int_equal(kernel_model_operations(scene.model), 0);
	struct journal_records records;
	struct strings problems = {0};
	journal_read_all(&records, scene.directory, &problems);
	assert_int_equal(records.count, 1);
	assert_int_equal(records.items[0].outcome, JOURNAL_UNDONE);
	journal_records_finish(&records);
	scene_end(&scene);
}

static void another_card_at_the_address_is_not_touched_by_recovery(void **state) {
	char data[16384];
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	interrupt(&scene, data, sizeof(data));
	memory_tree_put_file(kernel_model_memory(scene.model),
		"/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/device", "0x1234\n", 7);
	kernel_model_arm(scene.model, NULL, 0);
	assert_int_equal(scene_recover(&scene), TRANSACTION_UNDONE);
	char *log = kernel_model_log(scene.model);
	assert_null(strstr(log, "0000:01:00.0"));
	assert_non_null(strstr(log, "0000:01:00.1"));
	free(log);
	scene_end(&scene);
}

static void a_plan_made_before_the_machine_changed_is_refused(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	struct transaction_host host = scene.host;
	host.steps.tree = memory_tree_base(kernel_model_memory(scene.model));
	assert_int_equal(transaction_run(&host, "take", &scene.plan, &error), TRANSACTION_UNDONE);
	assert_non_null(strstr(error.text, "Read-only file system"));
	kernel_model_arm(scene.model, NULL, 0);
	host = scene.host;
	host.journals = "/proc/nonexistent/journals";
	assert_int_equal(transaction_run(&host, "take", &scene.plan, &error), TRANSACTION_REFUSED);
	assert_non_null(strstr(error.text, "/proc/nonexistent"));
	assert_int_equal(kernel_model_operations(scene.model), 0);
	scene_assert_former(&scene);
	scene_end(&scene);
}

static void the_former_driver_is_remembered_until_the_device_is_returned(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	const struct pci_device *gpu = machine_find(&scene.machine, "0000:01:00.0");
	struct journal_records records;
	struct strings problems = {0};
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	journal_read_all(&records, scene.directory, &problems);
	const struct driver_state *former = transaction_former(&records, "boot-1", gpu);
	assert_non_null(former);
	assert_string_equal(former->driver, "nvidia");
	assert_null(former->override);
	assert_null(transaction_former(&records, "boot-2", gpu));
	journal_records_finish(&records);
	scene_plan_return(&scene, PATIENT_MS);
	assert_int_equal(
		transaction_run(&scene.host, "return", &scene.plan, NULL), TRANSACTION_COMMITTED);
	gpu = machine_find(&scene.machine, "0000:01:00.0");
	journal_read_all(&records, scene.directory, &problems);
	assert_null(transaction_former(&records, "boot-1", gpu));
	journal_records_finish(&records);
	scene_end(&scene);
}

static void old_journals_are_removed_but_none_that_something_hangs_on(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0", PATIENT_MS);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	const struct pci_device *gpu = machine_find(&scene.machine, "0000:01:00.0");
	/* A plan for the other card fails again and again. */
	struct plan plan = {0};
	const struct driver_state wanted = {(char *)"no-such-driver", NULL};
	plan_add(&plan, machine_find(&scene.machine, "0000:03:00.0"), &wanted);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(
			transaction_run(&scene.host, "take", &plan, NULL), TRANSACTION_UNDONE);
	}
	struct journal_records records;
	struct strings problems = {0};
	journal_read_all(&records, scene.directory, &problems);
	assert_int_equal(records.count, 1 + 32 + 1);
	assert_non_null(transaction_former(&records, "boot-1", gpu));
	journal_records_finish(&records);
	plan_finish(&plan);
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
		cmocka_unit_test(a_slow_step_is_waited_for),
		cmocka_unit_test(
			a_device_that_a_vm_holds_blocks_its_return_and_goes_back_to_the_vm),
		cmocka_unit_test(a_journal_cut_off_by_a_power_loss_is_good_up_to_there),
		cmocka_unit_test(on_the_word_of_a_corrupt_journal_nothing_is_changed),
		cmocka_unit_test(a_reboot_closes_what_was_open_and_writes_nothing),
		cmocka_unit_test(another_card_at_the_address_is_not_touched_by_recovery),
		cmocka_unit_test(a_plan_made_before_the_machine_changed_is_refused),
		cmocka_unit_test(two_changes_at_once_are_refused),
		cmocka_unit_test(a_read_only_sysfs_or_journal_changes_nothing_and_says_so),
		cmocka_unit_test(old_journals_are_removed_but_none_that_something_hangs_on),
		cmocka_unit_test(the_former_driver_is_remembered_until_the_device_is_returned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
