/* stubborn WHAT: an application that makes its guest's agent work for its living. Each is followed
 * by something ordinary, which must go as if nothing had been.
 *
 *   shrunk            a buffer whose file is cut to nothing before it is committed
 *   flood COUNT       so many requests at once that change what no frame carries
 *   moving COUNT      so many commits at once that each change more than pixels
 *   ask               requests that nothing can stand for, until the connection breaks
 *   room WIDTH HEIGHT a buffer of this size, which may have to wait for room in the heap
 *   pair WIDTH HEIGHT HEIGHT
 *                     the same of two: a window, and a subsurface that is shown with it
 *   knot sync|desync|free|destroy HEIGHT HEIGHT
 *                     the same, and while they wait the subsurface is bound to the window's frames,
 *                     set free of them (where it is itself shown or not), or destroyed
 *   crowd COUNT       so many surfaces
 *   lace COUNT        an opaque and an input region of so many rectangles
 *   named NAME        a window of that name
 *   vast              a window as large as can be said, and one of its usual size again */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "feature.h"
#include "window.h"

static void shrunk(struct client *client, struct window *window) {
	const int width = 300, height = 200, stride = width * 4;
	int fd = memfd_create("portal-test-shrunk", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, stride * height) != 0) {
		client_fail("no shared memory");
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(client->shm, fd, stride * height);
	struct wl_buffer *buffer =
		wl_shm_pool_create_buffer(pool, 0, width, height, stride, WL_SHM_FORMAT_ARGB8888);
	client_roundtrip(client); // it is mapped
	if (ftruncate(fd, 0) != 0) {
		client_fail("cannot cut the file");
	}
	wl_surface_attach(window->surface, buffer, 0, 0);
	wl_surface_damage_buffer(window->surface, 0, 0, width, height);
	client_barrier(client, window->surface);
	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	close(fd);
}

/* Writes what libwayland holds, waiting where the socket is full. */
static void flush(struct client *client) {
	struct pollfd pollfd = {.fd = wl_display_get_fd(client->display), .events = POLLOUT};
	while (wl_display_flush(client->display) < 0) {
		if (errno != EAGAIN || poll(&pollfd, 1, -1) < 0) {
			client_fail("the connection broke");
		}
	}
}

static void flood(struct client *client, struct window *window, long count) {
	char title[512];
	memset(title, 'x', sizeof(title));
	title[sizeof(title) - 1] = '\0';
	for (long i = 0; i < count; i++) {
		snprintf(title, 32, "%031ld", i);
		title[31] = ' ';
		xdg_toplevel_set_title(window->toplevel, title);
		if (i % 8 == 0) {
			flush(client);
		}
	}
	client_barrier(client, window->surface);
}

static void moving(struct client *client, struct window *window, long count) {
	for (long i = 0; i < count; i++) {
		xdg_surface_set_window_geometry(window->xdg_surface, 0, 0, 300 - (int)(i % 2), 200);
		wl_surface_commit(window->surface);
		if (i % 8 == 0) {
			flush(client);
		}
	}
	xdg_surface_set_window_geometry(window->xdg_surface, 0, 0, 300, 200);
	client_barrier(client, window->surface);
}

static _Noreturn void ask(struct client *client, struct window *window) {
	for (long i = 0;; i++) {
		xdg_toplevel_unset_maximized(window->toplevel);
		if (i % 256 == 0) {
			flush(client);
		}
	}
}

static void crowd(struct client *client, long count) {
	struct wl_surface **surfaces = calloc((size_t)count, sizeof(struct wl_surface *));
	struct buffer *buffer = buffer_create_argb(client, 16, 16);
	for (long i = 0; surfaces != NULL && i < count; i++) {
		surfaces[i] = wl_compositor_create_surface(client->compositor);
		buffer_attach(buffer, surfaces[i]);
		wl_surface_commit(surfaces[i]);
		flush(client);
	}
	for (long i = 0; surfaces != NULL && i < count; i++) {
		wl_surface_destroy(surfaces[i]);
		flush(client);
	}
	client_roundtrip(client);
	buffer_destroy(buffer);
	free(surfaces);
}

static void lace(struct client *client, struct window *window, long count) {
	struct wl_region *region = wl_compositor_create_region(client->compositor);
	for (int i = 0; i < count; i++) {
		wl_region_add(region, 2 * (i % 150), 2 * (i / 150), 1, 1);
		flush(client);
	}
	wl_surface_set_opaque_region(window->surface, region);
	wl_surface_set_input_region(window->surface, region);
	wl_region_destroy(region);
	client_barrier(client, window->surface);
}

