#include <stdlib.h>
#include <string.h>

#include "wire-impl.h"

/* Compositors have some dozens; outputs and seats come and go. */
#define GLOBALS_MAX 1024

static int find_interface(const char *untrusted_name) {
	for (int i = 0; i < PORTAL_WIRE_INTERFACES; i++) {
		if (strcmp(portal_wire_interfaces[i].name, untrusted_name) == 0) {
			return i;
		}
	}
	return -1;
}

static struct portal_wire_global *find_global(struct portal_wire *wire, uint32_t name) {
	for (uint32_t i = 0; i < wire->n_globals; i++) {
		if (wire->globals[i].name == name) {
			return &wire->globals[i];
		}
	}
	return NULL;
}

/* An entry for a new name, in the place of the one removed first when there are too many. */
static struct portal_wire_global *add_global(struct portal_wire *wire) {
	if (wire->n_globals == GLOBALS_MAX) {
		uint32_t i = 0;
		while (i < wire->n_globals && !wire->globals[i].removed) {
			i++;
		}
		if (i == wire->n_globals) {
			return NULL;
		}
		wire->n_globals--;
		memmove(&wire->globals[i], &wire->globals[i + 1],
			(wire->n_globals - i) * sizeof(*wire->globals));
	} else if (wire->n_globals == wire->globals_capacity) {
		uint32_t capacity = wire->globals_capacity ? wire->globals_capacity * 2 : 32;
		struct portal_wire_global *grown =
			realloc(wire->globals, capacity * sizeof(*grown));
		if (!grown) {
			return NULL;
		}
		wire->globals = grown;
		wire->globals_capacity = capacity;
	}
	return &wire->globals[wire->n_globals++];
}

static enum portal_wire_verdict offer(struct portal_wire *wire, struct portal_wire_call *call) {
	uint32_t name = call->values[0].untrusted_word;
	int interface = find_interface(call->values[1].untrusted_string);
	uint32_t version = call->values[2].untrusted_word;
	if (interface < 0 || !portal_wire_interfaces[interface].global || version == 0) {
		return PORTAL_WIRE_HIDE;
	}
	if (version > portal_wire_interfaces[interface].version) {
		version = portal_wire_interfaces[interface].version;
		portal_wire_rewrite(call, 2, version);
	}
	/* The same names come again for each further wl_registry. */
	struct portal_wire_global *global = find_global(wire, name);
	if (!global) {
		global = add_global(wire);
		if (!global) {
			return PORTAL_WIRE_HIDE;
		}
	}
	*global = (struct portal_wire_global){
		.name = name,
		.interface = (uint8_t)interface,
		.version = (uint8_t)version,
	};
	return PORTAL_WIRE_PASS;
}

enum portal_wire_verdict portal_wire_registry_event(
	struct portal_wire *wire, struct portal_wire_call *call) {
	if (call->opcode == PORTAL_EVENT_WL_REGISTRY_GLOBAL) {
		return offer(wire, call);
	}
	struct portal_wire_global *global = find_global(wire, call->values[0].untrusted_word);
	if (!global) {
		return PORTAL_WIRE_HIDE;
	}
	/* Kept: the client may not have heard of it, and its bind is no fault. */
	global->removed = true;
	return PORTAL_WIRE_PASS;
}

enum portal_wire_verdict portal_wire_bind(struct portal_wire *wire, struct portal_wire_call *call,
	uint8_t *interface, uint8_t *version) {
	uint32_t untrusted_name = call->values[0].untrusted_word;
	uint32_t untrusted_version = call->values[2].untrusted_word;
	const struct portal_wire_global *global = find_global(wire, untrusted_name);
	if (!global) {
		return portal_wire_fail(wire, call, "global %u was not offered", untrusted_name);
	}
	const char *name = portal_wire_interfaces[global->interface].name;
	if (strcmp(call->values[1].untrusted_string, name) != 0) {
		return portal_wire_fail(wire, call, "global %u is a %s", untrusted_name, name);
	}
	if (untrusted_version == 0 || untrusted_version > global->version) {
		return portal_wire_fail(wire, call, "%s is offered up to version %u, not %u", name,
			global->version, untrusted_version);
	}
	*interface = global->interface;
	*version = (uint8_t)untrusted_version;
	return PORTAL_WIRE_PASS;
}
