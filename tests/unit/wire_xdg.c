/* What xdg-shell says, and a compositor may rely on without looking: wlroots and sway do. */
#include "wire_fixture.h"

/* A window, its popup, and what both are made of. */
enum {
	ID_SURFACE = ID_FREE,
	ID_XDG,
	ID_TOPLEVEL,
	ID_POPUP_SURFACE,
	ID_POPUP_XDG,
	ID_POSITIONER,
	ID_POOL,
	ID_BUFFER,
	ID_POPUP,
	ID_NEXT,
};

static int setup(void **state) {
	fixture_setup(state);
	struct fixture *f = *state;
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", ID_SURFACE));
	assert_passes(request(f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, "no",
		ID_XDG, ID_SURFACE));
	assert_passes(
		request(f, ID_XDG, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", ID_TOPLEVEL));
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", ID_POPUP_SURFACE));
	assert_passes(request(f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, "no",
		ID_POPUP_XDG, ID_POPUP_SURFACE));
	assert_passes(request(
		f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_CREATE_POSITIONER, "n", ID_POSITIONER));
	assert_passes(
		request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", ID_POOL, HEAP_SIZE));
	assert_passes(request(f, ID_POOL, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu",
		ID_BUFFER, 0, 4, 4, 16, 0));
	return 0;
}

static enum portal_wire_verdict commit(struct fixture *f, uint32_t surface) {
	return request(f, surface, PORTAL_REQUEST_WL_SURFACE_COMMIT, "");
}

static enum portal_wire_verdict show(struct fixture *f, uint32_t surface, uint32_t buffer) {
	assert_passes(request(f, surface, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii", buffer, 0, 0));
	return commit(f, surface);
}

static void map_window(struct fixture *f) {
	assert_passes(commit(f, ID_SURFACE));
	assert_passes(show(f, ID_SURFACE, ID_BUFFER));
}

static enum portal_wire_verdict get_popup(struct fixture *f, uint32_t parent) {
	return request(f, ID_POPUP_XDG, PORTAL_REQUEST_XDG_SURFACE_GET_POPUP, "noo", ID_POPUP,
		parent, ID_POSITIONER);
}

static enum portal_wire_verdict reposition(struct fixture *f) {
	return request(f, ID_POPUP, PORTAL_REQUEST_XDG_POPUP_REPOSITION, "ou", ID_POSITIONER, 1);
}

static enum portal_wire_verdict grab(struct fixture *f) {
	return request(f, ID_POPUP, PORTAL_REQUEST_XDG_POPUP_GRAB, "ou", ID_SEAT, 1);
}

static void test_a_popup_lives_as_the_protocol_says(void **state) {
	struct fixture *f = *state;
	map_window(f);
	assert_passes(get_popup(f, ID_XDG));
	assert_passes(grab(f));
	assert_passes(commit(f, ID_POPUP_SURFACE));
	assert_passes(reposition(f));
	assert_passes(show(f, ID_POPUP_SURFACE, ID_BUFFER));
	assert_passes(request(f, ID_POPUP, PORTAL_REQUEST_XDG_POPUP_DESTROY, ""));
	assert_passes(request(f, ID_POPUP_XDG, PORTAL_REQUEST_XDG_SURFACE_DESTROY, ""));
	assert_passes(request(f, ID_POPUP_SURFACE, PORTAL_REQUEST_WL_SURFACE_DESTROY, ""));
}

static void test_no_popup_is_repositioned_before_its_initial_commit(void **state) {
	struct fixture *f = *state;
	map_window(f);
	assert_passes(get_popup(f, ID_XDG));
	assert_refused(f, reposition(f), "xdg_popup#16.reposition: before the initial commit");
}

static void test_nor_after_it_was_unmapped(void **state) {
	struct fixture *f = *state;
	map_window(f);
	assert_passes(get_popup(f, ID_XDG));
	assert_passes(commit(f, ID_POPUP_SURFACE));
	assert_passes(show(f, ID_POPUP_SURFACE, ID_BUFFER));
	assert_passes(show(f, ID_POPUP_SURFACE, 0));
	assert_refused(f, reposition(f), "xdg_popup#16.reposition: before the initial commit");
}

/* Attached, and gone before the commit: then there is no buffer, and no popup. */
static void test_a_buffer_that_is_gone_unmaps_too(void **state) {
	struct fixture *f = *state;
	map_window(f);
	assert_passes(get_popup(f, ID_XDG));
	assert_passes(commit(f, ID_POPUP_SURFACE));
	assert_passes(show(f, ID_POPUP_SURFACE, ID_BUFFER));
	assert_passes(request(
		f, ID_POPUP_SURFACE, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii", ID_BUFFER, 0, 0));
	assert_passes(request(f, ID_BUFFER, PORTAL_REQUEST_WL_BUFFER_DESTROY, ""));
	assert_passes(commit(f, ID_POPUP_SURFACE));
	assert_int_equal(reposition(f), PORTAL_WIRE_REFUSE);
}

static void test_a_popup_of_a_window_that_went_is_of_no_effect(void **state) {
	struct fixture *f = *state;
	map_window(f);
	assert_passes(get_popup(f, ID_XDG));
	assert_passes(commit(f, ID_POPUP_SURFACE));
	assert_passes(show(f, ID_SURFACE, 0));
	assert_passes(commit(f, ID_POPUP_SURFACE));
	assert_passes(request(f, ID_TOPLEVEL, PORTAL_REQUEST_XDG_TOPLEVEL_DESTROY, ""));
	assert_passes(commit(f, ID_POPUP_SURFACE));
}

static void test_a_popup_has_a_parent_that_is_a_window(void **state) {
	struct fixture *f = *state;
	assert_refused(f, get_popup(f, 0), "xdg_surface#12.get_popup: a popup without a parent");
	assert_refused(
		f, get_popup(f, ID_POPUP_XDG), "xdg_surface#12.get_popup: the parent is no window");
	assert_passes(request(f, ID_TOPLEVEL, PORTAL_REQUEST_XDG_TOPLEVEL_DESTROY, ""));
	assert_refused(
		f, get_popup(f, ID_XDG), "xdg_surface#12.get_popup: the parent is no window");
}

/* wlroots asks only whether the parent ever had a role. */
static void test_two_popups_are_not_each_others_parents(void **state) {
	struct fixture *f = *state;
	const uint32_t surface = ID_NEXT, xdg = ID_NEXT + 1, popup = ID_NEXT + 2;
	map_window(f);
	assert_passes(get_popup(f, ID_XDG));
	assert_passes(request(f, ID_COMPOSITOR, 0, "n", surface));
	assert_passes(request(
		f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, "no", xdg, surface));
	assert_passes(request(f, ID_POPUP, PORTAL_REQUEST_XDG_POPUP_DESTROY, ""));
	assert_refused(f,
		request(f, xdg, PORTAL_REQUEST_XDG_SURFACE_GET_POPUP, "noo", popup, ID_POPUP_XDG,
			ID_POSITIONER),
		"xdg_surface#18.get_popup: the parent is no window");
}

static void test_popups_are_nested_only_so_deep(void **state) {
	struct fixture *f = *state;
	uint32_t parent = ID_XDG, id = ID_POPUP;
	for (int depth = 1; depth <= 65; depth++, id += 3) {
		assert_passes(request(f, ID_COMPOSITOR, 0, "n", id));
		assert_passes(request(f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE,
			"no", id + 1, id));
		assert_int_equal(request(f, id + 1, PORTAL_REQUEST_XDG_SURFACE_GET_POPUP, "noo",
					 id + 2, parent, ID_POSITIONER),
			depth <= 64 ? PORTAL_WIRE_PASS : PORTAL_WIRE_REFUSE);
		parent = id + 1;
	}
}

static void test_a_popup_is_grabbed_once(void **state) {
	struct fixture *f = *state;
	map_window(f);
	assert_passes(get_popup(f, ID_XDG));
	assert_passes(grab(f));
	assert_refused(f, grab(f), "xdg_popup#16.grab: the popup has its grab");
}

static void test_an_xdg_surface_is_one_thing_at_a_time(void **state) {
	struct fixture *f = *state;
	assert_refused(f,
		request(f, ID_XDG, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", ID_POPUP),
		"xdg_surface#9.get_toplevel: the xdg_surface is something already");
	assert_refused(f, request(f, ID_XDG, PORTAL_REQUEST_XDG_SURFACE_DESTROY, ""),
		"xdg_surface#9.destroy: it is a window still");
	assert_refused(f, request(f, ID_SURFACE, PORTAL_REQUEST_WL_SURFACE_DESTROY, ""),
		"wl_surface#8.destroy: the surface has a role still");
	assert_refused(f,
		request(f, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, "no", ID_POPUP,
			ID_SURFACE),
		"xdg_wm_base#6.get_xdg_surface: the surface has a role");
	assert_passes(request(f, ID_TOPLEVEL, PORTAL_REQUEST_XDG_TOPLEVEL_DESTROY, ""));
	assert_passes(request(f, ID_XDG, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", ID_POPUP));
}

static enum portal_wire_verdict maximize(struct fixture *f) {
	return request(f, ID_TOPLEVEL, PORTAL_REQUEST_XDG_TOPLEVEL_SET_MAXIMIZED, "");
}

static void test_configures_are_not_asked_for_without_acking_any(void **state) {
	struct fixture *f = *state;
	for (uint32_t serial = 1; serial <= 1025; serial++) {
		assert_passes(maximize(f));
		assert_passes(event(f, ID_XDG, PORTAL_EVENT_XDG_SURFACE_CONFIGURE, "u", serial));
	}
	assert_refused(
		f, maximize(f), "xdg_toplevel#10.set_maximized: 1025 configures are not acked");
	/* The newest one's ack is one of all before it. */
	assert_passes(request(f, ID_XDG, PORTAL_REQUEST_XDG_SURFACE_ACK_CONFIGURE, "u", 1025));
	assert_passes(maximize(f));
}

static void test_an_activation_token_costs_what_it_is_to_keep(void **state) {
	struct fixture *f = *state;
	assert_passes(event(f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", 300,
		"xdg_activation_v1", 1));
	assert_passes(request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 300,
		"xdg_activation_v1", 1, ID_POPUP));
	assert_passes(request(
		f, ID_POPUP, PORTAL_REQUEST_XDG_ACTIVATION_V1_GET_ACTIVATION_TOKEN, "n", ID_NEXT));
	assert_int_equal(f->info.cost, 1);
	assert_passes(request(f, ID_NEXT, PORTAL_REQUEST_XDG_ACTIVATION_TOKEN_V1_COMMIT, ""));
	assert_int_equal(f->info.cost, 10001);
	/* So does looking for one, which is there or not. */
	assert_passes(request(f, ID_POPUP, PORTAL_REQUEST_XDG_ACTIVATION_V1_ACTIVATE, "so",
		"no such token", ID_SURFACE));
	assert_int_equal(f->info.cost, 10001);
}

static void test_a_window_costs_what_a_frame_and_a_place_do(void **state) {
	struct fixture *f = *state;
	const uint32_t layout = 8 + 4; /* of one window */
	assert_passes(commit(f, ID_SURFACE));
	assert_passes(show(f, ID_SURFACE, ID_BUFFER));
	assert_int_equal(f->info.cost, 1 + 4 * layout);
	assert_passes(show(f, ID_SURFACE, ID_BUFFER));
	assert_int_equal(f->info.cost, 1);
	assert_passes(maximize(f));
	assert_int_equal(f->info.cost, 1 + 4);
	assert_passes(request(f, ID_TOPLEVEL, PORTAL_REQUEST_XDG_TOPLEVEL_UNSET_FULLSCREEN, ""));
	assert_int_equal(f->info.cost, 1 + 32 + layout);
	assert_passes(request(
		f, ID_XDG, PORTAL_REQUEST_XDG_SURFACE_SET_WINDOW_GEOMETRY, "iiii", 0, 0, 3, 3));
	assert_int_equal(f->info.cost, 1 + layout);
	assert_passes(show(f, ID_SURFACE, 0));
	assert_int_equal(f->info.cost, 1 + 4 * layout);
	/* A second window adds to what the first one's changes cost. */
	assert_passes(
		request(f, ID_POPUP_XDG, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", ID_POPUP));
	assert_int_equal(f->info.cost, 1 + 16);
	assert_passes(show(f, ID_SURFACE, ID_BUFFER));
	assert_int_equal(f->info.cost, 1 + 4 * (layout + 4));
	assert_passes(request(f, ID_POPUP, PORTAL_REQUEST_XDG_TOPLEVEL_DESTROY, ""));
	assert_passes(show(f, ID_SURFACE, 0));
	assert_int_equal(f->info.cost, 1 + 4 * layout);
}

static void test_a_guest_has_so_many_windows(void **state) {
	struct fixture *f = *state;
	f->quota.limit[PORTAL_QUOTA_WINDOWS] = 1;
	assert_passes(request(f, ID_TOPLEVEL, PORTAL_REQUEST_XDG_TOPLEVEL_DESTROY, ""));
	assert_passes(
		request(f, ID_POPUP_XDG, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", ID_POPUP));
	assert_refused(f, request(f, ID_XDG, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", ID_NEXT),
		"xdg_surface#9.get_toplevel: the guest has its quota of 1 windows");
}

/* Each place of a request that says where something is or how large; the others stay 1. */
static void assert_bounded(struct fixture *f, uint32_t id, uint16_t opcode, const char *format) {
	size_t count = strlen(format);
	for (size_t i = 0; i < count; i++) {
		for (int32_t sign = -1; sign <= 1; sign += 2) {
			int32_t values[4] = {1, 1, 1, 1};
			values[i] = sign * (1 << 20);
			assert_passes(request(
				f, id, opcode, format, values[0], values[1], values[2], values[3]));
		}
	}
	for (size_t i = 0; i < count; i++) {
		int32_t values[4] = {1, 1, 1, 1};
		values[i] = i % 2 == 0 ? (1 << 20) + 1 : INT32_MIN;
		assert_int_equal(
			request(f, id, opcode, format, values[0], values[1], values[2], values[3]),
			PORTAL_WIRE_REFUSE);
		assert_non_null(
			strstr(portal_wire_error(f->wire), "no place or size is beyond 1048576"));
	}
}

static void test_no_sum_of_places_and_sizes_overflows(void **state) {
	struct fixture *f = *state;
	assert_bounded(f, ID_SURFACE, PORTAL_REQUEST_WL_SURFACE_OFFSET, "ii");
	assert_bounded(f, ID_XDG, PORTAL_REQUEST_XDG_SURFACE_SET_WINDOW_GEOMETRY, "iiii");
	assert_bounded(f, ID_POSITIONER, PORTAL_REQUEST_XDG_POSITIONER_SET_SIZE, "ii");
	assert_bounded(f, ID_POSITIONER, PORTAL_REQUEST_XDG_POSITIONER_SET_ANCHOR_RECT, "iiii");
	assert_bounded(f, ID_POSITIONER, PORTAL_REQUEST_XDG_POSITIONER_SET_OFFSET, "ii");
	assert_bounded(f, ID_POSITIONER, PORTAL_REQUEST_XDG_POSITIONER_SET_PARENT_SIZE, "ii");
	assert_refused(f,
		request(f, ID_SURFACE, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii", ID_BUFFER, 0,
			-(1 << 20) - 1),
		"wl_surface#8.attach: -1048577: no place or size is beyond 1048576");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		T(test_a_popup_lives_as_the_protocol_says),
		T(test_no_popup_is_repositioned_before_its_initial_commit),
		T(test_nor_after_it_was_unmapped),
		T(test_a_buffer_that_is_gone_unmaps_too),
		T(test_a_popup_of_a_window_that_went_is_of_no_effect),
		T(test_a_popup_has_a_parent_that_is_a_window),
		T(test_two_popups_are_not_each_others_parents),
		T(test_popups_are_nested_only_so_deep),
		T(test_a_popup_is_grabbed_once),
		T(test_an_xdg_surface_is_one_thing_at_a_time),
		T(test_configures_are_not_asked_for_without_acking_any),
		T(test_an_activation_token_costs_what_it_is_to_keep),
		T(test_a_window_costs_what_a_frame_and_a_place_do),
		T(test_a_guest_has_so_many_windows),
		T(test_no_sum_of_places_and_sizes_overflows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
