/* What one guest can make a compositor keep: states, regions, pictures, trees. */
#include "wire_fixture.h"

enum { ID_SUBCOMPOSITOR = ID_FREE, ID_VIEWPORTER, ID_POOL, ID_FIRST };

#define SIDE 16 /* pixels of a buffer's side */
#define BYTES (SIDE * SIDE * 4)

static void bind(struct fixture *f, const char *interface, uint32_t id) {
	assert_passes(event(
		f, ID_REGISTRY, PORTAL_EVENT_WL_REGISTRY_GLOBAL, "usu", id + 100, interface, 1));
	assert_passes(request(f, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", id + 100,
		interface, 1, id));
}

static int setup(void **state) {
	fixture_setup(state);
	struct fixture *f = *state;
	bind(f, "wl_subcompositor", ID_SUBCOMPOSITOR);
	bind(f, "wp_viewporter", ID_VIEWPORTER);
	assert_passes(
		request(f, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", ID_POOL, HEAP_SIZE));
	return 0;
}

static void make_surface(struct fixture *f, uint32_t id) {
	assert_passes(
		request(f, ID_COMPOSITOR, PORTAL_REQUEST_WL_COMPOSITOR_CREATE_SURFACE, "n", id));
}

static void make_buffer(struct fixture *f, uint32_t id, int32_t width, int32_t height) {
	assert_passes(request(f, ID_POOL, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu", id, 0,
		width, height, width * 4, 0));
}

static enum portal_wire_verdict get_subsurface(
	struct fixture *f, uint32_t id, uint32_t surface, uint32_t parent) {
	return request(f, ID_SUBCOMPOSITOR, PORTAL_REQUEST_WL_SUBCOMPOSITOR_GET_SUBSURFACE, "noo",
		id, surface, parent);
}

static enum portal_wire_verdict commit(struct fixture *f, uint32_t surface) {
	return request(f, surface, PORTAL_REQUEST_WL_SURFACE_COMMIT, "");
}

static enum portal_wire_verdict show(struct fixture *f, uint32_t surface, uint32_t buffer) {
	assert_passes(request(f, surface, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii", buffer, 0, 0));
	return commit(f, surface);
}

static void test_surfaces_are_nested_only_so_deep(void **state) {
	struct fixture *f = *state;
	uint32_t id = ID_FIRST;
	make_surface(f, id);
	for (int depth = 1; depth <= 64; depth++, id += 2) {
		make_surface(f, id + 1);
		assert_passes(get_subsurface(f, id + 2, id + 1, id == ID_FIRST ? id : id - 1));
	}
	make_surface(f, id + 1);
	assert_refused(f, get_subsurface(f, id + 2, id + 1, id - 1),
		"wl_subcompositor#8.get_subsurface: surfaces are nested more than 64 deep");
}

/* From below, too: each new parent has nothing above it. */
static void test_a_deep_tree_cannot_be_built_from_its_leaves(void **state) {
	struct fixture *f = *state;
	uint32_t id = ID_FIRST;
	make_surface(f, id++);
	for (int height = 1; height <= 64; height++, id += 2) {
		make_surface(f, id);
		assert_passes(get_subsurface(f, id + 1, height == 1 ? ID_FIRST : id - 2, id));
	}
	make_surface(f, id);
	assert_refused(f, get_subsurface(f, id + 1, id - 2, id),
		"wl_subcompositor#8.get_subsurface: surfaces are nested more than 64 deep");
}

static void test_a_surface_is_not_its_own_ancestor(void **state) {
	struct fixture *f = *state;
	for (uint32_t id = ID_FIRST; id < ID_FIRST + 3; id++) {
		make_surface(f, id);
	}
	assert_passes(get_subsurface(f, ID_FIRST + 3, ID_FIRST + 1, ID_FIRST));
	assert_passes(get_subsurface(f, ID_FIRST + 4, ID_FIRST + 2, ID_FIRST + 1));
	assert_refused(f, get_subsurface(f, ID_FIRST + 5, ID_FIRST, ID_FIRST + 2),
		"wl_subcompositor#8.get_subsurface: a surface cannot be its own ancestor");
}

static void test_a_surface_has_one_role_at_a_time(void **state) {
	struct fixture *f = *state;
	make_surface(f, ID_FIRST);
	make_surface(f, ID_FIRST + 1);
	assert_passes(get_subsurface(f, ID_FIRST + 2, ID_FIRST, ID_FIRST + 1));
	assert_passes(request(f, ID_FIRST + 2, PORTAL_REQUEST_WL_SUBSURFACE_DESTROY, ""));
	assert_passes(get_subsurface(f, ID_FIRST + 3, ID_FIRST, ID_FIRST + 1));
	assert_refused(f, get_subsurface(f, ID_FIRST + 4, ID_FIRST, ID_FIRST + 1),
		"wl_subcompositor#8.get_subsurface: the surface has a role");
}

static void test_a_surface_outlives_its_role(void **state) {
	struct fixture *f = *state;
	make_surface(f, ID_FIRST);
	make_surface(f, ID_FIRST + 1);
	assert_passes(get_subsurface(f, ID_FIRST + 2, ID_FIRST, ID_FIRST + 1));
	/* The parent may go: the subsurface is of no effect from then on. */
	assert_passes(request(f, ID_FIRST + 1, PORTAL_REQUEST_WL_SURFACE_DESTROY, ""));
	assert_passes(commit(f, ID_FIRST));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_COMMITS], 0);
	assert_refused(f, request(f, ID_FIRST, PORTAL_REQUEST_WL_SURFACE_DESTROY, ""),
		"wl_surface#11.destroy: the surface has a role still");
}

static void test_commits_that_wait_for_the_parent_are_counted(void **state) {
	struct fixture *f = *state;
	const uint32_t parent = ID_FIRST, child = ID_FIRST + 1, subsurface = ID_FIRST + 2;
	f->quota.limit[PORTAL_QUOTA_COMMITS] = 3;
	make_surface(f, parent);
	make_surface(f, child);
	assert_passes(get_subsurface(f, subsurface, child, parent));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++) {
			assert_passes(commit(f, child));
		}
		assert_int_equal(f->quota.used[PORTAL_QUOTA_COMMITS], 3);
		assert_passes(commit(f, parent));
		assert_int_equal(f->quota.used[PORTAL_QUOTA_COMMITS], 0);
	}
	/* Nothing waits of one that is not synchronised. */
	assert_passes(request(f, subsurface, PORTAL_REQUEST_WL_SUBSURFACE_SET_DESYNC, ""));
	for (int i = 0; i < 5; i++) {
		assert_passes(commit(f, child));
	}
	assert_passes(request(f, subsurface, PORTAL_REQUEST_WL_SUBSURFACE_SET_SYNC, ""));
	for (int i = 0; i < 3; i++) {
		assert_passes(commit(f, child));
	}
	assert_refused(f, commit(f, child),
		"wl_surface#12.commit: the guest has its quota of 3 commits that wait for others");
}

