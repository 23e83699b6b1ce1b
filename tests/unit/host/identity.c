#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "identity/known.h"

static struct pci_device *get(const struct machine *machine, const char *name) {
	struct pci_device *device = machine_find(machine, name);
	if (!device) {
		fail_msg("no %s", name);
	}
	return device;
}

/* Puts what is at one place of the machine into another. */
static void move(struct pci_device *device, const char *path, const char *name) {
	free(device->path);
	device->path = must_copy(path);
	snprintf(device->name, sizeof(device->name), "%s", name);
	assert_true(pci_address_parse(name, &device->address));
}

static void a_bridge_path_has_no_bus_numbers(void **state) {
	struct machine machine = fixture_machine("many-nic-server");
	char *path = identity_path(get(&machine, "03:00.0"));
	assert_string_equal(path, "pci0000:00/1c.5/00.0/00.0");
	free(path);
	machine_finish(&machine);
}

static void a_device_is_itself_when_its_bus_number_changed(void **state) {
	struct machine machine = fixture_machine("notes-laptop");
	struct known known = {0};
	struct pci_device *gpu = get(&machine, "01:00.0"), *found;
	assert_int_equal(known_add(&known, "card", gpu, NULL), 0);
	move(gpu, "/sys/devices/pci0000:00/0000:00:01.0/0000:07:00.0", "0000:07:00.0");
	assert_int_equal(known_locate(&known, &known.devices[0], &machine, &found), KNOWN_PRESENT);
	assert_ptr_equal(found, gpu);
	assert_ptr_equal(known_resolve(&known, &machine, "card", NULL), gpu);
	known_finish(&known);
	machine_finish(&machine);
}

static void a_card_that_moved_is_found_and_another_in_its_slot_is_refused(void **state) {
	struct machine machine = fixture_machine("two-gpu-desktop");
	struct known known = {0};
	struct error error;
	struct pci_device *usb = get(&machine, "05:00.0"), *net = get(&machine, "06:00.0"), *found;
	known_add(&known, "usb", usb, NULL);
	/* The two cards change places. */
	move(usb, "/sys/devices/pci0000:00/0000:00:1c.4/0000:06:00.0", "0000:06:00.0");
	move(net, "/sys/devices/pci0000:00/0000:00:1c.0/0000:05:00.0", "0000:05:00.0");
	assert_int_equal(known_locate(&known, &known.devices[0], &machine, &found), KNOWN_MOVED);
	assert_ptr_equal(found, usb);
	/* The card is gone, the other one is in its slot. */
	usb->device = 0x9999;
	assert_int_equal(known_locate(&known, &known.devices[0], &machine, &found), KNOWN_REPLACED);
	assert_null(found);
	assert_null(known_resolve(&known, &machine, "usb", &error));
	assert_non_null(strstr(error.text, "another card is where usb was"));
	move(net, "/sys/devices/pci0000:00/0000:00:1d.0/0000:09:00.0", "0000:09:00.0");
	assert_int_equal(known_locate(&known, &known.devices[0], &machine, &found), KNOWN_ABSENT);
	assert_null(known_resolve(&known, &machine, "usb", &error));
	assert_non_null(strstr(error.text, "not in this machine now"));
	known_finish(&known);
	machine_finish(&machine);
}

static void among_equal_cards_one_that_is_known_by_itself_is_no_candidate(void **state) {
	struct machine machine = fixture_machine("many-nic-server");
	struct known known = {0};
	struct pci_device *found;
	known_add(&known, "first", get(&machine, "01:00.0"), NULL);
	known_add(&known, "second", get(&machine, "01:00.1"), NULL);
	known_add(&known, "third", get(&machine, "01:00.2"), NULL);
	free(known.devices[0].identity.path);
	known.devices[0].identity.path = must_copy("pci0000:00/1e.0/00.0");
	/* 01:00.0 and 01:00.3 could both be it. */
	assert_int_equal(
		known_locate(&known, &known.devices[0], &machine, &found), KNOWN_AMBIGUOUS);
	assert_null(found);
	known_add(&known, "fourth", get(&machine, "01:00.3"), NULL);
	assert_int_equal(known_locate(&known, &known.devices[0], &machine, &found), KNOWN_MOVED);
	assert_ptr_equal(found, get(&machine, "01:00.0"));
	known_finish(&known);
	machine_finish(&machine);
}

