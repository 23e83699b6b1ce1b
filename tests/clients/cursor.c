/* cursor: a cursor surface with a hotspot, changed, scaled, hidden and shown again.
 * shapes: the named cursors of wp_cursor_shape_v1. The runner puts the pointer on the window. */
#include <stdio.h>

#include "feature.h"
#include "seatlog.h"
#include "window.h"

static struct buffer *draw(struct client *client, int size, uint32_t colour) {
	struct buffer *buffer = buffer_create_argb(client, size, size);
	buffer_fill(buffer, 0);
	buffer_rect(buffer, 0, 0, size, size / 6, colour);
	buffer_rect(buffer, 0, 0, size / 6, size, colour);
	buffer_rect(buffer, size / 2, size / 2, size / 4, size / 4, 0x80800000);
	return buffer;
}

static void show(struct client *client, struct wl_surface *surface, struct buffer *buffer) {
	buffer_attach(buffer, surface);
	wl_surface_damage_buffer(surface, 0, 0, buffer->width, buffer->height);
	client_expect_frame(client, surface);
	wl_surface_commit(surface);
}

static void await_pointer(struct client *client, struct seatlog *log) {
	client_log("enter");
	while (log->pointer_surface == NULL) {
		client_dispatch(client);
	}
}

void feature_cursor(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "cursor", 200, 160);
	window_draw(window, 200, 160, 16);
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	struct buffer *small = draw(client, 24, 0xffff4000), *large = draw(client, 48, 0xff00c0ff);
	struct seatlog log;
	seatlog_init(&log, client, true);
	await_pointer(client, &log);
	/* The content comes first, the role after it. */
	buffer_attach(small, surface);
	wl_surface_damage_buffer(surface, 0, 0, 24, 24);
	wl_surface_commit(surface);
	wl_pointer_set_cursor(log.pointer, log.enter_serial, surface, 2, 3);
	client_expect_frame(client, surface);
	wl_surface_commit(surface);
	if (!client_show_stage(client, "small")) {
		goto out;
	}
	show(client, surface, large);
	if (!client_show_stage(client, "large")) {
		goto out;
	}
	wl_pointer_set_cursor(log.pointer, log.enter_serial, surface, 20, 22);
	client_expect_frame(client, surface);
	wl_surface_commit(surface);
	if (!client_show_stage(client, "hotspot moved")) {
		goto out;
	}
	/* An offset of the surface moves the hotspot the other way. It stays inside the picture:
	 * Portal does not let a guest draw a cursor elsewhere than where it points. */
	wl_surface_offset(surface, 10, 6);
	show(client, surface, small);
	if (!client_show_stage(client, "offset")) {
		goto out;
	}
	wl_surface_set_buffer_scale(surface, 2);
	show(client, surface, large);
	if (!client_show_stage(client, "scaled")) {
		goto out;
	}
	wl_pointer_set_cursor(log.pointer, log.enter_serial, NULL, 0, 0);
	client_barrier(client, window->surface);
	if (!client_stage(client, "hidden")) {
		goto out;
	}
	wl_pointer_set_cursor(log.pointer, log.enter_serial, surface, 5, 5);
	show(client, surface, large);
	client_show_stage(client, "back");
out:
	seatlog_finish(&log);
	wl_surface_destroy(surface);
	window_destroy(window);
	buffer_destroy(small);
	buffer_destroy(large);
}

/* cursor-size: a square as large as a sandboxed cursor may be, then larger, then beside its point.
 */
void feature_cursor_size(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "cursor-size", 200, 160);
	window_draw(window, 200, 160, 16);
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	struct buffer *allowed = buffer_create_argb(client, 128, 128);
	struct buffer *large = buffer_create_argb(client, 129, 129);
	buffer_fill(allowed, 0xff12fe34);
	buffer_fill(large, 0xfffe12f3);
	struct seatlog log;
	seatlog_init(&log, client, true);
	await_pointer(client, &log);
	wl_pointer_set_cursor(log.pointer, log.enter_serial, surface, 0, 0);
	show(client, surface, allowed);
	bool going = client_show_stage(client, "allowed");
	if (going) {
		buffer_attach(large, surface);
		wl_surface_damage_buffer(surface, 0, 0, large->width, large->height);
		wl_surface_commit(surface);
		client_barrier(client, window->surface);
		going = client_stage(client, "too large");
	}
	if (going) {
		wl_pointer_set_cursor(log.pointer, log.enter_serial, surface, -1, 0);
		buffer_attach(allowed, surface);
		wl_surface_damage_buffer(surface, 0, 0, allowed->width, allowed->height);
		wl_surface_commit(surface);
		client_barrier(client, window->surface);
		client_stage(client, "too far");
	}
	seatlog_finish(&log);
	wl_surface_destroy(surface);
	window_destroy(window);
	buffer_destroy(allowed);
	buffer_destroy(large);
}

static const struct {
	const char *name;
	enum wp_cursor_shape_device_v1_shape shape;
} shapes[] = {
	{"text", WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_TEXT},
	{"pointer", WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_POINTER},
	{"crosshair", WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_CROSSHAIR},
	{"se-resize", WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_SE_RESIZE},
	{"grabbing", WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_GRABBING},
	{"default", WP_CURSOR_SHAPE_DEVICE_V1_SHAPE_DEFAULT},
};

void feature_shapes(struct client *client, int argc, char **argv) {
	if (client->cursor_shapes == NULL) {
		client_fail("no wp_cursor_shape_manager_v1");
	}
	struct window *window = window_create(client, "shapes", 200, 160);
	window_draw(window, 200, 160, 17);
	struct seatlog log;
	seatlog_init(&log, client, true);
	await_pointer(client, &log);
	struct wp_cursor_shape_device_v1 *device =
		wp_cursor_shape_manager_v1_get_pointer(client->cursor_shapes, log.pointer);
	bool going = true;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]) && going; i++) {
		wp_cursor_shape_device_v1_set_shape(device, log.enter_serial, shapes[i].shape);
		/* The cursor has no frame callback of its own; the window's next one comes after
		 * it. */
		client_expect_frame(client, window->surface);
		wl_surface_commit(window->surface);
		going = client_show_stage(client, shapes[i].name);
	}
	wp_cursor_shape_device_v1_destroy(device);
	seatlog_finish(&log);
	window_destroy(window);
}
