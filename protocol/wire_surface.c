/*
 * What is kept account of for each wl_surface, so that no compositor is made to keep states,
 * regions or pictures without end.
 */

#include <stdint.h>

#include "wire-impl.h"

/* Rectangles of damage before a commit; with more of them everything is damaged. */
#define DAMAGES_MAX 64
/* Rectangles added to or taken from one region. */
#define REGION_MAX 512
/* A commit looks at each surface below it; so many of them are as much work as a message. */
#define SURFACES_A_MESSAGE 16
/*
 * Of work on all that is shown, beside its surfaces: what there is always, and what the frame of
 * each window adds. A window is resized among 100 others in 0.6 ms, a message takes 2 µs: measured
 * with portal, wlroots 0.20.2 and pixman.
 */
#define LAYOUT_COST 8
#define WINDOW_COST 4
/* A window that comes or goes is placed, and finds another one for the focus. */
#define MAP_TIMES 4
/* Of rectangles that a region may have come to consist of. */
#define RECTANGLES_A_MESSAGE 2048

void portal_wire_charge_layout(
	const struct portal_wire *wire, struct portal_wire_call *call, uint32_t times) {
	if (wire->quota) {
		const uint64_t *used = wire->quota->used;
		call->cost +=
			times * (uint32_t)(LAYOUT_COST + used[PORTAL_QUOTA_WINDOWS] * WINDOW_COST +
					   used[PORTAL_QUOTA_SURFACES] / SURFACES_A_MESSAGE);
	}
}

static struct portal_wire_surface *surface_of(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	return portal_wire_tree_get(wire, portal_wire_index(wire, call->id));
}

/* What the compositor will hold from the next commit on, beside what it holds until then. */
static enum portal_wire_verdict use_set(struct portal_wire *wire,
	const struct portal_wire_call *call, struct portal_wire_use *use,
	enum portal_quota_kind kind, uint64_t amount) {
	enum portal_wire_verdict verdict = portal_wire_take(wire, call, kind, amount);
	if (verdict == PORTAL_WIRE_PASS) {
		use->waiting += amount;
		use->last = amount;
		use->set = true;
	}
	return verdict;
}

static void use_apply(
	struct portal_wire *wire, struct portal_wire_use *use, enum portal_quota_kind kind) {
	if (use->set) {
		portal_wire_give(wire, kind, use->current + use->waiting - use->last);
		*use = (struct portal_wire_use){.last = use->last, .current = use->last};
	}
}

static void use_finish(
	struct portal_wire *wire, struct portal_wire_use *use, enum portal_quota_kind kind) {
	portal_wire_give(wire, kind, use->current + use->waiting);
	*use = (struct portal_wire_use){0};
}

static enum portal_wire_verdict create_surface(
	struct portal_wire *wire, const struct portal_wire_call *call, uint32_t *data) {
	*data = portal_wire_tree_add(wire);
	return *data == PORTAL_WIRE_NO_SURFACE ? portal_wire_refuse(wire, call, "out of memory")
					       : PORTAL_WIRE_PASS;
}

static void finish_surface(struct portal_wire *wire, uint32_t index) {
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, index);
	portal_wire_tree_orphan(wire, index, false);
	portal_wire_tree_detach(wire, index);
	use_finish(wire, &surface->shown, PORTAL_QUOTA_SHOWN_BYTES);
	use_finish(wire, &surface->opaque, PORTAL_QUOTA_RECTANGLES);
	use_finish(wire, &surface->input, PORTAL_QUOTA_RECTANGLES);
	portal_wire_give(wire, PORTAL_QUOTA_COMMITS, surface->cached);
	surface->cached = 0;
	portal_wire_tree_drop(wire, index);
}

static enum portal_wire_verdict attach(struct portal_wire *wire, struct portal_wire_call *call) {
	struct portal_wire_surface *surface = surface_of(wire, call);
	uint32_t id = call->values[0].untrusted_word; /* checked, or 0 */
	surface->attached = true;
	surface->buffer_serial = 0;
	if (id != 0) {
		surface->buffer = portal_wire_index(wire, id);
		surface->buffer_serial = wire->buffers[surface->buffer].serial;
	}
	if (call->values[1].untrusted_word != 0 || call->values[2].untrusted_word != 0) {
		portal_wire_charge_layout(wire, call, 1);
	}
	return PORTAL_WIRE_PASS;
}

