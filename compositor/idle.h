#ifndef IDLE_H
#define IDLE_H

struct server;

/** Keeps the session from going idle while a window that asks for it can be seen (idle-inhibit). */
void idle_init(struct server *server);
void idle_finish(struct server *server);

#endif
