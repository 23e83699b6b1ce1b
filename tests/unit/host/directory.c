/* The reader of real directories against the recorded machines: a recording that is laid out as
 * files reads as the recording does, and so do its PCI devices in the sysfs that umockdev makes of
 * them, where they come and go. */

#include <errno.h>
#include <ftw.h>
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
#include <umockdev.h>

#include "base/file.h"
#include "base/must.h"
#include "base/text.h"
#include "descriptors.h"
#include "fixture.h"
#include "identity/known.h"
#include "inventory/json.h"
#include "inventory/names.h"
#include "tree/directory.h"
#include "tree/tree.h"

static char *json_of(struct tree *tree) {
	struct machine machine;
	struct error error = {""};
	if (machine_read(&machine, tree, &error) < 0) {
		fail_msg("%s", error.text);
	}
	struct names *names = names_create();
	sd_json_variant *json = json_machine(&machine, names);
	char *text = NULL;
	assert_true(sd_json_variant_format(json, SD_JSON_FORMAT_PRETTY, &text) >= 0);
	sd_json_variant_unref(json);
	names_destroy(names);
	machine_finish(&machine);
	return text;
}

static void lay_out(
	const char *path, enum memory_node_kind kind, const void *data, size_t size, void *user) {
	char *whole = must_print("%s%s", (const char *)user, path), *parent = must_copy(whole);
	struct error error = {""};
	*strrchr(parent, '/') = '\0';
	assert_int_equal(file_make_directory(parent, 0755, &error), 0);
	if (kind == MEMORY_DIRECTORY) {
		assert_int_equal(file_make_directory(whole, 0755, &error), 0);
	} else if (kind == MEMORY_FILE) {
		assert_int_equal(file_create(whole, data, size, 0644), 0);
	} else {
		char *target = must_print("%.*s", (int)size, (const char *)data);
		assert_int_equal(symlink(target, whole), 0);
		free(target);
	}
	free(parent);
	free(whole);
}

static int remove_path(const char *path, const struct stat *status, int type, struct FTW *at) {
	return remove(path);
}

static void recorded_machines_read_the_same_from_directories(void **state) {
	for (size_t i = 0; fixture_names[i]; i++) {
		char root[] = "/tmp/host-directory-XXXXXX";
		assert_non_null(mkdtemp(root));
		struct memory_tree *recorded = fixture_tree(fixture_names[i]);
		memory_tree_visit(recorded, lay_out, root);
		struct tree *real = directory_tree_create(root);
		assert_non_null(real);
		char *expected = json_of(memory_tree_base(recorded)), *found = json_of(real);
		assert_string_equal(found, expected);
		free(expected);
		free(found);
		tree_destroy(real);
		tree_destroy(memory_tree_base(recorded));
		nftw(root, remove_path, 16, FTW_DEPTH | FTW_PHYS);
	}
}

/* One device in umockdev's own format: path, properties, attributes, links. */
static void describe(struct tree *recorded, const struct pci_device *device, FILE *file) {
	static const char *const attributes[] = {"vendor", "device", "subsystem_vendor",
		"subsystem_device", "class", "revision", "boot_vga", "resource", "resource1_resize",
		"reset_method", "power_state", "driver_override", "sriov_totalvfs"};
	static const char *const links[] = {"driver", "iommu_group", "physfn"};
	fprintf(file, "P: %s\nE: SUBSYSTEM=pci\nE: PCI_SLOT_NAME=%s\n",
		device->path + strlen("/sys"), device->name);
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		char *text = tree_text(recorded, "%s/%s", device->path, attributes[i]),
		     *rest = text;
		char *line = strsep(&rest, "\n");
		if (text) {
			fprintf(file, "A: %s=%s", attributes[i], line);
			while ((line = strsep(&rest, "\n"))) {
				fprintf(file, "\\n%s", line);
			}
			fputs("\\n\n", file);
		}
		free(text);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		char *target = tree_link(recorded, "%s/%s", device->path, links[i]);
		if (target) {
			fprintf(file, "L: %s=%s\n", links[i], target);
		}
		free(target);
	}
	fputc('\n', file);
}

static void assert_same_text(const char *a, const char *b) {
	assert_string_equal(a ? a : "-", b ? b : "-");
}

static void assert_same(const struct pci_device *found, const struct pci_device *expected) {
	assert_string_equal(found->name, expected->name);
	assert_string_equal(found->path, expected->path);
	assert_int_equal(found->vendor, expected->vendor);
	assert_int_equal(found->device, expected->device);
	assert_int_equal(found->subsystem_vendor, expected->subsystem_vendor);
	assert_int_equal(found->subsystem_device, expected->subsystem_device);
	assert_int_equal(found->class_code, expected->class_code);
	assert_int_equal(found->revision, expected->revision);
	assert_int_equal(found->category, expected->category);
	assert_int_equal(found->iommu_group, expected->iommu_group);
	assert_same_text(found->driver, expected->driver);
	assert_same_text(found->driver_override, expected->driver_override);
	assert_int_equal(found->boot_vga, expected->boot_vga);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		assert_int_equal(found->bars[i].start, expected->bars[i].start);
		assert_int_equal(found->bars[i].size, expected->bars[i].size);
		assert_int_equal(found->bars[i].resizable, expected->bars[i].resizable);
	}
	assert_int_equal(found->rom_size, expected->rom_size);
	assert_same_text(found->reset_methods, expected->reset_methods);
	assert_same_text(found->power_state, expected->power_state);
	assert_int_equal(found->sriov_total, expected->sriov_total);
	assert_int_equal(found->sriov_enabled, expected->sriov_enabled);
	assert_same_text(found->physical_function, expected->physical_function);
}

