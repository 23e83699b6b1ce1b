#ifndef BRIDGE_CONNECTIONS_H
#define BRIDGE_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bridge;
struct bridge_connection;

/* The compositor connections of one guest: one for each of its applications. */
struct bridge_connections {
	struct bridge *bridge;
	struct bridge_connection **list; /* sorted by nothing: they are few */
	size_t count, capacity;
	size_t congested; /* how many of them are */
};

void bridge_connections_init(struct bridge_connections *connections, struct bridge *bridge);
void bridge_connections_finish(struct bridge_connections *connections);

/* What the channel brought for a connection. An id that is not known ends the channel. */
void bridge_connections_connect(
	struct bridge_connections *connections, uint32_t id, const char *untrusted_name);
void bridge_connections_disconnect(
	struct bridge_connections *connections, uint32_t id, const char *untrusted_reason);
void bridge_connections_wayland(struct bridge_connections *connections, uint32_t id,
	const void *untrusted_messages, size_t size);
void bridge_connections_heap(struct bridge_connections *connections, uint32_t id);
void bridge_connections_blob(struct bridge_connections *connections, uint32_t id,
	uint64_t untrusted_size, uint64_t untrusted_offset, const void *piece, size_t piece_size);

/* The pause that the guest's rate asked for is over: what it held back goes on, up to the next one.
 */
void bridge_connections_resume(struct bridge_connections *connections);

/* The channel has room again. */
void bridge_connections_writable(struct bridge_connections *connections);

/* Toplevel windows over all connections. */
unsigned int bridge_connections_count_windows(const struct bridge_connections *connections);

#endif
