/* test-windows: prints what the compositor says of its windows (wlr-foreign-toplevel-management),
 * one line for every change:
 *
 *   window NUMBER APP_ID [maximized] [minimized] [activated] [fullscreen] [parent=NUMBER] :TITLE
 *   closed NUMBER
 *
 * Windows are numbered in the order in which they appear. Lines on standard input steer them:
 * close, activate, maximize, restore, minimize, unminimize, fullscreen or unfullscreen, and NUMBER;
 * each is answered with "ok" once the compositor has handled it. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wayland-client.h>

#include "wlr-foreign-toplevel-management-unstable-v1-client-protocol.h"

struct toplevel {
	struct toplevel *next;
	struct zwlr_foreign_toplevel_handle_v1 *handle;
	int number, parent; // parent 0: none
	char *title, *app_id;
	uint32_t states; // bit i: state i
};

struct watcher {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_seat *seat;
	struct zwlr_foreign_toplevel_manager_v1 *manager;
	struct toplevel *first;
	int count;
};

static _Noreturn void fail(const char *what) {
	fprintf(stderr, "test-windows: %s\n", what);
	exit(1);
}

static void set_string(char **to, const char *from) {
	free(*to);
	*to = strdup(from);
}

static void handle_title(
	void *data, struct zwlr_foreign_toplevel_handle_v1 *handle, const char *title) {
	struct toplevel *toplevel = data;
	set_string(&toplevel->title, title);
}

static void handle_app_id(
	void *data, struct zwlr_foreign_toplevel_handle_v1 *handle, const char *app_id) {
	struct toplevel *toplevel = data;
	set_string(&toplevel->app_id, app_id);
}

static void handle_output(
	void *data, struct zwlr_foreign_toplevel_handle_v1 *handle, struct wl_output *output) {
	/* Outputs are not bound, so these are never sent. */
}

static void handle_state(
	void *data, struct zwlr_foreign_toplevel_handle_v1 *handle, struct wl_array *states) {
	struct toplevel *toplevel = data;
	toplevel->states = 0;
	uint32_t *state;
	wl_array_for_each (state, states) {
		toplevel->states |= *state < 32 ? 1u << *state : 0;
	}
}

static void handle_done(void *data, struct zwlr_foreign_toplevel_handle_v1 *handle) {
	static const char *names[] = {"maximized", "minimized", "activated", "fullscreen"};
	struct toplevel *toplevel = data;
	printf("window %d %s", toplevel->number, toplevel->app_id ? toplevel->app_id : "?");
	for (uint32_t i = 0; i < 4; i++) {
		if ((toplevel->states & (1u << i)) != 0) {
			printf(" %s", names[i]);
		}
	}
	if (toplevel->parent != 0) {
		printf(" parent=%d", toplevel->parent);
	}
	printf(" :%s\n", toplevel->title ? toplevel->title : "");
	fflush(stdout);
}

static void handle_closed(void *data, struct zwlr_foreign_toplevel_handle_v1 *handle) {
	struct toplevel *toplevel = data;
	printf("closed %d\n", toplevel->number);
	fflush(stdout);
	zwlr_foreign_toplevel_handle_v1_destroy(handle);
	toplevel->handle = NULL;
}

static void handle_parent(void *data, struct zwlr_foreign_toplevel_handle_v1 *handle,
	struct zwlr_foreign_toplevel_handle_v1 *parent) {
	struct toplevel *toplevel = data;
	struct toplevel *other =
		parent != NULL ? zwlr_foreign_toplevel_handle_v1_get_user_data(parent) : NULL;
	toplevel->parent = other != NULL ? other->number : 0;
}

static const struct zwlr_foreign_toplevel_handle_v1_listener handle_listener = {
	.title = handle_title,
	.app_id = handle_app_id,
	.output_enter = handle_output,
	.output_leave = handle_output,
	.state = handle_state,
	.done = handle_done,
	.closed = handle_closed,
	.parent = handle_parent,
};

static void manager_toplevel(void *data, struct zwlr_foreign_toplevel_manager_v1 *manager,
	struct zwlr_foreign_toplevel_handle_v1 *handle) {
	struct watcher *watcher = data;
	struct toplevel *toplevel = calloc(1, sizeof(*toplevel));
	if (toplevel == NULL) {
		fail("out of memory");
	}
	toplevel->handle = handle;
	toplevel->number = ++watcher->count;
	toplevel->next = watcher->first;
	watcher->first = toplevel;
	zwlr_foreign_toplevel_handle_v1_add_listener(handle, &handle_listener, toplevel);
}

static void manager_finished(void *data, struct zwlr_foreign_toplevel_manager_v1 *manager) {
	struct watcher *watcher = data;
	watcher->manager = NULL;
}

