#include "stacking.h"

#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xdg_shell.h>

#include "output.h"
#include "toplevel.h"

void stacking_move(struct toplevel *toplevel, enum stack stack) {
	struct wlr_scene_tree *tree = toplevel->server->stack[stack];
	if (toplevel->tree->node.parent != tree) {
		wlr_scene_node_reparent(&toplevel->tree->node, tree);
	}
}

static bool is_ancestor(const struct toplevel *toplevel, const struct toplevel *of) {
	const struct wlr_xdg_toplevel *xdg = of->xdg->parent;
	while (xdg != NULL && xdg != toplevel->xdg) {
		xdg = xdg->parent;
	}
	return xdg != NULL;
}

/* A fullscreen window lies over bars while it is in front, and under every window that is raised.
 */
static void restack_fullscreen(struct toplevel *raised) {
	struct server *server = raised->server;
	struct output *output = raised->fullscreen ? raised->output : toplevel_find_output(raised);
	struct toplevel *other;
	wl_list_for_each (other, &server->toplevels, link) {
		if (other != raised && other->fullscreen && other->output == output &&
			!is_ancestor(other, raised)) {
			stacking_move(other, STACK_WINDOWS);
			wlr_scene_node_lower_to_bottom(&other->tree->node);
		}
	}
	bool over_bars = raised->fullscreen;
	for (struct wlr_xdg_toplevel *xdg = raised->xdg; xdg != NULL; xdg = xdg->parent) {
		struct toplevel *toplevel = xdg->base->data;
		over_bars = over_bars || (toplevel != NULL && toplevel->fullscreen);
	}
	stacking_move(raised, over_bars ? STACK_FULLSCREEN : STACK_WINDOWS);
}

void stacking_raise(struct toplevel *toplevel) {
	restack_fullscreen(toplevel);
	wlr_scene_node_raise_to_top(&toplevel->tree->node);
	// A dialog stays over the window it belongs to.
	struct toplevel *child;
	wl_list_for_each_reverse (child, &toplevel->server->toplevels, link) {
		if (child->xdg->parent == toplevel->xdg && child->mapped) {
			stacking_raise(child);
		}
	}
}
