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

/* A text, shared by all that have the same one: every connection is sent it. */
struct keymap {
	unsigned refs;
	size_t size;
	char text[];
};

static struct keymap *keymap_ref(struct keymap *keymap) {
	keymap->refs++;
	return keymap;
}

static void keymap_unref(struct keymap *keymap) {
	if (keymap != NULL && --keymap->refs == 0) {
		free(keymap);
	}
}

static void keymap_set(struct keymap **place, struct keymap *keymap) {
	struct keymap *former = *place;
	*place = keymap_ref(keymap);
	keymap_unref(former);
}

static bool keymap_is(const struct keymap *keymap, const char *text, size_t size) {
	return keymap != NULL && keymap->size == size && memcmp(keymap->text, text, size) == 0;
}

/* One that the seat has already, or a new one; the caller's reference. NULL without memory. */
static struct keymap *keymap_get(struct seat *seat, const char *text, size_t size) {
	if (keymap_is(seat->keymap, text, size)) {
		return keymap_ref(seat->keymap);
	}
	if (keymap_is(seat->latest, text, size)) {
		return keymap_ref(seat->latest);
	}
	struct keymap *keymap = malloc(sizeof(*keymap) + size);
	if (keymap != NULL) {
		*keymap = (struct keymap){.refs = 1, .size = size};
		memcpy(keymap->text, text, size);
	}
	return keymap;
}

void keyboard_finish(struct seat *seat) {
	wlr_keyboard_finish(&seat->keyboard);
	keymap_unref(seat->keymap);
	keymap_unref(seat->latest);
}

/* Is the keyboard's focus of the seat on the link's application? Else its events come too late. */
static bool has_focus(const struct seat *seat, const struct seat_link *link) {
	const struct wlr_seat_client *client = seat->wlr->keyboard_state.focused_client;
	return link->connection->app != NULL && client != NULL &&
	       client->client == link->connection->app->client;
}

/* Applications are told; compiling it again would cost every new one. */
static void seat_set_keymap(struct seat *seat, struct keymap *keymap) {
	if (keymap == NULL || keymap == seat->keymap) {
		return;
	}
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	struct xkb_keymap *compiled = NULL;

	if (context != NULL) {
		compiled = xkb_keymap_new_from_buffer(context, keymap->text,
			strnlen(keymap->text, keymap->size), XKB_KEYMAP_FORMAT_TEXT_V1,
			XKB_KEYMAP_COMPILE_NO_FLAGS);
	}
	if (compiled != NULL && wlr_keyboard_set_keymap(&seat->keyboard, compiled)) {
		keymap_set(&seat->keymap, keymap);
	} else {
		wlr_log(WLR_ERROR, "the controller's keymap cannot be used");
	}
	xkb_keymap_unref(compiled);
	xkb_context_unref(context);
}

/*
 * Keymaps and keys keep their order within a connection only. What is typed comes on the one of the
 * application with the focus, so its keymap counts; another's may be older or newer than those
 * keys.
 */
static void take_keymap(struct seat *seat, struct seat_link *link, const char *text, size_t size) {
	struct keymap *keymap = keymap_get(seat, text, size);

	if (keymap == NULL) {
		wlr_log(WLR_ERROR, "no memory for a keymap");
		return;
	}
	keymap_set(&link->keymap, keymap);
	keymap_set(&seat->latest, keymap);
	if (seat->wlr->keyboard_state.focused_client == NULL || has_focus(seat, link)) {
		seat_set_keymap(seat, keymap);
	}
	keymap_unref(keymap);
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
	take_keymap(seat, data, text, size);
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
	seat_set_keymap(seat, link->keymap);
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
	keymap_unref(link->keymap);
	link->keymap = NULL;
}
