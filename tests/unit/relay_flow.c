/* One side that does not read: motion is merged, the other side waits, or is cut off. */
#include <sys/mman.h>
#include <unistd.h>

#include "relay_fixture.h"
#include "relay_globals.h"

struct pointer_log {
	int motions, frames, buttons;
	uint32_t last_button;
	wl_fixed_t x, y;
	wl_fixed_t button_x; /* where the pointer was at the last button */
	bool out_of_order;
};

static void pointer_enter(void *data, struct wl_pointer *pointer, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y) {
}

static void pointer_leave(
	void *data, struct wl_pointer *pointer, uint32_t serial, struct wl_surface *surface) {
}

static void pointer_motion(
	void *data, struct wl_pointer *pointer, uint32_t time, wl_fixed_t x, wl_fixed_t y) {
	struct pointer_log *log = data;
	log->motions++;
	log->out_of_order |= x < log->x;
	log->x = x;
	log->y = y;
}

static void pointer_button(void *data, struct wl_pointer *pointer, uint32_t serial, uint32_t time,
	uint32_t button, uint32_t button_state) {
	struct pointer_log *log = data;
	log->out_of_order |= button != log->last_button + 1;
	/* The server pressed at (serial, …): no later motion may have overtaken the button. */
	log->out_of_order |= (uint32_t)log->x != serial;
	log->last_button = button;
	log->buttons++;
}

static void pointer_axis(
	void *data, struct wl_pointer *pointer, uint32_t time, uint32_t axis, wl_fixed_t value) {
}

static void pointer_frame(void *data, struct wl_pointer *pointer) {
	struct pointer_log *log = data;
	log->frames++;
}

static const struct wl_pointer_listener pointer_listener = {
	.enter = pointer_enter,
	.leave = pointer_leave,
	.motion = pointer_motion,
	.button = pointer_button,
	.axis = pointer_axis,
	.frame = pointer_frame,
};

/* Motions until the guest's channel is full, and many more; a button at every thousandth. */
static int flood_with_motion(struct fixture *fixture, int motions) {
	struct test_server *server = &fixture->server;
	int buttons = 0;
	for (int i = 1; i <= motions; i++) {
		test_server_send_motion(server, i, i * 2);
		test_server_send_pointer_frame(server);
		if (i % 1000 == 0) {
			buttons++;
			test_server_send_button(server, (uint32_t)i, (uint32_t)buttons);
			test_server_send_pointer_frame(server);
		}
		if (i % 100 == 0) {
			fixture_settle(fixture);
		}
	}
	fixture_settle(fixture);
	return buttons;
}

static void test_motion_is_merged_while_the_guest_does_not_read(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture->queue_size = 1; /* the least there is */
	globals_start(&globals, fixture);
	struct pointer_log log = {0};
	struct wl_pointer *pointer = wl_seat_get_pointer(globals.seat);
	wl_pointer_add_listener(pointer, &pointer_listener, &log);
	assert_int_equal(fixture_roundtrip(fixture), 0);

	fixture->guest.idle = true;
	int buttons = flood_with_motion(fixture, 100000);
	assert_false(fixture->controller.ended);
	uint64_t coalesced = portal_relay_get_counters(fixture->controller.relay).coalesced;
	fixture->guest.idle = false;
	fixture_settle(fixture);

	assert_int_equal(log.x, 100000);
	assert_int_equal(log.y, 200000);
	assert_int_equal(log.buttons, buttons);
	assert_false(log.out_of_order);
	assert_true(log.motions < 50000);
	/* Each frame stands behind what it closes: none is lost, none is double. */
	assert_int_equal(log.frames, log.motions + log.buttons);
	assert_int_equal(coalesced, 2 * (100000 - log.motions));
	wl_pointer_release(pointer);
	globals_release(&globals);
}

static void test_nothing_is_merged_while_the_guest_reads(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct pointer_log log = {0};
	struct wl_pointer *pointer = wl_seat_get_pointer(globals.seat);
	wl_pointer_add_listener(pointer, &pointer_listener, &log);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	flood_with_motion(fixture, 2000);
	assert_int_equal(log.motions, 2000);
	assert_int_equal(portal_relay_get_counters(fixture->controller.relay).coalesced, 0);
	wl_pointer_release(pointer);
	globals_release(&globals);
}

static void test_a_guest_that_never_reads_is_cut_off(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture->queue_size = 1;
	fixture->backlog_max = 100000;
	globals_start(&globals, fixture);
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(globals.seat);
	assert_int_equal(fixture_roundtrip(fixture), 0);

	fixture->guest.idle = true;
	for (uint32_t i = 0; !fixture->controller.ended; i++) {
		assert_true(i < 100000);
		test_server_send_key(&fixture->server, i);
		if (i % 100 == 0) {
			fixture_settle(fixture);
		}
	}
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_OVERFLOW);
	/* The server has its client no more, though the guest knows nothing yet. */
	fixture_settle(fixture);
	assert_null(fixture->server_client);
	assert_false(fixture->controller.released);
	assert_int_equal(portal_relay_get_windows(fixture->controller.relay), 0);

	fixture->guest.idle = false;
	fixture_settle(fixture);
	assert_int_equal(fixture->guest.end, PORTAL_RELAY_DISCONNECTED);
	assert_true(fixture->guest.released);
	assert_true(fixture->controller.released);
	assert_int_not_equal(wl_display_get_error(fixture->client), 0);
	wl_keyboard_destroy(keyboard);
	globals_destroy(&globals);
}

/* Each keymap that waits is a descriptor of the bridge's, which has only so many. */
static void test_so_is_one_for_whom_descriptors_wait(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture->queue_size = 1;
	globals_start(&globals, fixture);
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(globals.seat);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	fixture->guest.idle = true;
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 65536), 0);
	for (uint32_t i = 0; !fixture->controller.ended; i++) {
		assert_true(i < 1000);
		test_server_send_keymap(&fixture->server, fd, 65536);
		fixture_settle(fixture);
	}
	close(fd);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_OVERFLOW);
	assert_string_equal(fixture->controller.text,
		"the guest does not read its events, 65 descriptors are waiting");
	fixture->guest.idle = false;
	fixture_settle(fixture);
	wl_keyboard_destroy(keyboard);
	globals_destroy(&globals);
}

static void test_a_server_that_does_not_read_slows_the_guest_down(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct wl_surface *surface = wl_compositor_create_surface(globals.compositor);
	fixture_settle(fixture);
	fixture->server_idle = true;
	for (int i = 0; i < 200000; i++) {
		wl_surface_damage(surface, 0, 0, i, i);
		if (i % 1000 == 0) {
			fixture_settle(fixture);
		}
	}
	assert_true(fixture->controller.congested);
	/* All of it waits where it belongs: with the client. */
	assert_true(portal_relay_get_counters(fixture->controller.relay).requests < 100000);
	fixture->server_idle = false;
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_false(fixture->controller.congested);
	assert_true(portal_relay_get_counters(fixture->controller.relay).requests > 200000);
	wl_surface_destroy(surface);
	globals_release(&globals);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_motion_is_merged_while_the_guest_does_not_read),
		FIXTURE_TEST(test_nothing_is_merged_while_the_guest_reads),
		FIXTURE_TEST(test_a_guest_that_never_reads_is_cut_off),
		FIXTURE_TEST(test_so_is_one_for_whom_descriptors_wait),
		FIXTURE_TEST(test_a_server_that_does_not_read_slows_the_guest_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