/* A superset is as true, and one rectangle however many follow. */
static enum portal_wire_verdict damage(struct portal_wire *wire, struct portal_wire_call *call) {
	struct portal_wire_surface *surface = surface_of(wire, call);
	if (surface->damages < DAMAGES_MAX) {
		surface->damages++;
		return PORTAL_WIRE_PASS;
	}
	portal_wire_rewrite(call, 0, 0);
	portal_wire_rewrite(call, 1, 0);
	portal_wire_rewrite(call, 2, INT32_MAX);
	portal_wire_rewrite(call, 3, INT32_MAX);
	return PORTAL_WIRE_PASS;
}

/* As many rectangles as a region of so many operations can come to consist of, in bands. */
static uint64_t region_size(uint32_t operations) {
	return operations + (uint64_t)operations * operations / 4;
}

static enum portal_wire_verdict change_region(
	struct portal_wire *wire, struct portal_wire_call *call) {
	struct portal_object *region = portal_objects_get(&wire->objects, call->id);
	uint64_t size = region_size(region->data);
	if (region->data == REGION_MAX) {
		return portal_wire_refuse(
			wire, call, "more than %d rectangles make a region", REGION_MAX);
	}
	region->data++;
	call->cost += (uint32_t)(size / RECTANGLES_A_MESSAGE);
	return portal_wire_take(
		wire, call, PORTAL_QUOTA_RECTANGLES, region_size(region->data) - size);
}

static enum portal_wire_verdict set_region(
	struct portal_wire *wire, struct portal_wire_call *call, struct portal_wire_use *use) {
	uint32_t id = call->values[0].untrusted_word; /* checked, or 0 */
	uint64_t size = id != 0 ? region_size(portal_wire_index(wire, id)) : 0;
	call->cost += (uint32_t)(size / RECTANGLES_A_MESSAGE);
	return use_set(wire, call, use, PORTAL_QUOTA_RECTANGLES, size);
}

/* As wlroots does: a subsurface waits for its parent's commit, and so does all below it. */
static bool is_synchronized(struct portal_wire *wire, const struct portal_wire_surface *surface) {
	while (surface->role == PORTAL_WIRE_ROLE_SUBSURFACE && !surface->synchronized &&
		surface->parent != PORTAL_WIRE_NO_SURFACE) {
		surface = portal_wire_tree_get(wire, surface->parent);
	}
	return surface->role == PORTAL_WIRE_ROLE_SUBSURFACE && surface->synchronized &&
	       surface->parent != PORTAL_WIRE_NO_SURFACE;
}

/* Recursion ends where the tree does: wire_tree.c sees to it. */
static void apply(struct portal_wire *wire, uint32_t index) {
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, index);
	use_apply(wire, &surface->shown, PORTAL_QUOTA_SHOWN_BYTES);
	use_apply(wire, &surface->opaque, PORTAL_QUOTA_RECTANGLES);
	use_apply(wire, &surface->input, PORTAL_QUOTA_RECTANGLES);
	portal_wire_give(wire, PORTAL_QUOTA_COMMITS, surface->cached);
	surface->cached = 0;
	for (uint32_t i = surface->first_child; i != PORTAL_WIRE_NO_SURFACE;) {
		const struct portal_wire_surface *child = portal_wire_tree_get(wire, i);
		if (child->role == PORTAL_WIRE_ROLE_SUBSURFACE && child->synchronized &&
			child->cached > 0) {
			apply(wire, i);
		}
		i = child->next;
	}
}

/* The buffer attached last, NULL for none and when it has been destroyed since. */
static const struct portal_wire_buffer *attached_buffer(
	const struct portal_wire *wire, const struct portal_wire_surface *surface) {
	return surface->buffer_serial != 0 &&
			       wire->buffers[surface->buffer].serial == surface->buffer_serial
		       ? &wire->buffers[surface->buffer]
		       : NULL;
}

