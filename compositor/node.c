#include "node.h"

#include "server.h"

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
