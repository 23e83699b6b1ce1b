#include "heap/guest_heap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "domain/dac.h"
#include "domain/document.h"
#include "domain/info.h"
#include "domain/tree.h"
#include "heap/heap_file.h"

static int read_definition(struct domain_manager *manager, const char *domain, char **xml,
	struct domain_info *info, struct error *error) {
	int failure = domain_manager_get_xml(manager, domain, false, xml, error);
	if (failure == 0 && domain_info_read(info, *xml, error) < 0) {
		free(*xml);
		failure = DOMAIN_FAILURE_REFUSED;
	}
	return failure;
}

/* Does the definition have the heap, and in which size? */
static bool has_heap(const char *xml, const char *path, uint64_t *size) {
	xmlDoc *document = domain_document_parse(xml, NULL);
	xmlNode *devices =
		document == NULL ? NULL : tree_child(xmlDocGetRootElement(document), "devices");
	bool found = false;
	for (xmlNode *node = devices == NULL ? NULL : xmlFirstElementChild(devices);
		node != NULL && !found; node = xmlNextElementSibling(node)) {
		struct heap_device heap;
		char *name;
		found = heap_device_read(node, &heap, &name) && strcmp(name, path) == 0;
		*size = heap.size;
		free(name);
	}
	xmlFreeDoc(document);
	return found;
}

/* What it is defined with, and what it runs with, may differ. */
static int domain_has_heap(
	struct domain_manager *manager, const char *domain, const char *path, struct error *error) {
	bool found = false;
	for (int live = 0; live < 2 && !found; live++) {
		char *xml;
		int failure = domain_manager_get_xml(manager, domain, live, &xml, error);
		if (failure == DOMAIN_FAILURE_ABSENT) {
			return 0; /* went away meanwhile */
		}
		if (failure < 0) {
			return failure;
		}
		uint64_t size;
		found = has_heap(xml, path, &size);
		free(xml);
	}
	return found;
}

/* Does another domain have the heap as well? 1 or 0, or an enum domain_failure. */
static int is_shared(
	struct domain_manager *manager, const char *domain, const char *path, struct error *error) {
	struct strings names = {0};
	int result = domain_manager_list(manager, &names, error);
	for (size_t i = 0; i < names.count && result == 0; i++) {
		if (strcmp(names.items[i], domain) != 0) {
			result = domain_has_heap(manager, names.items[i], path, error);
		}
	}
	strings_finish(&names);
	return result;
}

/* An ivshmem device is a PCI BAR. */
static uint64_t size_for(enum domain_heap kind, uint64_t planned) {
	return kind == DOMAIN_HEAP_IVSHMEM && planned > 0
		       ? UINT64_C(1) << (63 - __builtin_clzll(planned))
		       : planned;
}

static int redefine(struct domain_manager *manager, const char *domain, const char *xml,
	const struct domain_info *info, uint64_t size, struct error *error) {
	const struct domain_spec spec = {
		.guest = info->guest,
		.domain = domain,
		.heap = info->heap,
		.heap_path = info->heap_path,
		.heap_size = size,
	};
	xmlDoc *document = domain_document_parse(xml, error);
	int failure = DOMAIN_FAILURE_REFUSED;
	if (document != NULL && domain_document_apply(document, &spec, error) == 0) {
		char *text = domain_document_format(document);
		failure = domain_manager_define(manager, text, error);
		free(text);
	}
	xmlFreeDoc(document);
	return failure;
}

int guest_heap_resize(struct domain_manager *manager, const char *domain, uint64_t planned,
	struct guest_heap *heap, struct error *error) {
	struct domain_info info;
	char *xml;
	*heap = (struct guest_heap){0};
	int failure = read_definition(manager, domain, &xml, &info, error);
	if (failure != 0) {
		return failure;
	}
	if (info.heap != DOMAIN_HEAP_UNSET) {
		heap->former = info.heap_size;
		heap->size = size_for(info.heap, planned);
		int shared = heap->size == heap->former
				     ? 1
				     : is_shared(manager, domain, info.heap_path, error);
		if (shared == 0) {
			failure = redefine(manager, domain, xml, &info, heap->size, error);
		} else if (shared > 0) {
			heap->size = heap->former;
		} else {
			failure = shared;
		}
	}
	domain_info_finish(&info);
	free(xml);
	return failure;
}

/* The heap's file before a start, which makes it, or after a change of the definition. */
static int make_file(struct domain_manager *manager, const char *domain,
	const struct domain_info *info, const struct domain_dac *dac, struct error *error) {
	const struct heap_device heap = {
		.kind = info->heap, .path = info->heap_path, .size = info->heap_size};
	int shared = heap_file_fits(&heap) ? is_shared(manager, domain, heap.path, error) : 0;
	if (shared < 0) {
		return shared;
	}
	int result = shared ? heap_file_take(&heap, dac, error) : heap_file_make(&heap, dac, error);
	return result == HEAP_FILE_DONE ? 0 : DOMAIN_FAILURE_REFUSED;
}

static int fit_file(
	const struct domain_info *info, const struct domain_dac *dac, struct error *error) {
	const struct heap_device heap = {
		.kind = info->heap, .path = info->heap_path, .size = info->heap_size};
	if (access(heap.path, F_OK) < 0 || heap_file_fits(&heap)) {
		return 0;
	}
	return heap_file_make(&heap, dac, error) == HEAP_FILE_DONE ? 0 : DOMAIN_FAILURE_REFUSED;
}

static int see_to_file(
	struct domain_manager *manager, const char *domain, bool starts, struct error *error) {
	struct domain_info info;
	struct domain_dac dac;
	char *xml;
	int failure = read_definition(manager, domain, &xml, &info, error);
	if (failure != 0) {
		return failure;
	}
	if (info.heap != DOMAIN_HEAP_UNSET) {
		failure = domain_manager_get_dac(manager, xml, &dac, error);
	}
	if (failure == 0 && info.heap != DOMAIN_HEAP_UNSET) {
		failure = starts ? make_file(manager, domain, &info, &dac, error)
				 : fit_file(&info, &dac, error);
	}
	domain_info_finish(&info);
	free(xml);
	return failure;
}

int guest_heap_make_file(struct domain_manager *manager, const char *domain, struct error *error) {
	return see_to_file(manager, domain, true, error);
}

int guest_heap_fit_file(struct domain_manager *manager, const char *domain, struct error *error) {
	return see_to_file(manager, domain, false, error);
}

/* 1 when the domain is defined with the heap in another size; 0 when not, or it is gone meanwhile.
 */
static int differs(struct domain_manager *manager, const char *domain,
	const struct heap_device *heap, struct error *error) {
	char *xml;
	int failure = domain_manager_get_xml(manager, domain, false, &xml, error);
	if (failure < 0) {
		return failure == DOMAIN_FAILURE_ABSENT ? 0 : failure;
	}
	uint64_t size;
	bool found = has_heap(xml, heap->path, &size);
	free(xml);
	return found && size != heap->size;
}

int guest_heap_find_other(struct domain_manager *manager, const char *domain,
	const struct heap_device *heap, char **other, struct error *error) {
	struct strings names = {0};
	int result = domain_manager_list(manager, &names, error);
	*other = NULL;
	for (size_t i = 0; i < names.count && result == 0; i++) {
		if (strcmp(names.items[i], domain) != 0) {
			result = differs(manager, names.items[i], heap, error);
			*other = result == 1 ? must_copy(names.items[i]) : NULL;
		}
	}
	strings_finish(&names);
	return result;
}
