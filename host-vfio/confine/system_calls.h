#ifndef HOST_CONFINE_SYSTEM_CALLS_H
#define HOST_CONFINE_SYSTEM_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* What a process needs beside the loop over descriptors that it has: reading, writing, memory that
 * holds no program, time. */
struct system_calls {
	const int *more; /* SCMP_SYS() numbers */
	size_t count;
	bool log; /* the kernel's audit tells of every other one that it tries to make */
};

/*
 * Lets this process make no other system calls from now on: they fail with EPERM. None of those
 * that are left reaches another process but through a descriptor. Children would not have their own
 * signals; there are none, since nothing starts one. Needs no_new_privs. Returns 0, or -1 with
 * errno, ENOSYS when the kernel has no filters.
 */
int system_calls_confine(const struct system_calls *calls);

#endif
