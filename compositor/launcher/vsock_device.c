#include "vsock_device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "domain/spec.h"
#include "say.h"
#include "spawn.h"
#include "status.h"

#define PROGRAM "vhost-device-vsock"

/* Until the socket is there or the process is not. */
static bool wait_for_socket(int notify, const char *socket, pid_t pid) {
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd wait[] = {
		{.fd = notify, .events = POLLIN}, {.fd = process, .events = POLLIN}};
	bool there = false;
	while (!(there = access(socket, F_OK) == 0)) {
		if (poll(wait, 2, -1) < 0 && errno != EINTR) {
			break;
		}
		char events[4096];
		if (wait[1].revents != 0 ||
			(wait[0].revents != 0 && read(notify, events, sizeof(events)) < 0)) {
			break;
		}
	}
	if (process >= 0) {
		close(process);
	}
	return there;
}

static int start(const char *socket, unsigned cid, int lock) {
	char *uds = NULL, *directory = strdup(socket), guest_cid[16];
	if (directory == NULL || asprintf(&uds, "%s" DOMAIN_VSOCK_SUFFIX, socket) < 0) {
		free(directory);
		return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	*strrchr(directory, '/') = '\0';
	snprintf(guest_cid, sizeof(guest_cid), "%u", cid);
	const char *argv[] = {
		PROGRAM, "--guest-cid", guest_cid, "--socket", socket, "--uds-path", uds, NULL};
	unlink(socket);
	unlink(uds);
	int notify = inotify_init1(IN_CLOEXEC);
	int log = spawn_journal(PROGRAM);
	struct spawn spawn = {
		.argv = (char *const *)argv,
		.output = log >= 0 ? log : open("/dev/null", O_WRONLY | O_CLOEXEC),
		.fds = {lock},
		.fds_len = 1,
		.session = true,
	};
	int status = RUN_OK;
	pid_t pid = -1;
	if (notify < 0 || inotify_add_watch(notify, directory, IN_CREATE | IN_MOVED_TO) < 0) {
		status = say_failure(RUN_SYSTEM, "%s: %s", directory, strerror(errno));
	} else if ((pid = spawn_program(&spawn)) < 0) {
		status = say_failure(RUN_SYSTEM, "cannot run " PROGRAM ": %s", strerror(errno));
	} else if (!wait_for_socket(notify, socket, pid)) {
		status = say_failure(RUN_SYSTEM, PROGRAM " ended before it served %s", socket);
	}
	if (notify >= 0) {
		close(notify);
	}
	close(spawn.output);
	free(directory);
	free(uds);
	return status;
}

int vsock_device_start(const char *socket, unsigned cid) {
	/* The process holds the lock for as long as it lives, without knowing. */
	char *path;
	if (asprintf(&path, "%s.lock", socket) < 0) {
		return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0) {
		int status = say_failure(RUN_SYSTEM, "%s: %s", path, strerror(errno));
		free(path);
		return status;
	}
	int status = flock(lock, LOCK_EX | LOCK_NB) < 0 ? RUN_OK : start(socket, cid, lock);
	close(lock);
	free(path);
	return status;
}
