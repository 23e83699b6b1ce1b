#include "keyboard.h"

#include <stdlib.h>
#include <string.h>
#include <wlr/backend/session.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/log.h>
#include <xkbcommon/xkbcommon.h>

#include "action.h"
#include "compositor_config.h"
#include "seat.h"
#include "server.h"

static struct xkb_keymap *compile_keymap(const struct config_keyboard *config) {
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	if (context == NULL) {
		return NULL;
	}
	struct xkb_rule_names names = {
		.rules = config->rules,
		.model = config->model,
		.layout = config->layout,
		.variant = config->variant,
		.options = config->options,
	};
	struct xkb_keymap *keymap =
		xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (keymap == NULL) {
		wlr_log(WLR_ERROR, "no keyboard layout \"%s\" with variant \"%s\", options \"%s\"; "
				   "using the default layout",
			config->layout != NULL ? config->layout : "",
			config->variant != NULL ? config->variant : "",
			config->options != NULL ? config->options : "");
		keymap = xkb_keymap_new_from_names(context, NULL, XKB_KEYMAP_COMPILE_NO_FLAGS);
	}
	xkb_context_unref(context);
	return keymap;
}

static void configure(struct keyboard *keyboard) {
	const struct config_keyboard *config = &keyboard->seat->server->config->keyboard;
	wlr_keyboard_set_repeat_info(keyboard->wlr_keyboard, config->repeat_rate,
		config->repeat_delay);
	if (keyboard->is_virtual) {
		return;
	}
	struct xkb_keymap *keymap = compile_keymap(config);
	if (keymap == NULL) {
		wlr_log(WLR_ERROR, "no keymap: is xkb-data installed?");
		return;
	}
	if (!wlr_keyboard_keymaps_match(keyboard->wlr_keyboard->keymap, keymap)) {
		wlr_keyboard_set_keymap(keyboard->wlr_keyboard, keymap);
	}
	xkb_keymap_unref(keymap);
}

void keyboard_configure_all(struct seat *seat) {
	struct keyboard *keyboard;
	wl_list_for_each(keyboard, &seat->keyboards, link) {
		configure(keyboard);
	}
}

uint32_t keyboard_modifiers(struct seat *seat) {
	uint32_t modifiers = 0;
	struct keyboard *keyboard;
	wl_list_for_each(keyboard, &seat->keyboards, link) {
		modifiers |= wlr_keyboard_get_modifiers(keyboard->wlr_keyboard);
	}
	return modifiers;
}

static bool is_taken(const struct keyboard *keyboard, uint32_t keycode) {
	for (size_t i = 0; i < keyboard->taken_len; i++) {
		if (keyboard->taken[i] == keycode) {
			return true;
		}
	}
	return false;
}

static bool release_taken(struct keyboard *keyboard, uint32_t keycode) {
	for (size_t i = 0; i < keyboard->taken_len; i++) {
		if (keyboard->taken[i] == keycode) {
			keyboard->taken[i] = keyboard->taken[--keyboard->taken_len];
			return true;
		}
	}
	return false;
}

size_t keyboard_pressed_keys(struct seat *seat, const struct wlr_keyboard *wlr_keyboard,
	uint32_t keys[]) {
	size_t count = 0;
	struct keyboard *keyboard;
	wl_list_for_each(keyboard, &seat->keyboards, link) {
		if (keyboard->wlr_keyboard != wlr_keyboard) {
			continue;
		}
		for (size_t i = 0; i < wlr_keyboard->num_keycodes; i++) {
			if (!is_taken(keyboard, wlr_keyboard->keycodes[i])) {
				keys[count++] = wlr_keyboard->keycodes[i];
			}
		}
	}
	return count;
}

/* Ctrl+Alt+F1…F12 changes the console: not a binding, so that no configuration can take it away. */
static bool change_console(struct server *server, xkb_keysym_t sym) {
	if (sym < XKB_KEY_XF86Switch_VT_1 || sym > XKB_KEY_XF86Switch_VT_12) {
		return false;
	}
	if (server->session != NULL) {
		wlr_session_change_vt(server->session, sym - XKB_KEY_XF86Switch_VT_1 + 1);
	}
	return true;
}

