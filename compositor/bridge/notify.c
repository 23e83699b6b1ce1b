#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int bridge_notify_open(void) {
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!path || (path[0] != '/' && path[0] != '@') ||
		strlen(path) >= sizeof(address.sun_path)) {
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (path[0] == '@') {
		address.sun_path[0] = '\0'; /* the abstract namespace */
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, size) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

void bridge_notify_ready(int *fd) {
	static const char message[] = "READY=1";
	if (*fd >= 0) {
		/* Whoever asked may be gone; that is no reason to stop. */
		(void)!send(*fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT);
		close(*fd);
		*fd = -1;
	}
}
