#include "taskbar.h"

#include <stdio.h>
#include <stdlib.h>
#include <wlr/types/wlr_foreign_toplevel_management_v1.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "label.h"
#include "output.h"
#include "seat.h"
#include "server.h"
#include "stacking.h"
#include "toplevel.h"

/* Of a title or an app id, in bytes; a label is shorter. */
#define NAME_MAX_SHOWN 512
#define LABEL_MAX_SHOWN 128

struct taskbar_entry {
	struct toplevel *toplevel;
	struct wlr_foreign_toplevel_handle_v1 *handle;
	struct output *output; /* the one the handle was told of, NULL: none */

	struct wl_listener maximize;
	struct wl_listener minimize;
	struct wl_listener fullscreen;
	struct wl_listener activate;
	struct wl_listener close;
};

static void handle_maximize(struct wl_listener *listener, void *data) {
	struct taskbar_entry *entry = wl_container_of(listener, entry, maximize);
	const struct wlr_foreign_toplevel_handle_v1_maximized_event *event = data;
	toplevel_set_layout(
		entry->toplevel, event->maximized ? TOPLEVEL_MAXIMIZED : TOPLEVEL_FLOATING);
}

static void handle_minimize(struct wl_listener *listener, void *data) {
	struct taskbar_entry *entry = wl_container_of(listener, entry, minimize);
	const struct wlr_foreign_toplevel_handle_v1_minimized_event *event = data;
	toplevel_set_minimized(entry->toplevel, event->minimized);
}

static void handle_fullscreen(struct wl_listener *listener, void *data) {
	struct taskbar_entry *entry = wl_container_of(listener, entry, fullscreen);
	const struct wlr_foreign_toplevel_handle_v1_fullscreen_event *event = data;
	struct server *server = entry->toplevel->server;
	toplevel_set_fullscreen(entry->toplevel, event->fullscreen,
		event->output != NULL ? output_from_wlr_output(server, event->output) : NULL);
}

static void handle_activate(struct wl_listener *listener, void *data) {
	struct taskbar_entry *entry = wl_container_of(listener, entry, activate);
	const struct wlr_foreign_toplevel_handle_v1_activated_event *event = data;
	stacking_raise(entry->toplevel);
	seat_focus(event->seat->data, entry->toplevel);
	seat_update_pointers(entry->toplevel->server);
}

static void handle_close(struct wl_listener *listener, void *data) {
	struct taskbar_entry *entry = wl_container_of(listener, entry, close);
	toplevel_close(entry->toplevel);
}

static void listen(
	struct wl_listener *listener, struct wl_signal *signal, wl_notify_func_t notify) {
	listener->notify = notify;
	wl_signal_add(signal, listener);
}

struct taskbar_entry *taskbar_entry_create(struct toplevel *toplevel) {
	struct taskbar_entry *entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		return NULL;
	}
	entry->toplevel = toplevel;
	entry->handle =
		wlr_foreign_toplevel_handle_v1_create(toplevel->server->globals.foreign_toplevel);
	if (entry->handle == NULL) {
		free(entry);
		return NULL;
	}
	listen(&entry->maximize, &entry->handle->events.request_maximize, handle_maximize);
	listen(&entry->minimize, &entry->handle->events.request_minimize, handle_minimize);
	listen(&entry->fullscreen, &entry->handle->events.request_fullscreen, handle_fullscreen);
	listen(&entry->activate, &entry->handle->events.request_activate, handle_activate);
	listen(&entry->close, &entry->handle->events.request_close, handle_close);
	taskbar_entry_update(entry);
	return entry;
}

void taskbar_entry_destroy(struct taskbar_entry *entry) {
	if (entry == NULL) {
		return;
	}
	wl_list_remove(&entry->maximize.link);
	wl_list_remove(&entry->minimize.link);
	wl_list_remove(&entry->fullscreen.link);
	wl_list_remove(&entry->activate.link);
	wl_list_remove(&entry->close.link);
	wlr_foreign_toplevel_handle_v1_destroy(entry->handle);
	free(entry);
}

void taskbar_entry_leave(struct taskbar_entry *entry, struct output *output) {
	if (entry != NULL && output != NULL && entry->output == output) {
		wlr_foreign_toplevel_handle_v1_output_leave(entry->handle, output->wlr_output);
		entry->output = NULL;
	}
}

static void update_output(struct taskbar_entry *entry) {
	struct output *output = toplevel_find_output(entry->toplevel);
	if (output == entry->output) {
		return;
	}
	taskbar_entry_leave(entry, entry->output);
	entry->output = output;
	if (output != NULL) {
		wlr_foreign_toplevel_handle_v1_output_enter(entry->handle, output->wlr_output);
	}
}

/* A bar knows no labels: without one in front, any VM's window would be listed as whatever it says.
 */
static void describe(char title[NAME_MAX_SHOWN], const struct toplevel *toplevel) {
	const struct label *label = &toplevel->label;
	const char *untrusted_title = toplevel->xdg->title;
	size_t length = 0;
	if (label->kind != LABEL_LOCAL) {
		char text[LABEL_MAX_SHOWN];
		label_clean_title(text, sizeof(text), label->text != NULL ? label->text : "?");
		length = (size_t)snprintf(title, NAME_MAX_SHOWN, "[%s] ", text);
	}
	label_clean_title(title + length, NAME_MAX_SHOWN - length,
		untrusted_title != NULL ? untrusted_title : "");
}

void taskbar_entry_update(struct taskbar_entry *entry) {
	if (entry == NULL) {
		return;
	}
	struct toplevel *toplevel = entry->toplevel;
	const char *untrusted_app_id = toplevel->xdg->app_id;
	char title[NAME_MAX_SHOWN], app_id[NAME_MAX_SHOWN];
	// Bars were not written for what a guest may say.
	describe(title, toplevel);
	label_clean_title(app_id, sizeof(app_id), untrusted_app_id != NULL ? untrusted_app_id : "");
	wlr_foreign_toplevel_handle_v1_set_title(entry->handle, title);
	wlr_foreign_toplevel_handle_v1_set_app_id(entry->handle, app_id);
	wlr_foreign_toplevel_handle_v1_set_maximized(
		entry->handle, toplevel->layout == TOPLEVEL_MAXIMIZED);
	wlr_foreign_toplevel_handle_v1_set_minimized(entry->handle, toplevel->minimized);
	wlr_foreign_toplevel_handle_v1_set_fullscreen(entry->handle, toplevel->fullscreen);
	wlr_foreign_toplevel_handle_v1_set_activated(entry->handle, toplevel_is_focused(toplevel));
	const struct toplevel *parent =
		toplevel->xdg->parent != NULL ? toplevel->xdg->parent->base->data : NULL;
	wlr_foreign_toplevel_handle_v1_set_parent(entry->handle,
		parent != NULL && parent->taskbar != NULL ? parent->taskbar->handle : NULL);
	update_output(entry);
}
