#include "tree/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/must.h"

struct directory_tree {
	struct tree base;
	int root;
	bool whole; /* the root is the process's own */
};

/* Where everything is below the root anyway, one may do without openat2(2): systemd's sandbox with
 * RestrictSUIDSGID= takes it away, since its filter cannot read the flags. */
static int open_plainly(const struct directory_tree *directory, const char *path, int flags) {
	if (!directory->whole) {
		errno = ENOSYS;
		return -1;
	}
	return openat(directory->root, path, flags | O_CLOEXEC);
}

static int open_in(struct tree *tree, const char *path, int flags) {
	struct directory_tree *directory = (struct directory_tree *)tree;
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	if (path[0] == '\0') {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd;
	do {
		fd = (int)syscall(SYS_openat2, directory->root, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 && errno == ENOSYS ? open_plainly(directory, path, flags) : fd;
}

/* close(2) that keeps errno. */
static void close_quietly(int fd) {
	int saved = errno;
	close(fd);
	errno = saved;
}

static ssize_t directory_read(struct tree *tree, const char *path, void *data, size_t size) {
	int fd = open_in(tree, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		return -1;
	}
	size_t length = 0;
	while (length < size) {
		ssize_t got = read(fd, (char *)data + length, size - length);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			close_quietly(fd);
			return -1;
		}
		if (got == 0) {
			break;
		}
		length += (size_t)got;
	}
	close(fd);
	return (ssize_t)length;
}

static ssize_t directory_read_link(struct tree *tree, const char *path, char *data, size_t size) {
	/* The link itself, not what it leads to; in its directory, since /proc/PID/fd/N is a magic
	 * link that openat2 would refuse to pass. */
	char *parent = must_copy(path);
	char *slash = strrchr(parent, '/');
	ssize_t length = -1;
	if (!slash || slash[1] == '\0') {
		errno = EINVAL;
		free(parent);
		return -1;
	}
	*slash = '\0';
	int fd = open_in(tree, parent[0] ? parent : "/", O_PATH | O_DIRECTORY);
	if (fd >= 0) {
		length = readlinkat(fd, slash + 1, data, size);
		close_quietly(fd);
	}
	free(parent);
	return length;
}

static int directory_list(struct tree *tree, const char *path, struct strings *names) {
	int fd = open_in(tree, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0) {
		return -1;
	}
	DIR *stream = fdopendir(fd);
	if (!stream) {
		close_quietly(fd);
		return -1;
	}
	const struct dirent *entry;
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			strings_add(names, entry->d_name);
		}
	}
	closedir(stream);
	return 0;
}

static int directory_write(struct tree *tree, const char *path, const char *text) {
	int fd = open_in(tree, path, O_WRONLY);
	if (fd < 0) {
		return -1;
	}
	/* Never retried: in sysfs the write is the action, and EINTR may come after it. */
	size_t length = strlen(text);
	ssize_t written = write(fd, text, length);
	if (written >= 0 && (size_t)written != length) {
		written = -1;
		errno = EIO;
	}
	close_quietly(fd);
	return written < 0 ? -1 : 0;
}

static void directory_destroy(struct tree *tree) {
	close(((struct directory_tree *)tree)->root);
	free(tree);
}

static const struct tree_interface directory_interface = {
	.read = directory_read,
	.read_link = directory_read_link,
	.list = directory_list,
	.write = directory_write,
	.destroy = directory_destroy,
};

struct tree *directory_tree_create(const char *root) {
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return NULL;
	}
	struct directory_tree *directory = must_alloc(1, sizeof(*directory));
	directory->base.impl = &directory_interface;
	directory->root = fd;
	struct stat own, given;
	directory->whole = stat("/", &own) == 0 && fstat(fd, &given) == 0 &&
			   own.st_dev == given.st_dev && own.st_ino == given.st_ino;
	return &directory->base;
}
