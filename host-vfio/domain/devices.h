#ifndef HOST_DOMAIN_DEVICES_H
#define HOST_DOMAIN_DEVICES_H

#include <libxml/tree.h>
#include <stdint.h>

#include "base/error.h"
#include "domain/spec.h"

/* The <devices> of a domain's definition: the part of document.h that is about them. */

#define DOMAIN_NAMESPACE "https://portal.invalid/xmlns/guest/1"
#define DOMAIN_QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

/* Fills an empty <devices> with what a guest without a screen of its own needs. */
void devices_create(xmlNode *devices);

int devices_apply(xmlNode *devices, const struct domain_spec *spec, struct error *error);

/* Devices that libvirt has no words for yet, as arguments for QEMU. */
void devices_apply_command_line(xmlNode *root, const struct domain_spec *spec);

/* Bytes of all memory devices, which libvirt counts as the guest's. */
uint64_t devices_memory_bytes(xmlNode *devices);
/* Of those that lie in files of their own, not in what the domain itself allocates. */
uint64_t devices_nvdimm_bytes(xmlNode *devices);

/*
 * Puts a device among the others, in place of the earlier one of the same alias. One that says all
 * of it already stays, with what libvirt filled in; the device given is then freed.
 */
void devices_put(xmlNode *devices, xmlNode *device, const char *alias);

/* A virtio-serial port with a unix socket on the host, to be devices_put() into its place. `mode`
 * is "bind" or "connect"; without a path libvirt chooses one and binds it. */
xmlNode *devices_create_port(const char *name, const char *mode, const char *path);

/* libvirt's namespace for what is QEMU's own, declared at the root where it is not. */
xmlNs *devices_qemu_namespace(xmlNode *root);

/* The device with that user alias, or NULL. */
xmlNode *devices_find(xmlNode *devices, const char *alias);

#define DEVICE_HEAP "ua-portal-heap"
#define DEVICE_CONTROL "ua-portal-control"
#define DEVICE_DISK "ua-portal-disk"
#define DEVICE_NETWORK "ua-portal-network"
#define DEVICE_SOUND "ua-portal-sound"
#define DEVICE_CONSOLE "ua-portal-console"

#endif
