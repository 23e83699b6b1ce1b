/*
 * A guest that says anything its tables allow: test-random SOCKET SEED CONNECTIONS MESSAGES listens
 * at unix:SOCKET, and over one connection after the other makes windows, popups and subsurfaces,
 * and then sends random requests about them, until the connection ends or has sent so many. Prints
 * "connection N" before each, and "end" when all went; the same seed says the same.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"
#include "guest.h"
#include "heap.h"
#include "message.h"
#include "wire-tables.h"

#define HEAP_BYTES (16 << 20)
#define OBJECTS_MAX 8192
#define WINDOWS 3
#define BATCH 40 /* messages between two answers of the compositor */

enum { ID_REGISTRY = 2, ID_FIRST };

struct object {
	uint8_t interface, version;
	bool alive;
	uint32_t serial; /* of the last configure */
};

struct guest {
	struct portal_channel *channel;
	struct portal_heap heap;
	struct message message;
	uint32_t connection; /* the one that is open */
	struct object objects[OBJECTS_MAX]; /* by id */
	uint32_t next;
	uint64_t random;
	uint32_t callback; /* the answer that is awaited, 0 for none */
	bool ended, closed;
};

static uint32_t pick(struct guest *guest, uint32_t below) {
	guest->random ^= guest->random << 13;
	guest->random ^= guest->random >> 7;
	guest->random ^= guest->random << 17;
	return (uint32_t)(guest->random >> 32) % below;
}

static void flush(struct guest *guest) {
	if (guest->message.size > 0 && !guest->ended) {
		portal_channel_send_wayland(guest->channel, guest->connection, guest->message.data,
			guest->message.size);
	}
	guest->message.size = 0;
}

static void turn(struct guest *guest) {
	portal_channel_flush(guest->channel);
	struct pollfd pollfd = {
		portal_channel_get_fd(guest->channel),
		portal_channel_get_events(guest->channel),
		0,
	};
	poll(&pollfd, 1, -1);
	if (portal_channel_dispatch(guest->channel, pollfd.revents) < 0) {
		guest->closed = guest->ended = true;
	}
}

static uint32_t new_object(struct guest *guest, uint8_t interface, uint8_t version) {
	uint32_t id = guest->next++;
	guest->objects[id] = (struct object){
		.interface = interface,
		.version = version < portal_wire_interfaces[interface].version
				   ? version
				   : portal_wire_interfaces[interface].version,
		.alive = true,
	};
	return id;
}

/* Lets the compositor answer, so that its configures are known. */
static void sync(struct guest *guest) {
	guest->callback = new_object(guest, PORTAL_WIRE_WL_CALLBACK, 1);
	message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", guest->callback);
	flush(guest);
	while (guest->callback != 0 && !guest->ended) {
		turn(guest);
	}
}

/* A random live object of an interface, 0 for none. */
static uint32_t find(struct guest *guest, uint8_t interface) {
	uint32_t found = 0, count = 0;
	for (uint32_t id = ID_FIRST; id < guest->next; id++) {
		if (guest->objects[id].alive && guest->objects[id].interface == interface &&
			pick(guest, ++count) == 0) {
			found = id;
		}
	}
	return found;
}

static uint32_t number(struct guest *guest) {
	static const int32_t edges[] = {0, -1, 1 << 20, -(1 << 20), -256, 65536};
	if (pick(guest, 400) == 0) { /* which is the end of most connections */
		return pick(guest, 2) ? (uint32_t)INT32_MAX : (uint32_t)INT32_MIN;
	}
	if (pick(guest, 40) == 0) {
		return (uint32_t)edges[pick(guest, sizeof(edges) / sizeof(edges[0]))];
	}
	return 1 + pick(guest, 4);
}

/* Requests with one right number or pair of them. */
static bool say_exact(struct guest *guest, uint32_t id, uint8_t interface, uint32_t opcode) {
	struct object *object = &guest->objects[id];
	if (interface == PORTAL_WIRE_WL_SURFACE && opcode == PORTAL_REQUEST_WL_SURFACE_ATTACH) {
		uint32_t buffer = pick(guest, 5) > 0 ? find(guest, PORTAL_WIRE_WL_BUFFER) : 0;
		message_add(&guest->message, id, (uint16_t)opcode, "oii", buffer, 0, 0);
		return true;
	}
	if (interface != PORTAL_WIRE_XDG_SURFACE ||
		opcode != PORTAL_REQUEST_XDG_SURFACE_ACK_CONFIGURE) {
		return false;
	}
	if (object->serial != 0) {
		message_add(&guest->message, id, (uint16_t)opcode, "u", object->serial);
		object->serial = 0;
	}
	return true;
}

