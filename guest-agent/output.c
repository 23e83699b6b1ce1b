#include "output.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client-protocol.h>
#include <wlr/interfaces/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/util/log.h>
#include <wlr/util/transform.h>
#include <xdg-output-unstable-v1-client-protocol.h>

#define OUTPUT_VERSION 4

static void output_link_bind(struct output_link *link);

/* The local output: a wlr_output that no backend drives */

static bool output_commit(struct wlr_output *wlr, const struct wlr_output_state *state) {
	return true;
}

static void handle_wlr_destroy(struct wlr_output *wlr) {
	struct output *output = wl_container_of(wlr, output, wlr);
	wlr_output_finish(wlr);
	free(output);
}

static const struct wlr_output_impl output_impl = {
	.commit = output_commit,
	.destroy = handle_wlr_destroy,
};

static void describe_state(
	const struct output_description *description, struct wlr_output_state *state) {
	int width = description->width, height = description->height;
	float scale = (float)description->scale;

	wlr_output_transform_coords(
		(enum wl_output_transform)description->transform, &width, &height);
	if (description->logical_width > 0) {
		// wl_output rounds a fractional scale up
		scale = (float)width / (float)description->logical_width;
	}
	wlr_output_state_init(state);
	wlr_output_state_set_enabled(state, true);
	wlr_output_state_set_custom_mode(
		state, description->width, description->height, description->refresh);
	wlr_output_state_set_scale(state, scale);
	wlr_output_state_set_transform(state, (enum wl_output_transform)description->transform);
	wlr_output_state_set_subpixel(state, (enum wl_output_subpixel)description->subpixel);
}

static void copy_string(char **to, const char *from) {
	char *copy = from != NULL ? strdup(from) : NULL;
	free(*to);
	*to = copy;
}

static struct output *output_create(
	struct agent *agent, uint32_t global, const struct output_description *description) {
	struct output *output = calloc(1, sizeof(*output));
	struct wlr_output_state state;
	if (output == NULL) {
		return NULL;
	}
	describe_state(description, &state);
	wlr_output_init(&output->wlr, NULL, &output_impl, agent->loop, &state);
	wlr_output_state_finish(&state);
	output->agent = agent;
	output->global = global;
	output->present = true;

	char fallback[32];
	snprintf(fallback, sizeof(fallback), "portal-%u", global);
	wlr_output_set_name(&output->wlr, description->name != NULL ? description->name : fallback);
	copy_string(&output->wlr.description, description->description);
	copy_string(&output->wlr.make, description->make);
	copy_string(&output->wlr.model, description->model);
	output->wlr.phys_width = description->phys_width;
	output->wlr.phys_height = description->phys_height;
	wl_list_insert(agent->outputs.prev, &output->link);
	return output;
}

/*
 * The output is told of now, so a surface can be on it: a controller says so when it is bound, to
 * applications on connections of their own, which can be faster than the agent's.
 */
static void bind_late(struct agent *agent, uint32_t global) {
	struct app *app;
	wl_list_for_each (app, &agent->apps, link) {
		struct output_link *link;
		if (app->connection == NULL) {
			continue;
		}
		wl_list_for_each (link, &app->connection->outputs, link) {
			if (link->global == global && link->mirror == NULL) {
				output_link_bind(link);
			}
		}
	}
}

static struct output *output_find(struct agent *agent, uint32_t global) {
	struct output *output;
	wl_list_for_each (output, &agent->outputs, link) {
		if (output->present && output->global == global) {
			return output;
		}
	}
	return NULL;
}

/* After a reconnection an output is the one that had its name. */
static struct output *output_find_absent(struct agent *agent, const char *name) {
	struct output *output;
	wl_list_for_each (output, &agent->outputs, link) {
		if (!output->present && name != NULL && strcmp(output->wlr.name, name) == 0) {
			return output;
		}
	}
	return NULL;
}

static void output_apply(struct output_link *link) {
	struct agent *agent = link->connection->agent;
	const struct output_description *description = &link->next;
	struct output *output = output_find(agent, link->global);
	struct wlr_output_state state;

	if (description->width <= 0 || description->height <= 0) {
		return; // not driven now
	}
	if (output == NULL) {
		output = output_find_absent(agent, description->name);
		if (output != NULL) {
			output->present = true;
			output->global = link->global;
		} else {
			output = output_create(agent, link->global, description);
		}
	}
	if (output == NULL) {
		wlr_log_errno(WLR_ERROR, "cannot show an output to the applications");
		return;
	}
	bind_late(agent, link->global);
	describe_state(description, &state);
	wlr_output_commit_state(&output->wlr, &state);
	wlr_output_state_finish(&state);
	wlr_output_set_description(&output->wlr, description->description);

	if (description->logical_width > 0) {
		server_place_output(
			agent, &output->wlr, description->logical_x, description->logical_y);
	} else if (description->x != 0 || description->y != 0) {
		server_place_output(agent, &output->wlr, description->x, description->y);
	} else {
		// wlroots compositors say 0,0 of each output, and some hide xdg-output from guests.
		server_place_output_beside(agent, &output->wlr);
	}
}

void output_forget_all(struct agent *agent) {
	struct output *output;
	wl_list_for_each (output, &agent->outputs, link) {
		output->present = false;
	}
}

void output_sweep(struct agent *agent) {
	struct output *output, *tmp;
	wl_list_for_each_safe (output, tmp, &agent->outputs, link) {
		if (!output->present) {
			output_destroy(output);
		}
	}
}

void output_destroy(struct output *output) {
	wl_list_remove(&output->link);
	wlr_output_destroy(&output->wlr); // ends in handle_wlr_destroy()
}

/* The controller's side */

