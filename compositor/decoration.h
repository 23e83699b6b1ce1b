#ifndef DECORATION_H
#define DECORATION_H

struct server;
struct toplevel;

/*
 * Who draws title bars (xdg-decoration, and KDE's older protocol that GTK speaks): the compositor,
 * always, where the client lets it.
 */

void decoration_init(struct server *server);
void decoration_finish(struct server *server);

/** The window can be configured now: tells a client that asked before that the frame is ours. */
void decoration_configure(struct toplevel *toplevel);

#endif
