/* A popup: its positioner goes to the controller, which keeps it on the screen. */
#ifndef GUEST_AGENT_POPUP_H
#define GUEST_AGENT_POPUP_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

struct seat;
struct wlr_xdg_popup;
struct xdg;

struct popup {
	struct xdg *xdg;
	struct wlr_xdg_popup *wlr;
	struct xdg_popup *mirror; // NULL while there is none

	struct wlr_box next; // what the controller configured, until its xdg_surface.configure
	bool repositioned;
	uint32_t token;
	uint32_t grab_serial; // local
	bool grabbed;

	struct wl_listener reposition, destroy;
};

/** For xdg_shell's new_popup. */
void popup_create(struct wlr_xdg_popup *wlr);
/** xdg_popup.grab, which wlroots has no event for, as seen by the protocol logger. */
void popup_grab(struct wlr_xdg_popup *wlr, uint32_t serial);

void popup_realize(struct popup *popup);
void popup_unrealize(struct popup *popup);
void popup_configure(struct popup *popup);

#endif
