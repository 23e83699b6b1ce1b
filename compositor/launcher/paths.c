#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "status.h"

static bool fits(char path[PATH_SIZE], const char *directory, const char *prefix, const char *name,
	const char *suffix) {
	int length = snprintf(path, PATH_SIZE, "%s/%s%s%s", directory, prefix, name, suffix);
	return length > 0 && (size_t)length < PATH_SIZE;
}

int guest_paths_init(struct guest_paths *paths, const char *vm) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (runtime == NULL || runtime[0] != '/') {
		return say_failure(
			RUN_SYSTEM, "XDG_RUNTIME_DIR is not set: run this from within a session");
	}
	const char *directory = paths->directory;
	if (!fits(paths->directory, runtime, "portal", "", "") ||
		!fits(paths->bridge, directory, "bridge-", vm, ".varlink") ||
		!fits(paths->agent, directory, "agent-", vm, "") ||
		!fits(paths->users, directory, "", vm, ".users") ||
		!fits(paths->start, directory, "", vm, ".start") ||
		!fits(paths->state, directory, "", vm, ".state") ||
		!fits(paths->log, directory, "", vm, ".log")) {
		return say_failure(RUN_SYSTEM, "%s is too long a path for sockets", runtime);
	}
	if (mkdir(directory, 0700) < 0 && errno != EEXIST) {
		return say_failure(RUN_SYSTEM, "%s: %s", directory, strerror(errno));
	}
	return RUN_OK;
}

bool paths_make_directories(const char *file) {
	char *path = strdup(file);
	bool made = path != NULL;
	for (char *slash = path; made && (slash = strchr(slash + 1, '/')) != NULL;) {
		*slash = '\0';
		made = mkdir(path, 0700) == 0 || errno == EEXIST;
		*slash = '/';
	}
	free(path);
	return made;
}

static char *executable(const char *directory, const char *between, const char *name) {
	char *path;
	if (asprintf(&path, "%s%s/%s", directory, between, name) < 0) {
		return NULL;
	}
	if (access(path, X_OK) == 0) {
		return path;
	}
	free(path);
	return NULL;
}

char *paths_find_program(const char *name, const char *build_directory) {
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *path = NULL;
	if (length > 0) {
		own[length] = '\0';
		*strrchr(own, '/') = '\0';
		path = executable(own, "", name);
		/* In a build tree this program is in compositor/launcher. */
		char *launcher = strstr(own, "/compositor/launcher");
		if (path == NULL && launcher != NULL) {
			*launcher = '\0';
			char between[64];
			snprintf(between, sizeof(between), "/%s", build_directory);
			path = executable(own, between, name);
		}
	}
	if (path == NULL) {
		path = executable(PORTAL_LIBEXECDIR, "/portal", name);
	}
	return path != NULL ? path : strdup(name);
}

int paths_lock(const char *path, int operation, const char *why) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return -1;
	}
	if (flock(fd, operation | LOCK_NB) == 0) {
		return fd;
	}
	say_progress("%s", why);
	while (flock(fd, operation) < 0) {
		if (errno != EINTR) {
			int error = errno;
			close(fd);
			errno = error;
			return -1;
		}
	}
	say_progress_done();
	return fd;
}

int paths_listen(const char path[PATH_SIZE]) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -1;
	}
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, path); /* made by guest_paths_init() */
	unlink(path);
	mode_t mask = umask(0177);
	int result = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (result < 0 || listen(fd, SOMAXCONN) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}
