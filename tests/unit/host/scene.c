#include "scene.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"

/* Counts in the process that runs; each run is a process of its own. */
static int reports_left = -1;

static void count_down(const char *sentence, void *user) {
	if (reports_left >= 0 && reports_left-- == 0) {
		raise(SIGKILL);
	}
}

void scene_kill_at(struct scene *scene, int report) {
	reports_left = report;
}

void scene_begin_with(struct scene *scene, struct kernel_model *model) {
	*scene = (struct scene){.model = model, .what = "take"};
	strcpy(scene->directory, "/tmp/host-journal-XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	struct error error;
	assert_int_equal(machine_read(&scene->machine, kernel_model_tree(scene->model), &error), 0);
	scene->host = (struct transaction_host){
		.steps = kernel_model_host(scene->model),
		.journals = scene->directory,
		.progress = count_down,
	};
	scene->before = kernel_model_state(scene->model);
	reports_left = -1;
}

void scene_begin(struct scene *scene, const char *fixture, const char *addresses) {
	struct strings names = {0};
	scene_begin_with(scene, kernel_model_create(fixture));
	char *copy = must_copy(addresses), *rest = copy, *address;
	while ((address = strsep(&rest, " "))) {
		strings_add(&names, address);
	}
	free(copy);
	plan_take(&scene->plan, &scene->machine, &names);
	strings_finish(&names);
}

void scene_plan_release(
	struct scene *scene, const char *address, const struct release_options *options) {
	struct findings findings = {0};
	struct strings names = {0};
	strings_add(&names, address);
	plan_finish(&scene->plan);
	release_plan(&scene->plan, &findings, &scene->machine, &scene->host.steps, &names, &names,
		options);
	strings_finish(&names);
	findings_finish(&findings);
}

/* What is now is what a failure has to end in. */
static void read_again(struct scene *scene) {
	machine_finish(&scene->machine);
	assert_int_equal(machine_read(&scene->machine, kernel_model_tree(scene->model), NULL), 0);
	free(scene->before);
	scene->before = kernel_model_state(scene->model);
}

void scene_plan_return_of_all(struct scene *scene) {
	struct journal_records records;
	struct strings problems = {0}, names = {0};
	read_again(scene);
	journal_read_all(&records, scene->directory, &problems);
	assert_int_equal(problems.count, 0);
	plan_finish(&scene->plan);
	release_plan_return(
		&scene->plan, &scene->machine, &scene->host.steps, &names, &records, "boot-1");
	scene->what = "return";
	journal_records_finish(&records);
}

void scene_plan_return(struct scene *scene) {
	struct plan back = {0};
	read_again(scene);
	for (size_t i = scene->plan.devices_count; i > 0; i--) {
		const struct plan_device *device = &scene->plan.devices[i - 1];
		plan_add(&back, machine_find(&scene->machine, device->address), &device->former);
	}
	plan_finish(&scene->plan);
	scene->plan = back;
}

static void remove_directory(const char *path) {
	DIR *stream = opendir(path);
	const struct dirent *entry;
	while (stream && (entry = readdir(stream))) {
		unlinkat(dirfd(stream), entry->d_name, 0);
	}
	if (stream) {
		closedir(stream);
	}
	rmdir(path);
}

void scene_end(struct scene *scene) {
	remove_directory(scene->directory);
	free(scene->before);
	plan_finish(&scene->plan);
	machine_finish(&scene->machine);
	kernel_model_destroy(scene->model);
}

void scene_assert_former(const struct scene *scene) {
	char *now = kernel_model_state(scene->model);
	if (strcmp(now, scene->before) != 0) {
		fail_msg("was:\n%s\nis:\n%s", scene->before, now);
	}
	free(now);
}

void scene_assert_taken(const struct scene *scene) {
	for (size_t i = 0; i < scene->plan.devices_count; i++) {
		const struct plan_device *device = &scene->plan.devices[i];
		struct driver_state state;
		assert_int_equal(
			step_read_state(kernel_model_tree(scene->model), device->address, &state),
			0);
		assert_true(driver_state_equal(&state, &device->wanted));
		driver_state_finish(&state);
	}
}

static int run(struct scene *scene, bool recover) {
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct error error;
		_exit(recover ? (int)transaction_recover(&scene->host, &error)
			      : (int)transaction_run(
					&scene->host, scene->what, &scene->plan, &error));
	}
	int status;
	while (waitpid(pid, &status, 0) < 0) {
		assert_int_equal(errno, EINTR);
	}
	reports_left = -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int scene_run(struct scene *scene) {
	return run(scene, false);
}

int scene_recover(struct scene *scene) {
	return run(scene, true);
}

/* Each run reads all journals that there are, and the last thirty or so are kept. */
static void remove_undone(const struct scene *scene) {
	struct journal_records records;
	struct strings problems = {0};
	journal_read_all(&records, scene->directory, &problems);
	assert_int_equal(problems.count, 0);
	for (size_t i = 0; i < records.count; i++) {
		if (records.items[i].outcome == JOURNAL_UNDONE) {
			unlink(records.items[i].path);
		}
	}
	journal_records_finish(&records);
}

static void assert_undone(struct scene *scene) {
	assert_int_equal(scene_recover(scene), TRANSACTION_UNDONE);
	scene_assert_former(scene);
	remove_undone(scene);
}

static bool kills(const struct fault *fault) {
	return fault->kind == FAULT_KILL || fault->kind == FAULT_KILL_LATE;
}

void scene_fail(struct scene *scene, const struct fault *faults, size_t count) {
	bool killed = false;
	for (size_t i = 0; i < count; i++) {
		killed |= kills(&faults[i]);
	}
	kernel_model_arm(scene->model, faults, count);
	assert_int_equal(scene_run(scene), killed ? -1 : TRANSACTION_UNDONE);
	assert_undone(scene);
}

void scene_kill_twice(struct scene *scene, const struct fault faults[2]) {
	kernel_model_arm(scene->model, faults, 2);
	assert_int_equal(scene_run(scene), -1);
	int outcome = scene_recover(scene);
	assert_true(outcome == -1 || outcome == TRANSACTION_UNDONE);
	assert_undone(scene);
}

int scene_kill_at_each(struct scene *scene) {
	for (int report = 0;; report++) {
		kernel_model_arm(scene->model, NULL, 0);
		scene_kill_at(scene, report);
		if (scene_run(scene) != -1) {
			return report; /* there was no such moment */
		}
		assert_undone(scene);
	}
}
