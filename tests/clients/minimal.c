/* test-minimal [subcompositor|blind]: the least a compositor can offer a guest: wl_compositor,
 * wl_shm, xdg_wm_base, an output and seats, headless; and wl_subcompositor where asked for, or
 * without the output. It has what no headless compositor has, a touch screen, and more than one
 * seat. It prints "display NAME" when it accepts clients. Every window stands at 100,100, the
 * latest in front; "window APP-ID" says that one is shown, "closed" that one is gone. It prints
 * what windows ask of it: "menu SEAT X Y". Lines on standard input steer it, each answered with
 * "ok":
 *
 *   down SEAT ID X Y    a finger touches, layout coordinates
 *   motion SEAT ID X Y
 *   up SEAT ID
 *   cancel SEAT         the compositor takes over all fingers
 *   frame SEAT
 *   seat SEAT           adds a seat of that name
 *   unseat SEAT         removes it again */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wayland-server-core.h>
#include <wlr/backend.h>
#include <wlr/backend/headless.h>
#include <wlr/render/allocator.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_subcompositor.h>
#include <wlr/types/wlr_xdg_shell.h>

#define MAX_SEATS 4

struct server {
	struct wl_display *display;
	struct wlr_backend *backend;
	struct wlr_renderer *renderer;
	struct wlr_allocator *allocator;
	struct wlr_scene *scene;
	struct wlr_scene_output *scene_output;
	struct wlr_output_layout *layout;
	struct wlr_seat *seats[MAX_SEATS];
	uint32_t time; // milliseconds; an event a tick
	struct wl_listener frame;
	struct wl_listener new_toplevel;
	struct wl_listener new_popup;
};

struct window {
	struct wlr_xdg_toplevel *xdg;
	struct wl_listener commit;
	struct wl_listener map;
	struct wl_listener show_menu;
	struct wl_listener destroy;
};

static _Noreturn void fail(const char *what) {
	fprintf(stderr, "test-minimal: %s\n", what);
	exit(1);
}

static void handle_frame(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, frame);
	wlr_scene_output_commit(server->scene_output, NULL);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	wlr_scene_output_send_frame_done(server->scene_output, &now);
}

static void handle_commit(struct wl_listener *listener, void *data) {
	struct window *window = wl_container_of(listener, window, commit);
	if (window->xdg->base->initial_commit) {
		wlr_xdg_toplevel_set_activated(window->xdg, true);
	}
}

static void handle_map(struct wl_listener *listener, void *data) {
	struct window *window = wl_container_of(listener, window, map);
	printf("window %s\n", window->xdg->app_id != NULL ? window->xdg->app_id : "?");
	fflush(stdout);
}

static void handle_show_menu(struct wl_listener *listener, void *data) {
	const struct wlr_xdg_toplevel_show_window_menu_event *event = data;
	printf("menu %s %d %d\n", event->seat->seat->name, event->x, event->y);
	fflush(stdout);
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct window *window = wl_container_of(listener, window, destroy);
	puts("closed");
	fflush(stdout);
	wl_list_remove(&window->commit.link);
	wl_list_remove(&window->map.link);
	wl_list_remove(&window->show_menu.link);
	wl_list_remove(&window->destroy.link);
	free(window);
}

static void handle_new_toplevel(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_toplevel);
	struct window *window = calloc(1, sizeof(*window));
	if (window == NULL) {
		fail("out of memory");
	}
	window->xdg = data;
	struct wlr_scene_tree *tree =
		wlr_scene_xdg_surface_create(&server->scene->tree, window->xdg->base);
	wlr_scene_node_set_position(&tree->node, 100, 100);
	window->xdg->base->data = tree;
	window->commit.notify = handle_commit;
	wl_signal_add(&window->xdg->base->surface->events.commit, &window->commit);
	window->map.notify = handle_map;
	wl_signal_add(&window->xdg->base->surface->events.map, &window->map);
	window->show_menu.notify = handle_show_menu;
	wl_signal_add(&window->xdg->events.request_show_window_menu, &window->show_menu);
	window->destroy.notify = handle_destroy;
	wl_signal_add(&window->xdg->events.destroy, &window->destroy);
}

struct popup {
	struct wlr_xdg_popup *xdg;
	struct wl_listener commit;
	struct wl_listener destroy;
};

static void handle_popup_commit(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, commit);
	if (popup->xdg->base->initial_commit) {
		wlr_xdg_surface_schedule_configure(popup->xdg->base);
	}
}

static void handle_popup_destroy(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, destroy);
	wl_list_remove(&popup->commit.link);
	wl_list_remove(&popup->destroy.link);
	free(popup);
}

