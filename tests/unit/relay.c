/* A real client and a real server with relays and a channel between them. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "relay_fixture.h"

struct globals {
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct wl_seat *seat;
	int count, formats;
	bool privileged;
};

static void handle_format(void *data, struct wl_shm *shm, uint32_t format) {
	struct globals *globals = data;
	globals->formats++;
}

static const struct wl_shm_listener shm_listener = {.format = handle_format};

static void handle_capabilities(void *data, struct wl_seat *seat, uint32_t capabilities) {
}

static void handle_name(void *data, struct wl_seat *seat, const char *name) {
}

static const struct wl_seat_listener seat_listener = {
	.capabilities = handle_capabilities,
	.name = handle_name,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct globals *globals = data;
	globals->count++;
	if (strcmp(interface, "wl_compositor") == 0) {
		globals->compositor =
			wl_registry_bind(registry, name, &wl_compositor_interface, version);
	} else if (strcmp(interface, "wl_shm") == 0) {
		globals->shm = wl_registry_bind(registry, name, &wl_shm_interface, version);
		wl_shm_add_listener(globals->shm, &shm_listener, globals);
	} else if (strcmp(interface, "wl_seat") == 0) {
		globals->seat = wl_registry_bind(registry, name, &wl_seat_interface, version);
		wl_seat_add_listener(globals->seat, &seat_listener, globals);
	} else {
		globals->privileged = true;
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

static void get_globals(struct fixture *fixture, struct globals *globals) {
	*globals = (struct globals){0};
	struct wl_registry *registry = wl_display_get_registry(fixture->client);
	wl_registry_add_listener(registry, &registry_listener, globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	wl_registry_destroy(registry);
}

static void release_globals(struct globals *globals) {
	wl_compositor_destroy(globals->compositor);
	wl_shm_release(globals->shm);
	wl_seat_release(globals->seat);
}

static void test_a_client_sees_what_the_list_allows_and_no_more(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	assert_int_equal(globals.count, 3);
	assert_false(globals.privileged);
	assert_int_equal(globals.formats, 2); /* NV12 cannot be measured */
	release_globals(&globals);
}

static void test_the_server_sees_the_pixels_where_the_client_wrote_them(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct portal_heap *heap = &fixture->guest.heap;
	int32_t pool_size = portal_heap_get_pool_size(heap);
	struct wl_shm_pool *pool = wl_shm_create_pool(globals.shm, heap->fd, pool_size);
	uint32_t offset = (uint32_t)heap->header.data_offset;
	struct wl_buffer *buffer =
		wl_shm_pool_create_buffer(pool, (int32_t)offset, 8, 8, 32, WL_SHM_FORMAT_XRGB8888);
	struct wl_surface *surface = wl_compositor_create_surface(globals.compositor);
	*(uint32_t *)portal_heap_at(heap, offset) = 0xff123456;
	wl_surface_attach(surface, buffer, 0, 0);
	wl_surface_commit(surface);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture->server.commits, 1);
	assert_int_equal(fixture->server.last_pixel, 0xff123456);
	wl_surface_destroy(surface);
	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	release_globals(&globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture->server.surfaces, 0);
}

static void test_more_descriptors_than_one_message_takes_arrive_in_order(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct wl_shm_pool *pools[100];
	for (size_t i = 0; i < 100; i++) {
		pools[i] = wl_shm_create_pool(globals.shm, fixture->guest.heap.fd, 4096);
	}
	/* The server gets them all at once, too. */
	fixture->server_idle = true;
	fixture_settle(fixture);
	fixture->server_idle = false;
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture->quota.used[PORTAL_QUOTA_POOLS], 100);
	for (size_t i = 0; i < 100; i++) {
		wl_shm_pool_destroy(pools[i]);
	}
	release_globals(&globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
}

