#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "doctor/rom.h"
#include "edit/assign.h"

/* The largest expansion ROM BAR there is (PCI Local Bus 3.0, 6.2.5.2). */
enum { ROM_MAX = 16 << 20 };

/* The whole file; the caller's. NULL after saying why not. */
static uint8_t *read_file(struct findings *findings, const char *path, size_t *size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		findings_add(findings, true, "%s: %s", path, strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return NULL;
	}
	if (!S_ISREG(status.st_mode) || status.st_size > ROM_MAX) {
		findings_add(findings, true, "%s is no copy of an expansion ROM", path);
		close(fd);
		return NULL;
	}
	uint8_t *data = must_alloc((size_t)status.st_size + 1, 1);
	ssize_t got = read(fd, data, (size_t)status.st_size);
	*size = got < 0 ? 0 : (size_t)got;
	close(fd);
	return data;
}

void assign_check_rom(
	struct findings *findings, const struct pci_device *device, const char *path) {
	size_t size;
	struct rom_images images;
	if (path[0] != '/') {
		findings_add(
			findings, true, "%s: libvirt wants the ROM's path from the root on", path);
		return;
	}
	uint8_t *data = read_file(findings, path, &size);
	if (data == NULL) {
		return;
	}
	if (!rom_parse(data, size, &images)) {
		findings_add(
			findings, true, "%s is no copy of an expansion ROM, or is cut off", path);
	} else if (images.vendor != device->vendor) {
		findings_add(findings, true, "%s is of a device %04x:%04x, and %s is %04x:%04x",
			path, images.vendor, images.device, device->name, device->vendor,
			device->device);
	} else {
		if (images.device != device->device) {
			findings_add(findings, false,
				"%s names the device %04x:%04x, and %s is %04x:%04x: it may be of "
				"another card of the maker's",
				path, images.vendor, images.device, device->name, device->vendor,
				device->device);
		}
		if (!images.efi) {
			findings_add(findings, false,
				"%s has no image for UEFI: a guest with OVMF shows nothing through "
				"it "
				"before its driver is loaded",
				path);
		}
	}
	free(data);
}
