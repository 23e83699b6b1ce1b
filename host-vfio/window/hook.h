#ifndef HOST_WINDOW_HOOK_H
#define HOST_WINDOW_HOOK_H

#include <stdbool.h>

#include "window/config_window.h"

/*
 * What libvirt's hook for QEMU domains tells (https://libvirt.org/hooks.html), turned into windows:
 * at "prepare" one is opened for the PCI functions of `definition`, which libvirt writes to the
 * hook's standard input; at "started", "stopped" and "release" it is closed, and at "reconnect" of
 * a libvirtd that ended in between. Other operations, and a domain without such functions, are
 * fine. `group`: NULL opens none; what is open is closed all the same, since the policy may have
 * changed meanwhile. -1 with the reason: libvirt is then to refuse the start.
 */
int window_hook(const struct config_window_host *host, const char *group, const char *domain,
	const char *operation, const char *definition, struct error *error);
/* Is it the operation that opens a window, so that the policy's word on it is wanted? */
bool window_hook_opens(const char *operation);

#endif
