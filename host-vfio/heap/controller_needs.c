#include "heap/controller_needs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "domain/document.h"
#include "domain/heap_device.h"
#include "domain/peer.h"
#include "domain/tree.h"
#include "heap.h"

static int make_heap(const struct heap_device *heap, struct error *error) {
	struct stat status;
	int result = 0;
	bool exists = lstat(heap->path, &status) == 0;
	if (heap->kind != DOMAIN_HEAP_NVDIMM) {
		/* QEMU makes it, whose user has to own it; and takes one that is there. */
		result = exists ? portal_heap_check_file(heap->path) : 0;
	} else if (exists && (uint64_t)status.st_size == heap->size) {
		result = portal_heap_check_file(heap->path);
	} else {
		result = portal_heap_format_file(heap->path, heap->size, true);
	}
	return result == 0 ? 0
			   : error_set(error, "the heap %s: %s", heap->path,
				     portal_heap_file_error(errno));
}

/* A socket at which nobody listens: QEMU tries again until the guest's takes its place. */
static int make_socket(const char *path, struct error *error) {
	return mknod(path, S_IFSOCK | 0600, 0) == 0 || errno == EEXIST
		       ? 0
		       : error_set(error, "the channel %s: %s", path, strerror(errno));
}

static int make_channel(xmlNode *channel, struct error *error) {
	char *name = tree_get(tree_child(channel, "target"), "name");
	xmlNode *source = tree_child(channel, "source");
	char *path = tree_get(source, "path");
	bool peer = name != NULL && path != NULL && tree_is(source, "mode", "connect") &&
		    strncmp(name, PEER_PORT_PREFIX, strlen(PEER_PORT_PREFIX)) == 0;
	int result = peer ? make_socket(path, error) : 0;
	free(name);
	free(path);
	return result;
}

static int make_for(xmlNode *device, struct error *error) {
	if (strcmp((const char *)device->name, "channel") == 0) {
		return make_channel(device, error);
	}
	struct heap_device heap;
	char *path = NULL;
	bool is_heap = peer_is_heap(device) && heap_device_read(device, &heap, &path);
	int result = is_heap ? make_heap(&heap, error) : 0;
	free(path);
	return result;
}

int controller_needs_make(const char *xml, struct strings *problems) {
	struct error error;
	size_t before = problems->count;
	xmlDoc *document = domain_document_parse(xml, &error);
	if (document == NULL) {
		strings_add(problems, error.text);
		return -1;
	}
	xmlNode *devices = tree_child(xmlDocGetRootElement(document), "devices");
	for (xmlNode *device = devices == NULL ? NULL : xmlFirstElementChild(devices);
		device != NULL; device = xmlNextElementSibling(device)) {
		if (make_for(device, &error) < 0) {
			strings_add(problems, error.text);
		}
	}
	xmlFreeDoc(document);
	return problems->count > before ? -1 : 0;
}
