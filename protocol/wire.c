#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire-impl.h"

static enum portal_wire_verdict describe(struct portal_wire *wire,
	const struct portal_wire_call *call, enum portal_wire_verdict verdict, const char *format,
	va_list args) {
	const char *interface = portal_wire_interfaces[call->interface].name;
	int length;
	if (call->message) {
		length = snprintf(wire->error, sizeof(wire->error), "%s#%u.%s: ", interface,
			call->id, call->message->name);
	} else {
		length = snprintf(wire->error, sizeof(wire->error), "%s#%u, %s %u: ", interface,
			call->id, call->request ? "request" : "event", call->opcode);
	}
	vsnprintf(wire->error + length, sizeof(wire->error) - (size_t)length, format, args);
	return verdict;
}

enum portal_wire_verdict portal_wire_fail(
	struct portal_wire *wire, const struct portal_wire_call *call, const char *format, ...) {
	va_list args;
	va_start(args, format);
	describe(wire, call, PORTAL_WIRE_VIOLATION, format, args);
	va_end(args);
	return PORTAL_WIRE_VIOLATION;
}

enum portal_wire_verdict portal_wire_refuse(
	struct portal_wire *wire, const struct portal_wire_call *call, const char *format, ...) {
	va_list args;
	va_start(args, format);
	describe(wire, call, PORTAL_WIRE_REFUSE, format, args);
	va_end(args);
	return PORTAL_WIRE_REFUSE;
}

enum portal_wire_verdict portal_wire_take(struct portal_wire *wire,
	const struct portal_wire_call *call, enum portal_quota_kind kind, uint64_t amount) {
	if (wire->quota && !portal_quota_take(wire->quota, kind, amount)) {
		return portal_wire_refuse(wire, call, "the guest has its quota of %llu %s",
			(unsigned long long)wire->quota->limit[kind], portal_quota_name(kind));
	}
	wire->held[kind] += amount;
	return PORTAL_WIRE_PASS;
}

void portal_wire_give(struct portal_wire *wire, enum portal_quota_kind kind, uint64_t amount) {
	assert(wire->held[kind] >= amount);
	wire->held[kind] -= amount;
	if (wire->quota) {
		portal_quota_give(wire->quota, kind, amount);
	}
}

struct portal_wire *portal_wire_create(
	int32_t pool_max, uint32_t pool_base, struct portal_quota *quota) {
	struct portal_wire *wire = calloc(1, sizeof(*wire));
	if (!wire || portal_objects_init(&wire->objects) < 0) {
		free(wire);
		errno = ENOMEM;
		return NULL;
	}
	wire->pool_max = pool_max;
	wire->pool_base = pool_base;
	wire->quota = quota;
	wire->unused_surface = wire->unused_buffer = PORTAL_WIRE_NO_SURFACE;
	return wire;
}

void portal_wire_destroy(struct portal_wire *wire) {
	if (!wire) {
		return;
	}
	for (unsigned int kind = 0; kind < PORTAL_QUOTA_KINDS; kind++) {
		portal_wire_give(wire, kind, wire->held[kind]);
	}
	portal_objects_finish(&wire->objects);
	free(wire->globals);
	free(wire->pools);
	free(wire->buffers);
	free(wire->surfaces);
	free(wire);
}

const char *portal_wire_error(const struct portal_wire *wire) {
	return wire->error;
}

unsigned int portal_wire_count_toplevels(const struct portal_wire *wire) {
	return wire->n_toplevels;
}

/* The client is done with an object; its id is not free yet. */
static void release_object(struct portal_wire *wire, struct portal_object *object) {
	switch (object->interface) {
	case PORTAL_WIRE_WL_SURFACE:
		portal_wire_give(wire, PORTAL_QUOTA_SURFACES, 1);
		break;
	case PORTAL_WIRE_WL_BUFFER:
		portal_wire_give(wire, PORTAL_QUOTA_BUFFERS, 1);
		portal_wire_shm_drop_buffer(wire, object->data);
		break;
	case PORTAL_WIRE_WL_SHM_POOL:
		portal_wire_shm_drop_pool(wire, object->data);
		break;
	case PORTAL_WIRE_XDG_TOPLEVEL:
		portal_wire_give(wire, PORTAL_QUOTA_WINDOWS, 1);
		wire->n_toplevels--;
		break;
	default:
		break;
	}
	portal_wire_surface_release(wire, object);
	object->state = PORTAL_OBJECT_ZOMBIE;
}

