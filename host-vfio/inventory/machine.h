#ifndef HOST_INVENTORY_MACHINE_H
#define HOST_INVENTORY_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "inventory/address.h"
#include "inventory/category.h"
#include "tree/tree.h"

/* The PCI devices of a host at one moment. */

/* Why a device cannot simply be taken from the host. */
enum holder_kind {
	HOLDER_PROCESS, /* has a device node of it open */
	HOLDER_MOUNT, /* a file system on a disk behind it */
	HOLDER_SWAP,
	HOLDER_ROUTE, /* the default route goes through it */
	HOLDER_NETWORK, /* a network is reached through it */
	HOLDER_LOGIN, /* somebody is logged in through it, over the network */
	HOLDER_CONSOLE, /* kernel messages or the text consoles are shown through it */
	HOLDER_FRAMEBUFFER,
	HOLDER_INPUT, /* a keyboard or mouse is plugged into it */
};

struct holder {
	enum holder_kind kind;
	/* The process's name, the mount point, the interface of a default route, the network, the
	 * console, the input device. */
	char *name;
	/* The device node, block device or framebuffer; the platform device of a framebuffer that
	 * the firmware made and no driver of the card; "keyboard" or "mouse"; the interface of a
	 * network or login; "table 7" of a default route outside of the main table; or NULL. */
	char *through;
	int pid; /* of a process or login, else 0 */
	char *peer; /* where somebody is logged in from; NULL: not known, or no login */
	bool idle; /* what goes over the network does not go through it now: it has no link */
	/* It is a member of the bridge that carries this: which members do is not known. */
	bool bridged;
	/* The systemd unit that a process belongs to: "UNIT", or "UID/UNIT" of a user's manager;
	 * NULL: none that is known. */
	char *unit;
};

#define PCI_BAR_SIZES ((UINT64_C(1) << 44) - 1)

struct pci_bar {
	uint64_t start;
	uint64_t size; /* 0: absent */
	uint64_t flags; /* the kernel's IORESOURCE_ bits */
	/* Sizes that a resizable BAR can take: bit n stands for 2^n MiB (PCIe 7.8.6), up to 8 EiB;
	 * 0: fixed. */
	uint64_t resizable;
};

enum { PCI_BARS = 6 };

struct pci_device {
	struct pci_address address;
	char name[PCI_ADDRESS_TEXT];
	char *path; /* "/sys/devices/pci0000:00/…" */
	uint16_t vendor, device, subsystem_vendor, subsystem_device;
	uint32_t class_code; /* 24 bits */
	uint8_t revision;
	enum device_category category;
	enum net_kind net_kind;
	int iommu_group; /* -1: none */
	/* The firmware has memory that it is always to reach: the kernel gives it to no VM. */
	bool tied;
	char *driver; /* NULL: none bound */
	char *driver_override; /* NULL: none set */
	bool boot_vga;
	struct pci_bar bars[PCI_BARS];
	uint64_t rom_size; /* 0: no expansion ROM */
	char *reset_methods; /* the kernel's list in order of preference, "" when there is none */
	char *power_state; /* "D0" …, or NULL where the kernel does not say */
	unsigned sriov_total, sriov_enabled;
	char *physical_function; /* address of the physical function this one belongs to, or NULL */
	struct holder *holders;
	size_t holders_count;
};

struct machine {
	struct pci_device *devices; /* in order of address */
	size_t devices_count;
	bool iommu; /* the kernel drives an IOMMU */
	bool ps2_keyboard, ps2_mouse;
	bool vfio_pci; /* the driver vfio-pci is loaded */
	/* The systemd unit that starts graphical sessions, where one runs; else NULL. */
	char *display_manager;
	/* Processes whose open files this user may not look at: any of them may hold a device. */
	size_t unseen_processes;
};

/* Looks at everything. -1 with the reason; a device that goes away meanwhile is left out. */
int machine_read(struct machine *machine, struct tree *tree, struct error *error);
void machine_finish(struct machine *machine);

/* NULL when there is none. */
struct pci_device *machine_find(const struct machine *machine, const char *name);
/* The device that a sysfs path lies in: the innermost one. NULL when it lies in none. */
struct pci_device *machine_find_path(const struct machine *machine, const char *path);
/* The function that makes this one part of a graphics card: itself, or a GPU in the same slot. */
const struct pci_device *machine_gpu_of(
	const struct machine *machine, const struct pci_device *device);
/* The highest group number, or -1. */
int machine_last_group(const struct machine *machine);

/* The new holder, or the one that was there; valid until the next is added. */
struct holder *machine_add_holder(struct pci_device *device, enum holder_kind kind,
	const char *name, const char *through, int pid);
/* Forgets the holders that `goes` says yes to. */
void machine_drop_holders(struct pci_device *device,
	bool (*goes)(const struct holder *holder, const void *data), const void *data);
/* Whose memory the firmware's framebuffer is: the boot VGA, or NULL. */
struct pci_device *machine_boot_vga(const struct machine *machine);
const char *holder_kind_name(enum holder_kind kind);
/* "Xorg (pid 812) has /dev/dri/card0 open", "/home is mounted from nvme0n1p3"; the caller's. */
char *holder_sentence(const struct holder *holder);

#endif
