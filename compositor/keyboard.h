#ifndef KEYBOARD_H
#define KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_keyboard.h>

struct config_keyboard;
struct seat;

/* A device of its own, a member of the seat's group. */
struct real_keyboard {
	struct wl_list link; // seat.real_keyboards
	struct seat *seat;
	struct wlr_keyboard *wlr_keyboard;
	struct wl_listener destroy;
};

/* What the seat hears keys from: its group of real keyboards, or a virtual one. */
struct keyboard {
	struct seat *seat;
	struct wl_list link; // seat.keyboards
	struct wlr_keyboard *wlr_keyboard;

	/* Keys whose press was taken by a binding: their release is nobody's either. */
	uint32_t taken[WLR_KEYBOARD_KEYS_CAP];
	size_t taken_len;

	struct wl_listener key;
	struct wl_listener modifiers;
	struct wl_listener destroy;
};

/** Whether there is a keymap of the names that the configuration gives. */
bool keyboard_check_config(const struct config_keyboard *config);

/** Makes the seat's group of real keyboards, empty. False when memory is out. */
bool keyboard_create_group(struct seat *seat);
/** Adds a device; it goes by itself. */
void keyboard_add_real(struct seat *seat, struct wlr_keyboard *wlr_keyboard);
void keyboard_add_virtual(struct seat *seat, struct wlr_keyboard *wlr_keyboard);
void keyboard_destroy_all(struct seat *seat);
/** Applies layout and repeat rate of the configuration to every keyboard of the seat. */
void keyboard_configure_all(struct seat *seat);

/** The pressed keys (KEYS has room for WLR_KEYBOARD_KEYS_CAP) that a window may know of. */
size_t keyboard_pressed_keys(
	struct seat *seat, const struct wlr_keyboard *wlr_keyboard, uint32_t keys[]);
/** The modifiers held on any of the seat's keyboards, as enum wlr_keyboard_modifier. */
uint32_t keyboard_modifiers(struct seat *seat);

#endif