static enum portal_wire_verdict take_buffer(struct portal_wire *wire, struct portal_wire_call *call,
	struct portal_wire_surface *surface) {
	const struct portal_wire_buffer *buffer = attached_buffer(wire, surface);
	int32_t width = buffer ? buffer->width : 0, height = buffer ? buffer->height : 0;
	if (width != surface->width || height != surface->height) {
		bool maps = surface->role == PORTAL_WIRE_ROLE_TOPLEVEL &&
			    (width == 0 || surface->width == 0);
		portal_wire_charge_layout(wire, call, maps ? MAP_TIMES : 1);
	}
	surface->attached = false;
	surface->width = width;
	surface->height = height;
	return use_set(
		wire, call, &surface->shown, PORTAL_QUOTA_SHOWN_BYTES, buffer ? buffer->bytes : 0);
}

/* A surface with a buffer and no size: wlroots asserts that there is none under a cursor. */
static enum portal_wire_verdict check_size(struct portal_wire *wire,
	const struct portal_wire_call *call, const struct portal_wire_surface *surface) {
	bool viewed = surface->has_source || surface->has_destination;
	if (surface->width > 0 && !viewed &&
		(surface->width < surface->scale || surface->height < surface->scale)) {
		return portal_wire_refuse(wire, call, "a buffer of %dx%d at scale %d",
			surface->width, surface->height, surface->scale);
	}
	return PORTAL_WIRE_PASS;
}

static enum portal_wire_verdict commit(struct portal_wire *wire, struct portal_wire_call *call) {
	uint32_t index = portal_wire_index(wire, call->id);
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, index);
	enum portal_wire_verdict verdict = PORTAL_WIRE_PASS;
	call->cost += surface->n_below / SURFACES_A_MESSAGE;
	surface->commits++;
	surface->damages = 0;
	if (surface->attached) {
		verdict = take_buffer(wire, call, surface);
	}
	if (verdict == PORTAL_WIRE_PASS) {
		verdict = check_size(wire, call, surface);
	}
	if (verdict != PORTAL_WIRE_PASS) {
		return verdict;
	}
	portal_wire_xdg_commit(wire, index, surface->width > 0);
	if (!is_synchronized(wire, surface)) {
		apply(wire, index);
		return PORTAL_WIRE_PASS;
	}
	verdict = portal_wire_take(wire, call, PORTAL_QUOTA_COMMITS, 1);
	surface->cached += verdict == PORTAL_WIRE_PASS;
	return verdict;
}

static enum portal_wire_verdict get_subsurface(
	struct portal_wire *wire, const struct portal_wire_call *call, uint32_t *data) {
	*data = portal_wire_index(wire, call->values[1].untrusted_word);
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, *data);
	if (surface->role != PORTAL_WIRE_ROLE_NONE) {
		return portal_wire_refuse(wire, call, "the surface has a role");
	}
	enum portal_wire_verdict verdict = portal_wire_tree_attach(
		wire, call, *data, portal_wire_index(wire, call->values[2].untrusted_word));
	if (verdict == PORTAL_WIRE_PASS) {
		surface->role = PORTAL_WIRE_ROLE_SUBSURFACE;
		surface->synchronized = true;
		surface->users++;
	}
	return verdict;
}

/* Its place among its siblings, or where it is: applied by the parent's next commit, as one. */
static enum portal_wire_verdict move(
	struct portal_wire *wire, struct portal_wire_call *call, bool restacked) {
	struct portal_wire_surface *surface = surface_of(wire, call);
	if (surface->parent == PORTAL_WIRE_NO_SURFACE) {
		return PORTAL_WIRE_PASS;
	}
	const struct portal_wire_surface *parent = portal_wire_tree_get(wire, surface->parent);
	if (restacked) {
		/* The sibling is looked for from the first to the last. */
		call->cost += parent->n_children / SURFACES_A_MESSAGE;
	}
	if (surface->moved_in != parent->commits + 1) {
		surface->moved_in = parent->commits + 1;
		portal_wire_charge_layout(wire, call, 1);
	}
	return PORTAL_WIRE_PASS;
}

