/* The greeting of two ends: keys, versions, roles, names, and the descriptor that comes with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "channel_pair.h"

static const uint8_t key[PORTAL_KEY_SIZE] = {7, 7, 7};
static const uint8_t other_key[PORTAL_KEY_SIZE] = {8, 8, 8};

/* Both ends as they are made for a test, and as they have met. */
struct ends {
	struct portal_channel_options controller, guest;
	struct channel_pair pair;
};

static struct ends make_ends(const uint8_t *controller_key, const uint8_t *guest_key) {
	return (struct ends){
		.controller = channel_end_options(PORTAL_ROLE_CONTROLLER, controller_key),
		.guest = channel_end_options(PORTAL_ROLE_GUEST, guest_key),
	};
}

static void meet(struct ends *ends, const char *address) {
	channel_pair_init(&ends->pair, address, &ends->controller, &ends->guest);
	channel_pair_settle(&ends->pair);
}

static void assert_ready(const struct ends *ends, int count) {
	assert_int_equal(ends->pair.controller.ready_count, count);
	assert_int_equal(ends->pair.guest.ready_count, count);
}

static void assert_parted(const struct ends *ends, enum portal_bye_reason reason) {
	assert_ready(ends, 0);
	assert_int_equal(ends->pair.controller.closed_reason, reason);
	assert_int_equal(ends->pair.guest.closed_reason, reason);
}

/* A channel is not made. Says why. */
static int refused(const char *address_text, const struct portal_channel_options *options) {
	struct portal_transport_address address;
	int fds[2];
	assert_int_equal(portal_transport_parse(&address, address_text, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_null(portal_channel_create(portal_transport_from_socket(fds[0], &address), options,
		&channel_end_handlers, NULL));
	int error = errno;
	close(fds[1]);
	return error;
}

static void ends_with_the_same_key_become_ready(void **state) {
	struct ends ends = make_ends(key, key);
	meet(&ends, "vsock:3:5000");
	assert_ready(&ends, 1);
	channel_pair_finish(&ends.pair);
}

static void ends_with_different_keys_part(void **state) {
	struct ends ends = make_ends(key, other_key);
	meet(&ends, "vsock:3:5000");
	assert_parted(&ends, PORTAL_BYE_AUTH);
	assert_string_equal(
		ends.pair.guest.closed_text, "the other end does not have the VM's key");
	channel_pair_finish(&ends.pair);
}

static void a_key_on_one_side_only_is_said_clearly(void **state) {
	struct ends ends = make_ends(key, NULL);
	meet(&ends, "unix:/x");
	assert_int_equal(ends.pair.guest.closed_reason, PORTAL_BYE_AUTH);
	assert_ready(&ends, 0);
	channel_pair_finish(&ends.pair);
	ends = make_ends(NULL, key);
	meet(&ends, "unix:/x");
	assert_int_equal(ends.pair.controller.closed_reason, PORTAL_BYE_AUTH);
	assert_int_equal(ends.pair.controller.ready_count, 0);
	channel_pair_finish(&ends.pair);
}

static void transports_that_need_a_key_have_no_channel_without(void **state) {
	const char *const addresses[] = {"vsock:3:1", "vsock-unix:/x:1", "virtio-serial:/x"};
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(refused(addresses[i], &options), ENOKEY);
	}
}

static void versions_that_do_not_meet_are_named_on_both_sides(void **state) {
	struct ends ends = make_ends(NULL, NULL);
	ends.controller.version_min = 5;
	ends.controller.version_max = 7;
	ends.guest.version_max = 4;
	meet(&ends, "unix:/x");
	assert_parted(&ends, PORTAL_BYE_VERSION);
	assert_non_null(
		strstr(ends.pair.guest.closed_text, "guest speaks channel versions 1 to 4"));
	assert_non_null(
		strstr(ends.pair.controller.closed_text, "controller speaks channel versions 5"));
	channel_pair_finish(&ends.pair);
}

static void the_highest_common_version_is_used(void **state) {
	struct ends ends = make_ends(NULL, NULL);
	ends.controller.version_max = 7;
	ends.guest.version_min = 2;
	ends.guest.version_max = 5;
	meet(&ends, "unix:/x");
	assert_int_equal(portal_channel_get_version(ends.pair.controller.channel), 5);
	assert_int_equal(portal_channel_get_version(ends.pair.guest.channel), 5);
	channel_pair_finish(&ends.pair);
}

static void two_controllers_part(void **state) {
	struct ends ends = make_ends(NULL, NULL);
	ends.guest = ends.controller;
	meet(&ends, "unix:/x");
	assert_ready(&ends, 0);
	assert_int_equal(ends.pair.controller.closed_reason, PORTAL_BYE_VIOLATION);
	channel_pair_finish(&ends.pair);
}

static void the_heaps_descriptor_comes_with_hello(void **state) {
	struct ends ends = make_ends(NULL, NULL);
	const struct channel_end *controller = &ends.pair.controller;
	ends.guest.heap_fd = memfd_create("test", MFD_CLOEXEC);
	meet(&ends, "unix:/x");
	assert_int_equal(controller->ready_count, 1);
	struct stat sent, received;
	assert_int_equal(fstat(ends.guest.heap_fd, &sent), 0);
	assert_int_equal(fstat(controller->heap_fd, &received), 0);
	assert_int_equal(sent.st_ino, received.st_ino);
	assert_true(fcntl(controller->heap_fd, F_GETFD) & FD_CLOEXEC);
	const struct portal_hello *peer = portal_channel_get_peer(controller->channel);
	assert_true(peer->features & PORTAL_FEATURE_HEAP_FD);
	channel_pair_finish(&ends.pair);
	close(ends.guest.heap_fd);
}

static void names_that_are_not_printable_make_no_channel(void **state) {
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	options.name = "fire\nfox";
	assert_int_equal(refused("unix:/x", &options), EINVAL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_with_the_same_key_become_ready),
		cmocka_unit_test(ends_with_different_keys_part),
		cmocka_unit_test(a_key_on_one_side_only_is_said_clearly),
		cmocka_unit_test(transports_that_need_a_key_have_no_channel_without),
		cmocka_unit_test(versions_that_do_not_meet_are_named_on_both_sides),
		cmocka_unit_test(the_highest_common_version_is_used),
		cmocka_unit_test(two_controllers_part),
		cmocka_unit_test(the_heaps_descriptor_comes_with_hello),
		cmocka_unit_test(names_that_are_not_printable_make_no_channel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
