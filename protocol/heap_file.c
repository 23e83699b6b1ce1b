#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heap.h"

/*
 * The information block that Linux looks for 4 KiB into an nvdimm's namespace
 * (drivers/nvdimm/pfn.h, struct nd_pfn_sb). With this signature the namespace becomes a DAX device.
 * Little-endian, as everything here.
 */
struct dax_info {
	uint8_t signature[16];
	uint8_t uuid[16];
	uint8_t parent_uuid[16]; /* of the namespace: zero where it has no label area */
	uint32_t flags;
	uint16_t version_major, version_minor;
	uint64_t data_offset;
	uint64_t page_count;
	uint32_t mode;
	uint32_t start_pad, end_truncate;
	uint32_t alignment;
	uint32_t page_size;
	uint16_t page_struct_size;
	uint8_t padding[3994];
	uint64_t checksum;
};
static_assert(sizeof(struct dax_info) == 4096, "DAX information block");

#define DAX_INFO_OFFSET 4096
#define DAX_MODE_RAM 1 /* the page structures are kept in ordinary memory, not in the heap */
#define DAX_PAGE 4096
#define DAX_ALIGNMENT (2u << 20)
static_assert(PORTAL_HEAP_DAX_BASE == DAX_ALIGNMENT, "the first multiple behind the block");

/* Fletcher's checksum over 32-bit words, as drivers/nvdimm computes it. */
static uint64_t fletcher64(const void *data, size_t size) {
	uint32_t low = 0;
	uint64_t high = 0;
	for (size_t at = 0; at < size; at += sizeof(uint32_t)) {
		uint32_t word;
		memcpy(&word, (const uint8_t *)data + at, sizeof(word));
		low += word;
		high += low;
	}
	return high << 32 | low;
}

static int write_dax_info(int fd, uint64_t size) {
	struct dax_info info = {
		.signature = "NVDIMM_DAX_INFO",
		.version_major = 1,
		.version_minor = 4,
		.data_offset = PORTAL_HEAP_DAX_BASE,
		.page_count = (size - PORTAL_HEAP_DAX_BASE) / DAX_PAGE,
		.mode = DAX_MODE_RAM,
		.alignment = DAX_ALIGNMENT,
		.page_size = DAX_PAGE,
		.page_struct_size = 64,
	};
	if (getrandom(info.uuid, sizeof(info.uuid), 0) != sizeof(info.uuid)) {
		return -1;
	}
	info.checksum = fletcher64(&info, sizeof(info));
	ssize_t written = pwrite(fd, &info, sizeof(info), DAX_INFO_OFFSET);
	if (written >= 0 && written != sizeof(info)) {
		errno = ENOSPC;
	}
	return written == sizeof(info) ? 0 : -1;
}

/* What the file held before, another heap or another information block, is gone. */
static int clear_begin(int fd) {
	static const uint8_t zeros[2 * DAX_INFO_OFFSET];
	if (pwrite(fd, zeros, sizeof(zeros), 0) != sizeof(zeros) ||
		pwrite(fd, zeros, PORTAL_HEAP_PAGE, PORTAL_HEAP_DAX_BASE) != PORTAL_HEAP_PAGE) {
		return -1;
	}
	return 0;
}

/*
 * Whoever else has the file open sees the guest's windows, and anybody can make one of a name that
 * he knows in /dev/shm. 0 where that cannot be, 1 where the file is to make way because others
 * could read it (QEMU makes a missing one like that), -1 with errno.
 */
static int judge_file(int fd, const struct portal_heap_owner *owner) {
	struct stat status;
	if (fstat(fd, &status) < 0) {
		return -1;
	}
	bool ours = status.st_uid == geteuid() || status.st_uid == 0 ||
		    (owner != NULL && status.st_uid == owner->user);
	if (!S_ISREG(status.st_mode) || status.st_nlink != 1 ||
		(status.st_mode & (S_IWGRP | S_IWOTH)) != 0 || !ours) {
		errno = EPERM;
		return -1;
	}
	return (status.st_mode & S_IRWXO) != 0;
}

