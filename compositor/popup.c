#include "popup.h"

#include <stdlib.h>
#include <wlr/types/wlr_layer_shell_v1.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "compositor_config.h"
#include "layer.h"
#include "output.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

struct popup {
	struct server *server;
	struct wlr_xdg_popup *xdg;
	struct node node;
	/* What it belongs to at the root: one of them, until that is gone. */
	struct toplevel *toplevel;
	struct layer *layer;

	/* In the parent's tree of popups; its origin is the parent's window geometry. */
	struct wlr_scene_tree *tree;
	struct wlr_scene_tree *content; /* wlroots moves it to the popup's position */
	struct wlr_scene_rect *sides[4]; /* NULL when unlabelled */
	struct wlr_scene_rect *backing; /* the same */
	struct wlr_scene_tree *popups; /* of this popup */

	struct wl_listener commit;
	struct wl_listener reposition;
	struct wl_listener tree_destroy;
	struct wl_listener destroy;
};

/* Finds what a popup of PARENT belongs to. Returns the tree that it goes into, or NULL. */
static struct wlr_scene_tree *find_root(struct popup *popup, struct wlr_surface *parent) {
	struct wlr_xdg_surface *xdg = wlr_xdg_surface_try_from_wlr_surface(parent);
	if (xdg != NULL && xdg->data != NULL) {
		if (xdg->role == WLR_XDG_SURFACE_ROLE_TOPLEVEL) {
			popup->toplevel = xdg->data;
			return popup->toplevel->popups;
		}
		struct popup *outer = xdg->data;
		popup->toplevel = outer->toplevel;
		popup->layer = outer->layer;
		return outer->tree != NULL ? outer->popups : NULL;
	}
	popup->layer = layer_from_surface(popup->server, parent);
	return popup->layer != NULL ? popup->layer->popups : NULL;
}

static bool is_labelled(const struct popup *popup) {
	return popup->toplevel != NULL && popup->toplevel->label.kind != LABEL_LOCAL;
}

static void color_sides(struct popup *popup) {
	if (popup->sides[0] == NULL) {
		return;
	}
	uint32_t rgb = popup->toplevel->label.color;
	float color[4] = {((rgb >> 16) & 0xff) / 255.0f, ((rgb >> 8) & 0xff) / 255.0f,
		(rgb & 0xff) / 255.0f, 1};
	for (int i = 0; i < 4; i++) {
		wlr_scene_rect_set_color(popup->sides[i], color);
	}
}

static int border_width(const struct popup *popup) {
	return is_labelled(popup) ? popup->server->config->theme.popup_border_width : 0;
}

/* What may be seen of a labelled popup, in its parent's coordinates: so much that its border lies
 * on the output of its window as well. Empty: nothing. */
static struct wlr_box visible_box(const struct popup *popup) {
	struct wlr_box box = {
		.x = popup->xdg->current.geometry.x,
		.y = popup->xdg->current.geometry.y,
		.width = popup->xdg->base->geometry.width,
		.height = popup->xdg->base->geometry.height,
	};
	struct output *output = toplevel_find_output(popup->toplevel);
	int lx, ly;
	wlr_scene_node_coords(&popup->tree->node, &lx, &ly);
	if (output == NULL) {
		return (struct wlr_box){0};
	}
	int border = border_width(popup);
	struct wlr_box room = {
		.x = output->box.x - lx + border,
		.y = output->box.y - ly + border,
		.width = output->box.width - 2 * border,
		.height = output->box.height - 2 * border,
	};
	struct wlr_box visible;
	wlr_box_intersection(&visible, &box, &room);
	return visible;
}

