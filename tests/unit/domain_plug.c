/* Where a device of the host goes in a machine that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/must.h"
#include "domain/document.h"
#include "domain/heap_ports.h"
#include "domain/hostdev_plug.h"
#include "domain/tree.h"

#define MIB (UINT64_C(1) << 20)

static xmlDoc *make_domain(const char *controllers) {
	struct error error = {0};
	char *text = must_print(
		"<domain type='kvm'><name>desk</name><devices>%s</devices></domain>", controllers);
	xmlDoc *document = domain_document_parse(text, &error);
	assert_string_equal(error.text, "");
	free(text);
	return document;
}

static xmlNode *add_port(xmlDoc *document, const char *bus) {
	xmlNode *devices = tree_child(xmlDocGetRootElement(document), "devices");
	xmlNode *port = tree_add(devices, "controller", NULL);
	tree_set(port, "type", "pci");
	tree_set(port, "index", bus);
	tree_set(port, "model", "pcie-root-port");
	return port;
}

static void put_device(xmlDoc *document, uint8_t bus) {
	const struct domain_address address = {.bus = bus};
	xmlNode *devices = tree_child(xmlDocGetRootElement(document), "devices");
	xmlNode *device = tree_add(devices, "interface", NULL);
	guest_pci_write(tree_add(device, "address", NULL), &address);
}

static int find(xmlDoc *document, struct error *error) {
	return hostdev_plug_find_port(xmlDocGetRootElement(document), error);
}

static void a_device_gets_the_first_port_that_is_empty(void **state) {
	struct error error;
	xmlDoc *document = make_domain("<controller type='pci' index='0' model='pcie-root'/>");
	assert_int_equal(find(document, &error), -1);
	assert_non_null(strstr(error.text, "no empty root port"));
	add_port(document, "1");
	add_port(document, "2");
	assert_int_equal(find(document, &error), 1);
	put_device(document, 1);
	assert_int_equal(find(document, &error), 2);
	put_device(document, 2);
	assert_int_equal(find(document, &error), -1);
	xmlFreeDoc(document);
}

static void a_port_that_was_made_for_a_heap_is_left_to_it(void **state) {
	struct error error;
	xmlDoc *document = make_domain("<controller type='pci' index='0' model='pcie-root'/>");
	xmlNode *root = xmlDocGetRootElement(document);
	assert_int_equal(heap_ports_prepare(root, 1, MIB, &error), 0);
	assert_int_equal(heap_ports_find(root, MIB, &error), 1);
	assert_int_equal(find(document, &error), -1);
	add_port(document, "2");
	assert_int_equal(find(document, &error), 2);
	xmlFreeDoc(document);
}

static void a_port_that_takes_nothing_while_the_machine_runs_is_passed_over(void **state) {
	struct error error;
	xmlDoc *document = make_domain("<controller type='pci' index='0' model='pcie-root'/>");
	tree_set(tree_add(add_port(document, "1"), "target", NULL), "hotplug", "off");
	assert_int_equal(find(document, &error), -1);
	add_port(document, "2");
	assert_int_equal(find(document, &error), 2);
	xmlFreeDoc(document);
}

static void where_there_are_only_slots_libvirt_finds_one(void **state) {
	struct error error;
	xmlDoc *document = make_domain("<controller type='pci' index='0' model='pci-root'/>");
	assert_int_equal(find(document, &error), 0);
	xmlFreeDoc(document);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_gets_the_first_port_that_is_empty),
		cmocka_unit_test(a_port_that_was_made_for_a_heap_is_left_to_it),
		cmocka_unit_test(a_port_that_takes_nothing_while_the_machine_runs_is_passed_over),
		cmocka_unit_test(where_there_are_only_slots_libvirt_finds_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
