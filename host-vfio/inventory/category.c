#include "inventory/category.h"

#include <string.h>

static const char *const names[CATEGORY_COUNT] = {
	[CATEGORY_GPU] = "gpu",
	[CATEGORY_GPU_AUDIO] = "gpu-audio",
	[CATEGORY_USB] = "usb",
	[CATEGORY_NET] = "net",
	[CATEGORY_STORAGE] = "storage",
	[CATEGORY_AUDIO] = "audio",
	[CATEGORY_OTHER] = "other",
	[CATEGORY_SYSTEM] = "system",
	[CATEGORY_BRIDGE] = "bridge",
};

static enum device_category serial_bus(unsigned subclass, unsigned interface) {
	switch (subclass) {
	case 0x03:
		/* That of USB4, which older Thunderbolt has under another class, makes the ways to
		 * what is plugged in, and takes them all away when it is reset. */
		return interface == 0x40 ? CATEGORY_SYSTEM : CATEGORY_USB;
	case 0x05: /* SMBus */
	case 0x80: /* Intel's SPI flash controller, among others */
		return CATEGORY_SYSTEM;
	default:
		return CATEGORY_OTHER;
	}
}

enum device_category category_of_class(uint32_t class_code) {
	unsigned subclass = class_code >> 8 & 0xff;
	switch (class_code >> 16 & 0xff) {
	case 0x00:
		return subclass == 0x01 ? CATEGORY_GPU : CATEGORY_OTHER;
	case 0x01:
		return CATEGORY_STORAGE;
	case 0x02:
		return CATEGORY_NET;
	case 0x03:
		return CATEGORY_GPU;
	case 0x04:
		/* 0401 audio, 0403 HD audio; the rest is video and telephony */
		return subclass == 0x01 || subclass == 0x03 ? CATEGORY_AUDIO : CATEGORY_OTHER;
	case 0x05:
	case 0x08:
	case 0x0b:
		return CATEGORY_SYSTEM;
	case 0x06:
		return CATEGORY_BRIDGE;
	case 0x0c:
		return serial_bus(subclass, class_code & 0xff);
	case 0x0d: /* wireless: 11 and 20/21 are Bluetooth and 802.11 of old */
		return subclass == 0x20 || subclass == 0x21 ? CATEGORY_NET : CATEGORY_OTHER;
	default:
		return CATEGORY_OTHER;
	}
}

enum net_kind category_net_kind(uint32_t class_code) {
	unsigned subclass = class_code >> 8 & 0xff;
	if (category_of_class(class_code) != CATEGORY_NET) {
		return NET_NONE;
	}
	if (class_code >> 16 == 0x0d || subclass == 0x80) {
		return NET_WIFI;
	}
	return subclass == 0x00 ? NET_ETHERNET : NET_OTHER;
}

const char *category_name(enum device_category category) {
	return names[category];
}

const char *category_net_kind_name(enum net_kind kind) {
	static const char *const kinds[] = {"", "ethernet", "wifi", "other"};
	return kinds[kind];
}

enum device_category category_from_name(const char *name) {
	enum device_category category = 0;
	while (category < CATEGORY_COUNT && strcmp(names[category], name) != 0) {
		category++;
	}
	return category;
}
