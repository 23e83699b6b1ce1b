#include "agent.h"
#include "app.h"
#include "connection.h"
#include "seat.h"
#include "surface.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wayland-client-protocol.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/util/log.h>
#include <xkbcommon/xkbcommon.h>

static const struct wlr_keyboard_impl keyboard_impl = {.name = "portal-keyboard"};

void keyboard_init(struct seat *seat) {
	wlr_keyboard_init(&seat->keyboard, &keyboard_impl, "portal-keyboard");
	wlr_seat_set_keyboard(seat->wlr, &seat->keyboard);
}

void keyboard_finish(struct seat *seat) {
	wlr_keyboard_finish(&seat->keyboard);
	free(seat->keymap);
}

/* Is the keyboard's focus of the seat on the link's application? Else its events come too late. */
static bool has_focus(const struct seat *seat, const struct seat_link *link) {
	const struct wlr_seat_client *client = seat->wlr->keyboard_state.focused_client;
	return link->connection->app != NULL && client != NULL &&
	       client->client == link->connection->app->client;
}

static void seat_set_keymap(struct seat *seat, const char *text, size_t size) {
	char *copy = malloc(size);
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_keymap *keymap = NULL;

	if (copy != NULL && context != NULL) {
		memcpy(copy, text, size);
		keymap = xkb_keymap_new_from_buffer(context, text, strnlen(text, size),
			XKB_KEYMAP_FORMAT_TEXT_V1, XKB_KEYMAP_COMPILE_NO_FLAGS);
	}
	if (keymap != NULL && wlr_keyboard_set_keymap(&seat->keyboard, keymap)) {
		free(seat->keymap);
		seat->keymap = copy;
		seat->keymap_size = size;
		copy = NULL;
	} else {
		wlr_log(WLR_ERROR, "the controller's keymap cannot be used");
	}
	xkb_keymap_unref(keymap);
	xkb_context_unref(context);
	free(copy);
}

static void handle_keymap(
	void *data, struct wl_keyboard *mirror, uint32_t format, int32_t fd, uint32_t size) {
	struct seat *seat = seat_link_seat(data);
	char *text = MAP_FAILED;

	struct stat stat;
	// Reading past its end would end the agent.
	if (seat != NULL && format == WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1 && size > 0 &&
		fstat(fd, &stat) == 0 && stat.st_size >= (off_t)size) {
		text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	close(fd);
	if (text == MAP_FAILED) {
		return;
	}
	// Each connection brings the same one: compiling it again would cost every new client.
	if (seat->keymap == NULL || seat->keymap_size != size ||
		memcmp(seat->keymap, text, size) != 0) {
		seat_set_keymap(seat, text, size);
	}
	munmap(text, size);
}

static void handle_enter(void *data, struct wl_keyboard *mirror, uint32_t serial,
	struct wl_surface *target, struct wl_array *keys) {
	struct seat_link *link = data;
	struct seat *seat = seat_link_seat(link);
	struct surface *surface = surface_from_mirror(target);

	if (seat == NULL || surface == NULL) {
		return;
	}
	struct wlr_keyboard *keyboard = &seat->keyboard;
	keyboard->num_keycodes = 0;
	uint32_t *key;
	wl_array_for_each (key, keys) {
		if (keyboard->num_keycodes < WLR_KEYBOARD_KEYS_CAP) {
			keyboard->keycodes[keyboard->num_keycodes++] = *key;
		}
	}
	uint32_t begin = seat_serial_begin(link);
	// Not the grab-aware call: a popup's grab would swallow what the controller decided.
	wlr_seat_keyboard_enter(seat->wlr, surface->wlr, keyboard->keycodes, keyboard->num_keycodes,
		&keyboard->modifiers);
	seat_serial_end(link, begin, serial);
}

static void handle_leave(
	void *data, struct wl_keyboard *mirror, uint32_t serial, struct wl_surface *target) {
	struct seat_link *link = data;
	struct seat *seat = seat_link_seat(link);
	struct surface *surface = surface_from_mirror(target);

	// Another application's enter can have come first, on another connection.
	if (seat == NULL || surface == NULL ||
		seat->wlr->keyboard_state.focused_surface != surface->wlr) {
		return;
	}
	uint32_t begin = seat_serial_begin(link);
	wlr_seat_keyboard_clear_focus(seat->wlr);
	seat_serial_end(link, begin, serial);
	seat->keyboard.num_keycodes = 0;
}

/* For clients that make their wl_keyboard while keys are down. */
static void track_key(struct wlr_keyboard *keyboard, uint32_t key, bool pressed) {
	size_t count = 0;
	for (size_t i = 0; i < keyboard->num_keycodes; i++) {
		if (keyboard->keycodes[i] != key) {
			keyboard->keycodes[count++] = keyboard->keycodes[i];
		}
	}
	if (pressed && count < WLR_KEYBOARD_KEYS_CAP) {
		keyboard->keycodes[count++] = key;
	}
	keyboard->num_keycodes = count;
}

static void handle_key(void *data, struct wl_keyboard *mirror, uint32_t serial, uint32_t time,
	uint32_t key, uint32_t state) {
	struct seat_link *link = data;
	struct seat *seat = seat_link_seat(link);

	if (seat == NULL || !has_focus(seat, link)) {
		return;
	}
	track_key(&seat->keyboard, key, state == WL_KEYBOARD_KEY_STATE_PRESSED);
	uint32_t begin = seat_serial_begin(link);
	wlr_seat_keyboard_send_key(seat->wlr, time, key, state);
	seat_serial_end(link, begin, serial);
}

static void handle_modifiers(void *data, struct wl_keyboard *mirror, uint32_t serial,
	uint32_t depressed, uint32_t latched, uint32_t locked, uint32_t group) {
	struct seat_link *link = data;
	struct seat *seat = seat_link_seat(link);

	if (seat == NULL || !has_focus(seat, link)) {
		return;
	}
	seat->keyboard.modifiers = (struct wlr_keyboard_modifiers){
		.depressed = depressed,
		.latched = latched,
		.locked = locked,
		.group = group,
	};
	uint32_t begin = seat_serial_begin(link);
	wlr_seat_keyboard_send_modifiers(seat->wlr, &seat->keyboard.modifiers);
	seat_serial_end(link, begin, serial);
}

static void handle_repeat_info(
	void *data, struct wl_keyboard *mirror, int32_t rate, int32_t delay) {
	struct seat *seat = seat_link_seat(data);
	if (seat != NULL && rate >= 0 && delay >= 0) {
		wlr_keyboard_set_repeat_info(&seat->keyboard, rate, delay);
	}
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = handle_keymap,
	.enter = handle_enter,
	.leave = handle_leave,
	.key = handle_key,
	.modifiers = handle_modifiers,
	.repeat_info = handle_repeat_info,
};

void keyboard_bind(struct seat_link *link) {
	if (link->keyboard == NULL) {
		link->keyboard = wl_seat_get_keyboard(link->mirror);
		wl_keyboard_add_listener(link->keyboard, &keyboard_listener, link);
	}
}

void keyboard_unbind(struct seat_link *link) {
	if (link->keyboard == NULL) {
		return;
	}
	if (wl_keyboard_get_version(link->keyboard) >= WL_KEYBOARD_RELEASE_SINCE_VERSION) {
		wl_keyboard_release(link->keyboard);
	} else {
		wl_keyboard_destroy(link->keyboard);
	}
	link->keyboard = NULL;
}
