#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "channel_pair.h"
#include "channel_transcript.h"

#define HEADER 16
#define FLAGS_AT (HEADER + 12) /* in a HELLO frame */

static const uint8_t preamble[16] = {
	0x89, 'P', 'O', 'R', 'T', 'A', 'L', '\n', 1, 2, 3, 4, 5, 6, 7, 8};

static struct portal_frame decode(const uint8_t *data, size_t size) {
	struct portal_frame frame;
	_Alignas(8) static uint8_t aligned[4096];
	memcpy(aligned, data, size);
	assert_int_equal(portal_frame_decode(aligned, size, &frame), size);
	return frame;
}

static void a_future_hello_is_read_past_what_is_not_known(void **state) {
	struct portal_frame frame =
		decode(transcript_controller_hello, sizeof(transcript_controller_hello));
	struct portal_hello hello;
	assert_int_equal(portal_hello_decode(&hello, frame.payload, frame.length), 0);
	assert_int_equal(hello.version_min, 1);
	assert_int_equal(hello.version_max, 9);
	assert_int_equal(hello.role, PORTAL_ROLE_CONTROLLER);
	assert_true(hello.features == UINT64_C(0x8000000000000001));
	assert_true(hello.needs_key);
	assert_string_equal(hello.name, "firefox");
	assert_string_equal(hello.software, "portal-bridge 9.9");
	assert_int_equal(hello.nonce[31], 31);
	assert_int_equal(hello.session[15], 0x4f);
	assert_int_equal(hello.boot_id[15], 0x5f);
	assert_int_equal(hello.heap.id[15], 0x6f);
	assert_int_equal(hello.heap.size, 256u << 20);
	assert_int_equal(hello.heap.kind, 3);
	assert_int_equal(hello.heap.read_speed, 4321);
	assert_int_equal(hello.heap.write_speed, 1234);
}

static void what_is_encoded_today_is_what_was_frozen(void **state) {
	struct portal_hello hello, again;
	struct portal_frame frame = decode(transcript_guest_hello, sizeof(transcript_guest_hello));
	assert_int_equal(portal_hello_decode(&hello, frame.payload, frame.length), 0);
	uint8_t payload[PORTAL_HELLO_MAX];
	ptrdiff_t size = portal_hello_encode(&hello, payload, sizeof(payload));
	/* the fixed part is the same but for the unknown flag */
	assert_memory_equal(payload, frame.payload, 12);
	assert_memory_equal(payload + 16, frame.payload + 16, PORTAL_HELLO_MIN - 16);
	assert_int_equal(portal_hello_decode(&again, payload, (size_t)size), 0);
	assert_memory_equal(&again, &hello, sizeof(hello));
}

static void proofs_are_the_frozen_ones(void **state) {
	struct portal_auth_transcript transcript;
	const uint8_t *controller = transcript_controller_hello + HEADER;
	const uint8_t *guest = transcript_guest_hello + HEADER;
	uint32_t controller_size, guest_size;
	memcpy(&controller_size, transcript_controller_hello, 4);
	memcpy(&guest_size, transcript_guest_hello, 4);
	portal_auth_transcript_init(&transcript, controller, controller_size, guest, guest_size);
	uint8_t proof[PORTAL_AUTH_SIZE];
	portal_auth_prove(proof, transcript_key, PORTAL_ROLE_CONTROLLER, &transcript);
	assert_memory_equal(proof, transcript_controller_proof, sizeof(proof));
	assert_false(portal_auth_verify(proof, transcript_key, PORTAL_ROLE_GUEST, &transcript));
	portal_auth_prove(proof, transcript_key, PORTAL_ROLE_GUEST, &transcript);
	assert_memory_equal(proof, transcript_guest_proof, sizeof(proof));
	assert_true(portal_auth_verify(proof, transcript_key, PORTAL_ROLE_GUEST, &transcript));
	proof[31] ^= 1;
	assert_false(portal_auth_verify(proof, transcript_key, PORTAL_ROLE_GUEST, &transcript));
}

static int open_end(struct channel_end *end, enum portal_role role) {
	struct portal_channel_options options = channel_end_options(role, NULL);
	int fds[2];
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	channel_end_init(end, fds[0], "unix:/x", &options);
	return fds[1];
}

static void send_bytes(int fd, const void *data, size_t size) {
	assert_int_equal(write(fd, data, size), size);
}

