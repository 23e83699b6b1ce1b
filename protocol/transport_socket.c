#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "transport-impl.h"

#define FDS_PER_READ 4

/*
 * Between two guests: vhost-device-vsock (0.3) hands a packet from one guest to the other as it is,
 * and what does not fit into one of the receiver's buffers is lost. Linux gives the driver buffers
 * of a page, less its own bookkeeping of some hundred bytes; every send(2) is a packet of its own.
 */
#define SIBLING_SEND_MAX 3072

enum socket_state {
	SOCKET_CONNECTING,
	SOCKET_ASKING, /* vsock-unix: "CONNECT PORT\n" is not written yet */
	SOCKET_WAITING, /* vsock-unix: for "OK …\n" */
	SOCKET_OPEN,
};

struct socket_transport {
	struct portal_transport base;
	enum socket_state state;
	size_t send_max; /* bytes of one send, 0: any number */
	char line[64]; /* of the answer, as far as it has come */
	size_t line_length;
};

static int finish_connect(struct socket_transport *transport) {
	struct pollfd pollfd = {.fd = transport->base.fd, .events = POLLOUT};
	if (poll(&pollfd, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	int error = 0;
	socklen_t size = sizeof(error);
	if (getsockopt(transport->base.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 &&
		error != 0) {
		errno = error;
	} else if (error == 0) {
		transport->state = SOCKET_OPEN;
		return 0;
	}
	return -1;
}

static int ask(struct socket_transport *transport) {
	char request[32];
	int length =
		snprintf(request, sizeof(request), "CONNECT %u\n", transport->base.address.port);
	ssize_t sent = send(transport->base.fd, request, (size_t)length, MSG_NOSIGNAL);
	if (sent == length) {
		transport->state = SOCKET_WAITING;
		return 0;
	}
	if (sent >= 0) { /* a fresh socket that does not take 20 bytes */
		errno = EIO;
	}
	return -1;
}

/* Byte by byte, so that nothing of the stream behind the line is taken. */
static int read_answer(struct socket_transport *transport) {
	while (transport->line_length < sizeof(transport->line)) {
		char *at = &transport->line[transport->line_length];
		ssize_t got = recv(transport->base.fd, at, 1, 0);
		if (got <= 0) {
			errno = got == 0 ? ECONNREFUSED : errno;
			return -1;
		}
		transport->line_length++;
		if (*at == '\n') {
			bool ok = strncasecmp(transport->line, "OK", 2) == 0;
			transport->state = ok ? SOCKET_OPEN : transport->state;
			errno = ECONNREFUSED;
			return ok ? 0 : -1;
		}
	}
	errno = EPROTO;
	return -1;
}

/* Take the steps to an open stream that can be taken now. −1 with EAGAIN when one has to wait. */
static int advance(struct socket_transport *transport) {
	if (transport->state == SOCKET_CONNECTING && finish_connect(transport) < 0) {
		return -1;
	}
	if (transport->state == SOCKET_ASKING && ask(transport) < 0) {
		return -1;
	}
	if (transport->state == SOCKET_WAITING && read_answer(transport) < 0) {
		return -1;
	}
	return 0;
}

static void take_fds(struct msghdr *message, int *fd) {
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg != NULL;
		cmsg = CMSG_NXTHDR(message, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int received;
			memcpy(&received, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (*fd < 0) {
				*fd = received;
			} else {
				close(received);
			}
		}
	}
}

static ssize_t socket_read(struct portal_transport *base, void *data, size_t size, int *fd) {
	struct socket_transport *transport = (struct socket_transport *)base;
	if (transport->state != SOCKET_OPEN && advance(transport) < 0) {
		return -1;
	}
	if (!base->can_pass_fd) {
		return recv(base->fd, data, size, 0);
	}
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_PER_READ * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got = recvmsg(base->fd, &message, MSG_CMSG_CLOEXEC);
	if (got >= 0) {
		take_fds(&message, fd);
	}
	return got;
}

static ssize_t send_with_fd(int socket, const void *data, size_t size, int fd) {
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL);
}

static ssize_t socket_write(struct portal_transport *base, const void *data, size_t size, int fd) {
	struct socket_transport *transport = (struct socket_transport *)base;
	if (transport->state != SOCKET_OPEN && advance(transport) < 0) {
		return -1;
	}
	if (fd >= 0) {
		return send_with_fd(base->fd, data, size, fd);
	}
	if (transport->send_max != 0 && size > transport->send_max) {
		size = transport->send_max;
	}
	return send(base->fd, data, size, MSG_NOSIGNAL);
}

static short socket_events(struct portal_transport *base, short wanted) {
	const struct socket_transport *transport = (struct socket_transport *)base;
	switch (transport->state) {
	case SOCKET_CONNECTING:
	case SOCKET_ASKING:
		return POLLOUT;
	case SOCKET_WAITING:
		return POLLIN;
	case SOCKET_OPEN:
		break;
	}
	return wanted;
}

static void socket_destroy(struct portal_transport *base) {
	close(base->fd);
	free(base);
}

static const struct portal_transport_impl socket_impl = {
	.read = socket_read,
	.write = socket_write,
	.events = socket_events,
	.destroy = socket_destroy,
};

static struct socket_transport *socket_new(
	int fd, const struct portal_transport_address *address, enum socket_state state) {
	struct socket_transport *transport = calloc(1, sizeof(*transport));
	if (transport == NULL) {
		close(fd);
		return NULL;
	}
	portal_transport_init(&transport->base, &socket_impl, address, fd);
	transport->base.can_pass_fd = address->kind == PORTAL_TRANSPORT_UNIX;
	transport->base.persistent = address->kind == PORTAL_TRANSPORT_VIRTIO_SERIAL;
	transport->state = state;
	return transport;
}

/* vsock: this machine's own CID, 2 on a host without one. */
static uint32_t get_local_cid(void) {
	unsigned int cid = VMADDR_CID_HOST;
	int fd = open("/dev/vsock", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) < 0) {
			cid = VMADDR_CID_HOST;
		}
		close(fd);
	}
	return cid;
}

