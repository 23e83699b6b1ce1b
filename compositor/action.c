#include "action.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_keyboard.h>

#include "compositor_config.h"
#include "placement.h"
#include "reload.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

/* How far keys move a window or its edges where their binding does not say, logical pixels. */
#define STEP 64
#define DISTANCE_MAX 10000

uint32_t action_modifiers(uint32_t config_modifiers) {
	uint32_t modifiers = 0;
	if (config_modifiers & CONFIG_MODIFIER_SHIFT) {
		modifiers |= WLR_MODIFIER_SHIFT;
	}
	if (config_modifiers & CONFIG_MODIFIER_CTRL) {
		modifiers |= WLR_MODIFIER_CTRL;
	}
	if (config_modifiers & CONFIG_MODIFIER_ALT) {
		modifiers |= WLR_MODIFIER_ALT;
	}
	if (config_modifiers & CONFIG_MODIFIER_SUPER) {
		modifiers |= WLR_MODIFIER_LOGO;
	}
	return modifiers;
}

static void run_spawn(struct seat *seat, char *const args[]) {
	server_spawn(seat->server, args[0]);
}

/* The window that has the keyboard: not the one behind a launcher that has it. */
static struct toplevel *focused_window(const struct seat *seat) {
	return seat->focused_layer == NULL ? seat->focused : NULL;
}

static void run_close(struct seat *seat, char *const args[]) {
	struct toplevel *toplevel = focused_window(seat);
	if (toplevel != NULL) {
		toplevel_close(toplevel);
	}
}

static void run_focus_next(struct seat *seat, char *const args[]) {
	seat_cycle(seat, 1);
}

static void run_focus_previous(struct seat *seat, char *const args[]) {
	seat_cycle(seat, -1);
}

static void run_fullscreen(struct seat *seat, char *const args[]) {
	struct toplevel *toplevel = focused_window(seat);
	if (toplevel != NULL) {
		toplevel_set_fullscreen(toplevel, !toplevel->fullscreen, NULL);
	}
}

static void toggle_layout(struct seat *seat, enum toplevel_layout layout) {
	struct toplevel *toplevel = focused_window(seat);
	if (toplevel != NULL && !toplevel->fullscreen) {
		toplevel_set_layout(
			toplevel, toplevel->layout == layout ? TOPLEVEL_FLOATING : layout);
	}
}

static void run_maximize(struct seat *seat, char *const args[]) {
	toggle_layout(seat, TOPLEVEL_MAXIMIZED);
}

static void run_minimize(struct seat *seat, char *const args[]) {
	struct toplevel *toplevel = focused_window(seat);
	if (toplevel != NULL) {
		toplevel_set_minimized(toplevel, true);
	}
}

static void run_snap(struct seat *seat, char *const args[]) {
	toggle_layout(seat,
		strcmp(args[0], "left") == 0 ? TOPLEVEL_SNAPPED_LEFT : TOPLEVEL_SNAPPED_RIGHT);
}

/* The distance that a binding gives, logical pixels. */
static int distance(char *const args[]) {
	return args[1] != NULL ? atoi(args[1]) : STEP;
}

/* The window that has the keyboard if it has a place of its own. */
static struct toplevel *focused_floating(struct seat *seat) {
	struct toplevel *toplevel = focused_window(seat);
	return toplevel != NULL && !toplevel->fullscreen && toplevel->layout == TOPLEVEL_FLOATING
		       ? toplevel
		       : NULL;
}

static void run_move(struct seat *seat, char *const args[]) {
	struct toplevel *toplevel = focused_floating(seat);
	if (toplevel == NULL) {
		return;
	}
	int x = toplevel->box.x, y = toplevel->box.y, step = distance(args);
	x += strcmp(args[0], "right") == 0 ? step : strcmp(args[0], "left") == 0 ? -step : 0;
	y += strcmp(args[0], "down") == 0 ? step : strcmp(args[0], "up") == 0 ? -step : 0;
	// Keys move nothing to where the mouse can not take it back from.
	if (placement_is_reachable(toplevel, x, y) ||
		!placement_is_reachable(toplevel, toplevel->box.x, toplevel->box.y)) {
		toplevel_place(toplevel, x, y, 0, 0);
	}
}

