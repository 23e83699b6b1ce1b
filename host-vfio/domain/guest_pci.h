#ifndef HOST_DOMAIN_GUEST_PCI_H
#define HOST_DOMAIN_GUEST_PCI_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

/* PCI addresses in a domain's definition, and the buses the guest sees. */

struct domain_address {
	uint32_t domain;
	uint8_t bus;
	uint8_t slot; /* 0 to 31 */
	uint8_t function; /* 0 to 7 */
};

enum { DOMAIN_ADDRESS_TEXT = 24 };
/* "0000:01:00.0" */
void domain_address_format(const struct domain_address *address, char text[DOMAIN_ADDRESS_TEXT]);
bool domain_address_equal(const struct domain_address *a, const struct domain_address *b);
bool domain_address_same_slot(const struct domain_address *a, const struct domain_address *b);

/* Reads an <address>; false when the node is NULL, of another type than "pci" or malformed. The
 * <address> of a hostdev's <source> has no type. */
bool guest_pci_read(const xmlNode *node, struct domain_address *address);
/* Writes domain, bus, slot and function in libvirt's way. */
void guest_pci_write(xmlNode *node, const struct domain_address *address);

/* Does the guest's machine have PCI Express? Then a device gets a root port of its own. */
bool guest_pci_is_express(xmlNode *root);

/* A new root port after all other PCI controllers, with this user alias: the number of its bus.
 * libvirt chooses the port's own address. -1 when all 255 buses are there. */
int guest_pci_add_port(xmlNode *devices, const char *alias);
/* A port with an alias, by the number of its bus; NULL when there is none or it has no alias of
 * Portal's. */
xmlNode *guest_pci_find_port(xmlNode *devices, unsigned bus);
/* Does any device have an address on the bus? */
bool guest_pci_bus_in_use(xmlNode *devices, unsigned bus);
/* A slot of bus 0 where nothing is, from the bus's end; for machines without PCI Express. -1: none.
 */
int guest_pci_free_slot(xmlNode *devices);

/* Root ports that Portal made have aliases with this beginning. */
#define GUEST_PCI_PORT_PREFIX "ua-portal-port-"

#endif
