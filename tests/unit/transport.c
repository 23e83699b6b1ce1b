#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "descriptors.h"
#include "transport.h"

static char directory[] = "/tmp/portal-transport-XXXXXX";
static char path[64];

static int group_setup(void **state) {
	if (mkdtemp(directory) == NULL) {
		return -1;
	}
	snprintf(path, sizeof(path), "%s/socket", directory);
	return 0;
}

static int group_teardown(void **state) {
	return rmdir(directory);
}

static struct portal_transport_address parse(const char *format) {
	char text[128];
	snprintf(text, sizeof(text), format, path);
	struct portal_transport_address address;
	assert_int_equal(portal_transport_parse(&address, text, NULL), 0);
	return address;
}

static void addresses_are_parsed(void **state) {
	struct portal_transport_address address = parse("unix:/run/x:y");
	assert_int_equal(address.kind, PORTAL_TRANSPORT_UNIX);
	assert_string_equal(address.path, "/run/x:y");
	assert_false(portal_transport_needs_key(&address));
	address = parse("vsock:3:5000");
	assert_int_equal(address.cid, 3);
	assert_int_equal(address.port, 5000);
	assert_true(portal_transport_needs_key(&address));
	assert_true(parse("vsock:any:1").cid == VMADDR_CID_ANY);
	assert_int_equal(parse("vsock:local:1").cid, VMADDR_CID_LOCAL);
	assert_int_equal(parse("vsock:host:1").cid, VMADDR_CID_HOST);
	address = parse("vsock-unix:/a:b:77");
	assert_string_equal(address.path, "/a:b");
	assert_int_equal(address.port, 77);
	assert_true(portal_transport_needs_key(&address));
	address = parse("virtio-serial:/dev/virtio-ports/org.portal.0");
	assert_string_equal(address.path, "/dev/virtio-ports/org.portal.0");
	assert_true(portal_transport_needs_key(&address));
}

static void addresses_that_mean_nothing_are_refused_with_a_sentence(void **state) {
	char long_path[5 + 109] = "unix:";
	memset(long_path + 5, 'x', 108);
	const char *const wrong[] = {"", "unix", "unix:", "tcp:localhost:1", "vsock:3", "vsock::1",
		"vsock:x:1", "vsock:3:", "vsock:3:1x", "vsock:3:4294967296", "vsock-unix:/a",
		"vsock-unix::1", "virtio-serial:", long_path};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct portal_transport_address address;
		const char *error = NULL;
		assert_int_equal(portal_transport_parse(&address, wrong[i], &error), -1);
		assert_int_equal(errno, EINVAL);
		assert_non_null(error);
	}
}

static ssize_t read_from(struct portal_transport *transport, char *data, size_t size, int *fd) {
	struct pollfd pollfd = {
		.fd = portal_transport_get_fd(transport),
		.events = portal_transport_get_events(transport, POLLIN),
	};
	assert_true(poll(&pollfd, 1, 5000) > 0);
	return portal_transport_read(transport, data, size, fd);
}

