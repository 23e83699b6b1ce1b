#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <wayland-client.h>

#include "stamp.h"
#include "xdg-shell-client-protocol.h"

/*
 * Windows that draw whenever a frame callback comes: the damaged rectangle gets new content in each
 * frame, in runs of eight equal pixels, and its stamp just before the commit.
 */

#define BUFFERS 3

struct window;

struct buffer {
	struct window *window;
	struct wl_buffer *wl_buffer;
	uint8_t *pixels;
	bool busy;
};

struct window {
	struct generator *generator;
	struct wl_surface *surface;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct buffer buffers[BUFFERS];
	uint64_t serial;
	bool configured, due; /* due: a frame callback came and nothing was drawn since */
};

struct generator {
	struct wl_display *display;
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct xdg_wm_base *wm_base;
	struct window *windows;
	int32_t width, height, damage_width, damage_height;
	bool move; /* the damaged rectangle is elsewhere in each frame */
	bool unpaced; /* commit whenever a buffer is free, whatever was shown */
	uint64_t commits;
	unsigned int window_count;
	uint64_t frames_max; /* for each window, 0: without end */
	uint64_t interval; /* ns between frames, 0: as fast as frame callbacks come */
	uint64_t next;
	bool closed;
};

static volatile sig_atomic_t stopped;

static void handle_signal(int number) {
	stopped = 1;
}

static uint32_t hash(uint32_t value) {
	value ^= value >> 16;
	value *= 0x7feb352du;
	value ^= value >> 15;
	return value * 0x846ca68bu;
}

/* Where a frame's damage is: in the middle, or moving through a grid without overlap. */
static void place(const struct generator *generator, uint64_t serial, int32_t *x, int32_t *y) {
	*x = (generator->width - generator->damage_width) / 2;
	*y = (generator->height - generator->damage_height) / 2;
	if (generator->move) {
		uint64_t columns = (uint64_t)(generator->width / generator->damage_width);
		uint64_t rows = (uint64_t)(generator->height / generator->damage_height);
		*x = (int32_t)(serial % columns) * generator->damage_width;
		*y = (int32_t)(serial / columns % rows) * generator->damage_height;
	}
}

static void draw(const struct generator *generator, struct buffer *buffer, uint64_t serial) {
	int32_t left, top;
	place(generator, serial, &left, &top);
	for (int32_t y = 0; y < generator->damage_height; y++) {
		uint32_t *row = (uint32_t *)(void *)buffer->pixels +
				(size_t)(top + y) * (size_t)generator->width + left;
		uint32_t seed = hash((uint32_t)serial * 4099u + (uint32_t)y);
		for (int32_t x = 0; x < generator->damage_width; x++) {
			row[x] = seed + (uint32_t)(x / 8) * 2654435761u;
		}
	}
}

static void write_stamp(const struct generator *generator, struct buffer *buffer, uint64_t serial) {
	size_t stride = (size_t)generator->width * 4;
	int32_t x, y;
	place(generator, serial, &x, &y);
	uint8_t *first = buffer->pixels + (size_t)y * stride + (size_t)x * 4;
	uint8_t *end = first + (size_t)(generator->damage_height - 1) * stride +
		       (size_t)generator->damage_width * 4;
	memcpy(end - sizeof(serial), &serial, sizeof(serial));
	const struct stamp stamp = {STAMP_MAGIC, serial, stamp_now()};
	memcpy(first, &stamp, sizeof(stamp));
}

static void commit_frame(struct window *window);

static void handle_frame(void *data, struct wl_callback *callback, uint32_t time) {
	struct window *window = data;
	wl_callback_destroy(callback);
	window->due = true;
	commit_frame(window);
}

static const struct wl_callback_listener frame_listener = {.done = handle_frame};

static struct buffer *find_buffer(struct window *window) {
	for (size_t i = 0; i < BUFFERS; i++) {
		if (!window->buffers[i].busy) {
			return &window->buffers[i];
		}
	}
	return NULL;
}