/* Requests whose numbers the checks hold against the heap: what they refuse ends the channel. */
static bool say_shm(struct guest *guest, uint32_t id, uint8_t interface, uint32_t opcode) {
	if (interface == PORTAL_WIRE_WL_SHM && opcode == PORTAL_REQUEST_WL_SHM_CREATE_POOL) {
		flush(guest);
		portal_channel_send_heap(guest->channel, guest->connection);
		message_add(&guest->message, id, (uint16_t)opcode, "ni",
			new_object(guest, PORTAL_WIRE_WL_SHM_POOL, 2), HEAP_BYTES / 2);
	} else if (interface == PORTAL_WIRE_WL_SHM_POOL &&
		   opcode == PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER) {
		uint32_t width = 1 + pick(guest, 300), height = 1 + pick(guest, 300);
		message_add(&guest->message, id, (uint16_t)opcode, "niiiiu",
			new_object(guest, PORTAL_WIRE_WL_BUFFER, 1), pick(guest, 4096) * 4, width,
			height, width * 4, pick(guest, 2));
	} else {
		return interface == PORTAL_WIRE_WL_SHM_POOL &&
		       opcode == PORTAL_REQUEST_WL_SHM_POOL_RESIZE;
	}
	return true;
}

static bool is_sayable(struct guest *guest, const struct portal_wire_message *message,
	uint32_t objects[PORTAL_WIRE_MAX_ARGS]) {
	for (unsigned int i = 0; i < message->n_args; i++) {
		const struct portal_wire_arg *arg = &message->args[i];
		if (arg->type == PORTAL_WIRE_ARG_NEW_ID && arg->interface == PORTAL_WIRE_ANY) {
			return false; /* bind: done */
		}
		if (arg->type == PORTAL_WIRE_ARG_OBJECT) {
			bool null = arg->nullable && pick(guest, 3) == 0;
			objects[i] = null ? 0 : find(guest, arg->interface);
			if (objects[i] == 0 && !arg->nullable) {
				return false;
			}
		}
	}
	return true;
}

static void say(struct guest *guest, uint32_t id, uint32_t opcode) {
	struct object object = guest->objects[id];
	const struct portal_wire_message *message =
		&portal_wire_interfaces[object.interface].requests[opcode];
	uint32_t objects[PORTAL_WIRE_MAX_ARGS] = {0};
	if (message->since > object.version || say_shm(guest, id, object.interface, opcode) ||
		say_exact(guest, id, object.interface, opcode) ||
		!is_sayable(guest, message, objects)) {
		return;
	}
	message_begin(&guest->message, id, (uint16_t)opcode);
	for (unsigned int i = 0; i < message->n_args; i++) {
		const struct portal_wire_arg *arg = &message->args[i];
		switch (arg->type) {
		case PORTAL_WIRE_ARG_STRING:
			message_string(&guest->message, pick(guest, 2) ? "text" : "\xc3\xa4\n%n");
			break;
		case PORTAL_WIRE_ARG_ARRAY:
			message_array(&guest->message, NULL, 0);
			break;
		case PORTAL_WIRE_ARG_OBJECT:
			message_word(&guest->message, objects[i]);
			break;
		case PORTAL_WIRE_ARG_NEW_ID:
			message_word(
				&guest->message, new_object(guest, arg->interface, object.version));
			break;
		default:
			message_word(&guest->message, object.serial != 0 && pick(guest, 2)
							      ? object.serial
							      : number(guest));
			break;
		}
	}
	message_end(&guest->message);
	guest->objects[id].alive = !message->destructor;
}

/* What is mostly the connection's end: destroys an object, or is right of a few objects only. */
static bool is_rare(uint8_t interface, uint32_t opcode) {
	if (portal_wire_interfaces[interface].requests[opcode].destructor) {
		return true;
	}
	switch ((uint32_t)interface << 16 | opcode) {
	case PORTAL_WIRE_WL_SEAT << 16 | PORTAL_REQUEST_WL_SEAT_GET_TOUCH:
	case PORTAL_WIRE_WL_POINTER << 16 | PORTAL_REQUEST_WL_POINTER_SET_CURSOR:
	case PORTAL_WIRE_WL_SUBCOMPOSITOR << 16 | PORTAL_REQUEST_WL_SUBCOMPOSITOR_GET_SUBSURFACE:
	case PORTAL_WIRE_WL_SUBSURFACE << 16 | PORTAL_REQUEST_WL_SUBSURFACE_PLACE_ABOVE:
	case PORTAL_WIRE_WL_SUBSURFACE << 16 | PORTAL_REQUEST_WL_SUBSURFACE_PLACE_BELOW:
	case PORTAL_WIRE_XDG_WM_BASE << 16 | PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE:
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL:
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_REQUEST_XDG_SURFACE_GET_POPUP:
	case PORTAL_WIRE_XDG_TOPLEVEL << 16 | PORTAL_REQUEST_XDG_TOPLEVEL_SET_PARENT:
	case PORTAL_WIRE_XDG_POPUP << 16 | PORTAL_REQUEST_XDG_POPUP_GRAB:
	case PORTAL_WIRE_ZXDG_DECORATION_MANAGER_V1 << 16 |
		PORTAL_REQUEST_ZXDG_DECORATION_MANAGER_V1_GET_TOPLEVEL_DECORATION:
		return true;
	default:
		return false;
	}
}