/* A parent that waits itself lets nothing go. */
static void test_commits_below_one_that_waits_wait_with_it(void **state) {
	struct fixture *f = *state;
	for (uint32_t id = ID_FIRST; id < ID_FIRST + 3; id++) {
		make_surface(f, id);
	}
	assert_passes(get_subsurface(f, ID_FIRST + 3, ID_FIRST + 1, ID_FIRST));
	assert_passes(get_subsurface(f, ID_FIRST + 4, ID_FIRST + 2, ID_FIRST + 1));
	assert_passes(commit(f, ID_FIRST + 2));
	assert_passes(commit(f, ID_FIRST + 1));
	assert_passes(commit(f, ID_FIRST + 2));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_COMMITS], 3);
	assert_passes(commit(f, ID_FIRST));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_COMMITS], 0);
	/* The one in between had nothing to say: what is below it waits on. */
	assert_passes(commit(f, ID_FIRST + 2));
	assert_passes(commit(f, ID_FIRST));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_COMMITS], 1);
}

static void test_pictures_are_paid_for_while_they_are_shown(void **state) {
	struct fixture *f = *state;
	f->quota.limit[PORTAL_QUOTA_SHOWN_BYTES] = 2 * BYTES;
	make_surface(f, ID_FIRST);
	make_surface(f, ID_FIRST + 1);
	make_buffer(f, ID_FIRST + 2, SIDE, SIDE);
	for (int i = 0; i < 3; i++) {
		assert_passes(show(f, ID_FIRST, ID_FIRST + 2));
		assert_int_equal(f->quota.used[PORTAL_QUOTA_SHOWN_BYTES], BYTES);
	}
	/* A compositor may have made a texture of it. */
	assert_passes(request(f, ID_FIRST + 2, PORTAL_REQUEST_WL_BUFFER_DESTROY, ""));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_SHOWN_BYTES], BYTES);
	make_buffer(f, ID_FIRST + 3, SIDE, 2 * SIDE);
	assert_refused(f, show(f, ID_FIRST + 1, ID_FIRST + 3),
		"wl_surface#12.commit: the guest has its quota of 2048 bytes of pictures");
}

