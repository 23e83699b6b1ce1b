#ifndef TOPLEVEL_CLIENT_H
#define TOPLEVEL_CLIENT_H

struct server;

/* What clients do with their windows: create, commit, map, ask, destroy (xdg_toplevel). */

void toplevel_client_init(struct server *server);
void toplevel_client_finish(struct server *server);

#endif
