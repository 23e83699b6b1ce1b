/* The set-up knows a device by the way to it and by what it says it is, as udev's matches do. */
#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "fixture.h"
#include "setup/reservation.h"

static const struct pci_device *get(const struct machine *machine, const char *name) {
	const struct pci_device *device = machine_find(machine, name);
	if (!device) {
		fail_msg("no %s", name);
	}
	return device;
}

static struct reservation reserve(const struct pci_device *device) {
	struct reservation reservation;
	char *rule = reservation_rule(device, "");
	if (!reservation_parse(&reservation, rule)) {
		fail_msg("%s", rule);
	}
	free(rule);
	return reservation;
}

static bool fits(const struct reservation *reservation, const struct pci_device *device) {
	return reservation_is_place(reservation, device) &&
	       reservation_is_card(reservation, device);
}

/* As after a start with one more bridge in the machine: every bus below a root bus gets the number
 * `more` higher. */
static void renumber(struct machine *machine, unsigned more) {
	for (size_t i = 0; i < machine->devices_count; i++) {
		struct pci_device *device = &machine->devices[i];
		char *at = device->path;
		bool behind = false;
		while ((at = strchr(at, '/'))) {
			struct pci_address address;
			char part[PCI_ADDRESS_TEXT], digits[3];
			at++;
			snprintf(part, sizeof(part), "%.*s", (int)strcspn(at, "/"), at);
			if (pci_address_parse(part, &address) && behind) {
				address.bus = (uint8_t)(address.bus + more);
				snprintf(digits, sizeof(digits), "%02x", address.bus);
				memcpy(at + strlen("0000:"), digits, 2);
				pci_address_format(&address, device->name);
				device->address = address;
			}
			behind |= pci_address_parse(part, &address);
		}
	}
}

static void a_device_is_matched_alone_in_its_machine(void **state) {
	for (const char *const *name = fixture_names; *name; name++) {
		struct machine machine = fixture_machine(*name);
		for (size_t i = 0; i < machine.devices_count; i++) {
			struct reservation reservation = reserve(&machine.devices[i]);
			for (size_t k = 0; k < machine.devices_count; k++) {
				assert_int_equal(
					reservation_is_place(&reservation, &machine.devices[k]),
					i == k);
			}
			reservation_finish(&reservation);
		}
		machine_finish(&machine);
	}
}

static void a_machine_whose_buses_are_numbered_anew_still_matches(void **state) {
	for (const char *const *name = fixture_names; *name; name++) {
		for (unsigned more = 1; more < 256; more += 85) {
			struct machine machine = fixture_machine(*name);
			struct machine later = fixture_machine(*name);
			size_t moved = 0;
			renumber(&later, more);
			for (size_t i = 0; i < machine.devices_count; i++) {
				struct reservation reservation = reserve(&machine.devices[i]);
				moved +=
					strcmp(machine.devices[i].name, later.devices[i].name) != 0;
				for (size_t k = 0; k < later.devices_count; k++) {
					assert_int_equal(
						fits(&reservation, &later.devices[k]), i == k);
				}
				reservation_finish(&reservation);
			}
			assert_true(moved > 0);
			machine_finish(&later);
			machine_finish(&machine);
		}
	}
}

static void assert_place(const char *path, const char *expected) {
	struct pci_device device = {.path = must_print("/sys%s", path)};
	char *place = reservation_place(&device);
	assert_string_equal(place, expected);
	free(place);
	free(device.path);
}

static void only_what_another_start_may_change_is_left_open(void **state) {
	/* On a root bus nothing is. */
	assert_place("/devices/pci0000:00/0000:00:14.0", "/devices/pci0000:00/0000:00:14.0");
	assert_place("/devices/pci0000:80/0000:80:01.1/0000:81:00.3",
		"/devices/pci0000:80/0000:80:01.1/0000:??:00.3");
	assert_place("/devices/pci0000:00/0000:00:1c.5/0000:02:00.0/0000:03:1f.7",
		"/devices/pci0000:00/0000:00:1c.5/0000:??:00.0/0000:??:1f.7");
	/* Intel's VMD makes a domain up for what it drives. */
	assert_place("/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0",
		"/devices/pci0000:00/0000:00:0e.0/pci\?\?\?\?\?:e0/\?\?\?\?\?:e0:06.0/"
		"\?\?\?\?\?:\?\?:00.0");
	/* On boards without ACPI, and on Hyper-V. */
	assert_place("/devices/platform/soc/40000000.pcie/pci0001:00/0001:00:00.0/0001:01:00.0",
		"/devices/platform/soc/40000000.pcie/pci0001:00/0001:00:00.0/0001:??:00.0");
	/* As the kernel names no directory. */
	assert_place("/devices/pci0000:00/0000:00:0e.0/pci10000:e0/e1:00.0",
		"/devices/pci0000:00/0000:00:0e.0/pci\?\?\?\?\?:e0/e1:00.0");
	/* Nothing ends what quotes it in a rule, or is a word of its own in a shell. */
	assert_place("/devices/a\" $(b)*[c]|'\\;/pci0000:00/0000:00:01.0",
		"/devices/a\?\?\?\?b\?\?\?c\?\?\?\?\?/pci0000:00/0000:00:01.0");
}

