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
	error_set(error,
		"the heap %s is in use with %s, and the definition says %s: stop the guest, or "
		"bring the definition up to date (portal-host domain edit --guest)",
		heap->path, now, wanted);
	return START_NEEDS_LACK;
}

static int result_of(int made) {
	return made == HEAP_FILE_DONE	   ? START_NEEDS_DONE
	       : made == HEAP_FILE_REFUSED ? START_NEEDS_REFUSED
					   : START_NEEDS_UNMADE;
}

/* own: the domain's, of which it is the start that makes it. */
static int make_heap(const struct heap_device *heap, bool own, const struct domain_dac *dac,
	struct error *error) {
	struct stat status;
	bool exists = lstat(heap->path, &status) == 0;
	bool others = exists && !own && heap_file_is_in_use(heap->path);
	if (!others && !heap_file_fits(heap)) {
		return result_of(heap_file_make(heap, dac, error));
	}
	int result = heap_file_take(heap, dac, error);
	return result == HEAP_FILE_DONE && (uint64_t)status.st_size != heap->size
		       ? fail_in_use(heap, (uint64_t)status.st_size, error)
		       : result_of(result);
}

/* A socket at which nobody listens: QEMU tries again until the guest's takes its place. */
static int make_socket(const char *path, struct error *error) {
	if (mknod(path, S_IFSOCK | 0600, 0) == 0 || errno == EEXIST) {
		return START_NEEDS_DONE;
	}
	error_set(error, "the channel %s: %s", path, strerror(errno));
	return START_NEEDS_LACK;
}

static int make_channel(xmlNode *channel, struct error *error) {
	char *name = tree_get(tree_child(channel, "target"), "name");
	xmlNode *source = tree_child(channel, "source");
	char *path = tree_get(source, "path");
	bool peer = name != NULL && path != NULL && tree_is(source, "mode", "connect") &&
		    strncmp(name, PEER_PORT_PREFIX, strlen(PEER_PORT_PREFIX)) == 0;
	int result = peer ? make_socket(path, error) : START_NEEDS_DONE;
	free(name);
	free(path);
	return result;
}

static int make_for(xmlNode *device, const struct domain_dac *dac, struct error *error) {
	if (strcmp((const char *)device->name, "channel") == 0) {
		return make_channel(device, error);
	}
	struct heap_device heap;
	char *path = NULL;
	bool own = tree_is(tree_child(device, "alias"), "name", DEVICE_HEAP);
	bool is_heap = (own || peer_is_heap(device)) && heap_device_read(device, &heap, &path);
	int result = is_heap ? make_heap(&heap, own, dac, error) : START_NEEDS_DONE;
	free(path);
	return result;
}

int start_needs_make(const char *xml, const struct domain_dac *dac, struct strings *problems) {
	struct error error;
	int worst = START_NEEDS_DONE;
	xmlDoc *document = domain_document_parse(xml, &error);
	if (document == NULL) {
		strings_add(problems, error.text);
		return START_NEEDS_LACK;
	}
	xmlNode *devices = tree_child(xmlDocGetRootElement(document), "devices");
	for (xmlNode *device = devices == NULL ? NULL : xmlFirstElementChild(devices);
		device != NULL; device = xmlNextElementSibling(device)) {
		int result = make_for(device, dac, &error);
		if (result != START_NEEDS_DONE) {
			strings_add(problems, error.text);
		}
		worst = result < worst ? result : worst;
	}
	xmlFreeDoc(document);
	return worst;
}
