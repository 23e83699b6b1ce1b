#include "input.h"

#include <fnmatch.h>
#include <libinput.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/backend/libinput.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_input_device.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_virtual_keyboard_v1.h>
#include <wlr/types/wlr_virtual_pointer_v1.h>
#include <wlr/util/log.h>

#include "compositor_config.h"
#include "keyboard.h"
#include "output.h"
#include "seat.h"
#include "server.h"

static struct seat *default_seat(struct server *server) {
	struct seat *seat = wl_container_of(server->seats.next, seat, link);
	return seat;
}

/* -1 leaves a setting as the device has it; libinput itself refuses what a device cannot. */
static void configure_touchpad(struct libinput_device *device, const struct config_input *config) {
	if (config->tap >= 0) {
		libinput_device_config_tap_set_enabled(device,
			config->tap ? LIBINPUT_CONFIG_TAP_ENABLED : LIBINPUT_CONFIG_TAP_DISABLED);
	}
	if (config->tap_drag >= 0) {
		libinput_device_config_tap_set_drag_enabled(
			device, config->tap_drag ? LIBINPUT_CONFIG_DRAG_ENABLED
						 : LIBINPUT_CONFIG_DRAG_DISABLED);
	}
	if (config->disable_while_typing >= 0) {
		libinput_device_config_dwt_set_enabled(
			device, config->disable_while_typing ? LIBINPUT_CONFIG_DWT_ENABLED
							     : LIBINPUT_CONFIG_DWT_DISABLED);
	}
	if (config->click_method >= 0) {
		static const enum libinput_config_click_method methods[] = {
			LIBINPUT_CONFIG_CLICK_METHOD_NONE,
			LIBINPUT_CONFIG_CLICK_METHOD_BUTTON_AREAS,
			LIBINPUT_CONFIG_CLICK_METHOD_CLICKFINGER,
		};
		libinput_device_config_click_set_method(device, methods[config->click_method]);
	}
}

static void configure_pointer(struct libinput_device *device, const struct config_input *config) {
	if (config->natural_scroll >= 0) {
		libinput_device_config_scroll_set_natural_scroll_enabled(
			device, config->natural_scroll);
	}
	if (config->left_handed >= 0) {
		libinput_device_config_left_handed_set(device, config->left_handed);
	}
	if (config->middle_emulation >= 0) {
		libinput_device_config_middle_emulation_set_enabled(device,
			config->middle_emulation ? LIBINPUT_CONFIG_MIDDLE_EMULATION_ENABLED
						 : LIBINPUT_CONFIG_MIDDLE_EMULATION_DISABLED);
	}
	if (config->scroll_method >= 0) {
		static const enum libinput_config_scroll_method methods[] = {
			LIBINPUT_CONFIG_SCROLL_NO_SCROLL,
			LIBINPUT_CONFIG_SCROLL_2FG,
			LIBINPUT_CONFIG_SCROLL_EDGE,
			LIBINPUT_CONFIG_SCROLL_ON_BUTTON_DOWN,
		};
		libinput_device_config_scroll_set_method(device, methods[config->scroll_method]);
	}
	if (config->accel_profile >= 0) {
		libinput_device_config_accel_set_profile(device,
			config->accel_profile == 0 ? LIBINPUT_CONFIG_ACCEL_PROFILE_FLAT
						   : LIBINPUT_CONFIG_ACCEL_PROFILE_ADAPTIVE);
	}
	if (config->has_accel) {
		libinput_device_config_accel_set_speed(device, config->accel);
	}
	if (config->enabled >= 0) {
		libinput_device_config_send_events_set_mode(
			device, config->enabled ? LIBINPUT_CONFIG_SEND_EVENTS_ENABLED
						: LIBINPUT_CONFIG_SEND_EVENTS_DISABLED);
	}
}

static struct wlr_output *output_by_name(struct server *server, const char *name) {
	struct output *output;
	wl_list_for_each (output, &server->outputs, link) {
		if (output->scene_output != NULL && strcmp(output->wlr_output->name, name) == 0) {
			return output->wlr_output;
		}
	}
	return NULL;
}

static bool matches(const struct config_input *config, const struct wlr_input_device *device) {
	return fnmatch(config->pattern, device->name != NULL ? device->name : "", 0) == 0;
}

/* While the output that is named is not there the device reaches all of them. */
static void map(struct input *input) {
	struct server *server = input->seat->server;
	const char *name = NULL;
	for (size_t i = 0; i < server->config->inputs_len; i++) {
		const struct config_input *config = &server->config->inputs[i];
		if (config->map_to_output != NULL && matches(config, input->device)) {
			name = config->map_to_output;
		}
	}
	if (name != NULL && !input->mapped_by_client) {
		wlr_cursor_map_input_to_output(
			input->seat->cursor, input->device, output_by_name(server, name));
	}
}

