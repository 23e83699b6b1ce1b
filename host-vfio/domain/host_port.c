#include "domain/host_port.h"

#include "domain/devices.h"
#include "domain/firmware_config.h"
#include "domain/tree.h"

#define ALIAS "ua-portal-host-port"

static void put_port(xmlNode *devices, const char *socket) {
	xmlNode *channel = xmlNewNode(NULL, BAD_CAST "channel");
	tree_set(channel, "type", "unix");
	xmlNode *source = tree_add(channel, "source", NULL);
	tree_set(source, "mode", "bind");
	tree_set(source, "path", socket);
	xmlNode *target = tree_add(channel, "target", NULL);
	tree_set(target, "type", "virtio");
	tree_set(target, "name", HOST_PORT_NAME);
	devices_put(devices, channel, ALIAS);
}

void host_port_put(xmlNode *root, const struct host_port *port) {
	xmlNode *devices = tree_need(root, "devices");
	if (port->socket != NULL) {
		put_port(devices, port->socket);
	} else {
		tree_remove(devices_find(devices, ALIAS));
	}
	firmware_config_set_file(root, HOST_PORT_KEY, port->key);
}

void host_port_remove(xmlNode *root) {
	xmlNode *devices = tree_child(root, "devices");
	if (devices != NULL) {
		tree_remove(devices_find(devices, ALIAS));
	}
	firmware_config_remove(root, HOST_PORT_KEY);
}
