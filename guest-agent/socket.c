#include "socket.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAMES_MAX 32

/* The lock is libwayland's: NAME.lock, held while the socket is used. */
static int take_lock(struct agent_socket *socket) {
	socket->lock_fd = open(socket->lock_path, O_CREAT | O_CLOEXEC | O_RDWR, 0660);
	if (socket->lock_fd < 0) {
		return -1;
	}
	if (flock(socket->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		close(socket->lock_fd);
		errno = EADDRINUSE;
		return -1;
	}
	return 0;
}

static int bind_socket(struct agent_socket *sock) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	strcpy(address.sun_path, sock->path); // the same size

	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock->fd < 0) {
		return -1;
	}
	unlink(sock->path); // of a process that died, since the lock was free
	if (bind(sock->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(sock->fd, 128) != 0) {
		int error = errno;
		close(sock->fd);
		errno = error;
		return -1;
	}
	return 0;
}

static int try_name(struct agent_socket *socket, const char *directory, int number) {
	snprintf(socket->name, sizeof(socket->name), "wayland-%d", number);
	int length = snprintf(socket->path, sizeof(socket->path), "%s/%s", directory, socket->name);
	if (length < 0 || (size_t)length >= sizeof(socket->path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(socket->lock_path, sizeof(socket->lock_path), "%s.lock", socket->path);
	if (take_lock(socket) != 0) {
		return -1;
	}
	if (bind_socket(socket) != 0) {
		int error = errno;
		unlink(socket->lock_path);
		close(socket->lock_fd);
		errno = error;
		return -1;
	}
	return 0;
}

int agent_socket_init(struct agent_socket *socket) {
	const char *directory = getenv("XDG_RUNTIME_DIR");

	if (directory == NULL || directory[0] != '/') {
		errno = ENOENT;
		return -1;
	}
	for (int number = 1; number <= NAMES_MAX; number++) {
		if (try_name(socket, directory, number) == 0) {
			return 0;
		}
		if (errno != EADDRINUSE) {
			return -1;
		}
	}
	return -1;
}

void agent_socket_finish(struct agent_socket *socket) {
	unlink(socket->path);
	unlink(socket->lock_path);
	if (socket->fd >= 0) {
		close(socket->fd);
	}
	close(socket->lock_fd);
}
