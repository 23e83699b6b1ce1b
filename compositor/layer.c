#include "layer.h"

#include <stdlib.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "output.h"
#include "popup.h"
#include "seat.h"
#include "server.h"

static struct wlr_scene_tree *stack_of(
	struct server *server, enum zwlr_layer_shell_v1_layer layer) {
	switch (layer) {
	case ZWLR_LAYER_SHELL_V1_LAYER_BACKGROUND:
		return server->stack[STACK_BACKGROUND];
	case ZWLR_LAYER_SHELL_V1_LAYER_BOTTOM:
		return server->stack[STACK_BOTTOM];
	case ZWLR_LAYER_SHELL_V1_LAYER_TOP:
		return server->stack[STACK_TOP];
	case ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY:
		break;
	}
	return server->stack[STACK_OVERLAY];
}

struct layer *layer_from_surface(struct server *server, struct wlr_surface *surface) {
	struct wlr_layer_surface_v1 *layer_surface =
		surface != NULL ? wlr_layer_surface_v1_try_from_wlr_surface(surface) : NULL;
	return layer_surface != NULL ? layer_surface->data : NULL;
}

bool layer_wants_keyboard(const struct layer *layer) {
	return layer->surface->surface->mapped &&
	       layer->surface->current.keyboard_interactive !=
		       ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_NONE;
}

struct layer *layer_exclusive(struct server *server) {
	struct layer *best = NULL, *layer;
	wl_list_for_each (layer, &server->layers, link) {
		const struct wlr_layer_surface_v1_state *state = &layer->surface->current;
		if (layer->surface->surface->mapped &&
			state->keyboard_interactive ==
				ZWLR_LAYER_SURFACE_V1_KEYBOARD_INTERACTIVITY_EXCLUSIVE &&
			state->layer >= ZWLR_LAYER_SHELL_V1_LAYER_TOP &&
			(best == NULL || state->layer > best->surface->current.layer)) {
			best = layer;
		}
	}
	return best;
}

/* One pass over a layer; those with an exclusive zone come first, they make the room smaller. */
static void arrange_pass(struct output *output, enum zwlr_layer_shell_v1_layer which,
	bool exclusive, struct wlr_box *usable) {
	struct layer *layer;
	wl_list_for_each (layer, &output->server->layers, link) {
		struct wlr_layer_surface_v1 *surface = layer->surface;
		if (surface->output != output->wlr_output || layer->scene == NULL ||
			!surface->initialized || surface->current.layer != which ||
			(surface->current.exclusive_zone > 0) != exclusive) {
			continue;
		}
		wlr_scene_layer_surface_v1_configure(layer->scene, &output->box, usable);
		wlr_scene_node_set_position(&layer->popups->node, layer->scene->tree->node.x,
			layer->scene->tree->node.y);
	}
}

void layer_arrange(struct output *output) {
	struct wlr_box usable = output->box;
	for (int pass = 0; pass < 2; pass++) {
		for (int i = ZWLR_LAYER_SHELL_V1_LAYER_OVERLAY;
			i >= ZWLR_LAYER_SHELL_V1_LAYER_BACKGROUND; i--) {
			arrange_pass(output, (enum zwlr_layer_shell_v1_layer)i, pass == 0, &usable);
		}
	}
	output->usable = usable;
}

void layer_close_output(struct output *output) {
	struct layer *layer, *next;
	wl_list_for_each_safe (layer, next, &output->server->layers, link) {
		if (layer->surface->output == output->wlr_output) {
			wlr_layer_surface_v1_destroy(layer->surface);
		}
	}
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, commit);
	struct wlr_layer_surface_v1 *surface = layer->surface;
	uint32_t committed = surface->current.committed;
	if (!surface->initialized || surface->output == NULL || layer->scene == NULL ||
		(!surface->initial_commit && committed == 0)) {
		return;
	}
	if (committed & WLR_LAYER_SURFACE_V1_STATE_LAYER) {
		wlr_scene_node_reparent(
			&layer->scene->tree->node, stack_of(layer->server, surface->current.layer));
	}
	struct output *output = output_from_wlr_output(layer->server, surface->output);
	if (output != NULL) {
		output_arrange(output);
	}
	seat_update_focus(layer->server);
}