/* Whether a vsock's other end is another guest of this guest's host. */
static bool is_sibling(uint32_t cid) {
	uint32_t local = get_local_cid();
	return cid > VMADDR_CID_HOST && local > VMADDR_CID_HOST && local != VMADDR_CID_ANY;
}

struct portal_transport *portal_transport_from_socket(
	int fd, const struct portal_transport_address *address) {
	struct socket_transport *transport = socket_new(fd, address, SOCKET_OPEN);
	if (transport == NULL) {
		return NULL;
	}
	struct sockaddr_vm peer;
	socklen_t size = sizeof(peer);
	if (address->kind == PORTAL_TRANSPORT_VSOCK &&
		getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
		peer.svm_family == AF_VSOCK && is_sibling(peer.svm_cid)) {
		transport->send_max = SIBLING_SEND_MAX;
	}
	return &transport->base;
}

static int connect_vsock(const struct portal_transport_address *address, bool sibling) {
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -1;
	}
	struct sockaddr_vm sockaddr = {
		.svm_family = AF_VSOCK,
		.svm_cid = address->cid,
		.svm_port = address->port,
	};
	/* A guest reaches its siblings only when the packets are marked to go through the host. */
	if (sibling) {
		sockaddr.svm_flags = VMADDR_FLAG_TO_HOST;
	}
	if (connect(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr)) < 0 &&
		errno != EINPROGRESS) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static struct sockaddr_un unix_address(const char *path) {
	struct sockaddr_un sockaddr = {.sun_family = AF_UNIX};
	/* a path that fills it has no terminator, as unix(7) allows; ours are shorter */
	memcpy(sockaddr.sun_path, path, strnlen(path, sizeof(sockaddr.sun_path) - 1));
	return sockaddr;
}

static int connect_unix(const char *path) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -1;
	}
	struct sockaddr_un sockaddr = unix_address(path);
	if (connect(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr)) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

struct portal_transport *portal_transport_socket_connect(
	const struct portal_transport_address *address) {
	bool vsock = address->kind == PORTAL_TRANSPORT_VSOCK;
	bool sibling = vsock && is_sibling(address->cid);
	int fd = vsock ? connect_vsock(address, sibling) : connect_unix(address->path);
	if (fd < 0) {
		return NULL;
	}
	enum socket_state state = SOCKET_OPEN;
	if (vsock) {
		state = SOCKET_CONNECTING;
	} else if (address->kind == PORTAL_TRANSPORT_VSOCK_UNIX) {
		state = SOCKET_ASKING;
	}
	struct socket_transport *transport = socket_new(fd, address, state);
	if (transport == NULL) {
		return NULL;
	}
	transport->send_max = sibling ? SIBLING_SEND_MAX : 0;
	return &transport->base;
}

/* A socket file that refuses connections is left over from a process that is gone. */
static bool is_stale(const char *path) {
	int fd = connect_unix(path);
	if (fd >= 0) {
		close(fd);
		return false;
	}
	return errno == ECONNREFUSED;
}

static int bind_unix(int fd, const char *path) {
	struct sockaddr_un sockaddr = unix_address(path);
	/* bind(2) makes the file with the socket's own mode, which spares changing the umask */
	if (fchmod(fd, 0600) < 0) {
		return -1;
	}
	if (bind(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr)) == 0) {
		return 0;
	}
	if (errno != EADDRINUSE) {
		return -1;
	}
	if (!is_stale(path)) {
		errno = EADDRINUSE;
		return -1;
	}
	unlink(path);
	return bind(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr));
}

static int bind_address(int fd, const struct portal_transport_address *address) {
	if (address->kind == PORTAL_TRANSPORT_VSOCK) {
		const struct sockaddr_vm sockaddr = {
			.svm_family = AF_VSOCK,
			.svm_cid = address->cid,
			.svm_port = address->port,
		};
		return bind(fd, (const struct sockaddr *)&sockaddr, sizeof(sockaddr));
	}
	if (address->kind == PORTAL_TRANSPORT_UNIX) {
		return bind_unix(fd, address->path);
	}
	char path[sizeof(address->path) + 16];
	int length = snprintf(path, sizeof(path), "%s_%u", address->path, address->port);
	if (length < 0 || (size_t)length >= sizeof(address->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return bind_unix(fd, path);
}

int portal_transport_socket_listen(const struct portal_transport_address *address) {
	int family = address->kind == PORTAL_TRANSPORT_VSOCK ? AF_VSOCK : AF_UNIX;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -1;
	}
	if (bind_address(fd, address) < 0 || listen(fd, 8) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}
