#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "cli/setup.h"
#include "doctor/doctor.h"
#include "doctor/facts.h"
#include "inventory/group.h"
#include "policy/guard.h"

static bool is_reserved(const struct setup *setup, const struct pci_device *device) {
	for (size_t i = 0; i < setup->options.devices_count; i++) {
		if (setup->options.devices[i] == device) {
			return true;
		}
	}
	return false;
}

/* From boot on nobody sits before a controller: the guard counts as while none runs. */
int setup_check_guard(struct cli *cli, const struct setup *setup) {
	const struct machine *machine = &cli->machine;
	bool *taken = must_alloc(machine->devices_count, sizeof(*taken));
	int status = CLI_DONE;
	for (size_t i = 0; i < machine->devices_count; i++) {
		taken[i] = is_reserved(setup, &machine->devices[i]);
	}
	struct guard_objection *objections;
	size_t count = guard_check(machine, taken, NULL, &objections);
	for (size_t i = 0; i < count; i++) {
		if (!strings_contain(&setup->unguarded, objections[i].device->name)) {
			const char *name = objections[i].device->name;
			status = cli_fail(CLI_REFUSED,
				"the survival guard (%s) keeps %s: %s (--unguard %s lets it go)",
				guard_rule_name(objections[i].rule), name, objections[i].text,
				name);
		}
	}
	guard_free(objections, count);
	free(taken);
	return status;
}

/* A machine whose memory is all in huge pages does not come up any more. */
int setup_check_pages(struct cli *cli, const struct setup *setup) {
	static const uint64_t least = (uint64_t)2 << 30;
	const struct setup_options *options = &setup->options;
	uint64_t pages =
		((uint64_t)options->hugepages << 21) + ((uint64_t)options->hugepages_1g << 30);
	struct facts facts;
	int status = CLI_DONE;
	facts_read(&facts, cli->tree);
	if (options->hugepages_1g > 0 && !facts.pages_1g) {
		status = cli_fail(CLI_REFUSED,
			"this processor has no pages of 1 GiB: say --hugepages for those of 2 MiB");
	} else if (pages > 0 && facts.memory > 0 && pages + least > facts.memory) {
		char wanted[SIZE_TEXT], there[SIZE_TEXT];
		size_format(pages, wanted);
		size_format(facts.memory, there);
		status = cli_fail(CLI_REFUSED,
			"huge pages of %s would leave the host less than 2 GiB of its %s", wanted,
			there);
	}
	facts_finish(&facts);
	return status;
}

/* VFIO refuses a group of which a driver of the host has a member, at every start of a VM. */
int setup_check_groups(struct cli *cli, const struct setup *setup) {
	for (size_t i = 0; i < cli->machine.devices_count; i++) {
		const struct pci_device *other = &cli->machine.devices[i];
		for (size_t k = 0; k < setup->options.devices_count; k++) {
			const struct pci_device *device = setup->options.devices[k];
			if (group_is_same(other, device) && !is_reserved(setup, other) &&
				!group_driver_is_harmless(other->driver)) {
				return cli_fail(CLI_REFUSED,
					"%s (%s, driver %s) shares IOMMU group %d with %s and is "
					"not taken along unless it is named too: no VM could have "
					"%s",
					other->name, category_name(other->category), other->driver,
					other->iommu_group, device->name, device->name);
			}
		}
	}
	return CLI_DONE;
}

static const char *rom_of(const struct setup *setup, const struct pci_device *device) {
	const char *rom = NULL;
	for (size_t i = 0; i < setup->roms_count; i++) {
		rom = setup->roms[i].device == device ? setup->roms[i].rom : rom;
	}
	return rom;
}

static int judge_rom(
	const struct pci_device *device, const char *name, const struct rom_copy *copy) {
	struct diagnoses found = {0};
	int status = CLI_DONE;
	doctor_examine_rom(&found, device, name, copy);
	for (size_t i = 0; i < found.count; i++) {
		if (found.items[i].grade == DIAGNOSIS_PROBLEM) {
			status = cli_fail(CLI_REFUSED,
				"%s %s Or say --device %s,rom=any: reserve it whatever is in its "
				"ROM.",
				found.items[i].finding, found.items[i].remedy, device->name);
		}
	}
	diagnoses_finish(&found);
	return status;
}

/* What stands in the way of a look at the ROM; the caller's. NULL: nothing did. */
static char *read_card(
	const struct cli *cli, const struct pci_device *device, struct rom_copy *copy) {
	struct error error;
	if (cli->machine_file) {
		return must_copy("a recorded machine has none");
	}
	if (!rom_copy_is_free(device)) {
		return must_print("%s has the card", device->driver);
	}
	return rom_copy_read_card(copy, cli->tree, device, &error) < 0 ? must_copy(error.text)
								       : NULL;
}

