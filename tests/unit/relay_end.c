/* How a connection ends, and that both sides hear of it. */
#include <sys/mman.h>
#include <unistd.h>

#include "relay_fixture.h"
#include "relay_globals.h"

static void test_the_servers_last_words_reach_the_client(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct wl_surface *surface = wl_compositor_create_surface(globals.compositor);
	uint32_t id = wl_proxy_get_id((struct wl_proxy *)surface);
	wl_surface_attach(surface, NULL, 5, 5);
	assert_int_equal(fixture_roundtrip(fixture), -1);
	const struct wl_interface *interface;
	uint32_t error_id;
	assert_int_equal(wl_display_get_protocol_error(fixture->client, &interface, &error_id),
		WL_SURFACE_ERROR_INVALID_OFFSET);
	assert_string_equal(interface->name, "wl_surface");
	assert_int_equal(error_id, id);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_SOCKET_CLOSED);
	assert_true(fixture->controller.released);
	assert_true(fixture->guest.released);
	assert_int_equal(fixture->guest.bye, 0);
	wl_surface_destroy(surface);
	globals_destroy(&globals);
}

static void test_a_client_that_goes_away_leaves_nothing(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct wl_surface *surface = wl_compositor_create_surface(globals.compositor);
	fixture_settle(fixture);
	assert_int_equal(fixture->server.surfaces, 1);
	wl_surface_destroy(surface);
	globals_destroy(&globals);
	wl_display_disconnect(fixture->client);
	fixture->client = NULL;
	fixture_settle(fixture);
	assert_null(fixture->server_client);
	assert_int_equal(fixture->server.surfaces, 0);
	assert_int_equal(fixture->guest.end, PORTAL_RELAY_SOCKET_CLOSED);
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_DISCONNECTED);
	assert_true(fixture->guest.released);
	assert_true(fixture->controller.released);
}

static void test_a_pool_over_other_memory_does_not_leave_the_guest(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	int fd = memfd_create("other", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 4096), 0);
	struct wl_shm_pool *pool = wl_shm_create_pool(globals.shm, fd, 4096);
	close(fd);
	assert_int_equal(fixture_roundtrip(fixture), -1);
	assert_int_equal(fixture->guest.end, PORTAL_RELAY_SOCKET_VIOLATION);
	assert_string_equal(fixture->guest.text, "a pool is not made over the heap");
	assert_int_equal(fixture->controller.end, PORTAL_RELAY_DISCONNECTED);
	wl_shm_pool_destroy(pool);
	globals_destroy(&globals);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_the_servers_last_words_reach_the_client),
		FIXTURE_TEST(test_a_client_that_goes_away_leaves_nothing),
		FIXTURE_TEST(test_a_pool_over_other_memory_does_not_leave_the_guest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
