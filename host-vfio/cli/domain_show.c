#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/size.h"
#include "base/text.h"
#include "cli/domain.h"
#include "cli/table.h"
#include "domain/document.h"
#include "domain/heap_ports.h"
#include "domain/tree.h"

static const char *const device_headings[] = {"HOST", "GUEST", "ROM", "DRIVERS", "NAME"};
enum { DEVICE_COLUMNS = sizeof(device_headings) / sizeof(device_headings[0]) };

/* "on" or "off" by a child's attribute; "default" where nothing is said. */
static const char *switch_of(
	xmlNode *node, const char *child, const char *attribute, const char *on, const char *off) {
	xmlNode *element = tree_child(node, child);
	return tree_is(element, attribute, on)	  ? "on"
	       : tree_is(element, attribute, off) ? "off"
						  : "default";
}

/* One function, in words. */
struct shown_device {
	char host[DOMAIN_ADDRESS_TEXT];
	char guest[DOMAIN_ADDRESS_TEXT];
	char *rom_file; /* owned */
	const char *rom_bar;
	bool managed;
	const char *name; /* the one it is known by, or NULL */
};

static void read_device(xmlNode *hostdev, struct shown_device *shown) {
	struct domain_address guest;
	xmlNode *address = tree_child(hostdev, "address");
	*shown = (struct shown_device){
		.rom_file = tree_get(tree_child(hostdev, "rom"), "file"),
		.rom_bar = switch_of(hostdev, "rom", "bar", "on", "off"),
		.managed = tree_is(hostdev, "managed", "yes"),
	};
	if (guest_pci_read(address, &guest)) {
		domain_address_format(&guest, shown->guest);
	}
}

static void name_device(
	const struct cli *cli, const struct domain_address *host, struct shown_device *shown) {
	domain_address_format(host, shown->host);
	const struct pci_device *device = machine_find(&cli->machine, shown->host);
	shown->name = device == NULL ? NULL : known_name_of(&cli->known, &cli->machine, device);
}

/* For hostdev_each(). */
struct devices_view {
	const struct cli *cli;
	xmlNode *root;
	struct table *table;
	sd_json_variant *json;
};

static void show_device(void *data, const struct domain_address *host) {
	struct devices_view *view = data;
	struct shown_device shown;
	read_device(hostdev_find(view->root, host), &shown);
	name_device(view->cli, host, &shown);
	if (view->table == NULL) {
		sd_json_variant *object = NULL;
		json_set_string(&object, "host", shown.host);
		json_set_string(&object, "guest", shown.guest[0] == '\0' ? NULL : shown.guest);
		json_set_string(&object, "romBar", shown.rom_bar);
		json_set_string(&object, "romFile", shown.rom_file);
		json_set_flag(&object, "managed", shown.managed);
		json_set_string(&object, "name", shown.name);
		json_append(&view->json, object);
	} else {
		table_add(view->table, shown.host);
		table_add(view->table, shown.guest[0] == '\0' ? NULL : shown.guest);
		table_add(view->table, shown.rom_file != NULL ? shown.rom_file : shown.rom_bar);
		table_add(view->table, shown.managed ? "libvirt" : "Portal");
		table_add(view->table, shown.name);
	}
	free(shown.rom_file);
}

static char *memory_of(xmlNode *root) {
	char size[SIZE_TEXT];
	size_format(tree_get_bytes(tree_child(root, "memory")), size);
	xmlNode *pages = tree_child(tree_child(root, "memoryBacking"), "hugepages");
	char *page = tree_get(tree_child(pages, "page"), "size");
	char *unit = tree_get(tree_child(pages, "page"), "unit");
	char *text = pages == NULL  ? must_copy(size)
		     : page == NULL ? must_print("%s in huge pages", size)
				    : must_print("%s in huge pages of %s %s", size, page,
					      unit == NULL ? "KiB" : unit);
	free(page);
	free(unit);
	return text;
}

