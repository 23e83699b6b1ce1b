#include "tree/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
	bool plain; /* there is no openat2(2) */
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
	if (directory->plain) {
		return open_plainly(directory, path, flags);
	}
	int fd;
	do {
		fd = (int)syscall(SYS_openat2, directory->root, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	if (fd < 0 && errno == ENOSYS) {
		directory->plain = true;
		return open_plainly(directory, path, flags);
	}
	return fd;
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

static bool is_number(const char *text, size_t length) {
	return length > 0 && strspn(text, "0123456789") == length;
}

/* "/proc/PID/fd/N" */
static bool is_descriptor(const char *path) {
	static const char proc[] = "/proc/", fd[] = "/fd/";
	if (strncmp(path, proc, strlen(proc)) != 0) {
		return false;
	}
	const char *pid = path + strlen(proc), *end = strchr(pid, '/');
	return end && is_number(pid, (size_t)(end - pid)) && strncmp(end, fd, strlen(fd)) == 0 &&
	       is_number(end + strlen(fd), strlen(end + strlen(fd)));
}

/* Nobody is asked: a file system of a user's could keep one waiting. */
static int look(int directory, const char *path, struct statx *status) {
	return statx(directory, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, status);
}

/* A link of a descriptor has the path that the file has for the process that opened it. In a mount
 * namespace of his own everybody can give a file the path of a device node, and would seem to have
 * the device open. What is below /dev is root's but for these, which are no devices'. */
static bool is_impostor(int directory, const char *name, const char *text, size_t length) {
	static const char dev[] = "/dev/", shm[] = "/dev/shm/", mqueue[] = "/dev/mqueue/";
	char node[PATH_MAX];
	struct statx opened, real;
	if (length >= sizeof(node)) {
		return true;
	}
	memcpy(node, text, length);
	node[length] = '\0';
	if (strncmp(node, dev, strlen(dev)) != 0 || strncmp(node, shm, strlen(shm)) == 0 ||
		strncmp(node, mqueue, strlen(mqueue)) == 0) {
		return false;
	}
	return look(directory, name, &opened) < 0 || look(AT_FDCWD, node, &real) < 0 ||
	       ((opened.stx_mode ^ real.stx_mode) & S_IFMT) != 0 ||
	       opened.stx_rdev_major != real.stx_rdev_major ||
	       opened.stx_rdev_minor != real.stx_rdev_minor;
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
		if (length > 0 && ((struct directory_tree *)tree)->whole && is_descriptor(path) &&
			is_impostor(fd, slash + 1, data, (size_t)length)) {
			length = -1;
			errno = ENOENT; /* it leads nowhere in this tree */
		}
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
