#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "door_scene.h"

/* A controller, or whoever else reaches its door, that breaks its rules: it ends for that one, or
 * costs little, and others are answered. */

static size_t count(const char *text, const char *wanted) {
	size_t found = 0;
	while ((text = strstr(text, wanted)) != NULL) {
		found++;
		text += strlen(wanted);
	}
	return found;
}

static void nobody_is_heard_without_the_key(void **state) {
	struct door_scene *scene = *state;
	struct caller *wrong = door_scene_call(scene, 0, door_other_key, PORTAL_FEATURE_DOOR);
	struct caller *none = door_scene_call(scene, 1, NULL, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	assert_int_equal(wrong->reason, PORTAL_BYE_AUTH);
	assert_int_equal(none->reason, PORTAL_BYE_AUTH);
	assert_non_null(strstr(scene->log, "key"));
	/* The door goes on. */
	struct caller *right = door_scene_call(scene, 2, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	assert_true(right->ready);
}

static void a_call_about_nobody_and_a_list_of_somebody_end_the_session(void **state) {
	struct door_scene *scene = *state;
	struct caller *nobody = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	struct caller *somebody = door_scene_call(scene, 1, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	door_caller_ask(nobody, 1, PORTAL_CALL_START, NULL);
	door_caller_ask(somebody, 1, PORTAL_CALL_LIST, "mail");
	door_scene_settle(scene);
	assert_int_equal(nobody->reason, PORTAL_BYE_VIOLATION);
	assert_int_equal(somebody->reason, PORTAL_BYE_VIOLATION);
	assert_int_equal(scene->open_count, 0);
}

static void a_flood_of_calls_is_refused_and_ends_nobody_else(void **state) {
	struct door_scene *scene = *state;
	struct caller *flood = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	for (uint32_t i = 0; i < 40; i++) {
		door_caller_ask(flood, i, PORTAL_CALL_START, "mail");
	}
	door_scene_settle(scene);
	assert_int_equal(scene->open_count, 32);
	assert_non_null(strstr(flood->answers, "32 2 0too many calls at once"));
	/* As soon as one is answered there is room. */
	for (size_t i = 0; i < 32; i++) {
		door_request_answer(scene->open[i], PORTAL_CALL_DONE, NULL, 0, NULL);
	}
	scene->open_count = 0;
	door_caller_ask(flood, 99, PORTAL_CALL_LIST, NULL);
	door_scene_settle(scene);
	assert_int_equal(scene->open_count, 1);
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, NULL);
}

static void thousands_of_calls_cost_their_host_a_few_and_one_line(void **state) {
	struct door_scene *scene = *state;
	struct caller *flood = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	size_t heard = 0;
	for (uint32_t i = 0; i < 4000; i++) {
		door_caller_ask(flood, i, PORTAL_CALL_START, "mail");
		door_scene_settle(scene);
		heard += scene->open_count;
		while (scene->open_count > 0) {
			door_request_answer(scene->open[--scene->open_count], PORTAL_CALL_NO_GUEST,
				NULL, 0, NULL);
		}
	}
	door_scene_settle(scene);
	assert_uint_in_range(heard, 64, 4000 / 4);
	assert_false(flood->closed);
	assert_int_equal(count(scene->log, "too often"), 1);
}

static void who_breaks_rules_again_and_again_does_not_fill_the_log(void **state) {
	struct door_scene *scene = *state;
	for (size_t i = 0; i < 200; i++) {
		struct caller *wrong =
			door_scene_call(scene, 0, door_other_key, PORTAL_FEATURE_DOOR);
		door_scene_settle(scene);
		assert_int_equal(wrong->reason, PORTAL_BYE_AUTH);
		door_caller_leave(wrong);
	}
	assert_uint_in_range(count(scene->log, "\n"), 16, 200 / 2);
	struct caller *right = door_scene_call(scene, 1, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	assert_true(right->ready);
}

static void silent_connections_do_not_keep_out_the_one_with_the_key(void **state) {
	struct door_scene *scene = *state;
	struct portal_transport *silent[20];
	for (size_t i = 0; i < 20; i++) {
		silent[i] = door_scene_connect(scene);
		door_scene_settle(scene);
	}
	struct caller *right = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	assert_true(right->ready);
	for (size_t i = 0; i < 20; i++) {
		portal_transport_destroy(silent[i]);
	}
	door_scene_settle(scene);
}

static void thousands_of_connections_leave_nothing_open(void **state) {
	struct door_scene *scene = *state;
	struct caller *right = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	int open = descriptors_count();
	for (size_t i = 0; i < 2000; i++) {
		portal_transport_destroy(door_scene_connect(scene));
		door_scene_settle_door(scene);
	}
	assert_int_equal(descriptors_count(), open);
	door_caller_ask(right, 1, PORTAL_CALL_LIST, NULL);
	door_scene_settle(scene);
	assert_int_equal(scene->open_count, 1);
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, NULL);
}

/* A program of the host's, at a door that is a unix socket, can send one. */
static void a_descriptor_that_comes_along_is_not_kept(void **state) {
	struct door_scene *scene = *state;
	int open = descriptors_count();
	for (size_t i = 0; i < 4; i++) {
		struct caller *caller = door_scene_call_with_fd(scene, i, STDIN_FILENO);
		door_scene_settle(scene);
		assert_true(caller->ready);
		door_caller_leave(caller);
		door_scene_settle(scene);
		assert_int_equal(descriptors_count(), open);
	}
}

/* All that a caller with the key says before it is answered. */
static size_t record_greeting(const struct door_scene *scene, uint8_t *bytes, size_t size) {
	struct portal_transport_address address;
	int ends[2];
	assert_int_equal(portal_transport_parse(&address, scene->address, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	const struct portal_channel_options options = {
		.role = PORTAL_ROLE_CONTROLLER,
		.name = "work",
		.software = "test",
		.features = PORTAL_FEATURE_DOOR,
		.heap_fd = -1,
		.key = door_key,
	};
	static const struct portal_channel_handlers none;
	struct portal_channel *channel = portal_channel_create(
		portal_transport_from_socket(ends[0], &address), &options, &none, NULL);
	assert_non_null(channel);
	portal_channel_dispatch(channel, POLLOUT);
	ssize_t length = read(ends[1], bytes, size);
	assert_true(length > 64 && (size_t)length < size);
	portal_channel_destroy(channel);
	close(ends[1]);
	return (size_t)length;
}

static void say(struct portal_transport *stream, const uint8_t *bytes, size_t length) {
	assert_int_equal(portal_transport_write(stream, bytes, length, -1), length);
}

static void a_greeting_that_breaks_off_anywhere_is_forgotten(void **state) {
	struct door_scene *scene = *state;
	uint8_t greeting[4096];
	size_t length = record_greeting(scene, greeting, sizeof(greeting));
	int open = descriptors_count();
	for (size_t i = 0; i <= length; i++) {
		struct portal_transport *stream = door_scene_connect(scene);
		say(stream, greeting, i);
		door_scene_settle_door(scene);
		portal_transport_destroy(stream);
		door_scene_settle_door(scene);
		assert_int_equal(descriptors_count(), open);
	}
	struct caller *right = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	assert_true(right->ready);
}

static void a_greeting_byte_by_byte_holds_up_nobody(void **state) {
	struct door_scene *scene = *state;
	uint8_t greeting[4096];
	size_t length = record_greeting(scene, greeting, sizeof(greeting));
	struct portal_transport *slow = door_scene_connect(scene);
	for (size_t i = 0; i < length; i++) {
		say(slow, greeting + i, 1);
		struct caller *other = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
		door_scene_settle(scene);
		assert_true(other->ready);
		door_caller_leave(other);
	}
	door_scene_settle(scene);
	/* It is answered in the end, with a preamble and a HELLO, and has yet to prove its key. */
	uint8_t answer[4096];
	int fd;
	assert_true(portal_transport_read(slow, answer, sizeof(answer), &fd) > 64);
	portal_transport_destroy(slow);
}

static void a_greeting_with_any_byte_changed_opens_nothing(void **state) {
	struct door_scene *scene = *state;
	uint8_t greeting[4096];
	size_t length = record_greeting(scene, greeting, sizeof(greeting));
	for (size_t i = 0; i < length; i++) {
		struct portal_transport *stream = door_scene_connect(scene);
		greeting[i] ^= 0xff;
		say(stream, greeting, length);
		greeting[i] ^= 0xff;
		door_scene_settle_door(scene);
		portal_transport_destroy(stream);
		door_scene_settle_door(scene);
	}
	assert_int_equal(scene->open_count, 0);
	assert_int_equal(scene->lost, 0);
	struct caller *right = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	assert_true(right->ready);
}

static void a_name_that_is_not_printable_ends_the_session(void **state) {
	struct door_scene *scene = *state;
	static const char *const names[] = {
		"mail\n<0>all is well", "\x1b[2J", "b\xc3\xbcro", "\x7f"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct caller *caller = door_scene_call(scene, i, door_key, PORTAL_FEATURE_DOOR);
		door_scene_settle(scene);
		door_caller_ask(caller, 1, PORTAL_CALL_START, names[i]);
		door_scene_settle(scene);
		assert_int_equal(caller->reason, PORTAL_BYE_VIOLATION);
	}
	assert_int_equal(scene->open_count, 0);
	assert_int_equal(count(scene->log, "a name that is not printable\n"),
		sizeof(names) / sizeof(names[0]));
}

/* What the host has is asked by its name: a path is the name of no guest, and is not taken for
 * more. */
static void a_name_and_a_number_are_passed_on_as_they_are(void **state) {
	struct door_scene *scene = *state;
	struct caller *caller = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	const struct portal_frame_call call = {
		.method = UINT32_MAX, .value = UINT64_MAX, .flags = ~0u};
	const char *name = "../../\"}{[%s%n";
	assert_int_equal(portal_channel_send_call(caller->channel, UINT32_MAX, &call, name), 0);
	door_scene_settle(scene);
	assert_int_equal(scene->open_count, 1);
	const struct door_call *passed = door_request_get_call(scene->open[0]);
	assert_string_equal(passed->guest, name);
	assert_true(
		passed->untrusted_value == UINT64_MAX && passed->untrusted_method == UINT32_MAX);
	door_request_answer(scene->open[0], PORTAL_CALL_NO_GUEST, NULL, 0, name);
	door_scene_settle(scene);
	assert_string_equal(caller->answers, "4294967295 1 0../../\"}{[%s%n\n");
}

static void one_who_reads_no_answer_ends_its_own_session(void **state) {
	struct door_scene *scene = *state;
	struct caller *deaf = door_scene_call(scene, 0, door_key, PORTAL_FEATURE_DOOR);
	struct caller *other = door_scene_call(scene, 1, door_key, PORTAL_FEATURE_DOOR);
	door_scene_settle(scene);
	for (uint32_t i = 0; i < 200000 && strstr(scene->log, "was read") == NULL; i++) {
		const struct portal_frame_call call = {.method = PORTAL_CALL_START};
		/* Fails when the door does not take what it says any more. */
		if (portal_channel_send_call(deaf->channel, i, &call, "mail") < 0) {
			break;
		}
		portal_channel_flush(deaf->channel);
		door_scene_settle_door(scene);
	}
	assert_non_null(strstr(scene->log, "none of the answers was read"));
	while (scene->open_count > 0) {
		door_request_answer(
			scene->open[--scene->open_count], PORTAL_CALL_DONE, NULL, 0, "late");
	}
	door_scene_settle(scene);
	assert_true(deaf->closed && !other->closed);
	assert_string_equal(other->answers, "");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		IN_DOOR_SCENE(nobody_is_heard_without_the_key),
		IN_DOOR_SCENE(a_call_about_nobody_and_a_list_of_somebody_end_the_session),
		IN_DOOR_SCENE(a_flood_of_calls_is_refused_and_ends_nobody_else),
		IN_DOOR_SCENE(thousands_of_calls_cost_their_host_a_few_and_one_line),
		IN_DOOR_SCENE(who_breaks_rules_again_and_again_does_not_fill_the_log),
		IN_DOOR_SCENE(silent_connections_do_not_keep_out_the_one_with_the_key),
		IN_DOOR_SCENE(thousands_of_connections_leave_nothing_open),
		IN_DOOR_SCENE(a_descriptor_that_comes_along_is_not_kept),
		IN_DOOR_SCENE(a_greeting_that_breaks_off_anywhere_is_forgotten),
		IN_DOOR_SCENE(a_greeting_byte_by_byte_holds_up_nobody),
		IN_DOOR_SCENE(a_greeting_with_any_byte_changed_opens_nothing),
		IN_DOOR_SCENE(a_name_that_is_not_printable_ends_the_session),
		IN_DOOR_SCENE(a_name_and_a_number_are_passed_on_as_they_are),
		IN_DOOR_SCENE(one_who_reads_no_answer_ends_its_own_session),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