static void print_pin(void *data, int vcpu, const char *cpuset) {
	FILE *stream = data;
	if (vcpu < 0) {
		fprintf(stream, " emulator=%s", cpuset);
	} else {
		fprintf(stream, " %d=%s", vcpu, cpuset);
	}
}

static char *processors_of(xmlNode *root) {
	struct text text;
	text_init(&text);
	fprintf(text.stream, "%u", tuning_vcpus(root));
	tuning_each_pin(root, print_pin, text.stream);
	return text_take(&text);
}

static void each_input(xmlNode *root, void (*each)(void *data, xmlNode *source), void *data) {
	xmlNode *input = tree_child(tree_child(root, "devices"), "input");
	for (; input != NULL; input = tree_next(input)) {
		if (tree_is(input, "type", "evdev")) {
			each(data, tree_child(input, "source"));
		}
	}
}

static void print_input(void *data, xmlNode *source) {
	char *path = tree_get(source, "dev"), *toggle = tree_get(source, "grabToggle");
	printf("shared input   %s%s (%s)\n", path == NULL ? "?" : path,
		tree_is(source, "grab", "all") ? ", with all others" : "",
		toggle == NULL ? "ctrl-ctrl" : toggle);
	free(path);
	free(toggle);
}

static void append_input(void *data, xmlNode *source) {
	sd_json_variant *object = NULL;
	char *path = tree_get(source, "dev"), *toggle = tree_get(source, "grabToggle");
	json_set_string(&object, "path", path);
	json_set_flag(&object, "grabAll", tree_is(source, "grab", "all"));
	json_set_string(&object, "toggle", toggle);
	json_append(data, object);
	free(path);
	free(toggle);
}

/* The heaps among the devices, the guest's own and those of a controller's guests. */
static void each_heap(
	xmlNode *root, void (*each)(void *data, const struct heap_device *heap), void *data) {
	xmlNode *devices = tree_child(root, "devices");
	xmlNode *node = devices == NULL ? NULL : devices->children;
	for (; node != NULL; node = node->next) {
		struct heap_device heap;
		char *path;
		if (node->type != XML_ELEMENT_NODE) {
			continue;
		}
		if (heap_device_read(node, &heap, &path)) {
			each(data, &heap);
		}
		free(path);
	}
}

static void print_heap(void *data, const struct heap_device *heap) {
	char size[SIZE_TEXT];
	size_format(heap->size, size);
	printf("heap           %s, %s as %s\n", heap->path, size,
		heap->kind == DOMAIN_HEAP_NVDIMM ? "nvdimm" : "ivshmem");
}

static void append_heap(void *data, const struct heap_device *heap) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "path", heap->path);
	json_set_number(&object, "size", heap->size);
	json_set_string(&object, "kind", heap->kind == DOMAIN_HEAP_NVDIMM ? "nvdimm" : "ivshmem");
	json_append(data, object);
}

static const char *state_name(enum domain_state state) {
	static const char *const names[] = {
		[DOMAIN_ABSENT] = "absent",
		[DOMAIN_OFF] = "off",
		[DOMAIN_RUNNING] = "running",
		[DOMAIN_PAUSED] = "paused",
		[DOMAIN_STOPPING] = "stopping",
	};
	return names[state];
}

static void print(const struct cli *cli, const char *name, enum domain_state state, xmlNode *root) {
	char *memory = memory_of(root), *processors = processors_of(root);
	xmlNode *pm = tree_child(root, "pm");
	printf("domain         %s, %s\n", name, state_name(state));
	printf("memory         %s\n", memory);
	printf("processors     %s\n", processors);
	printf("suspend        to memory %s, to disk %s\n",
		switch_of(pm, "suspend-to-mem", "enabled", "yes", "no"),
		switch_of(pm, "suspend-to-disk", "enabled", "yes", "no"));
	each_heap(root, print_heap, NULL);
	printf("heap ports     %u\n", heap_ports_count(root));
	each_input(root, print_input, NULL);
	struct table table;
	table_init(&table, device_headings, DEVICE_COLUMNS);
	struct devices_view view = {.cli = cli, .root = root, .table = &table};
	hostdev_each(root, show_device, &view);
	if (table.cells.count > DEVICE_COLUMNS) {
		putchar('\n');
		table_print(&table, stdout);
	}
	table_finish(&table);
	free(memory);
	free(processors);
}

