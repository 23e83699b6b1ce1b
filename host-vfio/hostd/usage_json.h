#ifndef HOST_HOSTD_USAGE_JSON_H
#define HOST_HOSTD_USAGE_JSON_H

#include <systemd/sd-json.h>

#include "memory/usage.h"

/* What a domain takes of the host's memory, on its way to portal-hostd from libvirt's hook and from
 * the process that watches libvirt: {"memory", "limit", "hugePages", "shared": [{"path", "size",
 * "own"}]}. */

/* The caller's. */
sd_json_variant *usage_json(const struct memory_usage *usage);
/* False, and nothing to finish, where there is no such object. */
bool usage_json_read(struct memory_usage *usage, sd_json_variant *object);

#endif
