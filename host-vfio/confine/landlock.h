#ifndef HOST_CONFINE_LANDLOCK_H
#define HOST_CONFINE_LANDLOCK_H

/*
 * Forbids this process every file, TCP, abstract sockets and signals to others, as far as the
 * kernel's Landlock knows them, except connecting to the socket that socket_fd (O_PATH) refers to;
 * -1: to none. Needs no_new_privs. Returns the kernel's ABI version, 0 without Landlock, -1 with
 * errno.
 */
int landlock_confine(int socket_fd);

#endif
