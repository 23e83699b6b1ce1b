#include "domain/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "domain/heap_device.h"
#include "domain/tree.h"

void devices_create(xmlNode *devices) {
	xmlNode *usb = tree_add(devices, "controller", NULL);
	tree_set(usb, "type", "usb");
	tree_set(usb, "model", "none");
	xmlNode *random = tree_add(devices, "rng", NULL);
	tree_set(random, "model", "virtio");
	tree_set(tree_add(random, "backend", "/dev/urandom"), "model", "random");
	/* A balloon would take back memory that was allocated up front on purpose. */
	tree_set(tree_add(devices, "memballoon", NULL), "model", "none");
	tree_set(tree_add(tree_add(devices, "video", NULL), "model", NULL), "type", "none");
}

xmlNode *devices_find(xmlNode *devices, const char *alias) {
	for (xmlNode *device = devices->children; device != NULL; device = device->next) {
		if (device->type == XML_ELEMENT_NODE &&
			tree_is(tree_child(device, "alias"), "name", alias)) {
			return device;
		}
	}
	return NULL;
}

static uint64_t memory_bytes(xmlNode *devices, bool in_files) {
	uint64_t sum = 0;
	for (xmlNode *memory = tree_child(devices, "memory"); memory != NULL;
		memory = tree_next(memory)) {
		if (!in_files || tree_is(memory, "model", "nvdimm")) {
			sum += tree_get_bytes(tree_child(tree_child(memory, "target"), "size"));
		}
	}
	return sum;
}

uint64_t devices_memory_bytes(xmlNode *devices) {
	return memory_bytes(devices, false);
}

uint64_t devices_nvdimm_bytes(xmlNode *devices) {
	return memory_bytes(devices, true);
}

/* A device of Portal's, to be filled and then devices_put() into its place. */
static xmlNode *begin(const char *name) {
	return xmlNewNode(NULL, BAD_CAST name);
}

/* Where the guest finds a device and by which address it is known stay the same. */
static void keep(xmlNode *device, xmlNode *old, const char *name) {
	xmlNode *child = tree_child(old, name);
	if (child != NULL && tree_child(device, name) == NULL) {
		xmlUnlinkNode(child);
		xmlAddChild(device, child);
	}
}

void devices_put(xmlNode *devices, xmlNode *device, const char *alias) {
	xmlNode *old = devices_find(devices, alias);
	bool same = old != NULL && strcmp((const char *)old->name, (const char *)device->name) == 0;
	tree_set(tree_add(device, "alias", NULL), "name", alias);
	if (same && tree_covers(old, device)) {
		xmlFreeNode(device);
		return;
	}
	if (old == NULL) {
		xmlAddChild(devices, device);
		return;
	}
	if (same) {
		keep(device, old, "mac");
		keep(device, old, "address");
	}
	xmlReplaceNode(old, device);
	xmlFreeNode(old);
}

static void add_disk(xmlNode *devices, const struct domain_spec *spec) {
	xmlNode *disk = begin("disk");
	tree_set(disk, "type", "file");
	tree_set(disk, "device", "disk");
	xmlNode *driver = tree_add(disk, "driver", NULL);
	tree_set(driver, "name", "qemu");
	tree_set(driver, "type", spec->image_format != NULL ? spec->image_format : "raw");
	tree_set(tree_add(disk, "source", NULL), "file", spec->image);
	xmlNode *target = tree_add(disk, "target", NULL);
	tree_set(target, "dev", "vda");
	tree_set(target, "bus", "virtio");
	if (spec->image_read_only) {
		tree_add(disk, "readonly", NULL);
		/* Many guests may run from one image. */
		tree_add(disk, "shareable", NULL);
	}
	tree_add(disk, "serial", DOMAIN_DISK_SERIAL);
	devices_put(devices, disk, DEVICE_DISK);
}

