/* The life of objects: ids, destruction, pools and buffers, quotas. */
#include "wire_fixture.h"

static void test_new_ids_have_no_gaps(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", ID_FREE));
	assert_violation(f, request(f, ID_COMPOSITOR, 0, "n", ID_FREE + 2),
		"wl_compositor#3.create_surface: id 10 is not the next or a free one");
}

static void test_an_id_in_use_cannot_be_new(void **state) {
	struct fixture *f = *state;
	static const uint32_t ids[] = {ID_DISPLAY, ID_REGISTRY, ID_COMPOSITOR};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		assert_int_equal(request(f, ID_COMPOSITOR, 0, "n", ids[i]), PORTAL_WIRE_VIOLATION);
	}
	assert_violation(f, request(f, ID_COMPOSITOR, 0, "n", 0),
		"wl_compositor#3.create_surface: id 0 is not the next or a free one");
}

static void test_a_client_keeps_to_its_range_of_ids(void **state) {
	struct fixture *f = *state;
	assert_violation(f, request(f, ID_COMPOSITOR, 0, "n", 0xff000000u),
		"wl_compositor#3.create_surface: id 4278190080 is in the other side's range");
}

static void test_a_destroyed_id_is_free_when_the_server_says_so(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SURFACE_DESTROY, ""));
	assert_violation(f, request(f, ID_COMPOSITOR, 0, "n", 8),
		"wl_compositor#3.create_surface: id 8 is not the next or a free one");
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SURFACE_COMMIT, ""),
		"wl_surface#8, request 6: the object is destroyed");
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", 8));
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SURFACE_COMMIT, ""),
		"request 6 to object 8: there is none");
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SURFACE_COMMIT, ""));
}

static void test_an_id_may_change_its_interface_when_used_again(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SURFACE_DESTROY, ""));
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", 8));
	assert_passes(request(f, ID_DISPLAY, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", 8));
	assert_passes(event(f, 8, PORTAL_EVENT_WL_CALLBACK_DONE, "u", 1));
}

static void test_events_still_come_for_a_destroyed_object(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_SEAT, PORTAL_REQUEST_WL_SEAT_GET_KEYBOARD, "n", 8));
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 9));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_KEYBOARD_RELEASE, ""));
	assert_passes(request(f, 9, PORTAL_REQUEST_WL_SURFACE_DESTROY, ""));
	/* With their descriptors, and about objects that are gone as well. */
	assert_passes(event(f, 8, PORTAL_EVENT_WL_KEYBOARD_KEYMAP, "uu", 1, 100));
	assert_int_equal(f->info.n_fds, 1);
	assert_passes(event(f, 8, PORTAL_EVENT_WL_KEYBOARD_ENTER, "uoa", 1, 9));
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", 9));
	assert_violation(f, event(f, 8, PORTAL_EVENT_WL_KEYBOARD_ENTER, "uoa", 1, 9),
		"wl_keyboard#8.enter: there is no object 9");
}

static void test_a_request_about_a_destroyed_object_is_a_violation(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SURFACE_DESTROY, ""));
	assert_violation(f,
		request(f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, "no", 9, 8),
		"xdg_wm_base#6.get_xdg_surface: object 8 is destroyed");
}

static void test_a_callback_ends_with_its_event(void **state) {
	struct fixture *f = *state;
	uint64_t before = f->quota.used[PORTAL_QUOTA_OBJECTS];
	assert_passes(request(f, ID_DISPLAY, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", 8));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_OBJECTS], before + 1);
	assert_passes(event(f, 8, PORTAL_EVENT_WL_CALLBACK_DONE, "u", 1));
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", 8));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_OBJECTS], before);
}

static void test_a_registry_ends_through_wl_fixes(void **state) {
	struct fixture *f = *state;
	assert_violation(f,
		request(f, ID_FIXES, PORTAL_REQUEST_WL_FIXES_DESTROY_REGISTRY, "o", ID_SHM),
		"wl_fixes#7.destroy_registry: object 4 is a wl_shm, not a wl_registry");
	assert_passes(
		request(f, ID_FIXES, PORTAL_REQUEST_WL_FIXES_DESTROY_REGISTRY, "o", ID_REGISTRY));
	assert_violation(f,
		request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 105, "wl_seat", 9,
			8),
		"wl_registry#2, request 0: the object is destroyed");
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", ID_REGISTRY));
	assert_passes(
		request(f, ID_DISPLAY, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", ID_REGISTRY));
}

static void test_a_server_cannot_delete_what_is_not_a_clients(void **state) {
	struct fixture *f = *state;
	assert_violation(f, event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", 1),
		"wl_display#1.delete_id: id 1 is not one a client can free");
	assert_violation(f,
		event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", 0xff000000),
		"wl_display#1.delete_id: id 4278190080 is not one a client can free");
	/* Twice is a slip that harms nobody: libwayland's clients log it. */
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", 500));
}

static void test_a_pool_lies_inside_the_heap(void **state) {
	struct fixture *f = *state;
	static const int32_t sizes[] = {0, -1, INT32_MIN, HEAP_SIZE + 1, INT32_MAX};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(
			request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, sizes[i]),
			PORTAL_WIRE_VIOLATION);
	}
	assert_string_equal(portal_wire_error(f->wire),
		"wl_shm#4.create_pool: a pool of 2147483647 bytes in a heap of 1048576");
	assert_passes(request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, HEAP_SIZE));
}