/* Something about a random object. */
static void say_something(struct guest *guest) {
	uint32_t id = ID_FIRST + pick(guest, guest->next - ID_FIRST);
	const struct object *object = &guest->objects[id];
	const struct portal_wire_interface *interface = &portal_wire_interfaces[object->interface];
	if (!object->alive || interface->n_requests == 0) {
		return;
	}
	uint32_t opcode = pick(guest, interface->n_requests);
	if (!is_rare(object->interface, opcode) || pick(guest, 60) == 0) {
		say(guest, id, opcode);
	}
}

static uint32_t make(
	struct guest *guest, uint32_t id, uint16_t opcode, uint8_t interface, uint32_t about) {
	uint32_t made = new_object(guest, interface, guest->objects[id].version);
	message_add(&guest->message, id, opcode, about ? "no" : "n", made, about);
	return made;
}

/* A surface with an xdg_surface. */
static uint32_t make_xdg(struct guest *guest, uint32_t *surface) {
	*surface = make(guest, find(guest, PORTAL_WIRE_WL_COMPOSITOR),
		PORTAL_REQUEST_WL_COMPOSITOR_CREATE_SURFACE, PORTAL_WIRE_WL_SURFACE, 0);
	return make(guest, find(guest, PORTAL_WIRE_XDG_WM_BASE),
		PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, PORTAL_WIRE_XDG_SURFACE, *surface);
}

static void show(struct guest *guest, uint32_t surface, uint32_t xdg) {
	message_add(&guest->message, surface, PORTAL_REQUEST_WL_SURFACE_COMMIT, "");
	sync(guest);
	say_exact(guest, xdg, PORTAL_WIRE_XDG_SURFACE, PORTAL_REQUEST_XDG_SURFACE_ACK_CONFIGURE);
	message_add(&guest->message, surface, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii",
		find(guest, PORTAL_WIRE_WL_BUFFER), 0, 0);
	message_add(&guest->message, surface, PORTAL_REQUEST_WL_SURFACE_COMMIT, "");
	sync(guest);
}

/* A window with a popup and a subsurface. */
static void make_window(struct guest *guest) {
	uint32_t surface, popup_surface, xdg = make_xdg(guest, &surface);
	make(guest, xdg, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, PORTAL_WIRE_XDG_TOPLEVEL, 0);
	show(guest, surface, xdg);
	uint32_t positioner = make(guest, find(guest, PORTAL_WIRE_XDG_WM_BASE),
		PORTAL_REQUEST_XDG_WM_BASE_CREATE_POSITIONER, PORTAL_WIRE_XDG_POSITIONER, 0);
	message_add(
		&guest->message, positioner, PORTAL_REQUEST_XDG_POSITIONER_SET_SIZE, "ii", 9, 9);
	message_add(&guest->message, positioner, PORTAL_REQUEST_XDG_POSITIONER_SET_ANCHOR_RECT,
		"iiii", 0, 0, 5, 5);
	uint32_t popup_xdg = make_xdg(guest, &popup_surface);
	message_add(&guest->message, popup_xdg, PORTAL_REQUEST_XDG_SURFACE_GET_POPUP, "noo",
		new_object(guest, PORTAL_WIRE_XDG_POPUP, guest->objects[xdg].version), xdg,
		positioner);
	show(guest, popup_surface, popup_xdg);
	uint32_t child = make(guest, find(guest, PORTAL_WIRE_WL_COMPOSITOR),
		PORTAL_REQUEST_WL_COMPOSITOR_CREATE_SURFACE, PORTAL_WIRE_WL_SURFACE, 0);
	message_add(&guest->message, find(guest, PORTAL_WIRE_WL_SUBCOMPOSITOR),
		PORTAL_REQUEST_WL_SUBCOMPOSITOR_GET_SUBSURFACE, "noo",
		new_object(guest, PORTAL_WIRE_WL_SUBSURFACE, 1), child, surface);
}

