/* Editing a person's own domain: what is asked for comes and goes, everything else stays. The files
 * of tests/unit/domain/ are the definition as libvirt gives it out, and what it becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/relaxng.h>

#include "base/must.h"
#include "base/text.h"
#include "domain/devices.h"
#include "domain/document.h"
#include "domain/edit.h"
#include "domain/heap_ports.h"
#include "domain/info.h"
#include "domain/tree.h"

#define MIB (UINT64_C(1) << 20)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *read_file(const char *name) {
	char *path = must_print("%s/%s", TEST_DOMAINS, name);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		fail_msg("no file %s", path);
	}
	struct text text;
	text_init(&text);
	for (int c; (c = getc(file)) != EOF;) {
		putc(c, text.stream);
	}
	fclose(file);
	free(path);
	return text_take(&text);
}

static xmlDoc *load(const char *name) {
	struct error error = {0};
	char *text = read_file(name);
	xmlDoc *document = domain_document_parse(text, &error);
	assert_string_equal(error.text, "");
	free(text);
	return document;
}

static void assert_valid(xmlDoc *document) {
	xmlRelaxNGParserCtxt *parser =
		xmlRelaxNGNewParserCtxt("/usr/share/libvirt/schemas/domain.rng");
	xmlRelaxNG *schema = xmlRelaxNGParse(parser);
	assert_non_null(schema);
	xmlRelaxNGValidCtxt *context = xmlRelaxNGNewValidCtxt(schema);
	assert_int_equal(xmlRelaxNGValidateDoc(context, document), 0);
	xmlRelaxNGFreeValidCtxt(context);
	xmlRelaxNGFree(schema);
	xmlRelaxNGFreeParserCtxt(parser);
}

static void apply(xmlDoc *document, const struct domain_edit *edit) {
	struct error error = {0};
	int result = domain_edit_apply(document, edit, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(result, 0);
	assert_valid(document);
}

/* The document is what the file says, letter by letter. */
static void assert_is(xmlDoc *document, const char *name) {
	char *wanted = read_file(name), *text = domain_document_format(document);
	assert_string_equal(text, wanted);
	free(text);
	free(wanted);
}

static char *format(xmlDoc *document) {
	return domain_document_format(document);
}

static const struct domain_hostdev card[] = {
	{.host = {0, 1, 0, 0}, .rom_bar = DOMAIN_SWITCH_ON, .rom_file = "/var/lib/portal/card.rom"},
	{.host = {0, 1, 0, 1}},
	{.host = {0, 5, 0, 0}, .rom_bar = DOMAIN_SWITCH_OFF},
};
static const struct domain_address card_addresses[] = {{0, 1, 0, 0}, {0, 1, 0, 1}, {0, 5, 0, 0}};
static const struct domain_pin pins[] = {{0, "4"}, {1, "12"}, {7, "15"}};
static const struct domain_evdev evdevs[] = {
	{.path = "/dev/input/by-id/usb-keyboard-event-kbd",
		.grab_all = DOMAIN_SWITCH_ON,
		.repeat = DOMAIN_SWITCH_ON,
		.toggle = "scrolllock"},
	{.path = "/dev/input/by-id/usb-mouse-event-mouse"},
};
static const char *const evdev_paths[] = {
	"/dev/input/by-id/usb-keyboard-event-kbd", "/dev/input/by-id/usb-mouse-event-mouse"};
static const struct domain_peer peers[] = {
	{.guest = "web.1",
		.heap = {DOMAIN_HEAP_IVSHMEM, "/dev/shm/portal-web", 256 * MIB},
		.channel = "/run/portal/web.channel",
		.key = "/etc/portal/web.key"},
	{.guest = "mail", .heap = {DOMAIN_HEAP_NVDIMM, "/dev/shm/portal-mail", 64 * MIB}},
};
static const char *const guests[] = {"web.1", "mail"};

