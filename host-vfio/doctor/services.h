#ifndef HOST_DOCTOR_SERVICES_H
#define HOST_DOCTOR_SERVICES_H

#include "doctor/doctor.h"

/* What a running host offers to VMs beside its hardware: programs, and what the person who asks may
 * use of them. */
struct services {
	bool root; /* the person who asks */
	const char *user; /* their name */
	bool kvm_there; /* /dev/kvm */
	bool kvm_allowed; /* they may open it */
	uint64_t lock_limit; /* bytes of memory that their VMs may lock; UINT64_MAX: all */
	/* As 1000000 * major + 1000 * minor + release; 0 when it does not answer. */
	unsigned long libvirt, qemu;
	char libvirt_error[256]; /* why not */
	bool hook; /* libvirt asks portal-hostd before it starts a VM */
	bool hook_unseen; /* whether it does, the person who asks may not see */
	bool daemon; /* portal-hostd answers */
	/* The policy's domains that get their memory only as they use it. */
	struct strings lazy;
};

void services_examine(struct diagnoses *diagnoses, const struct services *services);

#endif
