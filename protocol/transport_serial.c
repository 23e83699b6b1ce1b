#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "transport-impl.h"

/*
 * A virtio-serial port knows no connections: the device in a guest stays open while hosts come and
 * go, poll(2) reports POLLHUP without end while none is there, and read(2) returns 0 then. So the
 * descriptor to poll is an epoll instance that watches the port edge-triggered, and the port goes
 * from one stream to the next together with bytes that the former did not use.
 */
struct portal_serial_port {
	struct portal_transport_address address;
	int fd; /* −1: a host socket that was lost */
	int epoll; /* readable when something changed at fd or kick */
	int kick; /* eventfd: look again although nothing changed */
	int available; /* eventfd, readable: accept returns a stream */
	bool in_use, announced, destroyed;
	bool is_socket;
	int broken; /* errno of the read(2) that found it so */
	bool sealed; /* what is lost is not opened again */
	short watched; /* EPOLLIN, EPOLLOUT registered for fd */
	uint8_t *unread;
	size_t unread_size;
};

struct serial_transport {
	struct portal_transport base;
	struct portal_serial_port *port;
	bool owns_port; /* the connecting side's ends with its stream */
	bool peer_seen; /* a byte came: from now on, 0 from read(2) is the peer's end */
};

static void signal_eventfd(int fd) {
	const uint64_t one = 1;
	ssize_t written = write(fd, &one, sizeof(one));
	(void)written; /* fails only when it is readable anyway */
}

static void clear_eventfd(int fd) {
	uint64_t value;
	ssize_t got = read(fd, &value, sizeof(value));
	(void)got;
}

static int watch(struct portal_serial_port *port, int operation, int fd, uint32_t events) {
	struct epoll_event event = {.events = events | EPOLLET};
	return epoll_ctl(port->epoll, operation, fd, &event);
}

