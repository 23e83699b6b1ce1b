#include "sandbox_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <landlock.h>

#include "log.h"
#include "sandbox.h"

static int listen_at(const struct sockaddr_un *address) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

int sandbox_setup(void **state) {
	static struct sockets sockets;
	strcpy(sockets.directory, "/tmp/portal-sandbox-XXXXXX");
	assert_non_null(mkdtemp(sockets.directory));
	sockets.compositor.sun_family = sockets.other.sun_family = AF_UNIX;
	snprintf(sockets.compositor.sun_path, sizeof(sockets.compositor.sun_path), "%s/wayland",
		sockets.directory);
	snprintf(sockets.other.sun_path, sizeof(sockets.other.sun_path), "%s/bus",
		sockets.directory);
	sockets.listeners[0] = listen_at(&sockets.compositor);
	sockets.listeners[1] = listen_at(&sockets.other);
	sockets.compositor_fd = open(sockets.compositor.sun_path, O_PATH | O_CLOEXEC);
	assert_true(sockets.compositor_fd >= 0);
	sockets.unconnected = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* As the bridge does: the name is gone before a guest is heard. */
	unlink(sockets.compositor.sun_path);
	sockets.parent = getpid();
	*state = &sockets;
	return 0;
}

int sandbox_teardown(void **state) {
	struct sockets *sockets = *state;
	close(sockets->compositor_fd);
	close(sockets->unconnected);
	close(sockets->listeners[0]);
	close(sockets->listeners[1]);
	unlink(sockets->other.sun_path);
	rmdir(sockets->directory);
	return 0;
}

int enter_sandbox(struct sockets *sockets) {
	struct bridge_log log;
	bridge_log_init(&log, "test");
	return bridge_sandbox_enter(1 << 20, &log);
}

int enter_landlock(struct sockets *sockets) {
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : landlock_confine();
}

int enter_filter(struct sockets *sockets) {
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : bridge_sandbox_filter();
}

int attempt_in(struct sockets *sockets, int (*enter)(struct sockets *sockets),
	int (*function)(struct sockets *sockets)) {
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (enter(sockets) < 0) {
			_exit(255);
		}
		errno = 0;
		_exit(function(sockets) < 0 ? errno : 0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WEXITSTATUS(status);
}

int attempt(struct sockets *sockets, int (*function)(struct sockets *sockets)) {
	return attempt_in(sockets, enter_sandbox, function);
}

int signal_parent(struct sockets *sockets) {
	return kill(sockets->parent, SIGCONT);
}
