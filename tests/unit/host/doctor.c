#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "doctor/doctor.h"
#include "doctor/rom.h"
#include "doctor/services.h"
#include "fixture.h"
#include "setup/reservation.h"

struct visit {
	struct memory_tree *tree;
	struct machine machine;
	struct diagnoses diagnoses;
};

static void examine(struct visit *visit) {
	machine_finish(&visit->machine);
	diagnoses_finish(&visit->diagnoses);
	assert_int_equal(machine_read(&visit->machine, memory_tree_base(visit->tree), NULL), 0);
	doctor_examine(&visit->diagnoses, &visit->machine, memory_tree_base(visit->tree));
}

static void begin(struct visit *visit, const char *fixture) {
	*visit = (struct visit){.tree = fixture_tree(fixture)};
	examine(visit);
}

static void end(struct visit *visit) {
	diagnoses_finish(&visit->diagnoses);
	machine_finish(&visit->machine);
	tree_destroy(memory_tree_base(visit->tree));
}

static void expect(
	const struct visit *visit, const char *id, enum diagnosis_grade grade, const char *words) {
	for (size_t i = 0; i < visit->diagnoses.count; i++) {
		const struct diagnosis *diagnosis = &visit->diagnoses.items[i];
		if (strcmp(diagnosis->id, id) == 0 && diagnosis->grade == grade &&
			(strstr(diagnosis->finding, words) ||
				(diagnosis->remedy && strstr(diagnosis->remedy, words)))) {
			return;
		}
	}
	fail_msg("no %s of grade %s with \"%s\"", id, diagnosis_grade_name(grade), words);
}

static bool has(const struct visit *visit, const char *id) {
	for (size_t i = 0; i < visit->diagnoses.count; i++) {
		if (strcmp(visit->diagnoses.items[i].id, id) == 0) {
			return true;
		}
	}
	return false;
}

static void put(struct visit *visit, const char *path, const char *text) {
	assert_int_equal(memory_tree_put_file(visit->tree, path, text, strlen(text)), 0);
}

static void a_machine_that_is_ready_is_told_so(void **state) {
	struct visit visit;
	begin(&visit, "notes-laptop");
	for (size_t i = 0; i < visit.diagnoses.count; i++) {
		assert_int_not_equal(visit.diagnoses.items[i].grade, DIAGNOSIS_PROBLEM);
	}
	expect(&visit, "iommu", DIAGNOSIS_GOOD, "The IOMMU is on");
	expect(&visit, "processor", DIAGNOSIS_GOOD, "KVM is there");
	expect(&visit, "vfio", DIAGNOSIS_GOOD, "vfio-pci");
	expect(&visit, "firmware", DIAGNOSIS_GOOD, "UEFI");
	assert_false(has(&visit, "single-gpu"));
	end(&visit);
}

/* From the outside in: firmware, command line, kernel. */
static void a_missing_iommu_is_explained_by_where_it_is_missing(void **state) {
	struct visit visit;
	begin(&visit, "no-iommu");
	expect(&visit, "iommu", DIAGNOSIS_PROBLEM, "switch on \"VT-d\"");
	expect(&visit, "firmware", DIAGNOSIS_HINT, "CSM");
	put(&visit, "/sys/firmware/acpi/tables/DMAR", "");
	examine(&visit);
	expect(&visit, "iommu", DIAGNOSIS_PROBLEM, "Add \"intel_iommu=on\"");
	put(&visit, "/proc/cmdline", "quiet intel_iommu=off ro\n");
	examine(&visit);
	expect(&visit, "iommu", DIAGNOSIS_PROBLEM, "Take \"intel_iommu=off\" out");
	put(&visit, "/proc/cmdline", "quiet\n");
	put(&visit, "/proc/cpuinfo", "vendor_id\t: AuthenticAMD\nflags\t\t: fpu svm\n");
	examine(&visit);
	expect(&visit, "iommu", DIAGNOSIS_PROBLEM, "switch on \"IOMMU\"");
	end(&visit);
}

