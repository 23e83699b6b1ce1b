#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seatlog.h"

static void print(struct seatlog *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print(struct seatlog *log, const char *format, ...) {
	if (log->quiet) {
		return;
	}
	char line[256];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	client_log("%s", line);
}

void seatlog_name(struct wl_surface *surface, const char *name) {
	wl_surface_set_user_data(surface, (void *)name);
}

static const char *name_of(struct wl_surface *surface) {
	const char *name = surface != NULL ? wl_surface_get_user_data(surface) : NULL;
	return name != NULL ? name : "?";
}

static void pointer_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y) {
	struct seatlog *log = data;
	log->enter_serial = serial;
	log->entered = true;
	log->pointer_surface = surface;
	print(log, "pointer enter %s %.2f %.2f", name_of(surface), wl_fixed_to_double(x),
		wl_fixed_to_double(y));
}

static void pointer_leave(
	void *data, struct wl_pointer *pointer, uint32_t serial, struct wl_surface *surface) {
	struct seatlog *log = data;
	log->pointer_surface = NULL;
	print(log, "pointer leave %s", name_of(surface));
}

static void pointer_motion(
	void *data, struct wl_pointer *pointer, uint32_t time, wl_fixed_t x, wl_fixed_t y) {
	print(data, "pointer motion %.2f %.2f", wl_fixed_to_double(x), wl_fixed_to_double(y));
}

static void pointer_button(void *data, struct wl_pointer *pointer, uint32_t serial, uint32_t time,
	uint32_t button, uint32_t state) {
	struct seatlog *log = data;
	bool pressed = state == WL_POINTER_BUTTON_STATE_PRESSED;
	log->button_serial = serial;
	log->pressed = log->pressed || pressed;
	if (pressed) {
		log->pressed_surface = log->pointer_surface;
	}
	print(log, "pointer button %u %s", button, pressed ? "pressed" : "released");
	if (log->button != NULL) {
		log->button(log, button, pressed);
	}
}

static const char *axis_name(uint32_t axis) {
	return axis == WL_POINTER_AXIS_VERTICAL_SCROLL ? "vertical" : "horizontal";
}

static void pointer_axis(
	void *data, struct wl_pointer *pointer, uint32_t time, uint32_t axis, wl_fixed_t value) {
	print(data, "pointer axis %s %.2f", axis_name(axis), wl_fixed_to_double(value));
}

static void pointer_frame(void *data, struct wl_pointer *pointer) {
	print(data, "pointer frame");
}

static void pointer_axis_source(void *data, struct wl_pointer *pointer, uint32_t source) {
	print(data, "pointer axis-source %u", source);
}

static void pointer_axis_stop(
	void *data, struct wl_pointer *pointer, uint32_t time, uint32_t axis) {
	print(data, "pointer axis-stop %s", axis_name(axis));
}

static void pointer_axis_discrete(
	void *data, struct wl_pointer *pointer, uint32_t axis, int32_t discrete) {
	print(data, "pointer axis-discrete %s %d", axis_name(axis), discrete);
}

static void pointer_axis_value120(
	void *data, struct wl_pointer *pointer, uint32_t axis, int32_t value120) {
	print(data, "pointer axis-value120 %s %d", axis_name(axis), value120);
}

static void pointer_axis_relative_direction(
	void *data, struct wl_pointer *pointer, uint32_t axis, uint32_t direction) {
	print(data, "pointer axis-relative-direction %s %u", axis_name(axis), direction);
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = pointer_enter,
	.leave = pointer_leave,
	.motion = pointer_motion,
	.button = pointer_button,
	.axis = pointer_axis,
	.frame = pointer_frame,
	.axis_source = pointer_axis_source,
	.axis_stop = pointer_axis_stop,
	.axis_discrete = pointer_axis_discrete,
	.axis_value120 = pointer_axis_value120,
	.axis_relative_direction = pointer_axis_relative_direction,
};

static void keyboard_keymap(
	void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd, uint32_t size) {
	uint32_t hash = 2166136261u; // FNV-1a
	const uint8_t *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED) {
		client_fail("the keymap of %u bytes can not be mapped", size);
	}
	for (uint32_t i = 0; i < size; i++) {
		hash = (hash ^ bytes[i]) * 16777619u;
	}
	munmap((void *)bytes, size);
	close(fd);
	print(data, "keyboard keymap %u %u %08x", format, size, hash);
}

static void keyboard_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
	struct wl_surface *surface, struct wl_array *keys) {
	struct seatlog *log = data;
	log->focused = true;
	log->key_serial = serial;
	print(log, "keyboard enter %s", name_of(surface));
	uint32_t *key;
	wl_array_for_each (key, keys) {
		print(log, "keyboard held %u", *key);
	}
}

static void keyboard_leave(
	void *data, struct wl_keyboard *keyboard, uint32_t serial, struct wl_surface *surface) {
	print(data, "keyboard leave %s", name_of(surface));
}

static void keyboard_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
	uint32_t key, uint32_t state) {
	struct seatlog *log = data;
	log->key_serial = serial;
	print(log, "keyboard key %u %s", key, state ? "pressed" : "released");
}

static void keyboard_modifiers(void *data, struct wl_keyboard *keyboard, uint32_t serial,
	uint32_t depressed, uint32_t latched, uint32_t locked, uint32_t group) {
	print(data, "keyboard modifiers %u %u %u %u", depressed, latched, locked, group);
}

