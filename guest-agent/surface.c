#include "surface.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "drag.h"
#include "group.h"
#include "output.h"
#include "presentation.h"
#include "region.h"
#include "seat.h"
#include "subsurface.h"
#include "xdg.h"
#include <fractional-scale-v1-client-protocol.h>
#include <stdlib.h>
#include <time.h>
#include <viewporter-client-protocol.h>
#include <wayland-client-protocol.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_fractional_scale_v1.h>
#include <wlr/types/wlr_subcompositor.h>

// What a mirror can lack of the state that wlroots keeps.
#define STATE_FIELDS                                                                               \
	(WLR_SURFACE_STATE_OPAQUE_REGION | WLR_SURFACE_STATE_INPUT_REGION |                        \
		WLR_SURFACE_STATE_TRANSFORM | WLR_SURFACE_STATE_SCALE |                            \
		WLR_SURFACE_STATE_VIEWPORT)

struct surface *surface_from_wlr(struct wlr_surface *wlr) {
	return wlr->data;
}

struct surface *surface_from_mirror(struct wl_surface *mirror) {
	// Events can name a surface that was destroyed while they were on their way.
	return mirror != NULL ? wl_surface_get_user_data(mirror) : NULL;
}

struct connection *surface_connection(const struct surface *surface) {
	struct connection *connection = surface->app->connection;
	return connection != NULL && connection->ready ? connection : NULL;
}

/* The mirror's events */

/* A former mirror was on them; no controller tells that it is not any more. */
static void leave_others(struct surface *surface, const struct output *entered) {
	struct wlr_surface_output *on, *tmp;
	wl_list_for_each_safe (on, tmp, &surface->wlr->current_outputs, link) {
		if (on->output != &entered->wlr) {
			wlr_surface_send_leave(surface->wlr, on->output);
		}
	}
}

static void handle_enter(void *data, struct wl_surface *mirror, struct wl_output *output) {
	struct surface *surface = data;
	struct output *local = output_from_mirror(surface->app->agent, output);
	if (local == NULL) {
		return;
	}
	wlr_surface_send_enter(surface->wlr, &local->wlr);
	if (!surface->entered) {
		surface->entered = true;
		leave_others(surface, local);
	}
}

static void handle_leave(void *data, struct wl_surface *mirror, struct wl_output *output) {
	struct surface *surface = data;
	struct output *local = output_from_mirror(surface->app->agent, output);
	if (local != NULL) {
		wlr_surface_send_leave(surface->wlr, &local->wlr);
	}
}

static void handle_preferred_scale(void *data, struct wl_surface *mirror, int32_t factor) {
	struct surface *surface = data;
	wlr_surface_set_preferred_buffer_scale(surface->wlr, factor);
}

static void handle_preferred_transform(void *data, struct wl_surface *mirror, uint32_t transform) {
	struct surface *surface = data;
	wlr_surface_set_preferred_buffer_transform(surface->wlr, transform);
}

static const struct wl_surface_listener surface_listener = {
	.enter = handle_enter,
	.leave = handle_leave,
	.preferred_buffer_scale = handle_preferred_scale,
	.preferred_buffer_transform = handle_preferred_transform,
};

static void handle_fractional_scale(
	void *data, struct wp_fractional_scale_v1 *object, uint32_t scale) {
	struct surface *surface = data;
	wlr_fractional_scale_v1_notify_scale(surface->wlr, scale / 120.0);
}

static const struct wp_fractional_scale_v1_listener fractional_scale_listener = {
	.preferred_scale = handle_fractional_scale,
};

static void handle_frame_done(void *data, struct wl_callback *callback, uint32_t time) {
	struct surface *surface = data;
	struct timespec now;

	wl_callback_destroy(callback);
	surface->frame = NULL;
	clock_gettime(CLOCK_MONOTONIC, &now);
	wlr_surface_send_frame_done(surface->wlr, &now);
	surface_update(surface);
}

static const struct wl_callback_listener frame_listener = {.done = handle_frame_done};

void surface_realize(struct surface *surface) {
	struct connection *connection = surface_connection(surface);
	if (surface->mirror != NULL || connection == NULL) {
		return;
	}
	surface->mirror = wl_compositor_create_surface(connection->compositor);
	wl_surface_add_listener(surface->mirror, &surface_listener, surface);
	if (connection->fractional_scale != NULL) {
		surface->fractional_scale = wp_fractional_scale_manager_v1_get_fractional_scale(
			connection->fractional_scale, surface->mirror);
		wp_fractional_scale_v1_add_listener(
			surface->fractional_scale, &fractional_scale_listener, surface);
	}
	surface->dirty |= STATE_FIELDS;
	surface_mark(surface);
}

