#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include <systemd/sd-json.h>

struct server;

/** Outputs and windows as the type State of org.portal.Controller. Returns 0 or -errno. */
int control_state_build(struct server *server, sd_json_variant **state);

#endif
