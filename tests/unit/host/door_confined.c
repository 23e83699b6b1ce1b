#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "door/confine.h"
#include "door_scene.h"

/* A door that has given up what it does not need, in a process of its own. */

/* Whether something that reaches another process was let. */
static bool reaches(pid_t pid) {
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	return syscall(SYS_tgkill, pid, pid, SIGCONT) == 0 ||
	       prlimit(pid, RLIMIT_CPU, &limit, NULL) == 0 ||
	       fcntl(STDIN_FILENO, F_SETOWN, pid) == 0;
}

/* In a process of its own, since it cannot be undone. */
static int behind_confinement(struct door_scene *scene) {
	pid_t parent = getppid();
	bool reached = false;
	const char *missing;
	struct error error;
	if (confine(NULL, &missing, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 10;
	}
	if (missing == NULL || strstr(missing, "seccomp") == NULL) {
		if (open("/etc/passwd", O_RDONLY) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0) {
			return 11;
		}
		reached = reaches(parent);
	}
	while (scene->open_count == 0) {
		if (sd_event_run(scene->loop, UINT64_MAX) < 0) {
			return 12;
		}
	}
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, "confined");
	/* The caller goes when it has its answer. */
	int result = sd_event_run(scene->loop, UINT64_MAX);
	return result < 0 ? 13 : reached ? 14 : 0;
}

static void await_answer(struct caller *caller) {
	while (caller->answers[0] == '\0') {
		portal_channel_flush(caller->channel);
		struct pollfd poll_fd = {
			.fd = portal_channel_get_fd(caller->channel),
			.events = portal_channel_get_events(caller->channel),
		};
		assert_true(poll(&poll_fd, 1, -1) > 0);
		bool was_ready = caller->ready;
		portal_channel_dispatch(caller->channel, poll_fd.revents);
		assert_false(caller->closed);
		if (caller->ready && !was_ready) {
			door_caller_ask(caller, 1, PORTAL_CALL_LIST, NULL);
		}
	}
}

/* In a process of its own, which opens nothing any more. How its stream was lost, as an errno. */
static int confined_loss(struct door_scene *scene) {
	const char *missing;
	struct error error;
	door_scene_open(scene, door_scene_listen(scene));
	if (confine(NULL, &missing, &error) < 0) {
		return 255;
	}
	while (scene->lost == 0) {
		if (sd_event_run(scene->loop, UINT64_MAX) < 0) {
			return 255;
		}
	}
	return scene->lost;
}

/* As QEMU listens for who uses a port. */
static int listen_as_vm(const struct door_scene *scene) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/port", scene->directory);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void a_confined_door_opens_nothing_and_answers(void **state) {
	struct door_scene *scene = *state;
	/* sd-event does not survive a fork, so the child makes its own. */
	door_destroy(scene->door);
	scene->door = NULL;
	scene->loop = sd_event_unref(scene->loop);
	struct portal_transport_listener *listener = door_scene_listen(scene);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (sd_event_new(&scene->loop) < 0) {
			_exit(9);
		}
		door_scene_open(scene, listener);
		_exit(behind_confinement(scene));
	}
	struct caller *caller = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	await_answer(caller);
	assert_string_equal(caller->answers, "1 0 0confined\n");
	portal_channel_destroy(caller->channel);
	caller->channel = NULL;
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	portal_transport_listener_destroy(listener);
}

static void a_confined_door_whose_vm_ends_hears_just_that(void **state) {
	struct door_scene *scene = *state;
	door_destroy(scene->door);
	scene->door = NULL;
	scene->loop = sd_event_unref(scene->loop);
	snprintf(scene->address, sizeof(scene->address), "virtio-serial:%s/port", scene->directory);
	int vm = listen_as_vm(scene);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(vm);
		_exit(sd_event_new(&scene->loop) < 0 ? 255 : confined_loss(scene));
	}
	int stream = accept(vm, NULL, NULL);
	assert_true(stream >= 0);
	char byte;
	assert_int_equal(read(stream, &byte, 1), 1); /* it says that it is new */
	close(stream);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPIPE);
	close(vm);
	unlink(scene->address + strlen("virtio-serial:"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		IN_DOOR_SCENE(a_confined_door_opens_nothing_and_answers),
		IN_DOOR_SCENE(a_confined_door_whose_vm_ends_hears_just_that),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
