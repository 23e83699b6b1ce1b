#include "server.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wlr/backend.h>
#include <wlr/backend/headless.h>
#include <wlr/backend/multi.h>
#include <wlr/render/allocator.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_xcursor_manager.h>
#include <wlr/util/log.h>

#include "activation.h"
#include "compositor_config.h"
#include "constraint.h"
#include "control.h"
#include "cursor_image.h"
#include "decoration.h"
#include "environment.h"
#include "idle.h"
#include "input.h"
#include "layer.h"
#include "output.h"
#include "popup.h"
#include "seat.h"
#include "toplevel_client.h"

/* A client that is slow to read is disconnected when this much waits for it; libwayland's default
 * is 4 KiB, which a busy pointer fills in a moment. In bytes. */
#define CLIENT_BUFFER_MAX (4 * 1024 * 1024)

void server_load_cursor_theme(struct server *server) {
	const struct config_theme *theme = &server->config->theme;
	const char *name =
		theme->cursor_theme != NULL ? theme->cursor_theme : getenv("XCURSOR_THEME");
	const char *env_size = getenv("XCURSOR_SIZE");
	int size = theme->cursor_size;
	if (size == 0 && env_size != NULL) {
		size = atoi(env_size);
	}
	size = size >= 8 && size <= 256 ? size : 24;
	struct wlr_xcursor_manager *xcursor = wlr_xcursor_manager_create(name, (uint32_t)size);
	if (xcursor == NULL) {
		wlr_log(WLR_ERROR, "no memory for the cursor theme");
		return;
	}
	wlr_xcursor_manager_load(xcursor, 1);
	// What shows a shape of the old theme is told the new one before the old one goes.
	struct wlr_xcursor_manager *old = server->xcursor;
	server->xcursor = xcursor;
	seat_reload_cursors(server);
	wlr_xcursor_manager_destroy(old);
	char text[16];
	snprintf(text, sizeof(text), "%d", size);
	setenv("XCURSOR_SIZE", text, true);
	if (theme->cursor_theme != NULL) {
		setenv("XCURSOR_THEME", theme->cursor_theme, true);
	}
}

/* Every buffer of every client comes as a descriptor: more of them than a program usually may have.
 * What is started from here gets the usual number, for select() cannot take more. */
static void raise_descriptor_limit(struct server *server) {
	if (getrlimit(RLIMIT_NOFILE, &server->descriptors) == 0) {
		struct rlimit raised = server->descriptors;
		raised.rlim_cur = raised.rlim_max;
		setrlimit(RLIMIT_NOFILE, &raised);
	}
}

/* Whether a console is what will be run on. */
static bool wants_console(void) {
	const char *backends = getenv("WLR_BACKENDS");
	if (backends != NULL) {
		return strstr(backends, "drm") != NULL;
	}
	return getenv("WAYLAND_DISPLAY") == NULL && getenv("WAYLAND_SOCKET") == NULL &&
	       getenv("DISPLAY") == NULL;
}

/* wlroots waits 10 seconds for a card, since at boot its driver may still be loading: whoever looks
 * at the console is told why nothing happens. */
static void tell_missing_card(void) {
	glob_t found;
	if (!wants_console() || getenv("WLR_DRM_DEVICES") != NULL) {
		return;
	}
	int result = glob("/dev/dri/card*", 0, NULL, &found);
	if (result == GLOB_NOMATCH) {
		wlr_log(WLR_ERROR,
			"no graphics card in /dev/dri yet: it is waited for, 10 seconds");
	} else if (result == 0) {
		globfree(&found);
	}
}

static bool create_backend(struct server *server) {
	tell_missing_card();
	server->backend = wlr_backend_autocreate(server->loop, &server->session);
	if (server->backend == NULL) {
		wlr_log(WLR_ERROR,
			"cannot open a screen: on a console a seat is needed (systemd-logind or "
			"seatd, and this user in it) and a graphics card in /dev/dri; in a session "
			"WAYLAND_DISPLAY or DISPLAY has to be right; without any screen set "
			"WLR_BACKENDS=headless");
		return false;
	}
	return true;
}