static void handle_geometry(void *data, struct wl_output *mirror, int32_t x, int32_t y,
	int32_t phys_width, int32_t phys_height, int32_t subpixel, const char *make,
	const char *model, int32_t transform) {
	struct output_link *link = data;
	struct output_description *next = &link->next;

	next->x = x;
	next->y = y;
	next->phys_width = phys_width;
	next->phys_height = phys_height;
	next->subpixel = subpixel;
	next->transform = transform >= WL_OUTPUT_TRANSFORM_NORMAL &&
					  transform <= WL_OUTPUT_TRANSFORM_FLIPPED_270
				  ? transform
				  : WL_OUTPUT_TRANSFORM_NORMAL;
	copy_string(&next->make, make);
	copy_string(&next->model, model);
}

static void handle_mode(void *data, struct wl_output *mirror, uint32_t flags, int32_t width,
	int32_t height, int32_t refresh) {
	struct output_link *link = data;
	if ((flags & WL_OUTPUT_MODE_CURRENT) != 0) {
		link->next.width = width;
		link->next.height = height;
		link->next.refresh = refresh;
	}
}

static void handle_done(void *data, struct wl_output *mirror) {
	struct output_link *link = data;
	if (link->connection->app == NULL) {
		output_apply(link);
	}
}

static void handle_scale(void *data, struct wl_output *mirror, int32_t factor) {
	struct output_link *link = data;
	link->next.scale = factor > 0 ? factor : 1;
}

static void handle_name(void *data, struct wl_output *mirror, const char *name) {
	struct output_link *link = data;
	copy_string(&link->next.name, name);
}

static void handle_description(void *data, struct wl_output *mirror, const char *description) {
	struct output_link *link = data;
	copy_string(&link->next.description, description);
}

static const struct wl_output_listener output_listener = {
	.geometry = handle_geometry,
	.mode = handle_mode,
	.done = handle_done,
	.scale = handle_scale,
	.name = handle_name,
	.description = handle_description,
};

static void handle_logical_position(void *data, struct zxdg_output_v1 *xdg, int32_t x, int32_t y) {
	struct output_link *link = data;
	link->next.logical_x = x;
	link->next.logical_y = y;
}

static void handle_logical_size(
	void *data, struct zxdg_output_v1 *xdg, int32_t width, int32_t height) {
	struct output_link *link = data;
	link->next.logical_width = width;
	link->next.logical_height = height;
}

static void handle_xdg_done(void *data, struct zxdg_output_v1 *xdg) {
	handle_done(data, NULL); // version 2; since 3 wl_output.done follows
}

static void handle_xdg_string(void *data, struct zxdg_output_v1 *xdg, const char *text) {
	// wl_output says it too
}

static const struct zxdg_output_v1_listener xdg_output_listener = {
	.logical_position = handle_logical_position,
	.logical_size = handle_logical_size,
	.done = handle_xdg_done,
	.name = handle_xdg_string,
	.description = handle_xdg_string,
};

static void output_link_bind(struct output_link *link) {
	link->mirror = wl_registry_bind(
		link->connection->registry, link->global, &wl_output_interface, link->version);
	wl_output_add_listener(link->mirror, &output_listener, link);
}

void output_bind(struct connection *connection, uint32_t global, uint32_t version) {
	struct output_link *link = calloc(1, sizeof(*link));

	if (link == NULL || version < 2) { // before `done`
		free(link);
		return;
	}
	link->connection = connection;
	link->global = global;
	link->next.scale = 1;
	link->version = version < OUTPUT_VERSION ? version : OUTPUT_VERSION;
	wl_list_insert(connection->outputs.prev, &link->link);
	if (connection->app != NULL && output_find(connection->agent, global) == NULL) {
		return; // bind_late() comes back
	}
	output_link_bind(link);
	if (connection->ready) {
		output_describe(link);
	}
}

void output_describe(struct output_link *link) {
	struct connection *connection = link->connection;
	if (connection->app == NULL && connection->xdg_output != NULL && link->xdg == NULL) {
		link->xdg =
			zxdg_output_manager_v1_get_xdg_output(connection->xdg_output, link->mirror);
		zxdg_output_v1_add_listener(link->xdg, &xdg_output_listener, link);
	}
}

void output_link_destroy(struct output_link *link) {
	struct agent *agent = link->connection->agent;

	if (link->xdg != NULL) {
		zxdg_output_v1_destroy(link->xdg);
	}
	if (link->mirror == NULL) {
		// an application's, which the agent's own connection has not told of
	} else if (wl_output_get_version(link->mirror) >= WL_OUTPUT_RELEASE_SINCE_VERSION) {
		wl_output_release(link->mirror);
	} else {
		wl_output_destroy(link->mirror);
	}
	if (link->connection->app == NULL) {
		// Unplugged; when the controller is gone, output_forget_all() came first.
		struct output *output = output_find(agent, link->global);
		if (output != NULL) {
			output_destroy(output);
		}
	}
	free(link->next.name);
	free(link->next.description);
	free(link->next.make);
	free(link->next.model);
	wl_list_remove(&link->link);
	free(link);
}

struct output *output_from_mirror(struct agent *agent, struct wl_output *mirror) {
	struct output_link *link = mirror != NULL ? wl_output_get_user_data(mirror) : NULL;
	return link != NULL ? output_find(agent, link->global) : NULL;
}

struct wl_output *output_mirror(struct connection *connection, const struct wlr_output *wlr) {
	const struct output *output = wl_container_of(wlr, output, wlr);
	struct output_link *link;
	wl_list_for_each (link, &connection->outputs, link) {
		if (link->global == output->global) {
			return link->mirror;
		}
	}
	return NULL;
}
