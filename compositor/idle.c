#include "idle.h"

#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_idle_inhibit_v1.h>
#include <wlr/types/wlr_idle_notify_v1.h>
#include <wlr/types/wlr_scene.h>

#include "server.h"

struct inhibitor {
	struct server *server;
	struct wlr_idle_inhibitor_v1 *wlr_inhibitor;
	struct wl_listener commit;
	struct wl_listener destroy;
};

struct search {
	const struct wlr_surface *surface;
	bool found;
};

static void look_at(struct wlr_scene_buffer *buffer, int sx, int sy, void *data) {
	struct search *search = data;
	const struct wlr_scene_surface *found = wlr_scene_surface_try_from_buffer(buffer);
	if (found != NULL && found->surface == search->surface && buffer->primary_output != NULL) {
		search->found = true;
	}
}

/* Whether an output shows some of a surface: not when it is minimised or wholly covered. That is
 * not what the surface itself has been told, which for some time stays as it was. */
static bool is_shown(struct server *server, const struct wlr_surface *surface) {
	struct search search = {.surface = surface};
	wlr_scene_node_for_each_buffer(&server->scene->tree.node, look_at, &search);
	return search.found;
}

static void update(struct server *server, const struct wlr_idle_inhibitor_v1 *except) {
	bool inhibited = false;
	struct wlr_idle_inhibitor_v1 *inhibitor;
	wl_list_for_each (inhibitor, &server->globals.idle_inhibit->inhibitors, link) {
		inhibited =
			inhibited || (inhibitor != except && is_shown(server, inhibitor->surface));
	}
	wlr_idle_notifier_v1_set_inhibited(server->globals.idle_notifier, inhibited);
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct inhibitor *inhibitor = wl_container_of(listener, inhibitor, commit);
	update(inhibitor->server, NULL);
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct inhibitor *inhibitor = wl_container_of(listener, inhibitor, destroy);
	update(inhibitor->server, inhibitor->wlr_inhibitor);
	wl_list_remove(&inhibitor->commit.link);
	wl_list_remove(&inhibitor->destroy.link);
	free(inhibitor);
}

static void handle_new_inhibitor(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_inhibitor);
	struct wlr_idle_inhibitor_v1 *wlr_inhibitor = data;
	struct inhibitor *inhibitor = calloc(1, sizeof(*inhibitor));
	if (inhibitor == NULL) {
		wl_resource_post_no_memory(wlr_inhibitor->resource);
		return;
	}
	inhibitor->server = server;
	inhibitor->wlr_inhibitor = wlr_inhibitor;
	inhibitor->commit.notify = handle_commit;
	wl_signal_add(&wlr_inhibitor->surface->events.commit, &inhibitor->commit);
	inhibitor->destroy.notify = handle_destroy;
	wl_signal_add(&wlr_inhibitor->events.destroy, &inhibitor->destroy);
	update(server, NULL);
}

void idle_output_drawn(struct server *server) {
	// What is not drawn any more commits nothing either: only this tells that it was hidden.
	if (!wl_list_empty(&server->globals.idle_inhibit->inhibitors)) {
		update(server, NULL);
	}
}

void idle_init(struct server *server) {
	server->new_inhibitor.notify = handle_new_inhibitor;
	wl_signal_add(&server->globals.idle_inhibit->events.new_inhibitor, &server->new_inhibitor);
}

void idle_finish(struct server *server) {
	wl_list_remove(&server->new_inhibitor.link);
}
