#include "domain/hostdev_plug.h"

#include <stdlib.h>

#include "base/must.h"
#include "domain/document.h"
#include "domain/heap_ports.h"
#include "domain/hostdev.h"
#include "domain/manager-impl.h"
#include "domain/tree.h"

static bool takes_devices(xmlNode *controller) {
	return tree_is(controller, "model", "pcie-root-port") && !heap_ports_has(controller) &&
	       !tree_is(tree_child(controller, "target"), "hotplug", "off");
}

int hostdev_plug_find_port(xmlNode *root, struct error *error) {
	xmlNode *devices = tree_child(root, "devices");
	if (!guest_pci_is_express(root)) {
		return 0;
	}
	for (xmlNode *controller = tree_child(devices, "controller"); controller != NULL;
		controller = tree_next(controller)) {
		char *index = takes_devices(controller) ? tree_get(controller, "index") : NULL;
		int bus = index == NULL ? 0 : atoi(index);
		free(index);
		if (bus > 0 && !guest_pci_bus_in_use(devices, (unsigned)bus)) {
			return bus;
		}
	}
	return error_set(error,
		"it has no empty root port: add <controller type='pci' model='pcie-root-port'/> to "
		"its definition, for its next start");
}

/* `there`: it has the device already. */
static int find_port(struct domain_manager *manager, const char *name,
	const struct domain_address *host, int *bus, bool *there, struct error *error) {
	char *xml;
	int failure = domain_manager_get_xml(manager, name, true, &xml, error);
	if (failure != 0) {
		return failure;
	}
	xmlDoc *document = domain_document_parse(xml, error);
	xmlNode *root = document == NULL ? NULL : xmlDocGetRootElement(document);
	*there = root != NULL && hostdev_find(root, host) != NULL;
	*bus = *there ? 0 : root == NULL ? -1 : hostdev_plug_find_port(root, error);
	xmlFreeDoc(document);
	free(xml);
	return *bus < 0 ? DOMAIN_FAILURE_REFUSED : 0;
}

/* As libvirt takes it; the caller's. */
static char *describe(const struct domain_address *host, int bus) {
	char *place = bus == 0 ? must_copy("")
			       : must_print("<address type='pci' domain='0' bus='0x%x' slot='0' "
					    "function='0'/>",
					 (unsigned)bus);
	char *device = must_print("<hostdev mode='subsystem' type='pci' managed='no'><source>"
				  "<address domain='0x%x' bus='0x%x' slot='0x%x' function='0x%x'/>"
				  "</source>%s</hostdev>",
		host->domain, host->bus, host->slot, host->function, place);
	free(place);
	return device;
}

int hostdev_plug_attach(struct domain_manager *manager, const char *name,
	const struct domain_address *host, struct error *error) {
	int failure, bus;
	bool there = false;
	virDomainPtr domain = domain_manager_lookup(manager, name, &failure, error);
	if (domain == NULL) {
		return failure;
	}
	failure = find_port(manager, name, host, &bus, &there, error);
	if (failure == 0 && !there) {
		char *device = describe(host, bus);
		if (virDomainAttachDeviceFlags(domain, device, VIR_DOMAIN_AFFECT_LIVE) < 0) {
			failure = domain_manager_fail(error);
		}
		free(device);
	}
	virDomainFree(domain);
	return failure;
}