static const struct zwlr_foreign_toplevel_manager_v1_listener manager_listener = {
	.toplevel = manager_toplevel,
	.finished = manager_finished,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct watcher *watcher = data;
	if (strcmp(interface, wl_seat_interface.name) == 0 && watcher->seat == NULL) {
		watcher->seat = wl_registry_bind(registry, name, &wl_seat_interface, 1);
	} else if (strcmp(interface, zwlr_foreign_toplevel_manager_v1_interface.name) == 0) {
		watcher->manager = wl_registry_bind(registry, name,
			&zwlr_foreign_toplevel_manager_v1_interface, version < 3 ? version : 3);
		zwlr_foreign_toplevel_manager_v1_add_listener(
			watcher->manager, &manager_listener, watcher);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
	/* Neither of the two goes before the compositor does. */
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static void steer(struct watcher *watcher, const char *line) {
	char what[32];
	int number;
	if (sscanf(line, "%31s %d", what, &number) != 2) {
		fail("a line was not understood");
	}
	struct toplevel *toplevel = watcher->first;
	while (toplevel != NULL && toplevel->number != number) {
		toplevel = toplevel->next;
	}
	if (toplevel == NULL || toplevel->handle == NULL) {
		fail("no such window");
	}
	struct zwlr_foreign_toplevel_handle_v1 *handle = toplevel->handle;
	if (strcmp(what, "close") == 0) {
		zwlr_foreign_toplevel_handle_v1_close(handle);
	} else if (strcmp(what, "activate") == 0) {
		zwlr_foreign_toplevel_handle_v1_activate(handle, watcher->seat);
	} else if (strcmp(what, "maximize") == 0) {
		zwlr_foreign_toplevel_handle_v1_set_maximized(handle);
	} else if (strcmp(what, "restore") == 0) {
		zwlr_foreign_toplevel_handle_v1_unset_maximized(handle);
	} else if (strcmp(what, "minimize") == 0) {
		zwlr_foreign_toplevel_handle_v1_set_minimized(handle);
	} else if (strcmp(what, "unminimize") == 0) {
		zwlr_foreign_toplevel_handle_v1_unset_minimized(handle);
	} else if (strcmp(what, "fullscreen") == 0) {
		zwlr_foreign_toplevel_handle_v1_set_fullscreen(handle, NULL);
	} else if (strcmp(what, "unfullscreen") == 0) {
		zwlr_foreign_toplevel_handle_v1_unset_fullscreen(handle);
	} else {
		fail("a line was not understood");
	}
}

/* Handles one line at the most: the sender waits for "ok" before the next. False at the end. */
static bool handle_input(struct watcher *watcher) {
	char line[256];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);
	if (n <= 0) {
		return false;
	}
	line[n] = '\0';
	steer(watcher, line);
	if (wl_display_roundtrip(watcher->display) < 0) {
		fail("connection lost");
	}
	puts("ok");
	fflush(stdout);
	return true;
}

static void run(struct watcher *watcher) {
	struct pollfd fds[] = {
		{.fd = wl_display_get_fd(watcher->display), .events = POLLIN},
		{.fd = STDIN_FILENO, .events = POLLIN},
	};
	for (;;) {
		while (wl_display_prepare_read(watcher->display) != 0) {
			wl_display_dispatch_pending(watcher->display);
		}
		wl_display_flush(watcher->display);
		if (poll(fds, 2, -1) < 0) {
			fail("poll");
		}
		if (fds[0].revents != 0) {
			if (wl_display_read_events(watcher->display) < 0) {
				fail("connection lost");
			}
		} else {
			wl_display_cancel_read(watcher->display);
		}
		if (wl_display_dispatch_pending(watcher->display) < 0) {
			fail("connection lost");
		}
		if (fds[1].revents != 0 && !handle_input(watcher)) {
			return;
		}
	}
}

static void finish(struct watcher *watcher) {
	while (watcher->first != NULL) {
		struct toplevel *toplevel = watcher->first;
		watcher->first = toplevel->next;
		if (toplevel->handle != NULL) {
			zwlr_foreign_toplevel_handle_v1_destroy(toplevel->handle);
		}
		free(toplevel->title);
		free(toplevel->app_id);
		free(toplevel);
	}
	zwlr_foreign_toplevel_manager_v1_destroy(watcher->manager);
	if (watcher->seat != NULL) {
		wl_seat_destroy(watcher->seat);
	}
	wl_registry_destroy(watcher->registry);
	wl_display_disconnect(watcher->display);
}

int main(void) {
	struct watcher watcher = {0};
	watcher.display = wl_display_connect(NULL);
	if (watcher.display == NULL) {
		fail("no compositor at WAYLAND_DISPLAY");
	}
	watcher.registry = wl_display_get_registry(watcher.display);
	wl_registry_add_listener(watcher.registry, &registry_listener, &watcher);
	if (wl_display_roundtrip(watcher.display) < 0 || watcher.manager == NULL) {
		fail("the compositor does not list its windows");
	}
	if (wl_display_roundtrip(watcher.display) < 0) {
		fail("connection lost");
	}
	puts("ok");
	fflush(stdout);
	run(&watcher);
	finish(&watcher);
	return 0;
}
