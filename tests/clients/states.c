/* states: maximised, fullscreen and back, minimum and maximum sizes; every configure is printed.
 * dialog: a second toplevel with the first as its parent. geometry: window geometry smaller than
 * the surface. remap: unmapping by a null buffer and mapping again. rename: another app id and a
 * title of bad characters, then a parent, of a window that is shown. */
#include "feature.h"
#include "window.h"

/* Waits for the answer to a state request and draws at the size it asks for. Compositors may send
 * intermediate configures, so it goes on until `state` is as wanted. */
static void follow(struct window *window, uint32_t state, bool wanted, int width, int height) {
	do {
		window_await_configure(window);
	} while (((window->states >> state) & 1) != wanted);
	client_roundtrip(window->client);
	window_print(window, "state");
	window_draw(window, window->width ? window->width : width,
		window->height ? window->height : height, 8);
}

void feature_states(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "states", 0, 0);
	window->manual = true;
	xdg_toplevel_set_min_size(window->toplevel, 100, 80);
	window_draw(window, 320, 200, 8);
	if (!client_show_stage(client, "normal")) {
		goto out;
	}
	xdg_toplevel_set_maximized(window->toplevel);
	follow(window, XDG_TOPLEVEL_STATE_MAXIMIZED, true, 320, 200);
	if (!client_show_stage(client, "maximized")) {
		goto out;
	}
	xdg_toplevel_unset_maximized(window->toplevel);
	follow(window, XDG_TOPLEVEL_STATE_MAXIMIZED, false, 320, 200);
	if (!client_show_stage(client, "restored")) {
		goto out;
	}
	xdg_toplevel_set_fullscreen(window->toplevel, NULL);
	follow(window, XDG_TOPLEVEL_STATE_FULLSCREEN, true, 320, 200);
	if (!client_show_stage(client, "fullscreen")) {
		goto out;
	}
	xdg_toplevel_unset_fullscreen(window->toplevel);
	follow(window, XDG_TOPLEVEL_STATE_FULLSCREEN, false, 320, 200);
	if (!client_show_stage(client, "left fullscreen")) {
		goto out;
	}
	xdg_toplevel_set_min_size(window->toplevel, 250, 150);
	xdg_toplevel_set_max_size(window->toplevel, 250, 150);
	xdg_toplevel_set_title(window->toplevel, "another title");
	window_draw(window, 250, 150, 9);
	client_show_stage(client, "fixed size");
out:
	window_destroy(window);
}

void feature_dialog(struct client *client, int argc, char **argv) {
	struct window *parent = window_create(client, "parent", 300, 200);
	window_draw(parent, 300, 200, 10);
	struct window *dialog = window_create(client, "dialog", 160, 90);
	xdg_toplevel_set_parent(dialog->toplevel, parent->toplevel);
	window_draw(dialog, 160, 90, 11);
	if (!client_show_stage(client, "with parent")) {
		goto out;
	}
	struct window *another = window_create(client, "another", 80, 60);
	xdg_toplevel_set_parent(another->toplevel, dialog->toplevel);
	window_draw(another, 80, 60, 12);
	bool going = client_show_stage(client, "grandchild");
	/* The children of a window that goes become its parent's. */
	window_destroy(dialog);
	dialog = another;
	client_barrier(client, another->surface);
	if (going) {
		client_stage(client, "parent gone");
	}
out:
	window_destroy(dialog);
	window_destroy(parent);
}

void feature_geometry(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "geometry", 0, 0);
	/* A shadow of 20 all around, as programs with decorations of their own have it. */
	struct buffer *buffer = buffer_create_argb(client, 240, 190);
	buffer_fill(buffer, 0x60000000);
	buffer_rect(buffer, 20, 20, 200, 150, 0xffc0c0c0);
	buffer_rect(buffer, 20, 20, 200, 20, 0xff404080);
	xdg_surface_set_window_geometry(window->xdg_surface, 20, 20, 200, 150);
	window_show(window, buffer);
	if (!client_show_stage(client, "shadow")) {
		goto out;
	}
	xdg_surface_set_window_geometry(window->xdg_surface, 20, 40, 200, 130);
	client_expect_frame(client, window->surface);
	wl_surface_commit(window->surface);
	if (!client_show_stage(client, "without title bar")) {
		goto out;
	}
	/* Reaches beyond the surface: the compositor cuts it down to it. */
	xdg_surface_set_window_geometry(window->xdg_surface, 0, 0, 400, 400);
	client_expect_frame(client, window->surface);
	wl_surface_commit(window->surface);
	client_show_stage(client, "whole surface");
out:
	window_destroy(window);
	buffer_destroy(buffer);
}

void feature_remap(struct client *client, int argc, char **argv) {
	/* Something visible while the window is not. */
	struct window *witness = window_create(client, "witness", 40, 30);
	window_draw(witness, 40, 30, 1);
	struct window *window = window_create(client, "remap", 160, 120);
	window_draw(window, 160, 120, 13);
	bool going = client_show_stage(client, "mapped");
	for (int i = 0; i < 2 && going; i++) {
		window->mapped = false;
		wl_surface_attach(window->surface, NULL, 0, 0);
		wl_surface_commit(window->surface);
		client_barrier(client, witness->surface);
		going = client_stage(client, "unmapped");
		if (!going) {
			break;
		}
		/* As a new window: a commit without a buffer, its configure, then content. */
		window->configured = false;
		wl_surface_commit(window->surface);
		client_wait(client, &window->configured);
		if ((window->states & (1u << XDG_TOPLEVEL_STATE_SUSPENDED)) != 0) {
			client_fail("a window that is shown anew begins suspended");
		}
		window_draw(window, 160, 120, 14 + (uint32_t)i);
		going = client_show_stage(client, "mapped again");
	}
	window_destroy(window);
	window_destroy(witness);
}

void feature_rename(struct client *client, int argc, char **argv) {
	struct window *first = window_create(client, "first", 300, 200);
	window_draw(first, 300, 200, 10);
	struct window *second = window_create(client, "second", 160, 90);
	window_draw(second, 160, 90, 11);
	bool going = client_show_stage(client, "shown");
	if (going) {
		xdg_toplevel_set_app_id(second->toplevel, "portal.test.renamed");
		/* Two lines, and reversed from the dot on. */
		xdg_toplevel_set_title(second->toplevel, "one\nline\xe2\x80\xae.");
		client_barrier(client, second->surface);
		going = client_stage(client, "renamed");
	}
	if (going) {
		xdg_toplevel_set_parent(second->toplevel, first->toplevel);
		client_barrier(client, second->surface);
		client_stage(client, "child");
	}
	window_destroy(second);
	window_destroy(first);
}
