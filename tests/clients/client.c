#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "primary-selection-unstable-v1-client-protocol.h"
#include "server-decoration-client-protocol.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))

void client_fail(const char *format, ...) {
	va_list args;
	va_start(args, format);
	fputs("test client: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

void client_log(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	putchar('\n');
	fflush(stdout);
	va_end(args);
}

static void shm_handle_format(void *data, struct wl_shm *shm, uint32_t format) {
	struct client *client = data;
	if (client->formats_len < CLIENT_MAX_FORMATS) {
		client->formats[client->formats_len++] = format;
	}
}

static const struct wl_shm_listener shm_listener = {
	.format = shm_handle_format,
};

static void wm_base_handle_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial) {
	xdg_wm_base_pong(wm_base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {
	.ping = wm_base_handle_ping,
};

static void presentation_handle_clock_id(
	void *data, struct wp_presentation *presentation, uint32_t clock) {
	struct client *client = data;
	client->presentation_clock = clock;
}

static const struct wp_presentation_listener presentation_listener = {
	.clock_id = presentation_handle_clock_id,
};

static void *bind(struct client *client, uint32_t name, const struct wl_interface *interface,
	uint32_t offered, uint32_t wanted) {
	return wl_registry_bind(client->registry, name, interface, MIN(offered, wanted));
}

/* The interfaces a client binds once, with the version it is written for. */
struct wanted {
	const struct wl_interface *interface;
	uint32_t version;
	size_t offset; // of the proxy in struct client
};

#define WANTED(field, interface, version) {&interface, version, offsetof(struct client, field)}

static const struct wanted wanted[] = {
	WANTED(compositor, wl_compositor_interface, 6),
	WANTED(subcompositor, wl_subcompositor_interface, 1),
	WANTED(shm, wl_shm_interface, 1),
	WANTED(wm_base, xdg_wm_base_interface, 6),
	WANTED(data_devices, wl_data_device_manager_interface, 3),
	WANTED(primary_selections, zwp_primary_selection_device_manager_v1_interface, 1),
	WANTED(viewporter, wp_viewporter_interface, 1),
	WANTED(presentation, wp_presentation_interface, 1),
	WANTED(cursor_shapes, wp_cursor_shape_manager_v1_interface, 1),
	WANTED(fractional_scales, wp_fractional_scale_manager_v1_interface, 1),
	WANTED(decorations, zxdg_decoration_manager_v1_interface, 1),
	WANTED(kde_decorations, org_kde_kwin_server_decoration_manager_interface, 1),
	WANTED(xdg_outputs, zxdg_output_manager_v1_interface, 3),
};

static void registry_handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct client *client = data;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void **proxy = (void **)((char *)client + wanted[i].offset);
		if (*proxy == NULL && strcmp(interface, wanted[i].interface->name) == 0) {
			*proxy =
				bind(client, name, wanted[i].interface, version, wanted[i].version);
		}
	}
	if (client->seat_version == 0 && strcmp(interface, wl_seat_interface.name) == 0) {
		client->seat_global = name;
		client->seat_version = MIN(version, 9);
	}
	if (client->global != NULL) {
		client->global(client, name, interface, version);
	}
}

static void registry_handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
	struct client *client = data;
	if (client->global_remove != NULL) {
		client->global_remove(client, name);
	}
}

static const struct wl_registry_listener registry_listener = {
	.global = registry_handle_global,
	.global_remove = registry_handle_global_remove,
};

void client_restart_registry(struct client *client) {
	if (client->registry != NULL) {
		wl_registry_destroy(client->registry);
	}
	client->registry = wl_display_get_registry(client->display);
	wl_registry_add_listener(client->registry, &registry_listener, client);
}

void client_init(struct client *client) {
	wl_list_init(&client->frames);
	client->display = wl_display_connect(NULL);
	if (client->display == NULL) {
		client_fail("no compositor at WAYLAND_DISPLAY: %s", strerror(errno));
	}
	client_restart_registry(client);
	client_roundtrip(client);
	if (client->compositor == NULL || client->shm == NULL || client->wm_base == NULL) {
		client_fail("the compositor lacks wl_compositor, wl_shm or xdg_wm_base");
	}
	wl_shm_add_listener(client->shm, &shm_listener, client);
	xdg_wm_base_add_listener(client->wm_base, &wm_base_listener, client);
	if (client->presentation != NULL) {
		wp_presentation_add_listener(client->presentation, &presentation_listener, client);
	}
	client_roundtrip(client);
}

static void drop_frames(struct client *client);