static void names_are_kept_in_a_file_and_stale_ones_stay_until_removed(void **state) {
	char path[] = "/tmp/host-known-XXXXXX";
	close(mkstemp(path));
	struct machine machine = fixture_machine("notes-laptop");
	struct machine other = fixture_machine("no-iommu");
	struct known known = {0}, again;
	struct error error = {""};
	struct pci_device *found;
	known_add(&known, "card", get(&machine, "01:00.0"), NULL);
	known_add(&known, "sound", get(&machine, "01:00.1"), NULL);
	assert_int_equal(known_save(&known, path, &error), 0);
	assert_int_equal(known_load(&again, path, &error), 0);
	assert_int_equal(again.count, 2);
	assert_string_equal(known_name_of(&again, &machine, get(&machine, "01:00.1")), "sound");
	assert_int_equal(known_locate(&again, &again.devices[0], &other, &found), KNOWN_REPLACED);
	assert_int_equal(known_save(&again, path, &error), 0);
	known_finish(&again);
	assert_int_equal(known_load(&again, path, &error), 0);
	assert_int_equal(again.count, 2);
	assert_int_equal(known_remove(&again, "card"), 0);
	assert_int_equal(known_remove(&again, "card"), -1);
	assert_string_equal(again.devices[0].name, "sound");
	known_finish(&again);
	known_finish(&known);
	machine_finish(&other);
	machine_finish(&machine);
	unlink(path);
}

static void a_corrupt_list_of_names_is_refused_whole(void **state) {
	static const char *const cases[] = {
		"device a {\n",
		"device a {\n}\n",
		"thing a {\n path p\n id 1:2\n subsystem 1:2\n class 030000\n}\n",
		"device a {\n path p\n id 1:2x\n subsystem 1:2\n class 030000\n}\n",
		"device a {\n path p\n id 1:2\n subsystem 1:2\n class banana\n}\n",
		("device a {\n path p\n id 1:2\n subsystem 1:2\n class 030000\n}\n"
		 "device a {\n path p\n id 1:2\n subsystem 1:2\n class 030000\n}\n"),
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[] = "/tmp/host-known-XXXXXX";
		int fd = mkstemp(path);
		assert_int_equal(write(fd, cases[i], strlen(cases[i])), strlen(cases[i]));
		close(fd);
		struct known known;
		struct error error = {""};
		assert_int_equal(known_load(&known, path, &error), -1);
		assert_non_null(strstr(error.text, path));
		assert_int_equal(known.count, 0);
		unlink(path);
	}
}

static void a_name_is_never_taken_for_an_address(void **state) {
	struct machine machine = fixture_machine("notes-laptop");
	struct known known = {0};
	struct error error;
	static const char *const wrong[] = {"", "01:00.0", "1card", "a b", "-x", "a/b", "ü"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(known_add(&known, wrong[i], get(&machine, "01:00.0"), &error), -1);
	}
	assert_null(known_resolve(&known, &machine, "card", &error));
	assert_non_null(strstr(error.text, "neither a PCI address nor"));
	known_finish(&known);
	machine_finish(&machine);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bridge_path_has_no_bus_numbers),
		cmocka_unit_test(a_device_is_itself_when_its_bus_number_changed),
		cmocka_unit_test(a_card_that_moved_is_found_and_another_in_its_slot_is_refused),
		cmocka_unit_test(among_equal_cards_one_that_is_known_by_itself_is_no_candidate),
		cmocka_unit_test(names_are_kept_in_a_file_and_stale_ones_stay_until_removed),
		cmocka_unit_test(a_corrupt_list_of_names_is_refused_whole),
		cmocka_unit_test(a_name_is_never_taken_for_an_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