static void append_pin(void *data, int vcpu, const char *cpuset) {
	sd_json_variant *object = NULL;
	if (vcpu >= 0) {
		json_set_number(&object, "vcpu", (uint64_t)vcpu);
	}
	json_set_string(&object, "processors", cpuset);
	json_append(data, object);
}

static void print_json(
	const struct cli *cli, const char *name, enum domain_state state, xmlNode *root) {
	sd_json_variant *object = NULL, *pins = json_array(), *heaps = json_array(),
			*inputs = json_array();
	xmlNode *pm = tree_child(root, "pm");
	json_set_string(&object, "domain", name);
	json_set_string(&object, "state", state_name(state));
	json_set_number(&object, "memory", tree_get_bytes(tree_child(root, "memory")));
	json_set_flag(&object, "hugepages",
		tree_child(tree_child(root, "memoryBacking"), "hugepages") != NULL);
	json_set_number(&object, "vcpus", tuning_vcpus(root));
	tuning_each_pin(root, append_pin, &pins);
	json_set(&object, "pins", pins);
	json_set_string(
		&object, "suspendToMem", switch_of(pm, "suspend-to-mem", "enabled", "yes", "no"));
	json_set_string(
		&object, "suspendToDisk", switch_of(pm, "suspend-to-disk", "enabled", "yes", "no"));
	each_heap(root, append_heap, &heaps);
	json_set(&object, "heaps", heaps);
	json_set_number(&object, "heapPorts", heap_ports_count(root));
	each_input(root, append_input, &inputs);
	json_set(&object, "inputs", inputs);
	struct devices_view view = {.cli = cli, .root = root, .json = json_array()};
	hostdev_each(root, show_device, &view);
	json_set(&object, "devices", view.json);
	cli_print_json(object);
}

static int show(struct cli *cli, struct cli_libvirt *libvirt) {
	struct error error;
	enum domain_state state;
	char *xml = NULL;
	int failure = domain_manager_get_state(libvirt->manager, libvirt->name, &state, &error);
	if (failure == 0) {
		failure = domain_manager_get_xml(
			libvirt->manager, libvirt->name, false, &xml, &error);
	}
	if (failure < 0) {
		return cli_libvirt_fail(libvirt, failure, &error);
	}
	xmlDoc *document = domain_document_parse(xml, &error);
	free(xml);
	if (document == NULL) {
		return cli_libvirt_fail(libvirt, DOMAIN_FAILURE_REFUSED, &error);
	}
	(cli->json ? print_json : print)(cli, libvirt->name, state, xmlDocGetRootElement(document));
	xmlFreeDoc(document);
	return CLI_DONE;
}

int cli_domain_show(struct cli *cli) {
	struct cli_libvirt libvirt = {.uri = cli_libvirt_uri(cli)};
	int status = cli_check_args(cli, 1, 1);
	if (status == CLI_DONE) {
		status = cli_libvirt_init(&libvirt, cli, cli->args[0], true);
	}
	if (status == CLI_DONE) {
		/* Names are a help only: a domain can be looked at where no device can. */
		struct error error;
		char *names = cli_state_path(cli, "devices.scfg");
		if (machine_read(&cli->machine, cli->tree, &error) == 0) {
			known_load(&cli->known, names, &error);
		}
		free(names);
		status = show(cli, &libvirt);
	}
	cli_libvirt_finish(&libvirt);
	return status;
}
