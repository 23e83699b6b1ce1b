/* Domain definitions: what Portal writes into them, what it leaves alone, what it reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libxml/relaxng.h>

#include "domain/devices.h"
#include "domain/diff.h"
#include "domain/document.h"
#include "domain/info.h"
#include "domain/tree.h"

#define MIB (UINT64_C(1) << 20)

static struct domain_spec full_spec(void) {
	return (struct domain_spec){
		.guest = "demo",
		.domain = "portal-demo",
		.virt = DOMAIN_VIRT_QEMU,
		.memory = 512 * MIB,
		.cpus = 2,
		.image = "/var/lib/portal/demo <1> & \"2\".raw",
		.image_read_only = true,
		.kernel = "/boot/vmlinuz",
		.initrd = "/boot/initrd",
		.cmdline = "root=/dev/vda a=\"<&>\"",
		.heap = DOMAIN_HEAP_NVDIMM,
		.heap_path = "/dev/shm/portal-demo",
		.heap_size = 256 * MIB,
		.control = DOMAIN_CONTROL_VIRTIO_SERIAL,
		.control_path = "/run/portal/demo.channel",
		.key = "/etc/portal/demo.key",
		.network = DOMAIN_NETWORK_PASST,
		.sound = DOMAIN_SOUND_PIPEWIRE,
		.pipewire_directory = "/run/user/1000",
		.console_log = "/tmp/console.log",
		.as_user = true,
		.uid = 1000,
		.gid = 100,
	};
}

static char *apply(xmlDoc *document, const struct domain_spec *spec) {
	struct error error = {0};
	int result = domain_document_apply(document, spec, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(result, 0);
	return domain_document_format(document);
}

static char *define(const struct domain_spec *spec) {
	xmlDoc *document = domain_document_create(spec->domain);
	char *text = apply(document, spec);
	xmlFreeDoc(document);
	return text;
}

static void expect_refusal(const struct domain_spec *spec, const char *message) {
	struct error error = {0};
	xmlDoc *document = domain_document_create(spec->domain);
	assert_int_equal(domain_document_apply(document, spec, &error), -1);
	assert_string_equal(error.text, message);
	xmlFreeDoc(document);
}

static void assert_contains(const char *text, const char *part) {
	if (strstr(text, part) == NULL) {
		fail_msg("no %s in:\n%s", part, text);
	}
}

static void assert_lacks(const char *text, const char *part) {
	if (strstr(text, part) != NULL) {
		fail_msg("%s in:\n%s", part, text);
	}
}

/* The schema of the installed libvirt, which virDomainDefineXML is asked to validate with, too. */
static void assert_valid(const char *text) {
	xmlRelaxNGParserCtxt *parser =
		xmlRelaxNGNewParserCtxt("/usr/share/libvirt/schemas/domain.rng");
	xmlRelaxNG *schema = xmlRelaxNGParse(parser);
	assert_non_null(schema);
	xmlRelaxNGValidCtxt *context = xmlRelaxNGNewValidCtxt(schema);
	xmlDoc *document = domain_document_parse(text, NULL);
	assert_non_null(document);
	assert_int_equal(xmlRelaxNGValidateDoc(context, document), 0);
	xmlFreeDoc(document);
	xmlRelaxNGFreeValidCtxt(context);
	xmlRelaxNGFree(schema);
	xmlRelaxNGFreeParserCtxt(parser);
}

static void test_a_definition_with_everything_is_valid(void **state) {
	struct domain_spec spec = full_spec();
	char *text = define(&spec);
	assert_valid(text);
	assert_contains(text, "<domain type=\"qemu\">");
	assert_contains(text, "<name>portal-demo</name>");
	assert_contains(text, "<memory unit=\"KiB\">786432</memory>");
	assert_contains(text, "<cell id=\"0\" cpus=\"0-1\" memory=\"524288\" unit=\"KiB\"/>");
	assert_contains(text, "<maxMemory slots=\"4\" unit=\"KiB\">786432</maxMemory>");
	assert_contains(text, "<allocation mode=\"immediate\"/>");
	assert_contains(text, "<memory model=\"nvdimm\" access=\"shared\">");
	assert_contains(text, "<path>/dev/shm/portal-demo</path>");
	assert_contains(text, "<source mode=\"bind\" path=\"/run/portal/demo.channel\"/>");
	assert_contains(text, "<target type=\"virtio\" name=\"org.portal.agent.0\"/>");
	assert_contains(text, "<entry name=\"opt/io.systemd.credentials/portal.key\" "
			      "file=\"/etc/portal/demo.key\"/>");
	assert_contains(text, "<backend type=\"passt\"/>");
	assert_contains(text, "<audio id=\"1\" type=\"pipewire\" runtimeDir=\"/run/user/1000\"/>");
	assert_contains(text, "<label>+1000:+100</label>");
	assert_contains(text, "<serial>portal-root</serial>");
	free(text);
}

