/*
 * xdg_surface and its roles. The mirror of the role is made at the initial commit, from the state
 * wlroots holds by then, and again the same way after a reconnection.
 *
 * configure and ack_configure stay in lockstep with the controller: each local configure serial
 * stands for the controller's, which is acked by the commit that applies it.
 */
#ifndef GUEST_AGENT_XDG_H
#define GUEST_AGENT_XDG_H

#include "serial.h"
#include <stdbool.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

struct surface;
struct wlr_xdg_surface;

struct xdg {
	struct surface *surface;
	struct wlr_xdg_surface *wlr;
	struct toplevel *toplevel; // or
	struct popup *popup;

	struct xdg_surface *mirror; // NULL while there is none
	bool configured; // the mirror had its first configure: content may be shown
	uint32_t local_serial; // applied by the last commit
	struct serial_map configures;
	uint32_t acked; // remote serial acked last
	struct wlr_box geometry; // sent last; empty: never
	bool fixed; // the mirror has a geometry also if the application has set none

	struct wl_listener destroy;
};

/** Follows the xdg_surface of a new role, once. Returns NULL with errno. */
struct xdg *xdg_from_wlr(struct wlr_xdg_surface *wlr);

/** At each commit, before anything is sent: does it change more than pixels? */
void xdg_commit(struct xdg *xdg);
/** After it was sent. */
void xdg_committed(struct xdg *xdg);

/** Makes the mirror's role object, when wlroots says that the surface is initialised. */
void xdg_realize(struct xdg *xdg);
/** Drops the mirror's role object; the mirror surface shows nothing then. */
void xdg_unrealize(struct xdg *xdg);
/** May the mirror surface have a buffer now? */
bool xdg_can_show(const struct xdg *xdg);
/** Sends acks, geometry and the role's double-buffered state: before the mirror's commit. */
void xdg_send(struct xdg *xdg);
/**
 * What is added to the mirror's surfaces from now on makes its window no larger. The next commit
 * sends it.
 */
void xdg_fix_geometry(struct xdg *xdg);
/** The mirror's first buffer was committed. */
void xdg_shown(struct xdg *xdg);

#endif
