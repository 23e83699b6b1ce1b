#include "context_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "wayland"

static int set_path(struct bridge_context_dir *dir, const char *vm) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (!runtime || runtime[0] != '/') {
		errno = ENOENT;
		return -1;
	}
	if ((size_t)snprintf(dir->path, sizeof(dir->path), "%s/portal/bridge-%s.context", runtime,
		    vm) >= sizeof(dir->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* Both levels; what is there already is fine. */
static int make(char *path) {
	char *slash = strrchr(path, '/');
	*slash = '\0';
	int result = mkdir(path, 0700);
	*slash = '/';
	if (result < 0 && errno != EEXIST) {
		return -1;
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -1 : 0;
}

static int lock(int fd) {
	int result;
	do {
		result = flock(fd, LOCK_EX);
	} while (result < 0 && errno == EINTR);
	return result;
}

/* Whether the locked directory is still the one of this name: who had the lock removed it. */
static bool is_named(const struct bridge_context_dir *dir) {
	struct stat locked, named;
	return fstat(dir->fd, &locked) == 0 && lstat(dir->path, &named) == 0 &&
	       locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
}

/* 1 when it has the lock, 0 when it went in between, -1 with errno. */
static int try_open(struct bridge_context_dir *dir) {
	if (make(dir->path) < 0) {
		return errno == ENOENT ? 0 : -1; /* the upper one went, as an empty one may */
	}
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir->fd < 0) {
		return errno == ENOENT ? 0 : -1;
	}
	int result = lock(dir->fd) < 0 ? -1 : is_named(dir);
	if (result != 1) {
		int error = errno;
		close(dir->fd);
		dir->fd = -1;
		errno = error;
	}
	return result;
}

int bridge_context_dir_open(struct bridge_context_dir *dir, const char *vm) {
	dir->fd = -1;
	if (set_path(dir, vm) < 0) {
		return -1;
	}
	int result = 0;
	for (int tries = 0; result == 0 && tries < 100; tries++) {
		result = try_open(dir);
	}
	if (result <= 0) {
		errno = result == 0 ? ENOENT : errno;
		return -1;
	}
	if (unlinkat(dir->fd, SOCKET_NAME, 0) < 0 && errno != ENOENT) {
		int error = errno;
		bridge_context_dir_close(dir);
		errno = error;
		return -1;
	}
	return 0;
}

int bridge_context_dir_listen(const struct bridge_context_dir *dir) {
	/* By its descriptor: the path of a long name does not fit into an address. */
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" SOCKET_NAME,
		dir->fd);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -1;
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int bridge_context_dir_open_socket(const struct bridge_context_dir *dir) {
	return openat(dir->fd, SOCKET_NAME, O_PATH | O_CLOEXEC | O_NOFOLLOW);
}

void bridge_context_dir_close(struct bridge_context_dir *dir) {
	unlinkat(dir->fd, SOCKET_NAME, 0);
	rmdir(dir->path);
	char *slash = strrchr(dir->path, '/');
	*slash = '\0';
	rmdir(dir->path); /* where nothing else is in it */
	close(dir->fd);
	dir->fd = -1;
}
