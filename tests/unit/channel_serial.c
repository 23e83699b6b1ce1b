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
#include <sys/un.h>
#include <unistd.h>

#include "channel_pair.h"
#include "transport-impl.h"

/*
 * A virtio-serial port as QEMU carries it: the guest's end and the host's socket are two streams,
 * and bytes wait between them while one side has nobody. Neither end learns that the other went.
 */
struct wire {
	int guest_listener, host_listener; /* what the programs connect to */
	int guest, host; /* −1 while nobody is there */
	uint8_t to_host[1 << 18], to_guest[1 << 18];
	size_t to_host_size, to_guest_size;
};

static const uint8_t key[PORTAL_KEY_SIZE] = {1, 2, 3};
static char directory[] = "/tmp/portal-serial-XXXXXX";
static char guest_path[64], host_path[64];
static struct wire wire;
static struct portal_transport_listener *agent;
static struct channel_end guest, controller;

static int listen_at(const char *path) {
	struct sockaddr_un sockaddr = {.sun_family = AF_UNIX};
	strcpy(sockaddr.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr)) < 0 || listen(fd, 4) < 0) {
		abort();
	}
	return fd;
}

static struct portal_transport_address parse(const char *path) {
	char text[128];
	snprintf(text, sizeof(text), "virtio-serial:%s", path);
	struct portal_transport_address address;
	assert_int_equal(portal_transport_parse(&address, text, NULL), 0);
	return address;
}

static void start_agent(void) {
	struct portal_transport_address address = parse(guest_path);
	agent = portal_transport_listen(&address);
	assert_non_null(agent);
}

static void stop_agent(void) {
	channel_end_finish(&guest);
	portal_transport_listener_destroy(agent);
	agent = NULL;
}

/* What the agent does when its listener is readable. */
static void accept_controller(void) {
	struct portal_transport *transport = portal_transport_accept(agent);
	assert_non_null(transport);
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_GUEST, key);
	guest = (struct channel_end){.role = PORTAL_ROLE_GUEST, .heap_fd = -1};
	guest.channel = portal_channel_create(transport, &options, &channel_end_handlers, &guest);
	assert_non_null(guest.channel);
}

static void start_controller(void) {
	struct portal_transport_address address = parse(host_path);
	struct portal_transport *transport = portal_transport_connect(&address);
	assert_non_null(transport);
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_CONTROLLER, key);
	controller = (struct channel_end){.role = PORTAL_ROLE_CONTROLLER, .heap_fd = -1};
	controller.channel =
		portal_channel_create(transport, &options, &channel_end_handlers, &controller);
	assert_non_null(controller.channel);
}

static void take_connections(void) {
	int fd = accept4(wire.guest_listener, NULL, NULL, SOCK_NONBLOCK);
	if (fd >= 0) {
		close(wire.guest);
		wire.guest = fd;
	}
	if (wire.host < 0) {
		wire.host = accept4(wire.host_listener, NULL, NULL, SOCK_NONBLOCK);
	}
}

static bool carry_in(int fd, uint8_t *buffer, size_t *size, size_t capacity, bool *gone) {
	ssize_t got = fd >= 0 ? read(fd, buffer + *size, capacity - *size) : -1;
	*gone = fd >= 0 && got == 0 && capacity > *size;
	*size += got > 0 ? (size_t)got : 0;
	return got > 0;
}

static bool carry_out(int fd, uint8_t *buffer, size_t *size) {
	ssize_t sent = fd >= 0 && *size > 0 ? send(fd, buffer, *size, MSG_NOSIGNAL) : -1;
	if (sent <= 0) {
		return false;
	}
	memmove(buffer, buffer + sent, *size - (size_t)sent);
	*size -= (size_t)sent;
	return true;
}

static bool carry(void) {
	bool guest_gone, host_gone;
	take_connections();
	bool worked = carry_in(
		wire.host, wire.to_guest, &wire.to_guest_size, sizeof(wire.to_guest), &host_gone);
	worked |= carry_in(
		wire.guest, wire.to_host, &wire.to_host_size, sizeof(wire.to_host), &guest_gone);
	if (host_gone) {
		close(wire.host);
		wire.host = -1;
	}
	if (guest_gone) {
		close(wire.guest);
		wire.guest = -1;
	}
	worked |= carry_out(wire.guest, wire.to_guest, &wire.to_guest_size);
	worked |= carry_out(wire.host, wire.to_host, &wire.to_host_size);
	return worked;
}

/* Until nothing moves; the agent accepts again whenever its channel has closed. */
static void settle(void) {
	int idle = 0;
	for (int i = 0; i < 10000 && idle < 3; i++) {
		idle = carry() ? 0 : idle + 1;
		if (guest.channel != NULL) {
			channel_end_settle(&guest);
		}
		if (controller.channel != NULL) {
			channel_end_settle(&controller);
		}
		if (guest.channel != NULL && guest.closed_count > 0) {
			channel_end_finish(&guest);
			accept_controller();
			idle = 0;
		}
	}
	assert_true(idle >= 3);
}