static void test_a_picture_taken_away_is_given_back(void **state) {
	struct fixture *f = *state;
	make_surface(f, ID_FIRST);
	make_buffer(f, ID_FIRST + 1, SIDE, SIDE);
	assert_passes(show(f, ID_FIRST, ID_FIRST + 1));
	assert_passes(show(f, ID_FIRST, 0));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_SHOWN_BYTES], 0);
	/* So is one whose buffer went before its commit: then there is none. */
	assert_passes(show(f, ID_FIRST, ID_FIRST + 1));
	assert_passes(
		request(f, ID_FIRST, PORTAL_REQUEST_WL_SURFACE_ATTACH, "oii", ID_FIRST + 1, 0, 0));
	assert_passes(request(f, ID_FIRST + 1, PORTAL_REQUEST_WL_BUFFER_DESTROY, ""));
	assert_passes(commit(f, ID_FIRST));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_SHOWN_BYTES], 0);
}

static void test_no_side_of_a_buffer_is_longer_than_can_be_drawn(void **state) {
	struct fixture *f = *state;
	make_buffer(f, ID_FIRST, 1, 32767);
	assert_refused(f,
		request(f, ID_POOL, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu",
			ID_FIRST + 1, 0, 1, 32768, 4, 0),
		"wl_shm_pool#10.create_buffer: a buffer of 1x32768: no side may be over 32767");
}

static void test_a_surface_with_a_buffer_has_a_size(void **state) {
	struct fixture *f = *state;
	const uint32_t surface = ID_FIRST, viewport = ID_FIRST + 2;
	make_surface(f, surface);
	make_buffer(f, ID_FIRST + 1, SIDE, SIDE);
	assert_passes(request(f, surface, PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_SCALE, "i", SIDE));
	assert_passes(show(f, surface, ID_FIRST + 1));
	assert_passes(
		request(f, surface, PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_SCALE, "i", SIDE + 1));
	/* A viewport says how large it is whatever the scale. */
	assert_passes(request(f, ID_VIEWPORTER, PORTAL_REQUEST_WP_VIEWPORTER_GET_VIEWPORT, "no",
		viewport, surface));
	assert_passes(request(f, viewport, PORTAL_REQUEST_WP_VIEWPORT_SET_DESTINATION, "ii", 5, 5));
	assert_passes(commit(f, surface));
	assert_passes(
		request(f, viewport, PORTAL_REQUEST_WP_VIEWPORT_SET_DESTINATION, "ii", -1, -1));
	assert_refused(
		f, commit(f, surface), "wl_surface#11.commit: a buffer of 16x16 at scale 17");
}

static enum portal_wire_verdict add(struct fixture *f, uint32_t region, int32_t y) {
	return request(f, region, PORTAL_REQUEST_WL_REGION_ADD, "iiii", 0, y, 10, 1);
}

static void test_a_region_has_so_many_rectangles(void **state) {
	struct fixture *f = *state;
	assert_passes(request(
		f, ID_COMPOSITOR, PORTAL_REQUEST_WL_COMPOSITOR_CREATE_REGION, "n", ID_FIRST));
	for (int32_t i = 0; i < 512; i++) {
		assert_passes(add(f, ID_FIRST, i));
	}
	/* It may consist of a quarter of their square, and costs as much work. */
	assert_int_equal(f->info.cost, 1 + (511 + 511 * 511 / 4) / 2048);
	assert_int_equal(f->quota.used[PORTAL_QUOTA_RECTANGLES], 512 + 512 * 512 / 4);
	assert_refused(f, add(f, ID_FIRST, 512),
		"wl_region#11.add: more than 512 rectangles make a region");
}

