#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wayland-server.h>

#include "stamp.h"
#include "xdg-shell-server-protocol.h"

/*
 * A Wayland server that shows nothing and measures: at each commit it reads the stamp in the pixels
 * and answers the frame callbacks at once, so that no repaint cycle is in the figures. With --hold
 * it keeps the shown buffer until the next commit, as a compositor does that reads it late; without,
 * it releases inside the commit, as one does that uploads.
 * With --refresh frame callbacks wait for a clock instead.
 * SIGUSR1 forgets what was measured so far; SIGUSR2 prints it as a line of JSON.
 */

#define SAMPLES_MAX 4000000

struct sink {
	struct wl_display *display;
	bool hold;
	int interval; /* ms between answers to frame callbacks, 0: at once */
	struct wl_event_source *timer;
	struct wl_list surfaces; /* surface.link */
	uint64_t commits, frames, stale, torn, since;
	uint32_t *samples; /* latencies, 100 ns */
};

#define DAMAGES_MAX 16

struct rectangle {
	int32_t x, y, width, height;
};

struct surface {
	struct sink *sink;
	struct wl_list link; /* sink.surfaces */
	struct rectangle damages[DAMAGES_MAX]; /* since the last commit */
	size_t damage_count;
	struct wl_resource *xdg_surface, *toplevel;
	struct wl_resource *pending, *shown; /* buffers */
	struct wl_listener pending_destroy, shown_destroy;
	struct wl_list pending_frames, frames; /* wl_resource link: frame callbacks */
	bool attached, configured;
	uint64_t serial;
};

static void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void take_sample(struct sink *sink, const struct stamp *stamp, uint64_t now) {
	if (sink->frames < SAMPLES_MAX) {
		sink->samples[sink->frames] = (uint32_t)((now - stamp->committed) / 100);
	}
	sink->frames++;
}

/* The stamp at the begin of a damaged rectangle. False when there is none. */
static bool read_stamp(struct wl_shm_buffer *buffer, const struct rectangle *at,
	struct stamp *stamp, uint64_t *last) {
	if (at->x < 0 || at->y < 0 || at->width < 8 || at->height < 1 ||
		at->x > wl_shm_buffer_get_width(buffer) - at->width ||
		at->y > wl_shm_buffer_get_height(buffer) - at->height) {
		return false;
	}
	size_t stride = (size_t)wl_shm_buffer_get_stride(buffer);
	const uint8_t *first = (const uint8_t *)wl_shm_buffer_get_data(buffer) +
		(size_t)at->y * stride + (size_t)at->x * 4;
	const uint8_t *end = first + (size_t)(at->height - 1) * stride + (size_t)at->width * 4;
	memcpy(stamp, first, sizeof(*stamp));
	memcpy(last, end - sizeof(*last), sizeof(*last));
	return stamp->magic == STAMP_MAGIC;
}

static void look_at(struct surface *surface, struct wl_resource *buffer) {
	struct sink *sink = surface->sink;
	uint64_t now = stamp_now();
	struct wl_shm_buffer *shm = wl_shm_buffer_get(buffer);
	sink->commits++;
	if (shm == NULL) {
		return;
	}
	bool fresh = false;
	wl_shm_buffer_begin_access(shm);
	for (size_t i = 0; i < surface->damage_count && !fresh; i++) {
		struct stamp stamp;
		uint64_t last;
		if (read_stamp(shm, &surface->damages[i], &stamp, &last) &&
			stamp.serial != surface->serial) {
			fresh = true;
			sink->torn += last != stamp.serial;
			surface->serial = stamp.serial;
			take_sample(sink, &stamp, now);
		}
	}
	wl_shm_buffer_end_access(shm);
	sink->stale += !fresh;
}

static void forget_buffer(struct wl_resource **buffer, struct wl_listener *listener) {
	if (*buffer != NULL) {
		wl_list_remove(&listener->link);
		*buffer = NULL;
	}
}

static void handle_pending_destroy(struct wl_listener *listener, void *data) {
	struct surface *surface = wl_container_of(listener, surface, pending_destroy);
	forget_buffer(&surface->pending, listener);
}

static void handle_shown_destroy(struct wl_listener *listener, void *data) {
	struct surface *surface = wl_container_of(listener, surface, shown_destroy);
	forget_buffer(&surface->shown, listener);
}

static void keep_buffer(struct wl_resource **slot, struct wl_resource *buffer,
	struct wl_listener *listener, wl_notify_func_t notify) {
	*slot = buffer;
	if (buffer != NULL) {
		listener->notify = notify;
		wl_resource_add_destroy_listener(buffer, listener);
	}
}