static void assert_both_ready(void) {
	assert_int_equal(controller.ready_count, 1);
	assert_int_equal(guest.ready_count, 1);
	assert_int_equal(controller.closed_count, 0);
	assert_int_equal(guest.closed_count, 0);
}

static int setup(void **state) {
	memset(&wire, 0, sizeof(wire));
	wire.guest = wire.host = -1;
	wire.guest_listener = listen_at(guest_path);
	wire.host_listener = listen_at(host_path);
	return 0;
}

static int teardown(void **state) {
	channel_end_finish(&controller);
	if (agent != NULL) {
		stop_agent();
	}
	close(wire.guest_listener);
	close(wire.host_listener);
	close(wire.guest);
	close(wire.host);
	unlink(guest_path);
	unlink(host_path);
	return 0;
}

static void ends_meet_when_the_guest_is_first(void **state) {
	start_agent();
	accept_controller();
	settle();
	start_controller();
	settle();
	assert_both_ready();
}

static void ends_meet_when_the_controller_is_first(void **state) {
	start_controller();
	settle();
	start_agent();
	accept_controller();
	settle();
	assert_both_ready();
}

static void ends_meet_behind_garbage(void **state) {
	/* neither preamble nor frame, of no aligned length, and the begin of a preamble */
	memset(wire.to_guest, 0x89, 1001);
	wire.to_guest_size = 1001;
	memcpy(wire.to_host, "\x89PORTAL\n12345678 and\x89PORT", 26);
	wire.to_host_size = 26;
	start_agent();
	accept_controller();
	start_controller();
	settle();
	assert_both_ready();
	portal_channel_send_wayland(guest.channel, 1, "12345678", 8);
	portal_channel_send_wayland(controller.channel, 1, "12345678", 8);
	settle();
	assert_int_equal(controller.wayland_bytes, 8);
	assert_int_equal(guest.wayland_bytes, 8);
}

static void a_new_controller_takes_over(void **state) {
	start_agent();
	accept_controller();
	start_controller();
	settle();
	for (int i = 0; i < 5; i++) {
		channel_end_finish(&controller);
		start_controller();
		settle();
		assert_both_ready();
	}
}

static void a_controller_that_dies_in_the_middle_of_a_frame_is_succeeded(void **state) {
	static const size_t cuts[] = {1, 15, 16, 17, 1000, 60015};
	static uint8_t messages[60000];
	start_agent();
	accept_controller();
	start_controller();
	settle();
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		memset(messages, 0x55, sizeof(messages));
		size_t before = wire.to_guest_size;
		assert_int_equal(before, 0);
		portal_channel_send_wayland(controller.channel, 1, messages, sizeof(messages));
		portal_channel_flush(controller.channel);
		/* only a part of the frame leaves the host before the controller is gone */
		bool gone;
		carry_in(wire.host, wire.to_guest, &wire.to_guest_size, cuts[i], &gone);
		close(wire.host);
		wire.host = -1;
		channel_end_finish(&controller);
		settle();
		start_controller();
		settle();
		assert_both_ready();
	}
}

static void a_guest_that_dies_in_the_middle_of_a_frame_is_noticed(void **state) {
	static uint8_t messages[60000];
	start_agent();
	accept_controller();
	start_controller();
	settle();
	portal_channel_send_wayland(guest.channel, 1, messages, sizeof(messages));
	portal_channel_flush(guest.channel);
	bool gone;
	carry_in(wire.guest, wire.to_host, &wire.to_host_size, 1234, &gone);
	close(wire.guest);
	wire.guest = -1;
	stop_agent();
	settle();
	assert_int_equal(controller.closed_count, 0); /* nothing tells it yet */
	start_agent();
	accept_controller();
	settle();
	assert_int_equal(controller.closed_count, 1);
	assert_int_equal(controller.closed_reason, PORTAL_BYE_REPLACED);
	channel_end_finish(&controller);
	start_controller();
	settle();
	assert_both_ready();
}

static void a_guest_that_starts_while_the_greeting_is_under_way_is_greeted_again(void **state) {
	start_agent();
	accept_controller();
	start_controller();
	/* the greeting reaches a guest that dies before it answers */
	channel_end_settle(&controller);
	carry();
	stop_agent();
	settle();
	wire.to_guest_size = 0;
	start_agent();
	accept_controller();
	settle();
	assert_both_ready();
}

static void a_stale_answer_is_not_taken_for_one_to_this_greeting(void **state) {
	start_agent();
	accept_controller();
	start_controller();
	for (int i = 0; i < 3; i++) {
		channel_end_settle(&controller);
		carry();
		carry();
		channel_end_settle(&guest);
		/* the guest's answer is on its way when the controller changes */
		channel_end_finish(&controller);
		carry();
		start_controller();
	}
	settle();
	assert_both_ready();
}

