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
#include "descriptors.h"

static const uint8_t key[PORTAL_KEY_SIZE] = {7, 7, 7};
static const uint8_t other_key[PORTAL_KEY_SIZE] = {8, 8, 8};

static void open_pair(struct channel_pair *pair, const char *address, const uint8_t *controller_key,
	const uint8_t *guest_key) {
	struct portal_channel_options controller =
		channel_end_options(PORTAL_ROLE_CONTROLLER, controller_key);
	struct portal_channel_options guest = channel_end_options(PORTAL_ROLE_GUEST, guest_key);
	channel_pair_init(pair, address, &controller, &guest);
	channel_pair_settle(pair);
}

static void ends_with_the_same_key_become_ready(void **state) {
	struct channel_pair pair;
	open_pair(&pair, "vsock:3:5000", key, key);
	assert_int_equal(pair.controller.ready_count, 1);
	assert_int_equal(pair.guest.ready_count, 1);
	channel_pair_finish(&pair);
}

static void ends_with_different_keys_part(void **state) {
	struct channel_pair pair;
	open_pair(&pair, "vsock:3:5000", key, other_key);
	assert_int_equal(pair.controller.ready_count, 0);
	assert_int_equal(pair.guest.ready_count, 0);
	assert_int_equal(pair.guest.closed_reason, PORTAL_BYE_AUTH);
	assert_int_equal(pair.controller.closed_reason, PORTAL_BYE_AUTH);
	assert_string_equal(pair.guest.closed_text, "the other end does not have the VM's key");
	channel_pair_finish(&pair);
}

static void a_key_on_one_side_only_is_said_clearly(void **state) {
	struct channel_pair pair;
	open_pair(&pair, "unix:/x", key, NULL);
	assert_int_equal(pair.guest.closed_reason, PORTAL_BYE_AUTH);
	assert_int_equal(pair.guest.ready_count, 0);
	assert_int_equal(pair.controller.ready_count, 0);
	channel_pair_finish(&pair);
	open_pair(&pair, "unix:/x", NULL, key);
	assert_int_equal(pair.controller.closed_reason, PORTAL_BYE_AUTH);
	assert_int_equal(pair.controller.ready_count, 0);
	channel_pair_finish(&pair);
}

static void transports_that_need_a_key_have_no_channel_without(void **state) {
	const char *const addresses[] = {"vsock:3:1", "vsock-unix:/x:1", "virtio-serial:/x"};
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	for (size_t i = 0; i < 3; i++) {
		struct portal_transport_address address;
		assert_int_equal(portal_transport_parse(&address, addresses[i], NULL), 0);
		int fds[2];
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		struct portal_transport *transport = portal_transport_from_socket(fds[0], &address);
		assert_null(
			portal_channel_create(transport, &options, &channel_end_handlers, NULL));
		assert_int_equal(errno, ENOKEY);
		close(fds[1]);
	}
}

static void versions_that_do_not_meet_are_named_on_both_sides(void **state) {
	struct channel_pair pair;
	struct portal_channel_options controller =
		channel_end_options(PORTAL_ROLE_CONTROLLER, NULL);
	struct portal_channel_options guest = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	controller.version_min = 5;
	controller.version_max = 7;
	guest.version_max = 4;
	channel_pair_init(&pair, "unix:/x", &controller, &guest);
	channel_pair_settle(&pair);
	assert_int_equal(pair.controller.closed_reason, PORTAL_BYE_VERSION);
	assert_int_equal(pair.guest.closed_reason, PORTAL_BYE_VERSION);
	assert_non_null(strstr(pair.guest.closed_text, "guest speaks channel versions 1 to 4"));
	assert_non_null(
		strstr(pair.controller.closed_text, "controller speaks channel versions 5"));
	channel_pair_finish(&pair);
}

static void the_highest_common_version_is_used(void **state) {
	struct channel_pair pair;
	struct portal_channel_options controller =
		channel_end_options(PORTAL_ROLE_CONTROLLER, NULL);
	struct portal_channel_options guest = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	controller.version_max = 7;
	guest.version_min = 2;
	guest.version_max = 5;
	channel_pair_init(&pair, "unix:/x", &controller, &guest);
	channel_pair_settle(&pair);
	assert_int_equal(portal_channel_get_version(pair.controller.channel), 5);
	assert_int_equal(portal_channel_get_version(pair.guest.channel), 5);
	channel_pair_finish(&pair);
}

static void two_controllers_part(void **state) {
	struct channel_pair pair;
	struct portal_channel_options controller =
		channel_end_options(PORTAL_ROLE_CONTROLLER, NULL);
	channel_pair_init(&pair, "unix:/x", &controller, &controller);
	channel_pair_settle(&pair);
	assert_int_equal(pair.controller.ready_count, 0);
	assert_int_equal(pair.guest.ready_count, 0);
	assert_int_equal(pair.controller.closed_reason, PORTAL_BYE_VIOLATION);
	channel_pair_finish(&pair);
}

static void the_heaps_descriptor_comes_with_hello(void **state) {
	struct channel_pair pair;
	struct portal_channel_options controller =
		channel_end_options(PORTAL_ROLE_CONTROLLER, NULL);
	struct portal_channel_options guest = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	guest.heap_fd = memfd_create("test", MFD_CLOEXEC);
	channel_pair_init(&pair, "unix:/x", &controller, &guest);
	channel_pair_settle(&pair);
	assert_int_equal(pair.controller.ready_count, 1);
	struct stat sent, received;
	assert_int_equal(fstat(guest.heap_fd, &sent), 0);
	assert_int_equal(fstat(pair.controller.heap_fd, &received), 0);
	assert_int_equal(sent.st_ino, received.st_ino);
	assert_true(fcntl(pair.controller.heap_fd, F_GETFD) & FD_CLOEXEC);
	const struct portal_hello *peer = portal_channel_get_peer(pair.controller.channel);
	assert_true(peer->features & PORTAL_FEATURE_HEAP_FD);
	channel_pair_finish(&pair);
	close(guest.heap_fd);
}

static void names_that_are_not_printable_make_no_channel(void **state) {
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_GUEST, NULL);
	options.name = "fire\nfox";
	struct portal_transport_address address;
	portal_transport_parse(&address, "unix:/x", NULL);
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_null(portal_channel_create(portal_transport_from_socket(fds[0], &address), &options,
		&channel_end_handlers, NULL));
	assert_int_equal(errno, EINVAL);
	close(fds[1]);
}

static int fds_before;

static int remember_fds(void **state) {
	fds_before = descriptors_count();
	return 0;
}

static int check_fds(void **state) {
	return descriptors_count() == fds_before ? 0 : -1;
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
	return cmocka_run_group_tests(tests, remember_fds, check_fds);
}
