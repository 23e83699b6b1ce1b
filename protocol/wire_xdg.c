/*
 * The rules of xdg-shell that a compositor may rely on without checking them: wlroots 0.20.2 ends
 * by an assertion, or by a list that something was linked into twice.
 */

#include "wire-impl.h"

/* A client that is asked for a configure so often has acked some of them. */
#define CONFIGURES_MAX 1024
/* Compositors keep each token, wlroots for half a minute and portal for five, and look for one from
 * the first to the last: there are few, and looking for one that is not there counts as much. */
#define TOKEN_COST 10000
/* The compositor makes the frame of a window, asks it for another size, and makes its screen anew
 * for one that fills it. */
#define ROLE_COST 16
#define STATE_COST 4
#define FULLSCREEN_COST 32

static enum portal_wire_verdict get_xdg_surface(
	struct portal_wire *wire, const struct portal_wire_call *call, uint32_t *data) {
	*data = portal_wire_index(wire, call->values[1].untrusted_word);
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, *data);
	if (surface->role != PORTAL_WIRE_ROLE_NONE) {
		return portal_wire_refuse(wire, call, "the surface has a role");
	}
	surface->role = PORTAL_WIRE_ROLE_XDG;
	surface->users++;
	return PORTAL_WIRE_PASS;
}

static enum portal_wire_verdict get_role(struct portal_wire *wire, struct portal_wire_call *call,
	enum portal_wire_role role, uint32_t *data) {
	*data = portal_wire_index(wire, call->id);
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, *data);
	if (surface->role != PORTAL_WIRE_ROLE_XDG) {
		return portal_wire_refuse(wire, call, "the xdg_surface is something already");
	}
	surface->role = (uint8_t)role;
	surface->users++;
	call->cost += ROLE_COST;
	return PORTAL_WIRE_PASS;
}

/* wlroots takes any parent that once had a role, itself included: its trees then have no end. */
static enum portal_wire_verdict get_popup(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data) {
	uint32_t id = call->values[1].untrusted_word; /* checked, or 0 */
	if (id == 0) {
		return portal_wire_refuse(wire, call, "a popup without a parent");
	}
	uint32_t parent = portal_wire_index(wire, id);
	uint8_t role = portal_wire_tree_get(wire, parent)->role;
	if (role != PORTAL_WIRE_ROLE_TOPLEVEL && role != PORTAL_WIRE_ROLE_POPUP) {
		return portal_wire_refuse(wire, call, "the parent is no window");
	}
	enum portal_wire_verdict verdict = get_role(wire, call, PORTAL_WIRE_ROLE_POPUP, data);
	return verdict == PORTAL_WIRE_PASS ? portal_wire_tree_attach(wire, call, *data, parent)
					   : verdict;
}

/* wlroots would link it into its list of grabs twice. */
static enum portal_wire_verdict grab(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	struct portal_wire_surface *popup =
		portal_wire_tree_get(wire, portal_wire_index(wire, call->id));
	if (popup->grabbed) {
		return portal_wire_refuse(wire, call, "the popup has its grab");
	}
	popup->grabbed = true;
	return PORTAL_WIRE_PASS;
}

/* What lets the compositor send a configure is not asked for without end. */
static enum portal_wire_verdict ask_configure(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	const struct portal_wire_surface *surface =
		portal_wire_tree_get(wire, portal_wire_index(wire, call->id));
	return surface->configures <= CONFIGURES_MAX
		       ? PORTAL_WIRE_PASS
		       : portal_wire_refuse(
				 wire, call, "%u configures are not acked", surface->configures);
}

/* wlroots asserts the initial commit. */
static enum portal_wire_verdict reposition(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	const struct portal_wire_surface *popup =
		portal_wire_tree_get(wire, portal_wire_index(wire, call->id));
	return popup->initialized ? ask_configure(wire, call)
				  : portal_wire_refuse(wire, call, "before the initial commit");
}

static enum portal_wire_verdict ack_configure(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	struct portal_wire_surface *surface =
		portal_wire_tree_get(wire, portal_wire_index(wire, call->id));
	if (call->values[0].untrusted_word == surface->last_configure) {
		surface->configures = 0;
	}
	return PORTAL_WIRE_PASS;
}

void portal_wire_xdg_configure(struct portal_wire *wire, const struct portal_wire_call *call) {
	const struct portal_object *object = portal_objects_get(&wire->objects, call->id);
	if (object->state == PORTAL_OBJECT_ALIVE) {
		struct portal_wire_surface *surface = portal_wire_tree_get(wire, object->data);
		surface->configures++;
		surface->last_configure = call->values[0].untrusted_word;
	}
}

