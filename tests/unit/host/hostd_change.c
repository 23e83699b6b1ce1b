/* What portal-hostd's process for a change does by itself, beside the transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hostd/change_work.h"
#include "scene.h"

static struct step_host open_host(void *user) {
	return kernel_model_host(user);
}

/* Takes a device; what the process says, the caller's. */
static char *take(struct scene *scene, const char *address) {
	static const struct policy policy;
	static const struct strings none;
	const struct daemon_options options = {.state = scene->directory,
		.root = "/",
		.open_host = open_host,
		.user = scene->model};
	struct strings names = {0};
	strings_add(&names, address);
	const struct change_order order = {
		.kind = CHANGE_TAKE, .names = &names, .unguarded = &none};
	struct change_work work = {&options, &policy, &order};
	char *said = calloc(1, 65536);
	int ends[2], status;
	assert_non_null(said);
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		_exit(change_work(&work, ends[1]));
	}
	close(ends[1]);
	for (ssize_t length = 0, count = 1; count > 0; length += count) {
		count = read(ends[0], said + length, 65535 - (size_t)length);
	}
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	strings_finish(&names);
	return said;
}

/* Somebody else's change keeps even those waiting that only look at the device. */
static void a_look_that_hangs_ends_with_its_time_and_nothing_is_begun(void **state) {
	struct scene scene;
	char command[128];
	scene_begin(&scene, "two-gpu-desktop", "0000:05:00.0");
	kernel_model_lock(scene.model, "0000:06:00.0");
	char *said = take(&scene, "0000:05:00.0");
	assert_non_null(strstr(said, "\"Refused\""));
	assert_non_null(strstr(said, "the devices cannot be looked at: the kernel hangs"));
	free(said);
	assert_int_equal(kernel_model_operations(scene.model), 0);
	kernel_model_release(scene.model);
	said = take(&scene, "0000:05:00.0");
	assert_non_null(strstr(said, "\"done\""));
	free(said);
	scene_assert_taken(&scene);
	snprintf(command, sizeof(command), "rm -r %s/transactions", scene.directory);
	assert_int_equal(system(command), 0);
	scene_end(&scene);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_that_hangs_ends_with_its_time_and_nothing_is_begun),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
