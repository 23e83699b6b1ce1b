#ifndef HOST_INVENTORY_ADDRESS_H
#define HOST_INVENTORY_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Where a PCI function is right now. Bus numbers are given out at boot and by hot plug: an address
 * says nothing lasting about a device. */
struct pci_address {
	uint32_t domain; /* 16 bits on most machines, 32 behind VMD controllers */
	uint8_t bus;
	uint8_t slot; /* 0 to 31 */
	uint8_t function; /* 0 to 7 */
};

enum { PCI_ADDRESS_TEXT = 24 };

/* "0000:01:00.0", or "01:00.0" of domain 0. False for anything else. */
bool pci_address_parse(const char *text, struct pci_address *address);
/* The long form, as sysfs names devices. */
void pci_address_format(const struct pci_address *address, char text[PCI_ADDRESS_TEXT]);
/* Orders as lspci does. */
int pci_address_compare(const struct pci_address *a, const struct pci_address *b);
bool pci_address_same_slot(const struct pci_address *a, const struct pci_address *b);

#endif