static int close_failed(int fd) {
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

#define OPEN_FLAGS (O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)

/* One that exists is opened without O_CREAT, by which the kernel refuses others' in /dev/shm to
 * root as well (fs.protected_regular). */
static int open_file(const char *path, const struct portal_heap_owner *owner) {
	int fd = open(path, OPEN_FLAGS);
	if (fd >= 0) {
		int verdict = judge_file(fd, owner);
		if (verdict == 0) {
			return fd;
		}
		if (verdict < 0 || unlink(path) < 0) {
			return close_failed(fd);
		}
		close(fd);
	} else if (errno != ENOENT) {
		return -1;
	}
	return open(path, OPEN_FLAGS | O_CREAT | O_EXCL, 0600);
}

/* Only root can give a file away. */
static int give(int fd, const struct portal_heap_owner *owner) {
	struct stat status;
	if (owner == NULL || geteuid() != 0) {
		return 0;
	}
	if (fstat(fd, &status) < 0) {
		return -1;
	}
	return status.st_uid == owner->user && status.st_gid == owner->group
		       ? 0
		       : fchown(fd, owner->user, owner->group);
}

int portal_heap_take_file(const char *path, const struct portal_heap_owner *owner) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		return -1;
	}
	int verdict = judge_file(fd, owner);
	if (verdict > 0) {
		errno = EPERM;
	}
	if (verdict != 0 || give(fd, owner) < 0) {
		return close_failed(fd);
	}
	close(fd);
	return 0;
}

const char *portal_heap_file_error(int error) {
	return error == EPERM || error == ELOOP
		       ? "it is no file of its own, or another user's, or others may open it: they "
			 "would see the guest's windows; remove it"
		       : strerror(error);
}

/* The kernel gives leases to a file's owner only, which an administrator without CAP_LEASE becomes
 * for that. */
static int set_lease(int fd) {
	struct stat status;
	int result = fcntl(fd, F_SETLEASE, F_WRLCK);
	if (result == 0 || errno != EACCES || fstat(fd, &status) < 0) {
		return result;
	}
	int before = setfsuid(status.st_uid);
	result = fcntl(fd, F_SETLEASE, F_WRLCK);
	int error = errno;
	setfsuid((uid_t)before);
	errno = error;
	return result;
}

/* A lease for writing is given to the only one who has a file open. Who opens it in that moment
 * waits until the lease is back, which a signal asks for: one that ends nobody. */
bool portal_heap_file_is_in_use(int fd) {
	if (fcntl(fd, F_SETSIG, SIGURG) == 0 && set_lease(fd) == 0) {
		fcntl(fd, F_SETLEASE, F_UNLCK);
		return false;
	}
	/* A file system without leases knows of nobody. */
	return errno == EAGAIN || errno == EACCES;
}

/* All of it now: memory that runs out later is a bus error for the compositor. What does not fit
 * leaves the file as long as it was. */
static int fill(int fd, uint64_t size, bool dax) {
	errno = posix_fallocate(fd, 0, (off_t)size);
	if (errno != 0 || ftruncate(fd, (off_t)size) < 0 || clear_begin(fd) < 0) {
		return -1;
	}
	return dax ? write_dax_info(fd, size) : 0;
}

/* A new file takes the place of one that others have open, with its owner and mode. */
static int replace(const char *path, const struct stat *former, uint64_t size, bool dax,
	const struct portal_heap_owner *owner) {
	char *made;
	if (asprintf(&made, "%s.XXXXXX", path) < 0) {
		return -1;
	}
	const struct portal_heap_owner same = {former->st_uid, former->st_gid};
	int fd = mkostemp(made, O_CLOEXEC);
	int result = fd < 0 ? -1 : fill(fd, size, dax);
	if (result == 0 &&
		(give(fd, owner != NULL ? owner : &same) < 0 ||
			fchmod(fd, former->st_mode & 0777) < 0 || rename(made, path) < 0)) {
		result = -1;
	}
	int error = errno;
	if (result < 0 && fd >= 0) {
		unlink(made);
	}
	if (fd >= 0) {
		close(fd);
	}
	free(made);
	errno = error;
	return result;
}

/*
 * The size of a file that others have open, a controller VM above all, stays: a shorter one would
 * be gone from under them, and what the guest then uses they would not have.
 */
static int format(
	const char *path, int fd, uint64_t size, bool dax, const struct portal_heap_owner *owner) {
	struct stat status;
	if (fstat(fd, &status) < 0) {
		return -1;
	}
	bool other = status.st_size != 0 && (uint64_t)status.st_size != size;
	if (other && portal_heap_file_is_in_use(fd)) {
		return replace(path, &status, size, dax, owner);
	}
	return fill(fd, size, dax) < 0 ? -1 : give(fd, owner);
}

int portal_heap_make_file(
	const char *path, uint64_t size, bool dax, const struct portal_heap_owner *owner) {
	if (size % DAX_ALIGNMENT != 0 || size < PORTAL_HEAP_SIZE_MIN + PORTAL_HEAP_DAX_BASE) {
		errno = EINVAL;
		return -1;
	}
	int fd = open_file(path, owner);
	if (fd < 0) {
		return -1;
	}
	if (format(path, fd, size, dax, owner) < 0) {
		return close_failed(fd);
	}
	close(fd);
	return 0;
}

int portal_heap_format_file(const char *path, uint64_t size, bool dax) {
	return portal_heap_make_file(path, size, dax, NULL);
}
