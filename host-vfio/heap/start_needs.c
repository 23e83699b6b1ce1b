#include "heap/start_needs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/size.h"
#include "domain/devices.h"
#include "domain/document.h"
#include "domain/heap_device.h"
#include "domain/peer.h"
#include "domain/tree.h"
#include "heap/heap_file.h"

/* A guest that runs with its heap in another size than its controller is defined with. */
static int fail_in_use(const struct heap_device *heap, uint64_t has, struct error *error) {
	char now[SIZE_TEXT], wanted[SIZE_TEXT];
	size_format(has, now);
	size_format(heap->size, wanted);
	return error_set(error,
		"the heap %s is in use with %s, and the definition says %s: stop the guest, or "
		"bring the definition up to date (portal-host domain edit --guest)",
		heap->path, now, wanted);
}

/* own: the domain's, of which it is the start that makes it. */
static int make_heap(const struct heap_device *heap, bool own, struct error *error) {
	struct stat status;
	if (lstat(heap->path, &status) < 0) {
		return heap->kind == DOMAIN_HEAP_NVDIMM ? heap_file_make(heap, error) : 0;
	}
	if ((uint64_t)status.st_size == heap->size) {
		return heap_file_check(heap, error);
	}
	return !own && heap_file_is_in_use(heap->path)
		       ? fail_in_use(heap, (uint64_t)status.st_size, error)
		       : heap_file_make(heap, error);
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
	bool own = tree_is(tree_child(device, "alias"), "name", DEVICE_HEAP);
	bool is_heap = (own || peer_is_heap(device)) && heap_device_read(device, &heap, &path);
	int result = is_heap ? make_heap(&heap, own, error) : 0;
	free(path);
	return result;
}

int start_needs_make(const char *xml, struct strings *problems) {
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