static bool create_renderer(struct server *server) {
	server->renderer = wlr_renderer_autocreate(server->backend);
	if (server->renderer == NULL) {
		const char *wanted = getenv("WLR_RENDERER");
		wlr_log(WLR_ERROR,
			"cannot draw%s%s: without a usable graphics card set "
			"WLR_RENDERER=pixman to draw with the processor",
			wanted != NULL ? " with WLR_RENDERER=" : "", wanted != NULL ? wanted : "");
		return false;
	}
	server->allocator = wlr_allocator_autocreate(server->backend, server->renderer);
	if (server->allocator == NULL) {
		wlr_log(WLR_ERROR, "cannot make buffers that both the renderer and the screen "
				   "understand: try WLR_RENDERER=pixman");
		return false;
	}
	return true;
}

/* The graphics card was reset or unplugged: everything that lived on it is made again. */
static void handle_renderer_lost(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, renderer_lost);
	struct wlr_renderer *old_renderer = server->renderer;
	struct wlr_allocator *old_allocator = server->allocator;
	wlr_log(WLR_ERROR, "the graphics card was lost; starting to draw anew");
	if (!create_renderer(server)) {
		server->renderer = old_renderer;
		server->allocator = old_allocator;
		server_stop(server);
		return;
	}
	wl_list_remove(&server->renderer_lost.link);
	wl_signal_add(&server->renderer->events.lost, &server->renderer_lost);
	wlr_compositor_set_renderer(server->compositor, server->renderer);
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		wlr_output_init_render(output->wlr_output, server->allocator, server->renderer);
		wlr_output_schedule_frame(output->wlr_output);
	}
	wlr_allocator_destroy(old_allocator);
	wlr_renderer_destroy(old_renderer);
}

static bool create_scene(struct server *server) {
	server->scene = wlr_scene_create();
	server->layout = wlr_output_layout_create(server->display);
	if (server->scene == NULL || server->layout == NULL) {
		return false;
	}
	server->scene_layout = wlr_scene_attach_output_layout(server->scene, server->layout);
	for (int i = 0; i < STACK_COUNT; i++) {
		server->stack[i] = wlr_scene_tree_create(&server->scene->tree);
		if (server->stack[i] == NULL) {
			return false;
		}
	}
	return server->scene_layout != NULL;
}

static void add_listeners(struct server *server) {
	server->renderer_lost.notify = handle_renderer_lost;
	wl_signal_add(&server->renderer->events.lost, &server->renderer_lost);
	output_init(server);
	toplevel_client_init(server);
	popup_init(server);
	layer_init(server);
	decoration_init(server);
	activation_init(server);
	idle_init(server);
	constraint_init(server);
	input_init(server);
	cursor_image_init_shapes(server);
}

static void remove_listeners(struct server *server) {
	wl_list_remove(&server->renderer_lost.link);
	output_finish(server);
	toplevel_client_finish(server);
	popup_finish(server);
	layer_finish(server);
	decoration_finish(server);
	activation_finish(server);
	idle_finish(server);
	constraint_finish(server);
	input_finish(server);
	cursor_image_finish_shapes(server);
}

struct server *server_create(struct compositor_config *config, const char *config_path) {
	struct server *server = calloc(1, sizeof(*server));
	if (server == NULL) {
		compositor_config_destroy(config);
		return NULL;
	}
	server->config = config;
	raise_descriptor_limit(server);
	wl_list_init(&server->outputs);
	wl_list_init(&server->toplevels);
	wl_list_init(&server->layers);
	wl_list_init(&server->seats);
	wl_list_init(&server->dirty_frames);
	server->config_path = config_path != NULL ? strdup(config_path) : NULL;
	server->display = wl_display_create();
	if (server->display == NULL) {
		wlr_log(WLR_ERROR, "cannot create a Wayland display: %s", strerror(errno));
		goto fail;
	}
	wl_display_set_default_max_buffer_size(server->display, CLIENT_BUFFER_MAX);
	server->loop = wl_display_get_event_loop(server->display);
	if (!create_backend(server) || !create_renderer(server)) {
		goto fail;
	}
	if (!create_scene(server) || !globals_create(server)) {
		wlr_log(WLR_ERROR, "out of memory");
		goto fail;
	}
	server_load_cursor_theme(server);
	add_listeners(server);
	if (server->xcursor == NULL || seat_create(server, "seat0") == NULL) {
		wlr_log(WLR_ERROR, "out of memory");
		remove_listeners(server);
		goto fail;
	}
	return server;

fail:
	server->stopping = true;
	if (server->scene != NULL) {
		wlr_scene_node_destroy(&server->scene->tree.node);
	}
	wlr_xcursor_manager_destroy(server->xcursor);
	if (server->backend != NULL) {
		wlr_backend_destroy(server->backend);
	}
	wlr_allocator_destroy(server->allocator);
	if (server->renderer != NULL) {
		wlr_renderer_destroy(server->renderer);
	}
	if (server->display != NULL) {
		wl_display_destroy(server->display);
	}
	compositor_config_destroy(server->config);
	free(server->config_path);
	free(server);
	return NULL;
}

