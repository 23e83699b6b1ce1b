#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_pair.h"

static int setup(void **state) {
	struct channel_pair *pair = calloc(1, sizeof(*pair));
	struct portal_channel_options controller =
		channel_end_options(PORTAL_ROLE_CONTROLLER, NULL);
	struct portal_channel_options guest = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	channel_pair_init(pair, "unix:/x", &controller, &guest);
	channel_pair_settle(pair);
	*state = pair;
	return 0;
}

static int teardown(void **state) {
	channel_pair_finish(*state);
	free(*state);
	return 0;
}

static void forget_logs(struct channel_pair *pair) {
	pair->controller.log_size = pair->guest.log_size = 0;
	pair->controller.log[0] = pair->guest.log[0] = '\0';
}

static void two_ends_greet_each_other(void **state) {
	struct channel_pair *pair = *state;
	assert_int_equal(pair->controller.ready_count, 1);
	assert_int_equal(pair->guest.ready_count, 1);
	assert_string_equal(pair->controller.log, "ready the-guest\n");
	assert_string_equal(pair->guest.log, "ready the-controller\n");
	assert_int_equal(portal_channel_get_version(pair->guest.channel), 1);
	const struct portal_hello *peer = portal_channel_get_peer(pair->guest.channel);
	assert_string_equal(peer->software, "test 1");
	uint8_t boot_id[16];
	assert_int_equal(portal_hello_get_boot_id(boot_id), 0);
	assert_memory_equal(peer->boot_id, boot_id, sizeof(boot_id));
}

static void every_frame_arrives_as_it_was_sent(void **state) {
	struct channel_pair *pair = *state;
	forget_logs(pair);
	struct portal_channel *guest = pair->guest.channel;
	assert_int_equal(portal_channel_send_connect(guest, 3, "foot"), 0);
	assert_int_equal(portal_channel_send_heap(guest, 3), 0);
	assert_int_equal(portal_channel_send_wayland(guest, 3, "12345678", 8), 0);
	assert_int_equal(portal_channel_send_pipe(guest, 3, 5, PORTAL_PIPE_OUTGOING), 0);
	assert_int_equal(portal_channel_send_pipe_data(guest, 5, "hello", 5, false), 0);
	assert_int_equal(portal_channel_send_pipe_data(guest, 5, "", 0, true), 0);
	assert_int_equal(portal_channel_send_pipe_credit(guest, 5, 99), 0);
	assert_int_equal(portal_channel_send_pipe_close(guest, 5), 0);
	assert_int_equal(portal_channel_send_launched(guest, 1, 1234, 0), 0);
	assert_int_equal(portal_channel_send_exited(guest, 1, 3, 15), 0);
	const struct portal_frame_stat stats[] = {
		{.key = PORTAL_STAT_FRAMES, .value = 17}, {.key = 4711, .value = 2}};
	assert_int_equal(portal_channel_send_stats(guest, stats, 2), 0);
	assert_int_equal(portal_channel_send_disconnect(guest, 3, "gone"), 0);
	const char *const argv[] = {"sh", "-c", "", NULL}, *const envp[] = {"A=b", NULL};
	assert_int_equal(portal_channel_send_launch(pair->controller.channel, 1, argv, envp), 0);
	assert_int_equal(portal_channel_send_launch(pair->controller.channel, 2, argv, NULL), 0);
	assert_int_equal(portal_channel_send_signal(pair->controller.channel, 1, 9), 0);
	channel_pair_settle(pair);
	assert_string_equal(pair->controller.log,
		"connect 3 foot\nheap 3\nwayland 3 8 31\npipe 3 5 2\ndata 5 hello\ndata 5  end\n"
		"credit 5 99\nclose 5\nlaunched 1 1234 0\nexited 1 3 15\nstat 2 17\nstat 4711 2\n"
		"disconnect 3 gone\n");
	assert_string_equal(pair->guest.log,
		"launch 1 [sh] [-c] [] {A=b}\nlaunch 2 [sh] [-c] []\nsignal 1 9\n");
}

