#ifndef HOST_POLICY_SCHEME_JSON_H
#define HOST_POLICY_SCHEME_JSON_H

#include <systemd/sd-json.h>

#include "memory/scheme.h"

/* A memory plan that was made, and what it rests on, as portal-host memory --json and
 * org.portal.Host have it. The caller's. */
sd_json_variant *scheme_json(const struct scheme *scheme, const struct history *history);

#endif
