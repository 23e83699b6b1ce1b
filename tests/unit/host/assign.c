/* What a VM gets when a device is named, on the recorded machines, with libvirt's test driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "edit/assign.h"
#include "fixture.h"

struct scene {
	struct machine machine;
	struct assignment assignment;
	struct findings findings;
};

static struct scene begin(const char *fixture) {
	return (struct scene){.machine = fixture_machine(fixture)};
}

static void end(struct scene *scene) {
	assignment_finish(&scene->assignment);
	findings_finish(&scene->findings);
	machine_finish(&scene->machine);
}

static void name_device(struct scene *scene, const char *address) {
	static const struct domain_hostdev how = {.rom_bar = DOMAIN_SWITCH_OFF};
	const struct pci_device *device = machine_find(&scene->machine, address);
	assert_non_null(device);
	assign_device(&scene->assignment, &scene->findings, &scene->machine, device, &how);
}

static bool has(const struct scene *scene, const char *address) {
	for (size_t i = 0; i < scene->assignment.count; i++) {
		char text[DOMAIN_ADDRESS_TEXT];
		domain_address_format(&scene->assignment.hostdevs[i].host, text);
		if (strcmp(text, address) == 0) {
			return true;
		}
	}
	return false;
}

static void the_sound_of_a_card_comes_along(void **state) {
	struct scene scene = begin("two-gpu-desktop");
	name_device(&scene, "0000:01:00.0");
	assign_check_groups(&scene.assignment, &scene.findings, &scene.machine);
	assert_int_equal(scene.assignment.count, 2);
	assert_true(has(&scene, "0000:01:00.1"));
	assert_true(fixture_finds(&scene.findings, false, "0000:01:00.1 comes along"));
	/* What was said about the one is not about the other. */
	assert_int_equal(scene.assignment.hostdevs[0].rom_bar, DOMAIN_SWITCH_OFF);
	assert_int_equal(scene.assignment.hostdevs[1].rom_bar, DOMAIN_SWITCH_UNSET);
	name_device(&scene, "0000:01:00.1");
	assert_int_equal(scene.assignment.count, 2);
	/* Its root port is in the group and no concern of anybody's. */
	assert_false(findings_block(&scene.findings));
	end(&scene);
}

static void a_part_of_the_machine_in_the_group_refuses(void **state) {
	struct scene scene = begin("two-gpu-desktop");
	name_device(&scene, "0000:00:1f.3");
	assign_check_groups(&scene.assignment, &scene.findings, &scene.machine);
	assert_int_equal(scene.assignment.count, 1);
	assert_true(fixture_finds(&scene.findings, true,
		"0000:00:1f.4 (system, driver i801_smbus) is in the same IOMMU group 8"));
	/* Named too, it goes. */
	findings_finish(&scene.findings);
	name_device(&scene, "0000:00:1f.4");
	assign_check_groups(&scene.assignment, &scene.findings, &scene.machine);
	assert_false(findings_block(&scene.findings));
	end(&scene);
}

static void what_cannot_be_given_away_is_told_apart(void **state) {
	struct scene scene = begin("two-gpu-desktop");
	name_device(&scene, "0000:00:01.0");
	assert_true(fixture_finds(&scene.findings, true, "0000:00:01.0 is a bridge"));
	assert_int_equal(scene.assignment.count, 0);
	end(&scene);
	scene = begin("no-iommu");
	name_device(&scene, "0000:02:00.0");
	assert_true(fixture_finds(&scene.findings, true, "in no IOMMU group: the IOMMU is off"));
	assert_int_equal(scene.assignment.count, 0);
	end(&scene);
}

/* The start of an expansion ROM of one image: signature, pointer, PCI data structure. */
static char *write_rom(uint16_t vendor, uint16_t device, uint8_t code, size_t size) {
	static char path[] = "/tmp/portal-rom-XXXXXX";
	uint8_t rom[512] = {0x55, 0xaa};
	strcpy(path + sizeof(path) - 7, "XXXXXX");
	rom[0x18] = 0x1c;
	memcpy(rom + 0x1c, "PCIR", 4);
	rom[0x20] = (uint8_t)vendor;
	rom[0x21] = (uint8_t)(vendor >> 8);
	rom[0x22] = (uint8_t)device;
	rom[0x23] = (uint8_t)(device >> 8);
	rom[0x1c + 0x10] = 1;
	rom[0x1c + 0x14] = code;
	rom[0x1c + 0x15] = 0x80;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, rom, size), (ssize_t)size);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
	return path;
}

