/* The window in which a group may write devices' configuration space: opened, closed, and closed
 * after whatever happened in between. Files in a directory stand for sysfs's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ftw.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "window/config_window.h"
#include "window/hook.h"

static const char *const devices[] = {"0000:01:00.0", "0000:01:00.1", "0000:05:00.0"};
enum { DEVICES = 3 };

struct scene {
	char root[64];
	char *directory;
	struct config_window_host host;
	struct strings card; /* the first two */
	const char *group; /* this process's */
	struct error error;
};

static char *config_path(const struct scene *scene, const char *address) {
	return must_print("%s/sys/bus/pci/devices/%s/config", scene->root, address);
}

static int setup(void **state) {
	struct scene *scene = must_alloc(1, sizeof(*scene));
	strcpy(scene->root, "/tmp/portal-window-XXXXXX");
	assert_non_null(mkdtemp(scene->root));
	scene->directory = must_print("%s/state", scene->root);
	scene->host = (struct config_window_host){scene->root, scene->directory, "boot-1"};
	scene->group = getgrgid(getegid())->gr_name;
	for (size_t i = 0; i < DEVICES; i++) {
		char *path = config_path(scene, devices[i]);
		*strrchr(path, '/') = '\0';
		assert_int_equal(file_make_directory(path, 0755, &scene->error), 0);
		path[strlen(path)] = '/';
		assert_int_equal(file_replace(path, "", 0, i == 1 ? 0600 : 0644, &scene->error), 0);
		free(path);
	}
	strings_add(&scene->card, devices[0]);
	strings_add(&scene->card, devices[1]);
	*state = scene;
	return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
	return remove(path);
}

static int teardown(void **state) {
	struct scene *scene = *state;
	nftw(scene->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	strings_finish(&scene->card);
	free(scene->directory);
	free(scene);
	return 0;
}

static mode_t mode_of(const struct scene *scene, size_t device) {
	struct stat status;
	char *path = config_path(scene, devices[device]);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_gid, getegid());
	free(path);
	return status.st_mode & 0777;
}

static void assert_modes(const struct scene *scene, mode_t first, mode_t second) {
	assert_int_equal(mode_of(scene, 0), first);
	assert_int_equal(mode_of(scene, 1), second);
	assert_int_equal(mode_of(scene, 2), 0644); /* nobody's business */
}

static bool has_record(const struct scene *scene) {
	char *path = must_print("%s/desk.window", scene->directory);
	bool has = access(path, F_OK) == 0;
	free(path);
	return has;
}

static void open_window(struct scene *scene) {
	int result =
		config_window_open(&scene->host, "desk", scene->group, &scene->card, &scene->error);
	assert_string_equal(result < 0 ? scene->error.text : "", "");
	assert_modes(scene, 0660, 0660);
	assert_true(has_record(scene));
}

static void it_opens_and_closes(void **state) {
	struct scene *scene = *state;
	open_window(scene);
	assert_int_equal(config_window_close(&scene->host, "other", &scene->error), 0);
	assert_modes(scene, 0660, 0660);
	assert_int_equal(config_window_close(&scene->host, "desk", &scene->error), 0);
	assert_modes(scene, 0644, 0600);
	assert_false(has_record(scene));
	assert_int_equal(config_window_close(&scene->host, "desk", &scene->error), 0);
	assert_modes(scene, 0644, 0600);
}

static void opened_twice_it_still_knows_what_was(void **state) {
	struct scene *scene = *state;
	open_window(scene);
	open_window(scene);
	assert_int_equal(config_window_close(&scene->host, "desk", &scene->error), 0);
	assert_modes(scene, 0644, 0600);
}

/* Two VMs that are defined with one card are started at once, of which libvirt lets one. */
static void the_windows_of_two_vms_with_one_card_leave_it_as_it_was(void **state) {
	struct scene *scene = *state;
	static const char *const order[][2] = {{"desk", "play"}, {"play", "desk"}};
	for (size_t i = 0; i < 2; i++) {
		open_window(scene);
		assert_int_equal(config_window_open(&scene->host, "play", scene->group,
					 &scene->card, &scene->error),
			0);
		for (size_t j = 0; j < 2; j++) {
			assert_int_equal(
				config_window_close(&scene->host, order[i][j], &scene->error), 0);
			assert_modes(scene, 0644, 0600);
		}
	}
}

/* They write one record each, and find the other's whole or not at all. */
static void windows_that_are_opened_at_once_do_not_mix(void **state) {
	struct scene *scene = *state;
	enum { VMS = 8, TIMES = 20 };
	pid_t children[VMS];
	for (size_t i = 0; i < VMS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char name[16];
			int failed = 0;
			snprintf(name, sizeof(name), "vm%zu", i);
			for (size_t j = 0; j < TIMES; j++) {
				failed |= config_window_open(
					&scene->host, name, scene->group, &scene->card, NULL);
				failed |= config_window_close(&scene->host, name, NULL);
			}
			_exit(failed != 0);
		}
	}
	for (size_t i = 0; i < VMS; i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_modes(scene, 0644, 0600);
}