static void keyboard_repeat_info(
	void *data, struct wl_keyboard *keyboard, int32_t rate, int32_t delay) {
	print(data, "keyboard repeat %d %d", rate, delay);
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = keyboard_keymap,
	.enter = keyboard_enter,
	.leave = keyboard_leave,
	.key = keyboard_key,
	.modifiers = keyboard_modifiers,
	.repeat_info = keyboard_repeat_info,
};

static void touch_down(void *data, struct wl_touch *touch, uint32_t serial, uint32_t time,
	struct wl_surface *surface, int32_t id, wl_fixed_t x, wl_fixed_t y) {
	struct seatlog *log = data;
	log->button_serial = serial;
	log->pressed = true;
	log->pressed_surface = surface;
	print(log, "touch down %d %s %.2f %.2f", id, name_of(surface), wl_fixed_to_double(x),
		wl_fixed_to_double(y));
	if (log->button != NULL) {
		log->button(log, 0, true);
	}
}

static void touch_up(
	void *data, struct wl_touch *touch, uint32_t serial, uint32_t time, int32_t id) {
	print(data, "touch up %d", id);
}

static void touch_motion(
	void *data, struct wl_touch *touch, uint32_t time, int32_t id, wl_fixed_t x, wl_fixed_t y) {
	print(data, "touch motion %d %.2f %.2f", id, wl_fixed_to_double(x), wl_fixed_to_double(y));
}

static void touch_frame(void *data, struct wl_touch *touch) {
	print(data, "touch frame");
}

static void touch_cancel(void *data, struct wl_touch *touch) {
	print(data, "touch cancel");
}

static void touch_shape(
	void *data, struct wl_touch *touch, int32_t id, wl_fixed_t major, wl_fixed_t minor) {
	print(data, "touch shape %d %.2f %.2f", id, wl_fixed_to_double(major),
		wl_fixed_to_double(minor));
}

static void touch_orientation(
	void *data, struct wl_touch *touch, int32_t id, wl_fixed_t orientation) {
	print(data, "touch orientation %d %.2f", id, wl_fixed_to_double(orientation));
}

static const struct wl_touch_listener touch_listener = {
	.down = touch_down,
	.up = touch_up,
	.motion = touch_motion,
	.frame = touch_frame,
	.cancel = touch_cancel,
	.shape = touch_shape,
	.orientation = touch_orientation,
};

static void update_pointer(struct seatlog *log, bool wanted) {
	if (wanted && log->pointer == NULL) {
		log->pointer = wl_seat_get_pointer(log->client->seat);
		wl_pointer_add_listener(log->pointer, &pointer_listener, log);
	} else if (!wanted && log->pointer != NULL) {
		wl_pointer_release(log->pointer);
		log->pointer = NULL;
	}
}

static void update_keyboard(struct seatlog *log, bool wanted) {
	if (wanted && log->keyboard == NULL) {
		log->keyboard = wl_seat_get_keyboard(log->client->seat);
		wl_keyboard_add_listener(log->keyboard, &keyboard_listener, log);
	} else if (!wanted && log->keyboard != NULL) {
		wl_keyboard_release(log->keyboard);
		log->keyboard = NULL;
	}
}

static void update_touch(struct seatlog *log, bool wanted) {
	if (wanted && log->touch == NULL) {
		log->touch = wl_seat_get_touch(log->client->seat);
		wl_touch_add_listener(log->touch, &touch_listener, log);
	} else if (!wanted && log->touch != NULL) {
		wl_touch_release(log->touch);
		log->touch = NULL;
	}
}

static void seat_capabilities(void *data, struct wl_seat *seat, uint32_t capabilities) {
	struct seatlog *log = data;
	print(log, "seat%s%s%s", capabilities & WL_SEAT_CAPABILITY_POINTER ? " pointer" : "",
		capabilities & WL_SEAT_CAPABILITY_KEYBOARD ? " keyboard" : "",
		capabilities & WL_SEAT_CAPABILITY_TOUCH ? " touch" : "");
	update_pointer(log, capabilities & WL_SEAT_CAPABILITY_POINTER);
	update_keyboard(log, capabilities & WL_SEAT_CAPABILITY_KEYBOARD);
	update_touch(log, capabilities & WL_SEAT_CAPABILITY_TOUCH);
}

static void seat_name(void *data, struct wl_seat *seat, const char *name) {
	print(data, "seat name %s", name);
}

static const struct wl_seat_listener seat_listener = {
	.capabilities = seat_capabilities,
	.name = seat_name,
};

void seatlog_init(struct seatlog *log, struct client *client, bool quiet) {
	if (client->seat_version == 0) {
		client_fail("no wl_seat");
	}
	*log = (struct seatlog){.client = client, .quiet = quiet};
	/* Bound here and not with the other globals: its first events tell what it has. */
	client->seat = wl_registry_bind(
		client->registry, client->seat_global, &wl_seat_interface, client->seat_version);
	wl_seat_add_listener(client->seat, &seat_listener, log);
	client_roundtrip(client);
	/* The devices' own first events (keymap, repeat). */
	client_roundtrip(client);
}

void seatlog_finish(struct seatlog *log) {
	update_pointer(log, false);
	update_keyboard(log, false);
	update_touch(log, false);
}