void client_finish(struct client *client) {
	drop_frames(client);
	if (client->xdg_outputs != NULL) {
		zxdg_output_manager_v1_destroy(client->xdg_outputs);
	}
	if (client->kde_decorations != NULL) {
		org_kde_kwin_server_decoration_manager_destroy(client->kde_decorations);
	}
	if (client->decorations != NULL) {
		zxdg_decoration_manager_v1_destroy(client->decorations);
	}
	if (client->cursor_shapes != NULL) {
		wp_cursor_shape_manager_v1_destroy(client->cursor_shapes);
	}
	if (client->fractional_scales != NULL) {
		wp_fractional_scale_manager_v1_destroy(client->fractional_scales);
	}
	if (client->presentation != NULL) {
		wp_presentation_destroy(client->presentation);
	}
	if (client->primary_selections != NULL) {
		zwp_primary_selection_device_manager_v1_destroy(client->primary_selections);
	}
	if (client->data_devices != NULL) {
		wl_data_device_manager_destroy(client->data_devices);
	}
	if (client->viewporter != NULL) {
		wp_viewporter_destroy(client->viewporter);
	}
	if (client->subcompositor != NULL) {
		wl_subcompositor_destroy(client->subcompositor);
	}
	if (client->seat != NULL) {
		wl_seat_release(client->seat);
	}
	xdg_wm_base_destroy(client->wm_base);
	wl_shm_destroy(client->shm);
	wl_compositor_destroy(client->compositor);
	wl_registry_destroy(client->registry);
	/* Whatever goes wrong in the teardown shows here as a protocol error. */
	client_roundtrip(client);
	wl_display_disconnect(client->display);
}

static void fail_disconnected(struct client *client) {
	int error = wl_display_get_error(client->display);
	if (error == EPROTO) {
		const struct wl_interface *interface = NULL;
		uint32_t id = 0;
		uint32_t code = wl_display_get_protocol_error(client->display, &interface, &id);
		client_fail("protocol error %u on %s", code, interface ? interface->name : "?");
	}
	client_fail("connection lost: %s", strerror(error));
}

void client_dispatch(struct client *client) {
	if (wl_display_dispatch(client->display) < 0) {
		fail_disconnected(client);
	}
}

void client_roundtrip(struct client *client) {
	if (wl_display_roundtrip(client->display) < 0) {
		fail_disconnected(client);
	}
}

struct wl_subsurface *client_get_subsurface(
	struct client *client, struct wl_surface *surface, struct wl_surface *parent) {
	if (client->subcompositor == NULL) {
		client_fail("no wl_subcompositor");
	}
	return wl_subcompositor_get_subsurface(client->subcompositor, surface, parent);
}

/* A frame callback that has not come; freed by it, or by client_finish(). */
struct frame {
	struct wl_list link; // client.frames
	struct client *client;
	struct wl_callback *callback;
};

static void frame_destroy(struct frame *frame) {
	wl_list_remove(&frame->link);
	wl_callback_destroy(frame->callback);
	free(frame);
}

static void drop_frames(struct client *client) {
	struct frame *frame, *tmp;
	wl_list_for_each_safe (frame, tmp, &client->frames, link) {
		frame_destroy(frame);
	}
}

static void frame_handle_done(void *data, struct wl_callback *callback, uint32_t time) {
	struct frame *frame = data;
	frame->client->unpresented--;
	frame_destroy(frame);
}

static const struct wl_callback_listener frame_listener = {
	.done = frame_handle_done,
};

void client_expect_frame(struct client *client, struct wl_surface *surface) {
	struct frame *frame = calloc(1, sizeof(*frame));
	if (frame == NULL) {
		client_fail("out of memory");
	}
	frame->client = client;
	frame->callback = wl_surface_frame(surface);
	wl_callback_add_listener(frame->callback, &frame_listener, frame);
	wl_list_insert(&client->frames, &frame->link);
	client->unpresented++;
}

void client_wait_presented(struct client *client) {
	while (client->unpresented > 0) {
		client_dispatch(client);
	}
}

void client_barrier(struct client *client, struct wl_surface *surface) {
	client_expect_frame(client, surface);
	wl_surface_commit(surface);
	client_wait_presented(client);
}

void client_wait(struct client *client, const bool *flag) {
	while (!*flag) {
		client_dispatch(client);
	}
}

/* Reads what stands on standard input and takes one line off it: the harness sends a line only
 * after it has seen the stage, so no more than one line is ever waiting. */
static bool read_line(struct client *client) {
	char buffer[256];
	ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));
	if (n < 0 && errno == EINTR) {
		return false;
	}
	if (n <= 0) {
		client->stdin_eof = true;
		return false;
	}
	return memchr(buffer, '\n', (size_t)n) != NULL;
}

/* Waits for the display or standard input; true when a whole line has come. */
static bool poll_once(struct client *client) {
	while (wl_display_prepare_read(client->display) != 0) {
		if (wl_display_dispatch_pending(client->display) < 0) {
			fail_disconnected(client);
		}
	}
	if (wl_display_flush(client->display) < 0 && errno != EAGAIN) {
		wl_display_cancel_read(client->display);
		fail_disconnected(client);
	}
	struct pollfd fds[] = {
		{.fd = wl_display_get_fd(client->display), .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};
	if (client->closed || poll(fds, 2, -1) < 0) {
		wl_display_cancel_read(client->display);
		return false;
	}
	if (fds[0].revents != 0) {
		if (wl_display_read_events(client->display) < 0) {
			fail_disconnected(client);
		}
	} else {
		wl_display_cancel_read(client->display);
	}
	if (wl_display_dispatch_pending(client->display) < 0) {
		fail_disconnected(client);
	}
	return fds[1].revents != 0 && read_line(client);
}

bool client_stage(struct client *client, const char *name) {
	client_log("ready %s", name);
	bool line = false;
	while (!line && !client->closed && !client->stdin_eof) {
		line = poll_once(client);
	}
	return line;
}

bool client_show_stage(struct client *client, const char *name) {
	client_wait_presented(client);
	return client_stage(client, name);
}
