#include "keyboard.h"

#include <stdlib.h>
#include <string.h>
#include <wlr/backend/session.h>
#include <wlr/types/wlr_keyboard_group.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/log.h>
#include <xkbcommon/xkbcommon.h>

#include "action.h"
#include "compositor_config.h"
#include "seat.h"
#include "server.h"

/* NULL: there is none of these names. */
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
	xkb_context_unref(context);
	return keymap;
}

bool keyboard_check_config(const struct config_keyboard *config) {
	struct xkb_keymap *keymap = compile_keymap(config);
	xkb_keymap_unref(keymap);
	return keymap != NULL;
}

static void configure(struct wlr_keyboard *wlr_keyboard, const struct config_keyboard *config,
	struct xkb_keymap *keymap) {
	wlr_keyboard_set_repeat_info(wlr_keyboard, config->repeat_rate, config->repeat_delay);
	if (!wlr_keyboard_keymaps_match(wlr_keyboard->keymap, keymap)) {
		wlr_keyboard_set_keymap(wlr_keyboard, keymap);
	}
}

void keyboard_configure_all(struct seat *seat) {
	const struct config_keyboard *config = &seat->server->config->keyboard;
	struct xkb_keymap *keymap = compile_keymap(config);
	if (keymap == NULL) {
		wlr_log(WLR_ERROR, "no keymap: is xkb-data installed?");
		return;
	}
	// A group takes only keyboards of its own keymap: all leave it, change, and come back.
	struct real_keyboard *real;
	wl_list_for_each (real, &seat->real_keyboards, link) {
		if (real->wlr_keyboard->group != NULL) {
			wlr_keyboard_group_remove_keyboard(seat->group, real->wlr_keyboard);
		}
		configure(real->wlr_keyboard, config, keymap);
	}
	configure(&seat->group->keyboard, config, keymap);
	wl_list_for_each (real, &seat->real_keyboards, link) {
		wlr_keyboard_group_add_keyboard(seat->group, real->wlr_keyboard);
	}
	struct keyboard *keyboard;
	wl_list_for_each (keyboard, &seat->keyboards, link) {
		// A virtual keyboard has brought its own keymap.
		wlr_keyboard_set_repeat_info(
			keyboard->wlr_keyboard, config->repeat_rate, config->repeat_delay);
	}
	xkb_keymap_unref(keymap);
}

