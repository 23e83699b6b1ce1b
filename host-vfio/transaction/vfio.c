#include "transaction/vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

static int open_group(int group) {
	char path[32];
	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* The device's descriptor, or -1 with errno. */
static int open_device(int container, int group, const char *address) {
	struct vfio_group_status status = {.argsz = sizeof(status)};
	if (ioctl(group, VFIO_GROUP_GET_STATUS, &status) < 0) {
		return -1;
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		errno = EBUSY;
		return -1;
	}
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0 ||
		ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0) {
		return -1;
	}
	return ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address);
}

static int check_ids(int fd, uint16_t vendor, uint16_t device) {
	struct vfio_region_info info = {
		.argsz = sizeof(info), .index = VFIO_PCI_CONFIG_REGION_INDEX};
	uint8_t config[4];
	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0) {
		return errno;
	}
	ssize_t length = pread(fd, config, sizeof(config), (off_t)info.offset);
	if (length != sizeof(config)) {
		return length < 0 ? errno : EIO;
	}
	bool same =
		(config[0] | config[1] << 8) == vendor && (config[2] | config[3] << 8) == device;
	return same ? 0 : ENODEV;
}

int vfio_open(const char *address, int group_number, uint16_t vendor, uint16_t device, void *user) {
	int container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (container < 0) {
		return errno;
	}
	int group = open_group(group_number);
	int fd = group < 0 ? -1 : open_device(container, group, address);
	int error = fd < 0 ? errno : check_ids(fd, vendor, device);
	if (fd >= 0) {
		close(fd);
	}
	if (group >= 0) {
		close(group);
	}
	close(container);
	return error;
}