static void delete_id(struct portal_wire *wire, uint32_t untrusted_id) {
	struct portal_object *object = portal_objects_get(&wire->objects, untrusted_id);
	if (!object || object->state == PORTAL_OBJECT_FREE) {
		return;
	}
	if (object->state == PORTAL_OBJECT_ALIVE) {
		release_object(wire, object);
	}
	object->state = PORTAL_OBJECT_FREE;
	portal_wire_give(wire, PORTAL_QUOTA_OBJECTS, 1);
}

static enum portal_wire_verdict check_object(struct portal_wire *wire,
	const struct portal_wire_call *call, const struct portal_wire_arg *arg,
	uint32_t untrusted_id) {
	if (untrusted_id == 0) {
		return PORTAL_WIRE_PASS; /* nullable: the parser has seen to it */
	}
	const struct portal_object *object = portal_objects_get(&wire->objects, untrusted_id);
	if (!object || object->state == PORTAL_OBJECT_FREE) {
		return portal_wire_fail(wire, call, "there is no object %u", untrusted_id);
	}
	/* An event can be under way while its client destroys what it is about. */
	if (object->state == PORTAL_OBJECT_ZOMBIE && call->request) {
		return portal_wire_fail(wire, call, "object %u is destroyed", untrusted_id);
	}
	if (arg->interface != PORTAL_WIRE_ANY && arg->interface != object->interface) {
		return portal_wire_fail(wire, call, "object %u is a %s, not a %s", untrusted_id,
			portal_wire_interfaces[object->interface].name,
			arg->interface == PORTAL_WIRE_NONE
				? "thing that cannot be"
				: portal_wire_interfaces[arg->interface].name);
	}
	return PORTAL_WIRE_PASS;
}

static enum portal_wire_verdict check_objects(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	enum portal_wire_verdict verdict = PORTAL_WIRE_PASS;
	for (unsigned int i = 0; verdict == PORTAL_WIRE_PASS && i < call->message->n_args; i++) {
		const struct portal_wire_arg *arg = &call->message->args[i];
		if (arg->type == PORTAL_WIRE_ARG_OBJECT) {
			verdict = check_object(wire, call, arg, call->values[i].untrusted_word);
		}
	}
	return verdict;
}

/* Counts a new object by its interface. */
static enum portal_wire_verdict count_object(
	struct portal_wire *wire, const struct portal_wire_call *call, uint8_t interface) {
	switch (interface) {
	case PORTAL_WIRE_WL_SURFACE:
		return portal_wire_take(wire, call, PORTAL_QUOTA_SURFACES, 1);
	case PORTAL_WIRE_WL_BUFFER:
		return portal_wire_take(wire, call, PORTAL_QUOTA_BUFFERS, 1);
	case PORTAL_WIRE_XDG_TOPLEVEL:
		wire->n_toplevels++;
		return portal_wire_take(wire, call, PORTAL_QUOTA_WINDOWS, 1);
	default:
		return PORTAL_WIRE_PASS;
	}
}

static enum portal_wire_verdict insert_object(struct portal_wire *wire,
	const struct portal_wire_call *call, uint32_t untrusted_id, uint8_t interface,
	uint8_t version, uint32_t data) {
	if (call->request != (untrusted_id < PORTAL_OBJECTS_SERVER)) {
		return portal_wire_fail(
			wire, call, "id %u is in the other side's range", untrusted_id);
	}
	const struct portal_object *old = portal_objects_get(&wire->objects, untrusted_id);
	bool counted = old && old->state == PORTAL_OBJECT_ZOMBIE && !call->request;
	struct portal_object *object =
		portal_objects_insert(&wire->objects, untrusted_id, interface, version);
	if (!object) {
		return errno == ENOMEM
			       ? portal_wire_refuse(wire, call, "out of memory")
			       : portal_wire_fail(wire, call, "id %u is not the next or a free one",
					 untrusted_id);
	}
	object->data = data;
	enum portal_wire_verdict verdict = PORTAL_WIRE_PASS;
	if (!counted) {
		verdict = portal_wire_take(wire, call, PORTAL_QUOTA_OBJECTS, 1);
	}
	return verdict == PORTAL_WIRE_PASS ? count_object(wire, call, interface) : verdict;
}