static void vast(struct client *client, struct window *window) {
	struct wp_viewport *viewport =
		wp_viewporter_get_viewport(client->viewporter, window->surface);
	wp_viewport_set_destination(viewport, INT32_MAX, INT32_MAX);
	client_barrier(client, window->surface);
	client_stage(client, "vast");
	wp_viewport_destroy(viewport);
}

/* What may have to wait for room in the heap, of one surface or, with `below`, of two. */
static void room(struct client *client, struct window *window, int width, int height, int below) {
	struct wl_surface *surface = NULL;
	struct wl_subsurface *subsurface = NULL;
	struct buffer *buffer = NULL;
	if (below > 0) {
		surface = wl_compositor_create_surface(client->compositor);
		subsurface = client_get_subsurface(client, surface, window->surface);
		wl_subsurface_set_position(subsurface, 0, height);
		buffer = buffer_create_argb(client, width, below);
		buffer_pattern(buffer, 8);
		buffer_attach(buffer, surface);
		wl_surface_commit(surface);
	}
	window->buffer = buffer_create_argb(client, width, height);
	buffer_pattern(window->buffer, 7);
	window_show(window, window->buffer);
	client_roundtrip(client);
	client_log("committed");
	client_show_stage(client, "shown");
	if (below > 0) {
		wl_subsurface_destroy(subsurface);
		wl_surface_destroy(surface);
		buffer_destroy(buffer);
	}
}

static void knot(
	struct client *client, struct window *window, const char *how, int height, int below) {
	const int width = 1024;
	bool sync = strcmp(how, "sync") == 0, destroy = strcmp(how, "destroy") == 0;
	bool shown = sync || strcmp(how, "desync") == 0;
	struct wl_surface *surface = wl_compositor_create_surface(client->compositor);
	struct wl_subsurface *subsurface = client_get_subsurface(client, surface, window->surface);
	if (sync) {
		wl_subsurface_set_desync(subsurface);
	}
	struct buffer *upper = buffer_create_argb(client, width, height);
	struct buffer *lower = buffer_create_argb(client, width, below);
	buffer_pattern(upper, 7);
	buffer_pattern(lower, 8);
	buffer_attach(lower, surface);
	if (shown) {
		client_expect_frame(client, surface);
	}
	wl_surface_commit(surface);
	window_show(window, upper);
	client_roundtrip(client);
	if (destroy) {
		wl_subsurface_destroy(subsurface);
	} else if (sync) {
		wl_subsurface_set_sync(subsurface);
	} else {
		wl_subsurface_set_desync(subsurface);
	}
	client_roundtrip(client);
	client_log("committed");
	client_show_stage(client, "shown");
	if (!destroy) {
		wl_subsurface_destroy(subsurface);
	}
	wl_surface_destroy(surface);
	buffer_destroy(lower);
	window_draw(window, 300, 200, 1);
	buffer_wait_release(client, upper);
	buffer_destroy(upper);
}

void feature_stubborn(struct client *client, int argc, char **argv) {
	const char *what = argc > 0 ? argv[0] : "";
	long first = argc > 1 ? atol(argv[1]) : 0, second = argc > 2 ? atol(argv[2]) : 0;
	long third = argc > 3 ? atol(argv[3]) : 0;
	bool named = strcmp(what, "named") == 0 && argc > 1;
	struct window *window = window_create(client, named ? argv[1] : "stubborn", 0, 0);

	bool pair = strcmp(what, "pair") == 0 && third > 0;
	if ((pair || strcmp(what, "room") == 0) && first > 0 && second > 0) {
		room(client, window, (int)first, (int)second, pair ? (int)third : 0);
		window_destroy(window);
		return;
	}
	window_draw(window, 300, 200, 1);
	bool going = client_show_stage(client, "ordinary");
	if (going && strcmp(what, "shrunk") == 0) {
		shrunk(client, window);
	} else if (going && strcmp(what, "flood") == 0) {
		flood(client, window, first);
	} else if (going && strcmp(what, "moving") == 0) {
		moving(client, window, first);
	} else if (going && strcmp(what, "ask") == 0) {
		ask(client, window);
	} else if (going && strcmp(what, "crowd") == 0) {
		crowd(client, first);
	} else if (going && strcmp(what, "lace") == 0) {
		lace(client, window, first);
	} else if (going && strcmp(what, "vast") == 0) {
		vast(client, window);
	} else if (going && strcmp(what, "knot") == 0 && argc > 3) {
		knot(client, window, argv[1], (int)second, (int)third);
	}
	if (going) {
		window_draw(window, 300, 200, 2);
		client_show_stage(client, "ordinary again");
	}
	window_destroy(window);
}