static const struct domain_edit everything = {
	.hostdevs = card,
	.hostdevs_count = COUNT(card),
	.suspend_to_memory = DOMAIN_SWITCH_OFF,
	.suspend_to_disk = DOMAIN_SWITCH_ON,
	.set_hugepages = true,
	.hugepages = 2 * MIB,
	.pins = pins,
	.pins_count = COUNT(pins),
	.emulator_cpuset = "0-1",
	.evdevs = evdevs,
	.evdevs_count = COUNT(evdevs),
	.peers = peers,
	.peers_count = COUNT(peers),
	.prepare_heaps = true,
	.heap_ports = 2,
	.heap_most = 300 * MIB,
};

static const struct domain_edit nothing_of_it = {
	.removed_hostdevs = card_addresses,
	.removed_hostdevs_count = COUNT(card_addresses),
	.suspend_to_memory = DOMAIN_SWITCH_DEFAULT,
	.suspend_to_disk = DOMAIN_SWITCH_DEFAULT,
	.set_hugepages = true,
	.unpin = true,
	.removed_evdevs = evdev_paths,
	.removed_evdevs_count = COUNT(evdev_paths),
	.removed_peers = guests,
	.removed_peers_count = COUNT(guests),
	.prepare_heaps = true,
};

static void test_everything_that_is_asked_for_is_there(void **state) {
	xmlDoc *document = load("desk.xml");
	apply(document, &everything);
	assert_is(document, "desk-everything.xml");
	xmlFreeDoc(document);
}

static void test_twice_is_once(void **state) {
	xmlDoc *document = load("desk-everything.xml");
	apply(document, &everything);
	assert_is(document, "desk-everything.xml");
	xmlFreeDoc(document);
}

static void test_no_edit_changes_nothing(void **state) {
	static const struct domain_edit nothing;
	xmlDoc *document = load("desk.xml");
	apply(document, &nothing);
	assert_is(document, "desk.xml");
	apply(document, &nothing_of_it);
	assert_is(document, "desk.xml");
	xmlFreeDoc(document);
}

/* Only what libvirt counts memory by stays behind: the NUMA cell and the most memory, which any
 * heap that comes again needs. */
static void test_what_was_added_goes_again(void **state) {
	xmlDoc *document = load("desk.xml");
	struct domain_edit add = everything;
	add.peers_count = 1; /* not the nvdimm */
	apply(document, &add);
	apply(document, &nothing_of_it);
	xmlNode *root = xmlDocGetRootElement(document);
	assert_null(tree_child(root, "sysinfo"));
	assert_is(document, "desk.xml");

	apply(document, &everything);
	apply(document, &nothing_of_it);
	char *text = format(document);
	assert_null(strstr(text, "portal"));
	assert_int_equal(tree_get_bytes(tree_child(root, "memory")), 8192 * MIB);
	free(text);
	xmlFreeDoc(document);
}

static xmlNode *hostdev(xmlDoc *document, struct domain_address host) {
	xmlNode *node = hostdev_find(xmlDocGetRootElement(document), &host);
	assert_non_null(node);
	return node;
}

static struct domain_address guest_address(xmlDoc *document, struct domain_address host) {
	struct domain_address address;
	assert_true(guest_pci_read(tree_child(hostdev(document, host), "address"), &address));
	return address;
}

static bool is_multifunction(xmlDoc *document, struct domain_address host) {
	return tree_is(tree_child(hostdev(document, host), "address"), "multifunction", "on");
}