static void configure(struct input *input) {
	const struct compositor_config *config = input->seat->server->config;
	for (size_t i = 0; i < config->inputs_len; i++) {
		if (wlr_input_device_is_libinput(input->device) &&
			matches(&config->inputs[i], input->device)) {
			struct libinput_device *handle =
				wlr_libinput_get_device_handle(input->device);
			configure_touchpad(handle, &config->inputs[i]);
			configure_pointer(handle, &config->inputs[i]);
		}
	}
	map(input);
}

void input_map_all(struct server *server) {
	struct seat *seat;
	wl_list_for_each (seat, &server->seats, link) {
		struct input *input;
		wl_list_for_each (input, &seat->devices, link) {
			map(input);
		}
	}
}

void input_configure_all(struct server *server) {
	struct seat *seat;
	wl_list_for_each (seat, &server->seats, link) {
		struct input *input;
		wl_list_for_each (input, &seat->devices, link) {
			configure(input);
		}
		keyboard_configure_all(seat);
	}
}

static void input_destroy(struct input *input) {
	wlr_cursor_detach_input_device(input->seat->cursor, input->device);
	wl_list_remove(&input->link);
	wl_list_remove(&input->destroy.link);
	free(input);
}

static void handle_destroy(struct wl_listener *listener, void *data) {
	struct input *input = wl_container_of(listener, input, destroy);
	struct seat *seat = input->seat;
	input_destroy(input);
	seat_update_capabilities(seat);
}

static struct input *add_device(struct seat *seat, struct wlr_input_device *device) {
	struct input *input = calloc(1, sizeof(*input));
	if (input == NULL) {
		wlr_log(WLR_ERROR, "no memory for input device %s", device->name);
		return NULL;
	}
	input->seat = seat;
	input->device = device;
	wl_list_insert(&seat->devices, &input->link);
	input->destroy.notify = handle_destroy;
	wl_signal_add(&device->events.destroy, &input->destroy);
	wlr_cursor_attach_input_device(seat->cursor, device);
	configure(input);
	seat_update_capabilities(seat);
	return input;
}

static void handle_new_input(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_input);
	struct wlr_input_device *device = data;
	struct seat *seat = default_seat(server);
	switch (device->type) {
	case WLR_INPUT_DEVICE_KEYBOARD:
		keyboard_add_real(seat, wlr_keyboard_from_input_device(device));
		break;
	case WLR_INPUT_DEVICE_POINTER:
	case WLR_INPUT_DEVICE_TOUCH:
		add_device(seat, device);
		break;
	default:
		wlr_log(WLR_INFO, "input device %s is of a kind that is not used", device->name);
		break;
	}
}

static void handle_new_virtual_keyboard(struct wl_listener *listener, void *data) {
	struct wlr_virtual_keyboard_v1 *virtual_keyboard = data;
	keyboard_add_virtual(virtual_keyboard->seat->data, &virtual_keyboard->keyboard);
}

static void handle_new_virtual_pointer(struct wl_listener *listener, void *data) {
	struct server *server = wl_container_of(listener, server, new_virtual_pointer);
	struct wlr_virtual_pointer_v1_new_pointer_event *event = data;
	struct seat *seat =
		event->suggested_seat != NULL ? event->suggested_seat->data : default_seat(server);
	struct wlr_input_device *device = &event->new_pointer->pointer.base;
	struct input *input = add_device(seat, device);
	if (input != NULL && event->suggested_output != NULL) {
		input->mapped_by_client = true;
		wlr_cursor_map_input_to_output(seat->cursor, device, event->suggested_output);
	}
}

bool input_has_touch(const struct seat *seat) {
	struct input *input;
	wl_list_for_each (input, &seat->devices, link) {
		if (input->device->type == WLR_INPUT_DEVICE_TOUCH) {
			return true;
		}
	}
	return false;
}

void input_destroy_all(struct seat *seat) {
	struct input *input, *next;
	wl_list_for_each_safe (input, next, &seat->devices, link) {
		input_destroy(input);
	}
	keyboard_destroy_all(seat);
}

void input_init(struct server *server) {
	server->new_input.notify = handle_new_input;
	wl_signal_add(&server->backend->events.new_input, &server->new_input);
	server->new_virtual_keyboard.notify = handle_new_virtual_keyboard;
	wl_signal_add(&server->globals.virtual_keyboard->events.new_virtual_keyboard,
		&server->new_virtual_keyboard);
	server->new_virtual_pointer.notify = handle_new_virtual_pointer;
	wl_signal_add(&server->globals.virtual_pointer->events.new_virtual_pointer,
		&server->new_virtual_pointer);
}

void input_finish(struct server *server) {
	wl_list_remove(&server->new_input.link);
	wl_list_remove(&server->new_virtual_keyboard.link);
	wl_list_remove(&server->new_virtual_pointer.link);
}
