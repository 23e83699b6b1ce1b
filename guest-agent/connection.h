/*
 * A Wayland connection to the controller: one per application, and one of the agent's own.
 * It is pumped from the agent's event loop and never blocks.
 */
#ifndef GUEST_AGENT_CONNECTION_H
#define GUEST_AGENT_CONNECTION_H

#include "serial.h"
#include <stdbool.h>
#include <stdint.h>
#include <wayland-client-core.h>
#include <wayland-server-core.h>

struct agent;
struct app;

struct connection {
	struct agent *agent;
	struct app *app; // NULL for the agent's own
	struct wl_display *remote;
	struct wl_event_source *source;
	uint32_t mask; // what the event source waits for
	struct link *link; // what moves its messages; NULL: the socket leads to the compositor
	bool congested; // not all was taken: what can wait and be superseded is held back
	bool broken; // to be given up after the dispatch that is running
	bool ready; // the globals below are bound

	struct wl_registry *registry;
	struct wl_callback *sync;

	// The controller's globals, NULL where it lacks them
	struct wl_compositor *compositor;
	struct wl_subcompositor *subcompositor;
	struct wl_shm *shm;
	struct wl_shm_pool *pool; // over the heap
	struct wl_array formats; // uint32_t DRM fourcc of wl_shm; the agent's own connection only
	struct xdg_wm_base *wm_base;
	struct wp_viewporter *viewporter;
	struct wp_presentation *presentation;
	struct wp_cursor_shape_manager_v1 *cursor_shape;
	struct wp_fractional_scale_manager_v1 *fractional_scale;
	struct xdg_activation_v1 *activation;
	struct zxdg_decoration_manager_v1 *decoration;
	struct zxdg_output_manager_v1 *xdg_output;

	struct wl_list slots; // content_slot.link
	struct wl_list feedbacks; // feedback.link, see presentation.c
	struct wl_list purchases; // purchase.link, see activation.c
	bool clock_known; // the controller presents in CLOCK_MONOTONIC
	struct wl_list outputs; // output_link.link
	struct wl_list seats; // seat_link.link
	struct serial_map serials; // of input events
};

/** Connects; `app` is NULL for the agent's own connection. Returns NULL with errno. */
struct connection *connection_create(struct agent *agent, struct app *app);
/** Every mirror object on it must be gone. */
void connection_destroy(struct connection *connection);

/** For the agent's own: the controller takes buffers of this wl_shm format. */
void connection_add_format(struct connection *connection, uint32_t shm_format);
/** For the agent's own: does the controller take buffers of this DRM format? */
bool connection_has_format(const struct connection *connection, uint32_t drm_format);

/** Reads and dispatches what its link has just got from the channel; it can be gone afterwards. */
void connection_read_delivered(struct connection *connection);

/** Writes what is queued; what the peer does not take now goes when it can. */
void connection_flush(struct connection *connection);

#endif
