#ifndef BRIDGE_SECCOMP_FILTER_H
#define BRIDGE_SECCOMP_FILTER_H

/*
 * Lets this process make only the system calls its loop needs; any other fails with EPERM. Needs
 * no_new_privs. Returns 0, or -1 with errno, ENOSYS when the kernel has no filters.
 */
int bridge_seccomp_enter(void);

#endif