/* virt-manager gives each function a slot of its own, and libvirt the moving of drivers. */
static void test_functions_that_somebody_put_apart_come_together(void **state) {
	xmlDoc *document = domain_document_parse(
		"<domain type='kvm'><name>d</name><memory>1048576</memory><os>"
		"<type machine='q35'>hvm</type></os><devices>"
		"<controller type='pci' index='0' model='pcie-root'/>"
		"<controller type='pci' index='3' model='pcie-root-port'/>"
		"<controller type='pci' index='4' model='pcie-root-port'/>"
		"<hostdev mode='subsystem' type='pci' managed='yes'><source><address "
		"domain='0x0000' "
		"bus='0x01' slot='0x00' function='0x1'/></source><address type='pci' "
		"domain='0x0000' bus='0x04' slot='0x00' function='0x0'/></hostdev>"
		"<hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='1' "
		"slot='0' "
		"function='0'/></source><rom bar='off'/><address type='pci' domain='0x0000' "
		"bus='0x03' slot='0x00' function='0x0'/></hostdev>"
		"</devices></domain>",
		NULL);
	const struct domain_edit edit = {.hostdevs = card, .hostdevs_count = 1};
	apply(document, &edit);
	const struct domain_address zero = {0, 1, 0, 0}, one = {0, 1, 0, 1};
	const struct domain_address at = guest_address(document, zero);
	assert_int_equal(at.bus, 3);
	assert_int_equal(at.function, 0);
	assert_true(is_multifunction(document, zero));
	assert_int_equal(guest_address(document, one).bus, 3);
	assert_int_equal(guest_address(document, one).function, 1);
	assert_false(is_multifunction(document, one));
	/* The one that was named is Portal's to move; the other stays as it was made. */
	assert_true(tree_is(hostdev(document, zero), "managed", "no"));
	assert_true(tree_is(hostdev(document, one), "managed", "yes"));
	assert_true(tree_is(tree_child(hostdev(document, zero), "rom"), "bar", "on"));
	xmlFreeDoc(document);
}

/* A slot of the guest's with functions of several of the host's is its maker's work. */
static void test_what_shares_a_slot_with_others_stays_in_it(void **state) {
	static const struct domain_hostdev functions[] = {
		{.host = {0, 5, 0, 0}, .rom_bar = DOMAIN_SWITCH_OFF},
		{.host = {0, 6, 0, 0}, .rom_bar = DOMAIN_SWITCH_OFF}};
	xmlDoc *document = domain_document_parse(
		"<domain type='kvm'><name>d</name><memory>1048576</memory><os>"
		"<type machine='q35'>hvm</type></os><devices>"
		"<controller type='pci' index='0' model='pcie-root'/>"
		"<controller type='pci' index='3' model='pcie-root-port'/>"
		"<hostdev mode='subsystem' type='pci' managed='no'><source><address "
		"domain='0x0000' bus='0x05' slot='0x00' function='0x0'/></source><address "
		"type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x0' "
		"multifunction='on'/></hostdev>"
		"<hostdev mode='subsystem' type='pci' managed='no'><source><address "
		"domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></source><address "
		"type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x1'/></hostdev>"
		"</devices></domain>",
		NULL);
	const struct domain_edit edit = {.hostdevs = functions, .hostdevs_count = 2};
	apply(document, &edit);
	const struct domain_address first = functions[0].host, second = functions[1].host;
	assert_int_equal(guest_address(document, first).function, 0);
	assert_true(is_multifunction(document, first));
	assert_int_equal(guest_address(document, second).bus, 3);
	assert_int_equal(guest_address(document, second).function, 1);
	assert_true(tree_is(tree_child(hostdev(document, second), "rom"), "bar", "off"));
	xmlFreeDoc(document);
}

static void test_a_slot_always_has_a_function_0(void **state) {
	static const struct domain_hostdev functions[] = {
		{.host = {0, 2, 0, 1}}, {.host = {0, 2, 0, 3}}};
	static const struct domain_address first = {0, 2, 0, 1}, second = {0, 2, 0, 3};
	xmlDoc *document = load("desk.xml");
	const struct domain_edit add = {.hostdevs = functions, .hostdevs_count = 2};
	apply(document, &add);
	assert_int_equal(guest_address(document, first).function, 0);
	assert_int_equal(guest_address(document, second).function, 3);
	assert_true(is_multifunction(document, first));
	const struct domain_edit remove = {.removed_hostdevs = &first, .removed_hostdevs_count = 1};
	apply(document, &remove);
	assert_int_equal(guest_address(document, second).function, 0);
	assert_false(is_multifunction(document, second));
	const struct domain_edit rest = {.removed_hostdevs = &second, .removed_hostdevs_count = 1};
	apply(document, &rest);
	assert_is(document, "desk.xml");
	xmlFreeDoc(document);
}