static void run_resize(struct seat *seat, char *const args[]) {
	struct toplevel *toplevel = focused_floating(seat);
	if (toplevel == NULL) {
		return;
	}
	int step = distance(args);
	if (strcmp(args[0], "wider") == 0 || strcmp(args[0], "narrower") == 0) {
		toplevel_grow(toplevel, args[0][0] == 'w' ? step : -step, 0);
	} else {
		toplevel_grow(toplevel, 0, args[0][0] == 't' ? step : -step);
	}
}

static void run_reload(struct seat *seat, char *const args[]) {
	reload_config(seat->server, NULL);
}

static void run_quit(struct seat *seat, char *const args[]) {
	server_stop(seat->server);
}

static const struct action {
	const char *name;
	bool wants_arg;
	bool takes_distance; /* as a second one */
	const char *const *words; /* what the argument may be; NULL: anything */
	void (*run)(struct seat *seat, char *const args[]);
} actions[] = {
	{"close", false, false, NULL, run_close},
	{"focus-next", false, false, NULL, run_focus_next},
	{"focus-previous", false, false, NULL, run_focus_previous},
	{"fullscreen", false, false, NULL, run_fullscreen},
	{"maximize", false, false, NULL, run_maximize},
	{"minimize", false, false, NULL, run_minimize},
	{"move", true, true, (const char *const[]){"left", "right", "up", "down", NULL}, run_move},
	{"quit", false, false, NULL, run_quit},
	{"reload", false, false, NULL, run_reload},
	{"resize", true, true,
		(const char *const[]){"wider", "narrower", "taller", "shorter", NULL}, run_resize},
	{"snap", true, false, (const char *const[]){"left", "right", NULL}, run_snap},
	{"spawn", true, false, NULL, run_spawn},
};

static const struct action *find_action(const char *name) {
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, name) == 0) {
			return &actions[i];
		}
	}
	return NULL;
}

/* A second parameter that is the last one. */
static bool is_distance(char *const args[]) {
	char *end;
	errno = 0;
	long value = strtol(args[1], &end, 10);
	return errno == 0 && *args[1] >= '0' && *args[1] <= '9' && *end == '\0' && value >= 1 &&
	       value <= DISTANCE_MAX && args[2] == NULL;
}

static const char *check(const struct config_binding *binding) {
	const struct action *action = find_action(binding->action);
	bool has_arg = binding->args != NULL && binding->args[0] != NULL;
	if (xkb_keysym_from_name(binding->key, XKB_KEYSYM_CASE_INSENSITIVE) == XKB_KEY_NoSymbol) {
		return "no key of that name";
	}
	if (action == NULL) {
		return "no action of that name";
	}
	const char *second = has_arg ? binding->args[1] : NULL;
	if (action->takes_distance &&
		(!has_arg || (second != NULL && !is_distance(binding->args)))) {
		return "the action wants one parameter, and after it nothing or a whole number of "
		       "pixels from 1 to 10000";
	}
	if (!action->takes_distance && (action->wants_arg != has_arg || second != NULL)) {
		return action->wants_arg ? "the action wants one parameter"
					 : "the action has no parameters";
	}
	if (action->words == NULL) {
		return NULL;
	}
	for (size_t i = 0; action->words[i] != NULL; i++) {
		if (strcmp(action->words[i], binding->args[0]) == 0) {
			return NULL;
		}
	}
	return "the action has no such parameter";
}

const struct config_binding *action_check(
	const struct compositor_config *config, const char **why) {
	for (size_t i = 0; i < config->bindings_len; i++) {
		*why = check(&config->bindings[i]);
		if (*why != NULL) {
			return &config->bindings[i];
		}
	}
	return NULL;
}

bool action_run_binding(struct seat *seat, uint32_t modifiers, xkb_keysym_t sym) {
	const struct compositor_config *config = seat->server->config;
	modifiers &= WLR_MODIFIER_SHIFT | WLR_MODIFIER_CTRL | WLR_MODIFIER_ALT | WLR_MODIFIER_LOGO;
	for (size_t i = 0; i < config->bindings_len; i++) {
		const struct config_binding *binding = &config->bindings[i];
		xkb_keysym_t bound =
			xkb_keysym_from_name(binding->key, XKB_KEYSYM_CASE_INSENSITIVE);
		if (action_modifiers(binding->modifiers) == modifiers &&
			xkb_keysym_to_lower(bound) == xkb_keysym_to_lower(sym)) {
			// The action may replace the configuration: nothing of the binding after
			// it.
			const struct action *action = find_action(binding->action);
			assert(action != NULL); // action_check() has seen it
			action->run(seat, binding->args);
			return true;
		}
	}
	return false;
}
