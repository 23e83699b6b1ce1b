#include "test_server.h"

#include <assert.h>
#include <stdlib.h>

#include <wayland-server-protocol.h>

static void surface_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void surface_attach(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *buffer, int32_t x, int32_t y) {
	struct test_server *server = wl_resource_get_user_data(resource);
	if (x != 0 || y != 0) {
		wl_resource_post_error(
			resource, WL_SURFACE_ERROR_INVALID_OFFSET, "offset is not 0");
		return;
	}
	server->attached = buffer;
}

static void surface_damage(struct wl_client *client, struct wl_resource *resource, int32_t x,
	int32_t y, int32_t width, int32_t height) {
}

static void surface_frame(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct wl_resource *callback = wl_resource_create(client, &wl_callback_interface, 1, id);
	wl_callback_send_done(callback, 1);
	wl_resource_destroy(callback);
}

static void surface_set_region(
	struct wl_client *client, struct wl_resource *resource, struct wl_resource *region) {
}

static void surface_commit(struct wl_client *client, struct wl_resource *resource) {
	struct test_server *server = wl_resource_get_user_data(resource);
	server->commits++;
	if (!server->attached) {
		return;
	}
	struct wl_shm_buffer *buffer = wl_shm_buffer_get(server->attached);
	assert(buffer);
	wl_shm_buffer_begin_access(buffer);
	server->last_pixel = *(uint32_t *)wl_shm_buffer_get_data(buffer);
	wl_shm_buffer_end_access(buffer);
	wl_buffer_send_release(server->attached);
	server->attached = NULL;
}

static void surface_set_number(
	struct wl_client *client, struct wl_resource *resource, int32_t number) {
}

static void surface_offset(
	struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y) {
}

static const struct wl_surface_interface surface_impl = {
	.destroy = surface_destroy,
	.attach = surface_attach,
	.damage = surface_damage,
	.frame = surface_frame,
	.set_opaque_region = surface_set_region,
	.set_input_region = surface_set_region,
	.commit = surface_commit,
	.set_buffer_transform = surface_set_number,
	.set_buffer_scale = surface_set_number,
	.damage_buffer = surface_damage,
	.offset = surface_offset,
};

static void handle_surface_gone(struct wl_resource *resource) {
	struct test_server *server = wl_resource_get_user_data(resource);
	server->surfaces--;
}

static void create_surface(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct test_server *server = wl_resource_get_user_data(resource);
	struct wl_resource *surface = wl_resource_create(
		client, &wl_surface_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(surface, &surface_impl, server, handle_surface_gone);
	server->surfaces++;
}

static void create_region(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wl_resource_create(client, &wl_region_interface, wl_resource_get_version(resource), id);
}

static const struct wl_compositor_interface compositor_impl = {
	.create_surface = create_surface,
	.create_region = create_region,
};

static void bind_compositor(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
		wl_resource_create(client, &wl_compositor_interface, (int)version, id);
	wl_resource_set_implementation(resource, &compositor_impl, data, NULL);
}

static void device_release(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void set_cursor(struct wl_client *client, struct wl_resource *resource, uint32_t serial,
	struct wl_resource *surface, int32_t x, int32_t y) {
}

static const struct wl_pointer_interface pointer_impl = {
	.set_cursor = set_cursor,
	.release = device_release,
};

static const struct wl_keyboard_interface keyboard_impl = {
	.release = device_release,
};

static void get_pointer(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct test_server *server = wl_resource_get_user_data(resource);
	server->pointer = wl_resource_create(
		client, &wl_pointer_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(server->pointer, &pointer_impl, server, NULL);
}

static void get_keyboard(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct test_server *server = wl_resource_get_user_data(resource);
	server->keyboard = wl_resource_create(
		client, &wl_keyboard_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(server->keyboard, &keyboard_impl, server, NULL);
}

static void get_touch(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	wl_resource_create(client, &wl_touch_interface, wl_resource_get_version(resource), id);
}

static const struct wl_seat_interface seat_impl = {
	.get_pointer = get_pointer,
	.get_keyboard = get_keyboard,
	.get_touch = get_touch,
	.release = device_release,
};

static void bind_seat(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	struct wl_resource *resource =
		wl_resource_create(client, &wl_seat_interface, (int)version, id);
	wl_resource_set_implementation(resource, &seat_impl, data, NULL);
	wl_seat_send_capabilities(resource, 3);
}

/* What the compositor also has, and no guest may see. */
static const struct wl_interface screencopy_interface = {
	.name = "zwlr_screencopy_manager_v1",
	.version = 3,
};

static void bind_nothing(struct wl_client *client, void *data, uint32_t version, uint32_t id) {
	assert(!"a guest bound a privileged global");
}

void test_server_init(struct test_server *server) {
	*server = (struct test_server){.display = wl_display_create()};
	assert(server->display);
	/* A guest that reads nothing is the relay's to deal with, not libwayland's. */
	wl_display_set_default_max_buffer_size(server->display, 16 << 20);
	wl_global_create(server->display, &screencopy_interface, 3, server, bind_nothing);
	wl_global_create(server->display, &wl_compositor_interface, 6, server, bind_compositor);
	wl_display_init_shm(server->display);
	wl_display_add_shm_format(server->display, 0x3231564e); /* NV12 */
	wl_global_create(server->display, &wl_seat_interface, 9, server, bind_seat);
}

void test_server_finish(struct test_server *server) {
	wl_display_destroy_clients(server->display);
	wl_display_destroy(server->display);
}

void test_server_send_motion(struct test_server *server, wl_fixed_t x, wl_fixed_t y) {
	wl_pointer_send_motion(server->pointer, 1, x, y);
}

void test_server_send_button(struct test_server *server, uint32_t serial, uint32_t button) {
	wl_pointer_send_button(server->pointer, serial, 1, button, 1);
}

void test_server_send_pointer_frame(struct test_server *server) {
	wl_pointer_send_frame(server->pointer);
}

void test_server_send_key(struct test_server *server, uint32_t serial) {
	wl_keyboard_send_key(server->keyboard, serial, 1, 30, serial % 2);
}

void test_server_send_keymap(struct test_server *server, int fd, uint32_t size) {
	wl_keyboard_send_keymap(server->keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, size);
}