static void cards_that_the_firmware_ties_to_memory_are_told(void **state) {
	struct visit visit = {.tree = fixture_tree("notes-laptop")};
	put(&visit, "/sys/kernel/iommu_groups/15/reserved_regions",
		"0x00000000bdf83000 0x00000000bdf84fff direct\n");
	examine(&visit);
	expect(&visit, "tied", DIAGNOSIS_PROBLEM, "always to reach: 0000:01:00.0. The kernel");
	expect(&visit, "tied", DIAGNOSIS_PROBLEM, "\"Kernel DMA Protection\"");
	end(&visit);
	begin(&visit, "notes-laptop");
	assert_false(has(&visit, "tied"));
	end(&visit);
}

static void a_processor_without_virtual_machines_is_told_from_a_missing_kvm(void **state) {
	struct visit visit;
	begin(&visit, "notes-laptop");
	memory_tree_remove(visit.tree, "/sys/class/misc/kvm");
	examine(&visit);
	expect(&visit, "kvm", DIAGNOSIS_PROBLEM, "modprobe kvm_intel");
	put(&visit, "/proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: fpu vmxless novmx\n");
	examine(&visit);
	expect(&visit, "processor", DIAGNOSIS_PROBLEM, "no VT-x");
	end(&visit);
}

static void a_kernel_without_vfio_is_told(void **state) {
	struct visit visit;
	begin(&visit, "notes-laptop");
	memory_tree_remove(visit.tree, "/lib/modules");
	examine(&visit);
	expect(&visit, "vfio", DIAGNOSIS_PROBLEM, "full kernel");
	end(&visit);
}

static void the_way_through_a_known_maker_s_menus_is_told(void **state) {
	struct visit visit;
	begin(&visit, "no-iommu");
	put(&visit, "/sys/class/dmi/id/board_vendor", "ASUSTeK COMPUTER INC.\n");
	examine(&visit);
	expect(&visit, "iommu", DIAGNOSIS_PROBLEM,
		"boards of ASUSTeK COMPUTER INC. look at: Advanced");
	put(&visit, "/proc/cpuinfo", "vendor_id\t: AuthenticAMD\nflags\t\t: fpu svm\n");
	examine(&visit);
	expect(&visit, "iommu", DIAGNOSIS_PROBLEM, "AMD CBS > NBIO Common Options > IOMMU");
	put(&visit, "/sys/class/dmi/id/board_vendor", "Nobody\n");
	examine(&visit);
	expect(&visit, "iommu", DIAGNOSIS_PROBLEM, "Some boards hide it");
	end(&visit);
}

#define RULES "/etc/udev/rules.d/60-portal-vfio.rules"

/* The set-up reserved this card of the machine, when it was at `path` and of these ids. */
static void reserve(struct visit *visit, const char *path, uint16_t device) {
	struct pci_device card = *machine_find(&visit->machine, "0000:01:00.0");
	card.path = must_copy(path);
	card.device = device;
	char *rule = reservation_rule(&card, "");
	put(visit, RULES, rule);
	free(rule);
	free(card.path);
	examine(visit);
}

