#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wayland-server.h>

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

/* sink-surface.c: surfaces, and what is measured at their commits */
void sink_create_surface(struct wl_client *client, struct wl_resource *resource, uint32_t id);
void sink_answer_frames(struct surface *surface);

/* sink-shell.c: everything else a client wants to see, and is not used */
void sink_create_globals(struct sink *sink);
void sink_configure(struct surface *surface);

#endif