static void drop_frame(struct surface *surface) {
	if (surface->frame != NULL) {
		wl_callback_destroy(surface->frame);
		surface->frame = NULL;
	}
}

void surface_unrealize(struct surface *surface) {
	if (surface->mirror == NULL) {
		return;
	}
	if (surface->xdg != NULL) {
		xdg_unrealize(surface->xdg);
	}
	if (surface->subsurface != NULL) {
		subsurface_unrealize(surface->subsurface);
	}
	if (surface->drag != NULL) {
		drag_icon_unrealize(surface);
	}
	drop_frame(surface);
	if (surface->viewport != NULL) {
		wp_viewport_destroy(surface->viewport);
		surface->viewport = NULL;
	}
	if (surface->fractional_scale != NULL) {
		wp_fractional_scale_v1_destroy(surface->fractional_scale);
		surface->fractional_scale = NULL;
	}
	seat_forget_surface(surface->app->connection, surface->mirror);
	wl_surface_destroy(surface->mirror);
	surface->mirror = NULL;
	surface->shown = surface->entered = false;
}

void surface_mark(struct surface *surface) {
	surface->pending = true;
	surface->urgent = true;
}

void surface_hide(struct surface *surface) {
	content_clear(&surface->content);
	if (surface->mirror != NULL && surface->shown) {
		wl_surface_attach(surface->mirror, NULL, 0, 0);
		wl_surface_commit(surface->mirror);
		surface->shown = false;
	}
	drop_frame(surface);
}

/* Sending */

static void send_viewport(struct surface *surface, struct connection *connection) {
	const struct wlr_surface_state *state = &surface->wlr->current;

	if (connection->viewporter == NULL ||
		(surface->viewport == NULL && !state->viewport.has_src &&
			!state->viewport.has_dst)) {
		return;
	}
	if (surface->viewport == NULL) {
		surface->viewport =
			wp_viewporter_get_viewport(connection->viewporter, surface->mirror);
	}
	if (state->viewport.has_src) {
		wp_viewport_set_source(surface->viewport,
			wl_fixed_from_double(state->viewport.src.x),
			wl_fixed_from_double(state->viewport.src.y),
			wl_fixed_from_double(state->viewport.src.width),
			wl_fixed_from_double(state->viewport.src.height));
	} else {
		wp_viewport_set_source(surface->viewport, wl_fixed_from_int(-1),
			wl_fixed_from_int(-1), wl_fixed_from_int(-1), wl_fixed_from_int(-1));
	}
	if (state->viewport.has_dst) {
		wp_viewport_set_destination(
			surface->viewport, state->viewport.dst_width, state->viewport.dst_height);
	} else {
		wp_viewport_set_destination(surface->viewport, -1, -1);
	}
}

static void send_state(struct surface *surface, struct connection *connection) {
	const struct wlr_surface_state *state = &surface->wlr->current;

	if ((surface->dirty & WLR_SURFACE_STATE_SCALE) != 0) {
		wl_surface_set_buffer_scale(surface->mirror, state->scale);
	}
	if ((surface->dirty & WLR_SURFACE_STATE_TRANSFORM) != 0) {
		wl_surface_set_buffer_transform(surface->mirror, (int32_t)state->transform);
	}
	if ((surface->dirty & WLR_SURFACE_STATE_VIEWPORT) != 0) {
		send_viewport(surface, connection);
	}
	if ((surface->dirty & WLR_SURFACE_STATE_OPAQUE_REGION) != 0) {
		region_send_opaque(surface, connection);
	}
	if ((surface->dirty & WLR_SURFACE_STATE_INPUT_REGION) != 0) {
		region_send_input(surface, connection);
	}
	surface->dirty = 0;
}

static void send_damage(struct surface *surface, const pixman_region32_t *damage) {
	int count = 0;
	const pixman_box32_t *boxes = pixman_region32_rectangles(damage, &count);
	for (int i = 0; i < count; i++) {
		int32_t width = boxes[i].x2 - boxes[i].x1, height = boxes[i].y2 - boxes[i].y1;
		wl_surface_damage_buffer(surface->mirror, boxes[i].x1, boxes[i].y1, width, height);
		surface->app->agent->stats.pixels_damaged += (uint64_t)width * (uint64_t)height;
	}
}