static void assert_matches(const char *place, const char *path, bool matches) {
	if ((fnmatch(place, path, 0) == 0) != matches) {
		fail_msg("%s %s %s", place, matches ? "misses" : "matches", path);
	}
}

/* udev's '*' and '?' stand for a slash too. */
static void nothing_above_below_or_beside_is_matched(void **state) {
	struct pci_device device = {
		.path = "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0"};
	char *place = reservation_place(&device);
	assert_matches(place, "/devices/pci0000:00/0000:00:01.0/0000:f1:00.0/0000:ff:00.0", true);
	static const char *const others[] = {
		"/devices/pci0000:00/0000:00:01.0",
		"/devices/pci0000:00/0000:00:01.0/0000:01:00.0",
		"/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:03:00.0",
		"/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0/0000:02:00.0:pcie001",
		"/devices/pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.1",
		"/devices/pci0000:00/0000:00:01.0/0000:01:01.0/0000:02:00.0",
		"/devices/pci0000:00/0000:00:01.1/0000:01:00.0/0000:02:00.0",
		"/devices/pci0000:01/0000:01:01.0/0000:01:00.0/0000:02:00.0",
		"/devices/pci0000:00/0000:00:01.0/0000:01:00.0/10000:02:00.0",
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_matches(place, others[i], false);
	}
	free(place);
}

static void another_card_in_the_place_is_not_matched(void **state) {
	struct machine machine = fixture_machine("two-gpu-desktop");
	const struct pci_device *card = get(&machine, "0000:01:00.0");
	struct reservation reservation = reserve(card);
	struct pci_device others[5];
	for (size_t i = 0; i < 5; i++) {
		others[i] = *card;
	}
	others[0].vendor++;
	others[1].device++;
	others[2].subsystem_vendor++;
	others[3].subsystem_device++;
	others[4].class_code ^= 0x000200;
	assert_true(fits(&reservation, card));
	for (size_t i = 0; i < 5; i++) {
		assert_true(reservation_is_place(&reservation, &others[i]));
		assert_false(reservation_is_card(&reservation, &others[i]));
	}
	reservation_finish(&reservation);
	machine_finish(&machine);
}

static void a_rule_of_the_first_set_ups_is_understood(void **state) {
	static const char rule[] =
		"ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"0000:01:00.0\", "
		"ATTR{vendor}==\"0x10de\", ATTR{device}==\"0x2484\", ENV{portal.vfio}==\"1\", "
		"ATTR{driver_override}=\"vfio-pci\"";
	struct machine machine = fixture_machine("two-gpu-desktop");
	struct reservation reservation;
	assert_true(reservation_parse(&reservation, rule));
	assert_true(reservation.by_address);
	assert_true(fits(&reservation, get(&machine, "0000:01:00.0")));
	assert_false(reservation_is_place(&reservation, get(&machine, "0000:01:00.1")));
	renumber(&machine, 1);
	assert_false(reservation_is_place(&reservation, get(&machine, "0000:02:00.0")));
	reservation_finish(&reservation);
	machine_finish(&machine);
	static const char *const others[] = {
		"",
		"# ATTR{driver_override}=\"vfio-pci\"",
		"SUBSYSTEM==\"pci\", IMPORT{cmdline}=\"portal.vfio\"",
		"ACTION==\"add\", SUBSYSTEM==\"pci\", DEVPATH==\"/devices",
		"ACTION==\"add\", SUBSYSTEM==\"pci\", ATTR{driver_override}=\"vfio-pci\"",
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(reservation_parse(&reservation, others[i]));
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_is_matched_alone_in_its_machine),
		cmocka_unit_test(a_machine_whose_buses_are_numbered_anew_still_matches),
		cmocka_unit_test(only_what_another_start_may_change_is_left_open),
		cmocka_unit_test(nothing_above_below_or_beside_is_matched),
		cmocka_unit_test(another_card_in_the_place_is_not_matched),
		cmocka_unit_test(a_rule_of_the_first_set_ups_is_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