static void handle_map(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, map);
	// Only what is mapped takes room from the windows.
	struct output *output = output_from_wlr_output(layer->server, layer->surface->output);
	if (output != NULL) {
		output_arrange(output);
	}
	seat_update_focus(layer->server);
}

static void handle_unmap(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, unmap);
	struct output *output =
		layer->surface->output != NULL
			? output_from_wlr_output(layer->server, layer->surface->output)
			: NULL;
	seat_forget_layer(layer);
	if (output != NULL && !layer->server->stopping) {
		output_arrange(output);
	}
}

static void handle_new_popup(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, new_popup);
	popup_create_for_layer(layer, data);
}

static void handle_tree_destroy(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, tree_destroy);
	wl_list_remove(&layer->tree_destroy.link);
	wl_list_init(&layer->tree_destroy.link);
	layer->scene = NULL;
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct layer *layer = wl_container_of(listener, layer, destroy);
	layer->surface->data = NULL;
	wl_list_remove(&layer->link);
	wl_list_remove(&layer->commit.link);
	wl_list_remove(&layer->map.link);
	wl_list_remove(&layer->unmap.link);
	wl_list_remove(&layer->new_popup.link);
	wl_list_remove(&layer->tree_destroy.link);
	wl_list_remove(&layer->destroy.link);
	wlr_scene_node_destroy(&layer->popups->node);
	struct output *output =
		layer->surface->output != NULL
			? output_from_wlr_output(layer->server, layer->surface->output)
			: NULL;
	if (output != NULL && !layer->server->stopping) {
		output_arrange(output);
	}
	free(layer);
}

static bool create_nodes(struct layer *layer) {
	struct server *server = layer->server;
	layer->scene = wlr_scene_layer_surface_v1_create(
		stack_of(server, layer->surface->pending.layer), layer->surface);
	if (layer->scene == NULL) {
		return false;
	}
	layer->popups = wlr_scene_tree_create(server->stack[STACK_LAYER_POPUPS]);
	if (layer->popups == NULL) {
		wlr_scene_node_destroy(&layer->scene->tree->node);
		return false;
	}
	layer->node = (struct node){.kind = NODE_LAYER, .owner = layer};
	node_attach(&layer->node, &layer->scene->tree->node);
	return true;
}

static void handle_new_surface(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_layer);
	struct wlr_layer_surface_v1 *surface = data;
	if (surface->output == NULL) {
		struct output *output = output_active(server);
		if (output == NULL) {
			wlr_layer_surface_v1_destroy(surface);
			return;
		}
		surface->output = output->wlr_output;
	}
	struct layer *layer = calloc(1, sizeof(*layer));
	if (layer == NULL) {
		wl_resource_post_no_memory(surface->resource);
		return;
	}
	layer->server = server;
	layer->surface = surface;
	if (!create_nodes(layer)) {
		free(layer);
		wl_resource_post_no_memory(surface->resource);
		return;
	}
	surface->data = layer;
	wl_list_insert(server->layers.prev, &layer->link);
	layer->commit.notify = handle_commit;
	wl_signal_add(&surface->surface->events.commit, &layer->commit);
	layer->map.notify = handle_map;
	wl_signal_add(&surface->surface->events.map, &layer->map);
	layer->unmap.notify = handle_unmap;
	wl_signal_add(&surface->surface->events.unmap, &layer->unmap);
	layer->new_popup.notify = handle_new_popup;
	wl_signal_add(&surface->events.new_popup, &layer->new_popup);
	layer->tree_destroy.notify = handle_tree_destroy;
	wl_signal_add(&layer->scene->tree->node.events.destroy, &layer->tree_destroy);
	layer->destroy.notify = handle_destroy;
	wl_signal_add(&surface->events.destroy, &layer->destroy);
}

void layer_init(struct server *server) {
	server->new_layer.notify = handle_new_surface;
	wl_signal_add(&server->globals.layer_shell->events.new_surface, &server->new_layer);
}

void layer_finish(struct server *server) {
	wl_list_remove(&server->new_layer.link);
}
