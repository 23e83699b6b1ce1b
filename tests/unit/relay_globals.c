#include "relay_globals.h"

#include <string.h>

#include "relay_fixture.h"

static void handle_format(void *data, struct wl_shm *shm, uint32_t format) {
	struct globals *globals = data;
	globals->formats++;
}

static const struct wl_shm_listener shm_listener = {.format = handle_format};

static void handle_capabilities(void *data, struct wl_seat *seat, uint32_t capabilities) {
}

static void handle_name(void *data, struct wl_seat *seat, const char *name) {
}

static const struct wl_seat_listener seat_listener = {
	.capabilities = handle_capabilities,
	.name = handle_name,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct globals *globals = data;
	globals->count++;
	if (strcmp(interface, "wl_compositor") == 0) {
		globals->compositor =
			wl_registry_bind(registry, name, &wl_compositor_interface, version);
	} else if (strcmp(interface, "wl_shm") == 0) {
		globals->shm = wl_registry_bind(registry, name, &wl_shm_interface, version);
		wl_shm_add_listener(globals->shm, &shm_listener, globals);
	} else if (strcmp(interface, "wl_seat") == 0) {
		globals->seat = wl_registry_bind(registry, name, &wl_seat_interface, version);
		wl_seat_add_listener(globals->seat, &seat_listener, globals);
	} else {
		globals->privileged = true;
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

void globals_start(struct globals *globals, struct fixture *fixture) {
	*globals = (struct globals){0};
	fixture_start(fixture, true);
	struct wl_registry *registry = wl_display_get_registry(fixture->client);
	wl_registry_add_listener(registry, &registry_listener, globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	wl_registry_destroy(registry);
}

void globals_release(struct globals *globals) {
	wl_compositor_destroy(globals->compositor);
	wl_shm_release(globals->shm);
	wl_seat_release(globals->seat);
}

void globals_destroy(struct globals *globals) {
	wl_compositor_destroy(globals->compositor);
	wl_shm_destroy(globals->shm);
	wl_seat_destroy(globals->seat);
}
