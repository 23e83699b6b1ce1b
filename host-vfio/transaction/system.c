#include "transaction/system.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transaction/systemd.h"
#include "transaction/vfio.h"

static int load_driver(const char *driver, void *user) {
	char *const argv[] = {(char *)"modprobe", (char *)"--", (char *)(uintptr_t)driver, NULL};
	char *const environment[] = {(char *)"PATH=/usr/sbin:/sbin:/usr/bin:/bin", NULL};
	pid_t pid;
	int error = posix_spawn(&pid, "/sbin/modprobe", NULL, NULL, argv, environment);
	if (error) {
		return error;
	}
	int status;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return errno;
		}
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ENODEV;
}

/* Is it still the process that was meant? */
static bool has_name(int pid, const char *name) {
	char path[64], comm[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);
	if (fd >= 0) {
		close(fd);
	}
	if (length <= 0) {
		return false;
	}
	comm[length - 1] = '\0';
	return strcmp(comm, name) == 0;
}

/* Has it ended by then? `timeout_ms` -1: waits for ever, which the worker's deadline ends. */
static bool wait_for_end(int pidfd, int timeout_ms) {
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	int count;
	do {
		count = poll(&poll_fd, 1, timeout_ms);
	} while (count < 0 && errno == EINTR);
	return count > 0;
}

static int end_process(int pid, const char *name, unsigned force_ms, void *user) {
	int pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		return errno == ESRCH ? 0 : errno;
	}
	int error = 0;
	if (has_name(pid, name)) {
		error = pidfd_send_signal(pidfd, SIGTERM, NULL, 0) < 0 ? errno : 0;
		if (error == 0 && !wait_for_end(pidfd, force_ms ? (int)force_ms : -1)) {
			error = pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 ? errno : 0;
			wait_for_end(pidfd, -1);
		}
	}
	close(pidfd);
	return error == ESRCH ? 0 : error;
}

static void wait_for_close(const char *path, void *user) {
	enum { PATIENCE_MS = 1000 };
	int fd = inotify_init1(IN_CLOEXEC);
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	if (fd >= 0) {
		inotify_add_watch(fd, path, IN_CLOSE);
	}
	/* It may have been closed before it was watched. */
	poll(&poll_fd, 1, PATIENCE_MS);
	if (fd >= 0) {
		close(fd);
	}
}

const struct step_calls system_calls = {
	.load_driver = load_driver,
	.unit_state = systemd_unit_state,
	.unit_set = systemd_unit_set,
	.end_process = end_process,
	.wait_for_close = wait_for_close,
	.vfio_open = vfio_open,
	.vfio_reset_bus = vfio_reset_bus,
	.may_suspend = systemd_may_suspend,
};
