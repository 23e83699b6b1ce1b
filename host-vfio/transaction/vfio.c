#include "transaction/vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "base/must.h"
#include "inventory/address.h"

/* 32 slots of 8 functions. More can only be behind a bridge on the bus, which VFIO has not. */
enum { BUS_FUNCTIONS = 256 };

/* An IOMMU group with a container of its own: nobody else can open it in the meantime. */
struct group {
	int container, fd;
	uint32_t number;
};

static void close_group(struct group *group) {
	close(group->fd);
	close(group->container);
}

/* 0 or an errno. */
static int attach_group(const struct group *group) {
	struct vfio_group_status status = {.argsz = sizeof(status)};
	if (ioctl(group->fd, VFIO_GROUP_GET_STATUS, &status) < 0) {
		return errno;
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		return EBUSY;
	}
	bool good = ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, &group->container) == 0 &&
		    ioctl(group->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0;
	return good ? 0 : errno;
}

/* 0 or an errno, with nothing left open. */
static int open_group(struct group *group, uint32_t number) {
	char path[32];
	*group = (struct group){.number = number};
	group->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (group->container < 0) {
		return errno;
	}
	snprintf(path, sizeof(path), "/dev/vfio/%" PRIu32, number);
	group->fd = open(path, O_RDWR | O_CLOEXEC);
	int error = group->fd < 0 ? errno : attach_group(group);
	if (error && group->fd >= 0) {
		close(group->fd);
	}
	if (error) {
		close(group->container);
	}
	return error;
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

int vfio_open(const char *address, int number, uint16_t vendor, uint16_t device, void *user) {
	struct group group;
	int error = open_group(&group, (uint32_t)number);
	if (error) {
		return error;
	}
	int fd = ioctl(group.fd, VFIO_GROUP_GET_DEVICE_FD, address);
	error = fd < 0 ? errno : check_ids(fd, vendor, device);
	if (fd >= 0) {
		close(fd);
	}
	close_group(&group);
	return error;
}

/* The groups of all that is on the bus, the device's own first. */
struct owned {
	struct group groups[BUS_FUNCTIONS];
	uint32_t count;
};

static int own_group(struct owned *owned, uint32_t number) {
	for (uint32_t i = 0; i < owned->count; i++) {
		if (owned->groups[i].number == number) {
			return 0;
		}
	}
	int error = open_group(&owned->groups[owned->count], number);
	owned->count += error == 0;
	return error;
}

static int own_bus(struct owned *owned, const struct vfio_pci_hot_reset_info *info,
	const struct strings *ours, struct error *reason) {
	int error = 0;
	for (uint32_t i = 0; i < info->count && error == 0; i++) {
		const struct vfio_pci_dependent_device *other = &info->devices[i];
		const struct pci_address address = {.domain = other->segment,
			.bus = other->bus,
			.slot = other->devfn >> 3,
			.function = other->devfn & 7};
		char text[PCI_ADDRESS_TEXT];
		pci_address_format(&address, text);
		if (!strings_contain(ours, text)) {
			error_set(reason, "%s would be reset, too", text);
			return EBUSY;
		}
		error = own_group(owned, other->group_id);
	}
	return error;
}

/* The descriptors of the groups are what the kernel takes for the right to do it. */
static int reset_owned(int device, const struct owned *owned) {
	struct vfio_pci_hot_reset *reset =
		must_alloc(1, sizeof(*reset) + owned->count * sizeof(reset->group_fds[0]));
	reset->argsz = (uint32_t)(sizeof(*reset) + owned->count * sizeof(reset->group_fds[0]));
	reset->count = owned->count;
	for (uint32_t i = 0; i < owned->count; i++) {
		reset->group_fds[i] = owned->groups[i].fd;
	}
	int error = ioctl(device, VFIO_DEVICE_PCI_HOT_RESET, reset) < 0 ? errno : 0;
	free(reset);
	return error;
}

static int reset_bus_of(
	int device, struct owned *owned, const struct strings *ours, struct error *reason) {
	struct vfio_pci_hot_reset_info *info;
	size_t size = sizeof(*info) + BUS_FUNCTIONS * sizeof(info->devices[0]);
	info = must_alloc(1, size);
	info->argsz = (uint32_t)size;
	int error = 0;
	if (ioctl(device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info) < 0) {
		/* ENODEV: neither slot nor bus can be reset. The device is there. */
		error = errno == ENODEV ? ENOTTY : errno;
	} else {
		error = own_bus(owned, info, ours, reason);
	}
	free(info);
	return error ? error : reset_owned(device, owned);
}

int vfio_reset_bus(const char *address, int number, const struct strings *ours,
	struct error *reason, void *user) {
	struct owned *owned = must_alloc(1, sizeof(*owned));
	int error = own_group(owned, (uint32_t)number);
	int device = error ? -1 : ioctl(owned->groups[0].fd, VFIO_GROUP_GET_DEVICE_FD, address);
	if (!error) {
		error = device < 0 ? errno : reset_bus_of(device, owned, ours, reason);
	}
	if (device >= 0) {
		close(device);
	}
	for (uint32_t i = 0; i < owned->count; i++) {
		close_group(&owned->groups[i]);
	}
	free(owned);
	return error;
}