static void test_what_is_not_asked_for_is_not_there(void **state) {
	struct domain_spec spec = {
		.guest = "bare", .domain = "bare", .virt = DOMAIN_VIRT_KVM, .memory = 64 * MIB};
	char *text = define(&spec);
	assert_valid(text);
	assert_contains(text, "<domain type=\"kvm\">");
	assert_contains(text, "<cpu mode=\"host-passthrough\"/>");
	static const char *const absent[] = {"<disk", "<interface", "<sound", "nvdimm", "<shmem",
		"<channel", "<vsock", "sysinfo", "seclabel", "<numa", "maxMemory", "<kernel",
		"commandline", "<locked"};
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		assert_lacks(text, absent[i]);
	}
	free(text);
}

static void test_texts_are_escaped_and_come_back(void **state) {
	struct domain_spec spec = full_spec();
	char *text = define(&spec);
	xmlDoc *document = domain_document_parse(text, NULL);
	xmlNode *root = xmlDocGetRootElement(document);
	char *cmdline = tree_get_text(tree_child(tree_child(root, "os"), "cmdline"));
	assert_string_equal(cmdline, spec.cmdline);
	xmlNode *disk = devices_find(tree_child(root, "devices"), DEVICE_DISK);
	char *file = tree_get(tree_child(disk, "source"), "file");
	assert_string_equal(file, spec.image);
	free(file);
	free(cmdline);
	xmlFreeDoc(document);
	free(text);
}

static void test_applying_the_same_twice_changes_nothing(void **state) {
	struct domain_spec spec = full_spec();
	xmlDoc *document = domain_document_create(spec.domain);
	char *first = apply(document, &spec);
	char *second = apply(document, &spec);
	assert_string_equal(first, second);
	char *diff = diff_lines(first, second);
	assert_string_equal(diff, "");
	free(diff);
	free(first);
	free(second);
	xmlFreeDoc(document);
}

/* Each line that libvirt 12.8 adds to a definition when it takes it over. */
static void fill_in(xmlNode *root) {
	tree_set_bytes(tree_add(root, "currentMemory", NULL), 768 * MIB);
	tree_add(root, "uuid", "15c3be5a-6e47-450d-bef2-f7a3f2e4a65f");
	tree_set(tree_child(root, "cpu"), "check", "none");
	xmlNode *devices = tree_child(root, "devices");
	static const char *const addressed[] = {DEVICE_DISK, DEVICE_HEAP, DEVICE_NETWORK};
	for (size_t i = 0; i < sizeof(addressed) / sizeof(addressed[0]); i++) {
		xmlNode *device = devices_find(devices, addressed[i]);
		tree_set(tree_add(device, "address", NULL), "type", "pci");
	}
	tree_set(tree_add(devices_find(devices, DEVICE_NETWORK), "mac", NULL), "address",
		"52:54:00:d2:50:8f");
	xmlNode *target = tree_child(devices_find(devices, DEVICE_CONSOLE), "target");
	tree_set(target, "type", "isa-serial");
	tree_set(tree_add(target, "model", NULL), "name", "isa-serial");
	xmlNode *console = tree_add(devices, "console", NULL);
	tree_set(console, "type", "file");
	tree_set(tree_add(console, "alias", NULL), "name", DEVICE_CONSOLE);
}

