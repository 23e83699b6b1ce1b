#include "seat.h"

#include <stdlib.h>
#include <time.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_idle_notify_v1.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_xcursor_manager.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "compositor_config.h"
#include "constraint.h"
#include "control.h"
#include "cursor.h"
#include "gesture.h"
#include "input.h"
#include "interactive.h"
#include "keyboard.h"
#include "layer.h"
#include "output.h"
#include "popup.h"
#include "selection.h"
#include "server.h"
#include "stacking.h"
#include "toplevel.h"
#include "touch.h"

bool toplevel_is_focused(const struct toplevel *toplevel) {
	struct seat *seat;
	wl_list_for_each (seat, &toplevel->server->seats, link) {
		if (seat->focused == toplevel && seat->focused_layer == NULL) {
			return true;
		}
	}
	return false;
}

static void update_activated(struct toplevel *toplevel) {
	if (toplevel != NULL) {
		toplevel_set_activated(toplevel, toplevel_is_focused(toplevel));
	}
}

/* Sends the keyboard to whatever has it now. */
static void enter_keyboard(struct seat *seat) {
	struct wlr_surface *surface = NULL;
	if (seat->focused_layer != NULL) {
		surface = seat->focused_layer->surface->surface;
	} else if (seat->focused != NULL) {
		surface = seat->focused->xdg->base->surface;
	}
	if (surface == NULL) {
		wlr_seat_keyboard_notify_clear_focus(seat->wlr_seat);
		return;
	}
	struct wlr_keyboard *keyboard = wlr_seat_get_keyboard(seat->wlr_seat);
	uint32_t keys[WLR_KEYBOARD_KEYS_CAP];
	size_t count = keyboard_pressed_keys(seat, keyboard, keys);
	wlr_seat_keyboard_notify_enter(seat->wlr_seat, surface, keys, count, &keyboard->modifiers);
}

static void focus(struct seat *seat, struct toplevel *toplevel) {
	struct toplevel *old = seat->focused;
	struct layer *old_layer = seat->focused_layer;
	if (toplevel != NULL) {
		toplevel_set_minimized(toplevel, false);
	}
	seat->focused = toplevel;
	seat->focused_layer = layer_exclusive(seat->server);
	// While a menu has the keyboard wlroots gives it to nobody else.
	popup_check_grabs(seat, old != toplevel || old_layer != seat->focused_layer);
	if (old != toplevel) {
		update_activated(old);
	}
	update_activated(toplevel);
	enter_keyboard(seat);
	constraint_update(seat);
	control_changed(seat->server);
}

static void move_to_front(struct toplevel *toplevel) {
	wl_list_remove(&toplevel->link);
	wl_list_insert(&toplevel->server->toplevels, &toplevel->link);
}

void seat_focus(struct seat *seat, struct toplevel *toplevel) {
	seat->cycle.active = false;
	seat->cycle.restored = NULL;
	if (toplevel != NULL) {
		move_to_front(toplevel);
	}
	focus(seat, toplevel);
}

void seat_focus_layer(struct seat *seat, struct layer *layer) {
	struct layer *exclusive = layer_exclusive(seat->server), *old = seat->focused_layer;
	seat->focused_layer = exclusive != NULL ? exclusive : layer;
	popup_check_grabs(seat, old != seat->focused_layer);
	update_activated(seat->focused);
	enter_keyboard(seat);
	constraint_update(seat);
	control_changed(seat->server);
}

/* The most recently focused window that can be seen. */
static struct toplevel *topmost(struct server *server, const struct toplevel *except) {
	struct toplevel *toplevel;
	wl_list_for_each (toplevel, &server->toplevels, link) {
		if (toplevel != except && toplevel->mapped && !toplevel->minimized) {
			return toplevel;
		}
	}
	return NULL;
}

void seat_update_focus(struct server *server) {
	struct layer *exclusive = layer_exclusive(server);
	struct seat *seat;
	wl_list_for_each (seat, &server->seats, link) {
		if (exclusive != NULL && seat->focused_layer != exclusive) {
			seat_focus_layer(seat, exclusive);
		} else if (exclusive == NULL && seat->focused_layer != NULL &&
			   seat->focused_layer->surface->current.keyboard_interactive ==
				   ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_NONE) {
			seat_focus(seat, seat->focused);
		}
	}
}