static void test_a_pool_grows_inside_the_heap_only(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, 4096));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, "i", 8192));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, "i", 8192));
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, "i", 8191),
		"wl_shm_pool#8.resize: a pool of 8192 bytes cannot shrink to 8191");
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, "i", HEAP_SIZE + 1),
		"wl_shm_pool#8.resize: a pool of 1048577 bytes in a heap of 1048576");
	assert_violation(f, request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, "i", -5),
		"wl_shm_pool#8.resize: a pool of -5 bytes");
	assert_int_equal(f->quota.used[PORTAL_QUOTA_POOL_BYTES], 8192);
	assert_passes(request(
		f, 8, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", 9, 4096, 32, 32, 128, 0));
}

static void test_a_buffer_lies_inside_its_pool(void **state) {
	static const struct {
		int32_t offset, width, height, stride;
		uint32_t format;
	} bad[] = {
		{-4, 16, 16, 64, 0},
		{0, 0, 16, 64, 0},
		{0, 16, 0, 64, 0},
		{0, -1, 16, 64, 0},
		{0, 16, -1, 64, 0},
		{0, 16, 16, 0, 0},
		{0, 16, 16, -64, 0},
		{0, 17, 16, 64, 0}, /* stride too short */
		{0, 0x40000001, 1, 4, 0}, /* width times four overflows */
		{1, 16, 64, 64, 0}, /* one byte too far */
		{4096, 1, 1, 4, 0}, /* begins at the end */
		{0, 16, 65, 64, 0}, /* one row too many */
		{0, 16, 0x04000000, 64, 0}, /* stride times height is 2^32 */
		{INT32_MAX, 1, INT32_MAX, INT32_MAX, 0},
		{0, 16, 16, 64, 0x34325241}, /* ARGB8888 as a fourcc: not wl_shm's */
		{0, 16, 16, 64, 0x3231564e}, /* NV12: two planes */
	};
	struct fixture *f = *state;
	assert_passes(request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, 4096));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu",
					 9, bad[i].offset, bad[i].width, bad[i].height,
					 bad[i].stride, bad[i].format),
			PORTAL_WIRE_VIOLATION);
	}
	assert_passes(request(
		f, 8, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", 9, 0, 16, 64, 64, 0));
	/* RGB565: two bytes a pixel */
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", 10, 4032,
		32, 1, 64, 0x36314752));
	assert_violation(f,
		request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", 11, 1, 16, 64, 64,
			0),
		"wl_shm_pool#8.create_buffer: the buffer ends at 4097, its pool at 4096");
}