static void test_a_machine_without_pci_express_gets_a_slot(void **state) {
	xmlDoc *document = domain_document_parse(
		"<domain type='kvm'><name>d</name><memory>1048576</memory><os>"
		"<type machine='pc'>hvm</type></os><devices>"
		"<controller type='pci' index='0' model='pci-root'/>"
		"<sound model='ac97'><address type='pci' domain='0' bus='0' slot='0x1b' "
		"function='0'/></sound></devices></domain>",
		NULL);
	const struct domain_edit edit = {.hostdevs = card, .hostdevs_count = 2};
	apply(document, &edit);
	const struct domain_address zero = {0, 1, 0, 0}, one = {0, 1, 0, 1};
	assert_int_equal(guest_address(document, zero).bus, 0);
	assert_int_equal(guest_address(document, zero).slot, 0x1a);
	assert_int_equal(guest_address(document, one).slot, 0x1a);
	assert_int_equal(guest_address(document, one).function, 1);
	struct error error;
	const struct domain_edit heaps = {.prepare_heaps = true, .heap_ports = 1, .heap_most = MIB};
	assert_int_equal(domain_edit_apply(document, &heaps, &error), -1);
	assert_non_null(strstr(error.text, "q35"));
	xmlFreeDoc(document);
}

static void test_a_rom_is_changed_and_taken_away(void **state) {
	struct domain_hostdev one = {.host = {0, 1, 0, 0}};
	const struct domain_edit edit = {.hostdevs = &one, .hostdevs_count = 1};
	xmlDoc *document = load("desk-everything.xml");
	xmlNode *node = hostdev(document, one.host);
	apply(document, &edit); /* nothing said: as it is */
	assert_true(tree_is(tree_child(node, "rom"), "file", "/var/lib/portal/card.rom"));
	one.rom_file = "";
	apply(document, &edit);
	assert_false(tree_is(tree_child(node, "rom"), "file", "/var/lib/portal/card.rom"));
	assert_true(tree_is(tree_child(node, "rom"), "bar", "on"));
	one.rom_bar = DOMAIN_SWITCH_DEFAULT;
	apply(document, &edit);
	assert_null(tree_child(node, "rom"));
	xmlFreeDoc(document);
}

static void test_pins_are_for_processors_that_the_guest_has(void **state) {
	const struct domain_pin pin = {8, "3"};
	const struct domain_edit edit = {.pins = &pin, .pins_count = 1};
	struct error error;
	xmlDoc *document = load("desk.xml");
	assert_int_equal(domain_edit_apply(document, &edit, &error), -1);
	assert_string_equal(
		error.text, "the guest has no virtual processor 8: its 8 are counted from 0");
	assert_is(document, "desk.xml");
	xmlFreeDoc(document);
}

static void test_huge_pages_for_some_nodes_are_left_to_their_maker(void **state) {
	xmlDoc *document = load("desk.xml");
	struct domain_edit edit = {.set_hugepages = true, .hugepages = TUNING_HUGEPAGES_DEFAULT};
	xmlNode *root = xmlDocGetRootElement(document);
	apply(document, &edit);
	xmlNode *pages = tree_child(tree_child(root, "memoryBacking"), "hugepages");
	assert_non_null(pages);
	assert_null(tree_child(pages, "page"));
	edit.hugepages = 1024 * MIB;
	apply(document, &edit);
	assert_true(tree_is(tree_child(pages, "page"), "size", "1048576"));
	edit.hugepages = 0;
	apply(document, &edit);
	assert_is(document, "desk.xml");
	xmlFreeDoc(document);
}

