#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

struct control;
struct server;

/*
 * The control socket, $XDG_RUNTIME_DIR/portal/DISPLAY.varlink: interface org.portal.Controller,
 * described in portalctl(1) and by `varlinkctl introspect`. Only the same user may connect. What is
 * about one window is answered in control_window.c.
 */

/** Opens the socket of a started server, server->control: NULL after saying on the log why not. */
void control_create(struct server *server);
/** Removes the socket as well; NULL is fine. */
void control_destroy(struct control *control);

/** Something that GetState shows has changed: tells those who watch, once events are done. */
void control_changed(struct server *server);

#endif
