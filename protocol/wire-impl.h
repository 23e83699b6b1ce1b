#ifndef PORTAL_WIRE_IMPL_H
#define PORTAL_WIRE_IMPL_H

/* Shared by the files that make up wire.h. */

#include <stdbool.h>

#include "objects.h"
#include "quota.h"
#include "wire-tables.h"
#include "wire.h"

/* An argument as it stands in the message. */
struct portal_wire_value {
	uint32_t untrusted_word; /* the number, the id, or the length of string and array */
	const char *untrusted_string; /* with its NUL, NULL for a null string */
	uint16_t offset; /* of the word in the message */
};

struct portal_wire_call {
	bool request;
	uint32_t cost; /* see struct portal_wire_info */
	uint32_t id;
	uint16_t opcode;
	uint8_t interface, version; /* of the object */
	const struct portal_wire_message *message;
	uint8_t *data; /* the whole message */
	size_t size;
	struct portal_wire_value values[PORTAL_WIRE_MAX_ARGS];
};

/* A global of the compositor that the connection was told of. */
struct portal_wire_global {
	uint32_t name;
	uint8_t interface, version; /* as offered: capped */
	bool removed; /* a bind may have crossed the removal */
};

/* Pools outlive their object as long as there are buffers of them. */
struct portal_wire_pool {
	uint32_t size; /* bytes, as its client counts them: without pool_base */
	uint32_t users; /* the pool's object and its buffers; 0: the entry is free */
};

struct portal_wire_buffer {
	uint64_t serial; /* never used again; 0: the entry is free */
	uint32_t pool, next_unused;
	int32_t width, height;
	uint64_t bytes; /* of its pixels, as a texture holds them */
};

enum portal_wire_role {
	PORTAL_WIRE_ROLE_NONE, /* or one without an object: a cursor */
	PORTAL_WIRE_ROLE_SUBSURFACE,
	PORTAL_WIRE_ROLE_XDG, /* an xdg_surface that is nothing else yet */
	PORTAL_WIRE_ROLE_TOPLEVEL,
	PORTAL_WIRE_ROLE_POPUP,
};

/*
 * What a compositor holds for a part of a surface's state, of a kind that is counted: what is
 * applied, and what waits in commits that are not.
 */
struct portal_wire_use {
	uint64_t last, waiting, current;
	bool set; /* since it was applied */
};

#define PORTAL_WIRE_NO_SURFACE UINT32_MAX

struct portal_wire_surface {
	uint32_t users; /* objects whose data is its index; 0: the entry is free */
	uint32_t parent, first_child; /* of subsurfaces and popups; indexes or NO_SURFACE */
	uint32_t next, previous; /* siblings, or the next free entry */
	uint32_t n_children, n_below; /* right below it, and in all */
	uint32_t tree_height; /* levels below it, or more */
	uint8_t role; /* enum portal_wire_role */
	bool synchronized; /* of a subsurface */
	bool initialized; /* of a toplevel or popup: had its initial commit */
	bool mapped;
	bool grabbed; /* of a popup */
	bool has_source, has_destination; /* of its viewport */
	int32_t source[4], destination[2]; /* likewise, as the requests say them */
	int32_t scale, transform;
	uint32_t commits; /* so many there were */
	uint32_t moved_in; /* the parent's commit, counted from 1, that moves it; 0 for none */
	bool attached; /* since the last commit */
	uint32_t buffer; /* attached last */
	uint64_t buffer_serial; /* 0 for none */
	int32_t width, height; /* of the last commit's buffer, 0 for none */
	uint32_t damages; /* since the last commit */
	uint32_t cached; /* commits that wait for the parent's */
	uint32_t configures, last_configure; /* not acked yet, and the newest one's serial */
	struct portal_wire_use shown, opaque, input;
};

struct portal_wire {
	struct portal_objects objects;
	struct portal_quota *quota; /* may be NULL */
	uint64_t held[PORTAL_QUOTA_KINDS]; /* taken from the quota */
	int32_t pool_max;
	uint32_t pool_base;
	struct portal_wire_global *globals;
	uint32_t n_globals, globals_capacity;
	struct portal_wire_pool *pools;
	uint32_t n_pools;
	struct portal_wire_buffer *buffers;
	uint32_t n_buffers, unused_buffer;
	uint64_t buffer_serial; /* the last one used */
	struct portal_wire_surface *surfaces;
	uint32_t n_surfaces, unused_surface;
	unsigned int n_toplevels;
	char error[256];
};

