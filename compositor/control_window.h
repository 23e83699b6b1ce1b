#ifndef CONTROL_WINDOW_H
#define CONTROL_WINDOW_H

#include <systemd/sd-varlink.h>

/**
 * Answers the calls of org.portal.Controller that are about one window, on a server whose user data
 * is the struct server. Returns what sd-varlink does.
 */
int control_window_bind(sd_varlink_server *varlink_server);

#endif
