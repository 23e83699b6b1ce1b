#ifndef HOST_CONFINE_LANDLOCK_H
#define HOST_CONFINE_LANDLOCK_H

/*
 * Forbids this process every file, TCP, connecting to sockets by a path, abstract sockets and
 * signals to others, as far as the kernel's Landlock knows them. Needs no_new_privs. Returns the
 * kernel's ABI version, 0 without Landlock, -1 with errno.
 */
int landlock_confine(void);

#endif
