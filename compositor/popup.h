#ifndef POPUP_H
#define POPUP_H

struct seat;
struct server;
struct toplevel;
struct wlr_scene_tree;
struct wlr_xdg_popup;

/*
 * Menus and tooltips. A popup can reach beyond its window, so it carries the label of its window as
 * a border of its own, drawn around it by the compositor, and what it draws beyond its geometry is
 * cut off, and so is what would put that border off the screen.
 */

/** Listens for new popups of windows. */
void popup_init(struct server *server);
void popup_finish(struct server *server);

/**
 * Shows a popup in the tree of popups of its parent. TOPLEVEL is the window at the root, NULL for a
 * layer surface.
 */
void popup_create(struct server *server, struct wlr_xdg_popup *xdg, struct wlr_scene_tree *parent,
	struct toplevel *toplevel);

/**
 * Dismisses menus that have taken pointer and keyboard (xdg_popup.grab) but do not belong to the
 * client that has the seat's focus: else a window in the background could take what is typed.
 */
void popup_check_grabs(struct seat *seat);

/** The label of a window has changed, or its place. */
void popup_refresh(struct toplevel *toplevel);

#endif
