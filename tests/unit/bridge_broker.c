/* What a confined process gets from the one that started it, and what it cannot do to it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker.h"
#include "log.h"
#include "sandbox.h"

#define SECOND UINT64_C(1000000000)

struct scene {
	char directory[32];
	int listener, socket_fd, inner_fd;
	struct bridge_broker broker;
};

static int setup(void **state) {
	static struct scene scene;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(scene.directory, "/tmp/portal-broker-XXXXXX");
	assert_non_null(mkdtemp(scene.directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/wayland", scene.directory);
	scene.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(scene.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(scene.listener, 512), 0);
	scene.socket_fd = open(address.sun_path, O_PATH | O_CLOEXEC);
	assert_true(scene.socket_fd >= 0);
	/* As the bridge does: the name is gone before a guest is heard. */
	unlink(address.sun_path);
	assert_int_equal(bridge_broker_init(&scene.broker, scene.socket_fd, &scene.inner_fd), 0);
	*state = &scene;
	return 0;
}

static int teardown(void **state) {
	struct scene *scene = *state;
	bridge_broker_finish(&scene->broker);
	if (scene->inner_fd >= 0) {
		close(scene->inner_fd);
	}
	close(scene->socket_fd);
	if (scene->listener >= 0) {
		close(scene->listener);
	}
	rmdir(scene->directory);
	return 0;
}

static void ask(struct scene *scene, const char *request) {
	assert_int_equal(send(scene->inner_fd, request, strlen(request), 0), strlen(request));
}

/* In a process of its own, which ends with 0 when it could greet the compositor. */
static int ask_confined(struct scene *scene) {
	struct bridge_log log;
	bridge_log_init(&log, "test");
	if (bridge_sandbox_enter(1 << 20, &log) < 0) {
		return 1;
	}
	int fd = bridge_broker_connect(scene->inner_fd);
	if (fd < 0) {
		return 2;
	}
	int flags = fcntl(fd, F_GETFL);
	if (!(flags & O_NONBLOCK) || fcntl(fd, F_GETFD) != FD_CLOEXEC) {
		return 3;
	}
	return write(fd, "hello", 5) == 5 ? 0 : 4;
}

static void a_confined_process_gets_a_connection_to_the_compositor(void **state) {
	struct scene *scene = *state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bridge_broker_finish(&scene->broker);
		_exit(ask_confined(scene));
	}
	close(scene->inner_fd);
	scene->inner_fd = -1;
	while (scene->broker.fd >= 0) { /* until the process has ended */
		struct pollfd fds = {.fd = scene->broker.fd, .events = POLLIN};
		assert_int_equal(poll(&fds, 1, -1), 1);
		assert_true(bridge_broker_dispatch(&scene->broker, SECOND));
	}
	int status;
	char greeting[8];
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	int fd = accept(scene->listener, NULL, NULL);
	assert_int_equal(read(fd, greeting, sizeof(greeting)), 5);
	close(fd);
}

static void a_compositor_that_is_gone_is_an_errno(void **state) {
	struct scene *scene = *state;
	close(scene->listener);
	scene->listener = -1;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		_exit(bridge_broker_connect(scene->inner_fd) < 0 ? errno : 0);
	}
	struct pollfd fds = {.fd = scene->broker.fd, .events = POLLIN};
	assert_int_equal(poll(&fds, 1, -1), 1);
	assert_true(bridge_broker_dispatch(&scene->broker, SECOND));
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), ECONNREFUSED);
}

/* The descriptors that a packet of the answer brought, each closed; -1 when there is none. */
static int take_packet(struct scene *scene) {
	int32_t error;
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = &error, .iov_len = sizeof(error)};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	if (recvmsg(scene->inner_fd, &message, MSG_DONTWAIT) != sizeof(error)) {
		return -1;
	}
	assert_int_equal(error, 0);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (!header) {
		return 0;
	}
	int fd;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	close(fd);
	return 1;
}

/* The confined process's loop would else be told of a connection that it has closed. */
static void the_answer_says_when_nobody_else_has_the_connection(void **state) {
	struct scene *scene = *state;
	ask(scene, "c");
	assert_true(bridge_broker_dispatch(&scene->broker, SECOND));
	assert_int_equal(take_packet(scene), 1);
	assert_int_equal(take_packet(scene), 0);
	assert_int_equal(take_packet(scene), -1);
}

static void another_request_ends_the_service(void **state) {
	struct scene *scene = *state;
	ask(scene, "x");
	assert_false(bridge_broker_dispatch(&scene->broker, SECOND));
	assert_int_equal(scene->broker.fd, -1);
	assert_int_equal(bridge_broker_connect(scene->inner_fd), -1);
	assert_int_equal(errno, EPIPE);
}

static void a_longer_request_ends_the_service(void **state) {
	struct scene *scene = *state;
	ask(scene, "cc");
	assert_false(bridge_broker_dispatch(&scene->broker, SECOND));
	assert_int_equal(scene->broker.fd, -1);
}

static void answers_that_are_not_taken_end_the_service(void **state) {
	struct scene *scene = *state;
	int asked = 0;
	do {
		ask(scene, "c");
		asked++;
	} while (bridge_broker_dispatch(&scene->broker, SECOND));
	assert_int_equal(scene->broker.fd, -1);
	/* The user's other programs pass descriptors, too: few are on their way. */
	assert_int_in_range(asked, 2, 32);
}

/* Serves one request at that time; whether it was read. */
static bool serve(struct scene *scene, uint64_t now) {
	ask(scene, "c");
	assert_true(bridge_broker_dispatch(&scene->broker, now));
	bool served = take_packet(scene) == 1 && take_packet(scene) == 0;
	int fd = served ? accept(scene->listener, NULL, NULL) : -1;
	if (fd >= 0) {
		close(fd);
	}
	return served;
}

static void requests_without_end_are_read_slowly(void **state) {
	struct scene *scene = *state;
	int served = 0;
	while (serve(scene, SECOND)) {
		served++;
	}
	assert_int_equal(served, 200);
	uint64_t pause = bridge_broker_get_pause(&scene->broker, SECOND);
	assert_uint_in_range(pause, 1, SECOND / 100);
	assert_int_equal(bridge_broker_get_pause(&scene->broker, SECOND + pause), 0);
	/* The one that waits. */
	assert_true(bridge_broker_dispatch(&scene->broker, SECOND + pause));
	assert_true(bridge_broker_get_pause(&scene->broker, SECOND + pause) > 0);
}

static void readiness_is_told_once(void **state) {
	struct scene *scene = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char message[16];
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", scene->directory);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	for (int i = 0; i < 2; i++) {
		bridge_broker_ready(scene->inner_fd);
		assert_true(bridge_broker_dispatch(&scene->broker, SECOND));
	}
	ssize_t size = recv(fd, message, sizeof(message), 0);
	assert_int_equal(size, 7);
	assert_memory_equal(message, "READY=1", 7);
	assert_int_equal(recv(fd, message, sizeof(message), 0), -1);
	close(fd);
	unlink(address.sun_path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		TEST(a_confined_process_gets_a_connection_to_the_compositor),
		TEST(a_compositor_that_is_gone_is_an_errno),
		TEST(the_answer_says_when_nobody_else_has_the_connection),
		TEST(another_request_ends_the_service),
		TEST(a_longer_request_ends_the_service),
		TEST(answers_that_are_not_taken_end_the_service),
		TEST(requests_without_end_are_read_slowly),
		TEST(readiness_is_told_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
