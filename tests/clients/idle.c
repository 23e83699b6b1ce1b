/* idle MILLISECONDS: prints "idle" when nobody has done anything for so long, and "resumed".
 * inhibit: a window that keeps the session from going idle while it can be seen. */
#include <stdlib.h>
#include <string.h>

#include "ext-idle-notify-v1-client-protocol.h"
#include "feature.h"
#include "idle-inhibit-unstable-v1-client-protocol.h"
#include "window.h"

struct idle {
	struct ext_idle_notifier_v1 *notifier;
	struct zwp_idle_inhibit_manager_v1 *inhibit;
};

static void handle_global(
	struct client *client, uint32_t name, const char *interface, uint32_t version) {
	struct idle *idle = client->data;
	if (strcmp(interface, ext_idle_notifier_v1_interface.name) == 0) {
		idle->notifier = wl_registry_bind(
			client->registry, name, &ext_idle_notifier_v1_interface, 1);
	} else if (strcmp(interface, zwp_idle_inhibit_manager_v1_interface.name) == 0) {
		idle->inhibit = wl_registry_bind(
			client->registry, name, &zwp_idle_inhibit_manager_v1_interface, 1);
	}
}

static void bind_globals(struct client *client, struct idle *idle) {
	client->data = idle;
	client->global = handle_global;
	client_restart_registry(client);
	client_roundtrip(client);
	client->global = NULL;
}

static void destroy_globals(struct idle *idle) {
	if (idle->notifier != NULL) {
		ext_idle_notifier_v1_destroy(idle->notifier);
	}
	if (idle->inhibit != NULL) {
		zwp_idle_inhibit_manager_v1_destroy(idle->inhibit);
	}
}

static void handle_idled(void *data, struct ext_idle_notification_v1 *notification) {
	client_log("idle");
}

static void handle_resumed(void *data, struct ext_idle_notification_v1 *notification) {
	client_log("resumed");
}

static const struct ext_idle_notification_v1_listener notification_listener = {
	.idled = handle_idled,
	.resumed = handle_resumed,
};

void feature_idle(struct client *client, int argc, char **argv) {
	struct idle idle = {0};
	bind_globals(client, &idle);
	if (argc < 1 || idle.notifier == NULL) {
		client_fail("no ext_idle_notifier_v1, or no time");
	}
	client->seat =
		wl_registry_bind(client->registry, client->seat_global, &wl_seat_interface, 5);
	struct ext_idle_notification_v1 *notification = ext_idle_notifier_v1_get_idle_notification(
		idle.notifier, (uint32_t)atoi(argv[0]), client->seat);
	ext_idle_notification_v1_add_listener(notification, &notification_listener, NULL);
	client_stage(client, "idle");
	ext_idle_notification_v1_destroy(notification);
	destroy_globals(&idle);
}

void feature_inhibit(struct client *client, int argc, char **argv) {
	struct idle idle = {0};
	bind_globals(client, &idle);
	if (idle.inhibit == NULL) {
		client_fail("no zwp_idle_inhibit_manager_v1");
	}
	struct window *window = window_create(client, "inhibit", 200, 150);
	struct zwp_idle_inhibitor_v1 *inhibitor =
		zwp_idle_inhibit_manager_v1_create_inhibitor(idle.inhibit, window->surface);
	window_draw(window, 200, 150, 9);
	client_show_stage(client, "inhibit");
	zwp_idle_inhibitor_v1_destroy(inhibitor);
	window_destroy(window);
	destroy_globals(&idle);
}
