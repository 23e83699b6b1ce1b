#ifndef HOST_INVENTORY_CATEGORY_H
#define HOST_INVENTORY_CATEGORY_H

#include <stdint.h>

/* What a device is to the person who gives it away. */
enum device_category {
	CATEGORY_GPU,
	CATEGORY_GPU_AUDIO, /* the sound function of a graphics card */
	CATEGORY_USB,
	CATEGORY_NET,
	CATEGORY_STORAGE,
	CATEGORY_AUDIO,
	CATEGORY_OTHER,
	/* Parts of the machine itself (memory and SMBus controllers, timers, processors): a policy
	 * reaches them by name only. */
	CATEGORY_SYSTEM,
	/* Host and PCI bridges: never given away. */
	CATEGORY_BRIDGE,
	CATEGORY_COUNT,
};

enum net_kind {
	NET_NONE,
	NET_ETHERNET,
	NET_WIFI,
	NET_OTHER,
};

/* From the 24-bit class code (PCI Code and ID Assignment Specification, section 1). A gpu-audio
 * function looks like any sound device; machine_read() tells them apart by their siblings. */
enum device_category category_of_class(uint32_t class_code);
/* Wi-Fi cards call themselves "network controller, other" (02 80). */
enum net_kind category_net_kind(uint32_t class_code);

const char *category_name(enum device_category category);
const char *category_net_kind_name(enum net_kind kind);
/* CATEGORY_COUNT when there is none of that name. */
enum device_category category_from_name(const char *name);

#endif