static void test_ids_never_upset_the_server_however_objects_come_and_go(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct wl_surface *surfaces[50] = {0};
	uint32_t random = 1;
	for (int i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		struct wl_surface **surface = &surfaces[(random >> 16) % 50];
		if (*surface) {
			wl_surface_destroy(*surface);
			*surface = NULL;
		} else {
			*surface = wl_compositor_create_surface(globals.compositor);
		}
		if (i % 97 == 0) {
			assert_int_equal(fixture_roundtrip(fixture), 0);
		}
	}
	for (size_t i = 0; i < 50; i++) {
		if (surfaces[i]) {
			wl_surface_destroy(surfaces[i]);
		}
	}
	release_globals(&globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture->server.surfaces, 0);
	assert_int_equal(fixture->quota.used[PORTAL_QUOTA_SURFACES], 0);
	assert_false(fixture->controller.ended);
}

#define KEYMAP_SIZE 150000

struct keymap {
	char content[KEYMAP_SIZE];
	int count;
};

static void handle_keymap(
	void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd, uint32_t size) {
	struct keymap *keymap = data;
	assert_int_equal(size, KEYMAP_SIZE);
	char *content = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(content, MAP_FAILED);
	memcpy(keymap->content, content, size);
	munmap(content, size);
	/* Nobody can change it under the client, nor under another one. */
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	close(fd);
	keymap->count++;
}

static void handle_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
	struct wl_surface *surface, struct wl_array *keys) {
}

static void handle_leave(
	void *data, struct wl_keyboard *keyboard, uint32_t serial, struct wl_surface *surface) {
}

static void handle_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
	uint32_t key, uint32_t key_state) {
}

static void handle_modifiers(void *data, struct wl_keyboard *keyboard, uint32_t serial,
	uint32_t depressed, uint32_t latched, uint32_t locked, uint32_t group) {
}

static void handle_repeat_info(
	void *data, struct wl_keyboard *keyboard, int32_t rate, int32_t delay) {
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = handle_keymap,
	.enter = handle_enter,
	.leave = handle_leave,
	.key = handle_key,
	.modifiers = handle_modifiers,
	.repeat_info = handle_repeat_info,
};

static void test_a_keymap_arrives_whole_and_read_only(void **state) {
	static char content[KEYMAP_SIZE];
	static struct keymap keymap;
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(globals.seat);
	wl_keyboard_add_listener(keyboard, &keyboard_listener, &keymap);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	for (size_t i = 0; i < KEYMAP_SIZE; i++) {
		content[i] = (char)(i * 7 + i / 251);
	}
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	assert_int_equal(write(fd, content, KEYMAP_SIZE), KEYMAP_SIZE);
	for (int i = 0; i < 3; i++) {
		test_server_send_keymap(&fixture->server, fd, KEYMAP_SIZE);
	}
	close(fd);
	fixture_settle(fixture);
	assert_int_equal(keymap.count, 3);
	assert_memory_equal(keymap.content, content, KEYMAP_SIZE);
	wl_keyboard_release(keyboard);
	release_globals(&globals);
}

static void test_a_keymap_for_a_keyboard_just_released_is_no_trouble(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(globals.seat);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 4096), 0);
	test_server_send_keymap(&fixture->server, fd, 4096);
	close(fd);
	wl_keyboard_release(keyboard);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	release_globals(&globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
}

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
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
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
	release_globals(&globals);
}

static void test_nothing_is_merged_while_the_guest_reads(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct pointer_log log = {0};
	struct wl_pointer *pointer = wl_seat_get_pointer(globals.seat);
	wl_pointer_add_listener(pointer, &pointer_listener, &log);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	flood_with_motion(fixture, 2000);
	assert_int_equal(log.motions, 2000);
	assert_int_equal(portal_relay_get_counters(fixture->controller.relay).coalesced, 0);
	wl_pointer_release(pointer);
	release_globals(&globals);
}