/* Cuts off what the client draws beyond the popup, and draws the border around the rest. */
static void mark(struct popup *popup) {
	if (!is_labelled(popup)) {
		return;
	}
	struct wlr_box box = visible_box(popup);
	int border = border_width(popup);
	bool shown = popup->xdg->base->surface->mapped && !wlr_box_empty(&box);
	wlr_scene_node_set_enabled(&popup->tree->node, shown);
	if (!shown) {
		return;
	}
	const struct wlr_box clip = {
		.x = popup->xdg->base->geometry.x + box.x - popup->xdg->current.geometry.x,
		.y = popup->xdg->base->geometry.y + box.y - popup->xdg->current.geometry.y,
		.width = box.width,
		.height = box.height,
	};
	wlr_scene_subsurface_tree_set_clip(&popup->content->node, &clip);
	const struct wlr_box sides[4] = {
		{box.x - border, box.y - border, box.width + 2 * border, border},
		{box.x - border, box.y + box.height, box.width + 2 * border, border},
		{box.x - border, box.y, border, box.height},
		{box.x + box.width, box.y, border, box.height},
	};
	// Nothing of another window is to be seen through it.
	wlr_scene_node_set_position(&popup->backing->node, box.x, box.y);
	wlr_scene_rect_set_size(popup->backing, box.width, box.height);
	for (int i = 0; i < 4; i++) {
		wlr_scene_node_set_position(&popup->sides[i]->node, sides[i].x, sides[i].y);
		wlr_scene_rect_set_size(popup->sides[i], sides[i].width, sides[i].height);
	}
}

/* Keeps the popup on the output of its window, border included. */
static void unconstrain(struct popup *popup) {
	struct wlr_box box;
	int origin_x, origin_y;
	struct output *output;
	struct toplevel *toplevel = popup->toplevel;
	if (toplevel != NULL) {
		const struct wlr_box *geometry = &toplevel->xdg->base->geometry;
		output = toplevel_find_output(toplevel);
		// The box is wanted in coordinates of the root's surface, not of its geometry.
		origin_x = toplevel->box.x - geometry->x;
		origin_y = toplevel->box.y - geometry->y;
	} else if (popup->layer != NULL && popup->layer->scene != NULL) {
		output = output_from_wlr_output(popup->server, popup->layer->surface->output);
		wlr_scene_node_coords(&popup->layer->scene->tree->node, &origin_x, &origin_y);
	} else {
		return;
	}
	if (output == NULL) {
		return;
	}
	int border = border_width(popup);
	box = (struct wlr_box){
		.x = output->box.x - origin_x + border,
		.y = output->box.y - origin_y + border,
		.width = output->box.width - 2 * border,
		.height = output->box.height - 2 * border,
	};
	wlr_xdg_popup_unconstrain_from_box(popup->xdg, &box);
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, commit);
	if (popup->tree == NULL) {
		return;
	}
	if (popup->xdg->base->initial_commit) {
		unconstrain(popup);
		return;
	}
	wlr_scene_node_set_position(&popup->popups->node, popup->xdg->current.geometry.x,
		popup->xdg->current.geometry.y);
	mark(popup);
}

static void handle_reposition(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, reposition);
	if (popup->tree != NULL) {
		unconstrain(popup);
	}
}

/* The parent's tree can go first, and with it ours. */
static void handle_tree_destroy(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, tree_destroy);
	wl_list_remove(&popup->tree_destroy.link);
	wl_list_init(&popup->tree_destroy.link);
	popup->tree = NULL;
	popup->toplevel = NULL;
	popup->layer = NULL;
	for (int i = 0; i < 4; i++) {
		popup->sides[i] = NULL;
	}
	popup->backing = NULL;
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, destroy);
	wl_list_remove(&popup->commit.link);
	wl_list_remove(&popup->reposition.link);
	wl_list_remove(&popup->destroy.link);
	popup->xdg->base->data = NULL;
	if (popup->tree != NULL) {
		wlr_scene_node_destroy(&popup->tree->node);
	}
	free(popup);
}

static bool create_nodes(struct popup *popup, struct wlr_scene_tree *parent) {
	const float transparent[4] = {0};
	popup->tree = wlr_scene_tree_create(parent);
	if (popup->tree == NULL) {
		return false;
	}
	popup->node = (struct node){.kind = NODE_POPUP, .owner = popup};
	node_attach(&popup->node, &popup->tree->node);
	const float black[4] = {0, 0, 0, 1};
	bool ok = true;
	if (is_labelled(popup)) {
		popup->backing = wlr_scene_rect_create(popup->tree, 0, 0, black);
		ok = popup->backing != NULL;
	}
	popup->content = wlr_scene_xdg_surface_create(popup->tree, popup->xdg->base);
	ok = ok && popup->content != NULL;
	for (int i = 0; i < 4 && is_labelled(popup); i++) {
		popup->sides[i] = wlr_scene_rect_create(popup->tree, 0, 0, transparent);
		ok = ok && popup->sides[i] != NULL;
	}
	popup->popups = wlr_scene_tree_create(popup->tree);
	if (!ok || popup->popups == NULL) {
		wlr_scene_node_destroy(&popup->tree->node);
		return false;
	}
	color_sides(popup);
	return true;
}

