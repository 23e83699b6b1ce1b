#include "domain/document.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "domain/devices.h"
#include "domain/firmware_config.h"
#include "domain/tree.h"

#define MEMORY_SLOTS "4"

xmlDoc *domain_document_create(const char *name) {
	xmlDoc *document = xmlNewDoc(BAD_CAST "1.0");
	xmlNode *root = xmlNewNode(NULL, BAD_CAST "domain");
	if (document == NULL || root == NULL) {
		fprintf(stderr, "out of memory\n");
		abort();
	}
	xmlDocSetRootElement(document, root);
	tree_add(root, "name", name);
	tree_add(root, "memory", NULL);
	tree_add(root, "vcpu", "1");
	xmlNode *os = tree_add(root, "os", NULL);
	xmlNode *type = tree_add(os, "type", "hvm");
	tree_set(type, "arch", "x86_64");
	/* PCI Express, which hot-plug and device assignment want. */
	tree_set(type, "machine", "q35");
	/* NVDIMMs are told to the guest through ACPI. */
	tree_add(tree_add(root, "features", NULL), "acpi", NULL);
	xmlNode *clock = tree_add(root, "clock", NULL);
	tree_set(clock, "offset", "utc");
	devices_create(tree_add(root, "devices", NULL));
	return document;
}

xmlDoc *domain_document_parse(const char *xml, struct error *error) {
	xmlDoc *document = xmlReadMemory(xml, (int)strlen(xml), "domain.xml", NULL,
		XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (document == NULL ||
		strcmp((const char *)xmlDocGetRootElement(document)->name, "domain") != 0) {
		xmlFreeDoc(document);
		error_set(error, "libvirt's description of the domain is not understood");
		return NULL;
	}
	/* The parser keeps the blanks of an element that has nothing else; with them, what is put
	 * in would stand in one line. */
	xmlNode *devices = tree_child(xmlDocGetRootElement(document), "devices");
	if (devices != NULL && xmlChildElementCount(devices) == 0) {
		xmlNodeSetContent(devices, NULL);
	}
	return document;
}

static void apply_metadata(xmlNode *root, const struct domain_spec *spec) {
	xmlNode *metadata = tree_need(root, "metadata");
	xmlNode *guest = tree_child(metadata, "guest");
	if (guest != NULL && (guest->ns == NULL || strcmp((const char *)guest->ns->href,
							   DOMAIN_NAMESPACE) != 0)) {
		guest = NULL;
	}
	if (guest == NULL) {
		guest = xmlNewChild(metadata, NULL, BAD_CAST "guest", NULL);
		xmlSetNs(guest, xmlNewNs(guest, BAD_CAST DOMAIN_NAMESPACE, BAD_CAST "portal"));
	}
	if (spec->guest != NULL) {
		tree_set(guest, "name", spec->guest);
	}
	if (spec->control == DOMAIN_CONTROL_VHOST_USER_VSOCK) {
		char cid[16];
		snprintf(cid, sizeof(cid), "%u", spec->cid);
		tree_set(guest, "vsock-socket", spec->control_path);
		tree_set(guest, "vsock-cid", cid);
	} else if (spec->control != DOMAIN_CONTROL_UNSET) {
		xmlUnsetProp(guest, BAD_CAST "vsock-socket");
		xmlUnsetProp(guest, BAD_CAST "vsock-cid");
	}
}

static void apply_virt(xmlNode *root, enum domain_virt virt) {
	if (virt == DOMAIN_VIRT_UNSET) {
		return;
	}
	const char *mode = virt == DOMAIN_VIRT_KVM ? "host-passthrough" : "maximum";
	tree_set(root, "type", virt == DOMAIN_VIRT_KVM ? "kvm" : "qemu");
	xmlNode *cpu = tree_need(root, "cpu");
	if (tree_is(cpu, "mode", mode)) {
		return;
	}
	tree_remove_children(cpu, "model");
	tree_set(cpu, "mode", mode);
	xmlUnsetProp(cpu, BAD_CAST "check");
	xmlUnsetProp(cpu, BAD_CAST "match");
	xmlUnsetProp(cpu, BAD_CAST "migratable");
}

static void apply_boot(xmlNode *root, const struct domain_spec *spec) {
	xmlNode *os = tree_need(root, "os");
	const struct {
		const char *name, *value;
	} parts[] = {
		{"kernel", spec->kernel}, {"initrd", spec->initrd}, {"cmdline", spec->cmdline}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].value != NULL) {
			tree_set_text(tree_need(os, parts[i].name), parts[i].value);
		}
	}
}

/* All memory is there before the guest runs: it must never wait for, or fail for want of, a page.
 */
