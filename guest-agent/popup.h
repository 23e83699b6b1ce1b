/* A popup: its positioner goes to the controller, which keeps it on the screen. */
#ifndef GUEST_AGENT_POPUP_H
#define GUEST_AGENT_POPUP_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

struct app;
struct wlr_xdg_popup;
struct xdg;

struct popup {
	struct xdg *xdg;
	struct wlr_xdg_popup *wlr;
	struct xdg_popup *mirror; // NULL while there is none

	struct wlr_box next; // until the xdg_surface.configure; empty: not configured
	bool repositioned;
	uint32_t token;
	uint32_t grab_serial; // local, of the request
	bool early; // repositioned before its initial commit

	struct wl_listener reposition, destroy;
};

/** For xdg_shell's new_popup. */
void popup_create(struct wlr_xdg_popup *wlr);
/** xdg_popup.grab came with this local serial, which wlroots does not keep; see watch.c. */
void popup_set_grab_serial(struct wlr_xdg_popup *wlr, uint32_t serial);
/** xdg_popup.reposition is about to be handled by wlroots, which asserts an initial commit before.
 */
void popup_prepare_reposition(struct wlr_xdg_popup *wlr);
/** The controller is gone: popups with a grab are dismissed. */
void popup_dismiss_grabs(struct app *app);

bool popup_can_realize(struct popup *popup);
void popup_realize(struct popup *popup);
void popup_unrealize(struct popup *popup);
/** Schedules the place that the controller chose. */
void popup_configure(struct popup *popup);

#endif