static enum portal_wire_verdict insert_objects(struct portal_wire *wire,
	const struct portal_wire_call *call, uint8_t bound_interface, uint8_t bound_version,
	uint32_t data) {
	enum portal_wire_verdict verdict = PORTAL_WIRE_PASS;
	for (unsigned int i = 0; verdict == PORTAL_WIRE_PASS && i < call->message->n_args; i++) {
		const struct portal_wire_arg *arg = &call->message->args[i];
		if (arg->type != PORTAL_WIRE_ARG_NEW_ID) {
			continue;
		}
		bool bind = arg->interface == PORTAL_WIRE_ANY;
		verdict = insert_object(wire, call, call->values[i].untrusted_word,
			bind ? bound_interface : arg->interface,
			bind ? bound_version : call->version, data);
	}
	return verdict;
}

/* libwayland's client ends its connection over an unknown object here, and the text is worth more.
 */
static void mend_error(struct portal_wire *wire, struct portal_wire_call *call) {
	const struct portal_object *object =
		portal_objects_get(&wire->objects, call->values[0].untrusted_word);
	if (!object || object->state != PORTAL_OBJECT_ALIVE) {
		portal_wire_rewrite(call, 0, 1);
	}
}

static enum portal_wire_verdict call_init(struct portal_wire *wire, struct portal_wire_call *call,
	bool request, uint8_t *message, size_t size) {
	uint32_t untrusted_id, word;
	memcpy(&untrusted_id, message, 4);
	memcpy(&word, message + 4, 4);
	*call = (struct portal_wire_call){
		.request = request,
		.id = untrusted_id,
		.opcode = word & 0xffff,
		.cost = 1,
		.data = message,
		.size = size,
	};
	assert(size == word >> 16);
	const struct portal_object *object = portal_objects_get(&wire->objects, untrusted_id);
	if (!object || object->state == PORTAL_OBJECT_FREE) {
		snprintf(wire->error, sizeof(wire->error), "%s %u to object %u: there is none",
			request ? "request" : "event", call->opcode, untrusted_id);
		return PORTAL_WIRE_VIOLATION;
	}
	call->interface = object->interface;
	call->version = object->version;
	if (object->state == PORTAL_OBJECT_ZOMBIE && request) {
		return portal_wire_fail(wire, call, "the object is destroyed");
	}
	return portal_wire_parse(wire, call);
}

static void fill_info(const struct portal_wire_call *call, struct portal_wire_info *info) {
	*info = (struct portal_wire_info){
		.object = call->id,
		.opcode = call->opcode,
		.interface = call->interface,
		.cost = call->cost,
	};
	for (unsigned int i = 0; i < call->message->n_args; i++) {
		if (call->message->args[i].type == PORTAL_WIRE_ARG_FD) {
			assert(info->n_fds < PORTAL_WIRE_MAX_FDS);
			info->fd_kinds[info->n_fds++] = call->message->args[i].fd_kind;
		}
	}
}

/* What is told of everything there is, once more. */
#define REGISTRY_COST 16

/* The requests whose arguments mean more than their types say. */
static enum portal_wire_verdict check_request(struct portal_wire *wire,
	struct portal_wire_call *call, uint8_t *interface, uint8_t *version, uint32_t *data) {
	switch (call->interface << 16 | call->opcode) {
	case PORTAL_WIRE_WL_DISPLAY << 16 | PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY:
		call->cost += REGISTRY_COST;
		return PORTAL_WIRE_PASS;
	case PORTAL_WIRE_WL_REGISTRY << 16 | PORTAL_REQUEST_WL_REGISTRY_BIND:
		return portal_wire_bind(wire, call, interface, version);
	case PORTAL_WIRE_WL_SHM << 16 | PORTAL_REQUEST_WL_SHM_CREATE_POOL:
		return portal_wire_shm_create_pool(wire, call, data);
	case PORTAL_WIRE_WL_SHM_POOL << 16 | PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER:
		return portal_wire_shm_create_buffer(wire, call, data);
	case PORTAL_WIRE_WL_SHM_POOL << 16 | PORTAL_REQUEST_WL_SHM_POOL_RESIZE:
		return portal_wire_shm_resize(wire, call);
	case PORTAL_WIRE_WL_FIXES << 16 | PORTAL_REQUEST_WL_FIXES_DESTROY_REGISTRY:
		/* The one request that destroys an object that is not its own. */
		release_object(
			wire, portal_objects_get(&wire->objects, call->values[0].untrusted_word));
		return PORTAL_WIRE_PASS;
	default:
		return portal_wire_surface_request(wire, call, data);
	}
}

