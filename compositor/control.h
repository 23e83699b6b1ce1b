#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

struct control;
struct server;

/*
 * The control socket, $XDG_RUNTIME_DIR/portal/DISPLAY.varlink: interface org.portal.Controller,
 * described in org.portal.Controller(7) and by `varlinkctl introspect`. Only the same user may
 * connect.
 */

/** Opens the socket of a started server. NULL after saying on the log why not. */
struct control *control_create(struct server *server);
/** Removes the socket as well; NULL is fine. */
void control_destroy(struct control *control);

/** Something that GetState shows has changed: tells those who watch, once events are done. */
void control_changed(struct server *server);

#endif
