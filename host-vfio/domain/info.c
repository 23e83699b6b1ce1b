#include "domain/info.h"

#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "domain/devices.h"
#include "domain/document.h"
#include "domain/heap_device.h"
#include "domain/peer.h"
#include "domain/tree.h"

static void read_metadata(struct domain_info *info, xmlNode *root) {
	xmlNode *guest = tree_child(tree_child(root, "metadata"), "guest");
	while (guest != NULL && (guest->ns == NULL || strcmp((const char *)guest->ns->href,
							      DOMAIN_NAMESPACE) != 0)) {
		guest = tree_next(guest);
	}
	info->guest = tree_get(guest, "name");
	info->vsock_socket = tree_get(guest, "vsock-socket");
	char *cid = tree_get(guest, "vsock-cid");
	info->vsock_cid = cid == NULL ? 0 : (unsigned)strtoul(cid, NULL, 10);
	free(cid);
}

static char *read_channel(xmlNode *devices) {
	for (xmlNode *channel = tree_child(devices, "channel"); channel != NULL;
		channel = tree_next(channel)) {
		if (!tree_is(channel, "type", "unix") ||
			!tree_is(tree_child(channel, "target"), "name", DOMAIN_PORT_NAME)) {
			continue;
		}
		char *path = tree_get(tree_child(channel, "source"), "path");
		char *transport = path == NULL ? NULL : must_print("virtio-serial:%s", path);
		free(path);
		return transport;
	}
	return NULL;
}

static char *read_vsock(xmlNode *devices) {
	char *cid = tree_get(tree_child(tree_child(devices, "vsock"), "cid"), "address");
	char *transport = cid == NULL ? NULL : must_print("vsock:%s:%d", cid, DOMAIN_VSOCK_PORT);
	free(cid);
	return transport;
}

static void read_transport(struct domain_info *info, xmlNode *devices) {
	if (info->vsock_socket != NULL) {
		info->transport = must_print("vsock-unix:%s" DOMAIN_VSOCK_SUFFIX ":%d",
			info->vsock_socket, DOMAIN_VSOCK_PORT);
		return;
	}
	info->transport = read_channel(devices);
	if (info->transport == NULL) {
		info->transport = read_vsock(devices);
	}
}

/* One of a kind that people gave the domain by hand; a controller's devices for its guests' heaps
 * are not its own. */
static xmlNode *find_heap(xmlNode *devices, const char *name) {
	xmlNode *heap = tree_child(devices, name);
	struct heap_device read;
	while (heap != NULL) {
		char *path;
		bool is_heap = heap_device_read(heap, &read, &path) && !peer_is_heap(heap);
		free(path);
		if (is_heap) {
			return heap;
		}
		heap = tree_next(heap);
	}
	return NULL;
}

static void read_heap(struct domain_info *info, xmlNode *devices) {
	xmlNode *node = devices_find(devices, DEVICE_HEAP);
	if (node == NULL) {
		node = find_heap(devices, "memory");
	}
	if (node == NULL) {
		node = find_heap(devices, "shmem");
	}
	struct heap_device heap;
	if (node != NULL && heap_device_read(node, &heap, &info->heap_path)) {
		info->heap = heap.kind;
		info->heap_size = heap.size;
	}
}

static void read_key(struct domain_info *info, xmlNode *root) {
	for (xmlNode *sysinfo = tree_child(root, "sysinfo"); sysinfo != NULL;
		sysinfo = tree_next(sysinfo)) {
		for (xmlNode *entry = tree_child(sysinfo, "entry"); entry != NULL;
			entry = tree_next(entry)) {
			if (tree_is(entry, "name", "opt/io.systemd.credentials/portal.key")) {
				info->key = tree_get(entry, "file");
				return;
			}
		}
	}
}

void domain_info_read_document(struct domain_info *info, xmlDoc *document) {
	*info = (struct domain_info){0};
	xmlNode *root = xmlDocGetRootElement(document);
	xmlNode *devices = tree_need(root, "devices");
	read_metadata(info, root);
	read_transport(info, devices);
	read_heap(info, devices);
	read_key(info, root);
}

int domain_info_read(struct domain_info *info, const char *xml, struct error *error) {
	xmlDoc *document = domain_document_parse(xml, error);
	if (document == NULL) {
		return -1;
	}
	domain_info_read_document(info, document);
	xmlFreeDoc(document);
	return 0;
}

void domain_info_finish(struct domain_info *info) {
	free(info->guest);
	free(info->transport);
	free(info->heap_path);
	free(info->key);
	free(info->vsock_socket);
	*info = (struct domain_info){0};
}