/* over unix: there is no key: the frozen HELLO without its flag */
static void send_hello(int fd, const uint8_t *hello, size_t size) {
	uint8_t copy[4096];
	memcpy(copy, hello, size);
	copy[FLAGS_AT] &= 0xfe;
	send_bytes(fd, copy, size);
}

static void a_guest_answers_a_future_controller(void **state) {
	struct channel_end guest;
	int fd = open_end(&guest, PORTAL_ROLE_GUEST);
	send_bytes(fd, preamble, sizeof(preamble));
	send_hello(fd, transcript_controller_hello, sizeof(transcript_controller_hello));
	channel_end_settle(&guest);
	assert_int_equal(guest.ready_count, 1);
	assert_int_equal(portal_channel_get_version(guest.channel), 1);
	assert_int_equal(portal_channel_get_features(guest.channel), PORTAL_FEATURE_SHARED_HEAP);
	uint8_t answer[4096];
	ssize_t size = read(fd, answer, sizeof(answer));
	assert_true(size > 16 + HEADER + PORTAL_HELLO_MIN);
	assert_memory_equal(answer, preamble, sizeof(preamble));
	assert_int_equal(answer[16 + 4], PORTAL_FRAME_HELLO);
	channel_end_finish(&guest);
	close(fd);
}

static void a_controller_understands_the_frozen_frames(void **state) {
	struct channel_end controller;
	int fd = open_end(&controller, PORTAL_ROLE_CONTROLLER);
	channel_end_settle(&controller);
	uint8_t greeting[4096];
	assert_true(read(fd, greeting, sizeof(greeting)) > 16);
	send_bytes(fd, greeting, 16); /* the preamble with the controller's own token */
	send_hello(fd, transcript_guest_hello, sizeof(transcript_guest_hello));
	/* byte by byte: nothing depends on how the stream is cut */
	for (size_t i = 0; i < sizeof(transcript_guest_frames); i++) {
		send_bytes(fd, transcript_guest_frames + i, 1);
		channel_end_settle(&controller);
	}
	assert_string_equal(controller.log,
		"ready firefox\nconnect 3 foot\nblob 3 5\npipe 3 7 1\nwayland 3 12 01\n"
		"data 7 paste end\nstat 3 99\nstat 30583 1\nexited 1 3 0\n");
	assert_memory_equal(controller.blob, "keys", 5);
	assert_int_equal(controller.closed_reason, PORTAL_BYE_DONE);
	assert_string_equal(controller.closed_text, "done");
	channel_end_finish(&controller);
	close(fd);
}

static void hellos_that_are_malformed_are_refused(void **state) {
	struct portal_frame frame =
		decode(transcript_controller_hello, sizeof(transcript_controller_hello));
	struct portal_hello hello;
	uint8_t copy[4096];
	/* every truncation that cuts a field, and every field length that lies */
	for (size_t size = 0; size < frame.length; size++) {
		uint8_t *exact = test_malloc(size + 1);
		memcpy(exact, frame.payload, size);
		portal_hello_decode(&hello, exact, size);
		test_free(exact);
		if (size < PORTAL_HELLO_MIN) {
			assert_int_equal(portal_hello_decode(&hello, frame.payload, size), -1);
			assert_int_equal(errno, EPROTO);
		}
	}
	static const struct {
		size_t at;
		uint8_t value;
	} lies[] = {
		{0, 0}, /* version_min 0 */
		{4, 0}, /* version_max below it */
		{8, 3}, /* no such role */
		{PORTAL_HELLO_MIN + 3, 0xff}, /* a field over the end */
		{PORTAL_HELLO_MIN + 16, '\n'}, /* a name that is not printable */
	};
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		memcpy(copy, frame.payload, frame.length);
		copy[lies[i].at] = lies[i].value;
		assert_int_equal(portal_hello_decode(&hello, copy, frame.length), -1);
		assert_int_equal(errno, EPROTO);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_future_hello_is_read_past_what_is_not_known),
		cmocka_unit_test(what_is_encoded_today_is_what_was_frozen),
		cmocka_unit_test(proofs_are_the_frozen_ones),
		cmocka_unit_test(a_guest_answers_a_future_controller),
		cmocka_unit_test(a_controller_understands_the_frozen_frames),
		cmocka_unit_test(hellos_that_are_malformed_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