static void run_connection(struct guest *guest, uint32_t messages) {
	memset(guest->objects, 0, sizeof(guest->objects));
	guest->next = ID_FIRST;
	guest->ended = false;
	portal_channel_send_connect(guest->channel, guest->connection, "random");
	message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", ID_REGISTRY);
	flush(guest);
	sync(guest); /* each global is bound as it is told */
	sync(guest);
	say_shm(guest, find(guest, PORTAL_WIRE_WL_SHM), PORTAL_WIRE_WL_SHM,
		PORTAL_REQUEST_WL_SHM_CREATE_POOL);
	for (int i = 0; i < 4; i++) {
		say_shm(guest, find(guest, PORTAL_WIRE_WL_SHM_POOL), PORTAL_WIRE_WL_SHM_POOL,
			PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER);
	}
	for (int i = 0; i < WINDOWS && !guest->ended; i++) {
		make_window(guest);
	}
	for (uint32_t i = 0; i < messages && !guest->ended; i++) {
		say_something(guest);
		if (i % BATCH == BATCH - 1) {
			sync(guest);
		}
	}
	if (!guest->ended) {
		flush(guest);
		guest->ended = true;
		portal_channel_send_disconnect(guest->channel, guest->connection, "enough");
	}
}

static void handle_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct guest *guest = data;
	guest->ended = false;
}

static void handle_closed(void *data, const struct portal_channel_end *end) {
	struct guest *guest = data;
	printf("closed %s: %s\n", portal_bye_reason_name(end->reason), end->text);
	guest->closed = guest->ended = true;
}

static void handle_disconnect(void *data, uint32_t connection, const char *reason) {
	struct guest *guest = data;
	if (connection == guest->connection && !guest->ended) {
		printf("ended: %s\n", reason);
		guest->ended = true;
		portal_channel_send_disconnect(guest->channel, connection, "");
	}
}

static void bind(struct guest *guest, const uint8_t *event) {
	uint32_t name, length, version;
	memcpy(&name, event + 8, 4);
	memcpy(&length, event + 12, 4);
	memcpy(&version, event + 16 + (length + 3) / 4 * 4, 4);
	const char *interface = (const char *)event + 16;
	for (unsigned int i = 0; i < PORTAL_WIRE_INTERFACES; i++) {
		if (strcmp(portal_wire_interfaces[i].name, interface) == 0) {
			message_add(&guest->message, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND,
				"usun", name, interface, version,
				new_object(guest, (uint8_t)i, (uint8_t)version));
		}
	}
}

static void handle_event(struct guest *guest, uint32_t id, uint16_t opcode, const uint8_t *event) {
	if (id == ID_REGISTRY && opcode == PORTAL_EVENT_WL_REGISTRY_GLOBAL) {
		bind(guest, event);
	} else if (id == 1 && opcode == PORTAL_EVENT_WL_DISPLAY_ERROR) {
		printf("error: %s\n", (const char *)event + 20);
	} else if (id == guest->callback) {
		guest->callback = 0;
	} else if (id < guest->next && guest->objects[id].interface == PORTAL_WIRE_XDG_SURFACE &&
		   opcode == PORTAL_EVENT_XDG_SURFACE_CONFIGURE) {
		memcpy(&guest->objects[id].serial, event + 8, 4);
	}
}

static void handle_wayland(void *data, uint32_t connection, const void *messages, size_t size) {
	struct guest *guest = data;
	const uint8_t *at = messages, *end = at + size;
	while (at < end && connection == guest->connection) {
		uint32_t id, word;
		memcpy(&id, at, 4);
		memcpy(&word, at + 4, 4);
		handle_event(guest, id, word & 0xffff, at);
		at += word >> 16;
	}
}

static const struct portal_channel_handlers handlers = {
	.ready = handle_ready,
	.closed = handle_closed,
	.disconnect = handle_disconnect,
	.wayland = handle_wayland,
};

int main(int argc, char *argv[]) {
	static struct guest guest = {.ended = true};
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 5) {
		fprintf(stderr, "usage: test-random SOCKET SEED CONNECTIONS MESSAGES\n");
		return 2;
	}
	guest.random = strtoull(argv[2], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	guest.channel = guest_await_bridge(
		argv[1], "random", HEAP_BYTES, false, &guest.heap, &handlers, &guest);
	if (!guest.channel) {
		perror("test-random");
		return 1;
	}
	while (guest.ended && !guest.closed) {
		turn(&guest);
	}
	uint32_t connections = (uint32_t)strtoul(argv[3], NULL, 10);
	for (uint32_t i = 1; i <= connections && !guest.closed; i++) {
		guest.connection = i;
		printf("connection %u\n", i);
		run_connection(&guest, (uint32_t)strtoul(argv[4], NULL, 10));
	}
	puts(guest.closed ? "lost" : "end");
	while (!guest.closed) {
		turn(&guest);
	}
	portal_channel_destroy(guest.channel);
	portal_heap_finish(&guest.heap);
	return 0;
}
