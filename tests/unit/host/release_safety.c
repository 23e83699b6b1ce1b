/* What releasing a graphics card does to others: who has it open, and whether the machine may
 * sleep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "scene.h"

static const char laptop[] = "notes-laptop", card[] = "0000:01:00.0";

static const struct release_options options = {
	.stop_holders = true, .suspend = RELEASE_SUSPEND_ALLOWED};

/* Finds why the machine would not sleep; the caller's, NULL when it would. */
static char *why_not(struct kernel_model *model) {
	struct scene scene;
	struct findings findings = {0};
	struct strings names = {0}, none = {0};
	char *found = NULL;
	scene_begin_with(&scene, model);
	strings_add(&names, card);
	release_plan(
		&scene.plan, &findings, &scene.machine, &scene.host.steps, &names, &none, &options);
	strings_finish(&names);
	for (size_t i = 0; i < findings.count; i++) {
		const char *text = strstr(findings.items[i].text, "will not be suspended: ");
		if (text) {
			found = must_copy(text + strlen("will not be suspended: "));
		}
	}
	bool planned = false;
	for (size_t i = 0; i < scene.plan.rungs_count; i++) {
		planned |= strstr(scene.plan.rungs[i].title, "suspend") != NULL;
	}
	assert_int_equal(found == NULL, planned);
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
	struct memory_tree *tree = fixture_tree(laptop);
	struct kernel_model *model = kernel_model_create_from(tree);
	memory_tree_put_file(tree, path, text, strlen(text));
	return model;
}

static void a_sleep_that_is_not_safe_is_refused_with_its_reason(void **state) {
	assert_null(why_not(kernel_model_create(laptop)));
	assert_why_not(with_file("/sys/power/state", "freeze disk\n"), "(ACPI S3)");
	assert_why_not(with_file("/sys/class/rtc/rtc0/device/power/wakeup", "disabled\n"),
		"no alarm that could wake it");
	struct kernel_model *model = kernel_model_create(laptop);
	tree_write(kernel_model_tree(model), "1800000000", "/sys/class/rtc/rtc0/wakealarm");
	assert_why_not(model, "set for something else");
	model = kernel_model_create(laptop);
	kernel_model_inhibit(model, "a backup runs");
	assert_why_not(model, "a backup runs");
	struct memory_tree *tree = fixture_tree(laptop);
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
 * of the user, which has made groups below its own, a process in groups that are no units', and
 * logind, which opened the card for the session. */
static struct kernel_model *desktop_in_use(void) {
	struct memory_tree *tree = fixture_tree(laptop);
	put_unit(tree, 1390, "/system.slice/nvidia-persistenced.service");
	put_unit(tree, 1411,
		"/user.slice/user-1000.slice/user@1000.service/session.slice/"
		"wireplumber.service/user@0.service/sshd.service");
	put_process(tree, 1500, "Xorg", "/dev/nvidia0");
	put_unit(tree, 1500, "/user.slice/user-1000.slice/session-2.scope");
	put_process(tree, 1501, "cuda\x1b]job", "/dev/nvidia0");
	put_unit(tree, 1501,
		"/user.slice/user-1000.slice/user@1000.service/-all.service/a b.service/"
		"\xff.service");
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
		"ask cuda?]job (pid 1501) to end",
	};
	struct scene scene;
	scene_begin_with(&scene, desktop_in_use());
	scene_plan_release(&scene, card, &options);
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
	scene_plan_release(&scene, card, &options);
	struct error error;
	assert_int_equal(
		transaction_run(&scene.host, "take", &scene.plan, &error), TRANSACTION_UNDONE);
	assert_non_null(strstr(error.text, "has /dev/nvidia0 open"));
	assert_non_null(strstr(error.text,
		"; everything is as it was, but what was ended for it is not back: "
		"session-2.scope, cuda?]job (pid 1501)"));
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
	struct memory_tree *tree = fixture_tree(laptop);
	put_unit(tree, 1390, "/system.slice/nvidia-persistenced.service");
	struct kernel_model *model = kernel_model_create_from(tree);
	kernel_model_add_unit(model, "nvidia-persistenced.service");
	struct scene scene;
	scene_begin_with(&scene, model);
	scene_plan_release(&scene, card, &options);
	char *former = must_copy(scene.before);
	/* It ends with its unit, and the plan was made while it ran. */
	memory_tree_remove(tree, "/proc/1390");
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	char *now = kernel_model_state(model);
	assert_non_null(strstr(now, "nvidia-persistenced.service 0"));
	free(now);
	scene_plan_return_of_all(&scene);
	assert_int_equal(scene_run(&scene), TRANSACTION_COMMITTED);
	now = kernel_model_state(model);
	assert_string_equal(now, former);
	free(now);
	free(former);
	scene_end(&scene);
}

/* No write can take it off, and none is tried. */
static void a_console_in_text_mode_is_in_nobody_s_way(void **state) {
	static const struct release_options options = {.suspend = RELEASE_SUSPEND_NEVER};
	char *const card = (char *)"0000:03:00.0";
	const struct strings names = {(char **)(uintptr_t)&card, 1};
	struct memory_tree *tree = fixture_tree("many-nic-server");
	struct machine machine;
	struct plan plan;
	struct findings findings = {0};
	memory_tree_put_file(tree, "/sys/class/vtconsole/vtcon7/name", "(S) VGA+\n", 9);
	memory_tree_put_file(tree, "/sys/class/vtconsole/vtcon7/bind", "1\n", 2);
	assert_int_equal(machine_read(&machine, memory_tree_base(tree), NULL), 0);
	const struct step_host host = {.tree = memory_tree_base(tree)};
	release_plan(&plan, &findings, &machine, &host, &names, &(struct strings){0}, &options);
	/* The guard keeps the card for it, unless it is told by name. */
	bool kept = false, told = false;
	for (size_t i = 0; i < findings.count; i++) {
		kept |= strstr(findings.items[i].text, "survival guard (console)") != NULL;
		told |= !findings.items[i].blocks && strstr(findings.items[i].text, "vtcon7");
	}
	assert_true(kept && told);
	for (size_t i = 0; i < plan.settings_count; i++) {
		assert_string_not_equal(plan.settings[i].name, "VGA+");
	}
	plan_finish(&plan);
	findings_finish(&findings);
	machine_finish(&machine);
	tree_destroy(memory_tree_base(tree));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_console_in_text_mode_is_in_nobody_s_way),
		cmocka_unit_test(a_sleep_that_is_not_safe_is_refused_with_its_reason),
		cmocka_unit_test(holders_are_stopped_by_their_units_the_display_manager_first),
		cmocka_unit_test(whoever_still_has_the_card_open_is_named_and_everything_undone),
		cmocka_unit_test(
			units_that_were_stopped_for_a_card_are_started_when_it_is_returned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
