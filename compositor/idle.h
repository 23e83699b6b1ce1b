#ifndef IDLE_H
#define IDLE_H

struct server;

/** Keeps the session from going idle while a window that asks for it can be seen (idle-inhibit). */
void idle_init(struct server *server);
void idle_finish(struct server *server);
/** An output shows something else now: a window may have been hidden. */
void idle_output_drawn(struct server *server);

#endif
