#ifndef HOST_DOCTOR_ROM_H
#define HOST_DOCTOR_ROM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What images an expansion ROM holds (PCI Firmware Specification 3.3, section 5.1). */
struct rom_images {
	unsigned count;
	bool legacy; /* code type 0: for a BIOS */
	bool efi; /* code type 3 */
	uint16_t vendor, device; /* of the first image */
};

/* False when it is no expansion ROM, or is cut off. Any bytes are safe to give. */
bool rom_parse(const void *data, size_t size, struct rom_images *images);

#endif
