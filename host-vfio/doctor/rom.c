#include "doctor/rom.h"

enum {
	SIGNATURE = 0xaa55,
	POINTER = 0x18, /* to the PCI data structure, from the image's start */
	/* Within the PCI data structure. */
	VENDOR = 0x04,
	DEVICE = 0x06,
	LENGTH = 0x10, /* of the image, in units of 512 bytes */
	CODE_TYPE = 0x14,
	INDICATOR = 0x15, /* bit 7: the last image */
	STRUCTURE_SIZE = 0x18,
	IMAGES_MAX = 64,
};

static uint16_t word(const uint8_t *data) {
	return (uint16_t)(data[0] | data[1] << 8);
}

static bool is_structure(const uint8_t *data) {
	return data[0] == 'P' && data[1] == 'C' && data[2] == 'I' && data[3] == 'R';
}

bool rom_parse(const void *data, size_t size, struct rom_images *images) {
	const uint8_t *bytes = data;
	size_t at = 0;
	*images = (struct rom_images){0};
	while (images->count < IMAGES_MAX) {
		if (size - at < POINTER + 2 || word(bytes + at) != SIGNATURE) {
			return false;
		}
		size_t structure = at + word(bytes + at + POINTER);
		if (structure > size || size - structure < STRUCTURE_SIZE ||
			!is_structure(bytes + structure)) {
			return false;
		}
		const uint8_t *pcir = bytes + structure;
		if (images->count++ == 0) {
			images->vendor = word(pcir + VENDOR);
			images->device = word(pcir + DEVICE);
		}
		images->legacy |= pcir[CODE_TYPE] == 0;
		images->efi |= pcir[CODE_TYPE] == 3;
		if (pcir[INDICATOR] & 0x80) {
			return true;
		}
		size_t length = (size_t)word(pcir + LENGTH) * 512;
		if (length == 0 || length > size - at) {
			return false;
		}
		at += length;
	}
	return false;
}
