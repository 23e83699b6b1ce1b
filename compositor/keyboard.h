#ifndef KEYBOARD_H
#define KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_keyboard.h>

struct seat;

struct keyboard {
	struct seat *seat;
	struct wl_list link; // seat.keyboards
	struct wlr_keyboard *wlr_keyboard;
	bool is_virtual; /* has brought its own keymap */

	/* Keys whose press was taken by a binding: their release is nobody's either. */
	uint32_t taken[WLR_KEYBOARD_KEYS_CAP];
	size_t taken_len;

	struct wl_listener key;
	struct wl_listener modifiers;
	struct wl_listener destroy;
};

/** Adds a keyboard to a seat; it goes with its device. */
void keyboard_create(struct seat *seat, struct wlr_keyboard *wlr_keyboard, bool is_virtual);
void keyboard_destroy_all(struct seat *seat);
/** Applies layout and repeat rate of the configuration to every keyboard of the seat. */
void keyboard_configure_all(struct seat *seat);

/** The pressed keys (KEYS has room for WLR_KEYBOARD_KEYS_CAP) that a window may know of. */
size_t keyboard_pressed_keys(struct seat *seat, const struct wlr_keyboard *wlr_keyboard,
	uint32_t keys[]);
/** The modifiers held on any of the seat's keyboards, as enum wlr_keyboard_modifier. */
uint32_t keyboard_modifiers(struct seat *seat);

#endif