static void a_reservation_that_fits_no_device_is_told(void **state) {
	static const char here[] = "/sys/devices/pci0000:00/0000:00:01.0/0000:05:00.0";
	static const char elsewhere[] = "/sys/devices/pci0000:00/0000:00:1b.0/0000:07:00.0";
	struct visit visit;
	begin(&visit, "two-gpu-desktop");
	assert_false(has(&visit, "reservation"));
	/* On another bus, by the same way. */
	reserve(&visit, here, 0x2484);
	expect(&visit, "reservation", DIAGNOSIS_GOOD, "is where it was");
	reserve(&visit, elsewhere, 0x2484);
	expect(&visit, "reservation", DIAGNOSIS_PROBLEM,
		"reserves 10de:2484 for VMs, and it is not where it was "
		"(pci0000:00/0000:00:1b.0/0000:??:00.0): one of its kind is at 0000:01:00.0 now, "
		"which the host's driver nouveau has.");
	expect(&visit, "reservation", DIAGNOSIS_PROBLEM, "setup --device 0000:01:00.0");
	reserve(&visit, here, 0x2204);
	expect(&visit, "reservation", DIAGNOSIS_PROBLEM,
		"(pci0000:00/0000:00:01.0/0000:??:00.0): 10de:2484 is there now (0000:01:00.0), "
		"which the host's driver nouveau has.");
	reserve(&visit, elsewhere, 0x2204);
	expect(&visit, "reservation", DIAGNOSIS_PROBLEM,
		"no device of its kind is in the machine.");
	/* As the first set-ups wrote it. */
	put(&visit, RULES,
		"ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"0000:02:00.0\", "
		"ATTR{vendor}==\"0x10de\", ATTR{device}==\"0x2484\", "
		"ATTR{driver_override}=\"vfio-pci\"\n");
	examine(&visit);
	expect(&visit, "reservation", DIAGNOSIS_PROBLEM,
		"(0000:02:00.0): one of its kind is at 0000:01:00.0 now");
	expect(&visit, "reservation-by-address", DIAGNOSIS_HINT, "make it anew");
	end(&visit);
}

/* Of two cards of a kind, one that is reserved is not the other one that moved. */
static void a_card_that_is_reserved_is_no_candidate(void **state) {
	struct visit visit;
	begin(&visit, "two-gpu-desktop");
	const struct pci_device *card = machine_find(&visit.machine, "0000:01:00.0");
	struct pci_device other = *card;
	other.path = must_copy("/sys/devices/pci0000:00/0000:00:1b.0/0000:07:00.0");
	char *first = reservation_rule(card, ""), *second = reservation_rule(&other, "");
	char *rules = must_print("%s%s", first, second);
	put(&visit, RULES, rules);
	examine(&visit);
	expect(&visit, "reservation", DIAGNOSIS_PROBLEM,
		"no device of its kind is in the machine.");
	free(rules);
	free(second);
	free(first);
	free(other.path);
	end(&visit);
}