static void create(struct server *server, struct wlr_xdg_popup *xdg, struct wlr_surface *parent) {
	struct popup *popup = calloc(1, sizeof(*popup));
	if (popup == NULL) {
		wl_resource_post_no_memory(xdg->resource);
		return;
	}
	popup->server = server;
	popup->xdg = xdg;
	struct wlr_scene_tree *tree = find_root(popup, parent);
	if (tree == NULL) {
		// What it belongs to is gone or not of a kind that has popups: never configured.
		free(popup);
		return;
	}
	if (!create_nodes(popup, tree)) {
		free(popup);
		wl_resource_post_no_memory(xdg->resource);
		return;
	}
	xdg->base->data = popup;
	popup->commit.notify = handle_commit;
	wl_signal_add(&xdg->base->surface->events.commit, &popup->commit);
	popup->reposition.notify = handle_reposition;
	wl_signal_add(&xdg->events.reposition, &popup->reposition);
	popup->tree_destroy.notify = handle_tree_destroy;
	wl_signal_add(&popup->tree->node.events.destroy, &popup->tree_destroy);
	popup->destroy.notify = handle_destroy;
	wl_signal_add(&xdg->events.destroy, &popup->destroy);
}

static void handle_new_popup(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_popup);
	struct wlr_xdg_popup *xdg = data;
	// A popup without a parent gets one from layer-shell; layer.c hands it in then.
	if (xdg->parent != NULL) {
		create(server, xdg, xdg->parent);
	}
}

void popup_create_for_layer(struct layer *layer, struct wlr_xdg_popup *xdg) {
	create(layer->server, xdg, layer->surface->surface);
}

/* The newest menu that has taken the seat, or NULL. */
static struct wlr_xdg_popup *newest_grabbing(const struct seat *seat) {
	struct wlr_xdg_popup_grab *grab;
	wl_list_for_each (grab, &seat->server->globals.xdg_shell->popup_grabs, link) {
		if (grab->seat == seat->wlr_seat && !wl_list_empty(&grab->popups)) {
			struct wlr_xdg_popup *popup =
				wl_container_of(grab->popups.next, popup, grab_link);
			return popup;
		}
	}
	return NULL;
}

static bool is_stray(const struct seat *seat, const struct wlr_xdg_popup *xdg, bool moved) {
	const struct popup *popup = xdg->base->data;
	if (popup == NULL || popup->tree == NULL) {
		return true;
	}
	if (popup->layer != NULL) {
		return moved && popup->layer != seat->focused_layer;
	}
	return popup->toplevel != seat->focused || seat->focused_layer != NULL;
}

/* wlr_xdg_popup_destroy() tells the client once; wlroots' own end of a grab tells it twice. */
void popup_check_grabs(struct seat *seat, bool moved) {
	struct wlr_xdg_popup *popup;
	// Looked for anew each time: with its last popup wlroots destroys the grab as well.
	while ((popup = newest_grabbing(seat)) != NULL && is_stray(seat, popup, moved)) {
		wlr_xdg_popup_destroy(popup);
	}
}

bool popup_is_open(const struct seat *seat) {
	return newest_grabbing(seat) != NULL;
}

bool popup_dismiss_by_press(struct seat *seat, struct wlr_surface *surface) {
	struct wlr_xdg_popup *popup = newest_grabbing(seat);
	if (popup == NULL || (surface != NULL && wl_resource_get_client(surface->resource) ==
							 wl_resource_get_client(popup->resource))) {
		return false;
	}
	for (; popup != NULL; popup = newest_grabbing(seat)) {
		wlr_xdg_popup_destroy(popup);
	}
	return true;
}

static void refresh(struct wlr_scene_tree *popups) {
	struct wlr_scene_node *child;
	wl_list_for_each (child, &popups->children, link) {
		struct node *node = child->data;
		struct popup *popup = node->owner;
		color_sides(popup);
		mark(popup);
		refresh(popup->popups);
	}
}

void popup_refresh(struct toplevel *toplevel) {
	refresh(toplevel->popups);
}

void popup_init(struct server *server) {
	server->new_popup.notify = handle_new_popup;
	wl_signal_add(&server->globals.xdg_shell->events.new_popup, &server->new_popup);
}

void popup_finish(struct server *server) {
	wl_list_remove(&server->new_popup.link);
}
