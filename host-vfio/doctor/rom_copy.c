#include "doctor/rom_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"

/* The largest expansion ROM BAR there is (PCI Local Bus 3.0, 6.2.5.2). */
enum { ROM_MAX = 16 << 20 };

static int read_all(struct rom_copy *copy, int fd, const char *path, struct error *error) {
	struct stat status;
	if (fstat(fd, &status) < 0) {
		return error_set(error, "%s: %s", path, strerror(errno));
	}
	if (!S_ISREG(status.st_mode) || status.st_size > ROM_MAX) {
		return error_set(error, "%s is no copy of an expansion ROM", path);
	}
	copy->data = must_alloc((size_t)status.st_size + 1, 1);
	ssize_t got;
	while ((got = read(fd, (char *)copy->data + copy->size,
			(size_t)status.st_size - copy->size)) > 0) {
		copy->size += (size_t)got;
	}
	return got < 0 ? error_set(error, "%s: %s", path, strerror(errno)) : 0;
}

int rom_copy_read_file(struct rom_copy *copy, const char *path, struct error *error) {
	*copy = (struct rom_copy){0};
	/* A FIFO has nobody who writes into it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return error_set(error, "%s: %s", path, strerror(errno));
	}
	int status = read_all(copy, fd, path, error);
	close(fd);
	return status;
}

bool rom_copy_is_free(const struct pci_device *device) {
	return !device->driver || strcmp(device->driver, "vfio-pci") == 0;
}

/* sysfs shows a card's ROM between a 1 and a 0, and only of a device that is enabled, which one
 * without a driver is not (Documentation/PCI/sysfs-pci.rst). One that has vfio-pci cannot be
 * enabled so, and may or may not answer. */
int rom_copy_read_card(struct rom_copy *copy, struct tree *tree, const struct pci_device *device,
	struct error *error) {
	*copy = (struct rom_copy){.data = must_alloc(ROM_MAX, 1)};
	bool enabled = !device->driver && tree_write(tree, "1", "%s/enable", device->path) == 0;
	ssize_t got = -1;
	if (tree_write(tree, "1", "%s/rom", device->path) == 0) {
		got = tree_bytes(tree, copy->data, ROM_MAX, "%s/rom", device->path);
		int saved = errno;
		tree_write(tree, "0", "%s/rom", device->path);
		errno = saved;
	}
	int saved = errno;
	if (enabled) {
		tree_write(tree, "0", "%s/enable", device->path);
	}
	errno = saved;
	if (got < 0) {
		return error_set(error, "the ROM of %s cannot be read: %s", device->name,
			errno == ENOENT ? "it has none of its own" : strerror(errno));
	}
	copy->size = (size_t)got;
	return 0;
}

void rom_copy_finish(struct rom_copy *copy) {
	free(copy->data);
	*copy = (struct rom_copy){0};
}