/* A recorded machine's PCI devices, in a sysfs of umockdev's making. */
struct mock {
	struct memory_tree *recorded;
	struct machine expected;
	UMockdevTestbed *testbed;
	struct tree *tree;
	struct machine machine; /* as read last */
};

static void look(struct mock *mock) {
	struct error error = {""};
	machine_finish(&mock->machine);
	assert_int_equal(machine_read(&mock->machine, mock->tree, &error), 0);
}

static void begin(struct mock *mock, const char *fixture) {
	struct text text;
	GError *problem = NULL;
	*mock = (struct mock){.recorded = fixture_tree(fixture),
		.expected = fixture_machine(fixture),
		.testbed = umockdev_testbed_new()};
	text_init(&text);
	for (size_t i = 0; i < mock->expected.devices_count; i++) {
		describe(memory_tree_base(mock->recorded), &mock->expected.devices[i], text.stream);
	}
	char *description = text_take(&text);
	if (!umockdev_testbed_add_from_string(mock->testbed, description, &problem)) {
		fail_msg("%s", problem->message);
	}
	free(description);
	gchar *root = umockdev_testbed_get_root_dir(mock->testbed);
	mock->tree = directory_tree_create(root);
	assert_non_null(mock->tree);
	g_free(root);
	look(mock);
}

static void end(struct mock *mock) {
	machine_finish(&mock->machine);
	machine_finish(&mock->expected);
	tree_destroy(mock->tree);
	tree_destroy(memory_tree_base(mock->recorded));
	g_object_unref(mock->testbed);
}

static void recorded_devices_read_the_same_from_umockdev_s_sysfs(void **state) {
	for (size_t i = 0; fixture_names[i]; i++) {
		struct mock mock;
		begin(&mock, fixture_names[i]);
		assert_int_equal(mock.machine.devices_count, mock.expected.devices_count);
		for (size_t k = 0; k < mock.machine.devices_count; k++) {
			assert_same(&mock.machine.devices[k], &mock.expected.devices[k]);
		}
		end(&mock);
	}
}

static void plug(struct mock *mock, const char *path, const char *vendor, const char *device) {
	char *text =
		must_print("P: /devices/%s\nE: SUBSYSTEM=pci\nA: vendor=%s\\n\nA: device=%s\\n\n"
			   "A: subsystem_vendor=0x1043\\n\nA: subsystem_device=0x8768\\n\n"
			   "A: class=0x0c0330\\n\n",
			path, vendor, device);
	GError *problem = NULL;
	if (!umockdev_testbed_add_from_string(mock->testbed, text, &problem)) {
		fail_msg("%s", problem->message);
	}
	free(text);
	look(mock);
}

static void unplug(struct mock *mock, const char *path) {
	char *whole = must_print("/sys/devices/%s", path);
	umockdev_testbed_remove_device(mock->testbed, whole);
	free(whole);
	look(mock);
}

static enum known_state state_of(
	const struct known *known, const struct mock *mock, const char *name, const char *address) {
	struct pci_device *device;
	enum known_state found =
		known_locate(known, known_find(known, name), &mock->machine, &device);
	assert_same_text(device ? device->name : NULL, address);
	return found;
}

static void a_card_is_known_wherever_it_is_plugged_in(void **state) {
	static const char slot[] = "pci0000:00/0000:00:1d.0";
	static const char other_slot[] = "pci0000:00/0000:00:1e.0";
	struct mock mock;
	struct known known = {0};
	struct error error;
	begin(&mock, "two-gpu-desktop");
	size_t before = mock.machine.devices_count;
	plug(&mock, slot, "0x1b73", "0x1100");
	assert_int_equal(mock.machine.devices_count, before + 1);
	struct pci_device *card = machine_find(&mock.machine, "00:1d.0");
	assert_non_null(card);
	assert_int_equal(card->category, CATEGORY_USB);
	assert_int_equal(known_add(&known, "dock", card, &error), 0);
	assert_int_equal(state_of(&known, &mock, "dock", "0000:00:1d.0"), KNOWN_PRESENT);
	unplug(&mock, slot);
	assert_int_equal(mock.machine.devices_count, before);
	assert_int_equal(state_of(&known, &mock, "dock", NULL), KNOWN_ABSENT);
	/* Another card in its old slot is not it; it is found in a new one all the same. */
	plug(&mock, slot, "0x1b73", "0x1400");
	assert_int_equal(state_of(&known, &mock, "dock", NULL), KNOWN_REPLACED);
	plug(&mock, other_slot, "0x1b73", "0x1100");
	assert_int_equal(state_of(&known, &mock, "dock", "0000:00:1e.0"), KNOWN_MOVED);
	/* What is known of one that is gone stays until it is taken away. */
	unplug(&mock, other_slot);
	unplug(&mock, slot);
	assert_int_equal(state_of(&known, &mock, "dock", NULL), KNOWN_ABSENT);
	assert_int_equal(known_remove(&known, "dock"), 0);
	assert_null(known_find(&known, "dock"));
	known_finish(&known);
	end(&mock);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_machines_read_the_same_from_directories),
		cmocka_unit_test(recorded_devices_read_the_same_from_umockdev_s_sysfs),
		cmocka_unit_test(a_card_is_known_wherever_it_is_plugged_in),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	/* umockdev keeps its main contexts. */
	descriptors_keep_open();
	return failed;
}