/* Sets the error text, with the message's name before it, and returns PORTAL_WIRE_VIOLATION. */
enum portal_wire_verdict portal_wire_fail(
	struct portal_wire *wire, const struct portal_wire_call *call, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for what ends this connection only: returns PORTAL_WIRE_REFUSE. */
enum portal_wire_verdict portal_wire_refuse(
	struct portal_wire *wire, const struct portal_wire_call *call, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* PORTAL_WIRE_PASS when the quota allows it. */
enum portal_wire_verdict portal_wire_take(struct portal_wire *wire,
	const struct portal_wire_call *call, enum portal_quota_kind kind, uint64_t amount);
void portal_wire_give(struct portal_wire *wire, enum portal_quota_kind kind, uint64_t amount);

/* wire_parse.c: finds the message's description and splits it into values, by its signature only.
 */
enum portal_wire_verdict portal_wire_parse(struct portal_wire *wire, struct portal_wire_call *call);

/* Puts another number into the message. */
void portal_wire_rewrite(struct portal_wire_call *call, unsigned int arg, uint32_t word);

/* wire_place.c: refuses places and sizes of which sums would overflow. */
enum portal_wire_verdict portal_wire_check_places(
	struct portal_wire *wire, const struct portal_wire_call *call);

/* wire_registry.c */
enum portal_wire_verdict portal_wire_bind(struct portal_wire *wire, struct portal_wire_call *call,
	uint8_t *interface, uint8_t *version);
enum portal_wire_verdict portal_wire_registry_event(
	struct portal_wire *wire, struct portal_wire_call *call);

/* wire_shm.c. Creating calls set what the new object's data has to be. */
enum portal_wire_verdict portal_wire_shm_create_pool(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data);
enum portal_wire_verdict portal_wire_shm_create_buffer(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data);
enum portal_wire_verdict portal_wire_shm_resize(
	struct portal_wire *wire, struct portal_wire_call *call);
enum portal_wire_verdict portal_wire_shm_format(
	struct portal_wire *wire, struct portal_wire_call *call);
/* The object of a pool, or of a buffer, goes. */
void portal_wire_shm_drop_pool(struct portal_wire *wire, uint32_t data);
void portal_wire_shm_drop_buffer(struct portal_wire *wire, uint32_t data);

/*
 * wire_tree.c: the surfaces of a connection by index, which is what their objects have as data.
 * Each object that refers to one is a user; add() makes one with its first, or returns
 * PORTAL_WIRE_NO_SURFACE without memory.
 */
uint32_t portal_wire_tree_add(struct portal_wire *wire);
struct portal_wire_surface *portal_wire_tree_get(struct portal_wire *wire, uint32_t index);
void portal_wire_tree_drop(struct portal_wire *wire, uint32_t index);
/* Hangs one below another; refused where it would be its own ancestor, or too deep. */
enum portal_wire_verdict portal_wire_tree_attach(struct portal_wire *wire,
	const struct portal_wire_call *call, uint32_t index, uint32_t parent);
void portal_wire_tree_detach(struct portal_wire *wire, uint32_t index);
void portal_wire_tree_orphan(struct portal_wire *wire, uint32_t index, bool popups_only);

/*
 * wire_surface.c, wire_xdg.c: what a compositor would not survive, or could be made to keep without
 * end. Creating calls set the new object's data.
 */
enum portal_wire_verdict portal_wire_surface_request(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data);
/* Counts a request as work on all that the guest shows, so many times. */
void portal_wire_charge_layout(
	const struct portal_wire *wire, struct portal_wire_call *call, uint32_t times);
/* An object whose interface is one of theirs goes. */
void portal_wire_surface_release(struct portal_wire *wire, const struct portal_object *object);
enum portal_wire_verdict portal_wire_xdg_request(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data);
/* At a commit, in which the surface has a buffer or not. */
void portal_wire_xdg_commit(struct portal_wire *wire, uint32_t index, bool has_buffer);
void portal_wire_xdg_configure(struct portal_wire *wire, const struct portal_wire_call *call);
void portal_wire_xdg_lose_role(struct portal_wire *wire, uint32_t index);

/* The data of an object that is alive: the index of its surface. */
static inline uint32_t portal_wire_index(const struct portal_wire *wire, uint32_t id) {
	return portal_objects_get(&wire->objects, id)->data;
}

#endif
