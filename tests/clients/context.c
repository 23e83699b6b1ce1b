/* test-context ENGINE INSTANCE COMMAND ARG…: becomes COMMAND, whose Wayland connection carries the
 * security context of that engine and instance (security-context-v1). A native client run this way
 * gets the same label as a virtual machine's, so that pictures of both can be compared whole. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-client.h>

#include "security-context-v1-client-protocol.h"

static _Noreturn void fail(const char *what) {
	fprintf(stderr, "test-context: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct wp_security_context_manager_v1 **manager = data;
	if (strcmp(interface, wp_security_context_manager_v1_interface.name) == 0) {
		*manager = wl_registry_bind(
			registry, name, &wp_security_context_manager_v1_interface, 1);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
	/* Bound and used at once. */
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

/* A listening socket in a directory nobody else can enter, both already removed again, and a
 * connection to it. */
static void make_sockets(int *listener, int *connection) {
	char directory[] = "/tmp/test-context-XXXXXX";
	if (mkdtemp(directory) == NULL) {
		fail("mkdtemp");
	}
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/wayland", directory);
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	*connection = socket(AF_UNIX, SOCK_STREAM, 0);
	if (*listener < 0 || *connection < 0 ||
		bind(*listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(*listener, 1) != 0 ||
		connect(*connection, (struct sockaddr *)&address, sizeof(address)) != 0) {
		fail("socket");
	}
	unlink(address.sun_path);
	rmdir(directory);
}

static void register_context(
	struct wl_display *display, const char *engine, const char *instance, int listener) {
	struct wp_security_context_manager_v1 *manager = NULL;
	struct wl_registry *registry = wl_display_get_registry(display);
	wl_registry_add_listener(registry, &registry_listener, &manager);
	if (wl_display_roundtrip(display) < 0 || manager == NULL) {
		fail("no wp_security_context_manager_v1");
	}
	/* The context ends when the other end of this pipe is closed: COMMAND inherits it. */
	int pipe_fds[2];
	if (pipe(pipe_fds) != 0) {
		fail("pipe");
	}
	struct wp_security_context_v1 *context =
		wp_security_context_manager_v1_create_listener(manager, listener, pipe_fds[0]);
	wp_security_context_v1_set_sandbox_engine(context, engine);
	wp_security_context_v1_set_instance_id(context, instance);
	wp_security_context_v1_commit(context);
	wp_security_context_v1_destroy(context);
	wp_security_context_manager_v1_destroy(manager);
	wl_registry_destroy(registry);
	if (wl_display_roundtrip(display) < 0) {
		fail("the security context was refused");
	}
	close(pipe_fds[0]);
}

int main(int argc, char **argv) {
	if (argc < 4) {
		fprintf(stderr, "usage: test-context ENGINE INSTANCE COMMAND [ARG...]\n");
		return 2;
	}
	struct wl_display *display = wl_display_connect(NULL);
	if (display == NULL) {
		fail("no compositor at WAYLAND_DISPLAY");
	}
	int listener, connection;
	make_sockets(&listener, &connection);
	register_context(display, argv[1], argv[2], listener);
	wl_display_disconnect(display);
	char number[16];
	snprintf(number, sizeof(number), "%d", connection);
	setenv("WAYLAND_SOCKET", number, 1);
	execvp(argv[3], argv + 3);
	fail(argv[3]);
}