/* Each xdg_surface's data is its part of the scene. */
static void handle_new_popup(struct wl_listener *listener, void *data) {
	struct popup *popup = calloc(1, sizeof(*popup));
	if (popup == NULL) {
		fail("out of memory");
	}
	popup->xdg = data;
	struct wlr_xdg_surface *parent = wlr_xdg_surface_try_from_wlr_surface(popup->xdg->parent);
	if (parent == NULL) {
		fail("a popup of no window");
	}
	popup->xdg->base->data = wlr_scene_xdg_surface_create(parent->data, popup->xdg->base);
	popup->commit.notify = handle_popup_commit;
	wl_signal_add(&popup->xdg->base->surface->events.commit, &popup->commit);
	popup->destroy.notify = handle_popup_destroy;
	wl_signal_add(&popup->xdg->events.destroy, &popup->destroy);
}

static struct wlr_seat **find_seat(struct server *server, const char *name) {
	for (int i = 0; i < MAX_SEATS; i++) {
		if (server->seats[i] != NULL && strcmp(server->seats[i]->name, name) == 0) {
			return &server->seats[i];
		}
	}
	fail("no such seat");
}

static void add_seat(struct server *server, const char *name) {
	int i = 0;
	while (i < MAX_SEATS && server->seats[i] != NULL) {
		i++;
	}
	if (i == MAX_SEATS) {
		fail("too many seats");
	}
	server->seats[i] = wlr_seat_create(server->display, name);
	wlr_seat_set_capabilities(server->seats[i], WL_SEAT_CAPABILITY_TOUCH);
}

static struct wlr_surface *surface_at(
	struct server *server, double x, double y, double *sx, double *sy) {
	struct wlr_scene_node *node = wlr_scene_node_at(&server->scene->tree.node, x, y, sx, sy);
	if (node == NULL || node->type != WLR_SCENE_NODE_BUFFER) {
		return NULL;
	}
	struct wlr_scene_surface *surface =
		wlr_scene_surface_try_from_buffer(wlr_scene_buffer_from_node(node));
	return surface != NULL ? surface->surface : NULL;
}

static void down(struct server *server, struct wlr_seat *seat, int id, double x, double y) {
	double sx, sy;
	struct wlr_surface *surface = surface_at(server, x, y, &sx, &sy);
	if (surface == NULL) {
		fail("no surface below the finger");
	}
	wlr_seat_touch_notify_down(seat, surface, ++server->time, id, sx, sy);
}

/* Relative to the surface that was touched first, wherever the finger is now. */
static void motion(struct server *server, struct wlr_seat *seat, int id, double x, double y) {
	struct wlr_touch_point *point = wlr_seat_touch_get_point(seat, id);
	if (point == NULL) {
		fail("no such finger");
	}
	struct wlr_scene_node *node;
	int nx = 100, ny = 100;
	wl_list_for_each (node, &server->scene->tree.children, link) {
		wlr_scene_node_coords(node, &nx, &ny);
	}
	struct wlr_subsurface *sub = wlr_subsurface_try_from_wlr_surface(point->surface);
	double sx = x - nx - (sub != NULL ? sub->current.x : 0);
	double sy = y - ny - (sub != NULL ? sub->current.y : 0);
	wlr_seat_touch_notify_motion(seat, ++server->time, id, sx, sy);
}

static void cancel(struct wlr_seat *seat) {
	struct wlr_touch_point *point;
	struct wlr_seat_client *client = NULL;
	wl_list_for_each (point, &seat->touch_state.touch_points, link) {
		client = point->client;
	}
	if (client == NULL) {
		fail("no finger to cancel");
	}
	wlr_seat_touch_notify_cancel(seat, client);
}

static bool steer(struct server *server, const char *line) {
	char name[32];
	int id;
	double x, y;
	if (sscanf(line, "down %31s %d %lf %lf", name, &id, &x, &y) == 4) {
		down(server, *find_seat(server, name), id, x, y);
	} else if (sscanf(line, "motion %31s %d %lf %lf", name, &id, &x, &y) == 4) {
		motion(server, *find_seat(server, name), id, x, y);
	} else if (sscanf(line, "up %31s %d", name, &id) == 2) {
		wlr_seat_touch_notify_up(*find_seat(server, name), ++server->time, id);
	} else if (sscanf(line, "cancel %31s", name) == 1) {
		cancel(*find_seat(server, name));
	} else if (sscanf(line, "frame %31s", name) == 1) {
		wlr_seat_touch_notify_frame(*find_seat(server, name));
	} else if (sscanf(line, "seat %31s", name) == 1) {
		add_seat(server, name);
	} else if (sscanf(line, "unseat %31s", name) == 1) {
		struct wlr_seat **seat = find_seat(server, name);
		wlr_seat_destroy(*seat);
		*seat = NULL;
	} else {
		return false;
	}
	return true;
}