static void test_ports_take_heaps_up_to_their_size(void **state) {
	struct error error;
	xmlDoc *document = load("desk.xml");
	xmlNode *root = xmlDocGetRootElement(document);
	assert_int_equal(heap_ports_find(root, MIB, &error), -1);
	assert_non_null(strstr(error.text, "without ports for heaps"));
	struct domain_edit edit = {.prepare_heaps = true, .heap_ports = 2, .heap_most = 256 * MIB};
	apply(document, &edit);
	assert_int_equal(heap_ports_count(root), 2);
	assert_int_equal(heap_ports_find(root, 256 * MIB, &error), 3);
	assert_int_equal(heap_ports_find(root, 512 * MIB, &error), -1);
	assert_string_equal(
		error.text, "the heap has 512 MiB, and its ports are for heaps of up to 256 MiB");
	for (int bus = 3; bus <= 4; bus++) {
		const struct domain_address address = {.bus = (uint8_t)bus};
		xmlNode *heap = tree_add(tree_child(root, "devices"), "shmem", NULL);
		guest_pci_write(tree_add(heap, "address", NULL), &address);
	}
	assert_int_equal(heap_ports_find(root, MIB, &error), -1);
	assert_string_equal(error.text, "all of its ports for heaps are in use");
	tree_remove_children(tree_child(root, "devices"), "shmem");
	edit.heap_ports = 1;
	edit.heap_most = 512 * MIB;
	apply(document, &edit);
	assert_int_equal(heap_ports_count(root), 1);
	assert_int_equal(heap_ports_find(root, 512 * MIB, &error), 3);
	edit.heap_ports = 0;
	apply(document, &edit);
	assert_is(document, "desk.xml");
	xmlFreeDoc(document);
}

static void test_a_guests_heap_is_not_its_controllers(void **state) {
	xmlDoc *document = load("desk-everything.xml");
	char *text = format(document);
	struct domain_info info;
	assert_int_equal(domain_info_read(&info, text, NULL), 0);
	assert_int_equal(info.heap, DOMAIN_HEAP_UNSET);
	assert_null(info.key);
	domain_info_finish(&info);
	free(text);
	xmlFreeDoc(document);
}

static void test_a_peer_that_cannot_be_is_named(void **state) {
	const struct domain_peer peer = {
		.guest = "web", .heap = {DOMAIN_HEAP_IVSHMEM, "/dev/shm/web", 96 * MIB}};
	const struct domain_edit edit = {.peers = &peer, .peers_count = 1};
	struct error error;
	xmlDoc *document = load("desk.xml");
	assert_int_equal(domain_edit_apply(document, &edit, &error), -1);
	assert_string_equal(
		error.text, "web: an ivshmem heap's size must be a power of two, such as 256M");
	xmlFreeDoc(document);
}