static struct toplevel *next_in_cycle(struct seat *seat, int direction) {
	struct wl_list *head = &seat->server->toplevels;
	struct wl_list *start = seat->focused != NULL ? &seat->focused->link : head;
	struct wl_list *at = direction > 0 ? start->next : start->prev;
	for (; at != start; at = direction > 0 ? at->next : at->prev) {
		if (at == head) {
			continue;
		}
		struct toplevel *toplevel = wl_container_of(at, toplevel, link);
		if (toplevel->mapped) {
			return toplevel;
		}
	}
	return NULL;
}

void seat_cycle(struct seat *seat, int direction) {
	struct toplevel *next = next_in_cycle(seat, direction);
	if (next == NULL) {
		return;
	}
	struct toplevel *restored = seat->cycle.restored;
	bool was_minimized = next->minimized;
	seat->cycle.active = true;
	focus(seat, next);
	stacking_raise(next);
	if (restored != NULL) {
		toplevel_set_minimized(restored, true);
	}
	seat->cycle.restored = was_minimized ? next : NULL;
	seat_update_pointers(seat->server);
}

void seat_end_cycle(struct seat *seat) {
	if (seat->cycle.active) {
		seat_focus(seat, seat->focused);
	}
}

static int64_t now_msec(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void seat_note_typing(struct seat *seat, bool ends) {
	seat->typed = ends ? 0 : now_msec();
}

/* Half a password is not to land in a window that opens at the wrong moment. */
static bool is_typing(const struct seat *seat) {
	return seat->typed != 0 && now_msec() - seat->typed < seat->server->config->typing_time;
}

bool seat_is_typed_in_another(const struct seat *seat, const struct toplevel *toplevel) {
	const struct toplevel *focused = seat->focused;
	bool other = seat->focused_layer != NULL ||
		     (focused != NULL && !label_equal(&focused->label, &toplevel->label));
	return other && seat->server->config->focus_new == CONFIG_FOCUS_NEW_UNLESS_TYPING &&
	       (is_typing(seat) || popup_is_open(seat));
}

bool seat_would_focus(struct toplevel *toplevel) {
	struct seat *seat = wl_container_of(toplevel->server->seats.next, seat, link);
	struct toplevel *focused = seat->focused;
	if (seat_is_typed_in_another(seat, toplevel)) {
		return false;
	}
	if (toplevel->activate_on_map) {
		return true;
	}
	switch (seat->server->config->focus_new) {
	case CONFIG_FOCUS_NEW_ALWAYS:
	case CONFIG_FOCUS_NEW_UNLESS_TYPING:
		return true;
	case CONFIG_FOCUS_NEW_SAME_LABEL:
		return focused == NULL || label_equal(&focused->label, &toplevel->label);
	case CONFIG_FOCUS_NEW_NEVER:
		return focused == NULL || toplevel->xdg->parent == focused->xdg;
	}
	return true;
}

void seat_toplevel_mapped(struct toplevel *toplevel) {
	struct server *server = toplevel->server;
	struct seat *seat = wl_container_of(server->seats.next, seat, link);
	if (seat_would_focus(toplevel)) {
		stacking_raise(toplevel);
		seat_focus(seat, toplevel);
	} else if (seat->focused != NULL) {
		// Below what has the focus, where it cannot come between the user and a click.
		stacking_raise(seat->focused);
	}
	seat_update_pointers(server);
}

void seat_cancel_interactive(struct toplevel *toplevel) {
	struct seat *seat;
	wl_list_for_each (seat, &toplevel->server->seats, link) {
		if (seat->interactive.toplevel == toplevel) {
			interactive_end(seat);
		}
	}
}

void seat_forget_toplevel(struct toplevel *toplevel) {
	struct seat *seat;
	seat_cancel_interactive(toplevel);
	wl_list_for_each (seat, &toplevel->server->seats, link) {
		if (seat->cycle.restored == toplevel) {
			seat->cycle.restored = NULL;
		}
		if (seat->hovered == toplevel) {
			seat->hovered = NULL;
		}
		if (seat->pressed.toplevel == toplevel) {
			seat->pressed.toplevel = NULL;
		}
		if (seat->focused == toplevel) {
			seat_focus(seat, topmost(toplevel->server, toplevel));
			if (seat->focused != NULL) {
				stacking_raise(seat->focused);
			}
		}
	}
	seat_update_pointers(toplevel->server);
}

void seat_forget_layer(struct layer *layer) {
	struct seat *seat;
	wl_list_for_each (seat, &layer->server->seats, link) {
		if (seat->focused_layer == layer) {
			seat_focus(seat, seat->focused);
		}
	}
	seat_update_pointers(layer->server);
}

void seat_update_pointers(struct server *server) {
	if (server->stopping) {
		return;
	}
	struct seat *seat;
	wl_list_for_each (seat, &server->seats, link) {
		cursor_update(seat, 0);
	}
}

/* The theme itself is the server's; a seat whose pointer shows one of its shapes loads it anew. */
void seat_reload_cursors(struct server *server) {
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		if (output->scene_output != NULL) {
			wlr_xcursor_manager_load(server->xcursor, output->wlr_output->scale);
		}
	}
	struct seat *seat;
	wl_list_for_each (seat, &server->seats, link) {
		if (seat->image.shape != NULL) {
			cursor_set_shape(seat, seat->image.shape);
		}
	}
	seat_update_pointers(server);
}