/* Whether something listens on that socket. libwayland tells a lock that is held only to its log.
 */
static bool is_answered(const char *runtime, const char *name) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", runtime, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return false;
	}
	bool answered = length > 0 && (size_t)length < sizeof(address.sun_path) &&
			connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return answered;
}

static bool open_socket(struct server *server, const char *name) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat status;
	if (runtime == NULL || runtime[0] != '/') {
		wlr_log(WLR_ERROR,
			"XDG_RUNTIME_DIR is not set: a login session sets it to "
			"/run/user/%u",
			getuid());
		return false;
	}
	if (stat(runtime, &status) != 0 || !S_ISDIR(status.st_mode)) {
		wlr_log(WLR_ERROR, "XDG_RUNTIME_DIR is %s, which is no directory", runtime);
		return false;
	}
	if (name == NULL) {
		server->socket = wl_display_add_socket_auto(server->display);
		if (server->socket == NULL) {
			wlr_log(WLR_ERROR, "no free socket name wayland-0 to wayland-32 in %s: %s",
				runtime, strerror(errno));
		}
		return server->socket != NULL;
	}
	if (wl_display_add_socket(server->display, name) != 0) {
		int error = errno;
		if (is_answered(runtime, name)) {
			wlr_log(WLR_ERROR, "socket %s/%s is taken: another compositor runs there",
				runtime, name);
		} else {
			wlr_log(WLR_ERROR, "cannot open socket %s/%s: %s", runtime, name,
				strerror(error));
		}
		return false;
	}
	server->socket = name;
	return true;
}

bool server_start(struct server *server, const char *name) {
	if (!open_socket(server, name)) {
		return false;
	}
	if (!wlr_backend_start(server->backend)) {
		wlr_log(WLR_ERROR, "the screen and input devices could not be started");
		return false;
	}
	control_create(server);
	setenv("WAYLAND_DISPLAY", server->socket, true);
	setenv("XDG_CURRENT_DESKTOP", "portal:wlroots", true);
	setenv("XDG_SESSION_TYPE", "wayland", true);
	wlr_log(WLR_INFO, "running on WAYLAND_DISPLAY=%s", server->socket);
	enum config_services_environment when = server->config->services_environment;
	server->environment_published =
		when == CONFIG_SERVICES_ENVIRONMENT_ALWAYS ||
		(when == CONFIG_SERVICES_ENVIRONMENT_CONSOLE && server->session != NULL);
	if (server->environment_published) {
		environment_publish();
	}
	for (size_t i = 0; server->config->startup != NULL && server->config->startup[i] != NULL;
		i++) {
		server_spawn(server, server->config->startup[i]);
	}
	return true;
}

void server_spawn(struct server *server, const char *command) {
	pid_t child = fork();
	if (child < 0) {
		wlr_log(WLR_ERROR, "cannot start \"%s\": %s", command, strerror(errno));
		return;
	}
	if (child == 0) {
		// A second fork: the program is nobody's child here, and nothing has to reap it.
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		setrlimit(RLIMIT_NOFILE, &server->descriptors);
		setsid();
		if (fork() == 0) {
			execl("/bin/sh", "sh", "-c", command, (char *)NULL);
			_exit(127);
		}
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
	}
}

void server_stop(struct server *server) {
	wl_display_terminate(server->display);
}

void server_destroy(struct server *server) {
	server->stopping = true;
	if (server->environment_published) {
		environment_withdraw();
	}
	control_destroy(server->control);
	wl_display_destroy_clients(server->display);
	remove_listeners(server);
	struct seat *seat, *next;
	wl_list_for_each_safe (seat, next, &server->seats, link) {
		seat_destroy(seat);
	}
	wlr_xcursor_manager_destroy(server->xcursor);
	// Outputs go with the backend; the scene after them, for they hold on to it.
	wlr_backend_destroy(server->backend);
	wlr_scene_node_destroy(&server->scene->tree.node);
	wlr_allocator_destroy(server->allocator);
	wlr_renderer_destroy(server->renderer);
	wl_display_destroy(server->display);
	compositor_config_destroy(server->config);
	free(server->config_path);
	free(server);
}
