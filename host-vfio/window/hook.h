#ifndef HOST_WINDOW_HOOK_H
#define HOST_WINDOW_HOOK_H

#include "window/config_window.h"

/*
 * What libvirt's hook for QEMU domains tells (https://libvirt.org/hooks.html), turned into windows:
 * at "prepare" one is opened for the PCI functions of `definition`, which libvirt writes to the
 * hook's standard input; at "started", "stopped" and "release" it is closed. Other operations, and
 * a domain without such functions, are fine. -1 with the reason: libvirt is then to refuse the
 * start.
 */
int window_hook(const struct config_window_host *host, const char *group, const char *domain,
	const char *operation, const char *definition, struct error *error);

#endif