static void calls_and_answers_arrive_as_they_were_sent(void **state) {
	struct channel_pair *pair = *state;
	forget_logs(pair);
	struct portal_channel *controller = pair->controller.channel, *host = pair->guest.channel;
	struct portal_frame_call call = {.method = PORTAL_CALL_LIST};
	assert_int_equal(portal_channel_send_call(controller, 1, &call, NULL), 0);
	call = (struct portal_frame_call){
		.method = PORTAL_CALL_STOP, .flags = PORTAL_CALL_FLAG_FORCE, .value = 30};
	assert_int_equal(portal_channel_send_call(controller, 2, &call, "firefox"), 0);
	const struct portal_frame_guest guests[] = {
		{.name = "firefox", .state = PORTAL_GUEST_RUNNING, .heap_size = 4096},
		{.name = "mail", .state = PORTAL_GUEST_OFF},
	};
	assert_int_equal(portal_channel_send_answer(host, 2, PORTAL_CALL_FAILED, NULL, 0, "no"), 0);
	assert_int_equal(portal_channel_send_answer(host, 1, PORTAL_CALL_DONE, guests, 2, NULL), 0);
	channel_pair_settle(pair);
	assert_string_equal(pair->guest.log, "call 1 1 0 0 []\ncall 2 3 1 30 [firefox]\n");
	assert_string_equal(
		pair->controller.log, "answer 2 3 [no]\nanswer 1 0 [] firefox 3 4096 mail 2 0\n");
}

static void an_answer_with_other_guests_than_it_says_ends_the_channel(void **state) {
	static const struct {
		struct portal_frame_answer answer;
		struct portal_frame_guest guest;
	} wrong[] = {
		{{.guests = 2}, {.name = "a"}},
		{{.guests = UINT32_MAX}, {.name = "a"}},
		{{.guests = 1}, {.name = ""}},
		{{.guests = 1}, {.name = "a\nb"}},
		{{.guests = 1}, {.name = {'6', '4', ' ', 'l', 'e', 't', 't', 'e', 'r', 's',
					 [10 ... 63] = 'x'}}},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		void *state_of_its_own;
		setup(&state_of_its_own);
		struct channel_pair *pair = state_of_its_own;
		void *payload = portal_channel_begin(
			pair->guest.channel, PORTAL_FRAME_ANSWER, 1, sizeof(wrong[i]));
		memcpy(payload, &wrong[i], sizeof(wrong[i]));
		portal_channel_end(pair->guest.channel, 0, sizeof(wrong[i]));
		channel_pair_settle(pair);
		assert_int_equal(pair->controller.closed_reason, PORTAL_BYE_VIOLATION);
		teardown(&state_of_its_own);
	}
}

