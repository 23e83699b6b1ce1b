/* test-input WIDTH HEIGHT: a virtual pointer and keyboard (wlr-virtual-pointer-unstable-v1,
 * virtual-keyboard-unstable-v1) steered by lines on standard input; WIDTH x HEIGHT is the size of
 * the whole output layout. Every line is answered with "ok" once the compositor has handled it.
 *
 *   move X Y              to a point of the layout
 *   by DX DY              relatively
 *   button CODE 0|1       Linux input event code, released or pressed
 *   axis AXIS VALUE STEPS 0 vertical, 1 horizontal; one wheel notch is 15 and 1
 *   finger AXIS VALUE     a touch pad's scrolling; VALUE 0 ends it
 *   key CODE 0|1          Linux input event code
 *   type TEXT             the rest of the line, on a US keyboard
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>
#include <xkbcommon/xkbcommon.h>

#include "virtual-keyboard-unstable-v1-client-protocol.h"
#include "wlr-virtual-pointer-unstable-v1-client-protocol.h"

#define EVDEV_OFFSET 8 // an xkb key code is the Linux one plus this

struct input {
	struct wl_display *display;
	struct wl_registry *registry;
	struct wl_seat *seat;
	struct zwlr_virtual_pointer_manager_v1 *pointers;
	struct zwp_virtual_keyboard_manager_v1 *keyboards;
	struct zwlr_virtual_pointer_v1 *pointer;
	struct zwp_virtual_keyboard_v1 *keyboard;
	struct xkb_context *context;
	struct xkb_keymap *keymap;
	struct xkb_state *state;
	uint32_t width, height; // of the layout
	uint32_t time; // milliseconds; an event a tick
};

static _Noreturn void fail(const char *what) {
	fprintf(stderr, "test-input: %s\n", what);
	exit(1);
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct input *input = data;
	if (strcmp(interface, wl_seat_interface.name) == 0 && input->seat == NULL) {
		input->seat = wl_registry_bind(registry, name, &wl_seat_interface, 1);
	} else if (strcmp(interface, zwlr_virtual_pointer_manager_v1_interface.name) == 0) {
		input->pointers = wl_registry_bind(
			registry, name, &zwlr_virtual_pointer_manager_v1_interface, 1);
	} else if (strcmp(interface, zwp_virtual_keyboard_manager_v1_interface.name) == 0) {
		input->keyboards = wl_registry_bind(
			registry, name, &zwp_virtual_keyboard_manager_v1_interface, 1);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
	/* A seat that goes takes its virtual devices along. */
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static void sync_input(struct input *input) {
	if (wl_display_roundtrip(input->display) < 0) {
		fail("connection lost");
	}
}

static void send_keymap(struct input *input) {
	char *text = xkb_keymap_get_as_string(input->keymap, XKB_KEYMAP_FORMAT_TEXT_V1);
	if (text == NULL) {
		fail("no keymap");
	}
	size_t size = strlen(text) + 1;
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size) {
		fail("no memory for the keymap");
	}
	zwp_virtual_keyboard_v1_keymap(
		input->keyboard, WL_KEYBOARD_KEYMAP_FORMAT_XKB_V1, fd, (uint32_t)size);
	close(fd);
	free(text);
}