static void surface_attach(struct wl_client *client, struct wl_resource *resource,
	struct wl_resource *buffer, int32_t x, int32_t y) {
	struct surface *surface = wl_resource_get_user_data(resource);
	forget_buffer(&surface->pending, &surface->pending_destroy);
	keep_buffer(&surface->pending, buffer, &surface->pending_destroy, handle_pending_destroy);
	surface->attached = true;
}

static void handle_frame_destroy(struct wl_resource *resource) {
	wl_list_remove(wl_resource_get_link(resource));
}

static void surface_frame(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct surface *surface = wl_resource_get_user_data(resource);
	struct wl_resource *callback =
		wl_resource_create(client, &wl_callback_interface, 1, id);
	wl_resource_set_implementation(callback, NULL, NULL, handle_frame_destroy);
	wl_list_insert(surface->pending_frames.prev, wl_resource_get_link(callback));
}

static void show(struct surface *surface) {
	struct wl_resource *buffer = surface->pending, *former = surface->shown;
	forget_buffer(&surface->pending, &surface->pending_destroy);
	surface->attached = false;
	if (buffer != NULL) {
		look_at(surface, buffer);
	}
	if (surface->sink->hold) {
		forget_buffer(&surface->shown, &surface->shown_destroy);
		keep_buffer(
			&surface->shown, buffer, &surface->shown_destroy, handle_shown_destroy);
		if (former != NULL && former != buffer) {
			wl_buffer_send_release(former);
		}
	} else if (buffer != NULL) {
		wl_buffer_send_release(buffer);
	}
}

static void configure(struct surface *surface) {
	struct wl_array states;
	wl_array_init(&states);
	xdg_toplevel_send_configure(surface->toplevel, 0, 0, &states);
	xdg_surface_send_configure(
		surface->xdg_surface, wl_display_next_serial(surface->sink->display));
	surface->configured = true;
}

static void answer_frames(struct surface *surface) {
	struct wl_resource *callback, *next;
	wl_resource_for_each_safe(callback, next, &surface->frames) {
		wl_callback_send_done(callback, (uint32_t)(stamp_now() / 1000000));
		wl_resource_destroy(callback);
	}
}

static int handle_refresh(void *data) {
	struct sink *sink = data;
	struct surface *surface;
	wl_list_for_each(surface, &sink->surfaces, link) {
		answer_frames(surface);
	}
	wl_event_source_timer_update(sink->timer, sink->interval);
	return 0;
}

static void surface_commit(struct wl_client *client, struct wl_resource *resource) {
	struct surface *surface = wl_resource_get_user_data(resource);
	if (surface->toplevel != NULL && !surface->configured) {
		configure(surface);
	}
	if (surface->attached) {
		show(surface);
	}
	surface->damage_count = 0;
	wl_list_insert_list(&surface->frames, &surface->pending_frames);
	wl_list_init(&surface->pending_frames);
	if (surface->sink->interval == 0) {
		answer_frames(surface);
	}
}

static void surface_damage(struct wl_client *client, struct wl_resource *resource, int32_t x,
	int32_t y, int32_t width, int32_t height) {
	struct surface *surface = wl_resource_get_user_data(resource);
	if (surface->damage_count < DAMAGES_MAX) {
		surface->damages[surface->damage_count++] =
			(struct rectangle){x, y, width, height};
	}
}

static void ignore_region(
	struct wl_client *client, struct wl_resource *resource, struct wl_resource *region) {
}

static void ignore_number(struct wl_client *client, struct wl_resource *resource, int32_t number) {
}

static void ignore_offset(
	struct wl_client *client, struct wl_resource *resource, int32_t x, int32_t y) {
}

static const struct wl_surface_interface surface_impl = {
	.destroy = destroy_resource,
	.attach = surface_attach,
	.damage = surface_damage,
	.frame = surface_frame,
	.set_opaque_region = ignore_region,
	.set_input_region = ignore_region,
	.commit = surface_commit,
	.set_buffer_transform = ignore_number,
	.set_buffer_scale = ignore_number,
	.damage_buffer = surface_damage,
	.offset = ignore_offset,
};

static void handle_surface_destroy(struct wl_resource *resource) {
	struct surface *surface = wl_resource_get_user_data(resource);
	forget_buffer(&surface->pending, &surface->pending_destroy);
	forget_buffer(&surface->shown, &surface->shown_destroy);
	struct wl_resource *callback, *next;
	wl_resource_for_each_safe(callback, next, &surface->pending_frames) {
		wl_resource_destroy(callback);
	}
	wl_resource_for_each_safe(callback, next, &surface->frames) {
		wl_resource_destroy(callback);
	}
	wl_list_remove(&surface->link);
	if (surface->xdg_surface != NULL) {
		wl_resource_set_user_data(surface->xdg_surface, NULL);
	}
	if (surface->toplevel != NULL) {
		wl_resource_set_user_data(surface->toplevel, NULL);
	}
	free(surface);
}