/* libvirt's words for what happens to a VM, and whether the policy still has the line by then. */
static void a_start_closes_what_it_opened_however_it_ends(void **state) {
	struct scene *scene = *state;
	static const char definition[] =
		"<domain><devices><hostdev type='pci'><source><address domain='0' bus='1' slot='0' "
		"function='0'/></source></hostdev></devices></domain>";
	static const char *const ends[] = {"started", "stopped", "release", "reconnect"};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) * 2; i++) {
		const char *group = i % 2 == 0 ? scene->group : NULL;
		assert_int_equal(window_hook(&scene->host, scene->group, "desk", "prepare",
					 definition, &scene->error),
			0);
		assert_modes(scene, 0660, 0600);
		assert_int_equal(window_hook(&scene->host, group, "desk", "start", definition,
					 &scene->error),
			0);
		assert_modes(scene, 0660, 0600);
		assert_int_equal(
			window_hook(&scene->host, group, "desk", ends[i / 2], "", &scene->error),
			0);
		assert_modes(scene, 0644, 0600);
	}
	assert_int_equal(
		window_hook(&scene->host, NULL, "desk", "prepare", definition, &scene->error), 0);
	assert_modes(scene, 0644, 0600);
}

static void without_a_boot_id_nothing_is_opened_and_everything_closed(void **state) {
	struct scene *scene = *state;
	open_window(scene);
	scene->host.boot = "";
	assert_int_equal(
		config_window_open(&scene->host, "play", scene->group, &scene->card, &scene->error),
		-1);
	assert_non_null(strstr(scene->error.text, "the kernel's boot id cannot be read"));
	assert_int_equal(config_window_close(&scene->host, "desk", &scene->error), 0);
	assert_modes(scene, 0644, 0600);
}

static void a_killed_process_leaves_no_open_window(void **state) {
	struct scene *scene = *state;
	pid_t child = fork();
	if (child == 0) {
		config_window_open(&scene->host, "desk", scene->group, &scene->card, NULL);
		raise(SIGKILL);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_modes(scene, 0660, 0660);
	/* A file that was being replaced then is none of the records. */
	char *half = must_print("%s/desk.window.Ab12Cd", scene->directory);
	assert_int_equal(file_create(half, "portal", 6, 0600), 0);
	free(half);
	assert_int_equal(config_window_recover(&scene->host, &scene->error), 0);
	assert_modes(scene, 0644, 0600);
	assert_false(has_record(scene));
}

static void nothing_outlives_a_boot(void **state) {
	struct scene *scene = *state;
	open_window(scene);
	scene->host.boot = "boot-2";
	assert_int_equal(config_window_recover(&scene->host, &scene->error), 0);
	assert_false(has_record(scene));
	/* sysfs was made anew: what is there now is not what was recorded. */
	assert_modes(scene, 0660, 0660);
}

static void a_function_that_is_absent_refuses_it_for_all(void **state) {
	struct scene *scene = *state;
	strings_add(&scene->card, "0000:09:00.0");
	assert_int_equal(
		config_window_open(&scene->host, "desk", scene->group, &scene->card, &scene->error),
		-1);
	assert_non_null(strstr(scene->error.text, "0000:09:00.0/config: No such file"));
	assert_modes(scene, 0644, 0600);
	assert_false(has_record(scene));
}

static void a_function_that_has_gone_needs_no_closing(void **state) {
	struct scene *scene = *state;
	open_window(scene);
	char *path = config_path(scene, devices[0]);
	assert_int_equal(unlink(path), 0);
	free(path);
	assert_int_equal(config_window_close(&scene->host, "desk", &scene->error), 0);
	assert_int_equal(mode_of(scene, 1), 0600);
	assert_false(has_record(scene));
}

static void bad_names_and_records_are_told(void **state) {
	struct scene *scene = *state;
	static const char *const names[] = {"", "..", "a/b", ".hidden"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(config_window_open(&scene->host, names[i], scene->group,
					 &scene->card, &scene->error),
			-1);
		assert_non_null(strstr(scene->error.text, "is no name of a VM"));
	}
	assert_int_equal(config_window_open(&scene->host, "desk", "no-such-group", &scene->card,
				 &scene->error),
		-1);
	assert_string_equal(scene->error.text, "there is no group \"no-such-group\"");
	open_window(scene);
	static const char *const broken[] = {"", "portal-config-window 1\n",
		"portal-config-window 1\nboot boot-1\n0000:01:00.0 0 0 644\n",
		"portal-config-window 1\nboot boot-1\n../../x 0 0 644\nend\n",
		"portal-config-window 1\nboot boot-1\n0000:01:00.0 0 0 7777\nend\n",
		"portal-config-window 2\nboot boot-1\nend\n"};
	char *path = must_print("%s/desk.window", scene->directory);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		assert_int_equal(
			file_replace(path, broken[i], strlen(broken[i]), 0600, &scene->error), 0);
		assert_int_equal(config_window_close(&scene->host, "desk", &scene->error), -1);
		assert_non_null(strstr(scene->error.text, "is no record of a window"));
		assert_int_equal(config_window_recover(&scene->host, &scene->error), -1);
		assert_modes(scene, 0660, 0660);
	}
	free(path);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_opens_and_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			opened_twice_it_still_knows_what_was, setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_windows_of_two_vms_with_one_card_leave_it_as_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(
			windows_that_are_opened_at_once_do_not_mix, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_start_closes_what_it_opened_however_it_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(
			without_a_boot_id_nothing_is_opened_and_everything_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_killed_process_leaves_no_open_window, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_outlives_a_boot, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_function_that_is_absent_refuses_it_for_all, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_function_that_has_gone_needs_no_closing, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_names_and_records_are_told, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
