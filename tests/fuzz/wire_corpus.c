/*
 * Writes the fuzzer's first corpus from the tables: one conversation for each interface of the
 * allow-list, in which each of its requests and events passes. To be run again when the list grows:
 *	build/tests/fuzz/wire-corpus tests/fuzz/corpus/wire
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "wire-tables.h"

#define CLIENT_FIRST 2

struct conversation {
	struct message message; /* records and all: see records.h */
	uint32_t next_client, next_server, registry, global;
};

static uint32_t obtain(struct conversation *conversation, uint8_t interface);

static void begin_record(struct conversation *c, bool event, uint32_t object, uint16_t opcode) {
	message_word(&c->message, event);
	message_begin(&c->message, object, opcode);
}

static uint32_t get_registry(struct conversation *c) {
	if (c->registry == 0) {
		c->registry = c->next_client++;
		begin_record(c, false, 1, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY);
		message_word(&c->message, c->registry);
		message_end(&c->message);
	}
	return c->registry;
}

static uint32_t bind_global(struct conversation *c, uint8_t interface) {
	uint32_t registry = get_registry(c), name = ++c->global, id = c->next_client++;
	begin_record(c, true, registry, PORTAL_EVENT_WL_REGISTRY_GLOBAL);
	message_word(&c->message, name);
	message_string(&c->message, portal_wire_interfaces[interface].name);
	message_word(&c->message, portal_wire_interfaces[interface].version);
	message_end(&c->message);
	begin_record(c, false, registry, PORTAL_REQUEST_WL_REGISTRY_BIND);
	message_word(&c->message, name);
	message_string(&c->message, portal_wire_interfaces[interface].name);
	message_word(&c->message, portal_wire_interfaces[interface].version);
	message_word(&c->message, id);
	message_end(&c->message);
	return id;
}

/* A request of so many plain numbers. */
static void ask(struct conversation *c, uint32_t object, uint16_t opcode, size_t count,
	const uint32_t *words) {
	begin_record(c, false, object, opcode);
	for (size_t i = 0; i < count; i++) {
		message_word(&c->message, words[i]);
	}
	message_end(&c->message);
}

/* An xdg_surface, and the wl_surface that it is. */
static uint32_t obtain_xdg_surface(struct conversation *c, uint32_t *surface) {
	*surface = obtain(c, PORTAL_WIRE_WL_SURFACE);
	uint32_t wm_base = obtain(c, PORTAL_WIRE_XDG_WM_BASE), id = c->next_client++;
	ask(c, wm_base, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, 2, (uint32_t[]){id, *surface});
	return id;
}

/* The xdg_surface of a window that is shown. */
static uint32_t obtain_window(struct conversation *c) {
	uint32_t surface, xdg_surface = obtain_xdg_surface(c, &surface),
			  toplevel = c->next_client++;
	ask(c, xdg_surface, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, 1, &toplevel);
	ask(c, surface, PORTAL_REQUEST_WL_SURFACE_COMMIT, 0, NULL);
	uint32_t buffer = obtain(c, PORTAL_WIRE_WL_BUFFER);
	ask(c, surface, PORTAL_REQUEST_WL_SURFACE_ATTACH, 3, (uint32_t[]){buffer, 0, 0});
	ask(c, surface, PORTAL_REQUEST_WL_SURFACE_COMMIT, 0, NULL);
	return xdg_surface;
}

/* A popup that had its initial commit. */
static uint32_t obtain_popup(struct conversation *c) {
	uint32_t surface, parent = obtain_window(c), xdg_surface = obtain_xdg_surface(c, &surface);
	uint32_t positioner = obtain(c, PORTAL_WIRE_XDG_POSITIONER), popup = c->next_client++;
	ask(c, xdg_surface, PORTAL_REQUEST_XDG_SURFACE_GET_POPUP, 3,
		(uint32_t[]){popup, parent, positioner});
	ask(c, surface, PORTAL_REQUEST_WL_SURFACE_COMMIT, 0, NULL);
	return popup;
}

/* Numbers that mean something to the checks; 1 is good for any other. */
static uint32_t number_for(uint8_t interface, bool event, unsigned int opcode, unsigned int arg) {
	static const struct {
		uint8_t interface;
		bool event;
		uint8_t opcode, arg;
		uint32_t number;
	} numbers[] = {
		{PORTAL_WIRE_WL_SHM, false, PORTAL_REQUEST_WL_SHM_CREATE_POOL, 2, 4096},
		{PORTAL_WIRE_WL_SHM_POOL, false, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, 0, 8192},
		{PORTAL_WIRE_WL_SHM_POOL, false, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, 4, 4},
		{PORTAL_WIRE_WL_DISPLAY, true, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, 0, CLIENT_FIRST},
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].interface == interface && numbers[i].event == event &&
			numbers[i].opcode == opcode && numbers[i].arg == arg) {
			return numbers[i].number;
		}
	}
	return 1;
}