static int open_socket(const char *path) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -1;
	}
	struct sockaddr_un sockaddr = {.sun_family = AF_UNIX};
	memcpy(sockaddr.sun_path, path, strnlen(path, sizeof(sockaddr.sun_path) - 1));
	if (connect(fd, (struct sockaddr *)&sockaddr, sizeof(sockaddr)) < 0) {
		int error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int port_open(struct portal_serial_port *port) {
	struct stat stat_buffer;
	if (stat(port->address.path, &stat_buffer) < 0) {
		return -1;
	}
	port->is_socket = S_ISSOCK(stat_buffer.st_mode);
	if (port->is_socket) {
		port->fd = open_socket(port->address.path);
	} else {
		port->fd = open(port->address.path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	}
	if (port->fd < 0) {
		return -1;
	}
	port->watched = EPOLLIN;
	return watch(port, EPOLL_CTL_ADD, port->fd, EPOLLIN);
}

static void close_fd(int fd) {
	if (fd >= 0) {
		close(fd);
	}
}

static void port_free(struct portal_serial_port *port) {
	close_fd(port->fd);
	close_fd(port->epoll);
	close_fd(port->kick);
	close_fd(port->available);
	free(port->unread);
	free(port);
}

struct portal_serial_port *portal_serial_port_create(
	const struct portal_transport_address *address) {
	struct portal_serial_port *port = calloc(1, sizeof(*port));
	if (port == NULL) {
		return NULL;
	}
	port->address = *address;
	port->fd = -1;
	port->epoll = epoll_create1(EPOLL_CLOEXEC);
	port->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	port->available = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (port->epoll < 0 || port->kick < 0 || port->available < 0 ||
		watch(port, EPOLL_CTL_ADD, port->kick, EPOLLIN) < 0 || port_open(port) < 0) {
		int error = errno;
		port_free(port);
		errno = error;
		return NULL;
	}
	return port;
}

void portal_serial_port_destroy(struct portal_serial_port *port) {
	if (port->in_use) {
		port->destroyed = true; /* goes with its last stream */
	} else {
		port_free(port);
	}
}

int portal_serial_port_get_accept_fd(const struct portal_serial_port *port) {
	return port->available;
}

void portal_serial_port_seal(struct portal_serial_port *port) {
	port->sealed = true;
}

static ssize_t take_unread(struct portal_serial_port *port, void *data, size_t size) {
	size_t taken = size < port->unread_size ? size : port->unread_size;
	memcpy(data, port->unread, taken);
	memmove(port->unread, port->unread + taken, port->unread_size - taken);
	port->unread_size -= taken;
	return (ssize_t)taken;
}

static ssize_t serial_read(struct portal_transport *base, void *data, size_t size, int *fd) {
	struct serial_transport *transport = (struct serial_transport *)base;
	struct portal_serial_port *port = transport->port;
	/* forget the edges: what they told of is looked at now */
	struct epoll_event events[2];
	epoll_wait(port->epoll, events, 2, 0);
	clear_eventfd(port->kick);
	if (port->unread_size > 0) {
		return take_unread(port, data, size);
	}
	ssize_t got = read(port->fd, data, size);
	if (got > 0) {
		transport->peer_seen = true;
	} else if (got == 0 && !port->is_socket && !transport->peer_seen) {
		errno = EAGAIN;
		return -1;
	} else if (got < 0 && errno != EAGAIN && errno != EINTR) {
		port->broken = errno; /* unplugged */
	}
	return got;
}

static ssize_t serial_write(struct portal_transport *base, const void *data, size_t size, int fd) {
	struct portal_serial_port *port = ((struct serial_transport *)base)->port;
	if (port->is_socket) {
		return send(port->fd, data, size, MSG_NOSIGNAL);
	}
	return write(port->fd, data, size);
}

static short serial_events(struct portal_transport *base, short wanted) {
	struct portal_serial_port *port = ((struct serial_transport *)base)->port;
	short watched =
		(short)((wanted & POLLIN ? EPOLLIN : 0) | (wanted & POLLOUT ? EPOLLOUT : 0));
	if (watched != port->watched &&
		watch(port, EPOLL_CTL_MOD, port->fd, (uint32_t)watched) == 0) {
		port->watched = watched;
	}
	return POLLIN;
}

static void serial_unread(struct portal_transport *base, const void *data, size_t size) {
	struct portal_serial_port *port = ((struct serial_transport *)base)->port;
	uint8_t *whole = realloc(port->unread, size + port->unread_size);
	if (whole == NULL) {
		return; /* the other end greets again when it is not answered */
	}
	memmove(whole + size, whole, port->unread_size);
	memcpy(whole, data, size);
	port->unread = whole;
	port->unread_size += size;
}

static void serial_rearm(struct portal_transport *base) {
	signal_eventfd(((struct serial_transport *)base)->port->kick);
}

static void serial_destroy(struct portal_transport *base) {
	struct serial_transport *transport = (struct serial_transport *)base;
	struct portal_serial_port *port = transport->port;
	port->in_use = false;
	port->announced = port->announced && !base->unheard;
	if (transport->owns_port || port->destroyed) {
		port_free(port);
	} else {
		signal_eventfd(port->available);
	}
	free(transport);
}

static const struct portal_transport_impl serial_impl = {
	.read = serial_read,
	.write = serial_write,
	.events = serial_events,
	.unread = serial_unread,
	.rearm = serial_rearm,
	.destroy = serial_destroy,
};

static struct serial_transport *serial_new(struct portal_serial_port *port) {
	struct serial_transport *transport = calloc(1, sizeof(*transport));
	if (transport == NULL) {
		return NULL;
	}
	portal_transport_init(&transport->base, &serial_impl, &port->address, port->epoll);
	transport->base.persistent = true;
	transport->port = port;
	port->in_use = true;
	return transport;
}

/* How the port was lost, as an errno: EPIPE when the other end has closed it. 0: it is there. */
static int find_loss(const struct portal_serial_port *port) {
	int loss = port->fd < 0 ? ENODEV : port->broken;
	if (loss == 0 && port->is_socket) {
		char byte;
		ssize_t got = recv(port->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
		loss = got == 0 ? EPIPE : got < 0 && errno != EAGAIN ? errno : 0;
	}
	/* Closed before it had read all of what was written. */
	return loss == ECONNRESET ? EPIPE : loss;
}

/* Open again what was unplugged, or, for a socket, closed by the other end. */
static int revive(struct portal_serial_port *port) {
	int loss = find_loss(port);
	if (loss == 0) {
		return 0;
	}
	if (port->sealed) {
		errno = loss;
		return -1;
	}
	close_fd(port->fd);
	port->fd = -1;
	port->announced = false;
	port->broken = 0;
	port->unread_size = 0;
	return port_open(port);
}

struct portal_transport *portal_serial_port_accept(struct portal_serial_port *port) {
	if (port->in_use) {
		errno = EAGAIN;
		return NULL;
	}
	clear_eventfd(port->available);
	if (revive(port) < 0) {
		return NULL;
	}
	struct serial_transport *transport = serial_new(port);
	if (transport == NULL) {
		return NULL;
	}
	transport->base.announce = !port->announced;
	port->announced = true;
	/* what came before is not told of again */
	signal_eventfd(port->kick);
	return &transport->base;
}

struct portal_transport *portal_transport_serial_connect(
	const struct portal_transport_address *address) {
	struct stat stat_buffer;
	if (stat(address->path, &stat_buffer) == 0 && S_ISSOCK(stat_buffer.st_mode)) {
		return portal_transport_socket_connect(address);
	}
	struct portal_serial_port *port = portal_serial_port_create(address);
	if (port == NULL) {
		return NULL;
	}
	struct serial_transport *transport = serial_new(port);
	if (transport == NULL) {
		port_free(port);
		return NULL;
	}
	transport->owns_port = true;
	return &transport->base;
}
