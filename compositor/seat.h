#ifndef SEAT_H
#define SEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

#include "titlebar.h"

struct layer;
struct server;
struct toplevel;
struct wlr_cursor;
struct wlr_keyboard_group;
struct wlr_pointer_constraint_v1;
struct wlr_seat;
struct wlr_surface;

/* One user's pointer, keyboard and touch. Each seat has its own focus. */
struct seat {
	struct server *server;
	struct wl_list link; // server.seats
	struct wlr_seat *wlr_seat;
	struct wlr_cursor *cursor;
	struct wlr_keyboard_group *group; /* all real keyboards as one; there even without any */
	struct wl_list keyboards; // keyboard.link: the group's and the virtual ones
	struct wl_list real_keyboards; // real_keyboard.link
	struct wl_list devices; // input.link

	/* The window that has, or would have, the keyboard. */
	struct toplevel *focused;
	/* When something was last typed into a window, milliseconds of the monotonic clock; 0: what
	 * was typed was ended by Return, Escape or a binding. */
	int64_t typed;
	/* The layer surface that has it instead. */
	struct layer *focused_layer;

	/* The window being moved or resized; NULL: none. */
	struct {
		struct toplevel *toplevel;
		uint32_t edges; /* enum wlr_edges, 0: move */
		double x, y; /* of the pointer at the beginning */
		struct wlr_box box; /* of the window then */
	} interactive;

	/* The frame whose button is under the pointer, and the one that was pressed. */
	struct toplevel *hovered;
	struct {
		struct toplevel *toplevel;
		enum titlebar_button button;
		uint32_t time; /* of the last press on a title bar, for double clicks */
		double x, y; /* of that press */
	} pressed;

	/* Buttons whose press was taken by the compositor: their release is nobody's either. */
	uint32_t taken[8];
	size_t taken_len;

	/* The finger that works frames in the pointer's stead. */
	struct {
		bool active;
		int32_t id;
	} touch_pointer;

	/* Going through the windows (Alt+Tab): their order stays as it is until the modifiers are
	 * released. */
	struct {
		bool active;
		struct toplevel *restored; /* minimised until it was reached; NULL: none */
	} cycle;

	/* What the pointer looks like: a client's surface, a named shape (a constant), or nothing.
	 */
	struct {
		struct wlr_surface *surface;
		const char *shape; /* NULL: the surface, or nothing */
		int32_t hotspot_x, hotspot_y;
		struct wl_listener commit;
		struct wl_listener destroy;
	} image;

	struct wl_event_source *grab_check; /* idle; NULL: no grab has begun */

	/* The pointer constraint that holds, or NULL. */
	struct wlr_pointer_constraint_v1 *constraint;
	struct wl_listener constraint_destroy;

	struct wl_listener motion;
	struct wl_listener motion_absolute;
	struct wl_listener button;
	struct wl_listener axis;
	struct wl_listener frame;
	struct wl_listener swipe_begin;
	struct wl_listener swipe_update;
	struct wl_listener swipe_end;
	struct wl_listener pinch_begin;
	struct wl_listener pinch_update;
	struct wl_listener pinch_end;
	struct wl_listener hold_begin;
	struct wl_listener hold_end;
	struct wl_listener touch_down;
	struct wl_listener touch_up;
	struct wl_listener touch_motion;
	struct wl_listener touch_cancel;
	struct wl_listener touch_frame;
	struct wl_listener request_set_cursor;
	struct wl_listener keyboard_grab_begin;
	struct wl_listener request_set_selection;
	struct wl_listener request_set_primary_selection;
	struct wl_listener request_start_drag;
	struct wl_listener start_drag;
};

/** Makes a seat and adds it to the server. NULL when memory is out. */
struct seat *seat_create(struct server *server, const char *name);
void seat_destroy(struct seat *seat);

/** Gives the keyboard to a window (NULL: to none) and puts it first in the order of windows. */
void seat_focus(struct seat *seat, struct toplevel *toplevel);
/** The same for a layer surface that asks for the keyboard when it is clicked. */
void seat_focus_layer(struct seat *seat, struct layer *layer);
/** Moves the focus to the next (DIRECTION 1) or previous (-1) window. */
void seat_cycle(struct seat *seat, int direction);

/** The modifiers that held a cycle together have been released. */
void seat_end_cycle(struct seat *seat);

/** Whether something is being typed, or a menu is open, that is not of TOPLEVEL's VM. */
bool seat_is_typed_in_another(const struct seat *seat, const struct toplevel *toplevel);
/** Whether a window that appears now gets the keyboard. */
bool seat_would_focus(struct toplevel *toplevel);
/** A window has appeared: it gets the keyboard, or goes below the one that has it. */
void seat_toplevel_mapped(struct toplevel *toplevel);
/** A key goes to a window. */
void seat_note_typing(struct seat *seat, bool ends);

/** A window can no longer have any seat's attention. */
void seat_forget_toplevel(struct toplevel *toplevel);
void seat_forget_layer(struct layer *layer);
void seat_cancel_interactive(struct toplevel *toplevel);

/** Gives the keyboard of every seat to where it belongs now. */
void seat_update_focus(struct server *server);
/** Things have moved below the pointers. */
void seat_update_pointers(struct server *server);
/** The cursor theme or the scales of outputs have changed. */
void seat_reload_cursors(struct server *server);

/** What the seat offers depends on its devices. */
void seat_update_capabilities(struct seat *seat);
/** The user has done something. */
void seat_notify_activity(struct seat *seat);

#endif
