#ifndef HOST_DOMAIN_SPEC_H
#define HOST_DOMAIN_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What Portal wants of a guest's libvirt domain. Every field may be unset (zero, NULL): a new
 * domain then gets nothing of the kind, an existing one keeps what it has.
 */

enum domain_virt {
	DOMAIN_VIRT_UNSET,
	DOMAIN_VIRT_KVM,
	DOMAIN_VIRT_QEMU, /* emulated processor */
};

enum domain_heap {
	DOMAIN_HEAP_UNSET,
	DOMAIN_HEAP_NVDIMM, /* a DAX device in the guest: cached memory, the better choice */
	DOMAIN_HEAP_IVSHMEM, /* a PCI BAR in the guest; the size is a power of two */
};

enum domain_control {
	DOMAIN_CONTROL_UNSET,
	DOMAIN_CONTROL_VIRTIO_SERIAL, /* port DOMAIN_PORT_NAME in the guest */
	DOMAIN_CONTROL_VSOCK, /* the kernel's vhost-vsock */
	DOMAIN_CONTROL_VHOST_USER_VSOCK, /* vhost-device-vsock, where the kernel has none */
};

enum domain_network {
	DOMAIN_NETWORK_UNSET,
	DOMAIN_NETWORK_NONE,
	DOMAIN_NETWORK_PASST, /* user-space, no privileges, no way in */
};

enum domain_sound {
	DOMAIN_SOUND_UNSET,
	DOMAIN_SOUND_NONE,
	DOMAIN_SOUND_PIPEWIRE, /* virtio-sound to a session's PipeWire */
};

/* The agent's virtio-serial port: /dev/virtio-ports/org.portal.agent.0 in the guest. */
#define DOMAIN_PORT_NAME "org.portal.agent.0"
/* The agent's vsock port. */
#define DOMAIN_VSOCK_PORT 7000
/* What vhost-device-vsock adds to the path of its vhost-user socket for connections to the guest.
 */
#define DOMAIN_VSOCK_SUFFIX ".vsock"
/* Serial number of the guest's disk, by which the guest tells it from others. */
#define DOMAIN_DISK_SERIAL "portal-root"

struct domain_spec {
	const char *guest; /* the VM's name in portal.scfg */
	const char *domain; /* libvirt's name */

	enum domain_virt virt;
	uint64_t memory; /* bytes, without the heap; a multiple of 1 MiB */
	unsigned cpus;
	bool lock_memory; /* keep it out of swap; libvirt may want a higher memlock limit */

	const char *image; /* a disk, absolute path */
	const char *image_format; /* raw, qcow2 …; goes with image */
	bool image_read_only;
	const char *kernel, *initrd, *cmdline; /* direct boot */

	enum domain_heap heap;
	const char *heap_path; /* in /dev/shm for ivshmem */
	uint64_t heap_size; /* bytes; a multiple of 2 MiB for nvdimm */

	enum domain_control control;
	const char *control_path; /* the host's socket: virtio-serial NULL for libvirt's choice,
				     vhost-user-vsock the device's, with ".vsock" for connections */
	unsigned cid; /* vsock: 0 for the next free one; vhost-user-vsock: at least 3 */

	const char *key; /* file with the guest's key, handed over as the credential portal.key */

	enum domain_network network;
	enum domain_sound sound;
	const char *pipewire_directory; /* the session's runtime directory */
	const char *console_log; /* file that takes the guest's serial console */

	/* QEMU runs as this user instead of libvirt's own, so that the user owns heap, channel and
	 * key: for system domains of a user who is not root. */
	bool as_user;
	uid_t uid;
	gid_t gid;
};

#endif