static void test_a_guest_that_never_reads_is_cut_off(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture->queue_size = 1;
	fixture->backlog_max = 100000;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(globals.seat);
	wl_keyboard_add_listener(keyboard, &keyboard_listener, NULL);
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
	wl_compositor_destroy(globals.compositor);
	wl_shm_destroy(globals.shm);
	wl_seat_destroy(globals.seat);
}

static void test_the_servers_last_words_reach_the_client(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct wl_surface *surface = wl_compositor_create_surface(globals.compositor);
	uint32_t id = wl_proxy_get_id((struct wl_proxy *)surface);
	wl_surface_attach(surface, NULL, 5, 5);
	assert_int_equal(fixture_roundtrip(fixture), -1);
	const struct wl_interface *interface;
	uint32_t error_id;
	assert_int_equal(wl_display_get_protocol_error(fixture->client, &interface, &error_id),
		WL_SURFACE_ERROR_INVALID_OFFSET);
	assert_string_equal(interface->name, "wl_surface");
	assert_int_equal(error_id, id);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_SOCKET_CLOSED);
	assert_true(fixture->controller.released);
	assert_true(fixture->guest.released);
	assert_int_equal(fixture->guest.bye, 0);
	wl_surface_destroy(surface);
	wl_compositor_destroy(globals.compositor);
	wl_shm_destroy(globals.shm);
	wl_seat_destroy(globals.seat);
}

static void test_a_client_that_goes_away_leaves_nothing(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	struct wl_surface *surface = wl_compositor_create_surface(globals.compositor);
	fixture_settle(fixture);
	assert_int_equal(fixture->server.surfaces, 1);
	wl_surface_destroy(surface);
	wl_compositor_destroy(globals.compositor);
	wl_shm_destroy(globals.shm);
	wl_seat_destroy(globals.seat);
	wl_display_disconnect(fixture->client);
	fixture->client = NULL;
	fixture_settle(fixture);
	assert_null(fixture->server_client);
	assert_int_equal(fixture->server.surfaces, 0);
	assert_int_equal(fixture->guest.end, PORTAL_RELAY_SOCKET_CLOSED);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_DISCONNECTED);
	assert_true(fixture->guest.released);
	assert_true(fixture->controller.released);
}

static void test_a_server_that_does_not_read_slows_the_guest_down(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
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
	release_globals(&globals);
}

static void test_a_pool_over_other_memory_does_not_leave_the_guest(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	fixture_start(fixture, true);
	get_globals(fixture, &globals);
	int fd = memfd_create("other", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 4096), 0);
	struct wl_shm_pool *pool = wl_shm_create_pool(globals.shm, fd, 4096);
	close(fd);
	assert_int_equal(fixture_roundtrip(fixture), -1);
	assert_int_equal(fixture->guest.end, PORTAL_RELAY_SOCKET_VIOLATION);
	assert_string_equal(fixture->guest.text, "a pool is not made over the heap");
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_DISCONNECTED);
	wl_shm_pool_destroy(pool);
	wl_compositor_destroy(globals.compositor);
	wl_shm_destroy(globals.shm);
	wl_seat_destroy(globals.seat);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		T(test_a_client_sees_what_the_list_allows_and_no_more),
		T(test_the_server_sees_the_pixels_where_the_client_wrote_them),
		T(test_more_descriptors_than_one_message_takes_arrive_in_order),
		T(test_ids_never_upset_the_server_however_objects_come_and_go),
		T(test_a_keymap_arrives_whole_and_read_only),
		T(test_a_keymap_for_a_keyboard_just_released_is_no_trouble),
		T(test_motion_is_merged_while_the_guest_does_not_read),
		T(test_nothing_is_merged_while_the_guest_reads),
		T(test_a_guest_that_never_reads_is_cut_off),
		T(test_the_servers_last_words_reach_the_client),
		T(test_a_client_that_goes_away_leaves_nothing),
		T(test_a_server_that_does_not_read_slows_the_guest_down),
		T(test_a_pool_over_other_memory_does_not_leave_the_guest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