/* One line at the most is waiting: the sender waits for "ok" before the next. */
static int handle_input(int fd, uint32_t mask, void *data) {
	struct server *server = data;
	char line[128];
	ssize_t n = read(fd, line, sizeof(line) - 1);
	if (n <= 0) {
		wl_display_terminate(server->display);
		return 0;
	}
	line[n] = '\0';
	if (!steer(server, line)) {
		fail("a line was not understood");
	}
	puts("ok");
	fflush(stdout);
	return 0;
}

static int handle_signal(int number, void *data) {
	struct server *server = data;
	wl_display_terminate(server->display);
	return 0;
}

static void init_globals(struct server *server, bool subcompositor) {
	struct wl_display *display = server->display;
	if (!wlr_renderer_init_wl_shm(server->renderer, display) ||
		wlr_compositor_create(display, 5, server->renderer) == NULL ||
		(subcompositor && wlr_subcompositor_create(display) == NULL)) {
		fail("no globals");
	}
	struct wlr_xdg_shell *shell = wlr_xdg_shell_create(display, 3);
	server->new_toplevel.notify = handle_new_toplevel;
	wl_signal_add(&shell->events.new_toplevel, &server->new_toplevel);
	server->new_popup.notify = handle_new_popup;
	wl_signal_add(&shell->events.new_popup, &server->new_popup);
	add_seat(server, "seat0");
}

static void init_output(struct server *server) {
	struct wlr_output *output = wlr_headless_add_output(server->backend, 640, 480);
	if (output == NULL ||
		!wlr_output_init_render(output, server->allocator, server->renderer)) {
		fail("no output");
	}
	server->layout = wlr_output_layout_create(server->display);
	struct wlr_scene_output_layout *scene_layout =
		wlr_scene_attach_output_layout(server->scene, server->layout);
	struct wlr_output_layout_output *placed =
		wlr_output_layout_add(server->layout, output, 0, 0);
	server->scene_output = wlr_scene_output_create(server->scene, output);
	wlr_scene_output_layout_add_output(scene_layout, placed, server->scene_output);
	server->frame.notify = handle_frame;
	wl_signal_add(&output->events.frame, &server->frame);
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, true);
	wlr_output_state_set_custom_mode(&state, 640, 480, 60000);
	if (!wlr_output_commit_state(output, &state)) {
		fail("the output can not be enabled");
	}
	wlr_output_state_finish(&state);
}

int main(int argc, char **argv) {
	struct server server = {0};
	server.display = wl_display_create();
	struct wl_event_loop *loop = wl_display_get_event_loop(server.display);
	server.backend = wlr_headless_backend_create(loop);
	server.renderer = wlr_renderer_autocreate(server.backend);
	server.allocator = wlr_allocator_autocreate(server.backend, server.renderer);
	server.scene = wlr_scene_create();
	if (server.allocator == NULL || server.scene == NULL) {
		fail("no renderer");
	}
	bool subcompositor = argc == 2 && strcmp(argv[1], "subcompositor") == 0;
	bool blind = argc == 2 && strcmp(argv[1], "blind") == 0;
	if (argc > 1 && !subcompositor && !blind) {
		fail("usage: test-minimal [subcompositor|blind]");
	}
	init_globals(&server, subcompositor);
	if (!wlr_backend_start(server.backend)) {
		fail("no backend");
	}
	wl_list_init(&server.frame.link);
	if (!blind) {
		init_output(&server);
	}
	const char *name = wl_display_add_socket_auto(server.display);
	if (name == NULL) {
		fail("no socket");
	}
	struct wl_event_source *sources[] = {
		wl_event_loop_add_fd(loop, STDIN_FILENO, WL_EVENT_READABLE, handle_input, &server),
		wl_event_loop_add_signal(loop, SIGTERM, handle_signal, &server),
	};
	printf("display %s\n", name);
	fflush(stdout);
	wl_display_run(server.display);
	wl_display_destroy_clients(server.display);
	wl_event_source_remove(sources[0]);
	wl_event_source_remove(sources[1]);
	wl_list_remove(&server.new_toplevel.link);
	wl_list_remove(&server.new_popup.link);
	wl_list_remove(&server.frame.link);
	wlr_scene_node_destroy(&server.scene->tree.node);
	wlr_allocator_destroy(server.allocator);
	wlr_renderer_destroy(server.renderer);
	wlr_backend_destroy(server.backend);
	wl_display_destroy(server.display);
	return 0;
}
