#include "sink.h"
#include "xdg-shell-server-protocol.h"

static void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void ignore_region(
	struct wl_client *client, struct wl_resource *resource, struct wl_resource *region) {
}

static void ignore_offset(
	struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y) {
}

void sink_configure(struct surface *surface) {
	struct wl_array states;
	wl_array_init(&states);
	xdg_toplevel_send_configure(surface->toplevel, 0, 0, &states);
	xdg_surface_send_configure(
		surface->xdg_surface, wl_display_next_serial(surface->sink->display));
	surface->configured = true;
}

static void ignore_rectangle(struct wl_client *client, struct wl_resource *resource, int32_t x,
	int32_t y, int32_t width, int32_t height) {
}

static const struct wl_region_interface region_impl = {
	.destroy = destroy_resource,
	.add = ignore_rectangle,
	.subtract = ignore_rectangle,
};

static void create_region(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *region = wl_resource_create(client, &wl_region_interface, 1, id);
	wl_resource_set_implementation(region, &region_impl, NULL, NULL);
}

static const struct wl_compositor_interface compositor_impl = {
	.create_surface = sink_create_surface,
	.create_region = create_region,
};

static void ignore_text(struct wl_client *client, struct wl_resource *resource, const char *text) {
}

static void ignore(struct wl_client *client, struct wl_resource *resource) {
}

static void ignore_parent(
	struct wl_client *client, struct wl_resource *resource, struct wl_resource *parent) {
}

static void ignore_menu(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *seat, uint32_t serial, int32_t x, int32_t y) {
}

static void ignore_move(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *seat, uint32_t serial) {
}

static void ignore_resize(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *seat, uint32_t serial, uint32_t edges) {
}

static const struct xdg_toplevel_interface toplevel_impl = {
	.destroy = destroy_resource,
	.set_parent = ignore_parent,
	.set_title = ignore_text,
	.set_app_id = ignore_text,
	.show_window_menu = ignore_menu,
	.move = ignore_move,
	.resize = ignore_resize,
	.set_max_size = ignore_offset,
	.set_min_size = ignore_offset,
	.set_maximized = ignore,
	.unset_maximized = ignore,
	.set_fullscreen = ignore_region,
	.unset_fullscreen = ignore,
	.set_minimized = ignore,
};

static void handle_toplevel_destroy(struct wl_resource *resource) {
	struct surface *surface = wl_resource_get_user_data(resource);
	if (surface != NULL) {
		surface->toplevel = NULL;
	}
}

static void get_toplevel(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct surface *surface = wl_resource_get_user_data(resource);
	surface->toplevel = wl_resource_create(
		client, &xdg_toplevel_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(
		surface->toplevel, &toplevel_impl, surface, handle_toplevel_destroy);
}

static void get_popup(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	struct wl_resource *parent, struct wl_resource *positioner) {
	wl_client_post_implementation_error(client, "the sink has no popups");
}

static void ignore_serial(struct wl_client *client, struct wl_resource *resource, uint32_t serial) {
}

static const struct xdg_surface_interface xdg_surface_impl = {
	.destroy = destroy_resource,
	.get_toplevel = get_toplevel,
	.get_popup = get_popup,
	.set_window_geometry = ignore_rectangle,
	.ack_configure = ignore_serial,
};

static void handle_xdg_surface_destroy(struct wl_resource *resource) {
	struct surface *surface = wl_resource_get_user_data(resource);
	if (surface != NULL) {
		surface->xdg_surface = NULL;
	}
}

static void get_xdg_surface(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	struct wl_resource *surface_resource) {
	struct surface *surface = wl_resource_get_user_data(surface_resource);
	surface->xdg_surface = wl_resource_create(
		client, &xdg_surface_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(
		surface->xdg_surface, &xdg_surface_impl, surface, handle_xdg_surface_destroy);
}

static void create_positioner(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wl_client_post_implementation_error(client, "the sink has no popups");
}

static const struct xdg_wm_base_interface wm_base_impl = {
	.destroy = destroy_resource,
	.create_positioner = create_positioner,
	.get_xdg_surface = get_xdg_surface,
	.pong = ignore_serial,
};

static void refuse_device(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wl_resource_post_error(
		resource, WL_SEAT_ERROR_MISSING_CAPABILITY, "the sink's seat has no devices");
}

static const struct wl_seat_interface seat_impl = {
	.get_pointer = refuse_device,
	.get_keyboard = refuse_device,
	.get_touch = refuse_device,
	.release = destroy_resource,
};

static const struct wl_output_interface output_impl = {.release = destroy_resource};

static void bind_compositor(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
		wl_resource_create(client, &wl_compositor_interface, (int)version, id);
	wl_resource_set_implementation(resource, &compositor_impl, data, NULL);
}

static void bind_wm_base(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
		wl_resource_create(client, &xdg_wm_base_interface, (int)version, id);
	wl_resource_set_implementation(resource, &wm_base_impl, data, NULL);
}

static void bind_seat(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
		wl_resource_create(client, &wl_seat_interface, (int)version, id);
	wl_resource_set_implementation(resource, &seat_impl, data, NULL);
	wl_seat_send_capabilities(resource, 0);
	wl_seat_send_name(resource, "seat0");
}

static void bind_output(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
		wl_resource_create(client, &wl_output_interface, (int)version, id);
	wl_resource_set_implementation(resource, &output_impl, data, NULL);
	wl_output_send_geometry(resource, 0, 0, 0, 0, WL_OUTPUT_SUBPIXEL_UNKNOWN, "sink", "sink",
		WL_OUTPUT_TRANSFORM_NORMAL);
	wl_output_send_mode(resource, WL_OUTPUT_MODE_CURRENT, 3840, 2160, 60000);
	wl_output_send_scale(resource, 1);
	wl_output_send_name(resource, "SINK-1");
	wl_output_send_done(resource);
}

void sink_create_globals(struct sink *sink) {
	wl_display_init_shm(sink->display);
	wl_global_create(sink->display, &wl_compositor_interface, 6, sink, bind_compositor);
	wl_global_create(sink->display, &xdg_wm_base_interface, 1, sink, bind_wm_base);
	wl_global_create(sink->display, &wl_seat_interface, 5, sink, bind_seat);
	wl_global_create(sink->display, &wl_output_interface, 4, sink, bind_output);
}
