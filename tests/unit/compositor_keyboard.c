/* A keyboard of the machine, as far as the compositor sees one: its keys go the whole way from the
 * backend on. What headless and nested compositors have are virtual keyboards, which bring their
 * own keymap, or the keyboard of another compositor, which has switched layouts itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/input-event-codes.h>
#include <wlr/backend.h>
#include <wlr/interfaces/wlr_keyboard.h>
#include <wlr/types/wlr_keyboard_group.h>
#include <wlr/util/log.h>

#include "compositor_config.h"
#include "keyboard.h"
#include "seat.h"
#include "server.h"

static const struct wlr_keyboard_impl impl = {.name = "test"};

struct machine {
	struct server *server;
	struct seat *seat;
	struct keyboard *group; /* what the seat hears the keyboard through */
	struct wlr_keyboard keyboard;
	uint32_t time; /* milliseconds, a key a tick */
};

static int setup(void **state) {
	setenv("WLR_BACKENDS", "headless", true);
	setenv("WLR_RENDERER", "pixman", true);
	wlr_log_init(WLR_ERROR, NULL);
	struct machine *machine = calloc(1, sizeof(*machine));
	struct compositor_config *config = compositor_config_create();
	assert_non_null(machine);
	assert_non_null(config);
	config->keyboard.layout = strdup("us,ru");
	config->keyboard.options = strdup("grp:alt_shift_toggle");
	machine->server = server_create(config, NULL);
	assert_non_null(machine->server);
	machine->seat = wl_container_of(machine->server->seats.next, machine->seat, link);
	machine->group = wl_container_of(machine->seat->keyboards.next, machine->group, link);
	wlr_keyboard_init(&machine->keyboard, &impl, "test");
	wl_signal_emit_mutable(
		&machine->server->backend->events.new_input, &machine->keyboard.base);
	*state = machine;
	return 0;
}

static int teardown(void **state) {
	struct machine *machine = *state;
	wlr_keyboard_finish(&machine->keyboard);
	server_destroy(machine->server);
	free(machine);
	return 0;
}

static void key(struct machine *machine, uint32_t code, bool pressed) {
	struct wlr_keyboard_key_event event = {
		.time_msec = ++machine->time,
		.keycode = code,
		.update_state = true,
		.state = pressed ? WL_KEYBOARD_KEY_STATE_PRESSED : WL_KEYBOARD_KEY_STATE_RELEASED,
	};
	wlr_keyboard_notify_key(&machine->keyboard, &event);
}

static void switch_layout(struct machine *machine) {
	key(machine, KEY_LEFTALT, true);
	key(machine, KEY_LEFTSHIFT, true);
	key(machine, KEY_LEFTSHIFT, false);
	key(machine, KEY_LEFTALT, false);
}

static uint32_t layout(const struct machine *machine) {
	return machine->seat->group->keyboard.modifiers.group;
}

/* Whether a binding takes the key. */
static bool is_taken(struct machine *machine, uint32_t modifier, uint32_t code) {
	key(machine, modifier, true);
	key(machine, code, true);
	bool taken = machine->group->taken_len == 1 && machine->group->taken[0] == code;
	key(machine, code, false);
	key(machine, modifier, false);
	assert_int_equal(machine->group->taken_len, 0);
	return taken;
}

static void test_keys_switch_the_layouts_of_the_configuration(void **state) {
	struct machine *machine = *state;
	assert_int_equal(layout(machine), 0);
	switch_layout(machine);
	assert_int_equal(layout(machine), 1);
	switch_layout(machine);
	assert_int_equal(layout(machine), 0);
}

static void test_bindings_work_in_a_layout_without_latin_letters(void **state) {
	struct machine *machine = *state;
	for (uint32_t wanted = 0; wanted <= 1; wanted++) {
		assert_int_equal(layout(machine), wanted);
		assert_true(is_taken(machine, KEY_LEFTMETA, KEY_Q));
		assert_true(is_taken(machine, KEY_LEFTALT, KEY_F4));
		assert_false(is_taken(machine, KEY_LEFTMETA, KEY_W));
		assert_false(is_taken(machine, KEY_LEFTCTRL, KEY_Q));
		switch_layout(machine);
	}
}

static void test_what_a_binding_has_taken_is_told_to_nobody(void **state) {
	struct machine *machine = *state;
	uint32_t keys[WLR_KEYBOARD_KEYS_CAP];
	key(machine, KEY_LEFTMETA, true);
	key(machine, KEY_Q, true);
	size_t count = keyboard_pressed_keys(machine->seat, machine->group->wlr_keyboard, keys);
	assert_int_equal(count, 1);
	assert_int_equal(keys[0], KEY_LEFTMETA);
	key(machine, KEY_Q, false);
	key(machine, KEY_LEFTMETA, false);
}

static void test_another_configuration_changes_the_layout_of_a_keyboard(void **state) {
	struct machine *machine = *state;
	struct config_keyboard *config = &machine->server->config->keyboard;
	free(config->layout);
	config->layout = strdup("de");
	keyboard_configure_all(machine->seat);
	const struct wlr_keyboard *group = &machine->seat->group->keyboard;
	assert_int_equal(xkb_keymap_num_layouts(group->keymap), 1);
	assert_string_equal(xkb_keymap_layout_get_name(group->keymap, 0), "German");
	assert_ptr_equal(machine->keyboard.group, machine->seat->group);
	assert_true(is_taken(machine, KEY_LEFTMETA, KEY_Q));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_keys_switch_the_layouts_of_the_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_bindings_work_in_a_layout_without_latin_letters, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_what_a_binding_has_taken_is_told_to_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_another_configuration_changes_the_layout_of_a_keyboard, setup,
			teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
