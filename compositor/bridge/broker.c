#include "broker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#define INTERVAL_NS UINT64_C(2500000)
#define AT_ONCE 200

enum {
	REQUEST_CONNECT = 'c',
	REQUEST_READY = 'r',
};

/* Room for one descriptor. */
union control {
	char buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int bridge_broker_init(struct bridge_broker *broker, int socket_fd, int *inner_fd) {
	int fds[2], least = 1;
	*broker = (struct bridge_broker){.fd = -1};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		return -1;
	}
	/* Answers that nobody takes are few, as are the connections in them: the kernel takes its
	 * own least instead of 1. */
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	*broker = (struct bridge_broker){.fd = fds[0], .socket_fd = socket_fd};
	*inner_fd = fds[1];
	return 0;
}

void bridge_broker_finish(struct bridge_broker *broker) {
	if (broker->fd >= 0) {
		close(broker->fd);
	}
	broker->fd = -1;
}

uint64_t bridge_broker_get_pause(const struct bridge_broker *broker, uint64_t now) {
	uint64_t most = now + INTERVAL_NS * (AT_ONCE - 1);
	return broker->due > most ? broker->due - most : 0;
}

int bridge_broker_connect_socket(int socket_fd) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	/* The socket's name is gone, its file is not. */
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", socket_fd);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int send_answer(int fd, int32_t error, int connection) {
	struct iovec iov = {.iov_base = &error, .iov_len = sizeof(error)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control = {0};
	if (connection >= 0) {
		message.msg_control = control.buffer;
		message.msg_controllen = sizeof(control.buffer);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(connection));
		memcpy(CMSG_DATA(header), &connection, sizeof(connection));
	}
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int answer_connect(const struct bridge_broker *broker) {
	int connection = bridge_broker_connect_socket(broker->socket_fd);
	if (connection < 0) {
		return send_answer(broker->fd, errno, -1);
	}
	int result = send_answer(broker->fd, 0, connection), error = errno;
	close(connection);
	errno = error;
	return result < 0 ? -1 : send_answer(broker->fd, 0, -1);
}

/* 0, or -1 when the request is none, or the answers before it have not been taken. */
static int serve(struct bridge_broker *broker, char untrusted_request, ssize_t size) {
	errno = EPROTO;
	if (size != 1) {
		return -1;
	}
	switch (untrusted_request) {
	case REQUEST_CONNECT:
		return answer_connect(broker);
	case REQUEST_READY:
		sd_notify(true, "READY=1"); /* once: the environment names the socket no more */
		return 0;
	default:
		return -1;
	}
}

bool bridge_broker_dispatch(struct bridge_broker *broker, uint64_t now) {
	char untrusted_request[2];
	if (bridge_broker_get_pause(broker, now) > 0) {
		return true;
	}
	/* Descriptors that come along are closed by the kernel, for lack of room. */
	ssize_t size = recv(broker->fd, untrusted_request, sizeof(untrusted_request), MSG_DONTWAIT);
	if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
		return true;
	}
	broker->due = (broker->due > now ? broker->due : now) + INTERVAL_NS;
	if (size > 0 && serve(broker, untrusted_request[0], size) == 0) {
		return true;
	}
	/* An end of the pair closes when its process ends. */
	bool gone = size == 0 || errno == ECONNRESET || errno == EPIPE;
	bridge_broker_finish(broker);
	return gone;
}

/* The descriptor of an answer, or -1. */
static int descriptor_of(struct msghdr *message) {
	int fd = -1;
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	}
	return fd;
}

/* One packet of an answer. -1 with errno. */
static int receive_answer(int inner_fd, int32_t *error, int *connection) {
	struct iovec iov = {.iov_base = error, .iov_len = sizeof(*error)};
	union control control;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	ssize_t size;
	do {
		size = recvmsg(inner_fd, &message, MSG_CMSG_CLOEXEC);
	} while (size < 0 && errno == EINTR);
	if (size != sizeof(*error)) {
		errno = size < 0 ? errno : ECONNRESET;
		return -1;
	}
	*connection = descriptor_of(&message);
	return 0;
}

static int receive_connection(int inner_fd) {
	int32_t error;
	int connection, none;
	if (receive_answer(inner_fd, &error, &connection) < 0) {
		return -1;
	}
	/* The other process has it no more: else an epoll would know it even when it is closed. */
	if (error == 0 && receive_answer(inner_fd, &error, &none) < 0) {
		error = errno;
	}
	if (error != 0 && connection >= 0) {
		close(connection);
		connection = -1;
	}
	if (connection < 0) {
		/* Without a reason: this process has as many descriptors as it may. */
		errno = error != 0 ? error : EMFILE;
	}
	return connection;
}

static int send_request(int inner_fd, char request) {
	return send(inner_fd, &request, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int bridge_broker_connect(int inner_fd) {
	return send_request(inner_fd, REQUEST_CONNECT) < 0 ? -1 : receive_connection(inner_fd);
}

void bridge_broker_ready(int inner_fd) {
	/* Whoever is gone needs not be told. */
	(void)send_request(inner_fd, REQUEST_READY);
}
