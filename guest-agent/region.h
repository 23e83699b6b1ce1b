#ifndef GUEST_AGENT_REGION_H
#define GUEST_AGENT_REGION_H

struct connection;
struct surface;

/* Which parts of a surface are opaque, and which take input: told to its mirror, which there is,
 * with its next commit. Of regions of very many rectangles less is told, see portal-agent(1). */
void region_send_opaque(struct surface *surface, struct connection *connection);
void region_send_input(struct surface *surface, struct connection *connection);

#endif