static enum portal_wire_verdict get_viewport(
	struct portal_wire *wire, const struct portal_wire_call *call, uint32_t *data) {
	*data = portal_wire_index(wire, call->values[1].untrusted_word);
	portal_wire_tree_get(wire, *data)->users++;
	return PORTAL_WIRE_PASS;
}

/* -1 everywhere unsets them: as wl_fixed of the source, as integers of the destination. */
static bool view(const struct portal_wire *wire, struct portal_wire_call *call, int32_t *former,
	int32_t unset) {
	bool set = false, changed = false;
	for (unsigned int i = 0; i < call->message->n_args; i++) {
		int32_t value = (int32_t)call->values[i].untrusted_word;
		set |= value != unset;
		changed |= value != former[i];
		former[i] = value;
	}
	if (changed) {
		portal_wire_charge_layout(wire, call, 1);
	}
	return set;
}

static enum portal_wire_verdict viewport_request(
	struct portal_wire *wire, struct portal_wire_call *call) {
	struct portal_wire_surface *surface = surface_of(wire, call);
	switch (call->opcode) {
	case PORTAL_REQUEST_WP_VIEWPORT_SET_SOURCE:
		surface->has_source = view(wire, call, surface->source, -256);
		return PORTAL_WIRE_PASS;
	case PORTAL_REQUEST_WP_VIEWPORT_SET_DESTINATION:
		surface->has_destination = view(wire, call, surface->destination, -1);
		return PORTAL_WIRE_PASS;
	default:
		return PORTAL_WIRE_PASS;
	}
}

/* Toolkits say them with each commit. */
static enum portal_wire_verdict set_number(
	const struct portal_wire *wire, struct portal_wire_call *call, int32_t *former) {
	int32_t value = (int32_t)call->values[0].untrusted_word;
	if (value != *former) {
		*former = value;
		portal_wire_charge_layout(wire, call, 1);
	}
	return PORTAL_WIRE_PASS;
}

static enum portal_wire_verdict surface_destroy(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	return surface_of(wire, call)->role == PORTAL_WIRE_ROLE_NONE
		       ? PORTAL_WIRE_PASS
		       : portal_wire_refuse(wire, call, "the surface has a role still");
}

static enum portal_wire_verdict surface_request(
	struct portal_wire *wire, struct portal_wire_call *call) {
	switch (call->opcode) {
	case PORTAL_REQUEST_WL_SURFACE_DESTROY:
		return surface_destroy(wire, call);
	case PORTAL_REQUEST_WL_SURFACE_ATTACH:
		return attach(wire, call);
	case PORTAL_REQUEST_WL_SURFACE_DAMAGE:
	case PORTAL_REQUEST_WL_SURFACE_DAMAGE_BUFFER:
		return damage(wire, call);
	case PORTAL_REQUEST_WL_SURFACE_SET_OPAQUE_REGION:
		portal_wire_charge_layout(wire, call, 1);
		return set_region(wire, call, &surface_of(wire, call)->opaque);
	case PORTAL_REQUEST_WL_SURFACE_SET_INPUT_REGION:
		return set_region(wire, call, &surface_of(wire, call)->input);
	case PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_SCALE:
		/* What is not positive is left to the compositor, which says so. */
		return set_number(wire, call, &surface_of(wire, call)->scale);
	case PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_TRANSFORM:
		return set_number(wire, call, &surface_of(wire, call)->transform);
	case PORTAL_REQUEST_WL_SURFACE_OFFSET:
		portal_wire_charge_layout(wire, call, 1);
		return PORTAL_WIRE_PASS;
	case PORTAL_REQUEST_WL_SURFACE_COMMIT:
		return commit(wire, call);
	default:
		return PORTAL_WIRE_PASS;
	}
}

