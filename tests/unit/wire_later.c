/*
 * The checks with an allow-list of another day (tests/wire/later/later.allow): one line more, and
 * objects that the server makes are kept account of.
 */
#include "wire_fixture.h"

#define SERVER_FIRST 0xff000000u

enum { ID_MANAGER = ID_FREE, ID_DEVICE, ID_SOURCE };

static void make_device(struct fixture *f) {
	assert_passes(event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 200,
		"wl_data_device_manager", 4));
	assert_int_equal(seen_word(f, 8), 3);
	assert_passes(request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 200,
		"wl_data_device_manager", 3, ID_MANAGER));
	assert_passes(request(f, ID_MANAGER, PORTAL_REQUEST_WL_DATA_DEVICE_MANAGER_GET_DATA_DEVICE,
		"no", ID_DEVICE, ID_SEAT));
}

static enum portal_wire_verdict offer(struct fixture *f, uint32_t id) {
	return event(f, ID_DEVICE, PORTAL_EVENT_WL_DATA_DEVICE_DATA_OFFER, "n", id);
}

static void test_a_server_makes_objects_without_gaps(void **state) {
	struct fixture *f = *state;
	make_device(f);
	assert_passes(offer(f, SERVER_FIRST));
	assert_violation(f, offer(f, SERVER_FIRST),
		"wl_data_device#9.data_offer: id 4278190080 is not the next or a free one");
	assert_violation(f, offer(f, SERVER_FIRST + 2),
		"wl_data_device#9.data_offer: id 4278190082 is not the next or a free one");
	assert_violation(
		f, offer(f, 10), "wl_data_device#9.data_offer: id 10 is in the other side's range");
	assert_passes(offer(f, SERVER_FIRST + 1));
}

static void test_a_client_uses_what_the_server_made(void **state) {
	struct fixture *f = *state;
	make_device(f);
	assert_passes(offer(f, SERVER_FIRST));
	assert_passes(event(f, SERVER_FIRST, PORTAL_EVENT_WL_DATA_OFFER_OFFER, "s", "text/plain"));
	assert_passes(
		event(f, ID_DEVICE, PORTAL_EVENT_WL_DATA_DEVICE_SELECTION, "o", SERVER_FIRST));
	assert_passes(
		request(f, SERVER_FIRST, PORTAL_REQUEST_WL_DATA_OFFER_RECEIVE, "s", "text/plain"));
	assert_int_equal(f->info.n_fds, 1);
	assert_int_equal(f->info.fd_kinds[0], PORTAL_WIRE_FD_PIPE);
}

static void test_the_server_uses_an_id_again_as_soon_as_its_client_let_go(void **state) {
	struct fixture *f = *state;
	make_device(f);
	uint64_t before = f->quota.used[PORTAL_QUOTA_OBJECTS];
	assert_passes(offer(f, SERVER_FIRST));
	for (int i = 0; i < 100; i++) {
		assert_passes(request(f, SERVER_FIRST, PORTAL_REQUEST_WL_DATA_OFFER_DESTROY, ""));
		/* Sent before the server heard of it. */
		assert_passes(event(
			f, SERVER_FIRST, PORTAL_EVENT_WL_DATA_OFFER_OFFER, "s", "text/plain"));
		assert_violation(f,
			request(f, SERVER_FIRST, PORTAL_REQUEST_WL_DATA_OFFER_DESTROY, ""),
			"wl_data_offer#4278190080, request 2: the object is destroyed");
		assert_passes(offer(f, SERVER_FIRST));
	}
	assert_int_equal(f->quota.used[PORTAL_QUOTA_OBJECTS], before + 1);
}

static void test_an_offer_on_a_device_just_released_is_kept_account_of(void **state) {
	struct fixture *f = *state;
	make_device(f);
	assert_passes(request(f, ID_DEVICE, PORTAL_REQUEST_WL_DATA_DEVICE_RELEASE, ""));
	assert_passes(offer(f, SERVER_FIRST));
	assert_passes(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", ID_DEVICE));
	assert_passes(event(f, SERVER_FIRST, PORTAL_EVENT_WL_DATA_OFFER_OFFER, "s", "text/plain"));
}

static void test_a_server_cannot_delete_its_own_ids(void **state) {
	struct fixture *f = *state;
	make_device(f);
	assert_passes(offer(f, SERVER_FIRST));
	assert_int_equal(event(f, ID_DISPLAY, PORTAL_EVENT_WL_DISPLAY_DELETE_ID, "u", SERVER_FIRST),
		PORTAL_WIRE_VIOLATION);
}

static void test_what_left_the_list_is_gone(void **state) {
	struct fixture *f = *state;
	assert_hidden(event(
		f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 300, "wp_presentation", 2));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		T(test_a_server_makes_objects_without_gaps),
		T(test_a_client_uses_what_the_server_made),
		T(test_the_server_uses_an_id_again_as_soon_as_its_client_let_go),
		T(test_an_offer_on_a_device_just_released_is_kept_account_of),
		T(test_a_server_cannot_delete_its_own_ids),
		T(test_what_left_the_list_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