uint32_t keyboard_modifiers(struct seat *seat) {
	uint32_t modifiers = 0;
	struct keyboard *keyboard;
	wl_list_for_each (keyboard, &seat->keyboards, link) {
		modifiers |= wlr_keyboard_get_modifiers(keyboard->wlr_keyboard);
	}
	// Locks are not held.
	return modifiers & ~(uint32_t)(WLR_MODIFIER_CAPS | WLR_MODIFIER_MOD2);
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

size_t keyboard_pressed_keys(
	struct seat *seat, const struct wlr_keyboard *wlr_keyboard, uint32_t keys[]) {
	size_t count = 0;
	struct keyboard *keyboard;
	wl_list_for_each (keyboard, &seat->keyboards, link) {
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

/* Bindings are written in Latin letters: in a layout that has none (Greek, Russian, Hebrew …) a key
 * is also what the first layout with a binding for it says. */
static bool run_latin_bindings(
	struct keyboard *keyboard, xkb_keycode_t code, xkb_keysym_t sym, uint32_t modifiers) {
	struct xkb_keymap *keymap = keyboard->wlr_keyboard->keymap;
	if (xkb_keysym_to_utf32(sym) < 0x250) { // the end of Latin's extensions; 0: no letter
		return false;
	}
	xkb_layout_index_t layouts = xkb_keymap_num_layouts_for_key(keymap, code);
	for (xkb_layout_index_t layout = 0; layout < layouts; layout++) {
		const xkb_keysym_t *syms;
		int count = xkb_keymap_key_get_syms_by_level(keymap, code, layout, 0, &syms);
		if (count == 1 && action_run_binding(keyboard->seat, modifiers, syms[0])) {
			return true;
		}
	}
	return false;
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
	return count == 1 && run_latin_bindings(keyboard, code, syms[0], modifiers);
}

/* A command or a password is complete, or has been given up. */
static bool ends_typing(const struct keyboard *keyboard, uint32_t keycode) {
	if (keyboard->wlr_keyboard->xkb_state == NULL) {
		return false;
	}
	xkb_keysym_t sym =
		xkb_state_key_get_one_sym(keyboard->wlr_keyboard->xkb_state, keycode + 8);
	return sym == XKB_KEY_Return || sym == XKB_KEY_KP_Enter || sym == XKB_KEY_Escape;
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
				// Whoever asks for something is not in the middle of a word: the
				// window that comes of it is wanted.
				seat_note_typing(keyboard->seat, true);
				return;
			}
			keyboard->taken_len--;
		}
		seat_note_typing(keyboard->seat, ends_typing(keyboard, event->keycode));
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
	if (keyboard_modifiers(keyboard->seat) == 0) {
		seat_end_cycle(keyboard->seat);
	}
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
	bool was_current = wlr_seat_get_keyboard(seat->wlr_seat) == keyboard->wlr_keyboard;
	keyboard_destroy(keyboard);
	if (was_current) {
		wlr_seat_set_keyboard(seat->wlr_seat, &seat->group->keyboard);
	}
}

static struct keyboard *keyboard_create(struct seat *seat, struct wlr_keyboard *wlr_keyboard) {
	struct keyboard *keyboard = calloc(1, sizeof(*keyboard));
	if (keyboard == NULL) {
		wlr_log(WLR_ERROR, "no memory for a keyboard");
		return NULL;
	}
	keyboard->seat = seat;
	keyboard->wlr_keyboard = wlr_keyboard;
	wl_list_insert(&seat->keyboards, &keyboard->link);
	keyboard->key.notify = handle_key;
	wl_signal_add(&wlr_keyboard->events.key, &keyboard->key);
	keyboard->modifiers.notify = handle_modifiers;
	wl_signal_add(&wlr_keyboard->events.modifiers, &keyboard->modifiers);
	keyboard->destroy.notify = handle_destroy;
	wl_signal_add(&wlr_keyboard->base.events.destroy, &keyboard->destroy);
	return keyboard;
}

bool keyboard_create_group(struct seat *seat) {
	seat->group = wlr_keyboard_group_create();
	if (seat->group == NULL || keyboard_create(seat, &seat->group->keyboard) == NULL) {
		return false;
	}
	keyboard_configure_all(seat);
	wlr_seat_set_keyboard(seat->wlr_seat, &seat->group->keyboard);
	return true;
}

void keyboard_add_virtual(struct seat *seat, struct wlr_keyboard *wlr_keyboard) {
	const struct config_keyboard *config = &seat->server->config->keyboard;
	wlr_keyboard_set_repeat_info(wlr_keyboard, config->repeat_rate, config->repeat_delay);
	keyboard_create(seat, wlr_keyboard);
}

static void real_keyboard_destroy(struct real_keyboard *real) {
	wl_list_remove(&real->link);
	wl_list_remove(&real->destroy.link);
	free(real);
}

static void handle_real_destroy(struct wl_listener *listener, void *data) {
	// The group lets go of it by itself.
	struct real_keyboard *real = wl_container_of(listener, real, destroy);
	real_keyboard_destroy(real);
}

void keyboard_add_real(struct seat *seat, struct wlr_keyboard *wlr_keyboard) {
	struct real_keyboard *real = calloc(1, sizeof(*real));
	if (real == NULL) {
		wlr_log(WLR_ERROR, "no memory for a keyboard");
		return;
	}
	real->seat = seat;
	real->wlr_keyboard = wlr_keyboard;
	wl_list_insert(&seat->real_keyboards, &real->link);
	real->destroy.notify = handle_real_destroy;
	wl_signal_add(&wlr_keyboard->base.events.destroy, &real->destroy);
	configure(wlr_keyboard, &seat->server->config->keyboard, seat->group->keyboard.keymap);
	wlr_keyboard_group_add_keyboard(seat->group, wlr_keyboard);
}

void keyboard_destroy_all(struct seat *seat) {
	struct real_keyboard *real, *next_real;
	wl_list_for_each_safe (real, next_real, &seat->real_keyboards, link) {
		real_keyboard_destroy(real);
	}
	struct keyboard *keyboard, *next;
	wl_list_for_each_safe (keyboard, next, &seat->keyboards, link) {
		keyboard_destroy(keyboard);
	}
	if (seat->group != NULL) {
		wlr_keyboard_group_destroy(seat->group);
	}
}
