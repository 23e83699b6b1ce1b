#include "compositor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <wayland-client.h>

#include "broker.h"
#include "context_dir.h"
#include "log.h"
#include "security-context-v1-client-protocol.h"

#define SANDBOX_ENGINE "org.portal.vm"

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct wp_security_context_manager_v1 **manager = data;
	if (!*manager && strcmp(interface, wp_security_context_manager_v1_interface.name) == 0) {
		*manager = wl_registry_bind(
			registry, name, &wp_security_context_manager_v1_interface, 1);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static const char *runtime_dir(void) {
	const char *dir = getenv("XDG_RUNTIME_DIR");
	return dir && dir[0] == '/' ? dir : NULL;
}

static int open_path(const char *path) {
	return open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
}

/* Lets the compositor accept from a socket that nobody else can reach, in the VM's name. */
static int make_context(struct bridge_compositor *compositor, struct wl_display *display,
	struct wp_security_context_manager_v1 *manager, const char *vm,
	const struct bridge_context_dir *dir) {
	int pipe_fds[2], listen_fd = bridge_context_dir_listen(dir);
	if (listen_fd < 0) {
		return -1;
	}
	compositor->socket_fd = bridge_context_dir_open_socket(dir);
	if (compositor->socket_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0) {
		int error = errno;
		close(listen_fd);
		errno = error;
		return -1;
	}
	struct wp_security_context_v1 *context =
		wp_security_context_manager_v1_create_listener(manager, listen_fd, pipe_fds[0]);
	wp_security_context_v1_set_sandbox_engine(context, SANDBOX_ENGINE);
	wp_security_context_v1_set_instance_id(context, vm);
	wp_security_context_v1_commit(context);
	wp_security_context_v1_destroy(context);
	compositor->close_fd = pipe_fds[1];
	int result = wl_display_roundtrip(display);
	close(listen_fd);
	close(pipe_fds[0]);
	return result < 0 ? -1 : 0;
}

static int init_context(struct bridge_compositor *compositor, struct wl_display *display,
	struct wp_security_context_manager_v1 *manager, const char *vm,
	const struct bridge_log *log) {
	struct bridge_context_dir dir;
	if (bridge_context_dir_open(&dir, vm) < 0) {
		bridge_log(log, LOG_ERR, "a directory in XDG_RUNTIME_DIR: %s", strerror(errno));
		return -1;
	}
	int result = make_context(compositor, display, manager, vm, &dir);
	if (result < 0) {
		bridge_log(log, LOG_ERR, "the compositor's security context: %s", strerror(errno));
	}
	/* The names are gone before a guest is heard. */
	bridge_context_dir_close(&dir);
	return result;
}

/* Without a context: the socket of WAYLAND_DISPLAY itself. */
static int open_display_socket(struct bridge_compositor *compositor, const struct bridge_log *log) {
	const char *display = getenv("WAYLAND_DISPLAY");
	const char *runtime = runtime_dir();
	char path[256];
	if (!display) {
		display = "wayland-0"; /* as libwayland */
	}
	if (display[0] == '/') {
		snprintf(path, sizeof(path), "%s", display);
	} else {
		snprintf(path, sizeof(path), "%s/%s", runtime ? runtime : "", display);
	}
	compositor->socket_fd = open_path(path);
	if (compositor->socket_fd < 0) {
		bridge_log(log, LOG_ERR, "%s: %s", path, strerror(errno));
		return -1;
	}
	bridge_log_once(log, LOG_WARNING,
		"the compositor has no security contexts: it cannot tell this guest from other "
		"programs");
	return 0;
}

/* Asks the compositor for a context, as the user's own client. */
static int open_socket(struct bridge_compositor *compositor, struct wl_display *display,
	const char *vm, const struct bridge_log *log) {
	struct wp_security_context_manager_v1 *manager = NULL;
	struct wl_registry *registry = wl_display_get_registry(display);
	wl_registry_add_listener(registry, &registry_listener, &manager);
	int result = wl_display_roundtrip(display);
	if (result < 0) {
		bridge_log(log, LOG_ERR, "the compositor: %s", strerror(errno));
	} else if (manager) {
		result = init_context(compositor, display, manager, vm, log);
		wp_security_context_manager_v1_destroy(manager);
	} else {
		result = open_display_socket(compositor, log);
	}
	wl_registry_destroy(registry);
	return result;
}

int bridge_compositor_init(
	struct bridge_compositor *compositor, const char *vm, const struct bridge_log *log) {
	*compositor = (struct bridge_compositor){.socket_fd = -1, .close_fd = -1, .watch_fd = -1};
	struct wl_display *display = wl_display_connect(NULL);
	if (!display) {
		const char *name = getenv("WAYLAND_DISPLAY");
		bridge_log(log, LOG_ERR, "no Wayland compositor at WAYLAND_DISPLAY=%s: %s",
			name ? name : "", strerror(errno));
		return -1;
	}
	int result = open_socket(compositor, display, vm, log);
	/* The context outlives it. */
	wl_display_disconnect(display);
	if (result >= 0) {
		compositor->watch_fd = bridge_broker_connect_socket(compositor->socket_fd);
		if (compositor->watch_fd < 0) {
			bridge_log(log, LOG_ERR, "the compositor: %s", strerror(errno));
			result = -1;
		}
	}
	if (result < 0) {
		bridge_compositor_finish(compositor);
		return -1;
	}
	return 0;
}

static void close_one(int *fd) {
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

void bridge_compositor_keep_watch(struct bridge_compositor *compositor) {
	close_one(&compositor->socket_fd);
	close_one(&compositor->close_fd);
}

void bridge_compositor_keep_socket(struct bridge_compositor *compositor) {
	close_one(&compositor->watch_fd);
}

void bridge_compositor_finish(struct bridge_compositor *compositor) {
	bridge_compositor_keep_watch(compositor);
	bridge_compositor_keep_socket(compositor);
}