enum portal_wire_verdict portal_wire_surface_request(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data) {
	switch (call->interface << 16 | call->opcode) {
	case PORTAL_WIRE_WL_COMPOSITOR << 16 | PORTAL_REQUEST_WL_COMPOSITOR_CREATE_SURFACE:
		return create_surface(wire, call, data);
	case PORTAL_WIRE_WL_REGION << 16 | PORTAL_REQUEST_WL_REGION_ADD:
	case PORTAL_WIRE_WL_REGION << 16 | PORTAL_REQUEST_WL_REGION_SUBTRACT:
		return change_region(wire, call);
	case PORTAL_WIRE_WL_SUBCOMPOSITOR << 16 | PORTAL_REQUEST_WL_SUBCOMPOSITOR_GET_SUBSURFACE:
		return get_subsurface(wire, call, data);
	case PORTAL_WIRE_WL_SUBSURFACE << 16 | PORTAL_REQUEST_WL_SUBSURFACE_SET_POSITION:
		return move(wire, call, false);
	case PORTAL_WIRE_WL_SUBSURFACE << 16 | PORTAL_REQUEST_WL_SUBSURFACE_PLACE_ABOVE:
	case PORTAL_WIRE_WL_SUBSURFACE << 16 | PORTAL_REQUEST_WL_SUBSURFACE_PLACE_BELOW:
		return move(wire, call, true);
	case PORTAL_WIRE_WL_SUBSURFACE << 16 | PORTAL_REQUEST_WL_SUBSURFACE_SET_SYNC:
		surface_of(wire, call)->synchronized = true;
		return PORTAL_WIRE_PASS;
	case PORTAL_WIRE_WL_SUBSURFACE << 16 | PORTAL_REQUEST_WL_SUBSURFACE_SET_DESYNC:
		surface_of(wire, call)->synchronized = false;
		return PORTAL_WIRE_PASS;
	case PORTAL_WIRE_WP_VIEWPORTER << 16 | PORTAL_REQUEST_WP_VIEWPORTER_GET_VIEWPORT:
		return get_viewport(wire, call, data);
	default:
		break;
	}
	switch (call->interface) {
	case PORTAL_WIRE_WL_SURFACE:
		return surface_request(wire, call);
	case PORTAL_WIRE_WP_VIEWPORT:
		return viewport_request(wire, call);
	default:
		return portal_wire_xdg_request(wire, call, data);
	}
}

static void release_viewport(struct portal_wire *wire, uint32_t index) {
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, index);
	surface->has_source = surface->has_destination = false;
	surface->source[0] = surface->source[1] = surface->source[2] = surface->source[3] = -256;
	surface->destination[0] = surface->destination[1] = -1;
	portal_wire_tree_drop(wire, index);
}

void portal_wire_surface_release(struct portal_wire *wire, const struct portal_object *object) {
	uint32_t index = object->data;
	switch (object->interface) {
	case PORTAL_WIRE_WL_REGION:
		portal_wire_give(wire, PORTAL_QUOTA_RECTANGLES, region_size(object->data));
		break;
	case PORTAL_WIRE_WL_SURFACE:
		finish_surface(wire, index);
		break;
	case PORTAL_WIRE_WP_VIEWPORT:
		release_viewport(wire, index);
		break;
	case PORTAL_WIRE_WL_SUBSURFACE:
		portal_wire_tree_get(wire, index)->role = PORTAL_WIRE_ROLE_NONE;
		portal_wire_tree_detach(wire, index);
		portal_wire_tree_drop(wire, index);
		break;
	case PORTAL_WIRE_XDG_TOPLEVEL:
	case PORTAL_WIRE_XDG_POPUP:
		portal_wire_xdg_lose_role(wire, index);
		portal_wire_tree_drop(wire, index);
		break;
	case PORTAL_WIRE_XDG_SURFACE:
		portal_wire_tree_get(wire, index)->role = PORTAL_WIRE_ROLE_NONE;
		portal_wire_tree_drop(wire, index);
		break;
	case PORTAL_WIRE_ZXDG_TOPLEVEL_DECORATION_V1:
		portal_wire_tree_drop(wire, index);
		break;
	default:
		break;
	}
}