static void test_what_libvirt_filled_in_is_no_change(void **state) {
	struct domain_spec spec = full_spec();
	xmlDoc *document = domain_document_create(spec.domain);
	free(apply(document, &spec));
	fill_in(xmlDocGetRootElement(document));
	char *before = domain_document_format(document);
	char *after = apply(document, &spec);
	char *diff = diff_lines(before, after);
	assert_string_equal(diff, "");
	free(diff);
	free(before);
	free(after);

	struct domain_spec change = {
		.heap = DOMAIN_HEAP_NVDIMM,
		.heap_path = "/dev/shm/portal-demo",
		.heap_size = 256 * MIB,
		.console_log = "/tmp/other.log",
	};
	after = apply(document, &change);
	assert_contains(after, "<source path=\"/tmp/other.log\" append=\"on\"/>");
	assert_lacks(after, "<console");
	free(after);
	xmlFreeDoc(document);
}

static void test_a_heap_can_change_its_kind(void **state) {
	struct domain_spec spec = full_spec();
	xmlDoc *document = domain_document_create(spec.domain);
	free(apply(document, &spec));
	struct domain_spec change = {
		.heap = DOMAIN_HEAP_IVSHMEM,
		.heap_path = "/dev/shm/portal-demo",
		.heap_size = 128 * MIB,
	};
	char *text = apply(document, &change);
	assert_valid(text);
	assert_lacks(text, "nvdimm");
	assert_contains(text, "<shmem name=\"portal-demo\">");
	assert_contains(text, "<model type=\"ivshmem-plain\"/>");
	assert_contains(text, "<size unit=\"M\">128</size>");
	/* The guest's own memory is what it was. */
	assert_contains(text, "<memory unit=\"KiB\">524288</memory>");
	free(text);

	change = (struct domain_spec){
		.heap = DOMAIN_HEAP_NVDIMM, .heap_path = "/dev/shm/x", .heap_size = 64 * MIB};
	text = apply(document, &change);
	assert_valid(text);
	assert_lacks(text, "shmem");
	assert_contains(text, "<memory unit=\"KiB\">589824</memory>");
	free(text);
	xmlFreeDoc(document);
}

static void test_every_control_channel_replaces_the_others(void **state) {
	struct domain_spec spec = full_spec();
	xmlDoc *document = domain_document_create(spec.domain);
	free(apply(document, &spec));
	struct domain_spec change = {.control = DOMAIN_CONTROL_VSOCK};
	char *text = apply(document, &change);
	assert_valid(text);
	assert_lacks(text, "<channel");
	assert_contains(text, "<cid auto=\"yes\"/>");
	free(text);

	change = (struct domain_spec){.control = DOMAIN_CONTROL_VHOST_USER_VSOCK,
		.control_path = "/run/portal/demo.vhost",
		.cid = 5};
	for (int i = 0; i < 2; i++) {
		text = apply(document, &change);
		assert_valid(text);
		assert_lacks(text, "<vsock");
		assert_contains(text, "socket,id=portal-vsock,path=/run/portal/demo.vhost");
		struct domain_info info;
		assert_int_equal(domain_info_read(&info, text, NULL), 0);
		assert_string_equal(info.transport, "vsock-unix:/run/portal/demo.vhost.vsock:7000");
		assert_string_equal(info.vsock_socket, "/run/portal/demo.vhost");
		assert_int_equal(info.vsock_cid, 5);
		domain_info_finish(&info);
		free(text);
	}

	change = (struct domain_spec){.control = DOMAIN_CONTROL_VIRTIO_SERIAL};
	text = apply(document, &change);
	assert_valid(text);
	assert_lacks(text, "portal-vsock");
	assert_lacks(text, "commandline");
	assert_lacks(text, "vsock-socket");
	assert_contains(text, "<channel");
	free(text);
	xmlFreeDoc(document);
}