static void huge_pages_are_counted_by_size(void **state) {
	struct visit visit;
	begin(&visit, "notes-laptop");
	assert_false(has(&visit, "hugepages"));
	put(&visit, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
	put(&visit, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
	examine(&visit);
	expect(&visit, "hugepages", DIAGNOSIS_HINT, "No huge pages are set aside");
	put(&visit, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
	put(&visit, "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "8\n");
	put(&visit, "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "3\n");
	examine(&visit);
	expect(&visit, "hugepages", DIAGNOSIS_GOOD, "3 of 8 huge pages of 1 GiB are free.");
	expect(&visit, "hugepages", DIAGNOSIS_HINT, "0 of 512 huge pages of 2 MiB are free.");
	end(&visit);
}

static void what_a_hand_over_needs_is_looked_at(void **state) {
	struct visit visit;
	begin(&visit, "notes-laptop");
	expect(&visit, "keyboard", DIAGNOSIS_GOOD, "PS/2");
	assert_false(has(&visit, "suspend"));
	put(&visit, "/sys/power/mem_sleep", "[s2idle] deep\n");
	examine(&visit);
	expect(&visit, "suspend", DIAGNOSIS_GOOD, "S3");
	put(&visit, "/sys/power/mem_sleep", "[s2idle]\n");
	examine(&visit);
	expect(&visit, "suspend", DIAGNOSIS_HINT, "\"Sleep State\"");
	end(&visit);
	begin(&visit, "two-gpu-desktop");
	expect(&visit, "keyboard", DIAGNOSIS_HINT, "none is PS/2");
	end(&visit);
}

static void programs_and_rights_are_judged_by_who_asks(void **state) {
	struct visit visit = {0};
	struct services services = {
		.user = "ann",
		.kvm_there = true,
		.lock_limit = 8 << 20,
		.libvirt = 7003000,
		.qemu = 6000000,
		.daemon = true,
	};
	services_examine(&visit.diagnoses, &services);
	expect(&visit, "kvm-permission", DIAGNOSIS_HINT, "usermod -aG kvm ann");
	expect(&visit, "memlock", DIAGNOSIS_HINT, "ann may lock 8 MiB of memory");
	expect(&visit, "libvirt", DIAGNOSIS_PROBLEM, "libvirt is 7.3.0: it cannot share");
	expect(&visit, "hook", DIAGNOSIS_HINT, "does not ask portal-hostd");
	expect(&visit, "hook", DIAGNOSIS_HINT, "portal-host-hook) /etc/libvirt/hooks/qemu.d/");
	diagnoses_finish(&visit.diagnoses);
	services.hook_unseen = true;
	services_examine(&visit.diagnoses, &services);
	expect(&visit, "hook", DIAGNOSIS_HINT, "ann may not look into /etc/libvirt/hooks");
	expect(&visit, "hook", DIAGNOSIS_HINT, "Run \"portal-host doctor\" as root");
	diagnoses_finish(&visit.diagnoses);
	services = (struct services){.root = true, .kvm_there = true, .kvm_allowed = true};
	strcpy(services.libvirt_error, "no such socket");
	services_examine(&visit.diagnoses, &services);
	assert_false(has(&visit, "kvm-permission"));
	assert_false(has(&visit, "memlock"));
	expect(&visit, "libvirt", DIAGNOSIS_PROBLEM, "does not answer: no such socket.");
	expect(&visit, "hostd", DIAGNOSIS_HINT, "does not run");
	diagnoses_finish(&visit.diagnoses);
	services = (struct services){.libvirt = 12008000,
		.qemu = 11001000,
		.daemon = true,
		.hook = true,
		.lock_limit = UINT64_MAX};
	services_examine(&visit.diagnoses, &services);
	assert_int_equal(visit.diagnoses.count, 2);
	expect(&visit, "libvirt", DIAGNOSIS_GOOD, "libvirt 12.8.0 answers, with QEMU 11.1.0.");
	expect(&visit, "hostd", DIAGNOSIS_GOOD, "asks it before a VM starts");
	diagnoses_finish(&visit.diagnoses);
	strings_add(&services.lazy, "work");
	strings_add(&services.lazy, "net");
	services_examine(&visit.diagnoses, &services);
	expect(&visit, "allocation", DIAGNOSIS_HINT, "only as they use it: work, net.");
	expect(&visit, "allocation", DIAGNOSIS_HINT, "<allocation mode='immediate'/>");
	strings_finish(&services.lazy);
	diagnoses_finish(&visit.diagnoses);
}

static void groups_and_cards_are_judged_by_what_a_person_would_give_away(void **state) {
	struct visit visit;
	begin(&visit, "single-gpu-laptop");
	expect(&visit, "single-gpu", DIAGNOSIS_HINT, "no screen");
	/* What is in the graphics' slot, and of another maker, is no part of them. */
	expect(&visit, "group", DIAGNOSIS_HINT,
		"0000:04:00.0 (gpu) shares IOMMU group 3 with 0000:04:00.2 (other), 0000:04:00.3 "
		"(usb), 0000:04:00.4 (usb), 0000:04:00.6 (audio): they go to a VM together");
	expect(&visit, "group", DIAGNOSIS_HINT, "parts of one chip");
	expect(&visit, "group", DIAGNOSIS_HINT,
		"0000:04:00.4 (usb) shares IOMMU group 3 with 0000:04:00.0 (gpu), 0000:04:00.1 "
		"(gpu-audio), 0000:04:00.2 (other), 0000:04:00.3 (usb), 0000:04:00.6 (audio)");
	end(&visit);
	begin(&visit, "two-gpu-desktop");
	expect(&visit, "group", DIAGNOSIS_GOOD, "by itself");
	expect(&visit, "resizable-bar", DIAGNOSIS_HINT, "shows 256 MiB");
	expect(&visit, "resizable-bar", DIAGNOSIS_HINT, "could show 8 GiB");
	put(&visit, "/proc/cmdline", "intel_iommu=on pcie_acs_override=downstream\n");
	memory_tree_put_link(visit.tree,
		"/sys/devices/pci0000:00/0000:00:1c.4/0000:06:00.0/iommu_group",
		"../../../../kernel/iommu_groups/10");
	examine(&visit);
	expect(&visit, "group", DIAGNOSIS_HINT,
		"0000:05:00.0 (usb) shares IOMMU group 10 with 0000:06:00.0 (net)");
	expect(&visit, "acs-override", DIAGNOSIS_HINT, "keeps apart");
	end(&visit);
	begin(&visit, "many-nic-server");
	expect(&visit, "reset", DIAGNOSIS_HINT, "0000:03:00.0");
	end(&visit);
}

/* One image of 512 bytes at `at`. */
static void make_image(uint8_t *rom, size_t at, uint8_t type, bool last) {
	static const uint8_t structure[] = {'P', 'C', 'I', 'R', 0xde, 0x10, 0xa0, 0x25};
	rom[at] = 0x55;
	rom[at + 1] = 0xaa;
	rom[at + 0x18] = 0x40;
	memcpy(rom + at + 0x40, structure, sizeof(structure));
	rom[at + 0x40 + 0x10] = 1;
	rom[at + 0x40 + 0x14] = type;
	rom[at + 0x40 + 0x15] = last ? 0x80 : 0;
}

static void the_images_of_a_rom_are_told_apart(void **state) {
	uint8_t rom[1024] = {0};
	struct rom_images images;
	make_image(rom, 0, 0, false);
	make_image(rom, 512, 3, true);
	assert_true(rom_parse(rom, sizeof(rom), &images));
	assert_int_equal(images.count, 2);
	assert_true(images.legacy && images.efi);
	assert_int_equal(images.vendor, 0x10de);
	assert_int_equal(images.device, 0x25a0);
	make_image(rom, 0, 0, true);
	assert_true(rom_parse(rom, sizeof(rom), &images));
	assert_false(images.efi);
	struct visit visit = {0};
	struct rom_copy copy = {rom, sizeof(rom)};
	doctor_examine_rom(&visit.diagnoses, NULL, "card.rom", &copy);
	expect(&visit, "rom", DIAGNOSIS_PROBLEM, "10de:25a0 has no UEFI image");
	diagnoses_finish(&visit.diagnoses);
	/* Meant for a card of somebody else's. */
	struct pci_device device = {.name = "0000:01:00.0", .vendor = 0x1002, .device = 0x73bf};
	make_image(rom, 0, 3, true);
	doctor_examine_rom(&visit.diagnoses, &device, "card.rom", &copy);
	expect(&visit, "rom", DIAGNOSIS_PROBLEM,
		"card.rom is of a device 10de:25a0, and 0000:01:00.0 is 1002:73bf.");
	diagnoses_finish(&visit.diagnoses);
	device.vendor = 0x10de;
	doctor_examine_rom(&visit.diagnoses, &device, "card.rom", &copy);
	expect(&visit, "rom", DIAGNOSIS_GOOD, "has a UEFI image");
	diagnoses_finish(&visit.diagnoses);
}

/* As sysfs does it: the ROM is there to read between a "1" and a "0". */
struct card_tree {
	struct tree base;
	bool shown, enabled, broken;
	unsigned writes;
};

static ssize_t card_read(struct tree *tree, const char *path, void *data, size_t size) {
	const struct card_tree *card = (const struct card_tree *)tree;
	assert_string_equal(path, "/sys/devices/card/rom");
	errno = card->shown && card->enabled && !card->broken ? 0 : EIO;
	if (errno != 0) {
		return -1;
	}
	assert_true(size >= 512);
	memset(data, 0, 512);
	make_image(data, 0, 3, true);
	return 512;
}

static int card_write(struct tree *tree, const char *path, const char *text) {
	struct card_tree *card = (struct card_tree *)tree;
	if (strcmp(path, "/sys/devices/card/enable") == 0) {
		card->enabled = strcmp(text, "1") == 0;
		return 0;
	}
	assert_string_equal(path, "/sys/devices/card/rom");
	card->shown = strcmp(text, "1") == 0;
	card->writes++;
	return 0;
}

static void a_rom_is_read_from_its_card_and_hidden_again(void **state) {
	static const struct tree_interface impl = {.read = card_read, .write = card_write};
	struct card_tree tree = {.base.impl = &impl};
	struct pci_device device = {.name = "0000:01:00.0", .path = "/sys/devices/card"};
	struct rom_images images;
	struct rom_copy copy;
	struct error error = {""};
	assert_int_equal(rom_copy_read_card(&copy, &tree.base, &device, &error), 0);
	assert_true(rom_parse(copy.data, copy.size, &images) && images.efi);
	assert_true(tree.writes == 2 && !tree.shown && !tree.enabled);
	rom_copy_finish(&copy);
	tree.broken = true;
	assert_int_equal(rom_copy_read_card(&copy, &tree.base, &device, &error), -1);
	assert_non_null(strstr(error.text, "the ROM of 0000:01:00.0 cannot be read: Input/output"));
	assert_true(tree.writes == 4 && !tree.shown && !tree.enabled);
	rom_copy_finish(&copy);
	assert_true(rom_copy_is_free(&device));
	device.driver = "nouveau";
	assert_false(rom_copy_is_free(&device));
	device.driver = "vfio-pci";
	assert_true(rom_copy_is_free(&device));
}

static void a_broken_rom_is_refused_and_never_read_beyond_its_end(void **state) {
	uint8_t rom[1024] = {0};
	struct rom_images images;
	make_image(rom, 0, 0, false);
	make_image(rom, 512, 3, true);
	for (size_t size = 0; size < 512 + 0x40 + 0x18; size++) {
		uint8_t *exact = malloc(size ? size : 1);
		memcpy(exact, rom, size);
		assert_false(rom_parse(exact, size, &images));
		free(exact);
	}
	rom[0x18] = rom[0x19] = 0xff;
	assert_false(rom_parse(rom, sizeof(rom), &images));
	make_image(rom, 0, 0, false);
	rom[0x19] = 0;
	rom[0x50] = 0; /* of no length */
	assert_false(rom_parse(rom, sizeof(rom), &images));
	rom[0x50] = 0xff;
	assert_false(rom_parse(rom, sizeof(rom), &images));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_that_is_ready_is_told_so),
		cmocka_unit_test(a_missing_iommu_is_explained_by_where_it_is_missing),
		cmocka_unit_test(cards_that_the_firmware_ties_to_memory_are_told),
		cmocka_unit_test(a_processor_without_virtual_machines_is_told_from_a_missing_kvm),
		cmocka_unit_test(a_kernel_without_vfio_is_told),
		cmocka_unit_test(the_way_through_a_known_maker_s_menus_is_told),
		cmocka_unit_test(a_reservation_that_fits_no_device_is_told),
		cmocka_unit_test(a_card_that_is_reserved_is_no_candidate),
		cmocka_unit_test(huge_pages_are_counted_by_size),
		cmocka_unit_test(what_a_hand_over_needs_is_looked_at),
		cmocka_unit_test(programs_and_rights_are_judged_by_who_asks),
		cmocka_unit_test(groups_and_cards_are_judged_by_what_a_person_would_give_away),
		cmocka_unit_test(the_images_of_a_rom_are_told_apart),
		cmocka_unit_test(a_rom_is_read_from_its_card_and_hidden_again),
		cmocka_unit_test(a_broken_rom_is_refused_and_never_read_beyond_its_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