static void commit_frame(struct window *window) {
	struct generator *generator = window->generator;
	struct buffer *buffer = find_buffer(window);
	bool finished = generator->frames_max != 0 && window->serial >= generator->frames_max;
	if (!(window->due || generator->unpaced) || finished || buffer == NULL ||
		(generator->interval != 0 && stamp_now() < generator->next)) {
		return;
	}
	window->due = false;
	window->serial++;
	draw(generator, buffer, window->serial);
	wl_surface_attach(window->surface, buffer->wl_buffer, 0, 0);
	if (window->serial == 1) {
		wl_surface_damage_buffer(
			window->surface, 0, 0, generator->width, generator->height);
	} else {
		int32_t x, y;
		place(generator, window->serial, &x, &y);
		wl_surface_damage_buffer(
			window->surface, x, y, generator->damage_width, generator->damage_height);
	}
	if (!generator->unpaced) {
		wl_callback_add_listener(
			wl_surface_frame(window->surface), &frame_listener, window);
	}
	generator->commits++;
	write_stamp(generator, buffer, window->serial);
	buffer->busy = true;
	wl_surface_commit(window->surface);
	wl_display_flush(generator->display);
}

static void handle_release(void *data, struct wl_buffer *wl_buffer) {
	struct buffer *buffer = data;
	buffer->busy = false;
	commit_frame(buffer->window);
}

static const struct wl_buffer_listener buffer_listener = {.release = handle_release};

static void handle_surface_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial) {
	struct window *window = data;
	xdg_surface_ack_configure(xdg_surface, serial);
	if (!window->configured) {
		window->configured = true;
		window->due = true;
		commit_frame(window);
	} else {
		/* a commit without content takes the acknowledgement along */
		wl_surface_commit(window->surface);
	}
}

static const struct xdg_surface_listener xdg_surface_listener = {
	.configure = handle_surface_configure,
};

static void handle_configure(void *data, struct xdg_toplevel *toplevel, int32_t width,
	int32_t height, struct wl_array *states) {
}

static void handle_close(void *data, struct xdg_toplevel *toplevel) {
	((struct window *)data)->generator->closed = true;
}

static void handle_bounds(
	void *data, struct xdg_toplevel *toplevel, int32_t width, int32_t height) {
}

static void handle_capabilities(
	void *data, struct xdg_toplevel *toplevel, struct wl_array *capabilities) {
}

static const struct xdg_toplevel_listener toplevel_listener = {
	.configure = handle_configure,
	.close = handle_close,
	.configure_bounds = handle_bounds,
	.wm_capabilities = handle_capabilities,
};