static void a_call_for_a_name_that_is_none_ends_the_channel(void **state) {
	struct channel_pair *pair = *state;
	const struct portal_frame_call call = {.method = PORTAL_CALL_START};
	char longer[PORTAL_NAME_MAX + 2];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(portal_channel_send_call(pair->controller.channel, 1, &call, longer), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(portal_channel_send_call(pair->controller.channel, 1, &call, "a\tb"), 0);
	channel_pair_settle(pair);
	assert_int_equal(pair->guest.closed_reason, PORTAL_BYE_VIOLATION);
}

static void an_end_that_awaits_the_greeting_waits_for_nothing_else(void **state) {
	int ends[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	struct portal_transport_address address;
	assert_int_equal(portal_transport_parse(&address, "unix:/x", NULL), 0);
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	struct portal_channel *channel =
		portal_channel_create(portal_transport_from_socket(ends[0], &address), &options,
			&channel_end_handlers, NULL);
	assert_non_null(channel);
	assert_int_equal(portal_channel_get_events(channel), POLLIN);
	portal_channel_destroy(channel);
	close(ends[1]);
}

static void a_frame_is_made_in_place_and_shortened(void **state) {
	struct channel_pair *pair = *state;
	forget_logs(pair);
	uint8_t *payload = portal_channel_begin(pair->guest.channel, PORTAL_FRAME_WAYLAND, 1, 4096);
	assert_non_null(payload);
	assert_int_equal((uintptr_t)payload % 8, 0);
	memset(payload, 0xaa, 12);
	portal_channel_end(pair->guest.channel, 0, 12);
	portal_channel_send_wayland(pair->guest.channel, 1, "abcdefgh", 8);
	channel_pair_settle(pair);
	assert_string_equal(pair->controller.log, "wayland 1 12 aa\nwayland 1 8 61\n");
}

static void a_turns_frames_leave_in_one_write(void **state) {
	struct channel_pair *pair = *state;
	uint64_t before = portal_channel_get_counters(pair->guest.channel).writes;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(
			portal_channel_send_wayland(pair->guest.channel, 1, "abcdefgh", 8), 0);
	}
	portal_channel_flush(pair->guest.channel);
	assert_int_equal(portal_channel_get_counters(pair->guest.channel).writes, before + 1);
	portal_channel_flush(pair->guest.channel);
	assert_int_equal(portal_channel_get_counters(pair->guest.channel).writes, before + 1);
}

static void a_blob_larger_than_a_frame_arrives_whole(void **state) {
	struct channel_pair *pair = *state;
	size_t size = 300001;
	uint8_t *content = malloc(size);
	for (size_t i = 0; i < size; i++) {
		content[i] = (uint8_t)(i * 31 >> 3);
	}
	assert_int_equal(portal_channel_send_blob(pair->guest.channel, 2, content, size), 0);
	channel_pair_settle(pair);
	assert_int_equal(pair->controller.blob_size, size);
	assert_memory_equal(pair->controller.blob, content, size);
	assert_int_equal(portal_channel_send_blob(pair->guest.channel, 2, content, 0), 0);
	channel_pair_settle(pair);
	assert_int_equal(pair->controller.blob_size, 0);
	free(content);
}

static void a_full_queue_refuses_and_tells_when_there_is_room(void **state) {
	struct channel_pair *pair = *state;
	static uint8_t messages[32768];
	size_t sent = 0;
	pair->controller.wayland_bytes = 0;
	while (portal_channel_send_wayland(pair->guest.channel, 1, messages, sizeof(messages)) ==
		0) {
		sent += sizeof(messages);
	}
	assert_int_equal(errno, EAGAIN);
	assert_true(sent > PORTAL_CHANNEL_QUEUE_DEFAULT / 2);
	assert_true(portal_channel_get_space(pair->guest.channel) < sizeof(messages));
	assert_int_equal(pair->guest.writable_count, 0);
	channel_pair_settle(pair);
	assert_int_equal(pair->guest.writable_count, 1);
	assert_int_equal(pair->controller.wayland_bytes, sent);
	assert_int_equal(portal_channel_get_queued(pair->guest.channel), 0);
}

static void nothing_is_handed_out_while_paused(void **state) {
	struct channel_pair *pair = *state;
	forget_logs(pair);
	for (int i = 0; i < 3; i++) {
		portal_channel_send_wayland(pair->guest.channel, 1, "abcdefgh", 8);
	}
	portal_channel_set_paused(pair->controller.channel, true);
	assert_int_equal(portal_channel_get_events(pair->controller.channel) & POLLIN, 0);
	channel_pair_settle(pair);
	assert_string_equal(pair->controller.log, "");
	portal_channel_set_paused(pair->controller.channel, false);
	channel_pair_settle(pair);
	assert_string_equal(
		pair->controller.log, "wayland 1 8 61\nwayland 1 8 61\nwayland 1 8 61\n");
}

static struct portal_channel *pausing;

static void pause_handler(void *data, uint32_t connection, const void *messages, size_t size) {
	struct channel_end *end = data;
	end->wayland_bytes += size;
	portal_channel_set_paused(pausing, true);
}

static void pausing_in_a_handler_keeps_the_frames_already_read(void **state) {
	struct channel_pair *pair = *state;
	struct portal_channel_options controller =
		channel_end_options(PORTAL_ROLE_CONTROLLER, NULL);
	struct portal_channel_options guest = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	channel_pair_finish(pair);
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	channel_end_init(&pair->guest, fds[1], "unix:/x", &guest);
	struct portal_transport_address address;
	portal_transport_parse(&address, "unix:/x", NULL);
	struct portal_channel_handlers handlers = channel_end_handlers;
	handlers.wayland = pause_handler;
	pausing = pair->controller.channel =
		portal_channel_create(portal_transport_from_socket(fds[0], &address), &controller,
			&handlers, &pair->controller);
	channel_pair_settle(pair);
	for (int i = 0; i < 3; i++) {
		portal_channel_send_wayland(pair->guest.channel, 1, "abcdefgh", 8);
	}
	for (size_t i = 1; i <= 3; i++) {
		channel_pair_settle(pair);
		assert_int_equal(pair->controller.wayland_bytes, 8 * i);
		portal_channel_set_paused(pausing, false);
	}
}

static void a_goodbye_reaches_the_other_end_with_its_reason(void **state) {
	struct channel_pair *pair = *state;
	portal_channel_fail(
		pair->controller.channel, PORTAL_BYE_QUOTA, "%d windows\n are too many", 9000);
	assert_int_equal(pair->controller.closed_count, 1);
	assert_false(pair->controller.closed_by_peer);
	portal_channel_fail(pair->controller.channel, PORTAL_BYE_DONE, "again");
	assert_int_equal(pair->controller.closed_count, 1);
	channel_pair_settle(pair);
	assert_int_equal(pair->guest.closed_count, 1);
	assert_true(pair->guest.closed_by_peer);
	assert_int_equal(pair->guest.closed_reason, PORTAL_BYE_QUOTA);
	assert_string_equal(pair->guest.closed_text, "9000 windows? are too many");
	assert_int_equal(portal_channel_send_heap(pair->guest.channel, 1), -1);
	assert_int_equal(errno, ENOTCONN);
}

static void a_goodbye_fits_into_a_full_queue(void **state) {
	struct channel_pair *pair = *state;
	static uint8_t messages[32768];
	while (portal_channel_send_wayland(pair->guest.channel, 1, messages, sizeof(messages)) ==
		0) {
	}
	while (portal_channel_send_heap(pair->guest.channel, 1) == 0) {
	}
	portal_channel_fail(pair->guest.channel, PORTAL_BYE_DONE, "%0500d", 1);
	assert_int_equal(pair->guest.closed_count, 1);
}

static void a_lost_stream_closes_the_channel(void **state) {
	struct channel_pair *pair = *state;
	channel_end_finish(&pair->guest);
	channel_pair_settle(pair);
	assert_int_equal(pair->controller.closed_count, 1);
	assert_int_equal(pair->controller.closed_reason, PORTAL_BYE_FAILURE);
	assert_true(pair->controller.closed_by_peer);
}

static void what_the_other_end_said_last_is_heard_although_writing_fails(void **state) {
	struct channel_pair *pair = *state;
	portal_channel_fail(pair->guest.channel, PORTAL_BYE_REPLACED, "farewell");
	channel_end_finish(&pair->guest);
	portal_channel_send_wayland(pair->controller.channel, 1, "abcdefgh", 8);
	portal_channel_flush(pair->controller.channel);
	channel_pair_settle(pair);
	assert_int_equal(pair->controller.closed_reason, PORTAL_BYE_REPLACED);
	assert_string_equal(pair->controller.closed_text, "farewell");
}

static void a_paused_end_notices_that_the_other_is_gone(void **state) {
	struct channel_pair *pair = *state;
	portal_channel_set_paused(pair->controller.channel, true);
	channel_end_finish(&pair->guest);
	channel_pair_settle(pair);
	assert_int_equal(pair->controller.closed_count, 1);
}

static void a_handler_may_destroy_its_channel(void **state) {
	struct channel_pair *pair = *state;
	pair->controller.destroy_on_wayland = true;
	portal_channel_send_wayland(pair->guest.channel, 1, "abcdefgh", 8);
	portal_channel_send_wayland(pair->guest.channel, 1, "abcdefgh", 8);
	channel_pair_settle(pair);
	assert_null(pair->controller.channel);
	assert_int_equal(pair->controller.wayland_bytes, 8);
	assert_int_equal(pair->controller.closed_count, 0);
}

static void both_ends_learn_the_others_clock(void **state) {
	struct channel_pair *pair = *state;
	int64_t offset;
	uint64_t round_trip;
	assert_true(portal_channel_get_clock_offset(pair->guest.channel, &offset, &round_trip));
	/* one machine, one clock: the error is at most half the round trip */
	assert_true((uint64_t)llabs(offset) <= round_trip / 2 + 1);
	assert_true(portal_channel_get_clock_offset(pair->controller.channel, &offset, NULL));
}

static void frames_before_ready_are_refused(void **state) {
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	struct channel_end end;
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	channel_end_init(&end, fds[0], "unix:/x", &options);
	assert_int_equal(portal_channel_send_heap(end.channel, 1), -1);
	assert_int_equal(errno, ENOTCONN);
	assert_null(portal_channel_get_peer(end.channel));
	channel_end_finish(&end);
	close(fds[1]);
}

#define IN_PAIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		IN_PAIR(two_ends_greet_each_other),
		IN_PAIR(every_frame_arrives_as_it_was_sent),
		cmocka_unit_test(an_end_that_awaits_the_greeting_waits_for_nothing_else),
		IN_PAIR(calls_and_answers_arrive_as_they_were_sent),
		cmocka_unit_test(an_answer_with_other_guests_than_it_says_ends_the_channel),
		IN_PAIR(a_call_for_a_name_that_is_none_ends_the_channel),
		IN_PAIR(a_frame_is_made_in_place_and_shortened),
		IN_PAIR(a_turns_frames_leave_in_one_write),
		IN_PAIR(a_blob_larger_than_a_frame_arrives_whole),
		IN_PAIR(a_full_queue_refuses_and_tells_when_there_is_room),
		IN_PAIR(nothing_is_handed_out_while_paused),
		IN_PAIR(pausing_in_a_handler_keeps_the_frames_already_read),
		IN_PAIR(a_goodbye_reaches_the_other_end_with_its_reason),
		IN_PAIR(a_goodbye_fits_into_a_full_queue),
		IN_PAIR(a_lost_stream_closes_the_channel),
		IN_PAIR(what_the_other_end_said_last_is_heard_although_writing_fails),
		IN_PAIR(a_paused_end_notices_that_the_other_is_gone),
		IN_PAIR(a_handler_may_destroy_its_channel),
		IN_PAIR(both_ends_learn_the_others_clock),
		cmocka_unit_test(frames_before_ready_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