static const char foreign[] =
	"<domain type='kvm'>\n"
	"  <name>desk</name>\n"
	"  <uuid>15c3be5a-6e47-450d-bef2-f7a3f2e4a65f</uuid>\n"
	"  <memory unit='GiB'>2</memory>\n"
	"  <currentMemory unit='GiB'>1</currentMemory>\n"
	"  <vcpu placement='static' cpuset='4-7'>4</vcpu>\n"
	"  <os><type arch='x86_64' machine='pc-q35-11.1'>hvm</type></os>\n"
	"  <devices>\n"
	"    <disk type='file' device='disk'><source file='/d'/><target dev='vda' bus='virtio'/>"
	"</disk>\n"
	"    <interface type='network'><mac address='52:54:00:d2:50:8f'/><source network='n'/>"
	"</interface>\n"
	"    <interface type='user'><mac address='52:54:00:d2:50:90'/>"
	"<alias name='ua-portal-network'/></interface>\n"
	"    <hostdev mode='subsystem' type='pci' managed='yes'><source>"
	"<address domain='0' bus='1' slot='0' function='0'/></source></hostdev>\n"
	"    <serial type='pty'><target port='0'/></serial>\n"
	"  </devices>\n"
	"</domain>\n";

static void test_what_others_put_into_a_domain_stays(void **state) {
	struct error error = {0};
	xmlDoc *document = domain_document_parse(foreign, &error);
	assert_non_null(document);
	struct domain_spec spec = {
		.guest = "desk",
		.heap = DOMAIN_HEAP_NVDIMM,
		.heap_path = "/dev/shm/portal-desk",
		.heap_size = 256 * MIB,
		.control = DOMAIN_CONTROL_VIRTIO_SERIAL,
		.key = "/k",
		.network = DOMAIN_NETWORK_PASST,
	};
	char *before = domain_document_format(document);
	char *text = apply(document, &spec);
	assert_valid(text);
	assert_contains(text, "<uuid>15c3be5a-6e47-450d-bef2-f7a3f2e4a65f</uuid>");
	assert_contains(text, "<source file=\"/d\"/>");
	assert_contains(text, "<source network=\"n\"/>");
	assert_contains(text, "<hostdev mode=\"subsystem\"");
	assert_contains(text, "cpuset=\"4-7\"");
	/* The guest knows its network card by this. */
	assert_contains(text, "<mac address=\"52:54:00:d2:50:90\"/>");
	assert_contains(text, "<memory unit=\"KiB\">2359296</memory>");
	assert_contains(text, "cpus=\"0-3\" memory=\"2097152\"");
	assert_lacks(text, "ua-portal-console");

	char *diff = diff_lines(before, text);
	assert_contains(diff, "-  <memory unit=\"GiB\">2</memory>\n");
	assert_contains(diff, "+  <memory unit=\"KiB\">2359296</memory>\n");
	assert_contains(diff, "\n     <hostdev mode");
	free(diff);
	free(before);
	free(text);
	xmlFreeDoc(document);
}

static void test_impossible_heaps_are_refused(void **state) {
	struct domain_spec spec = full_spec();
	spec.heap_size = 3 * MIB;
	expect_refusal(&spec, "an nvdimm heap's size must be a multiple of 2M");
	spec.heap = DOMAIN_HEAP_IVSHMEM;
	spec.heap_size = 96 * MIB;
	expect_refusal(&spec, "an ivshmem heap's size must be a power of two, such as 256M");
	spec.heap_size = 128 * MIB;
	spec.heap_path = "/tmp/heap";
	expect_refusal(&spec, "an ivshmem heap must be a file in /dev/shm/, not /tmp/heap");
	spec.heap_path = NULL;
	expect_refusal(&spec, "the heap has no path or no size");
	spec = full_spec();
	spec.memory = 0;
	expect_refusal(&spec, "the guest has no memory: say how much");
	spec = full_spec();
	spec.control = DOMAIN_CONTROL_VHOST_USER_VSOCK;
	spec.control_path = "/run/a,b";
	spec.cid = 3;
	expect_refusal(&spec,
		"vhost-user-vsock needs a socket's path without commas and a context id of 3 or "
		"more");
}

static void test_what_is_not_a_domain_is_refused(void **state) {
	struct error error = {0};
	assert_null(domain_document_parse("<network/>", &error));
	assert_string_equal(error.text, "libvirt's description of the domain is not understood");
	assert_null(domain_document_parse("<domain>", &error));
	assert_null(domain_document_parse("", &error));
}