static void test_addresses_are_read_as_libvirt_writes_them(void **state) {
	static const struct {
		const char *xml;
		bool good;
	} cases[] = {
		{"<domain><address type='pci' domain='0x0000' bus='0x1f' slot='0x1f' "
		 "function='0x7'/></domain>",
			true},
		{"<domain><address bus='31' slot='31' function='7'/></domain>", true},
		{"<domain><address type='drive' bus='0' slot='0' function='0'/></domain>", false},
		{"<domain><address type='pci' bus='0x100' slot='0' function='0'/></domain>", false},
		{"<domain><address type='pci' bus='0' slot='0x20' function='0'/></domain>", false},
		{"<domain><address type='pci' bus='0' slot='0' function='8'/></domain>", false},
		{"<domain><address type='pci' bus='' slot='0' function='0'/></domain>", false},
		{"<domain><address type='pci' bus='1x' slot='0' function='0'/></domain>", false},
		{"<domain><address type='pci' slot='0' function='0'/></domain>", false},
		{"<domain/>", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		xmlDoc *document = domain_document_parse(cases[i].xml, NULL);
		struct domain_address address;
		xmlNode *node = tree_child(xmlDocGetRootElement(document), "address");
		assert_int_equal(guest_pci_read(node, &address), cases[i].good);
		if (cases[i].good) {
			char text[DOMAIN_ADDRESS_TEXT];
			domain_address_format(&address, text);
			assert_string_equal(text, "0000:1f:1f.7");
		}
		xmlFreeDoc(document);
	}
}

/* Whatever the definition is like, an edit is made or refused; the sanitizers watch. */
static void test_definitions_that_make_no_sense_are_survived(void **state) {
	static const char *const texts[] = {
		"<domain/>",
		"<domain><devices/></domain>",
		"<domain>text<devices>text</devices></domain>",
		"<domain><memory/><vcpu/><devices><hostdev/><input/><shmem/><memory/></devices></"
		"domain>",
		"<domain><memory unit='furlong'>many</memory><vcpu>-3</vcpu><os/><cpu/></domain>",
		"<domain><devices><hostdev type='pci'><source/></hostdev><hostdev "
		"type='pci'><source>"
		"<address bus='1' slot='0' function='0'/></source><address type='pci' bus='x'/>"
		"</hostdev></devices></domain>",
		"<domain><os><type machine='q35'/></os><devices><controller "
		"type='pci'/><controller "
		"type='pci' index='x'/><controller type='pci' index='-5'/><controller type='pci' "
		"index='255'/></devices></domain>",
		"<domain><cputune><vcpupin/><emulatorpin/></"
		"cputune><memoryBacking><hugepages><page/>"
		"</hugepages></memoryBacking><pm><suspend-to-mem/></pm><sysinfo/></domain>",
		"<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><qemu:override>"
		"<qemu:device/><qemu:device "
		"alias='ua-portal-heapport-1'/></qemu:override></domain>",
		"<domain><devices><controller type='pci' index='3' model='pcie-root-port'><alias "
		"name='ua-portal-heapport-4294967295'/></controller></devices></domain>",
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		const struct domain_edit *const edits[] = {&everything, &nothing_of_it};
		for (size_t k = 0; k < COUNT(edits); k++) {
			struct error error = {0};
			xmlDoc *document = domain_document_parse(texts[i], &error);
			assert_non_null(document);
			int result = domain_edit_apply(document, edits[k], &error);
			assert_int_equal(result < 0, error.text[0] != '\0');
			heap_ports_find(xmlDocGetRootElement(document), MIB, NULL);
			free(format(document));
			xmlFreeDoc(document);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_that_is_asked_for_is_there),
		cmocka_unit_test(test_twice_is_once),
		cmocka_unit_test(test_no_edit_changes_nothing),
		cmocka_unit_test(test_what_was_added_goes_again),
		cmocka_unit_test(test_functions_that_somebody_put_apart_come_together),
		cmocka_unit_test(test_what_shares_a_slot_with_others_stays_in_it),
		cmocka_unit_test(test_a_slot_always_has_a_function_0),
		cmocka_unit_test(test_a_machine_without_pci_express_gets_a_slot),
		cmocka_unit_test(test_a_rom_is_changed_and_taken_away),
		cmocka_unit_test(test_pins_are_for_processors_that_the_guest_has),
		cmocka_unit_test(test_huge_pages_for_some_nodes_are_left_to_their_maker),
		cmocka_unit_test(test_ports_take_heaps_up_to_their_size),
		cmocka_unit_test(test_a_guests_heap_is_not_its_controllers),
		cmocka_unit_test(test_a_peer_that_cannot_be_is_named),
		cmocka_unit_test(test_addresses_are_read_as_libvirt_writes_them),
		cmocka_unit_test(test_definitions_that_make_no_sense_are_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