static bool run_bindings(struct keyboard *keyboard, uint32_t keycode) {
	struct wlr_keyboard *wlr_keyboard = keyboard->wlr_keyboard;
	struct seat *seat = keyboard->seat;
	if (wlr_keyboard->xkb_state == NULL) {
		return false;
	}
	uint32_t modifiers = wlr_keyboard_get_modifiers(wlr_keyboard);
	const xkb_keysym_t *syms;
	xkb_keycode_t code = keycode + 8; // evdev to XKB
	int count = xkb_state_key_get_syms(wlr_keyboard->xkb_state, code, &syms);
	for (int i = 0; i < count; i++) {
		if (change_console(seat->server, syms[i]) ||
			action_run_binding(seat, modifiers, syms[i])) {
			return true;
		}
	}
	// What the key says without Shift, so that "Super+Shift+q" is found however it is typed.
	xkb_layout_index_t layout = xkb_state_key_get_layout(wlr_keyboard->xkb_state, code);
	count = xkb_keymap_key_get_syms_by_level(wlr_keyboard->keymap, code, layout, 0, &syms);
	for (int i = 0; i < count; i++) {
		if (action_run_binding(seat, modifiers, syms[i])) {
			return true;
		}
	}
	return false;
}

static void handle_key(struct wl_listener *listener, void *data) {
	struct keyboard *keyboard = wl_container_of(listener, keyboard, key);
	const struct wlr_keyboard_key_event *event = data;
	struct wlr_seat *wlr_seat = keyboard->seat->wlr_seat;
	seat_notify_activity(keyboard->seat);
	if (event->state == WL_KEYBOARD_KEY_STATE_PRESSED) {
		if (keyboard->taken_len < WLR_KEYBOARD_KEYS_CAP) {
			// Noted first: the action may move the focus, and what is focused then is
			// told the pressed keys.
			keyboard->taken[keyboard->taken_len++] = event->keycode;
			if (run_bindings(keyboard, event->keycode)) {
				return;
			}
			keyboard->taken_len--;
		}
	} else if (release_taken(keyboard, event->keycode)) {
		return;
	}
	wlr_seat_set_keyboard(wlr_seat, keyboard->wlr_keyboard);
	wlr_seat_keyboard_notify_key(wlr_seat, event->time_msec, event->keycode, event->state);
}

static void handle_modifiers(struct wl_listener *listener, void *data) {
	struct keyboard *keyboard = wl_container_of(listener, keyboard, modifiers);
	struct wlr_seat *wlr_seat = keyboard->seat->wlr_seat;
	wlr_seat_set_keyboard(wlr_seat, keyboard->wlr_keyboard);
	wlr_seat_keyboard_notify_modifiers(wlr_seat, &keyboard->wlr_keyboard->modifiers);
}

static void keyboard_destroy(struct keyboard *keyboard) {
	wl_list_remove(&keyboard->link);
	wl_list_remove(&keyboard->key.link);
	wl_list_remove(&keyboard->modifiers.link);
	wl_list_remove(&keyboard->destroy.link);
	free(keyboard);
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct keyboard *keyboard = wl_container_of(listener, keyboard, destroy);
	struct seat *seat = keyboard->seat;
	keyboard_destroy(keyboard);
	// The seat's current keyboard is gone with it: another one takes over.
	if (!wl_list_empty(&seat->keyboards)) {
		struct keyboard *other = wl_container_of(seat->keyboards.next, other, link);
		wlr_seat_set_keyboard(seat->wlr_seat, other->wlr_keyboard);
	}
	seat_update_capabilities(seat);
}

void keyboard_create(struct seat *seat, struct wlr_keyboard *wlr_keyboard, bool is_virtual) {
	struct keyboard *keyboard = calloc(1, sizeof(*keyboard));
	if (keyboard == NULL) {
		wlr_log(WLR_ERROR, "no memory for a keyboard");
		return;
	}
	keyboard->seat = seat;
	keyboard->wlr_keyboard = wlr_keyboard;
	keyboard->is_virtual = is_virtual;
	wl_list_insert(&seat->keyboards, &keyboard->link);
	keyboard->key.notify = handle_key;
	wl_signal_add(&wlr_keyboard->events.key, &keyboard->key);
	keyboard->modifiers.notify = handle_modifiers;
	wl_signal_add(&wlr_keyboard->events.modifiers, &keyboard->modifiers);
	keyboard->destroy.notify = handle_destroy;
	wl_signal_add(&wlr_keyboard->base.events.destroy, &keyboard->destroy);
	configure(keyboard);
	seat_update_capabilities(seat);
	if (!is_virtual || wlr_seat_get_keyboard(seat->wlr_seat) == NULL) {
		wlr_seat_set_keyboard(seat->wlr_seat, wlr_keyboard);
	}
	// A window may have been focused before there was any keyboard.
	seat_focus(seat, seat->focused);
}

void keyboard_destroy_all(struct seat *seat) {
	struct keyboard *keyboard, *next;
	wl_list_for_each_safe(keyboard, next, &seat->keyboards, link) {
		keyboard_destroy(keyboard);
	}
}