enum portal_wire_verdict portal_wire_request(struct portal_wire *wire, void *untrusted_message,
	size_t size, struct portal_wire_info *info) {
	struct portal_wire_call call;
	uint8_t interface = PORTAL_WIRE_NONE, version = 0;
	uint32_t data = 0;
	enum portal_wire_verdict verdict = call_init(wire, &call, true, untrusted_message, size);
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = check_objects(wire, &call);
	}
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = portal_wire_check_places(wire, &call);
	}
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = check_request(wire, &call, &interface, &version, &data);
	}
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = insert_objects(wire, &call, interface, version, data);
	}
	if (verdict != PORTAL_WIRE_PASS) {
		return verdict;
	}
	if (call.message->destructor) {
		release_object(wire, portal_objects_get(&wire->objects, call.id));
	}
	fill_info(&call, info);
	return PORTAL_WIRE_PASS;
}

/* The events that are about the connection itself. */
static enum portal_wire_verdict check_event(
	struct portal_wire *wire, struct portal_wire_call *call) {
	switch (call->interface << 16 | call->opcode) {
	case PORTAL_WIRE_WL_DISPLAY << 16 | PORTAL_EVENT_WL_DISPLAY_ERROR:
		mend_error(wire, call);
		return PORTAL_WIRE_PASS;
	case PORTAL_WIRE_WL_DISPLAY << 16 | PORTAL_EVENT_WL_DISPLAY_DELETE_ID:
		if (call->values[0].untrusted_word <= 1 ||
			call->values[0].untrusted_word >= PORTAL_OBJECTS_SERVER) {
			return portal_wire_fail(wire, call, "id %u is not one a client can free",
				call->values[0].untrusted_word);
		}
		delete_id(wire, call->values[0].untrusted_word);
		return PORTAL_WIRE_PASS;
	case PORTAL_WIRE_WL_REGISTRY << 16 | PORTAL_EVENT_WL_REGISTRY_GLOBAL:
	case PORTAL_WIRE_WL_REGISTRY << 16 | PORTAL_EVENT_WL_REGISTRY_GLOBAL_REMOVE:
		return portal_wire_registry_event(wire, call);
	case PORTAL_WIRE_WL_SHM << 16 | PORTAL_EVENT_WL_SHM_FORMAT:
		return portal_wire_shm_format(wire, call);
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_EVENT_XDG_SURFACE_CONFIGURE:
		portal_wire_xdg_configure(wire, call);
		return PORTAL_WIRE_PASS;
	default:
		return check_objects(wire, call);
	}
}

enum portal_wire_verdict portal_wire_event(struct portal_wire *wire, void *untrusted_message,
	size_t size, struct portal_wire_info *info) {
	struct portal_wire_call call;
	enum portal_wire_verdict verdict = call_init(wire, &call, false, untrusted_message, size);
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = check_event(wire, &call);
	}
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = insert_objects(wire, &call, PORTAL_WIRE_NONE, 0, 0);
	}
	if (verdict != PORTAL_WIRE_PASS && verdict != PORTAL_WIRE_HIDE) {
		return verdict;
	}
	assert(call.message); /* what does not parse is a violation */
	if (call.message->destructor) {
		struct portal_object *object = portal_objects_get(&wire->objects, call.id);
		if (object->state == PORTAL_OBJECT_ALIVE) {
			release_object(wire, object);
		}
	}
	fill_info(&call, info);
	return verdict;
}