void seat_update_capabilities(struct seat *seat) {
	// Pointer and keyboard are always there: a client that were told of a keyboard only when a
	// virtual one comes would miss its first keys.
	uint32_t capabilities = WL_SEAT_CAPABILITY_POINTER | WL_SEAT_CAPABILITY_KEYBOARD;
	if (input_has_touch(seat)) {
		capabilities |= WL_SEAT_CAPABILITY_TOUCH;
	}
	wlr_seat_set_capabilities(seat->wlr_seat, capabilities);
}

void seat_notify_activity(struct seat *seat) {
	wlr_idle_notifier_v1_notify_activity(seat->server->globals.idle_notifier, seat->wlr_seat);
}

static void handle_grab_check(void *data) {
	struct seat *seat = data;
	seat->grab_check = NULL;
	popup_check_grabs(seat, false);
}

/* wlroots is still in the middle of it. */
static void handle_keyboard_grab_begin(struct wl_listener *listener, void *data) {
	struct seat *seat = wl_container_of(listener, seat, keyboard_grab_begin);
	if (seat->grab_check == NULL) {
		seat->grab_check =
			wl_event_loop_add_idle(seat->server->loop, handle_grab_check, seat);
	}
}

struct seat *seat_create(struct server *server, const char *name) {
	struct seat *seat = calloc(1, sizeof(*seat));
	if (seat == NULL) {
		return NULL;
	}
	seat->server = server;
	wl_list_init(&seat->keyboards);
	wl_list_init(&seat->real_keyboards);
	wl_list_init(&seat->devices);
	seat->wlr_seat = wlr_seat_create(server->display, name);
	seat->cursor = wlr_cursor_create();
	if (seat->wlr_seat == NULL || seat->cursor == NULL) {
		if (seat->cursor != NULL) {
			wlr_cursor_destroy(seat->cursor);
		}
		if (seat->wlr_seat != NULL) {
			wlr_seat_destroy(seat->wlr_seat);
		}
		free(seat);
		return NULL;
	}
	seat->wlr_seat->data = seat;
	wlr_cursor_attach_output_layout(seat->cursor, server->layout);
	wl_list_insert(server->seats.prev, &seat->link);
	cursor_init(seat);
	gesture_init(seat);
	touch_init(seat);
	selection_init(seat);
	seat->keyboard_grab_begin.notify = handle_keyboard_grab_begin;
	wl_signal_add(&seat->wlr_seat->events.keyboard_grab_begin, &seat->keyboard_grab_begin);
	seat_update_capabilities(seat);
	if (!keyboard_create_group(seat)) {
		seat_destroy(seat);
		return NULL;
	}
	return seat;
}

void seat_destroy(struct seat *seat) {
	if (seat->grab_check != NULL) {
		wl_event_source_remove(seat->grab_check);
	}
	wl_list_remove(&seat->keyboard_grab_begin.link);
	selection_finish(seat);
	input_destroy_all(seat);
	touch_finish(seat);
	gesture_finish(seat);
	cursor_finish(seat);
	wl_list_remove(&seat->link);
	wlr_cursor_destroy(seat->cursor);
	wlr_seat_destroy(seat->wlr_seat);
	free(seat);
}
