#include "domain/host_port.h"

#include "domain/devices.h"
#include "domain/firmware_config.h"
#include "domain/tree.h"

#define ALIAS "ua-portal-host-port"

void host_port_put(xmlNode *root, const struct host_port *port) {
	xmlNode *devices = tree_need(root, "devices");
	if (port->socket != NULL) {
		devices_put(
			devices, devices_create_port(HOST_PORT_NAME, "bind", port->socket), ALIAS);
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
