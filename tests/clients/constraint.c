/* constraint lock|confine [X Y [WIDTH HEIGHT]]: a window of 300x200 that locks or confines the
 * pointer for as long as it has it, and then lets go of it, a lock with a hint that it be found
 * again at X,Y. WIDTH and HEIGHT make the window's geometry a part of its surface. */
#include <stdlib.h>
#include <string.h>

#include "feature.h"
#include "pointer-constraints-unstable-v1-client-protocol.h"
#include "relative-pointer-unstable-v1-client-protocol.h"
#include "seatlog.h"
#include "window.h"

struct pointer {
	struct zwp_pointer_constraints_v1 *constraints;
	struct zwp_relative_pointer_manager_v1 *relatives;
	struct zwp_locked_pointer_v1 *locked;
	struct zwp_confined_pointer_v1 *confined;
};

static void handle_global(
	struct client *client, uint32_t name, const char *interface, uint32_t version) {
	struct pointer *pointer = client->data;
	if (strcmp(interface, zwp_pointer_constraints_v1_interface.name) == 0) {
		pointer->constraints = wl_registry_bind(
			client->registry, name, &zwp_pointer_constraints_v1_interface, 1);
	} else if (strcmp(interface, zwp_relative_pointer_manager_v1_interface.name) == 0) {
		pointer->relatives = wl_registry_bind(
			client->registry, name, &zwp_relative_pointer_manager_v1_interface, 1);
	}
}

static void handle_locked(void *data, struct zwp_locked_pointer_v1 *locked) {
	client_log("locked");
}

static void handle_unlocked(void *data, struct zwp_locked_pointer_v1 *locked) {
	client_log("unlocked");
}

static const struct zwp_locked_pointer_v1_listener locked_listener = {
	.locked = handle_locked,
	.unlocked = handle_unlocked,
};

static void handle_confined(void *data, struct zwp_confined_pointer_v1 *confined) {
	client_log("confined");
}

static void handle_unconfined(void *data, struct zwp_confined_pointer_v1 *confined) {
	client_log("unconfined");
}

static const struct zwp_confined_pointer_v1_listener confined_listener = {
	.confined = handle_confined,
	.unconfined = handle_unconfined,
};

static void handle_relative(void *data, struct zwp_relative_pointer_v1 *relative, uint32_t time_hi,
	uint32_t time_lo, wl_fixed_t dx, wl_fixed_t dy, wl_fixed_t dx_unaccel,
	wl_fixed_t dy_unaccel) {
	client_log("relative %.2f %.2f", wl_fixed_to_double(dx), wl_fixed_to_double(dy));
}

static const struct zwp_relative_pointer_v1_listener relative_listener = {
	.relative_motion = handle_relative,
};

static void constrain(struct pointer *pointer, struct window *window, struct wl_pointer *wl_pointer,
	const char *how) {
	if (strcmp(how, "lock") == 0) {
		pointer->locked = zwp_pointer_constraints_v1_lock_pointer(pointer->constraints,
			window->surface, wl_pointer, NULL,
			ZWP_POINTER_CONSTRAINTS_V1_LIFETIME_PERSISTENT);
		zwp_locked_pointer_v1_add_listener(pointer->locked, &locked_listener, NULL);
		return;
	}
	pointer->confined = zwp_pointer_constraints_v1_confine_pointer(pointer->constraints,
		window->surface, wl_pointer, NULL, ZWP_POINTER_CONSTRAINTS_V1_LIFETIME_PERSISTENT);
	zwp_confined_pointer_v1_add_listener(pointer->confined, &confined_listener, NULL);
}

static void let_go(struct pointer *pointer, struct window *window, int argc, char **argv) {
	if (pointer->confined != NULL) {
		zwp_confined_pointer_v1_destroy(pointer->confined);
	}
	if (pointer->locked != NULL) {
		if (argc >= 3) {
			zwp_locked_pointer_v1_set_cursor_position_hint(pointer->locked,
				wl_fixed_from_int(atoi(argv[1])), wl_fixed_from_int(atoi(argv[2])));
			wl_surface_commit(window->surface);
		}
		zwp_locked_pointer_v1_destroy(pointer->locked);
	}
	pointer->locked = NULL;
	pointer->confined = NULL;
}

void feature_constraint(struct client *client, int argc, char **argv) {
	struct pointer pointer = {0};
	client->data = &pointer;
	client->global = handle_global;
	client_restart_registry(client);
	client_roundtrip(client);
	if (argc < 1 || pointer.constraints == NULL || pointer.relatives == NULL) {
		client_fail("no pointer constraints, or not told which");
	}
	struct window *window = window_create(client, "constraint", 0, 0);
	seatlog_name(window->surface, "window");
	if (argc >= 5) {
		xdg_surface_set_window_geometry(
			window->xdg_surface, 0, 0, atoi(argv[3]), atoi(argv[4]));
	}
	window_draw(window, 300, 200, 6);
	struct seatlog log;
	seatlog_init(&log, client, false);
	struct zwp_relative_pointer_v1 *relative =
		zwp_relative_pointer_manager_v1_get_relative_pointer(
			pointer.relatives, log.pointer);
	zwp_relative_pointer_v1_add_listener(relative, &relative_listener, NULL);
	constrain(&pointer, window, log.pointer, argv[0]);
	if (client_show_stage(client, "window")) {
		let_go(&pointer, window, argc, argv);
		client_barrier(client, window->surface);
		client_stage(client, "free");
	}
	let_go(&pointer, window, 0, NULL);
	zwp_relative_pointer_v1_destroy(relative);
	seatlog_finish(&log);
	window_destroy(window);
	zwp_relative_pointer_manager_v1_destroy(pointer.relatives);
	zwp_pointer_constraints_v1_destroy(pointer.constraints);
}
