/*
 * Where things are and how large they are said to be. Compositors add such numbers up in ints, from
 * surface to surface and from window to screen, and do not look for sums that have none.
 */

#include "wire-impl.h"

/* Of logical pixels, either way from the origin; as deep as surfaces are nested, 64 of them fit. */
#define PLACE_MAX (1 << 20)

/* The arguments of a request that are such numbers: how many, and from which on. */
static unsigned int find_places(const struct portal_wire_call *call, unsigned int *first) {
	*first = 0;
	switch (call->interface << 16 | call->opcode) {
	case PORTAL_WIRE_WL_SURFACE << 16 | PORTAL_REQUEST_WL_SURFACE_ATTACH:
		*first = 1;
		return 2;
	case PORTAL_WIRE_WL_POINTER << 16 | PORTAL_REQUEST_WL_POINTER_SET_CURSOR:
		*first = 2;
		return 2;
	case PORTAL_WIRE_WL_SURFACE << 16 | PORTAL_REQUEST_WL_SURFACE_OFFSET:
	case PORTAL_WIRE_WL_SUBSURFACE << 16 | PORTAL_REQUEST_WL_SUBSURFACE_SET_POSITION:
	case PORTAL_WIRE_WP_VIEWPORT << 16 | PORTAL_REQUEST_WP_VIEWPORT_SET_DESTINATION:
	case PORTAL_WIRE_XDG_POSITIONER << 16 | PORTAL_REQUEST_XDG_POSITIONER_SET_SIZE:
	case PORTAL_WIRE_XDG_POSITIONER << 16 | PORTAL_REQUEST_XDG_POSITIONER_SET_OFFSET:
	case PORTAL_WIRE_XDG_POSITIONER << 16 | PORTAL_REQUEST_XDG_POSITIONER_SET_PARENT_SIZE:
		return 2;
	case PORTAL_WIRE_XDG_SURFACE << 16 | PORTAL_REQUEST_XDG_SURFACE_SET_WINDOW_GEOMETRY:
	case PORTAL_WIRE_XDG_POSITIONER << 16 | PORTAL_REQUEST_XDG_POSITIONER_SET_ANCHOR_RECT:
		return 4;
	default:
		return 0;
	}
}

enum portal_wire_verdict portal_wire_check_places(
	struct portal_wire *wire, const struct portal_wire_call *call) {
	unsigned int first, count = find_places(call, &first);
	for (unsigned int i = first; i < first + count; i++) {
		int32_t place = (int32_t)call->values[i].untrusted_word;
		if (place < -PLACE_MAX || place > PLACE_MAX) {
			return portal_wire_refuse(
				wire, call, "%d: no place or size is beyond %d", place, PLACE_MAX);
		}
	}
	return PORTAL_WIRE_PASS;
}
