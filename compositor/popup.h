#ifndef POPUP_H
#define POPUP_H

#include <stdbool.h>

struct layer;
struct seat;
struct server;
struct toplevel;
struct wlr_surface;
struct wlr_xdg_popup;

/*
 * Menus and tooltips. A popup can reach beyond its window, so it carries the label of its window as
 * a border of its own, drawn around it by the compositor, and what it draws beyond its geometry is
 * cut off, and so is what would put that border off the screen.
 */

/** Listens for new popups of windows. */
void popup_init(struct server *server);
void popup_finish(struct server *server);

/** Shows a popup of a layer surface, which layer-shell hands in later than xdg-shell does others.
 */
void popup_create_for_layer(struct layer *layer, struct wlr_xdg_popup *xdg);

/**
 * Dismisses menus that have taken pointer and keyboard (xdg_popup.grab) but do not belong to what
 * has the seat's focus: else a window in the background could take what is typed. Those of bars,
 * which do not take the focus for it, go when it MOVED.
 */
void popup_check_grabs(struct seat *seat, bool moved);

/** Whether a menu has taken pointer and keyboard. */
bool popup_is_open(const struct seat *seat);

/**
 * A press at SURFACE (NULL: where no client is) dismisses the menus of another client that have
 * taken the pointer. Returns whether there were any; the press is then nobody else's.
 */
bool popup_dismiss_by_press(struct seat *seat, struct wlr_surface *surface);

/** The label of a window has changed, or its place. */
void popup_refresh(struct toplevel *toplevel);

#endif
