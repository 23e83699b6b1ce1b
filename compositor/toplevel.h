#ifndef TOPLEVEL_H
#define TOPLEVEL_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

#include "frame.h"
#include "label.h"
#include "node.h"

struct output;
struct server;
struct taskbar_entry;
struct wlr_scene_tree;
struct wlr_xdg_toplevel;

/* Where a window stands when it is not fullscreen. */
enum toplevel_layout {
	TOPLEVEL_FLOATING,
	TOPLEVEL_MAXIMIZED,
	TOPLEVEL_SNAPPED_LEFT,
	TOPLEVEL_SNAPPED_RIGHT,
};

/* A window: an xdg_toplevel with its frame. */
struct toplevel {
	struct server *server;
	struct wl_list link; // server.toplevels
	uint64_t id; /* never used twice while the compositor runs */
	struct wlr_xdg_toplevel *xdg;
	struct label label;
	struct node node;

	struct wlr_scene_tree *tree; /* origin: the window's top left corner, inside the frame */
	struct wlr_scene_rect *backing;
	struct wlr_scene_tree *clip; /* hides a content without an area */
	struct wlr_scene_tree *content;
	struct wlr_scene_tree *popups;
	struct frame *frame;
	struct taskbar_entry *taskbar; /* NULL while unmapped */

	/* Without the frame, in layout coordinates; the size is what the client has committed. */
	struct wlr_box box;
	/* The floating box to return to. */
	struct wlr_box restore;
	struct output *output; /* where it was last placed, NULL: nowhere yet */
	enum toplevel_layout layout;
	bool fullscreen, minimized;
	bool mapped;
	/* Gets a place with the size its client commits for the configure of that serial. */
	bool unplaced;
	uint32_t unplaced_serial;
	bool draws_own_titlebar;
	bool activate_on_map; /* a good activation token was used for it */

	struct wl_event_source *changed; /* idle; NULL: nobody has to be told of anything */

	/* An interactive resize keeps the opposite edges still until the last size it asked for has
	 * been committed. */
	struct {
		uint32_t edges; /* enum wlr_edges, 0: none */
		bool finished;
		uint32_t serial;
		int right, bottom; /* layout coordinates of the still edges */
	} resize;

	struct wl_listener commit;
	struct wl_listener map;
	struct wl_listener unmap;
	struct wl_listener destroy;
	struct wl_listener request_move;
	struct wl_listener request_resize;
	struct wl_listener request_maximize;
	struct wl_listener request_fullscreen;
	struct wl_listener request_minimize;
	struct wl_listener set_title;
	struct wl_listener set_app_id;
	struct wl_listener set_parent;
};

/** The window a surface belongs to (itself, a subsurface, a popup), or NULL. */
struct toplevel *toplevel_from_surface(struct wlr_surface *surface);
struct toplevel *toplevel_by_id(struct server *server, uint64_t id);

/** Puts the window's corner there, layout coordinates without the frame. */
void toplevel_move(struct toplevel *toplevel, int x, int y);
/** The same by the user: on another output it comes over what is fullscreen there. */
void toplevel_carry(struct toplevel *toplevel, int x, int y);
/** Asks the client for a size of the window without its frame. Returns the configure's serial. */
uint32_t toplevel_resize(struct toplevel *toplevel, int width, int height);
/** Moves a window, and asks for a size of which a 0 stays as it is; it becomes floating. */
void toplevel_place(struct toplevel *toplevel, int x, int y, int width, int height);
/** Asks for a size that is larger by that much than the one it has, or has been asked for last. */
void toplevel_grow(struct toplevel *toplevel, int width, int height);
void toplevel_set_layout(struct toplevel *toplevel, enum toplevel_layout layout);
void toplevel_set_fullscreen(struct toplevel *toplevel, bool fullscreen, struct output *output);
void toplevel_set_minimized(struct toplevel *toplevel, bool minimized);
/** Tells client and frame whether any seat has its keyboard there. */
void toplevel_set_activated(struct toplevel *toplevel, bool activated);
/** Whether any seat's keyboard is there. */
bool toplevel_is_focused(const struct toplevel *toplevel);
/** Something that others show of it has changed. */
void toplevel_changed(struct toplevel *toplevel);
void toplevel_close(struct toplevel *toplevel);

/** Shows frame and content with the size the window has now. */
void toplevel_update(struct toplevel *toplevel);
/** Puts a window where its layout says: its output has changed, or the room for windows on it. */
void toplevel_arrange(struct toplevel *toplevel);
/** The theme has changed: the room that the frame leaves may be another. */
void toplevel_refresh(struct toplevel *toplevel);
/** The label's configuration may have changed. */
void toplevel_update_label(struct toplevel *toplevel);

/** The part of a size that the client says it accepts. */
void toplevel_clamp_size(struct toplevel *toplevel, int *width, int *height);
struct frame_extents toplevel_extents(struct toplevel *toplevel);
/** The part of the layout that the window takes, frame included. */
struct wlr_box toplevel_outer_box(struct toplevel *toplevel);
/** The output that shows most of it, or any. NULL: there is none. */
struct output *toplevel_find_output(struct toplevel *toplevel);

#endif
