#include <string.h>

#include "wire_fixture.h"

static const struct {
	uint32_t id;
	const char *interface;
	uint32_t version;
} globals[] = {
	{ID_COMPOSITOR, "wl_compositor", 6},
	{ID_SHM, "wl_shm", 2},
	{ID_SEAT, "wl_seat", 9},
	{ID_WM_BASE, "xdg_wm_base", 7},
	{ID_FIXES, "wl_fixes", 2},
};

int fixture_setup(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	assert_non_null(fixture);
	portal_quota_init(&fixture->quota, HEAP_SIZE);
	fixture->wire = portal_wire_create(HEAP_SIZE, 0, &fixture->quota);
	assert_non_null(fixture->wire);
	assert_passes(request(
		fixture, ID_DISPLAY, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", ID_REGISTRY));
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		/* A global's name is the id it gets here plus 100. */
		assert_passes(event(fixture, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu",
			globals[i].id + 100, globals[i].interface, globals[i].version));
		assert_passes(request(fixture, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun",
			globals[i].id + 100, globals[i].interface, globals[i].version,
			globals[i].id));
	}
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state) {
	struct fixture *fixture = *state;
	portal_wire_destroy(fixture->wire);
	for (unsigned int kind = 0; kind < PORTAL_QUOTA_KINDS; kind++) {
		assert_int_equal(fixture->quota.used[kind], 0);
	}
	free(fixture);
	return 0;
}