/* Attaches what is new; returns whether something was. */
static bool send_content(struct surface *surface, struct connection *connection) {
	if (surface->xdg != NULL && !xdg_can_show(surface->xdg)) {
		return false;
	}
	bool offset = wl_surface_get_version(surface->mirror) >= WL_SURFACE_OFFSET_SINCE_VERSION;
	int32_t dx = surface->dx, dy = surface->dy;
	if (offset && (dx != 0 || dy != 0)) {
		wl_surface_offset(surface->mirror, dx, dy);
		dx = dy = 0;
	}
	if (surface->content.cleared) {
		wl_surface_attach(surface->mirror, NULL, 0, 0);
		content_clear(&surface->content);
		surface->shown = false;
		drop_frame(surface);
		return false;
	}
	pixman_region32_t damage;
	pixman_region32_init(&damage);
	struct wl_buffer *buffer =
		content_take(&surface->content, connection, !surface->shown, &damage);
	if (buffer != NULL) {
		wl_surface_attach(surface->mirror, buffer, dx, dy);
		send_damage(surface, &damage);
		surface->shown = true;
	}
	if (buffer != NULL || offset) {
		surface->dx = surface->dy = 0;
	}
	pixman_region32_fini(&damage);
	return buffer != NULL;
}

static void surface_send(struct surface *surface) {
	struct connection *connection = surface_connection(surface);

	surface_realize(surface);
	send_state(surface, connection);
	subsurface_send_all(surface);
	subsurface_send_modes(surface);
	if (surface->xdg != NULL) {
		xdg_send(surface->xdg);
	}
	bool was_shown = surface->shown;
	bool attached = send_content(surface, connection);
	presentation_send(surface);
	if (surface->frame == NULL &&
		(attached || !wl_list_empty(&surface->wlr->current.frame_callback_list))) {
		surface->frame = wl_surface_frame(surface->mirror);
		wl_callback_add_listener(surface->frame, &frame_listener, surface);
	}
	wl_surface_commit(surface->mirror);
	surface->app->agent->stats.commits_out++;
	surface->pending = surface->urgent = false;
	if (surface->xdg != NULL && surface->shown && !was_shown) {
		xdg_shown(surface->xdg);
	}
}

/* The surface that this one's state is applied with: itself, or up along synchronised parents. */
static struct surface *surface_sync_root(struct surface *surface) {
	struct surface *root = surface;
	struct wlr_subsurface *sub = wlr_subsurface_try_from_wlr_surface(surface->wlr);
	for (; sub != NULL; sub = wlr_subsurface_try_from_wlr_surface(sub->parent)) {
		if (sub->synchronized) {
			root = surface_from_wlr(sub->parent);
		}
	}
	return root;
}

static bool is_urgent(struct surface *surface) {
	return surface->pending && surface->urgent;
}

static void set_starved(struct surface *surface, bool starved) {
	bool waits = !wl_list_empty(&surface->starved_link);
	if (starved && !waits) {
		agent_starved(surface->app->agent);
		wl_list_insert(surface->app->agent->starved.prev, &surface->starved_link);
	} else if (!starved && waits) {
		wl_list_remove(&surface->starved_link);
		wl_list_init(&surface->starved_link);
	} // else it keeps its place in line
}

/* Synchronised subsurfaces first: the controller applies them with their parent's commit. */
static void group_send(struct surface *surface) {
	subsurface_realize_all(surface);
	struct subsurface *sub;
	wl_list_for_each (sub, &surface->subsurfaces, link) {
		if (subsurface_is_synchronized(sub)) {
			group_send(sub->surface);
		}
	}
	if (surface->pending) {
		// It may have waited for itself before it was synchronised.
		set_starved(surface, false);
		surface_send(surface);
	}
	// One that was to be sent with this one until it was desynchronised.
	wl_list_for_each (sub, &surface->subsurfaces, link) {
		if (!subsurface_is_synchronized(sub)) {
			surface_update(sub->surface);
		}
	}
}

/* All of the way, so that whoever is sent next finds it, whatever is desynchronised until then. */
static void pass_up(struct surface *surface, struct surface *root) {
	while (surface != root) {
		struct surface *parent =
			surface_from_wlr(wlr_subsurface_try_from_wlr_surface(surface->wlr)->parent);
		parent->pending |= surface->pending;
		surface = parent;
	}
}

