#ifndef PORTAL_TABLES_H
#define PORTAL_TABLES_H

/*
 * Read-only tables of the Wayland interfaces a guest may use. protocol/scanner.py makes them from
 * the protocols' XML and protocol/wayland.allow; wire-tables.h has an index for every interface
 * (PORTAL_WIRE_WL_SHM) and a number for every message (PORTAL_REQUEST_WL_SHM_CREATE_POOL).
 */

#include <stdbool.h>
#include <stdint.h>

/* In place of an interface's index. */
enum {
	PORTAL_WIRE_ANY =
		0xfe, /* the argument does not say which: wl_registry.bind, wl_display.error */
	PORTAL_WIRE_NONE = 0xff, /* not about objects, or of an interface no guest can have */
};

enum portal_wire_arg_type {
	PORTAL_WIRE_ARG_INT,
	PORTAL_WIRE_ARG_UINT,
	PORTAL_WIRE_ARG_FIXED,
	PORTAL_WIRE_ARG_STRING,
	PORTAL_WIRE_ARG_OBJECT,
	PORTAL_WIRE_ARG_NEW_ID,
	PORTAL_WIRE_ARG_ARRAY,
	PORTAL_WIRE_ARG_FD,
};

/* What stands in the channel for a descriptor. */
enum portal_wire_fd_kind {
	PORTAL_WIRE_FD_NONE,
	PORTAL_WIRE_FD_HEAP, /* the shared memory itself */
	PORTAL_WIRE_FD_BLOB, /* a copy of what it holds */
	PORTAL_WIRE_FD_PIPE, /* a stream */
};

struct portal_wire_arg {
	uint8_t type; /* enum portal_wire_arg_type */
	uint8_t interface; /* of an object or new_id */
	uint8_t fd_kind; /* enum portal_wire_fd_kind, of an fd */
	bool nullable;
};

struct portal_wire_message {
	const char *name;
	const struct portal_wire_arg *args;
	uint8_t n_args, n_fds;
	uint8_t since;
	bool destructor;
};

struct portal_wire_interface {
	const char *name;
	const struct portal_wire_message *requests, *events;
	uint8_t n_requests, n_events;
	uint8_t version; /* the highest a guest can get */
	bool global; /* offered in the registry */
};

/* The most arguments a message can have: libwayland's WL_CLOSURE_MAX_ARGS. */
#define PORTAL_WIRE_MAX_ARGS 20

#endif