/* Says a message to, or of, an object; returns the last new id in it, 0 for none. */
static uint32_t say(struct conversation *c, bool event, uint8_t interface, uint32_t object,
	unsigned int opcode) {
	const struct portal_wire_interface *table = &portal_wire_interfaces[interface];
	const struct portal_wire_message *message =
		event ? &table->events[opcode] : &table->requests[opcode];
	uint32_t objects[PORTAL_WIRE_MAX_ARGS] = {0}, created = 0;
	/* What it is about is made before it is begun. */
	for (unsigned int i = 0; i < message->n_args; i++) {
		const struct portal_wire_arg *arg = &message->args[i];
		if (arg->type == PORTAL_WIRE_ARG_OBJECT && arg->interface < PORTAL_WIRE_ANY) {
			objects[i] = arg->interface == PORTAL_WIRE_XDG_SURFACE
					     ? obtain_window(c)
					     : obtain(c, arg->interface);
		}
	}
	begin_record(c, event, object, (uint16_t)opcode);
	for (unsigned int i = 0; i < message->n_args; i++) {
		switch (message->args[i].type) {
		case PORTAL_WIRE_ARG_FD:
			break;
		case PORTAL_WIRE_ARG_STRING:
			message_string(&c->message, "text");
			break;
		case PORTAL_WIRE_ARG_ARRAY:
			message_array(&c->message, "array", 5);
			break;
		case PORTAL_WIRE_ARG_OBJECT:
			message_word(&c->message,
				message->args[i].interface == PORTAL_WIRE_ANY ? 1 : objects[i]);
			break;
		case PORTAL_WIRE_ARG_NEW_ID:
			created = event ? c->next_server++ : c->next_client++;
			message_word(&c->message, created);
			break;
		default:
			message_word(&c->message, number_for(interface, event, opcode, i));
			break;
		}
	}
	message_end(&c->message);
	return created;
}

/* Whether a message creates objects of this interface. */
static bool creates(const struct portal_wire_message *message, uint8_t interface) {
	for (unsigned int i = 0; i < message->n_args; i++) {
		if (message->args[i].type == PORTAL_WIRE_ARG_NEW_ID &&
			message->args[i].interface == interface) {
			return true;
		}
	}
	return false;
}

/* A message that can be said at all: of no object that a guest cannot have. */
static bool is_possible(const struct portal_wire_message *message) {
	for (unsigned int i = 0; i < message->n_args; i++) {
		const struct portal_wire_arg *arg = &message->args[i];
		if (arg->type == PORTAL_WIRE_ARG_OBJECT && arg->interface == PORTAL_WIRE_NONE &&
			!arg->nullable) {
			return false;
		}
	}
	return true;
}

/* A new object of this interface. */
static uint32_t obtain(struct conversation *c, uint8_t interface) {
	if (interface == PORTAL_WIRE_WL_DISPLAY) {
		return 1;
	}
	if (portal_wire_interfaces[interface].global) {
		return bind_global(c, interface);
	}
	if (interface == PORTAL_WIRE_XDG_POPUP) {
		return obtain_popup(c);
	}
	for (unsigned int maker = 0; maker < PORTAL_WIRE_INTERFACES; maker++) {
		const struct portal_wire_interface *table = &portal_wire_interfaces[maker];
		for (unsigned int i = 0; i < table->n_requests; i++) {
			if (creates(&table->requests[i], interface) &&
				is_possible(&table->requests[i])) {
				return say(c, false, (uint8_t)maker, obtain(c, (uint8_t)maker), i);
			}
		}
		for (unsigned int i = 0; i < table->n_events; i++) {
			if (creates(&table->events[i], interface)) {
				return say(c, true, (uint8_t)maker, obtain(c, (uint8_t)maker), i);
			}
		}
	}
	assert(!"an interface nothing creates");
	return 0;
}

/* The registry's messages have arguments that only make sense together. */
static void say_registry(struct conversation *c) {
	bind_global(c, PORTAL_WIRE_WL_COMPOSITOR);
	begin_record(c, true, c->registry, PORTAL_EVENT_WL_REGISTRY_GLOBAL_REMOVE);
	message_word(&c->message, c->global);
	message_end(&c->message);
}

static void say_everything(struct conversation *c, uint8_t interface) {
	const struct portal_wire_interface *table = &portal_wire_interfaces[interface];
	if (interface == PORTAL_WIRE_WL_REGISTRY) {
		say_registry(c);
		return;
	}
	if (interface == PORTAL_WIRE_WL_DISPLAY) {
		say(c, false, interface, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC); /* CLIENT_FIRST */
	}
	uint32_t object = obtain(c, interface);
	for (unsigned int i = 0; i < table->n_events; i++) {
		/* What ends an object is said of one of its own. */
		say(c, true, interface, table->events[i].destructor ? obtain(c, interface) : object,
			i);
	}
	for (unsigned int i = 0; i < table->n_requests; i++) {
		/* So is what gives it a role. */
		bool own = table->requests[i].destructor || interface == PORTAL_WIRE_XDG_SURFACE;
		if (is_possible(&table->requests[i])) {
			say(c, false, interface, own ? obtain(c, interface) : object, i);
		}
	}
}

int main(int argc, char *argv[]) {
	if (argc != 2) {
		fprintf(stderr, "usage: wire-corpus DIRECTORY\n");
		return 2;
	}
	for (unsigned int i = 0; i < PORTAL_WIRE_INTERFACES; i++) {
		struct conversation *conversation = calloc(1, sizeof(*conversation));
		char path[4096];
		assert(conversation);
		conversation->next_client = CLIENT_FIRST;
		conversation->next_server = 0xff000000;
		say_everything(conversation, (uint8_t)i);
		snprintf(path, sizeof(path), "%s/%s", argv[1], portal_wire_interfaces[i].name);
		FILE *file = fopen(path, "wb");
		if (!file ||
			fwrite(conversation->message.data, 1, conversation->message.size, file) !=
				conversation->message.size ||
			fclose(file) != 0) {
			perror(path);
			return 1;
		}
		free(conversation);
	}
	return 0;
}