static void test_offsets_move_to_where_the_heap_lies_in_this_ends_file(void **state) {
	struct fixture *f = *state;
	portal_wire_destroy(f->wire);
	f->wire = portal_wire_create(4096 + 2048, 2048, &f->quota);
	assert_passes(request(f, 1, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", 2));
	assert_passes(event(f, 2, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 1, "wl_shm", 2));
	assert_passes(request(f, 2, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 1, "wl_shm", 2, 3));
	assert_violation(f, request(f, 3, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 4, 4097),
		"wl_shm#3.create_pool: a pool of 4097 bytes in a heap of 4096");
	assert_passes(request(f, 3, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 4, 2000));
	assert_int_equal(seen_word(f, 1), 4048);
	assert_passes(request(f, 4, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, "i", 4096));
	assert_int_equal(seen_word(f, 0), 6144);
	assert_passes(request(
		f, 4, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", 5, 4092, 1, 1, 4, 1));
	assert_int_equal(seen_word(f, 1), 6140);
	assert_violation(f,
		request(f, 4, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", 6, 4096, 1, 1, 4,
			1),
		"wl_shm_pool#4.create_buffer: the buffer ends at 4100, its pool at 4096");
}

static void test_formats_that_cannot_be_measured_are_hidden(void **state) {
	struct fixture *f = *state;
	assert_passes(event(f, ID_SHM, PORTAL_EVENT_WL_SHM_FORMAT, "u", 0));
	assert_hidden(event(f, ID_SHM, PORTAL_EVENT_WL_SHM_FORMAT, "u", 0x3231564e));
}

static void test_a_pool_is_paid_for_until_its_last_buffer_goes(void **state) {
	struct fixture *f = *state;
	assert_passes(request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, 4096));
	for (uint32_t id = 9; id < 11; id++) {
		assert_passes(request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", id,
			0, 16, 16, 64, 0));
	}
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_DESTROY, ""));
	assert_passes(request(f, 9, PORTAL_REQUEST_WL_BUFFER_DESTROY, ""));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_POOLS], 1);
	assert_int_equal(f->quota.used[PORTAL_QUOTA_POOL_BYTES], 4096);
	assert_int_equal(f->quota.used[PORTAL_QUOTA_BUFFERS], 1);
	assert_int_equal(f->quota.used[PORTAL_QUOTA_BUFFER_BYTES], 1024);
	assert_passes(request(f, 10, PORTAL_REQUEST_WL_BUFFER_DESTROY, ""));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_POOLS], 0);
	assert_int_equal(f->quota.used[PORTAL_QUOTA_POOL_BYTES], 0);
	assert_int_equal(f->quota.used[PORTAL_QUOTA_BUFFERS], 0);
	assert_int_equal(f->quota.used[PORTAL_QUOTA_BUFFER_BYTES], 0);
	/* The freed place is used again, and holds the new pool's size. */
	assert_passes(request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 11, 64));
	assert_violation(f,
		request(f, 11, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", 12, 0, 16, 2, 64,
			0),
		"wl_shm_pool#11.create_buffer: the buffer ends at 128, its pool at 64");
}

static void test_the_bytes_of_buffers_are_counted_as_they_come_and_go(void **state) {
	struct fixture *f = *state;
	enum { ROUNDS = 100, FIRST = 9 };
	uint64_t expected = 0;
	assert_passes(request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, 4096));
	/* Twenty at a time, of different sizes, so that their places are used again. */
	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t id = FIRST + i % 20, rows = 1 + i % 7, old_rows = 1 + (i - 20) % 7;
		if (i >= 20) {
			assert_passes(request(f, id, PORTAL_REQUEST_WL_BUFFER_DESTROY, ""));
			assert_passes(event(f, 1, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", id));
			expected -= (uint64_t)old_rows * 64;
		}
		assert_passes(request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", id,
			64, 16, rows, 64, 0));
		expected += (uint64_t)rows * 64;
		assert_int_equal(f->quota.used[PORTAL_QUOTA_BUFFER_BYTES], expected);
	}
	/* The fixture looks whether all of it is given back with the connection. */
}