static void check_rom(const char *path, bool blocks, const char *words) {
	struct scene scene = begin("two-gpu-desktop");
	assign_check_rom(&scene.findings, machine_find(&scene.machine, "0000:01:00.0"), path);
	if (words == NULL) {
		assert_int_equal(scene.findings.count, 0);
	} else {
		assert_true(fixture_finds(&scene.findings, blocks, words));
		assert_int_equal(findings_block(&scene.findings), blocks);
	}
	end(&scene);
}

static void a_rom_file_has_to_be_the_cards(void **state) {
	enum { EFI = 3, BIOS = 0 };
	char *path = write_rom(0x10de, 0x2484, EFI, 512);
	check_rom(path, false, NULL);
	assert_int_equal(chmod(path, 0640), 0);
	check_rom(path, false, "is not for everybody to read");
	unlink(path);
	path = write_rom(0x10de, 0x2484, BIOS, 512);
	check_rom(path, false, "has no image for UEFI");
	unlink(path);
	path = write_rom(0x10de, 0x1234, EFI, 512);
	check_rom(path, false, "may be of another card");
	unlink(path);
	path = write_rom(0x1002, 0x2484, EFI, 512);
	check_rom(path, true, "is of a device 1002:2484, and 0000:01:00.0 is 10de:2484");
	unlink(path);
	path = write_rom(0x10de, 0x2484, EFI, 40);
	check_rom(path, true, "is cut off");
	unlink(path);
	check_rom(path, true, "No such file");
	check_rom("card.rom", true, "from the root on");
	check_rom("/dev/null", true, "is no copy of an expansion ROM");
	check_rom("/tmp", true, "is no copy of an expansion ROM");
}

static void domains_that_share_a_group_are_named(void **state) {
	static const char domains[] =
		"<node>"
		"<domain "
		"type='test'><name>desk</name><memory>8192</memory><os><type>hvm</type></os>"
		"<devices><hostdev mode='subsystem' type='pci'><source><address bus='1' slot='0' "
		"function='0'/></source></hostdev></devices></domain>"
		"<domain "
		"type='test'><name>play</name><memory>8192</memory><os><type>hvm</type></os>"
		"<devices><hostdev mode='subsystem' type='pci'><source><address bus='1' slot='0' "
		"function='1'/></source></hostdev></devices></domain>"
		"<domain "
		"type='test'><name>router</name><memory>8192</memory><os><type>hvm</type></os>"
		"<devices><hostdev mode='subsystem' type='pci'><source><address bus='6' slot='0' "
		"function='0'/></source></hostdev></devices></domain>"
		"</node>";
	char directory[] = "/tmp/portal-assign-XXXXXX", path[64], uri[96];
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/domains.xml", directory);
	snprintf(uri, sizeof(uri), "test://%s", path);
	struct error error = {0};
	assert_int_equal(file_replace(path, domains, strlen(domains), 0600, &error), 0);
	sd_event *loop;
	assert_true(sd_event_new(&loop) >= 0);
	struct domain_manager *manager = domain_manager_create_viewer(uri, loop, &error);
	assert_string_equal(error.text, "");

	struct scene scene = begin("two-gpu-desktop");
	/* As if the two functions were on two cards, in one group all the same. */
	scene.assignment.hostdevs = calloc(1, sizeof(*scene.assignment.hostdevs));
	scene.assignment.hostdevs[scene.assignment.count++].host =
		(struct domain_address){.bus = 1, .function = 1};
	assert_int_equal(assign_check_domains(&scene.assignment, &scene.findings, &scene.machine,
				 manager, "desk", &error),
		0);
	assert_int_equal(scene.findings.count, 1);
	assert_true(fixture_finds(&scene.findings, false, "domain play has 0000:01:00.1 too"));
	assert_int_equal(assign_check_domains(&scene.assignment, &scene.findings, &scene.machine,
				 manager, "play", &error),
		0);
	assert_int_equal(scene.findings.count, 2);
	assert_true(fixture_finds(
		&scene.findings, false, "domain desk has 0000:01:00.0 of the same IOMMU group 2"));
	end(&scene);
	domain_manager_destroy(manager);
	sd_event_unref(loop);
	unlink(path);
	rmdir(directory);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sound_of_a_card_comes_along),
		cmocka_unit_test(a_part_of_the_machine_in_the_group_refuses),
		cmocka_unit_test(what_cannot_be_given_away_is_told_apart),
		cmocka_unit_test(a_rom_file_has_to_be_the_cards),
		cmocka_unit_test(domains_that_share_a_group_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
