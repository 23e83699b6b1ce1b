#ifndef PORTAL_OBJECTS_H
#define PORTAL_OBJECTS_H

/*
 * The objects of one Wayland connection, as both of its ends know them. Ids below
 * PORTAL_OBJECTS_SERVER are the client's, the others the server's; each side uses its range without
 * gaps, as libwayland demands (src/wayland-util.c, wl_map_reserve_new).
 */

#include <stddef.h>
#include <stdint.h>

#define PORTAL_OBJECTS_SERVER UINT32_C(0xff000000)

enum portal_object_state {
	PORTAL_OBJECT_FREE, /* the id may be used for a new object */
	PORTAL_OBJECT_ALIVE,
	/*
	 * Destroyed by the client, and events for it may still be on their way: until
	 * wl_display.delete_id for a client's id, until it is used again for a server's.
	 */
	PORTAL_OBJECT_ZOMBIE,
};

struct portal_object {
	uint8_t state; /* enum portal_object_state */
	uint8_t interface; /* index into portal_wire_interfaces */
	uint8_t version;
	uint32_t data; /* for whoever gives the interface a meaning */
};

struct portal_objects {
	struct {
		struct portal_object *at;
		uint32_t count, capacity;
	} client, server;
};

/* Makes the table with wl_display as object 1. Returns 0, or -1 with errno ENOMEM. */
int portal_objects_init(struct portal_objects *objects);

void portal_objects_finish(struct portal_objects *objects);

/* The entry of an id that was used at least once, else NULL. Valid until the next insert. */
struct portal_object *portal_objects_get(const struct portal_objects *objects, uint32_t id);

/*
 * Makes an id alive, which for a client's range must be free or the next unused one, for the
 * server's not alive or the next unused one. Returns the entry, or NULL with errno EINVAL when the
 * id may not be used, ENOMEM.
 */
struct portal_object *portal_objects_insert(
	struct portal_objects *objects, uint32_t id, uint8_t interface, uint8_t version);

#endif