static int check_rom(struct cli *cli, struct setup *setup, const struct pci_device *device) {
	const char *rom = rom_of(setup, device);
	struct rom_copy copy = {0};
	struct error error;
	int status = CLI_DONE;
	if (rom && strcmp(rom, "any") == 0) {
		return CLI_DONE;
	}
	if (rom) {
		status = rom_copy_read_file(&copy, rom, &error) < 0
				 ? cli_fail(CLI_FAILED, "%s", error.text)
				 : judge_rom(device, rom, &copy);
	} else {
		char *reason = read_card(cli, device, &copy);
		if (reason) {
			strings_take(&setup->files.notes,
				must_print("Whether the ROM of %s has an image for UEFI was not "
					   "looked at (%s). While no driver has the card, "
					   "\"portal-host doctor --rom %s\" tells; now, --device "
					   "%s,rom=FILE looks at a copy.",
					device->name, reason, device->name, device->name));
		} else {
			status = judge_rom(device, device->name, &copy);
		}
		free(reason);
	}
	rom_copy_finish(&copy);
	return status;
}

int setup_check_roms(struct cli *cli, struct setup *setup) {
	int status = CLI_DONE;
	for (size_t i = 0; i < setup->roms_count && status == CLI_DONE; i++) {
		if (setup->roms[i].device->category != CATEGORY_GPU) {
			status = cli_fail(CLI_USAGE,
				"%s is no graphics card: its ROM does not matter",
				setup->roms[i].device->name);
		}
	}
	for (size_t i = 0; i < setup->options.devices_count && status == CLI_DONE; i++) {
		if (setup->options.devices[i]->category == CATEGORY_GPU) {
			status = check_rom(cli, setup, setup->options.devices[i]);
		}
	}
	return status;
}

/* A driver that is no module is there before the first rule counts. */
static void note_built_in(struct cli *cli, struct setup *setup) {
	for (size_t i = 0; i < setup->options.devices_count && !cli->machine_file; i++) {
		const struct pci_device *device = setup->options.devices[i];
		if (device->driver &&
			!tree_exists(cli->tree, "/sys/bus/pci/drivers/%s/module", device->driver)) {
			strings_take(&setup->files.notes,
				must_print("The driver %s is part of this kernel and has %s before "
					   "it can be reserved: after the start, \"portal-host "
					   "take %s\" gives it to VFIO.",
					device->driver, device->name, device->name));
		}
	}
}

static void note_companions(struct cli *cli, struct setup *setup) {
	struct diagnoses groups = {0};
	for (size_t i = 0; i < setup->options.devices_count; i++) {
		const struct pci_device *device = setup->options.devices[i];
		if (strings_contain(&setup->names, device->name)) {
			doctor_examine_group(&groups, &cli->machine, device);
		} else {
			strings_take(&setup->files.notes,
				must_print("%s (%s) is reserved as well: it is of the same IOMMU "
					   "group %d.",
					device->name, category_name(device->category),
					device->iommu_group));
		}
	}
	for (size_t i = 0; i < groups.count; i++) {
		strings_take(&setup->files.notes,
			must_print("%s %s", groups.items[i].finding, groups.items[i].remedy));
	}
	diagnoses_finish(&groups);
}

/* The guard speaks for the system's own file systems alone. */
static void note_mounts(struct setup *setup) {
	for (size_t i = 0; i < setup->options.devices_count; i++) {
		const struct pci_device *device = setup->options.devices[i];
		for (size_t k = 0; k < device->holders_count; k++) {
			if (device->holders[k].kind != HOLDER_MOUNT) {
				continue;
			}
			char *sentence = holder_sentence(&device->holders[k]);
			strings_take(&setup->files.notes,
				must_print("%s, a disk behind %s, which the host will not have "
					   "after the start. Take it out of /etc/fstab, or "
					   "give it the option \"nofail\" there: the start "
					   "would stop to wait for it.",
					sentence, device->name));
			free(sentence);
		}
	}
}

/* What the files alone do not mend, in the words of doctor. */
static void note_problems(struct cli *cli, struct setup *setup) {
	struct diagnoses diagnoses = {0};
	doctor_examine(&diagnoses, &cli->machine, cli->tree);
	for (size_t i = 0; i < diagnoses.count; i++) {
		const struct diagnosis *found = &diagnoses.items[i];
		if (found->grade == DIAGNOSIS_PROBLEM) {
			strings_take(&setup->files.notes,
				must_print("A problem as the machine runs now: %s %s",
					found->finding, found->remedy ? found->remedy : ""));
		}
	}
	diagnoses_finish(&diagnoses);
}

void setup_note_devices(struct cli *cli, struct setup *setup) {
	if (setup->options.devices_count == 0) {
		return;
	}
	note_companions(cli, setup);
	note_mounts(setup);
	note_built_in(cli, setup);
	note_problems(cli, setup);
	if (cli->machine.iommu && machine_last_group(&cli->machine) >= 0) {
		strings_add(&setup->files.notes, "The IOMMU of this machine is on already: what is "
						 "written for it keeps it on.");
	}
	for (size_t i = 0; i < setup->options.devices_count; i++) {
		const struct pci_device *device = setup->options.devices[i];
		if (device->iommu_group < 0) {
			strings_take(&setup->files.notes,
				must_print("What shares an IOMMU group with %s, and has to go with "
					   "it, cannot be known while the IOMMU is off: look at "
					   "\"portal-host groups\" when it is on.",
					device->name));
		}
	}
}