static void a_listener_accepts_and_both_ends_talk(void **state) {
	struct portal_transport_address address = parse("unix:%s");
	struct portal_transport_listener *listener = portal_transport_listen(&address);
	assert_non_null(listener);
	struct stat stat_buffer;
	assert_int_equal(stat(path, &stat_buffer), 0);
	assert_int_equal(stat_buffer.st_mode & 0777, 0600);
	assert_null(portal_transport_accept(listener));
	assert_int_equal(errno, EAGAIN);
	struct portal_transport *near = portal_transport_connect(&address);
	struct portal_transport *far = portal_transport_accept(listener);
	assert_non_null(near);
	assert_non_null(far);
	char data[16];
	int fd;
	assert_int_equal(portal_transport_read(near, data, sizeof(data), &fd), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(portal_transport_write(near, "hello", 5, -1), 5);
	assert_int_equal(read_from(far, data, sizeof(data), &fd), 5);
	assert_memory_equal(data, "hello", 5);
	portal_transport_destroy(near);
	assert_int_equal(read_from(far, data, sizeof(data), &fd), 0);
	portal_transport_destroy(far);
	portal_transport_listener_destroy(listener);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_descriptor_travels_over_unix_only(void **state) {
	struct portal_transport_address address = parse("unix:%s"), vsock = parse("vsock:3:1");
	int fds[2], other[2], pipe_fds[2], fd;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	struct portal_transport *near = portal_transport_from_socket(fds[0], &address);
	struct portal_transport *far = portal_transport_from_socket(fds[1], &address);
	struct portal_transport *without = portal_transport_from_socket(other[0], &vsock);
	assert_int_equal(portal_transport_write(without, "x", 1, pipe_fds[1]), -1);
	assert_int_equal(errno, ENOTSUP);
	assert_int_equal(portal_transport_write(near, "x", 1, pipe_fds[1]), 1);
	char data[4];
	assert_int_equal(read_from(far, data, sizeof(data), &fd), 1);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "y", 1), 1);
	assert_int_equal(read(pipe_fds[0], data, 1), 1);
	close(fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(other[1]);
	portal_transport_destroy(near);
	portal_transport_destroy(far);
	portal_transport_destroy(without);
}

static void surplus_descriptors_are_closed(void **state) {
	struct portal_transport_address address = parse("unix:%s");
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	struct portal_transport *transport = portal_transport_from_socket(fds[0], &address);
	int before = descriptors_count();
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(20 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = "x", .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(20 * sizeof(int));
	for (size_t i = 0; i < 20; i++) {
		memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fds[1], sizeof(int));
	}
	assert_int_equal(sendmsg(fds[1], &message, 0), 1);
	char data[4];
	int fd;
	assert_int_equal(read_from(transport, data, sizeof(data), &fd), 1);
	assert_int_equal(descriptors_count(), before + 1);
	close(fd);
	close(fds[1]);
	portal_transport_destroy(transport);
}

static void a_stale_socket_file_is_replaced_and_a_live_one_is_not(void **state) {
	struct portal_transport_address address = parse("unix:%s");
	struct portal_transport_listener *live = portal_transport_listen(&address);
	assert_non_null(live);
	assert_null(portal_transport_listen(&address));
	assert_int_equal(errno, EADDRINUSE);
	/* a process that died leaves the file, and nobody listens */
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	portal_transport_listener_destroy(live);
	struct sockaddr_un sockaddr = {.sun_family = AF_UNIX};
	strcpy(sockaddr.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr)), 0);
	close(fd);
	live = portal_transport_listen(&address);
	assert_non_null(live);
	portal_transport_listener_destroy(live);
}

static void a_listener_leaves_a_successors_file_alone(void **state) {
	struct portal_transport_address address = parse("unix:%s");
	struct portal_transport_listener *old = portal_transport_listen(&address);
	unlink(path);
	struct portal_transport_listener *successor = portal_transport_listen(&address);
	assert_non_null(successor);
	portal_transport_listener_destroy(old);
	assert_int_equal(access(path, F_OK), 0);
	portal_transport_listener_destroy(successor);
}

static void nobody_listening_is_an_error_at_once(void **state) {
	struct portal_transport_address address = parse("unix:%s");
	assert_null(portal_transport_connect(&address));
	assert_int_equal(errno, ENOENT);
}

/* The proxy of Firecracker, Cloud Hypervisor and vhost-device-vsock. */
struct proxy {
	int listener, peer;
	struct portal_transport *transport;
};

