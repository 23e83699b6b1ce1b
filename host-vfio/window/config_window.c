#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/must.h"
#include "window/record.h"

enum { OPEN_MODE = 0660, PERMISSIONS = 0777 };

static int open_config(
	const struct config_window_host *host, const char *address, struct error *error) {
	char *path = must_print("%s/sys/bus/pci/devices/%s/config",
		strcmp(host->root, "/") == 0 ? "" : host->root, address);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		int number = errno;
		error_set(error, "%s: %s", path, strerror(number));
		errno = number;
	}
	free(path);
	return fd;
}

/* Writable for the group only once it is the right group. */
static int let_in(int fd, gid_t group) {
	return fchown(fd, 0, group) < 0 || fchmod(fd, OPEN_MODE) < 0 ? -1 : 0;
}

static int shut_out(int fd, const struct window_file *file) {
	return fchmod(fd, file->mode) < 0 || fchown(fd, file->uid, file->gid) < 0 ? -1 : 0;
}

/* A function as it is now. */
static int look_at(const struct config_window_host *host, const char *address,
	struct window_file *file, struct error *error) {
	struct stat status;
	int fd = open_config(host, address, error);
	if (fd < 0) {
		return -1;
	}
	int result = fstat(fd, &status);
	close(fd);
	if (result < 0) {
		return error_set(error, "%s: %s", address, strerror(errno));
	}
	file->uid = status.st_uid;
	file->gid = status.st_gid;
	file->mode = status.st_mode & PERMISSIONS;
	return 0;
}

/*
 * What was there before anything was changed. Two VMs may be defined with one function, and be
 * started at once, of which libvirt lets one: what the other's window made of the file is not what
 * it was.
 */
static int remember(struct window_record *record, const struct config_window_host *host,
	const struct strings *addresses, struct error *error) {
	record->boot = must_copy(host->boot);
	for (size_t i = 0; i < addresses->count; i++) {
		struct window_file file = {0};
		int found = window_record_find(host, addresses->items[i], &file, error);
		if (found < 0 ||
			(found == 0 && look_at(host, addresses->items[i], &file, error) < 0)) {
			return -1;
		}
		file.address = must_copy(addresses->items[i]);
		window_record_add(record, &file);
	}
	return 0;
}

static int restore(const struct config_window_host *host, const struct window_record *record,
	struct error *error) {
	int result = 0;
	for (size_t i = 0; i < record->count; i++) {
		const struct window_file *file = &record->files[i];
		struct error why;
		int fd = open_config(host, file->address, &why);
		if (fd < 0 && (errno == ENOENT || errno == ENODEV)) {
			continue; /* with the function went the window */
		}
		if (fd >= 0 && shut_out(fd, file) < 0) {
			error_set(&why, "%s: %s", file->address, strerror(errno));
			close(fd);
			fd = -1;
		}
		if (fd < 0) {
			result = error_set(error, "%s", why.text);
		} else {
			close(fd);
		}
	}
	return result;
}

static int forget(const char *path, struct error *error) {
	return unlink(path) < 0 || file_sync_directory(path) < 0
		       ? error_set(error, "%s: %s", path, strerror(errno))
		       : 0;
}

static int close_path(
	const struct config_window_host *host, const char *path, struct error *error) {
	struct window_record record;
	int found = window_record_read(&record, path, error);
	if (found <= 0) {
		return found;
	}
	/* A boot that cannot be told may be this one. */
	bool now = host->boot[0] == '\0' || strcmp(record.boot, host->boot) == 0;
	int result = now ? restore(host, &record, error) : 0;
	window_record_finish(&record);
	return result < 0 ? -1 : forget(path, error);
}