static void create_surface(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct surface *surface = calloc(1, sizeof(*surface));
	surface->sink = wl_resource_get_user_data(resource);
	wl_list_init(&surface->pending_frames);
	wl_list_init(&surface->frames);
	wl_list_insert(&surface->sink->surfaces, &surface->link);
	struct wl_resource *surface_resource = wl_resource_create(
		client, &wl_surface_interface, wl_resource_get_version(resource), id);
	wl_resource_set_implementation(
		surface_resource, &surface_impl, surface, handle_surface_destroy);
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
	.create_surface = create_surface,
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

static int compare(const void *a, const void *b) {
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return left < right ? -1 : left > right;
}

static double percentile(const struct sink *sink, double part) {
	uint64_t count = sink->frames < SAMPLES_MAX ? sink->frames : SAMPLES_MAX;
	return count == 0 ? 0 : sink->samples[(uint64_t)((double)(count - 1) * part)] / 10.0;
}

static int handle_report(int number, void *data) {
	struct sink *sink = data;
	double seconds = (double)(stamp_now() - sink->since) / 1e9;
	size_t count = sink->frames < SAMPLES_MAX ? sink->frames : SAMPLES_MAX;
	qsort(sink->samples, count, sizeof(*sink->samples), compare);
	printf("{\"seconds\": %.6f, \"commits\": %lu, \"frames\": %lu, \"stale\": %lu, "
	       "\"torn\": %lu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
		seconds, sink->commits, sink->frames, sink->stale, sink->torn,
		percentile(sink, 0.5), percentile(sink, 0.99));
	fflush(stdout);
	return 0;
}

static int handle_reset(int number, void *data) {
	struct sink *sink = data;
	sink->commits = sink->frames = sink->stale = sink->torn = 0;
	sink->since = stamp_now();
	puts("{}");
	fflush(stdout);
	return 0;
}

static int handle_stop(int number, void *data) {
	wl_display_terminate(((struct sink *)data)->display);
	return 0;
}

static int parse(struct sink *sink, int argc, char *argv[]) {
	static const struct option options[] = {
		{"hold", no_argument, NULL, 'h'},
		{"refresh", required_argument, NULL, 'r'},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			sink->hold = true;
			break;
		case 'r':
			sink->interval = 1000 / atoi(optarg);
			break;
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

int main(int argc, char *argv[]) {
	struct sink sink = {.since = stamp_now()};
	if (parse(&sink, argc, argv) < 0) {
		fputs("sink [--hold] [--refresh HZ]\n", stderr);
		return 2;
	}
	sink.samples = calloc(SAMPLES_MAX, sizeof(*sink.samples));
	sink.display = wl_display_create();
	wl_list_init(&sink.surfaces);
	wl_display_set_default_max_buffer_size(sink.display, 1 << 20);
	const char *socket = wl_display_add_socket_auto(sink.display);
	if (sink.samples == NULL || socket == NULL) {
		perror("sink");
		return 1;
	}
	wl_display_init_shm(sink.display);
	wl_global_create(sink.display, &wl_compositor_interface, 6, &sink, bind_compositor);
	wl_global_create(sink.display, &xdg_wm_base_interface, 1, &sink, bind_wm_base);
	wl_global_create(sink.display, &wl_seat_interface, 5, &sink, bind_seat);
	wl_global_create(sink.display, &wl_output_interface, 4, &sink, bind_output);
	struct wl_event_loop *loop = wl_display_get_event_loop(sink.display);
	if (sink.interval > 0) {
		sink.timer = wl_event_loop_add_timer(loop, handle_refresh, &sink);
		wl_event_source_timer_update(sink.timer, sink.interval);
	}
	wl_event_loop_add_signal(loop, SIGUSR1, handle_reset, &sink);
	wl_event_loop_add_signal(loop, SIGUSR2, handle_report, &sink);
	wl_event_loop_add_signal(loop, SIGTERM, handle_stop, &sink);
	printf("{\"socket\": \"%s\"}\n", socket);
	fflush(stdout);
	wl_display_run(sink.display);
	wl_display_destroy_clients(sink.display);
	wl_display_destroy(sink.display);
	free(sink.samples);
	return 0;
}
