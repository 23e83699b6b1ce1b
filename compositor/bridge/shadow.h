#ifndef BRIDGE_SHADOW_H
#define BRIDGE_SHADOW_H

#include <stddef.h>
#include <stdint.h>

#include "heap.h"
#include "wire.h"

/*
 * Where reading the heap is slow (a PCI BAR, mapped uncached), the compositor must not read it,
 * often more than once, itself. It gets pools over ordinary memory of the same layout instead, into
 * which the damage is copied in one pass before each commit. wl_surface.damage_buffer says what a
 * buffer got against the surface's last one; what it missed while others were shown is copied with
 * it.
 */
struct bridge_shadow {
	const struct portal_heap *heap; /* of the guest; NULL: there is no shadow */
	struct portal_heap shown; /* for the relays in its place */
	uint64_t copied_bytes;
};

/* Make the ordinary memory for a heap that outlives the shadow. Returns -1 with errno. */
int bridge_shadow_init(struct bridge_shadow *shadow, const struct portal_heap *heap);

/* Also for one of zeros. */
void bridge_shadow_finish(struct bridge_shadow *shadow);

/* Buffers and surfaces of one connection to the compositor. */
struct bridge_shadow_connection;

/* NULL with errno ENOMEM. */
struct bridge_shadow_connection *bridge_shadow_connection_create(struct bridge_shadow *shadow);
void bridge_shadow_connection_destroy(struct bridge_shadow_connection *connection);

/*
 * A request has passed the checks and will reach the compositor next. Returns -1 with errno ENOMEM:
 * the connection cannot go on.
 */
int bridge_shadow_request(struct bridge_shadow_connection *connection,
	const struct portal_wire_info *info, const void *message, size_t size);

#endif