static int let_all_in(const struct config_window_host *host, const struct window_record *record,
	gid_t group, struct error *error) {
	for (size_t i = 0; i < record->count; i++) {
		int fd = open_config(host, record->files[i].address, error);
		if (fd < 0) {
			return -1;
		}
		int result = let_in(fd, group);
		int number = errno;
		close(fd);
		if (result < 0) {
			return error_set(
				error, "%s: %s", record->files[i].address, strerror(number));
		}
	}
	return 0;
}

static int open_path(const struct config_window_host *host, const char *path, gid_t group,
	const struct strings *addresses, struct error *error) {
	struct window_record record = {0};
	int result = remember(&record, host, addresses, error);
	if (result == 0) {
		result = window_record_write(&record, path, error);
	}
	if (result == 0 && let_all_in(host, &record, group, error) < 0) {
		result = -1;
		/* What cannot be undone now stays written down. */
		if (restore(host, &record, NULL) == 0) {
			forget(path, NULL);
		}
	}
	window_record_finish(&record);
	return result;
}

/* One window is opened or closed at a time: the records' directory is locked until the descriptor
 * is closed. -1 with errno. */
static int lock_records(const struct config_window_host *host) {
	int fd = open(host->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;
	do {
		result = fd < 0 ? 0 : flock(fd, LOCK_EX);
	} while (result < 0 && errno == EINTR);
	if (result < 0) {
		int number = errno;
		close(fd);
		errno = number;
		return -1;
	}
	return fd;
}

static int open_locked(const struct config_window_host *host, const char *path, gid_t group,
	const struct strings *addresses, struct error *error) {
	if (file_make_directory(host->directory, 0700, error) < 0) {
		return -1;
	}
	int lock = lock_records(host);
	if (lock < 0) {
		return error_set(error, "%s: %s", host->directory, strerror(errno));
	}
	int result = close_path(host, path, error);
	if (result == 0) {
		result = open_path(host, path, group, addresses, error);
	}
	close(lock);
	return result;
}

int config_window_open(const struct config_window_host *host, const char *vm, const char *group,
	const struct strings *addresses, struct error *error) {
	char *path = window_record_path(host, vm);
	const struct group *entry = getgrnam(group);
	int result;
	if (path == NULL) {
		result = error_set(error, "\"%s\" is no name of a VM", vm);
	} else if (entry == NULL) {
		result = error_set(error, "there is no group \"%s\"", group);
	} else if (host->boot[0] == '\0') {
		result = error_set(error, "the kernel's boot id cannot be read, without which the "
					  "window could not be "
					  "closed after a crash");
	} else {
		result = open_locked(host, path, entry->gr_gid, addresses, error);
	}
	free(path);
	return result;
}

/* Where there are no records, no window is open. */
static int no_records(const struct config_window_host *host, struct error *error) {
	return errno == ENOENT ? 0 : error_set(error, "%s: %s", host->directory, strerror(errno));
}

int config_window_close(
	const struct config_window_host *host, const char *vm, struct error *error) {
	char *path = window_record_path(host, vm);
	if (path == NULL) {
		return error_set(error, "\"%s\" is no name of a VM", vm);
	}
	int lock = lock_records(host);
	int result = lock < 0 ? no_records(host, error) : close_path(host, path, error);
	if (lock >= 0) {
		close(lock);
	}
	free(path);
	return result;
}

int config_window_recover(const struct config_window_host *host, struct error *error) {
	int lock = lock_records(host);
	DIR *directory = lock < 0 ? NULL : fdopendir(lock);
	if (directory == NULL) {
		int result = no_records(host, error);
		if (lock >= 0) {
			close(lock);
		}
		return result;
	}
	int result = 0;
	struct dirent *entry;
	while ((entry = readdir(directory)) != NULL) {
		if (!window_record_is_one(entry->d_name)) {
			continue;
		}
		char *path = must_print("%s/%s", host->directory, entry->d_name);
		struct error why;
		if (close_path(host, path, &why) < 0 && result == 0) {
			result = error_set(error, "%s", why.text);
		}
		free(path);
	}
	closedir(directory);
	return result;
}