static void the_listener_is_readable_only_while_nobody_uses_the_port(void **state) {
	start_agent();
	struct pollfd pollfd = {
		.fd = portal_transport_listener_get_fd(agent),
		.events = POLLIN,
	};
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	accept_controller();
	assert_int_equal(poll(&pollfd, 1, 0), 0);
	assert_null(portal_transport_accept(agent));
	assert_int_equal(errno, EAGAIN);
	channel_end_finish(&guest);
	assert_int_equal(poll(&pollfd, 1, 0), 1);
	accept_controller();
}

static void an_idle_port_wakes_nobody(void **state) {
	start_agent();
	accept_controller();
	start_controller();
	settle();
	struct pollfd pollfd = {
		.fd = portal_channel_get_fd(guest.channel),
		.events = portal_channel_get_events(guest.channel),
	};
	assert_int_equal(poll(&pollfd, 1, 0), 0);
}

static int group_setup(void **state) {
	if (mkdtemp(directory) == NULL) {
		return -1;
	}
	snprintf(guest_path, sizeof(guest_path), "%s/guest", directory);
	snprintf(host_path, sizeof(host_path), "%s/host", directory);
	return 0;
}

static int group_teardown(void **state) {
	return rmdir(directory);
}

/* A port whose device says that the host is gone (read(2) returns 0) after these bytes. */
struct cut_port {
	struct portal_transport base;
	const uint8_t *bytes;
	size_t size;
	bool *unheard;
};

static ssize_t cut_read(struct portal_transport *base, void *data, size_t size, int *fd) {
	struct cut_port *port = (struct cut_port *)base;
	*fd = -1;
	size_t got = port->size < size ? port->size : size;
	memcpy(data, port->bytes, got);
	port->bytes += got;
	port->size -= got;
	return (ssize_t)got;
}

static ssize_t cut_write(struct portal_transport *base, const void *data, size_t size, int fd) {
	return (ssize_t)size;
}

static short cut_events(struct portal_transport *base, short wanted) {
	return wanted;
}

static void cut_nothing(struct portal_transport *base) {
}

static void cut_unread(struct portal_transport *base, const void *data, size_t size) {
}

static void cut_destroy(struct portal_transport *base) {
	struct cut_port *port = (struct cut_port *)base;
	*port->unheard = port->base.unheard;
	free(port);
}

static const struct portal_transport_impl cut_impl = {
	.read = cut_read,
	.write = cut_write,
	.events = cut_events,
	.unread = cut_unread,
	.rearm = cut_nothing,
	.destroy = cut_destroy,
};

static bool is_unheard_after(const uint8_t *bytes, size_t size) {
	bool unheard = false;
	struct cut_port *port = calloc(1, sizeof(*port));
	struct portal_transport_address address = parse(guest_path);
	portal_transport_init(&port->base, &cut_impl, &address, -1);
	port->base.persistent = true;
	port->bytes = bytes;
	port->size = size;
	port->unheard = &unheard;
	struct channel_end end = {.role = PORTAL_ROLE_GUEST, .heap_fd = -1};
	struct portal_channel_options options = channel_end_options(PORTAL_ROLE_GUEST, key);
	end.channel = portal_channel_create(&port->base, &options, &channel_end_handlers, &end);
	assert_non_null(end.channel);
	portal_channel_dispatch(end.channel, POLLIN);
	assert_int_equal(end.closed_count, 1);
	portal_channel_destroy(end.channel);
	return unheard;
}

/*
 * The guest's kernel may show a new host's bytes before it says that the former one has gone, and
 * only then that there is a new one, who waits for an answer.
 */
static void a_greeting_that_the_ports_device_cut_off_is_asked_for_again(void **state) {
	static const uint8_t greeting[] = "\0\0\0\0\x89PORTAL\n12345678";
	assert_true(is_unheard_after(greeting, sizeof(greeting)));
	assert_false(is_unheard_after(greeting, 0));
}

#define ON_WIRE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		ON_WIRE(ends_meet_when_the_guest_is_first),
		ON_WIRE(ends_meet_when_the_controller_is_first),
		ON_WIRE(ends_meet_behind_garbage),
		ON_WIRE(a_new_controller_takes_over),
		ON_WIRE(a_controller_that_dies_in_the_middle_of_a_frame_is_succeeded),
		ON_WIRE(a_guest_that_dies_in_the_middle_of_a_frame_is_noticed),
		ON_WIRE(a_guest_that_starts_while_the_greeting_is_under_way_is_greeted_again),
		ON_WIRE(a_stale_answer_is_not_taken_for_one_to_this_greeting),
		ON_WIRE(the_listener_is_readable_only_while_nobody_uses_the_port),
		ON_WIRE(an_idle_port_wakes_nobody),
		ON_WIRE(a_greeting_that_the_ports_device_cut_off_is_asked_for_again),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
