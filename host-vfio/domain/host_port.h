#ifndef HOST_DOMAIN_HOST_PORT_H
#define HOST_DOMAIN_HOST_PORT_H

#include <libxml/tree.h>

/* A controller VM's way to its host (portal-door(8)): a virtio-serial port and a key. */

/* Its port: /dev/virtio-ports/org.portal.host.0 in the controller. */
#define HOST_PORT_NAME "org.portal.host.0"
/* The fw_cfg file, and so systemd's credential, that has the key. */
#define HOST_PORT_KEY "opt/io.systemd.credentials/portal.door"

struct host_port {
	const char *socket; /* the port's end on the host; NULL: another transport, no port */
	const char *key; /* the host's file */
};

/* Puts it in, or changes what is there. */
void host_port_put(xmlNode *root, const struct host_port *port);
/* One that is not there is fine. */
void host_port_remove(xmlNode *root);

#endif
