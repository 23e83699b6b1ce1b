#ifndef GUEST_AGENT_MACHINE_H
#define GUEST_AGENT_MACHINE_H

#include <stddef.h>

/*
 * What a VM's definition gave this guest: the agent's transport and heap, where the command line
 * does not name them. A definition says so in credentials, or simply by the devices the guest has:
 * the channel's virtio-serial port or a vsock, and an nvdimm's DAX device or an ivshmem device.
 */

/* Prefix of the virtio-serial port's name; libvirt's convention appends ".0". */
#define MACHINE_PORT_NAME "org.portal.agent"
/* Where the agent listens on a vsock; the bridge's side is in the domain's definition. */
#define MACHINE_VSOCK_PORT 7000

/**
 * The TRANSPORT to listen on and the HEAP to use, written into text with a zero byte. sysfs is the
 * kernel's /sys; credentials is systemd's directory of this unit, or NULL. Return 0, or −1 with
 * errno: ENOENT when there is nothing (yet: devices may come up after the agent), ENAMETOOLONG.
 */
int machine_find_transport(char *text, size_t size, const char *sysfs, const char *credentials);
int machine_find_heap(char *text, size_t size, const char *sysfs, const char *credentials);

#endif
