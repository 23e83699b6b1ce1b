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
	unsigned int n_toplevels;
	char error[256];
};

/* Sets the error text, with the message's name before it, and returns PORTAL_WIRE_VIOLATION. */
enum portal_wire_verdict portal_wire_fail(
	struct portal_wire *wire, const struct portal_wire_call *call, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, but it is nobody's fault: returns PORTAL_WIRE_REFUSE. */
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
/* For the object of a pool and for each of its buffers. */
void portal_wire_shm_drop(struct portal_wire *wire, uint32_t data);

#endif
