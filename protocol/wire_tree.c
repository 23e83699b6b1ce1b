/* Surfaces and what hangs on them: subsurfaces and popups. */

#include <stdlib.h>

#include "wire-impl.h"

/* Compositors walk these trees by recursion. Toolkits nest menus a dozen deep at most. */
#define DEPTH_MAX 64

static const uint32_t none = PORTAL_WIRE_NO_SURFACE;

struct portal_wire_surface *portal_wire_tree_get(struct portal_wire *wire, uint32_t index) {
	return &wire->surfaces[index];
}

static bool grow(struct portal_wire *wire) {
	uint32_t capacity = wire->n_surfaces ? wire->n_surfaces * 2 : 16;
	struct portal_wire_surface *grown = realloc(wire->surfaces, capacity * sizeof(*grown));
	if (!grown) {
		return false;
	}
	wire->surfaces = grown;
	for (uint32_t i = capacity; i > wire->n_surfaces; i--) {
		grown[i - 1] = (struct portal_wire_surface){.next = wire->unused_surface};
		wire->unused_surface = i - 1;
	}
	wire->n_surfaces = capacity;
	return true;
}

uint32_t portal_wire_tree_add(struct portal_wire *wire) {
	if (wire->unused_surface == none && !grow(wire)) {
		return none;
	}
	uint32_t index = wire->unused_surface;
	struct portal_wire_surface *surface = &wire->surfaces[index];
	wire->unused_surface = surface->next;
	*surface = (struct portal_wire_surface){
		.users = 1,
		.parent = none,
		.first_child = none,
		.next = none,
		.previous = none,
		.source = {-256, -256, -256, -256},
		.destination = {-1, -1},
		.scale = 1,
	};
	return index;
}

void portal_wire_tree_drop(struct portal_wire *wire, uint32_t index) {
	struct portal_wire_surface *surface = &wire->surfaces[index];
	if (--surface->users == 0) {
		surface->next = wire->unused_surface;
		wire->unused_surface = index;
	}
}

/* How many surfaces stand above this one; DEPTH_MAX and more are the same. */
static uint32_t depth_of(const struct portal_wire *wire, uint32_t index) {
	uint32_t depth = 0;
	while (depth < DEPTH_MAX && wire->surfaces[index].parent != none) {
		index = wire->surfaces[index].parent;
		depth++;
	}
	return depth;
}

static bool is_below(const struct portal_wire *wire, uint32_t index, uint32_t ancestor) {
	while (index != none && index != ancestor) {
		index = wire->surfaces[index].parent;
	}
	return index == ancestor;
}

/* Children that went do not make a height smaller until the last of them has gone. */
static void raise_height(struct portal_wire *wire, uint32_t index) {
	uint32_t height = wire->surfaces[index].tree_height;
	for (index = wire->surfaces[index].parent; index != none;
		index = wire->surfaces[index].parent) {
		height++;
		if (wire->surfaces[index].tree_height < height) {
			wire->surfaces[index].tree_height = height;
		}
	}
}

/* It comes below its parent, or goes from there, with all that is below it. */
static void count_below(struct portal_wire *wire, uint32_t index, bool comes) {
	uint32_t count = 1 + wire->surfaces[index].n_below;
	for (index = wire->surfaces[index].parent; index != none;
		index = wire->surfaces[index].parent) {
		wire->surfaces[index].n_below += comes ? count : -count;
	}
}

enum portal_wire_verdict portal_wire_tree_attach(struct portal_wire *wire,
	const struct portal_wire_call *call, uint32_t index, uint32_t parent) {
	struct portal_wire_surface *surface = &wire->surfaces[index];
	if (is_below(wire, parent, index)) {
		return portal_wire_refuse(wire, call, "a surface cannot be its own ancestor");
	}
	if (depth_of(wire, parent) + 1 + surface->tree_height > DEPTH_MAX) {
		return portal_wire_refuse(
			wire, call, "surfaces are nested more than %d deep", DEPTH_MAX);
	}
	surface->parent = parent;
	surface->previous = none;
	surface->next = wire->surfaces[parent].first_child;
	if (surface->next != none) {
		wire->surfaces[surface->next].previous = index;
	}
	wire->surfaces[parent].first_child = index;
	wire->surfaces[parent].n_children++;
	raise_height(wire, index);
	count_below(wire, index, true);
	return PORTAL_WIRE_PASS;
}

void portal_wire_tree_detach(struct portal_wire *wire, uint32_t index) {
	struct portal_wire_surface *surface = &wire->surfaces[index];
	if (surface->parent == none) {
		return;
	}
	struct portal_wire_surface *parent = &wire->surfaces[surface->parent];
	count_below(wire, index, false);
	if (surface->previous != none) {
		wire->surfaces[surface->previous].next = surface->next;
	} else {
		parent->first_child = surface->next;
	}
	if (surface->next != none) {
		wire->surfaces[surface->next].previous = surface->previous;
	}
	if (--parent->n_children == 0) {
		parent->tree_height = 0;
	}
	surface->parent = surface->next = surface->previous = none;
}

void portal_wire_tree_orphan(struct portal_wire *wire, uint32_t index, bool popups_only) {
	uint32_t child = wire->surfaces[index].first_child;
	while (child != none) {
		uint32_t next = wire->surfaces[child].next;
		if (!popups_only || wire->surfaces[child].role == PORTAL_WIRE_ROLE_POPUP) {
			portal_wire_tree_detach(wire, child);
		}
		child = next;
	}
}
