#include "doctor/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "doctor/examine.h"
#include "doctor/facts.h"
#include "doctor/firmware.h"
#include "doctor/rom.h"
#include "inventory/group.h"

void diagnoses_add(struct diagnoses *diagnoses, enum diagnosis_grade grade, const char *id,
	char *finding, char *remedy) {
	diagnoses->items = must_grow(diagnoses->items, diagnoses->count, sizeof(*diagnoses->items));
	diagnoses->items[diagnoses->count++] =
		(struct diagnosis){.grade = grade, .id = id, .finding = finding, .remedy = remedy};
}

static void add(struct diagnoses *diagnoses, enum diagnosis_grade grade, const char *id,
	const char *finding, const char *remedy) {
	diagnoses_add(diagnoses, grade, id, must_copy(finding), must_copy(remedy));
}

static void examine_processor(struct diagnoses *diagnoses, const struct facts *facts) {
	if (!facts->virtualization) {
		add(diagnoses, DIAGNOSIS_PROBLEM, "processor",
			"The processor does not offer virtual machines (no VT-x or AMD-V).",
			"Enter the firmware's set-up when the machine starts, and switch on "
			"\"Intel Virtualization Technology\" or \"SVM Mode\". If there is no such "
			"entry, this processor cannot do it.");
	} else if (!facts->kvm) {
		add(diagnoses, DIAGNOSIS_PROBLEM, "kvm",
			"The processor could run virtual machines, but the kernel's KVM is not "
			"there.",
			"Run \"modprobe kvm_intel\" or \"modprobe kvm_amd\" and look at what dmesg "
			"says: most often virtualization is locked off in the firmware's set-up.");
	} else {
		add(diagnoses, DIAGNOSIS_GOOD, "processor",
			"The processor runs virtual machines, and KVM is there.", NULL);
	}
}

/* The word that switches the IOMMU off on the kernel's command line, or NULL. */
static const char *find_off(const struct facts *facts) {
	static const char *const words[] = {"intel_iommu=off", "amd_iommu=off", "iommu=off"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strings_contain(&facts->command_line, words[i])) {
			return words[i];
		}
	}
	return NULL;
}

/* The caller's. */
static char *where_to_switch_on(const struct facts *facts) {
	const char *name = facts->intel ? "VT-d" : "IOMMU";
	const char *place = firmware_iommu_place(facts->maker, facts->intel);
	if (place) {
		return must_print("Enter the firmware's set-up when the machine starts (F2 or Del, "
				  "mostly), and switch on \"%s\". On boards of %s look at: %s.",
			name, facts->maker, place);
	}
	return must_print(
		"Enter the firmware's set-up when the machine starts (F2 or Del, mostly), and "
		"switch on \"%s\". Some boards hide it below overclocking or north-bridge "
		"settings; "
		"some, mostly before 2012, have none.",
		name);
}

static void examine_iommu(
	struct diagnoses *diagnoses, const struct machine *machine, const struct facts *facts) {
	const char *off = find_off(facts);
	if (machine->iommu && machine_last_group(machine) >= 0) {
		add(diagnoses, DIAGNOSIS_GOOD, "iommu",
			"The IOMMU is on: a VM that has a device cannot reach memory that is not "
			"its own.",
			NULL);
	} else if (off) {
		diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "iommu",
			must_print("The IOMMU is switched off by \"%s\" on the kernel's command "
				   "line.",
				off),
			must_print("Take \"%s\" out of the boot loader's configuration, and start "
				   "the machine anew.",
				off));
	} else if (!facts->iommu_table) {
		diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "iommu",
			must_print("The firmware offers no IOMMU (%s).",
				facts->intel ? "no DMAR table" : "no IVRS table"),
			where_to_switch_on(facts));
	} else {
		add(diagnoses, DIAGNOSIS_PROBLEM, "iommu",
			"The firmware offers an IOMMU, but the kernel does not use it.",
			facts->intel
				? "Add \"intel_iommu=on\" to the kernel's command line in the boot "
				  "loader's configuration, and start the machine anew."
				: "Look at what \"dmesg | grep AMD-Vi\" says: the kernel uses it "
				  "by "
				  "itself unless the firmware's table is broken, which a firmware "
				  "update can mend.");
	}
	if (facts->acs_override) {
		add(diagnoses, DIAGNOSIS_HINT, "acs-override",
			"The command line has \"pcie_acs_override\": groups look smaller than what "
			"the hardware really keeps apart.",
			"Take it out, unless you accept that VMs may reach each other's devices.");
	}
}

