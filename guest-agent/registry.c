#include "registry.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "output.h"
#include "presentation.h"
#include "seat.h"
#include <cursor-shape-v1-client-protocol.h>
#include <fractional-scale-v1-client-protocol.h>
#include <presentation-time-client-protocol.h>
#include <stddef.h>
#include <string.h>
#include <viewporter-client-protocol.h>
#include <wayland-client-protocol.h>
#include <wlr/util/log.h>
#include <xdg-activation-v1-client-protocol.h>
#include <xdg-decoration-unstable-v1-client-protocol.h>
#include <xdg-output-unstable-v1-client-protocol.h>
#include <xdg-shell-client-protocol.h>

/* The globals there is one of: the highest version the agent speaks, and the lowest it can use. */
static const struct singleton {
	const struct wl_interface *interface;
	uint32_t max, min;
	bool needed;
	size_t offset;
} singletons[] = {
	{&wl_compositor_interface, 6, 4, true, offsetof(struct connection, compositor)},
	{&wl_subcompositor_interface, 1, 1, false, offsetof(struct connection, subcompositor)},
	{&wl_shm_interface, 1, 1, true, offsetof(struct connection, shm)},
	{&xdg_wm_base_interface, 7, 1, true, offsetof(struct connection, wm_base)},
	{&wp_viewporter_interface, 1, 1, false, offsetof(struct connection, viewporter)},
	{&wp_presentation_interface, 2, 1, false, offsetof(struct connection, presentation)},
	{&wp_cursor_shape_manager_v1_interface, 2, 1, false,
		offsetof(struct connection, cursor_shape)},
	{&wp_fractional_scale_manager_v1_interface, 1, 1, false,
		offsetof(struct connection, fractional_scale)},
	{&xdg_activation_v1_interface, 1, 1, false, offsetof(struct connection, activation)},
	{&zxdg_decoration_manager_v1_interface, 1, 1, false,
		offsetof(struct connection, decoration)},
	{&zxdg_output_manager_v1_interface, 3, 2, false, offsetof(struct connection, xdg_output)},
};

#define SINGLETON_COUNT (sizeof(singletons) / sizeof(singletons[0]))

static void **member(struct connection *connection, const struct singleton *singleton) {
	return (void **)((char *)connection + singleton->offset);
}

static void handle_ping(void *data, struct xdg_wm_base *wm_base, uint32_t serial) {
	struct connection *connection = data;
	if (connection->app != NULL) {
		app_ping(connection->app, serial);
	} else {
		xdg_wm_base_pong(wm_base, serial);
	}
}

static const struct xdg_wm_base_listener wm_base_listener = {.ping = handle_ping};

static void handle_format(void *data, struct wl_shm *shm, uint32_t format) {
	struct connection *connection = data;
	if (connection->app == NULL) {
		connection_add_format(connection, format);
	}
}

static const struct wl_shm_listener shm_listener = {.format = handle_format};

static void listen_to(struct connection *connection, const struct singleton *singleton) {
	if (singleton->interface == &xdg_wm_base_interface) {
		xdg_wm_base_add_listener(connection->wm_base, &wm_base_listener, connection);
	} else if (singleton->interface == &wl_shm_interface) {
		wl_shm_add_listener(connection->shm, &shm_listener, connection);
	} else if (singleton->interface == &wp_presentation_interface) {
		presentation_listen(connection);
	}
}

static void bind_singleton(struct connection *connection, const struct singleton *singleton,
	uint32_t name, uint32_t version) {
	void **object = member(connection, singleton);
	if (*object != NULL || version < singleton->min) {
		return;
	}
	*object = wl_registry_bind(connection->registry, name, singleton->interface,
		version < singleton->max ? version : singleton->max);
	listen_to(connection, singleton);
}

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct connection *connection = data;

	if (strcmp(interface, wl_output_interface.name) == 0) {
		output_bind(connection, name, version);
		return;
	}
	if (strcmp(interface, wl_seat_interface.name) == 0) {
		seat_bind(connection, name, version);
		return;
	}
	for (size_t i = 0; i < SINGLETON_COUNT; i++) {
		if (strcmp(interface, singletons[i].interface->name) == 0) {
			bind_singleton(connection, &singletons[i], name, version);
		}
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
	struct connection *connection = data;
	struct output_link *output, *output_tmp;
	struct seat_link *seat, *seat_tmp;

	wl_list_for_each_safe (output, output_tmp, &connection->outputs, link) {
		if (output->global == name) {
			output_link_destroy(output);
		}
	}
	wl_list_for_each_safe (seat, seat_tmp, &connection->seats, link) {
		if (seat->global == name) {
			seat_link_destroy(seat);
		}
	}
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

struct wl_registry *registry_listen(struct connection *connection) {
	struct wl_registry *registry = wl_display_get_registry(connection->remote);
	if (registry != NULL) {
		wl_registry_add_listener(registry, &registry_listener, connection);
	}
	return registry;
}

bool registry_complete(struct connection *connection) {
	for (size_t i = 0; i < SINGLETON_COUNT; i++) {
		if (singletons[i].needed && *member(connection, &singletons[i]) == NULL) {
			wlr_log(WLR_ERROR, "the controller offers no %s of version %u or later",
				singletons[i].interface->name, singletons[i].min);
			return false;
		}
	}
	connection->pool = wl_shm_create_pool(connection->shm, connection->agent->heap.fd,
		portal_heap_get_pool_size(&connection->agent->heap));
	// The manager came before or after the outputs it describes.
	struct output_link *output;
	wl_list_for_each (output, &connection->outputs, link) {
		output_describe(output);
	}
	return connection->pool != NULL;
}

void registry_release(struct connection *connection) {
	if (connection->pool != NULL) {
		wl_shm_pool_destroy(connection->pool);
	}
	for (size_t i = 0; i < SINGLETON_COUNT; i++) {
		// The peer needs no goodbye from a connection that closes.
		void *object = *member(connection, &singletons[i]);
		if (object != NULL) {
			wl_proxy_destroy(object);
		}
	}
}