static void proxy_open(struct proxy *proxy) {
	struct sockaddr_un sockaddr = {.sun_family = AF_UNIX};
	strcpy(sockaddr.sun_path, path);
	proxy->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(proxy->listener, (struct sockaddr *)&sockaddr, sizeof(sockaddr)), 0);
	assert_int_equal(listen(proxy->listener, 1), 0);
	struct portal_transport_address address = parse("vsock-unix:%s:5000");
	proxy->transport = portal_transport_connect(&address);
	assert_non_null(proxy->transport);
	proxy->peer = accept(proxy->listener, NULL, NULL);
	assert_true(proxy->peer >= 0);
}

static void proxy_close(struct proxy *proxy) {
	portal_transport_destroy(proxy->transport);
	close(proxy->peer);
	close(proxy->listener);
	unlink(path);
}

static void a_vsock_proxy_is_asked_for_the_port_first(void **state) {
	struct proxy proxy;
	proxy_open(&proxy);
	assert_int_equal(portal_transport_get_events(proxy.transport, POLLIN), POLLOUT);
	assert_int_equal(portal_transport_write(proxy.transport, "hello", 5, -1), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(portal_transport_get_events(proxy.transport, POLLOUT), POLLIN);
	char data[64];
	assert_int_equal(read(proxy.peer, data, sizeof(data)), 13);
	assert_memory_equal(data, "CONNECT 5000\n", 13);
	/* the answer in two parts, the stream's first bytes right behind it */
	assert_int_equal(write(proxy.peer, "OK 10", 5), 5);
	int fd;
	assert_int_equal(read_from(proxy.transport, data, sizeof(data), &fd), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(proxy.peer, "24\nfirst", 8), 8);
	assert_int_equal(read_from(proxy.transport, data, sizeof(data), &fd), 5);
	assert_memory_equal(data, "first", 5);
	assert_int_equal(portal_transport_write(proxy.transport, "hello", 5, -1), 5);
	assert_int_equal(read(proxy.peer, data, sizeof(data)), 5);
	proxy_close(&proxy);
}

static void a_vsock_proxys_refusal_ends_the_stream(void **state) {
	static const char *const answers[] = {
		"NO\n", "0123456789012345678901234567890123456789012345678901234567890123456789"};
	for (size_t i = 0; i < 3; i++) {
		struct proxy proxy;
		proxy_open(&proxy);
		char data[64];
		int fd;
		assert_int_equal(portal_transport_read(proxy.transport, data, 64, &fd), -1);
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(read(proxy.peer, data, sizeof(data)), 13);
		if (i < 2) {
			assert_true(write(proxy.peer, answers[i], strlen(answers[i])) > 0);
		} else {
			shutdown(proxy.peer, SHUT_RDWR);
		}
		assert_int_equal(read_from(proxy.transport, data, sizeof(data), &fd), -1);
		assert_int_not_equal(errno, EAGAIN);
		proxy_close(&proxy);
	}
}

static void writing_to_nobody_is_an_error_and_no_signal(void **state) {
	struct portal_transport_address address = parse("unix:%s");
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	struct portal_transport *transport = portal_transport_from_socket(fds[0], &address);
	close(fds[1]);
	assert_int_equal(portal_transport_write(transport, "x", 1, -1), -1);
	assert_int_equal(errno, EPIPE);
	portal_transport_destroy(transport);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_parsed),
		cmocka_unit_test(addresses_that_mean_nothing_are_refused_with_a_sentence),
		cmocka_unit_test(a_listener_accepts_and_both_ends_talk),
		cmocka_unit_test(a_descriptor_travels_over_unix_only),
		cmocka_unit_test(surplus_descriptors_are_closed),
		cmocka_unit_test(a_stale_socket_file_is_replaced_and_a_live_one_is_not),
		cmocka_unit_test(a_listener_leaves_a_successors_file_alone),
		cmocka_unit_test(nobody_listening_is_an_error_at_once),
		cmocka_unit_test(a_vsock_proxy_is_asked_for_the_port_first),
		cmocka_unit_test(a_vsock_proxys_refusal_ends_the_stream),
		cmocka_unit_test(writing_to_nobody_is_an_error_and_no_signal),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