static int add_heap(xmlNode *devices, const struct domain_spec *spec, struct error *error) {
	if (spec->heap == DOMAIN_HEAP_UNSET) {
		return 0;
	}
	const struct heap_device heap = {
		.kind = spec->heap, .path = spec->heap_path, .size = spec->heap_size};
	xmlNode *device = heap_device_create(&heap, error);
	if (device == NULL) {
		return -1;
	}
	devices_put(devices, device, DEVICE_HEAP);
	return 0;
}

xmlNode *devices_create_port(const char *name, const char *mode, const char *path) {
	xmlNode *channel = begin("channel");
	tree_set(channel, "type", "unix");
	if (path != NULL) {
		xmlNode *source = tree_add(channel, "source", NULL);
		tree_set(source, "mode", mode);
		tree_set(source, "path", path);
	}
	xmlNode *target = tree_add(channel, "target", NULL);
	tree_set(target, "type", "virtio");
	tree_set(target, "name", name);
	return channel;
}

static void add_serial_port(xmlNode *devices, const char *path) {
	devices_put(devices, devices_create_port(DOMAIN_PORT_NAME, "bind", path), DEVICE_CONTROL);
}

/* A domain has one vsock device at most, whoever made it. */
static void add_vsock(xmlNode *devices, unsigned cid) {
	if (devices_find(devices, DEVICE_CONTROL) == NULL) {
		tree_remove_children(devices, "vsock");
	}
	xmlNode *vsock = begin("vsock");
	tree_set(vsock, "model", "virtio");
	xmlNode *element = tree_add(vsock, "cid", NULL);
	tree_set(element, "auto", cid == 0 ? "yes" : "no");
	if (cid != 0) {
		char text[16];
		snprintf(text, sizeof(text), "%u", cid);
		tree_set(element, "address", text);
	}
	devices_put(devices, vsock, DEVICE_CONTROL);
}

static int add_control(xmlNode *devices, const struct domain_spec *spec, struct error *error) {
	switch (spec->control) {
	case DOMAIN_CONTROL_UNSET:
		break;
	case DOMAIN_CONTROL_VIRTIO_SERIAL:
		add_serial_port(devices, spec->control_path);
		break;
	case DOMAIN_CONTROL_VSOCK:
		add_vsock(devices, spec->cid);
		break;
	case DOMAIN_CONTROL_VHOST_USER_VSOCK:
		if (spec->control_path == NULL || spec->cid < 3 ||
			strpbrk(spec->control_path, ",") != NULL) {
			return error_set(error, "vhost-user-vsock needs a socket's path without "
						"commas and a context id of 3 or more");
		}
		tree_remove(devices_find(devices, DEVICE_CONTROL));
		break;
	}
	return 0;
}

static void add_network(xmlNode *devices, enum domain_network network) {
	if (network == DOMAIN_NETWORK_NONE) {
		tree_remove(devices_find(devices, DEVICE_NETWORK));
	} else if (network == DOMAIN_NETWORK_PASST) {
		xmlNode *interface = begin("interface");
		tree_set(interface, "type", "user");
		tree_set(tree_add(interface, "backend", NULL), "type", "passt");
		tree_set(tree_add(interface, "model", NULL), "type", "virtio");
		devices_put(devices, interface, DEVICE_NETWORK);
	}
}

static void add_sound(xmlNode *devices, const struct domain_spec *spec) {
	if (spec->sound == DOMAIN_SOUND_NONE) {
		tree_remove(devices_find(devices, DEVICE_SOUND));
	} else if (spec->sound == DOMAIN_SOUND_PIPEWIRE) {
		xmlNode *sound = begin("sound");
		tree_set(sound, "model", "virtio");
		tree_set(tree_add(sound, "audio", NULL), "id", "1");
		devices_put(devices, sound, DEVICE_SOUND);
		xmlNode *audio = tree_need(devices, "audio");
		tree_set(audio, "id", "1");
		tree_set(audio, "type", "pipewire");
		if (spec->pipewire_directory != NULL) {
			tree_set(audio, "runtimeDir", spec->pipewire_directory);
		}
	}
}

