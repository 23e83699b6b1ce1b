/* outputs: prints every output with its properties once they are complete, when they change, and
 * when it goes; and which outputs a window enters and leaves. */
#include <stdlib.h>
#include <string.h>

#include "feature.h"
#include "window.h"

struct output {
	struct output *next;
	struct client *client;
	uint32_t global;
	struct wl_output *wl_output;
	struct zxdg_output_v1 *xdg_output; // NULL where not offered
	char *name, *description;
	int x, y, width_mm, height_mm, transform, scale;
	int width, height, refresh; // current mode: pixels, mHz
	int logical_x, logical_y, logical_width, logical_height;
};

struct outputs {
	struct client *client;
	struct output *first;
};

static void print_output(struct output *output) {
	client_log("output %s at %d,%d %dx%d@%d %dx%dmm scale %d transform %d logical %d,%d %dx%d",
		output->name ? output->name : "?", output->x, output->y, output->width,
		output->height, output->refresh, output->width_mm, output->height_mm, output->scale,
		output->transform, output->logical_x, output->logical_y, output->logical_width,
		output->logical_height);
}

static void output_geometry(void *data, struct wl_output *wl_output, int32_t x, int32_t y,
	int32_t width_mm, int32_t height_mm, int32_t subpixel, const char *make, const char *model,
	int32_t transform) {
	struct output *output = data;
	output->x = x;
	output->y = y;
	output->width_mm = width_mm;
	output->height_mm = height_mm;
	output->transform = transform;
}

static void output_mode(void *data, struct wl_output *wl_output, uint32_t flags, int32_t width,
	int32_t height, int32_t refresh) {
	struct output *output = data;
	if ((flags & WL_OUTPUT_MODE_CURRENT) != 0) {
		output->width = width;
		output->height = height;
		output->refresh = refresh;
	}
}

static void output_done(void *data, struct wl_output *wl_output) {
	print_output(data);
}

static void output_scale(void *data, struct wl_output *wl_output, int32_t scale) {
	struct output *output = data;
	output->scale = scale;
}

static void set_string(char **to, const char *from) {
	free(*to);
	*to = strdup(from);
}

static void output_name(void *data, struct wl_output *wl_output, const char *name) {
	struct output *output = data;
	set_string(&output->name, name);
}

static void output_description(void *data, struct wl_output *wl_output, const char *text) {
	struct output *output = data;
	set_string(&output->description, text);
}

static const struct wl_output_listener output_listener = {
	.geometry = output_geometry,
	.mode = output_mode,
	.done = output_done,
	.scale = output_scale,
	.name = output_name,
	.description = output_description,
};

static void xdg_output_position(
	void *data, struct zxdg_output_v1 *xdg_output, int32_t x, int32_t y) {
	struct output *output = data;
	output->logical_x = x;
	output->logical_y = y;
}

static void xdg_output_size(
	void *data, struct zxdg_output_v1 *xdg_output, int32_t width, int32_t height) {
	struct output *output = data;
	output->logical_width = width;
	output->logical_height = height;
}

static void xdg_output_done(void *data, struct zxdg_output_v1 *xdg_output) {
	/* Deprecated since version 3: wl_output.done covers both. */
}

static void xdg_output_string(void *data, struct zxdg_output_v1 *xdg_output, const char *text) {
	/* The same as the output's own name and description. */
}

static const struct zxdg_output_v1_listener xdg_output_listener = {
	.logical_position = xdg_output_position,
	.logical_size = xdg_output_size,
	.done = xdg_output_done,
	.name = xdg_output_string,
	.description = xdg_output_string,
};

static void add_output(struct client *client, uint32_t name, uint32_t version) {
	struct outputs *outputs = client->data;
	struct output *output = calloc(1, sizeof(*output));
	if (output == NULL) {
		client_fail("out of memory");
	}
	output->client = client;
	output->global = name;
	output->wl_output = wl_registry_bind(
		client->registry, name, &wl_output_interface, version < 4 ? version : 4);
	wl_output_add_listener(output->wl_output, &output_listener, output);
	if (client->xdg_outputs != NULL) {
		output->xdg_output = zxdg_output_manager_v1_get_xdg_output(
			client->xdg_outputs, output->wl_output);
		zxdg_output_v1_add_listener(output->xdg_output, &xdg_output_listener, output);
	}
	output->next = outputs->first;
	outputs->first = output;
}

static void output_destroy(struct output *output) {
	if (output->xdg_output != NULL) {
		zxdg_output_v1_destroy(output->xdg_output);
	}
	wl_output_release(output->wl_output);
	free(output->name);
	free(output->description);
	free(output);
}

static void handle_global(
	struct client *client, uint32_t name, const char *interface, uint32_t version) {
	if (strcmp(interface, wl_output_interface.name) == 0) {
		add_output(client, name, version);
	}
}

static void handle_global_remove(struct client *client, uint32_t name) {
	struct outputs *outputs = client->data;
	for (struct output **at = &outputs->first; *at != NULL; at = &(*at)->next) {
		if ((*at)->global == name) {
			struct output *gone = *at;
			client_log("output %s gone", gone->name ? gone->name : "?");
			*at = gone->next;
			output_destroy(gone);
			return;
		}
	}
}

static const char *find_name(struct outputs *outputs, struct wl_output *wl_output) {
	for (struct output *o = outputs->first; o != NULL; o = o->next) {
		if (o->wl_output == wl_output && o->name != NULL) {
			return o->name;
		}
	}
	return "?";
}

static void surface_enter(void *data, struct wl_surface *surface, struct wl_output *wl_output) {
	client_log("enter %s", find_name(data, wl_output));
}

static void surface_leave(void *data, struct wl_surface *surface, struct wl_output *wl_output) {
	client_log("leave %s", find_name(data, wl_output));
}

static void surface_preferred_scale(void *data, struct wl_surface *surface, int32_t scale) {
	client_log("preferred scale %d", scale);
}

static void surface_preferred_transform(
	void *data, struct wl_surface *surface, uint32_t transform) {
	client_log("preferred transform %u", transform);
}

static const struct wl_surface_listener surface_listener = {
	.enter = surface_enter,
	.leave = surface_leave,
	.preferred_buffer_scale = surface_preferred_scale,
	.preferred_buffer_transform = surface_preferred_transform,
};

/* The registry starts over, so that the xdg-output manager is known when the outputs come. */
void feature_outputs(struct client *client, int argc, char **argv) {
	struct outputs outputs = {.client = client};
	client->data = &outputs;
	client->global = handle_global;
	client->global_remove = handle_global_remove;
	client_restart_registry(client);
	client_roundtrip(client);
	client_roundtrip(client);
	struct window *window = window_create(client, "outputs", 160, 120);
	wl_surface_add_listener(window->surface, &surface_listener, &outputs);
	window_draw(window, 160, 120, 30);
	client_show_stage(client, "outputs");
	window_destroy(window);
	while (outputs.first != NULL) {
		struct output *gone = outputs.first;
		outputs.first = gone->next;
		output_destroy(gone);
	}
}