static void handle_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial) {
	xdg_wm_base_pong(wm_base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = {.ping = handle_ping};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct generator *generator = data;
	if (strcmp(interface, wl_compositor_interface.name) == 0) {
		generator->compositor =
			wl_registry_bind(registry, name, &wl_compositor_interface, 4);
	} else if (strcmp(interface, wl_shm_interface.name) == 0) {
		generator->shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, xdg_wm_base_interface.name) == 0) {
		generator->wm_base = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
		xdg_wm_base_add_listener(generator->wm_base, &wm_base_listener, generator);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static void make_buffers(struct window *window) {
	struct generator *generator = window->generator;
	size_t size = (size_t)generator->width * (size_t)generator->height * 4;
	int fd = memfd_create("generator", MFD_CLOEXEC);
	uint8_t *map = MAP_FAILED;
	if (fd >= 0 && ftruncate(fd, (off_t)(size * BUFFERS)) == 0) {
		map = mmap(NULL, size * BUFFERS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			fd, 0);
	}
	if (map == MAP_FAILED) {
		perror("generator: buffers");
		exit(1);
	}
	memset(map, 0x80, size * BUFFERS);
	struct wl_shm_pool *pool =
		wl_shm_create_pool(generator->shm, fd, (int32_t)(size * BUFFERS));
	close(fd);
	for (int i = 0; i < BUFFERS; i++) {
		struct buffer *buffer = &window->buffers[i];
		buffer->window = window;
		buffer->pixels = map + size * (size_t)i;
		buffer->wl_buffer = wl_shm_pool_create_buffer(pool, (int32_t)(size * (size_t)i),
			generator->width, generator->height, generator->width * 4,
			WL_SHM_FORMAT_XRGB8888);
		wl_buffer_add_listener(buffer->wl_buffer, &buffer_listener, buffer);
	}
	wl_shm_pool_destroy(pool);
}

static void make_window(struct generator *generator, struct window *window) {
	window->generator = generator;
	make_buffers(window);
	window->surface = wl_compositor_create_surface(generator->compositor);
	window->xdg_surface = xdg_wm_base_get_xdg_surface(generator->wm_base, window->surface);
	xdg_surface_add_listener(window->xdg_surface, &xdg_surface_listener, window);
	window->toplevel = xdg_surface_get_toplevel(window->xdg_surface);
	xdg_toplevel_add_listener(window->toplevel, &toplevel_listener, window);
	xdg_toplevel_set_title(window->toplevel, "generator");
	wl_surface_commit(window->surface);
}

static int connect_display(struct generator *generator) {
	generator->display = wl_display_connect(NULL);
	if (generator->display == NULL) {
		perror("generator: WAYLAND_DISPLAY");
		return -1;
	}
	struct wl_registry *registry = wl_display_get_registry(generator->display);
	wl_registry_add_listener(registry, &registry_listener, generator);
	wl_display_roundtrip(generator->display);
	if (generator->compositor == NULL || generator->shm == NULL || generator->wm_base == NULL) {
		fputs("generator: the compositor lacks an interface\n", stderr);
		return -1;
	}
	return 0;
}

/* Wait for events, or with a rate for the next frame's time. */
static int wait_events(struct generator *generator) {
	for (unsigned int i = 0; generator->unpaced && i < generator->window_count; i++) {
		if (generator->windows[i].configured) {
			commit_frame(&generator->windows[i]);
		}
	}
	if (generator->interval == 0) {
		return wl_display_dispatch(generator->display);
	}
	uint64_t now = stamp_now();
	if (now >= generator->next) {
		generator->next +=
			generator->interval * (1 + (now - generator->next) / generator->interval);
		uint64_t next = generator->next;
		generator->next = 0;
		for (unsigned int i = 0; i < generator->window_count; i++) {
			commit_frame(&generator->windows[i]);
		}
		generator->next = next;
		now = stamp_now();
	}
	wl_display_flush(generator->display);
	const struct timespec timeout = {
		.tv_sec =
			generator->next > now ? (time_t)((generator->next - now) / 1000000000u) : 0,
		.tv_nsec =
			generator->next > now ? (long)((generator->next - now) % 1000000000u) : 0,
	};
	struct pollfd pollfd = {.fd = wl_display_get_fd(generator->display), .events = POLLIN};
	if (ppoll(&pollfd, 1, &timeout, NULL) <= 0) {
		return 0;
	}
	return wl_display_dispatch(generator->display);
}

static int parse(struct generator *generator, int argc, char *argv[]) {
	static const struct option options[] = {
		{"size", required_argument, NULL, 's'},
		{"damage", required_argument, NULL, 'd'},
		{"windows", required_argument, NULL, 'w'},
		{"frames", required_argument, NULL, 'f'},
		{"rate", required_argument, NULL, 'r'},
		{"move", no_argument, NULL, 'm'},
		{"unpaced", no_argument, NULL, 'u'},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			sscanf(optarg, "%dx%d", &generator->width, &generator->height);
			break;
		case 'd':
			sscanf(optarg, "%dx%d", &generator->damage_width,
				&generator->damage_height);
			break;
		case 'w':
			generator->window_count = (unsigned int)atoi(optarg);
			break;
		case 'f':
			generator->frames_max = (uint64_t)atoll(optarg);
			break;
		case 'r':
			generator->interval = UINT64_C(1000000000) / (uint64_t)atoi(optarg);
			break;
		case 'm':
			generator->move = true;
			break;
		case 'u':
			generator->unpaced = true;
			break;
		default:
			return -1;
		}
	}
	if (generator->damage_width == 0) {
		generator->damage_width = generator->width;
		generator->damage_height = generator->height;
	}
	return generator->width >= 64 && generator->height >= 64 &&
			       generator->damage_width <= generator->width &&
			       generator->damage_height <= generator->height &&
			       generator->damage_width >= 8 && generator->damage_height >= 1 &&
			       generator->window_count > 0
		       ? 0
		       : -1;
}

int main(int argc, char *argv[]) {
	struct generator generator = {.width = 640, .height = 480, .window_count = 1};
	if (parse(&generator, argc, argv) < 0) {
		fputs("generator --size WxH [--damage WxH] [--windows N] [--frames N] [--rate HZ]\n"
		      "          [--move] [--unpaced]\n",
			stderr);
		return 2;
	}
	signal(SIGTERM, handle_signal);
	signal(SIGINT, handle_signal);
	generator.windows = calloc(generator.window_count, sizeof(*generator.windows));
	if (generator.windows == NULL || connect_display(&generator) < 0) {
		return 1;
	}
	generator.next = stamp_now();
	for (unsigned int i = 0; i < generator.window_count; i++) {
		make_window(&generator, &generator.windows[i]);
	}
	while (!stopped && !generator.closed && wait_events(&generator) >= 0) {
	}
	fprintf(stderr, "%lu commits\n", generator.commits);
	wl_display_disconnect(generator.display);
	free(generator.windows);
	return 0;
}
