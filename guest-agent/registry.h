/* What the controller offers on a connection, and which of it the agent binds. */
#ifndef GUEST_AGENT_REGISTRY_H
#define GUEST_AGENT_REGISTRY_H

#include <stdbool.h>

struct connection;
struct wl_registry;

struct wl_registry *registry_listen(struct connection *connection);
/** All globals are known: false, with a log line, when one is missing that windows need. */
bool registry_complete(struct connection *connection);
/** Releases the singletons; outputs and seats are gone already. */
void registry_release(struct connection *connection);

#endif
