#include "heap/guest_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domain/document.h"
#include "domain/info.h"
#include "heap.h"

static int read_definition(struct domain_manager *manager, const char *domain, char **xml,
	struct domain_info *info, struct error *error) {
	int failure = domain_manager_get_xml(manager, domain, false, xml, error);
	if (failure == 0 && domain_info_read(info, *xml, error) < 0) {
		free(*xml);
		failure = DOMAIN_FAILURE_REFUSED;
	}
	return failure;
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
		if (heap->size != heap->former) {
			failure = redefine(manager, domain, xml, &info, heap->size, error);
		}
	}
	domain_info_finish(&info);
	free(xml);
	return failure;
}

int guest_heap_make_file(struct domain_manager *manager, const char *domain, struct error *error) {
	struct domain_info info;
	char *xml;
	int failure = read_definition(manager, domain, &xml, &info, error);
	if (failure != 0) {
		return failure;
	}
	bool wanted = info.heap == DOMAIN_HEAP_NVDIMM ||
		      (info.heap == DOMAIN_HEAP_IVSHMEM && access(info.heap_path, F_OK) == 0);
	if (wanted && portal_heap_format_file(info.heap_path, info.heap_size,
			      info.heap == DOMAIN_HEAP_NVDIMM) < 0) {
		error_set(error, "the heap %s: %s", info.heap_path, strerror(errno));
		failure = DOMAIN_FAILURE_REFUSED;
	}
	domain_info_finish(&info);
	free(xml);
	return failure;
}