void surface_update(struct surface *surface) {
	struct surface *root = surface_sync_root(surface);
	struct connection *connection = surface_connection(root);

	if (surface != root) { // since it was synchronised, perhaps
		set_starved(surface, false);
		pass_up(surface, root);
	}
	// What a congested connection holds back goes with app_catch_up().
	if (connection == NULL || connection->congested || !root->pending) {
		return;
	}
	bool ready = root->frame == NULL || !root->shown;
	if (!ready && !group_any(root, is_urgent)) {
		return;
	}
	if (!group_reserve(root)) {
		set_starved(root, true);
		return;
	}
	set_starved(root, false);
	group_send(root);
}

/* The application's side */

static void handle_content_released(struct content *content) {
	struct surface *surface = wl_container_of(content, surface, content);
	if (!wl_list_empty(&surface_sync_root(surface)->starved_link)) {
		surface_update(surface);
	}
}

static void absorb(struct surface *surface) {
	const struct wlr_surface_state *state = &surface->wlr->current;

	surface->app->agent->stats.commits_in++;
	surface->pending = true;
	surface->dirty |= state->committed & STATE_FIELDS;
	if ((state->committed & WLR_SURFACE_STATE_OFFSET) != 0 && surface->drag != NULL) {
		drag_icon_offset(surface, state->dx, state->dy);
	} else if ((state->committed & WLR_SURFACE_STATE_OFFSET) != 0) {
		surface->dx += state->dx;
		surface->dy += state->dy;
	}
	if ((state->committed & WLR_SURFACE_STATE_BUFFER) != 0) {
		content_attach(&surface->content, state->buffer, &surface->wlr->buffer_damage);
	}
	if (surface->width != state->width || surface->height != state->height) {
		surface->width = state->width;
		surface->height = state->height;
		surface->urgent = true; // (un)mapped or resized
	}
	// Nobody waits for the frame callbacks of a cursor.
	surface->urgent |= surface->cursor || subsurface_changed(surface);
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct surface *surface = wl_container_of(listener, surface, commit);

	absorb(surface);
	if (surface->xdg != NULL) {
		xdg_commit(surface->xdg);
	}
	if (surface_sync_root(surface) == surface) {
		surface_update(surface);
	}
	if (surface->xdg != NULL) {
		xdg_committed(surface->xdg);
	}
}

static void handle_new_subsurface(struct wl_listener *listener, void *data) {
	struct surface *surface = wl_container_of(listener, surface, new_subsurface);
	subsurface_create(surface, data);
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct surface *surface = wl_container_of(listener, surface, destroy);
	struct subsurface *sub, *tmp;

	// wlroots destroys the subsurfaces of a parent only after this.
	wl_list_for_each_safe (sub, tmp, &surface->subsurfaces, link) {
		subsurface_orphan(sub);
	}
	surface_unrealize(surface);
	if (surface->drag != NULL) {
		drag_icon_forget(surface);
	}
	content_finish(&surface->content);
	wl_list_remove(&surface->starved_link);
	wl_list_remove(&surface->commit.link);
	wl_list_remove(&surface->new_subsurface.link);
	wl_list_remove(&surface->destroy.link);
	wl_list_remove(&surface->link);
	surface->wlr->data = NULL;
	free(surface->token);
	free(surface);
}

struct surface *surface_create(struct app *app, struct wlr_surface *wlr) {
	struct surface *surface = calloc(1, sizeof(*surface));
	if (surface == NULL) {
		return NULL;
	}
	surface->app = app;
	surface->wlr = wlr;
	wlr->data = surface;
	content_init(&surface->content, app->agent, handle_content_released);
	wl_list_init(&surface->subsurfaces);
	wl_list_init(&surface->starved_link);
	surface->commit.notify = handle_commit;
	wl_signal_add(&wlr->events.commit, &surface->commit);
	surface->new_subsurface.notify = handle_new_subsurface;
	wl_signal_add(&wlr->events.new_subsurface, &surface->new_subsurface);
	surface->destroy.notify = handle_destroy;
	wl_signal_add(&wlr->events.destroy, &surface->destroy);
	wl_list_insert(app->surfaces.prev, &surface->link);
	return surface;
}