static void test_a_definition_is_read_back(void **state) {
	struct domain_spec spec = full_spec();
	char *text = define(&spec);
	struct domain_info info;
	assert_int_equal(domain_info_read(&info, text, NULL), 0);
	assert_string_equal(info.guest, "demo");
	assert_string_equal(info.transport, "virtio-serial:/run/portal/demo.channel");
	assert_int_equal(info.heap, DOMAIN_HEAP_NVDIMM);
	assert_string_equal(info.heap_path, "/dev/shm/portal-demo");
	assert_int_equal(info.heap_size, 256 * MIB);
	assert_string_equal(info.key, "/etc/portal/demo.key");
	assert_null(info.vsock_socket);
	domain_info_finish(&info);
	free(text);
}

static void test_a_domain_that_was_defined_by_hand_is_read(void **state) {
	struct domain_info info;
	assert_int_equal(domain_info_read(&info,
				 "<domain><devices>"
				 "<channel type='pty'><target type='virtio' name='x'/></channel>"
				 "<vsock><cid auto='yes' address='7'/></vsock>"
				 "<shmem name='pixels'><size unit='M'>32</size></shmem>"
				 "</devices></domain>",
				 NULL),
		0);
	assert_null(info.guest);
	assert_string_equal(info.transport, "vsock:7:7000");
	assert_int_equal(info.heap, DOMAIN_HEAP_IVSHMEM);
	assert_string_equal(info.heap_path, "/dev/shm/pixels");
	assert_int_equal(info.heap_size, 32 * MIB);
	assert_null(info.key);
	domain_info_finish(&info);

	assert_int_equal(domain_info_read(&info, "<domain type='kvm'/>", NULL), 0);
	assert_null(info.transport);
	assert_int_equal(info.heap, DOMAIN_HEAP_UNSET);
	domain_info_finish(&info);
}

static void test_a_diff_has_the_changed_lines_and_their_neighbours(void **state) {
	char *diff = diff_lines("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n",
		"1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n");
	assert_string_equal(diff, " 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@\n 10\n 11\n 12\n+13\n");
	free(diff);
	diff = diff_lines("", "a\n");
	assert_string_equal(diff, "+a\n");
	free(diff);
	diff = diff_lines("a\nb", "a\n");
	assert_string_equal(diff, " a\n-b\n");
	free(diff);
	diff = diff_lines("same\n", "same\n");
	assert_string_equal(diff, "");
	free(diff);
}

static void test_units_are_libvirts(void **state) {
	static const struct {
		const char *xml;
		uint64_t bytes;
	} cases[] = {
		{"<domain><memory>4</memory></domain>", 4096},
		{"<domain><memory unit='b'>4</memory></domain>", 4},
		{"<domain><memory unit='MB'>4</memory></domain>", 4000000},
		{"<domain><memory unit='MiB'>4</memory></domain>", 4 * MIB},
		{"<domain><memory unit='GiB'>99999999999999</memory></domain>", 0},
		{"<domain/>", 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		xmlDoc *document = domain_document_parse(cases[i].xml, NULL);
		xmlNode *memory = tree_child(xmlDocGetRootElement(document), "memory");
		assert_int_equal(tree_get_bytes(memory), cases[i].bytes);
		xmlFreeDoc(document);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_definition_with_everything_is_valid),
		cmocka_unit_test(test_what_is_not_asked_for_is_not_there),
		cmocka_unit_test(test_texts_are_escaped_and_come_back),
		cmocka_unit_test(test_applying_the_same_twice_changes_nothing),
		cmocka_unit_test(test_what_libvirt_filled_in_is_no_change),
		cmocka_unit_test(test_a_heap_can_change_its_kind),
		cmocka_unit_test(test_every_control_channel_replaces_the_others),
		cmocka_unit_test(test_what_others_put_into_a_domain_stays),
		cmocka_unit_test(test_impossible_heaps_are_refused),
		cmocka_unit_test(test_what_is_not_a_domain_is_refused),
		cmocka_unit_test(test_a_definition_is_read_back),
		cmocka_unit_test(test_a_domain_that_was_defined_by_hand_is_read),
		cmocka_unit_test(test_a_diff_has_the_changed_lines_and_their_neighbours),
		cmocka_unit_test(test_units_are_libvirts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
