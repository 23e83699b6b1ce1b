/*
 * vfio-use hold|read|dma ADDRESS: what a VM does with a device that was given to VFIO, without the
 * VM (Documentation/driver-api/vfio.rst).
 *
 * hold: opens it, says "held", and keeps it until standard input ends.
 * read: opens it and says its ids, as its configuration space has them.
 * dma: drives QEMU's edu device (docs/specs/edu.rst): copies a page into it and back by DMA through
 * the IOMMU, waiting for its interrupts, and says "dma" when the copy is right.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

enum {
	IOVA = 0x100000,
	PAGE = 4096,
	EDU_SOURCE = 0x80,
	EDU_DESTINATION = 0x88,
	EDU_COUNT = 0x90,
	EDU_COMMAND = 0x98,
	EDU_COMMAND_START = 1,
	EDU_COMMAND_TO_RAM = 2,
	EDU_COMMAND_INTERRUPT = 4,
	EDU_INTERRUPT_STATUS = 0x24,
	EDU_INTERRUPT_ACKNOWLEDGE = 0x64,
	EDU_BUFFER = 0x40000,
};

struct use {
	int container, group, device;
};

static int open_group(const char *address) {
	char link[256], path[256], target[256];
	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", address);
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	if (length < 0) {
		err(1, "%s", link);
	}
	target[length] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(target, '/') + 1);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		err(1, "%s", path);
	}
	return fd;
}

static struct use open_device(const char *address) {
	struct use use = {.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC)};
	if (use.container < 0) {
		err(1, "/dev/vfio/vfio");
	}
	use.group = open_group(address);
	struct vfio_group_status status = {.argsz = sizeof(status)};
	if (ioctl(use.group, VFIO_GROUP_GET_STATUS, &status) < 0 ||
		!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		errx(1, "the group is not viable");
	}
	if (ioctl(use.group, VFIO_GROUP_SET_CONTAINER, &use.container) < 0 ||
		ioctl(use.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0) {
		err(1, "no IOMMU for the group");
	}
	use.device = ioctl(use.group, VFIO_GROUP_GET_DEVICE_FD, address);
	if (use.device < 0) {
		err(1, "%s", address);
	}
	return use;
}

static off_t region_offset(int device, unsigned index) {
	struct vfio_region_info info = {.argsz = sizeof(info), .index = index};
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info) < 0) {
		err(1, "region %u", index);
	}
	return (off_t)info.offset;
}

static void enable_bus_master(int device) {
	off_t offset = region_offset(device, VFIO_PCI_CONFIG_REGION_INDEX) + PCI_COMMAND;
	uint16_t command;
	if (pread(device, &command, sizeof(command), offset) != sizeof(command)) {
		err(1, "config space");
	}
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(device, &command, sizeof(command), offset) != sizeof(command)) {
		err(1, "config space");
	}
}

static int enable_interrupt(int device) {
	int event = eventfd(0, EFD_CLOEXEC);
	char data[sizeof(struct vfio_irq_set) + sizeof(event)];
	struct vfio_irq_set *set = (struct vfio_irq_set *)data;
	*set = (struct vfio_irq_set){
		.argsz = sizeof(data),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSI_IRQ_INDEX,
		.count = 1,
	};
	memcpy(set->data, &event, sizeof(event));
	if (ioctl(device, VFIO_DEVICE_SET_IRQS, set) < 0) {
		err(1, "interrupts");
	}
	return event;
}

static void edu_copy(
	volatile uint8_t *bar, int event, uint64_t from, uint64_t to, uint64_t command) {
	*(volatile uint64_t *)(bar + EDU_SOURCE) = from;
	*(volatile uint64_t *)(bar + EDU_DESTINATION) = to;
	*(volatile uint64_t *)(bar + EDU_COUNT) = PAGE;
	*(volatile uint64_t *)(bar + EDU_COMMAND) =
		EDU_COMMAND_START | EDU_COMMAND_INTERRUPT | command;
	eventfd_t count;
	if (eventfd_read(event, &count) < 0) {
		err(1, "no interrupt");
	}
	uint32_t status = *(volatile uint32_t *)(bar + EDU_INTERRUPT_STATUS);
	*(volatile uint32_t *)(bar + EDU_INTERRUPT_ACKNOWLEDGE) = status;
}

static void use_dma(const struct use *use) {
	uint8_t *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = 2 * PAGE,
	};
	if (memory == MAP_FAILED || ioctl(use->container, VFIO_IOMMU_MAP_DMA, &map) < 0) {
		err(1, "mapping for DMA");
	}
	volatile uint8_t *bar = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, use->device,
		region_offset(use->device, VFIO_PCI_BAR0_REGION_INDEX));
	if (bar == MAP_FAILED) {
		err(1, "BAR 0");
	}
	enable_bus_master(use->device);
	int event = enable_interrupt(use->device);
	for (int i = 0; i < PAGE; i++) {
		memory[i] = (uint8_t)(i * 7 + 3);
	}
	edu_copy(bar, event, IOVA, EDU_BUFFER, 0);
	edu_copy(bar, event, EDU_BUFFER, IOVA + PAGE, EDU_COMMAND_TO_RAM);
	if (memcmp(memory, memory + PAGE, PAGE) != 0) {
		errx(1, "what came back is not what was sent");
	}
	puts("dma");
}

static void say_ids(const struct use *use) {
	uint16_t ids[2];
	off_t offset = region_offset(use->device, VFIO_PCI_CONFIG_REGION_INDEX);
	if (pread(use->device, ids, sizeof(ids), offset) != sizeof(ids)) {
		err(1, "config space");
	}
	printf("%04x:%04x\n", ids[0], ids[1]);
}

int main(int argc, char *argv[]) {
	if (argc != 3) {
		errx(2, "usage: vfio-use hold|read|dma ADDRESS");
	}
	struct use use = open_device(argv[2]);
	if (strcmp(argv[1], "dma") == 0) {
		use_dma(&use);
		return 0;
	}
	if (strcmp(argv[1], "read") == 0) {
		say_ids(&use);
		return 0;
	}
	puts("held");
	fflush(stdout);
	char byte;
	while (read(STDIN_FILENO, &byte, 1) > 0) {
	}
	return 0;
}
