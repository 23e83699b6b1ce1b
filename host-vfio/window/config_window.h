#ifndef HOST_WINDOW_CONFIG_WINDOW_H
#define HOST_WINDOW_CONFIG_WINDOW_H

#include "base/error.h"
#include "base/strings.h"

/*
 * Old QEMUs that do not run as root opened a function's configuration space in sysfs by themselves.
 * Current ones go through VFIO and need none of this, so it is off unless the policy asks for it
 * (portal-host(5), config-space). While a VM starts, the file belongs to a group and is writable
 * for it; then it is again what it was. What it was is on disk before anything changes, so a crash
 * leaves no open window behind the next config_window_recover(). One process at a time opens or
 * closes windows.
 */

struct config_window_host {
	const char *root; /* "/", or the directory that stands for it */
	const char *directory; /* of the records, made where it is not there */
	const char *boot; /* the kernel's boot id: sysfs is made anew by each boot; "": not known */
};

/* Opens a window for a VM: root:GROUP 0660 for these functions' configuration space. One that the
 * VM has open already is closed first. -1 with the reason, and everything as it was. */
int config_window_open(const struct config_window_host *host, const char *vm, const char *group,
	const struct strings *addresses, struct error *error);
/* Closes it; a VM that has none is fine. A function that is gone needs nothing. -1 with the reason;
 * trying again is safe. */
int config_window_close(const struct config_window_host *host, const char *vm, struct error *error);
/* Closes all that are open. Goes on after a failure and returns -1 with the first reason. */
int config_window_recover(const struct config_window_host *host, struct error *error);

#endif
