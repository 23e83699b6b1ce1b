#ifndef NODE_H
#define NODE_H

#include <wlr/types/wlr_scene.h>

struct server;
struct wlr_surface;

enum node_kind {
	NODE_TOPLEVEL,
	NODE_POPUP,
	NODE_LAYER,
};

/* What a scene node and everything below it belongs to; embedded in the owner. */
struct node {
	enum node_kind kind;
	void *owner;
};

/* What lies under a point. */
struct node_hit {
	struct node *node; /* NULL: the bare desktop */
	struct wlr_surface *surface; /* NULL: a part that the compositor draws */
	double sx, sy; /* surface coordinates */
};

/** Marks SCENE_NODE as NODE's; NODE has to live as long. */
void node_attach(struct node *node, struct wlr_scene_node *scene_node);

/** The topmost thing at a point of the layout (logical pixels). */
struct node_hit node_at(struct server *server, double lx, double ly);

/**
 * A point of the layout in the coordinates of SURFACE, whether or not the surface is there at that
 * point. False: it belongs to no window or layer that is shown.
 */
bool node_surface_coords(struct server *server, struct wlr_surface *surface, double lx, double ly,
	double *sx, double *sy);

#endif