static void examine_firmware(struct diagnoses *diagnoses, const struct facts *facts) {
	if (facts->efi) {
		add(diagnoses, DIAGNOSIS_GOOD, "firmware", "The machine was started by UEFI.",
			NULL);
	} else {
		add(diagnoses, DIAGNOSIS_HINT, "firmware",
			"The machine was started as with a BIOS: the graphics card may have been "
			"set up in a way that a guest's UEFI cannot take over.",
			"Switch CSM (\"legacy boot\") off in the firmware's set-up, if the system "
			"is installed so that it can start by UEFI.");
	}
}

static void examine_vfio(
	struct diagnoses *diagnoses, const struct machine *machine, const struct facts *facts) {
	if (machine->vfio_pci || facts->vfio_module) {
		add(diagnoses, DIAGNOSIS_GOOD, "vfio", "The kernel has the driver vfio-pci.", NULL);
	} else {
		add(diagnoses, DIAGNOSIS_PROBLEM, "vfio", "The kernel has no driver vfio-pci.",
			"Install your distribution's full kernel: those for cloud machines leave "
			"the driver out.");
	}
}

/* Does it come along with the device anyway, as the sound of a graphics card does? A processor with
 * graphics has USB, sound and more in the same slot, which are no part of them, and the ports of
 * one network card are given away one by one. */
static bool comes_along(const struct machine *machine, const struct pci_device *device,
	const struct pci_device *other) {
	const struct pci_device *gpu = machine_gpu_of(machine, device);
	return other == device || (gpu && machine_gpu_of(machine, other) == gpu);
}

/* The members of a device's group that are no part of it; the caller's. NULL: none.
 * `one_chip`: all of them are in its slot. */
static char *find_strangers(
	const struct machine *machine, const struct pci_device *device, bool *one_chip) {
	char *list = NULL;
	*one_chip = true;
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *other = &machine->devices[i];
		/* Parts of the machine without a driver are in nobody's way. */
		if (other->iommu_group != device->iommu_group ||
			other->category == CATEGORY_BRIDGE ||
			(other->category == CATEGORY_SYSTEM && !other->driver) ||
			comes_along(machine, device, other)) {
			continue;
		}
		char *longer = must_print("%s%s%s (%s)", list ? list : "", list ? ", " : "",
			other->name, category_name(other->category));
		free(list);
		list = longer;
		*one_chip &= pci_address_same_slot(&other->address, &device->address);
	}
	return list;
}

void doctor_examine_group(struct diagnoses *diagnoses, const struct machine *machine,
	const struct pci_device *device) {
	bool one_chip;
	char *strangers =
		device->iommu_group >= 0 ? find_strangers(machine, device, &one_chip) : NULL;
	if (!strangers) {
		return;
	}
	diagnoses_add(diagnoses, DIAGNOSIS_HINT, "group",
		must_print("%s (%s) shares IOMMU group %d with %s: they go to a VM together "
			   "or not at all.",
			device->name, category_name(device->category), device->iommu_group,
			strangers),
		must_copy(one_chip ? "They are parts of one chip, such as a processor with "
				     "graphics, which does not keep them apart: no setting does. "
				     "Give them all to one VM, where the host can do without "
				     "them."
				   : "The bridges between them do not keep them apart (no ACS). A "
				     "card can be moved to another slot, best one that the "
				     "processor drives; a firmware update, or \"ACS\" in the "
				     "firmware's set-up, sometimes makes smaller groups."));
	free(strangers);
}

static void examine_groups(struct diagnoses *diagnoses, const struct machine *machine) {
	size_t before = diagnoses->count;
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (device->category == CATEGORY_GPU || device->category == CATEGORY_NET ||
			device->category == CATEGORY_USB) {
			doctor_examine_group(diagnoses, machine, device);
		}
	}
	if (diagnoses->count == before && machine_last_group(machine) >= 0) {
		add(diagnoses, DIAGNOSIS_GOOD, "group",
			"Every graphics, network and USB device can be given away by itself.",
			NULL);
	}
}

/* Firmware of AMD's boards that protects itself from DMA says so of all cards; servers' says it of
 * those that their management reads. */
static void examine_ties(struct diagnoses *diagnoses, const struct machine *machine) {
	char *list = NULL;
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (!device->tied ||
			(device->category != CATEGORY_GPU && device->category != CATEGORY_NET &&
				device->category != CATEGORY_USB)) {
			continue;
		}
		char *longer =
			must_print("%s%s%s", list ? list : "", list ? ", " : "", device->name);
		free(list);
		list = longer;
	}
	if (list) {
		diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "tied",
			must_print("The firmware has memory that these are always to reach: %s. "
				   "The kernel gives no such device to a VM.",
				list),
			must_copy("Switch \"Kernel DMA Protection\" or \"Pre-boot DMA "
				  "Protection\" off in the firmware's set-up, near the IOMMU's "
				  "own setting; on servers look for the maker's advice on "
				  "\"RMRR\". A firmware update can mend it, too."));
	}
	free(list);
}