static void set_layout(struct input *input, const char *layout) {
	struct xkb_rule_names names = {.layout = layout};
	xkb_state_unref(input->state);
	xkb_keymap_unref(input->keymap);
	input->keymap =
		xkb_keymap_new_from_names(input->context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	if (input->keymap == NULL) {
		fail("no keymap");
	}
	input->state = xkb_state_new(input->keymap);
	send_keymap(input);
}

static void start_devices(struct input *input) {
	if (input->seat == NULL || input->pointers == NULL || input->keyboards == NULL) {
		fail("the compositor lacks a seat, virtual pointers or virtual keyboards");
	}
	input->pointer = zwlr_virtual_pointer_manager_v1_create_virtual_pointer(
		input->pointers, input->seat);
	input->keyboard = zwp_virtual_keyboard_manager_v1_create_virtual_keyboard(
		input->keyboards, input->seat);
	input->context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	set_layout(input, "us");
}

static void key(struct input *input, uint32_t code, bool pressed) {
	zwp_virtual_keyboard_v1_key(input->keyboard, ++input->time, code, pressed);
	enum xkb_state_component changed = xkb_state_update_key(
		input->state, code + EVDEV_OFFSET, pressed ? XKB_KEY_DOWN : XKB_KEY_UP);
	if (changed == 0) {
		return;
	}
	zwp_virtual_keyboard_v1_modifiers(input->keyboard,
		xkb_state_serialize_mods(input->state, XKB_STATE_MODS_DEPRESSED),
		xkb_state_serialize_mods(input->state, XKB_STATE_MODS_LATCHED),
		xkb_state_serialize_mods(input->state, XKB_STATE_MODS_LOCKED),
		xkb_state_serialize_layout(input->state, XKB_STATE_LAYOUT_EFFECTIVE));
}

/* Finds the key that gives a symbol plainly or with shift. */
static bool find_key(struct input *input, xkb_keysym_t symbol, uint32_t *code, bool *shift) {
	xkb_keycode_t last = xkb_keymap_max_keycode(input->keymap);
	for (xkb_keycode_t k = xkb_keymap_min_keycode(input->keymap); k <= last; k++) {
		for (xkb_level_index_t level = 0; level < 2; level++) {
			const xkb_keysym_t *symbols;
			int n = xkb_keymap_key_get_syms_by_level(
				input->keymap, k, 0, level, &symbols);
			if (n == 1 && symbols[0] == symbol) {
				*code = k - EVDEV_OFFSET;
				*shift = level == 1;
				return true;
			}
		}
	}
	return false;
}

static void type(struct input *input, const char *text) {
	const uint32_t left_shift = 42;
	for (; *text != '\0'; text++) {
		uint32_t code;
		bool shift;
		if (!find_key(input, xkb_utf32_to_keysym((uint8_t)*text), &code, &shift)) {
			fail("no key for a character");
		}
		if (shift) {
			key(input, left_shift, true);
		}
		key(input, code, true);
		key(input, code, false);
		if (shift) {
			key(input, left_shift, false);
		}
	}
}

static void axis(struct input *input, uint32_t axis, double value, int steps) {
	struct zwlr_virtual_pointer_v1 *pointer = input->pointer;
	zwlr_virtual_pointer_v1_axis_source(pointer, WL_POINTER_AXIS_SOURCE_WHEEL);
	zwlr_virtual_pointer_v1_axis_discrete(
		pointer, ++input->time, axis, wl_fixed_from_double(value), steps);
}

static void finger(struct input *input, uint32_t axis, double value) {
	struct zwlr_virtual_pointer_v1 *pointer = input->pointer;
	zwlr_virtual_pointer_v1_axis_source(pointer, WL_POINTER_AXIS_SOURCE_FINGER);
	if (value == 0) {
		zwlr_virtual_pointer_v1_axis_stop(pointer, ++input->time, axis);
	} else {
		zwlr_virtual_pointer_v1_axis(
			pointer, ++input->time, axis, wl_fixed_from_double(value));
	}
}

/* Handles one line; false when it is not understood. */
static bool handle_line(struct input *input, const char *line) {
	uint32_t a, b;
	double x, y;
	int steps;
	if (sscanf(line, "move %u %u", &a, &b) == 2) {
		zwlr_virtual_pointer_v1_motion_absolute(
			input->pointer, ++input->time, a, b, input->width, input->height);
	} else if (sscanf(line, "by %lf %lf", &x, &y) == 2) {
		zwlr_virtual_pointer_v1_motion(input->pointer, ++input->time,
			wl_fixed_from_double(x), wl_fixed_from_double(y));
	} else if (sscanf(line, "button %u %u", &a, &b) == 2) {
		zwlr_virtual_pointer_v1_button(input->pointer, ++input->time, a, b);
	} else if (sscanf(line, "axis %u %lf %d", &a, &x, &steps) == 3) {
		axis(input, a, x, steps);
	} else if (sscanf(line, "finger %u %lf", &a, &x) == 2) {
		finger(input, a, x);
	} else if (sscanf(line, "key %u %u", &a, &b) == 2) {
		key(input, a, b != 0);
		return true;
	} else if (strncmp(line, "layout ", 7) == 0) {
		set_layout(input, line + 7);
		return true;
	} else if (strncmp(line, "type ", 5) == 0) {
		type(input, line + 5);
		return true;
	} else {
		return false;
	}
	zwlr_virtual_pointer_v1_frame(input->pointer);
	return true;
}

static void finish(struct input *input) {
	xkb_state_unref(input->state);
	xkb_keymap_unref(input->keymap);
	xkb_context_unref(input->context);
	zwlr_virtual_pointer_v1_destroy(input->pointer);
	zwp_virtual_keyboard_v1_destroy(input->keyboard);
	zwlr_virtual_pointer_manager_v1_destroy(input->pointers);
	zwp_virtual_keyboard_manager_v1_destroy(input->keyboards);
	wl_seat_destroy(input->seat);
	wl_registry_destroy(input->registry);
	wl_display_roundtrip(input->display);
	wl_display_disconnect(input->display);
}

int main(int argc, char **argv) {
	struct input input = {0};
	if (argc != 3) {
		fail("usage: test-input WIDTH HEIGHT");
	}
	input.width = (uint32_t)atoi(argv[1]);
	input.height = (uint32_t)atoi(argv[2]);
	input.display = wl_display_connect(NULL);
	if (input.display == NULL) {
		fail("no compositor at WAYLAND_DISPLAY");
	}
	input.registry = wl_display_get_registry(input.display);
	wl_registry_add_listener(input.registry, &registry_listener, &input);
	sync_input(&input);
	start_devices(&input);
	sync_input(&input);
	puts("ok");
	fflush(stdout);
	char line[1024];
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (!handle_line(&input, line)) {
			fail("a line was not understood");
		}
		sync_input(&input);
		puts("ok");
		fflush(stdout);
	}
	finish(&input);
	return 0;
}