static void test_regions_are_paid_for_wherever_they_are_kept(void **state) {
	struct fixture *f = *state;
	const uint32_t surface = ID_FIRST, region = ID_FIRST + 1;
	make_surface(f, surface);
	assert_passes(
		request(f, ID_COMPOSITOR, PORTAL_REQUEST_WL_COMPOSITOR_CREATE_REGION, "n", region));
	assert_passes(add(f, region, 0));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_RECTANGLES], 1);
	assert_passes(request(f, surface, PORTAL_REQUEST_WL_SURFACE_SET_INPUT_REGION, "o", region));
	assert_passes(
		request(f, surface, PORTAL_REQUEST_WL_SURFACE_SET_OPAQUE_REGION, "o", region));
	assert_passes(request(f, region, PORTAL_REQUEST_WL_REGION_DESTROY, ""));
	assert_passes(commit(f, surface));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_RECTANGLES], 2);
	assert_passes(request(f, surface, PORTAL_REQUEST_WL_SURFACE_SET_INPUT_REGION, "o", 0));
	assert_passes(commit(f, surface));
	assert_int_equal(f->quota.used[PORTAL_QUOTA_RECTANGLES], 1);
	f->quota.limit[PORTAL_QUOTA_RECTANGLES] = 1;
	assert_passes(request(
		f, ID_COMPOSITOR, PORTAL_REQUEST_WL_COMPOSITOR_CREATE_REGION, "n", region + 1));
	assert_refused(f, add(f, region + 1, 0),
		"wl_region#13.add: the guest has its quota of 1 rectangles");
}

static void test_too_much_damage_is_damage_everywhere(void **state) {
	struct fixture *f = *state;
	make_surface(f, ID_FIRST);
	for (int round = 0; round < 2; round++) {
		for (int32_t i = 0; i < 70; i++) {
			assert_passes(request(f, ID_FIRST,
				i % 2 ? PORTAL_REQUEST_WL_SURFACE_DAMAGE_BUFFER
				      : PORTAL_REQUEST_WL_SURFACE_DAMAGE,
				"iiii", i, i, 7, 8));
			assert_int_equal(seen_word(f, 0), i < 64 ? i : 0);
			assert_int_equal(seen_word(f, 2), i < 64 ? 7 : INT32_MAX);
			assert_int_equal(seen_word(f, 3), i < 64 ? 8 : INT32_MAX);
		}
		assert_passes(commit(f, ID_FIRST));
	}
}

static void test_a_commit_costs_more_with_many_subsurfaces(void **state) {
	struct fixture *f = *state;
	make_surface(f, ID_FIRST);
	for (uint32_t i = 0; i < 160; i++) {
		make_surface(f, ID_FIRST + 1 + 2 * i);
		assert_passes(
			get_subsurface(f, ID_FIRST + 2 + 2 * i, ID_FIRST + 1 + 2 * i, ID_FIRST));
	}
	assert_int_equal(f->info.cost, 1);
	assert_passes(commit(f, ID_FIRST));
	assert_int_equal(f->info.cost, 11);
}

static void test_a_commit_costs_more_with_many_surfaces_further_below(void **state) {
	struct fixture *f = *state;
	make_surface(f, ID_FIRST);
	for (uint32_t i = 0; i < 160; i++) {
		/* Each one below the first one's only subsurface. */
		make_surface(f, ID_FIRST + 1 + 2 * i);
		assert_passes(get_subsurface(f, ID_FIRST + 2 + 2 * i, ID_FIRST + 1 + 2 * i,
			i == 0 ? ID_FIRST : ID_FIRST + 1));
	}
	assert_passes(commit(f, ID_FIRST));
	assert_int_equal(f->info.cost, 11);
	/* With that one all go. */
	assert_passes(request(f, ID_FIRST + 2, PORTAL_REQUEST_WL_SUBSURFACE_DESTROY, ""));
	assert_passes(commit(f, ID_FIRST));
	assert_int_equal(f->info.cost, 1);
}

static enum portal_wire_verdict move(struct fixture *f, uint32_t subsurface, int32_t x) {
	return request(f, subsurface, PORTAL_REQUEST_WL_SUBSURFACE_SET_POSITION, "ii", x, 0);
}

static void test_a_place_costs_a_look_at_all_that_is_shown(void **state) {
	struct fixture *f = *state;
	make_surface(f, ID_FIRST);
	for (uint32_t i = 0; i < 160; i++) {
		make_surface(f, ID_FIRST + 1 + 2 * i);
		assert_passes(
			get_subsurface(f, ID_FIRST + 2 + 2 * i, ID_FIRST + 1 + 2 * i, ID_FIRST));
	}
	assert_passes(move(f, ID_FIRST + 2, 5));
	assert_int_equal(f->info.cost, 1 + 8 + 161 / 16);
	/* One that moves twice before the parent's commit moves once. */
	assert_passes(move(f, ID_FIRST + 2, 6));
	assert_int_equal(f->info.cost, 1);
	assert_passes(move(f, ID_FIRST + 4, 5));
	assert_int_equal(f->info.cost, 1 + 8 + 161 / 16);
	/* Among its siblings it is looked for each time. */
	assert_passes(request(
		f, ID_FIRST + 2, PORTAL_REQUEST_WL_SUBSURFACE_PLACE_ABOVE, "o", ID_FIRST + 3));
	assert_int_equal(f->info.cost, 1 + 160 / 16);
	assert_passes(commit(f, ID_FIRST));
	assert_passes(request(
		f, ID_FIRST + 2, PORTAL_REQUEST_WL_SUBSURFACE_PLACE_BELOW, "o", ID_FIRST + 3));
	assert_int_equal(f->info.cost, 1 + 160 / 16 + 8 + 161 / 16);
}

