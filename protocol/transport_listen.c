#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport-impl.h"

struct portal_transport_listener {
	struct portal_transport_address address;
	int fd;
	struct portal_serial_port *port; /* virtio-serial: only; fd is the port's then */
	/* the socket file to remove, when it is still the same one */
	bool owns_file;
	dev_t device;
	ino_t inode;
};

static struct portal_transport_listener *listener_new(
	const struct portal_transport_address *address, int fd) {
	struct portal_transport_listener *listener = calloc(1, sizeof(*listener));
	if (listener != NULL) {
		listener->address = *address;
		listener->fd = fd;
	}
	return listener;
}

static struct portal_transport_listener *listen_serial(
	const struct portal_transport_address *address) {
	struct portal_serial_port *port = portal_serial_port_create(address);
	if (port == NULL) {
		return NULL;
	}
	struct portal_transport_listener *listener =
		listener_new(address, portal_serial_port_get_accept_fd(port));
	if (listener == NULL) {
		portal_serial_port_destroy(port);
		return NULL;
	}
	listener->port = port;
	return listener;
}

static void remember_file(struct portal_transport_listener *listener) {
	struct stat stat_buffer;
	if (listener->address.path[0] != '\0' && stat(listener->address.path, &stat_buffer) == 0) {
		listener->owns_file = true;
		listener->device = stat_buffer.st_dev;
		listener->inode = stat_buffer.st_ino;
	}
}

struct portal_transport_listener *portal_transport_listen(
	const struct portal_transport_address *address) {
	if (address->kind == PORTAL_TRANSPORT_VIRTIO_SERIAL) {
		return listen_serial(address);
	}
	int fd = portal_transport_socket_listen(address);
	if (fd < 0) {
		return NULL;
	}
	struct portal_transport_listener *listener =
		portal_transport_listener_from_socket(fd, address);
	if (listener != NULL && address->kind == PORTAL_TRANSPORT_UNIX) {
		remember_file(listener);
	}
	return listener;
}

struct portal_transport_listener *portal_transport_listener_from_socket(
	int fd, const struct portal_transport_address *address) {
	struct portal_transport_listener *listener = listener_new(address, fd);
	if (listener == NULL) {
		close(fd);
	}
	return listener;
}

static void remove_file(const struct portal_transport_listener *listener) {
	struct stat stat_buffer;
	if (listener->owns_file && stat(listener->address.path, &stat_buffer) == 0 &&
		stat_buffer.st_dev == listener->device && stat_buffer.st_ino == listener->inode) {
		unlink(listener->address.path);
	}
}

void portal_transport_listener_destroy(struct portal_transport_listener *listener) {
	if (listener == NULL) {
		return;
	}
	if (listener->port != NULL) {
		portal_serial_port_destroy(listener->port);
	} else {
		remove_file(listener);
		close(listener->fd);
	}
	free(listener);
}

int portal_transport_listener_get_fd(const struct portal_transport_listener *listener) {
	return listener->fd;
}

void portal_transport_listener_seal(struct portal_transport_listener *listener) {
	if (listener->port != NULL) {
		portal_serial_port_seal(listener->port);
	}
}

struct portal_transport *portal_transport_accept(struct portal_transport_listener *listener) {
	if (listener->port != NULL) {
		return portal_serial_port_accept(listener->port);
	}
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		/* whoever connected is gone already: that is not this listener's failure */
		if (errno == ECONNABORTED || errno == EINTR) {
			errno = EAGAIN;
		}
		return NULL;
	}
	return portal_transport_from_socket(fd, &listener->address);
}
