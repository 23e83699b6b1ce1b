#include "heap/domain_usage.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "domain/devices.h"
#include "domain/document.h"
#include "domain/heap_device.h"
#include "domain/info.h"
#include "domain/tree.h"

/* Memory of a device is no memory of the host's. */
static bool is_host_memory(const char *path) {
	return strncmp(path, "/dev/", 5) != 0 || strncmp(path, "/dev/shm/", 9) == 0;
}

static void read_shared(struct memory_usage *usage, xmlNode *devices, const char *own) {
	for (xmlNode *node = devices ? xmlFirstElementChild(devices) : NULL; node;
		node = xmlNextElementSibling(node)) {
		struct heap_device heap;
		char *path;
		if (heap_device_read(node, &heap, &path) && is_host_memory(path) &&
			!memory_usage_has(usage, path)) {
			memory_usage_share(usage, path, heap.size, own && strcmp(own, path) == 0);
		}
		free(path);
	}
}

/* Which huge pages, of the first of several sizes; 0: none. */
static uint64_t read_page(xmlNode *hugepages) {
	xmlNode *page = tree_child(hugepages, "page");
	if (!hugepages || !page) {
		return hugepages ? MEMORY_PAGE_DEFAULT : 0;
	}
	uint64_t bytes = tree_get_size(page);
	return bytes ? bytes : MEMORY_PAGE_DEFAULT;
}

static bool has_function(xmlNode *devices) {
	static const char *const names[] = {"hostdev", "interface"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (xmlNode *node = tree_child(devices, names[i]); node; node = tree_next(node)) {
			if (tree_is(node, "type", i == 0 ? "pci" : "hostdev")) {
				return true;
			}
		}
	}
	return false;
}

static bool is_allocated(xmlNode *backing, xmlNode *devices) {
	return tree_is(tree_child(backing, "allocation"), "mode", "immediate") ||
	       tree_child(backing, "hugepages") || tree_child(backing, "locked") ||
	       has_function(devices);
}

int domain_usage_read(
	struct memory_usage *usage, bool *allocated, const char *xml, struct error *error) {
	*usage = (struct memory_usage){0};
	xmlDoc *document = domain_document_parse(xml, error);
	if (!document) {
		return -1;
	}
	struct domain_info info;
	domain_info_read_document(&info, document);
	xmlNode *root = xmlDocGetRootElement(document), *devices = tree_child(root, "devices"),
		*backing = tree_child(root, "memoryBacking");
	/* libvirt counts what lies in files as the domain's own. */
	uint64_t memory = tree_get_bytes(tree_child(root, "memory")),
		 files = devices_nvdimm_bytes(devices);
	usage->memory = memory > files ? memory - files : 0;
	usage->limit = tree_get_bytes(tree_child(tree_child(root, "memtune"), "hard_limit"));
	usage->page = read_page(tree_child(backing, "hugepages"));
	if (allocated) {
		*allocated = is_allocated(backing, devices);
	}
	read_shared(usage, devices, info.heap_path);
	xmlFreeDoc(document);
	domain_info_finish(&info);
	return 0;
}

static int read_one(
	struct domain_manager *manager, struct domain_usage *domain, struct error *error) {
	enum domain_state state;
	char *xml;
	int failure = domain_manager_get_state(manager, domain->name, &state, error);
	if (failure != 0 || state == DOMAIN_ABSENT) {
		return failure;
	}
	domain->runs = state != DOMAIN_OFF;
	failure = domain_manager_get_xml(manager, domain->name, true, &xml, error);
	if (failure == 0) {
		if (domain_usage_read(&domain->usage, &domain->allocated, xml, error) < 0) {
			failure = DOMAIN_FAILURE_REFUSED;
		}
		free(xml);
	}
	/* One that has vanished meanwhile takes nothing. */
	return failure == DOMAIN_FAILURE_ABSENT ? 0 : failure;
}

int domain_usages_read(struct domain_manager *manager, struct domain_usage **usages, size_t *count,
	struct error *error) {
	struct strings names = {0};
	*usages = NULL;
	*count = 0;
	int failure = domain_manager_list(manager, &names, error);
	for (size_t i = 0; i < names.count && failure == 0; i++) {
		*usages = must_grow(*usages, *count, sizeof(**usages));
		struct domain_usage *domain = &(*usages)[(*count)++];
		*domain = (struct domain_usage){.name = must_copy(names.items[i])};
		failure = read_one(manager, domain, error);
	}
	strings_finish(&names);
	return failure;
}

void domain_usages_finish(struct domain_usage *usages, size_t count) {
	for (size_t i = 0; i < count; i++) {
		free(usages[i].name);
		memory_usage_finish(&usages[i].usage);
	}
	free(usages);
}
