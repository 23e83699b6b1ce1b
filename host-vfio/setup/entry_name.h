#ifndef HOST_SETUP_ENTRY_NAME_H
#define HOST_SETUP_ENTRY_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Names of boot loader entries: "a.conf", and "a+3-0.conf" while systemd-boot counts its tries
 * (UAPI boot loader specification, "Boot counting"). A kernel's version may have a plus, too. */

/* Is it a path of such a file? */
bool entry_name_is(const char *path);
/* How long a path is without the counter and ".conf", with which it has to end. */
size_t entry_name_length(const char *path);
/* The path of the same entry as it is called by now; the caller's. NULL: it is not there. */
char *entry_name_find(const char *root, const char *path);

#endif
