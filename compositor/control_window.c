#include "control_window.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control_interface.h"
#include "seat.h"
#include "server.h"
#include "stacking.h"
#include "toplevel.h"

/* How far from the layout's origin a window may be put, and how large it may be asked to be, in
 * logical pixels: far more than any screen has, and no sum of them overflows. */
#define PLACE_MAX (1 << 20)
#define SIZE_MAX_ASKED (1 << 14)

/* The parameters of all of these calls. */
struct window_call {
	uint64_t id;
	int maximized, fullscreen, minimized; /* -1: not given */
	int x, y, width, height;
};

#define FIELD(name, type, dispatch, flags)                                                         \
	{#name, type, dispatch, offsetof(struct window_call, name), flags}
#define ID_FIELD                                                                                   \
	FIELD(id, _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_uint64, SD_JSON_MANDATORY)
#define STATE_FIELD(name)                                                                          \
	FIELD(name, SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate, SD_JSON_NULLABLE)
#define NUMBER_FIELD(name, flags)                                                                  \
	FIELD(name, _SD_JSON_VARIANT_TYPE_INVALID, sd_json_dispatch_int, flags)

/* Does what is asked. Returns NULL, or the parameter that asks for what cannot be. */
typedef const char *(*window_function)(struct toplevel *toplevel, const struct window_call *call);

/* The frame of every call: reads the parameters, finds the window, answers. */
static int call_window(struct server *server, sd_varlink *varlink, sd_json_variant *parameters,
	const sd_json_dispatch_field table[], window_function run) {
	struct window_call call = {.maximized = -1, .fullscreen = -1, .minimized = -1};
	int result = sd_varlink_dispatch(varlink, parameters, table, &call);
	if (result != 0) {
		return result;
	}
	struct toplevel *toplevel = toplevel_by_id(server, call.id);
	if (toplevel == NULL || !toplevel->mapped) {
		return sd_varlink_errorbo(varlink, CONTROL_INTERFACE ".NoSuchWindow",
			SD_JSON_BUILD_PAIR_UNSIGNED("id", call.id));
	}
	const char *wrong = run(toplevel, &call);
	return wrong != NULL ? sd_varlink_error_invalid_parameter_name(varlink, wrong)
			     : sd_varlink_reply(varlink, NULL);
}

static const sd_json_dispatch_field id_table[] = {ID_FIELD, {0}};

static const char *focus(struct toplevel *toplevel, const struct window_call *call) {
	struct seat *seat = wl_container_of(toplevel->server->seats.next, seat, link);
	stacking_raise(toplevel);
	seat_focus(seat, toplevel);
	seat_update_pointers(toplevel->server);
	return NULL;
}

static int handle_focus(sd_varlink *varlink, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	return call_window(data, varlink, parameters, id_table, focus);
}

static const char *ask_to_close(struct toplevel *toplevel, const struct window_call *call) {
	toplevel_close(toplevel);
	return NULL;
}

static int handle_close(sd_varlink *varlink, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	return call_window(data, varlink, parameters, id_table, ask_to_close);
}

static const char *set_state(struct toplevel *toplevel, const struct window_call *call) {
	if (call->maximized >= 0) {
		toplevel_set_layout(
			toplevel, call->maximized ? TOPLEVEL_MAXIMIZED : TOPLEVEL_FLOATING);
	}
	if (call->fullscreen >= 0) {
		toplevel_set_fullscreen(toplevel, call->fullscreen, NULL);
	}
	if (call->minimized >= 0) {
		toplevel_set_minimized(toplevel, call->minimized);
	}
	return NULL;
}

static int handle_set_state(sd_varlink *varlink, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	static const sd_json_dispatch_field table[] = {ID_FIELD, STATE_FIELD(maximized),
		STATE_FIELD(fullscreen), STATE_FIELD(minimized), {0}};
	return call_window(data, varlink, parameters, table, set_state);
}

static const char *place(struct toplevel *toplevel, const struct window_call *call) {
	const struct {
		const char *name;
		int value, min, max;
	} limits[] = {
		{"x", call->x, -PLACE_MAX, PLACE_MAX},
		{"y", call->y, -PLACE_MAX, PLACE_MAX},
		{"width", call->width, 0, SIZE_MAX_ASKED},
		{"height", call->height, 0, SIZE_MAX_ASKED},
	};
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].value < limits[i].min || limits[i].value > limits[i].max) {
			return limits[i].name;
		}
	}
	toplevel_place(toplevel, call->x, call->y, call->width, call->height);
	return NULL;
}

static int handle_place(sd_varlink *varlink, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	static const sd_json_dispatch_field table[] = {ID_FIELD, NUMBER_FIELD(x, SD_JSON_MANDATORY),
		NUMBER_FIELD(y, SD_JSON_MANDATORY), NUMBER_FIELD(width, SD_JSON_NULLABLE),
		NUMBER_FIELD(height, SD_JSON_NULLABLE), {0}};
	return call_window(data, varlink, parameters, table, place);
}

int control_window_bind(sd_varlink_server *varlink_server) {
	return sd_varlink_server_bind_method_many(varlink_server, CONTROL_INTERFACE ".Focus",
		handle_focus, CONTROL_INTERFACE ".Close", handle_close,
		CONTROL_INTERFACE ".SetState", handle_set_state, CONTROL_INTERFACE ".Place",
		handle_place);
}
