#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

static int write_all(int fd, const char *data, size_t size) {
	while (size > 0) {
		ssize_t written = write(fd, data, size);
		if (written < 0 && errno == EINTR) {
			continue;
		}
		if (written < 0) {
			return -1;
		}
		data += written;
		size -= (size_t)written;
	}
	return 0;
}

int file_sync_directory(const char *path) {
	char *directory = must_copy(path);
	char *slash = strrchr(directory, '/');
	if (slash) {
		slash[slash == directory] = '\0';
	}
	int fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(directory);
	if (fd < 0) {
		return -1;
	}
	int status = fsync(fd);
	int saved = errno;
	close(fd);
	errno = saved;
	return status;
}

/* Closes `fd` whatever happens; -1 with the first errno. */
static int fill(int fd, const void *data, size_t size, mode_t mode) {
	int status = fchmod(fd, mode);
	if (status == 0) {
		status = write_all(fd, data, size);
	}
	if (status == 0) {
		status = fsync(fd);
	}
	int saved = errno;
	if (close(fd) < 0 && status == 0) {
		return -1;
	}
	errno = saved;
	return status;
}

int file_create(const char *path, const void *data, size_t size, mode_t mode) {
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -1;
	}
	int status = fill(fd, data, size, mode);
	if (status < 0) {
		int saved = errno;
		unlink(path);
		errno = saved;
	}
	return status;
}

int file_replace(
	const char *path, const void *data, size_t size, mode_t mode, struct error *error) {
	char *beside = must_print("%s.XXXXXX", path);
	int fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0) {
		error_set(error, "%s: %s", path, strerror(errno));
		free(beside);
		return -1;
	}
	int status = fill(fd, data, size, mode);
	if (status == 0) {
		status = rename(beside, path);
	}
	if (status < 0) {
		error_set(error, "%s: %s", path, strerror(errno));
		unlink(beside);
	} else if (file_sync_directory(path) < 0) {
		status = error_set(error, "%s: %s", path, strerror(errno));
	}
	free(beside);
	return status;
}

int file_make_directory(const char *path, mode_t mode, struct error *error) {
	char *partial = must_copy(path);
	for (char *at = partial + 1;; at++) {
		if (*at != '/' && *at != '\0') {
			continue;
		}
		char end = *at;
		*at = '\0';
		if (mkdir(partial, end ? 0755 : mode) < 0 && errno != EEXIST) {
			error_set(error, "%s: %s", partial, strerror(errno));
			free(partial);
			return -1;
		}
		*at = end;
		if (end == '\0') {
			break;
		}
	}
	free(partial);
	return 0;
}