/* Without a log the console is a pseudo-terminal: `virsh console DOMAIN`. */
static void add_console(xmlNode *devices, const struct domain_spec *spec) {
	if (spec->console_log == NULL && tree_child(devices, "serial") != NULL) {
		return;
	}
	xmlNode *serial = begin("serial");
	if (spec->console_log == NULL) {
		tree_set(serial, "type", "pty");
	} else {
		tree_set(serial, "type", "file");
		xmlNode *source = tree_add(serial, "source", NULL);
		tree_set(source, "path", spec->console_log);
		tree_set(source, "append", "on");
	}
	tree_set(tree_add(serial, "target", NULL), "port", "0");
	xmlNode *old = devices_find(devices, DEVICE_CONSOLE);
	if (old == NULL || !tree_covers(old, serial)) {
		/* <console> repeats the serial port; libvirt makes it again. */
		tree_remove_children(devices, "console");
	}
	if (old == NULL) {
		tree_remove_children(devices, "serial");
	}
	devices_put(devices, serial, DEVICE_CONSOLE);
}

int devices_apply(xmlNode *devices, const struct domain_spec *spec, struct error *error) {
	if (spec->image != NULL) {
		add_disk(devices, spec);
	}
	if (add_heap(devices, spec, error) < 0 || add_control(devices, spec, error) < 0) {
		return -1;
	}
	add_network(devices, spec->network);
	add_sound(devices, spec);
	add_console(devices, spec);
	return 0;
}

#define COMMAND_LINE_MARK "portal-vsock"

xmlNs *devices_qemu_namespace(xmlNode *root) {
	xmlNs *ns = xmlSearchNsByHref(root->doc, root, BAD_CAST DOMAIN_QEMU_NAMESPACE);
	return ns != NULL ? ns : xmlNewNs(root, BAD_CAST DOMAIN_QEMU_NAMESPACE, BAD_CAST "qemu");
}

static xmlNode *command_line(xmlNode *root) {
	xmlNode *node = tree_child(root, "commandline");
	return node != NULL ? node
			    : xmlNewChild(root, devices_qemu_namespace(root),
				      BAD_CAST "commandline", NULL);
}

static void add_argument(xmlNode *line, const char *value) {
	xmlNode *argument = xmlNewChild(line, line->ns, BAD_CAST "arg", NULL);
	tree_set(argument, "value", value);
}

/* Options and their values stand as pairs; Portal's are known by the id in the value. */
static void remove_arguments(xmlNode *line) {
	xmlNode *option = tree_child(line, "arg");
	while (option != NULL) {
		xmlNode *value = tree_next(option);
		if (value == NULL) {
			return;
		}
		char *text = tree_get(value, "value");
		bool ours = text != NULL && strstr(text, COMMAND_LINE_MARK) != NULL;
		free(text);
		xmlNode *next = tree_next(value);
		if (ours) {
			tree_remove(option);
			tree_remove(value);
		}
		option = ours ? next : value;
	}
}

void devices_apply_command_line(xmlNode *root, const struct domain_spec *spec) {
	if (spec->control == DOMAIN_CONTROL_UNSET) {
		return;
	}
	xmlNode *former = tree_child(root, "commandline");
	remove_arguments(former);
	if (spec->control != DOMAIN_CONTROL_VHOST_USER_VSOCK) {
		if (tree_child(former, "arg") == NULL && tree_child(former, "env") == NULL) {
			tree_remove(former);
		}
		return;
	}
	/* libvirt's <vsock> is the kernel's device only. It hands out PCI addresses without knowing
	 * of this one, from the bus's beginning, so it gets one near the end. */
	char *chardev = must_print("socket,id=" COMMAND_LINE_MARK ",path=%s", spec->control_path);
	xmlNode *line = command_line(root);
	add_argument(line, "-chardev");
	add_argument(line, chardev);
	add_argument(line, "-device");
	add_argument(
		line, "vhost-user-vsock-pci,chardev=" COMMAND_LINE_MARK ",bus=pcie.0,addr=0x1c");
	free(chardev);
}
