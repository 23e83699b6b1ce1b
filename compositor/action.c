#include "action.h"

#include <assert.h>
#include <string.h>
#include <wlr/types/wlr_keyboard.h>

#include "compositor_config.h"
#include "reload.h"
#include "seat.h"
#include "server.h"
#include "toplevel.h"

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

static void run_close(struct seat *seat, char *const args[]) {
	if (seat->focused != NULL) {
		toplevel_close(seat->focused);
	}
}

static void run_focus_next(struct seat *seat, char *const args[]) {
	seat_cycle(seat, 1);
}

static void run_focus_previous(struct seat *seat, char *const args[]) {
	seat_cycle(seat, -1);
}

static void run_fullscreen(struct seat *seat, char *const args[]) {
	if (seat->focused != NULL) {
		toplevel_set_fullscreen(seat->focused, !seat->focused->fullscreen, NULL);
	}
}

static void toggle_layout(struct seat *seat, enum toplevel_layout layout) {
	struct toplevel *toplevel = seat->focused;
	if (toplevel != NULL && !toplevel->fullscreen) {
		toplevel_set_layout(
			toplevel, toplevel->layout == layout ? TOPLEVEL_FLOATING : layout);
	}
}

static void run_maximize(struct seat *seat, char *const args[]) {
	toggle_layout(seat, TOPLEVEL_MAXIMIZED);
}

static void run_minimize(struct seat *seat, char *const args[]) {
	if (seat->focused != NULL) {
		toplevel_set_minimized(seat->focused, true);
	}
}

static void run_snap(struct seat *seat, char *const args[]) {
	toggle_layout(seat,
		strcmp(args[0], "left") == 0 ? TOPLEVEL_SNAPPED_LEFT : TOPLEVEL_SNAPPED_RIGHT);
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
	const char *const *words; /* what the argument may be; NULL: anything */
	void (*run)(struct seat *seat, char *const args[]);
} actions[] = {
	{"close", false, NULL, run_close},
	{"focus-next", false, NULL, run_focus_next},
	{"focus-previous", false, NULL, run_focus_previous},
	{"fullscreen", false, NULL, run_fullscreen},
	{"maximize", false, NULL, run_maximize},
	{"minimize", false, NULL, run_minimize},
	{"quit", false, NULL, run_quit},
	{"reload", false, NULL, run_reload},
	{"snap", true, (const char *const[]){"left", "right", NULL}, run_snap},
	{"spawn", true, NULL, run_spawn},
};

static const struct action *find_action(const char *name) {
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i].name, name) == 0) {
			return &actions[i];
		}
	}
	return NULL;
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
	if (action->wants_arg != has_arg || (has_arg && binding->args[1] != NULL)) {
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
