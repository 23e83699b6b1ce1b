#ifndef HOST_DOMAIN_PROBE_H
#define HOST_DOMAIN_PROBE_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Whether KVM really runs a guest here. /dev/kvm may be there and its guests die in their first
 * instructions (nested virtualisation that is not complete), so a kernel is booted until it has
 * come up and looks for its root file system: a second or two where KVM works. `kernel` is an x86
 * bzImage without an initramfs; NULL: one of the host's own. Returns false with the reason in
 * `why`.
 */
bool domain_probe_kvm(const char *kernel, struct error *why);

#endif
