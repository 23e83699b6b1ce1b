#include "heap/heap_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"
#include "memory/memory_plan.h"

static_assert(MEMORY_PLAN_LEAST == PORTAL_HEAP_SIZE_MIN + PORTAL_HEAP_DAX_BASE,
	"what is planned can be made");

const char *heap_file_user(uid_t user, char text[HEAP_FILE_USER]) {
	const struct passwd *entry = getpwuid(user);
	if (entry != NULL) {
		snprintf(text, HEAP_FILE_USER, "%s", entry->pw_name);
	} else {
		snprintf(text, HEAP_FILE_USER, "user %u", (unsigned)user);
	}
	return text;
}

static bool is_owner(const struct stat *status, const struct domain_dac *dac) {
	return status->st_uid == 0 || status->st_uid == geteuid() ||
	       (dac->known && status->st_uid == dac->user);
}

/* What is wrong with a file that others could have made. */
static int refuse(
	const struct heap_device *heap, const struct domain_dac *dac, struct error *error) {
	static const char advice[] = "would see the guest's windows: remove it while the guest is "
				     "off, and the next start makes it anew";
	char owner[HEAP_FILE_USER];
	struct stat status;
	if (lstat(heap->path, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1) {
		error_set(error, "the heap %s: it is no file of its own; who made it %s",
			heap->path, advice);
	} else if (!is_owner(&status, dac)) {
		error_set(error, "the heap %s: it belongs to %s, who %s", heap->path,
			heap_file_user(status.st_uid, owner), advice);
	} else if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0) {
		error_set(error,
			"the heap %s: others than its owner may open it (mode %03o), and %s",
			heap->path, (unsigned)status.st_mode & 0777, advice);
	} else {
		return error_set(error, "the heap %s: %s", heap->path, strerror(EPERM));
	}
	return HEAP_FILE_REFUSED;
}

static int fail(const struct heap_device *heap, const struct domain_dac *dac, struct error *error) {
	struct stat status;
	int reason = errno;
	bool others =
		reason == EACCES && lstat(heap->path, &status) == 0 && status.st_uid != geteuid();
	if (reason == EPERM || reason == ELOOP) {
		return refuse(heap, dac, error);
	}
	if (others) {
		char owner[HEAP_FILE_USER];
		return error_set(error,
			"the heap %s: it belongs to %s, and you may not open it; root can remove "
			"it while the guest is off",
			heap->path, heap_file_user(status.st_uid, owner));
	}
	return error_set(error, "the heap %s: %s", heap->path,
		reason == EINVAL ? "its size must be a multiple of 2M, and 6M at least"
				 : strerror(reason));
}

/* Where QEMU is another user, only root can give him his file, and only root could open it. */
static int check_owner(
	const struct heap_device *heap, const struct domain_dac *dac, struct error *error) {
	char user[HEAP_FILE_USER];
	if (!dac->known || dac->user == geteuid() || geteuid() == 0) {
		return 0;
	}
	return error_set(error,
		"the heap %s: QEMU runs as %s, to whom only root can give it, and then you could "
		"not open it; portal-run --define VM --replace has QEMU run as you",
		heap->path, heap_file_user(dac->user, user));
}

static struct portal_heap_owner owner_of(const struct domain_dac *dac) {
	return (struct portal_heap_owner){.user = dac->user, .group = dac->group};
}

int heap_file_make(
	const struct heap_device *heap, const struct domain_dac *dac, struct error *error) {
	const struct portal_heap_owner owner = owner_of(dac);
	if (check_owner(heap, dac, error) < 0) {
		return HEAP_FILE_FAILED;
	}
	return portal_heap_make_file(heap->path, heap->size, heap->kind == DOMAIN_HEAP_NVDIMM,
		       dac->known ? &owner : NULL) == 0
		       ? HEAP_FILE_DONE
		       : fail(heap, dac, error);
}

int heap_file_take(
	const struct heap_device *heap, const struct domain_dac *dac, struct error *error) {
	const struct portal_heap_owner owner = owner_of(dac);
	if (check_owner(heap, dac, error) < 0) {
		return HEAP_FILE_FAILED;
	}
	return portal_heap_take_file(heap->path, dac->known ? &owner : NULL) == 0
		       ? HEAP_FILE_DONE
		       : fail(heap, dac, error);
}

bool heap_file_fits(const struct heap_device *heap) {
	struct stat status;
	return lstat(heap->path, &status) == 0 && S_ISREG(status.st_mode) &&
	       (status.st_mode & S_IRWXO) == 0 && (uint64_t)status.st_size == heap->size;
}

bool heap_file_is_in_use(const char *path) {
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool in_use = fd >= 0 && portal_heap_file_is_in_use(fd);
	if (fd >= 0) {
		close(fd);
	}
	return in_use;
}