static void apply_backing(xmlNode *root, const struct domain_spec *spec) {
	xmlNode *backing = tree_need(root, "memoryBacking");
	/* vhost-user devices map the guest's memory, so it is a memfd. Huge pages stay as they are.
	 */
	if (tree_child(backing, "hugepages") == NULL) {
		tree_set(tree_need(backing, "source"), "type", "memfd");
	}
	tree_set(tree_need(backing, "access"), "mode", "shared");
	tree_set(tree_need(backing, "allocation"), "mode", "immediate");
	if (spec->lock_memory) {
		tree_need(backing, "locked");
	}
}

/*
 * libvirt counts memory devices as part of the guest's memory, and wants a NUMA node to put them
 * in: the node has the ordinary memory, <memory> the sum.
 */
static int apply_memory(xmlNode *root, const struct domain_spec *spec, uint64_t devices_before,
	struct error *error) {
	xmlNode *memory = tree_need(root, "memory");
	uint64_t before = tree_get_bytes(memory);
	if (spec->memory == 0 && before <= devices_before) {
		return error_set(error, "the guest has no memory: say how much");
	}
	uint64_t ordinary = spec->memory != 0 ? spec->memory : before - devices_before;
	uint64_t added = devices_memory_bytes(tree_need(root, "devices"));

	tree_set_bytes(memory, ordinary + added);
	xmlNode *current = tree_child(root, "currentMemory");
	if (current != NULL) {
		tree_set_bytes(current, ordinary + added);
	}

	xmlNode *numa = tree_child(tree_child(root, "cpu"), "numa");
	xmlNode *cell = tree_child(numa, "cell");
	if (added == 0 && cell == NULL) {
		return 0;
	}
	if (cell != NULL && tree_next(cell) != NULL) {
		return spec->memory == 0 && spec->cpus == 0
			       ? 0
			       : error_set(error,
					 "the domain has several NUMA nodes: change its memory "
					 "and processors with virsh edit");
	}
	if (cell == NULL) {
		cell = tree_add(tree_need(tree_need(root, "cpu"), "numa"), "cell", NULL);
		tree_set(cell, "id", "0");
	}
	char text[32];
	char *cpus = tree_get_text(tree_child(root, "vcpu"));
	unsigned long count = cpus == NULL ? 1 : strtoul(cpus, NULL, 10);
	free(cpus);
	snprintf(text, sizeof(text), count > 1 ? "0-%lu" : "0", count - 1);
	tree_set(cell, "cpus", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(ordinary >> 10));
	tree_set(cell, "memory", text);
	tree_set(cell, "unit", "KiB");

	xmlNode *most = tree_need(root, "maxMemory");
	if (tree_get_bytes(most) < ordinary + added) {
		tree_set(most, "slots", MEMORY_SLOTS);
		tree_set_bytes(most, ordinary + added);
	}
	return 0;
}

int domain_document_count_memory(xmlDoc *document, uint64_t before, struct error *error) {
	static const struct domain_spec nothing;
	return apply_memory(xmlDocGetRootElement(document), &nothing, before, error);
}

static void apply_key(xmlNode *root, const char *key) {
	if (key != NULL) {
		firmware_config_set_file(root, "opt/io.systemd.credentials/portal.key", key);
	}
}

static void apply_user(xmlNode *root, const struct domain_spec *spec) {
	if (!spec->as_user) {
		return;
	}
	xmlNode *label = tree_child(root, "seclabel");
	while (label != NULL && !tree_is(label, "model", "dac")) {
		label = tree_next(label);
	}
	if (label == NULL) {
		label = tree_add(root, "seclabel", NULL);
		tree_set(label, "model", "dac");
	}
	char text[64];
	snprintf(text, sizeof(text), "+%u:+%u", (unsigned)spec->uid, (unsigned)spec->gid);
	tree_set(label, "type", "static");
	tree_set(label, "relabel", "yes");
	tree_set_text(tree_need(label, "label"), text);
}

int domain_document_apply(xmlDoc *document, const struct domain_spec *spec, struct error *error) {
	xmlNode *root = xmlDocGetRootElement(document);
	xmlNode *devices = tree_need(root, "devices");
	uint64_t devices_before = devices_memory_bytes(devices);
	apply_metadata(root, spec);
	apply_virt(root, spec->virt);
	if (spec->cpus != 0) {
		char text[16];
		snprintf(text, sizeof(text), "%u", spec->cpus);
		tree_set_text(tree_need(root, "vcpu"), text);
	}
	apply_boot(root, spec);
	apply_backing(root, spec);
	if (devices_apply(devices, spec, error) < 0 ||
		apply_memory(root, spec, devices_before, error) < 0) {
		return -1;
	}
	devices_apply_command_line(root, spec);
	apply_key(root, spec->key);
	apply_user(root, spec);
	return 0;
}

char *domain_document_format(xmlDoc *document) {
	xmlChar *text = NULL;
	int size;
	xmlDocDumpFormatMemory(document, &text, &size, 1);
	/* Without the XML declaration, as virsh shows it. */
	const char *start = text == NULL ? NULL : strstr((const char *)text, "<domain");
	char *copy = must_copy(start == NULL ? "" : start);
	xmlFree(text);
	return copy;
}
