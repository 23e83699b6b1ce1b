#include "node.h"

#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "layer.h"
#include "server.h"
#include "toplevel.h"

void node_attach(struct node *node, struct wlr_scene_node *scene_node) {
	scene_node->data = node;
}

struct node_hit node_at(struct server *server, double lx, double ly) {
	struct node_hit hit = {0};
	double nx, ny;
	struct wlr_scene_node *found =
		wlr_scene_node_at(&server->scene->tree.node, lx, ly, &nx, &ny);
	if (found == NULL) {
		return hit;
	}
	if (found->type == WLR_SCENE_NODE_BUFFER) {
		struct wlr_scene_surface *scene_surface =
			wlr_scene_surface_try_from_buffer(wlr_scene_buffer_from_node(found));
		if (scene_surface != NULL) {
			hit.surface = scene_surface->surface;
			hit.sx = nx;
			hit.sy = ny;
		}
	}
	for (struct wlr_scene_node *node = found; node != NULL;
		node = node->parent != NULL ? &node->parent->node : NULL) {
		if (node->data != NULL) {
			hit.node = node->data;
			break;
		}
	}
	return hit;
}

/* Adds the way from a surface's corner to the corner of its parent. Returns the parent, or NULL at
 * the root. */
static struct wlr_surface *climb(struct wlr_surface *surface, double *x, double *y) {
	struct wlr_subsurface *subsurface = wlr_subsurface_try_from_wlr_surface(surface);
	if (subsurface != NULL) {
		*x += subsurface->current.x;
		*y += subsurface->current.y;
		return subsurface->parent;
	}
	struct wlr_xdg_popup *popup = wlr_xdg_popup_try_from_wlr_surface(surface);
	if (popup == NULL || popup->parent == NULL) {
		return NULL;
	}
	// A popup's place is told from window geometry to window geometry.
	*x += popup->current.geometry.x - popup->base->geometry.x;
	*y += popup->current.geometry.y - popup->base->geometry.y;
	struct wlr_xdg_surface *parent = wlr_xdg_surface_try_from_wlr_surface(popup->parent);
	if (parent != NULL) {
		*x += parent->geometry.x;
		*y += parent->geometry.y;
	}
	return popup->parent;
}

bool node_surface_coords(struct server *server, struct wlr_surface *surface, double lx, double ly,
	double *sx, double *sy) {
	double x = 0, y = 0;
	struct wlr_surface *root = surface;
	for (struct wlr_surface *parent = surface; parent != NULL; parent = climb(root, &x, &y)) {
		root = parent;
	}
	struct wlr_xdg_toplevel *xdg = wlr_xdg_toplevel_try_from_wlr_surface(root);
	struct layer *layer = layer_from_surface(server, root);
	if (xdg != NULL && xdg->base->data != NULL) {
		struct toplevel *toplevel = xdg->base->data;
		x += toplevel->box.x - xdg->base->geometry.x;
		y += toplevel->box.y - xdg->base->geometry.y;
	} else if (layer != NULL && layer->scene != NULL) {
		x += layer->scene->tree->node.x;
		y += layer->scene->tree->node.y;
	} else {
		return false;
	}
	*sx = lx - x;
	*sy = ly - y;
	return true;
}
