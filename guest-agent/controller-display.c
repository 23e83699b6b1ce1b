#include "agent.h"
#include "controller.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <wlr/util/log.h>

struct display_controller {
	struct controller base;
	struct sockaddr_un address;
	bool unreachable; // said already
};

static int display_start(struct controller *base) {
	agent_controller_up(base->agent);
	return 0;
}

static int display_open(struct controller *base, const char *name, struct link **link) {
	struct display_controller *controller = wl_container_of(base, controller, base);
	*link = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&controller->address,
			       sizeof(controller->address)) != 0) {
		int error = errno;
		wlr_log_errno(WLR_ERROR, "no compositor at %s", controller->address.sun_path);
		controller->unreachable = true;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static void display_lost(struct controller *base, int error) {
	struct display_controller *controller = wl_container_of(base, controller, base);
	if (!controller->unreachable) {
		wlr_log(WLR_ERROR, "the compositor ended the connection: %s", strerror(error));
	}
	agent_controller_down(base->agent);
	agent_stop(base->agent, EXIT_FAILURE);
}

static bool display_clock_offset(struct controller *base, int64_t *offset) {
	*offset = 0; // the same machine
	return true;
}

static void display_flush(struct controller *base) {
	// libwayland-client's own socket leads to the compositor
}

static void display_destroy(struct controller *base) {
	struct display_controller *controller = wl_container_of(base, controller, base);
	free(controller);
}

static const struct controller_impl display_impl = {
	.start = display_start,
	.open = display_open,
	.lost = display_lost,
	.clock_offset = display_clock_offset,
	.flush = display_flush,
	.destroy = display_destroy,
};

struct controller *controller_create_display(const char *name) {
	struct display_controller *controller = calloc(1, sizeof(*controller));
	const char *directory = getenv("XDG_RUNTIME_DIR");
	if (controller == NULL) {
		return NULL;
	}
	controller->base.impl = &display_impl;
	controller->address.sun_family = AF_UNIX;

	size_t size = sizeof(controller->address.sun_path);
	int length = name[0] == '/' ? snprintf(controller->address.sun_path, size, "%s", name)
				    : snprintf(controller->address.sun_path, size, "%s/%s",
					      directory != NULL ? directory : "", name);
	if (length < 0 || (size_t)length >= size || (name[0] != '/' && directory == NULL)) {
		errno = directory == NULL ? ENOENT : ENAMETOOLONG;
		free(controller);
		return NULL;
	}
	return &controller->base;
}