static enum portal_wire_verdict toplevel_request(
	struct portal_wire *wire, struct portal_wire_call *call) {
	switch (call->opcode) {
	case PORTAL_REQUEST_XDG_TOPLEVEL_SET_FULLSCREEN:
	case PORTAL_REQUEST_XDG_TOPLEVEL_UNSET_FULLSCREEN:
		call->cost += FULLSCREEN_COST;
		portal_wire_charge_layout(wire, call, 1);
		return ask_configure(wire, call);
	case PORTAL_REQUEST_XDG_TOPLEVEL_SET_MAXIMIZED:
	case PORTAL_REQUEST_XDG_TOPLEVEL_UNSET_MAXIMIZED:
	case PORTAL_REQUEST_XDG_TOPLEVEL_SET_MINIMIZED:
		call->cost += STATE_COST;
		return ask_configure(wire, call);
	default:
		return PORTAL_WIRE_PASS;
	}
}

static enum portal_wire_verdict get_decoration(
	struct portal_wire *wire, const struct portal_wire_call *call, uint32_t *data) {
	*data = portal_wire_index(wire, call->values[1].untrusted_word);
	portal_wire_tree_get(wire, *data)->users++;
	return PORTAL_WIRE_PASS;
}

static enum portal_wire_verdict xdg_surface_destroy(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	uint32_t index = portal_wire_index(wire, call->id);
	return portal_wire_tree_get(wire, index)->role == PORTAL_WIRE_ROLE_XDG
		       ? PORTAL_WIRE_PASS
		       : portal_wire_refuse(wire, call, "it is a window still");
}

enum portal_wire_verdict portal_wire_xdg_request(
	struct portal_wire *wire, struct portal_wire_call *call, uint32_t *data) {
	switch (call->interface << 16 | call->opcode) {
	case PORTAL_WIRE_XDG_WM_BASE << 16 | PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE:
		return get_xdg_surface(wire, call, data);
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_REQUEST_XDG_SURFACE_DESTROY:
		return xdg_surface_destroy(wire, call);
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL:
		return get_role(wire, call, PORTAL_WIRE_ROLE_TOPLEVEL, data);
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_REQUEST_XDG_SURFACE_GET_POPUP:
		return get_popup(wire, call, data);
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_REQUEST_XDG_SURFACE_SET_WINDOW_GEOMETRY:
		portal_wire_charge_layout(wire, call, 1);
		return PORTAL_WIRE_PASS;
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_REQUEST_XDG_SURFACE_ACK_CONFIGURE:
		return ack_configure(wire, call);
	case PORTAL_WIRE_XDG_POPUP << 16 | PORTAL_REQUEST_XDG_POPUP_GRAB:
		return grab(wire, call);
	case PORTAL_WIRE_XDG_POPUP << 16 | PORTAL_REQUEST_XDG_POPUP_REPOSITION:
		return reposition(wire, call);
	case PORTAL_WIRE_ZXDG_DECORATION_MANAGER_V1 << 16 |
		PORTAL_REQUEST_ZXDG_DECORATION_MANAGER_V1_GET_TOPLEVEL_DECORATION:
		return get_decoration(wire, call, data);
	case PORTAL_WIRE_ZXDG_TOPLEVEL_DECORATION_V1 << 16 |
		PORTAL_REQUEST_ZXDG_TOPLEVEL_DECORATION_V1_SET_MODE:
	case PORTAL_WIRE_ZXDG_TOPLEVEL_DECORATION_V1 << 16 |
		PORTAL_REQUEST_ZXDG_TOPLEVEL_DECORATION_V1_UNSET_MODE:
		return ask_configure(wire, call);
	case PORTAL_WIRE_XDG_ACTIVATION_V1 << 16 | PORTAL_REQUEST_XDG_ACTIVATION_V1_ACTIVATE:
	case PORTAL_WIRE_XDG_ACTIVATION_TOKEN_V1 << 16 |
		PORTAL_REQUEST_XDG_ACTIVATION_TOKEN_V1_COMMIT:
		call->cost += TOKEN_COST;
		return PORTAL_WIRE_PASS;
	default:
		return call->interface == PORTAL_WIRE_XDG_TOPLEVEL ? toplevel_request(wire, call)
								   : PORTAL_WIRE_PASS;
	}
}

void portal_wire_xdg_commit(struct portal_wire *wire, uint32_t index, bool has_buffer) {
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, index);
	if (surface->role != PORTAL_WIRE_ROLE_TOPLEVEL && surface->role != PORTAL_WIRE_ROLE_POPUP) {
		return;
	}
	surface->initialized = has_buffer || !surface->mapped;
	if (surface->mapped && !has_buffer) {
		/* Compositors dismiss popups with what they hang on. */
		portal_wire_tree_orphan(wire, index, true);
	}
	surface->mapped = has_buffer;
}

void portal_wire_xdg_lose_role(struct portal_wire *wire, uint32_t index) {
	struct portal_wire_surface *surface = portal_wire_tree_get(wire, index);
	if (surface->role == PORTAL_WIRE_ROLE_POPUP) {
		portal_wire_tree_detach(wire, index);
	}
	portal_wire_tree_orphan(wire, index, true);
	surface->role = PORTAL_WIRE_ROLE_XDG;
	surface->initialized = surface->mapped = surface->grabbed = false;
	surface->configures = 0;
}
