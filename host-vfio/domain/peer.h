#ifndef HOST_DOMAIN_PEER_H
#define HOST_DOMAIN_PEER_H

#include <libxml/tree.h>
#include <stdbool.h>

#include "base/error.h"
#include "domain/heap_device.h"

/* A guest as its controller VM has it: its heap, the other end of its channel, its key. */
struct domain_peer {
	const char *guest; /* the VM's name in portal.scfg */
	struct heap_device heap; /* DOMAIN_HEAP_UNSET: none */
	const char *channel; /* the unix socket of the guest's virtio-serial port, or NULL */
	const char *key; /* the host's file, or NULL */
};

/* The virtio-serial port of a guest in its controller, with the guest's name behind it. */
#define PEER_PORT_PREFIX "org.portal.guest."
/* The fw_cfg file, and so systemd's credential, that has the key of a guest. */
#define PEER_KEY_PREFIX "opt/io.systemd.credentials/portal.key."

/* The user aliases of a guest's devices begin with these. */
#define PEER_HEAP "ua-portal-heap-"
#define PEER_CHANNEL "ua-portal-channel-"
/* A guest's alias of one kind, in the letters that libvirt takes; the caller's. */
char *peer_alias(const char *prefix, const char *guest);
/* Is it a device for some guest's heap? */
bool peer_is_heap(xmlNode *device);

/* Puts a guest in, or changes the one of that name. The port connects whenever the guest is there.
 * Memory is not counted anew: domain_document_count_memory() does that. -1 with the reason. */
int peer_put(xmlNode *root, const struct domain_peer *peer, struct error *error);
/* One that is not there is fine. */
void peer_remove(xmlNode *root, const char *guest);

#endif