static void test_another_size_costs_a_look_at_all_that_is_shown(void **state) {
	struct fixture *f = *state;
	const uint32_t surface = ID_FIRST, buffer = ID_FIRST + 1, viewport = ID_FIRST + 4;
	make_surface(f, surface);
	make_buffer(f, buffer, SIDE, SIDE);
	make_buffer(f, buffer + 1, SIDE, SIDE);
	make_buffer(f, buffer + 2, SIDE, SIDE / 2);
	assert_passes(show(f, surface, buffer));
	assert_int_equal(f->info.cost, 1 + 8);
	assert_passes(show(f, surface, buffer + 1));
	assert_int_equal(f->info.cost, 1);
	assert_passes(show(f, surface, buffer + 2));
	assert_int_equal(f->info.cost, 1 + 8);
	assert_passes(show(f, surface, 0));
	assert_int_equal(f->info.cost, 1 + 8);
	/* What is said again changes nothing. */
	for (unsigned int round = 0; round < 2; round++) {
		const uint32_t cost = round == 0 ? 1 + 8 : 1;
		assert_passes(
			request(f, surface, PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_SCALE, "i", 2));
		assert_int_equal(f->info.cost, cost);
		assert_passes(request(
			f, surface, PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_TRANSFORM, "i", 1));
		assert_int_equal(f->info.cost, cost);
	}
	assert_passes(request(f, ID_VIEWPORTER, PORTAL_REQUEST_WP_VIEWPORTER_GET_VIEWPORT, "no",
		viewport, surface));
	for (unsigned int round = 0; round < 2; round++) {
		const uint32_t cost = round == 0 ? 1 + 8 : 1;
		assert_passes(request(
			f, viewport, PORTAL_REQUEST_WP_VIEWPORT_SET_DESTINATION, "ii", 5, 5));
		assert_int_equal(f->info.cost, cost);
		assert_passes(request(f, viewport, PORTAL_REQUEST_WP_VIEWPORT_SET_SOURCE, "iiii", 0,
			0, 256, 256));
		assert_int_equal(f->info.cost, cost);
	}
	/* Nor does taking back what another viewport never said. */
	assert_passes(request(f, viewport, PORTAL_REQUEST_WP_VIEWPORT_DESTROY, ""));
	assert_passes(request(f, ID_VIEWPORTER, PORTAL_REQUEST_WP_VIEWPORTER_GET_VIEWPORT, "no",
		viewport + 1, surface));
	assert_passes(
		request(f, viewport + 1, PORTAL_REQUEST_WP_VIEWPORT_SET_DESTINATION, "ii", -1, -1));
	assert_int_equal(f->info.cost, 1);
	assert_passes(request(f, surface, PORTAL_REQUEST_WL_SURFACE_SET_OPAQUE_REGION, "o", 0));
	assert_int_equal(f->info.cost, 1 + 8);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		T(test_surfaces_are_nested_only_so_deep),
		T(test_a_deep_tree_cannot_be_built_from_its_leaves),
		T(test_a_surface_is_not_its_own_ancestor),
		T(test_a_surface_has_one_role_at_a_time),
		T(test_a_surface_outlives_its_role),
		T(test_commits_that_wait_for_the_parent_are_counted),
		T(test_commits_below_one_that_waits_wait_with_it),
		T(test_pictures_are_paid_for_while_they_are_shown),
		T(test_a_picture_taken_away_is_given_back),
		T(test_no_side_of_a_buffer_is_longer_than_can_be_drawn),
		T(test_a_surface_with_a_buffer_has_a_size),
		T(test_a_region_has_so_many_rectangles),
		T(test_regions_are_paid_for_wherever_they_are_kept),
		T(test_too_much_damage_is_damage_everywhere),
		T(test_a_commit_costs_more_with_many_subsurfaces),
		T(test_a_commit_costs_more_with_many_surfaces_further_below),
		T(test_a_place_costs_a_look_at_all_that_is_shown),
		T(test_another_size_costs_a_look_at_all_that_is_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
