/* What a change leaves written down: after a power loss, damaged, of another boot, and for later.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "scene.h"

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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
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

static void the_former_driver_is_remembered_until_the_device_is_returned(void **state) {
	struct scene scene;
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
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
	scene_plan_return(&scene);
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
	scene_begin(&scene, "notes-laptop", "0000:01:00.0");
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
		cmocka_unit_test(a_journal_cut_off_by_a_power_loss_is_good_up_to_there),
		cmocka_unit_test(on_the_word_of_a_corrupt_journal_nothing_is_changed),
		cmocka_unit_test(a_reboot_closes_what_was_open_and_writes_nothing),
		cmocka_unit_test(another_card_at_the_address_is_not_touched_by_recovery),
		cmocka_unit_test(old_journals_are_removed_but_none_that_something_hangs_on),
		cmocka_unit_test(the_former_driver_is_remembered_until_the_device_is_returned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