static void test_surfaces_are_counted_over_all_connections(void **state) {
	struct fixture *f = *state;
	f->quota.limit[PORTAL_QUOTA_SURFACES] = 2;
	struct portal_wire *first = f->wire;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 8));
	f->wire = portal_wire_create(HEAP_SIZE, 0, &f->quota);
	assert_passes(request(f, 1, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", 2));
	assert_passes(event(f, 2, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 1, "wl_compositor", 6));
	assert_passes(
		request(f, 2, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 1, "wl_compositor", 6, 3));
	assert_passes(request(f, 3, 0, "n", 4));
	assert_refused(f, request(f, 3, 0, "n", 5),
		"wl_compositor#3.create_surface: the guest has its quota of 2 surfaces");
	portal_wire_destroy(f->wire);
	assert_int_equal(f->quota.used[PORTAL_QUOTA_SURFACES], 1);
	f->wire = first;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", 9));
}

static void test_every_quota_of_things_is_kept(void **state) {
	static const struct {
		enum portal_quota_kind kind;
		uint64_t room; /* over what the fixture uses */
		const char *text;
	} cases[] = {
		{PORTAL_QUOTA_OBJECTS, 1,
			"wl_shm_pool#8.create_buffer: the guest has its quota of 7 objects"},
		{PORTAL_QUOTA_POOLS, 0, "wl_shm#4.create_pool: the guest has its quota of 0 pools"},
		{PORTAL_QUOTA_POOL_BYTES, 4095,
			"wl_shm#4.create_pool: the guest has its quota of 4095 pool bytes"},
		{PORTAL_QUOTA_BUFFER_BYTES, 1023,
			"wl_shm_pool#8.create_buffer: the guest has its quota of 1023 bytes "
			"of buffers"},
		{PORTAL_QUOTA_BUFFERS, 0,
			"wl_shm_pool#8.create_buffer: the guest has its quota of 0 buffers"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		void *own;
		fixture_setup(&own);
		struct fixture *f = own;
		f->quota.limit[cases[i].kind] = f->quota.used[cases[i].kind] + cases[i].room;
		enum portal_wire_verdict verdict =
			request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, 4096);
		if (verdict == PORTAL_WIRE_PASS) {
			verdict = request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu",
				9, 0, 16, 16, 64, 0);
		}
		assert_refused(f, verdict, cases[i].text);
		fixture_teardown(&own);
	}
}

static void test_a_pool_that_grows_is_paid_for(void **state) {
	struct fixture *f = *state;
	f->quota.limit[PORTAL_QUOTA_POOL_BYTES] = 8192;
	assert_passes(request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 8, 4096));
	assert_passes(request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, "i", 8192));
	assert_refused(f, request(f, 8, PORTAL_REQUEST_WL_SHM_POOL_RESIZE, "i", 8193),
		"wl_shm_pool#8.resize: the guest has its quota of 8192 pool bytes");
}

static void test_messages_over_the_rate_are_waited_for(void **state) {
	struct portal_quota quota;
	portal_quota_init(&quota, HEAP_SIZE);
	quota.messages_per_second = 1000;
	quota.burst = 10;
	quota.tokens = 10;
	uint64_t now = 5000000000;
	assert_int_equal(portal_quota_spend(&quota, now, 10), 0);
	assert_int_equal(portal_quota_spend(&quota, now, 5), 5000000);
	/* One of five has been earned back. */
	assert_int_equal(portal_quota_spend(&quota, now + 1000000, 0), 4000000);
	assert_int_equal(portal_quota_spend(&quota, now + 5000000, 0), 0);
	/* However long it was idle, no more than the burst is saved up. */
	assert_int_equal(portal_quota_spend(&quota, now + UINT64_C(100000000000), 11), 1000000);
}

static void test_slow_messages_never_wait_however_they_fall(void **state) {
	struct portal_quota quota;
	portal_quota_init(&quota, HEAP_SIZE);
	quota.messages_per_second = 1000;
	quota.burst = 3;
	quota.tokens = 3;
	/* 999 a second in steps that are no whole number of tokens. */
	for (uint64_t i = 1; i < 20000; i++) {
		assert_int_equal(portal_quota_spend(&quota, i * 1001001, 1), 0);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		T(test_new_ids_have_no_gaps),
		T(test_an_id_in_use_cannot_be_new),
		T(test_a_client_keeps_to_its_range_of_ids),
		T(test_a_destroyed_id_is_free_when_the_server_says_so),
		T(test_an_id_may_change_its_interface_when_used_again),
		T(test_events_still_come_for_a_destroyed_object),
		T(test_a_request_about_a_destroyed_object_is_a_violation),
		T(test_a_callback_ends_with_its_event),
		T(test_a_registry_ends_through_wl_fixes),
		T(test_a_server_cannot_delete_what_is_not_a_clients),
		T(test_a_pool_lies_inside_the_heap),
		T(test_a_pool_grows_inside_the_heap_only),
		T(test_a_buffer_lies_inside_its_pool),
		T(test_offsets_move_to_where_the_heap_lies_in_this_ends_file),
		T(test_formats_that_cannot_be_measured_are_hidden),
		T(test_the_bytes_of_buffers_are_counted_as_they_come_and_go),
		T(test_a_pool_is_paid_for_until_its_last_buffer_goes),
		T(test_surfaces_are_counted_over_all_connections),
		T(test_every_quota_of_things_is_kept),
		T(test_a_pool_that_grows_is_paid_for),
		T(test_messages_over_the_rate_are_waited_for),
		T(test_slow_messages_never_wait_however_they_fall),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
