#include "inventory/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to `digits` hexadecimal digits (at least `least`), not above `max`, then `end`. */
static bool parse_part(
	const char **text, int least, int digits, unsigned long max, char end, uint32_t *value) {
	unsigned long number = 0;
	int count = 0;
	for (; count < digits; count++) {
		char c = (*text)[count];
		if (c >= '0' && c <= '9') {
			number = number << 4 | (unsigned long)(c - '0');
		} else if (c >= 'a' && c <= 'f') {
			number = number << 4 | (unsigned long)(c - 'a' + 10);
		} else if (c >= 'A' && c <= 'F') {
			number = number << 4 | (unsigned long)(c - 'A' + 10);
		} else {
			break;
		}
	}
	if (count < least || number > max || (*text)[count] != end) {
		return false;
	}
	*text += count + (end != '\0');
	*value = (uint32_t)number;
	return true;
}

bool pci_address_parse(const char *text, struct pci_address *address) {
	uint32_t domain = 0, bus, slot, function;
	const char *colon = strchr(text, ':');
	if (colon && strchr(colon + 1, ':') && !parse_part(&text, 4, 8, UINT32_MAX, ':', &domain)) {
		return false;
	}
	if (!parse_part(&text, 2, 2, 0xff, ':', &bus) ||
		!parse_part(&text, 2, 2, 0x1f, '.', &slot) ||
		!parse_part(&text, 1, 1, 7, '\0', &function)) {
		return false;
	}
	*address = (struct pci_address){
		.domain = domain,
		.bus = (uint8_t)bus,
		.slot = (uint8_t)slot,
		.function = (uint8_t)function,
	};
	return true;
}

void pci_address_format(const struct pci_address *address, char text[PCI_ADDRESS_TEXT]) {
	snprintf(text, PCI_ADDRESS_TEXT, "%04x:%02x:%02x.%x", (unsigned)address->domain,
		address->bus, address->slot, address->function);
}

int pci_address_compare(const struct pci_address *a, const struct pci_address *b) {
	if (a->domain != b->domain) {
		return a->domain < b->domain ? -1 : 1;
	}
	int x = a->bus << 8 | a->slot << 3 | a->function;
	int y = b->bus << 8 | b->slot << 3 | b->function;
	return x - y;
}

bool pci_address_same_slot(const struct pci_address *a, const struct pci_address *b) {
	return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot;
}
