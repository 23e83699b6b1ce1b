/* A guest that speaks frames itself and means harm: the relay ends it, and nothing passes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "relay_fixture.h"
#include "wire-tables.h"

static void send_message(struct fixture *fixture, struct message *message) {
	assert_int_equal(portal_channel_send_wayland(
				 fixture->guest.channel, CONNECTION, message->data, message->size),
		0);
	message->size = 0;
	fixture_settle(fixture);
}

/* wl_shm as object 3, with its name taken from what the server sent: 3rd of its globals. */
static void bind_shm(struct fixture *fixture, struct message *message) {
	message_add(message, 1, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", 2);
	send_message(fixture, message);
	message_add(message, 2, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 3, "wl_shm", 1, 3);
	send_message(fixture, message);
	assert_false(fixture->controller.ended);
}

static void expect_end(struct fixture *fixture, const char *text) {
	fixture_settle(fixture);
	assert_true(fixture->controller.ended);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_CHANNEL_VIOLATION);
	assert_string_equal(fixture->controller.text, text);
	assert_null(fixture->server_client);
}

static void test_half_a_message_is_a_violation(void **state) {
	struct fixture *fixture = *state;
	struct message *message = calloc(1, sizeof(*message));
	fixture_start(fixture, false);
	message_add(message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", 2);
	message->size -= 4;
	send_message(fixture, message);
	expect_end(fixture, "a frame does not hold whole Wayland messages");
	free(message);
}

static void test_a_message_over_libwaylands_buffer_is_a_violation(void **state) {
	struct fixture *fixture = *state;
	struct message *message = calloc(1, sizeof(*message));
	fixture_start(fixture, false);
	message_begin(message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC);
	message->size = 4104;
	message_end(message);
	send_message(fixture, message);
	expect_end(fixture, "a frame does not hold whole Wayland messages");
	free(message);
}

static void test_what_stands_before_a_violation_still_passes(void **state) {
	struct fixture *fixture = *state;
	struct message *message = calloc(1, sizeof(*message));
	fixture_start(fixture, false);
	bind_shm(fixture, message);
	message_add(message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", 4);
	message_add(message, 99, 0, "");
	send_message(fixture, message);
	expect_end(fixture, "request 0 to object 99: there is none");
	free(message);
}

static void test_a_privileged_global_cannot_be_bound_by_guessing_its_name(void **state) {
	struct fixture *fixture = *state;
	struct message *message = calloc(1, sizeof(*message));
	fixture_start(fixture, false);
	message_add(message, 1, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", 2);
	send_message(fixture, message);
	message_add(message, 2, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 1,
		"zwlr_screencopy_manager_v1", 3, 3);
	send_message(fixture, message);
	expect_end(fixture, "wl_registry#2.bind: global 1 was not offered");
	free(message);
}

static void test_a_pool_without_its_descriptor_is_a_violation(void **state) {
	struct fixture *fixture = *state;
	struct message *message = calloc(1, sizeof(*message));
	fixture_start(fixture, false);
	bind_shm(fixture, message);
	message_add(message, 3, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 4, 4096);
	send_message(fixture, message);
	expect_end(fixture, "a descriptor is missing");
	free(message);
}

static void test_a_blob_is_of_no_use_to_a_guest(void **state) {
	struct fixture *fixture = *state;
	fixture_start(fixture, false);
	assert_int_equal(
		portal_channel_send_blob(fixture->guest.channel, CONNECTION, "evil", 4), 0);
	expect_end(fixture, "a descriptor that no message carries");
}

static void test_descriptors_nobody_asked_for_are_not_hoarded(void **state) {
	struct fixture *fixture = *state;
	fixture_start(fixture, false);
	for (int i = 0; i < 29; i++) {
		assert_int_equal(portal_channel_send_heap(fixture->guest.channel, CONNECTION), 0);
	}
	expect_end(fixture, "more descriptors than messages can carry");
}

static void test_a_pool_larger_than_the_heap_never_reaches_the_server(void **state) {
	struct fixture *fixture = *state;
	struct message *message = calloc(1, sizeof(*message));
	fixture_start(fixture, false);
	bind_shm(fixture, message);
	assert_int_equal(portal_channel_send_heap(fixture->guest.channel, CONNECTION), 0);
	message_add(message, 3, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", 4, INT32_MAX);
	send_message(fixture, message);
	expect_end(
		fixture, "wl_shm#3.create_pool: a pool of 2147483647 bytes in a heap of 4194304");
	free(message);
}

static void test_a_connection_ends_once(void **state) {
	struct fixture *fixture = *state;
	fixture_start(fixture, false);
	assert_int_equal(
		portal_channel_send_disconnect(fixture->guest.channel, CONNECTION, "bye"), 0);
	fixture_settle(fixture);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_DISCONNECTED);
	assert_string_equal(fixture->controller.text, "bye");
	assert_true(fixture->controller.released);
}

static void test_a_reason_is_made_printable(void **state) {
	struct fixture *fixture = *state;
	fixture_start(fixture, false);
	portal_relay_disconnect(fixture->controller.relay, "a\nb\x1b[2Jc");
	assert_string_equal(fixture->controller.text, "a?b?[2Jc");
}

/* A frame of 1000 messages, and a rate of 100. The caller frees it. */
static struct message *make_too_much(struct fixture *fixture) {
	struct message *message = calloc(1, sizeof(*message));
	assert_non_null(message);
	fixture_start(fixture, false);
	fixture->controller.waits = true;
	fixture->quota.messages_per_second = 100;
	fixture->quota.burst = 100;
	fixture->quota.tokens = 100;
	for (uint32_t id = 2; id < 1002; id++) {
		message_add(message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", id);
	}
	return message;
}

static void resume_all(struct portal_relay *relay) {
	while (portal_relay_is_held(relay)) {
		portal_relay_resume(relay);
	}
}

static void test_a_guest_over_its_rate_is_throttled_not_cut(void **state) {
	struct fixture *fixture = *state;
	struct message *message = make_too_much(fixture);
	send_message(fixture, message);
	assert_false(fixture->controller.ended);
	assert_int_equal(fixture->controller.throttled, 1);
	/* Not even the rest of the frame passes meanwhile. */
	uint64_t passed = portal_relay_get_counters(fixture->controller.relay).requests;
	assert_uint_in_range(passed, 100, 999);
	resume_all(fixture->controller.relay);
	assert_true(fixture->controller.throttled > 1);
	assert_int_equal(portal_relay_get_counters(fixture->controller.relay).requests, 1000);
	assert_false(fixture->controller.ended);
	free(message);
}

static void test_what_is_held_back_is_checked_as_well(void **state) {
	struct fixture *fixture = *state;
	struct message *message = make_too_much(fixture);
	message_add(message, 77777, 0, "");
	send_message(fixture, message);
	assert_true(portal_relay_is_held(fixture->controller.relay));
	resume_all(fixture->controller.relay);
	assert_true(fixture->controller.ended);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_CHANNEL_VIOLATION);
	free(message);
}

static void test_a_connection_may_end_while_it_is_held_back(void **state) {
	struct fixture *fixture = *state;
	struct message *message = make_too_much(fixture);
	send_message(fixture, message);
	assert_true(portal_relay_is_held(fixture->controller.relay));
	portal_relay_end(fixture->controller.relay, "no longer");
	assert_true(fixture->controller.ended);
	assert_false(portal_relay_is_held(fixture->controller.relay));
	free(message);
}

static void test_a_guest_over_its_quota_loses_that_connection_only(void **state) {
	struct fixture *fixture = *state;
	struct message *message = calloc(1, sizeof(*message));
	fixture_start(fixture, false);
	fixture->quota.limit[PORTAL_QUOTA_OBJECTS] = 10;
	for (uint32_t id = 2; id < 20; id++) {
		message_add(message, 1, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", id);
	}
	send_message(fixture, message);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_QUOTA);
	assert_string_equal(fixture->controller.text,
		"wl_display#1.get_registry: the guest has its quota of 10 objects");
	assert_int_equal(fixture->guest.bye, 0);
	assert_int_equal(fixture->controller.bye, 0);
	free(message);
}

static void test_connections_over_the_quota_are_refused(void **state) {
	struct fixture *fixture = *state;
	fixture_start(fixture, false);
	fixture->quota.limit[PORTAL_QUOTA_CONNECTIONS] = 1;
	static const struct portal_relay_handlers handlers;
	struct portal_relay_options options = {
		.connection = CONNECTION + 1,
		.fd = dup(fixture->controller.heap.fd),
		.channel = fixture->controller.channel,
		.heap = &fixture->controller.heap,
		.quota = &fixture->quota,
	};
	assert_null(portal_relay_create(&options, &handlers, NULL));
	assert_int_equal(errno, EDQUOT);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_half_a_message_is_a_violation),
		FIXTURE_TEST(test_a_message_over_libwaylands_buffer_is_a_violation),
		FIXTURE_TEST(test_what_stands_before_a_violation_still_passes),
		FIXTURE_TEST(test_a_privileged_global_cannot_be_bound_by_guessing_its_name),
		FIXTURE_TEST(test_a_pool_without_its_descriptor_is_a_violation),
		FIXTURE_TEST(test_a_blob_is_of_no_use_to_a_guest),
		FIXTURE_TEST(test_descriptors_nobody_asked_for_are_not_hoarded),
		FIXTURE_TEST(test_a_pool_larger_than_the_heap_never_reaches_the_server),
		FIXTURE_TEST(test_a_connection_ends_once),
		FIXTURE_TEST(test_a_reason_is_made_printable),
		FIXTURE_TEST(test_a_guest_over_its_rate_is_throttled_not_cut),
		FIXTURE_TEST(test_what_is_held_back_is_checked_as_well),
		FIXTURE_TEST(test_a_connection_may_end_while_it_is_held_back),
		FIXTURE_TEST(test_a_guest_over_its_quota_loses_that_connection_only),
		FIXTURE_TEST(test_connections_over_the_quota_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