static void examine_bar(struct diagnoses *diagnoses, const struct pci_device *device) {
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &device->bars[i];
		if (!bar->resizable) {
			continue;
		}
		unsigned highest = 63 - (unsigned)__builtin_clzll(bar->resizable);
		uint64_t most = (uint64_t)1 << (highest + 20);
		if (most <= bar->size) {
			continue;
		}
		char now[SIZE_TEXT], possible[SIZE_TEXT];
		size_format(bar->size, now);
		size_format(most, possible);
		diagnoses_add(diagnoses, DIAGNOSIS_HINT, "resizable-bar",
			must_print("%s shows %s of its memory at once and could show %s.",
				device->name, now, possible),
			must_copy("Switch \"Resizable BAR\" and \"Above 4G Decoding\" on in the "
				  "firmware's set-up. It is faster, not necessary."));
	}
}

static void examine_cards(struct diagnoses *diagnoses, const struct machine *machine) {
	unsigned cards = 0;
	for (size_t i = 0; i < machine->devices_count; i++) {
		const struct pci_device *device = &machine->devices[i];
		if (device->category != CATEGORY_GPU) {
			continue;
		}
		cards++;
		examine_bar(diagnoses, device);
		if (device->reset_methods[0] == '\0') {
			diagnoses_add(diagnoses, DIAGNOSIS_HINT, "reset",
				must_print("The kernel knows no way to reset %s.", device->name),
				must_copy("It may work in one VM only until the machine is started "
					  "anew."));
		}
	}
	if (cards == 1) {
		add(diagnoses, DIAGNOSIS_HINT, "single-gpu",
			"There is one graphics card: while a VM has it, the host has no screen.",
			"Have another way in, such as ssh from another machine.");
	}
}

void doctor_examine(struct diagnoses *diagnoses, const struct machine *machine, struct tree *tree) {
	struct facts facts;
	facts_read(&facts, tree);
	examine_processor(diagnoses, &facts);
	examine_iommu(diagnoses, machine, &facts);
	examine_vfio(diagnoses, machine, &facts);
	examine_firmware(diagnoses, &facts);
	examine_reservations(diagnoses, machine, tree);
	examine_groups(diagnoses, machine);
	examine_ties(diagnoses, machine);
	examine_cards(diagnoses, machine);
	examine_sleep(diagnoses, tree);
	examine_keyboard(diagnoses, machine);
	examine_memory(diagnoses, tree);
	facts_finish(&facts);
}

void doctor_examine_rom(struct diagnoses *diagnoses, const struct pci_device *device,
	const char *name, const struct rom_copy *copy) {
	struct rom_images images;
	if (!rom_parse(copy->data, copy->size, &images)) {
		diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "rom",
			must_print("%s is no whole expansion ROM.", name),
			must_copy("Read it again while no driver has the card."));
	} else if (device && images.vendor != device->vendor) {
		diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "rom",
			must_print("%s is of a device %04x:%04x, and %s is %04x:%04x.", name,
				images.vendor, images.device, device->name, device->vendor,
				device->device),
			must_copy("Take a copy of this card's own ROM."));
	} else if (!images.efi) {
		diagnoses_add(diagnoses, DIAGNOSIS_PROBLEM, "rom",
			must_print("The ROM of %04x:%04x has no UEFI image: a guest that starts by "
				   "UEFI shows nothing until its driver runs.",
				images.vendor, images.device),
			must_copy(
				"Look for a firmware update of the card (\"GOP update\"), or give "
				"the guest a BIOS."));
	} else {
		diagnoses_add(diagnoses, DIAGNOSIS_GOOD, "rom",
			must_print("The ROM of %04x:%04x has a UEFI image.", images.vendor,
				images.device),
			NULL);
	}
}

void diagnoses_finish(struct diagnoses *diagnoses) {
	for (size_t i = 0; i < diagnoses->count; i++) {
		free(diagnoses->items[i].finding);
		free(diagnoses->items[i].remedy);
	}
	free(diagnoses->items);
	*diagnoses = (struct diagnoses){0};
}

const char *diagnosis_grade_name(enum diagnosis_grade grade) {
	static const char *const names[] = {
		[DIAGNOSIS_GOOD] = "good",
		[DIAGNOSIS_HINT] = "hint",
		[DIAGNOSIS_PROBLEM] = "problem",
	};
	return names[grade];
}
