/* What crosses between a real client and a real server, with relays and a channel between them. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "relay_fixture.h"
#include "relay_globals.h"

static void test_a_client_sees_what_the_list_allows_and_no_more(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	assert_int_equal(globals.count, 3);
	assert_false(globals.privileged);
	assert_int_equal(globals.formats, 2); /* NV12 cannot be measured */
	globals_release(&globals);
}

static void test_the_server_sees_the_pixels_where_the_client_wrote_them(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct portal_heap *heap = &fixture->guest.heap;
	int32_t pool_size = portal_heap_get_pool_size(heap);
	struct wl_shm_pool *pool = wl_shm_create_pool(globals.shm, heap->fd, pool_size);
	uint32_t offset = (uint32_t)heap->header.data_offset;
	struct wl_buffer *buffer =
		wl_shm_pool_create_buffer(pool, (int32_t)offset, 8, 8, 32, WL_SHM_FORMAT_XRGB8888);
	struct wl_surface *surface = wl_compositor_create_surface(globals.compositor);
	*(uint32_t *)portal_heap_at(heap, offset) = 0xff123456;
	wl_surface_attach(surface, buffer, 0, 0);
	wl_surface_commit(surface);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture->server.commits, 1);
	assert_int_equal(fixture->server.last_pixel, 0xff123456);
	wl_surface_destroy(surface);
	wl_buffer_destroy(buffer);
	wl_shm_pool_destroy(pool);
	globals_release(&globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture->server.surfaces, 0);
}

static void test_more_descriptors_than_one_message_takes_arrive_in_order(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct wl_shm_pool *pools[100];
	for (size_t i = 0; i < 100; i++) {
		pools[i] = wl_shm_create_pool(globals.shm, fixture->guest.heap.fd, 4096);
	}
	/* The server gets them all at once, too. */
	fixture->server_idle = true;
	fixture_settle(fixture);
	fixture->server_idle = false;
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture->quota.used[PORTAL_QUOTA_POOLS], 100);
	for (size_t i = 0; i < 100; i++) {
		wl_shm_pool_destroy(pools[i]);
	}
	globals_release(&globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
}

static void test_ids_never_upset_the_server_however_objects_come_and_go(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct wl_surface *surfaces[50] = {0};
	uint32_t random = 1;
	for (int i = 0; i < 20000; i++) {
		random = random * 1664525 + 1013904223;
		struct wl_surface **surface = &surfaces[(random >> 16) % 50];
		if (*surface) {
			wl_surface_destroy(*surface);
			*surface = NULL;
		} else {
			*surface = wl_compositor_create_surface(globals.compositor);
		}
		if (i % 97 == 0) {
			assert_int_equal(fixture_roundtrip(fixture), 0);
		}
	}
	for (size_t i = 0; i < 50; i++) {
		if (surfaces[i]) {
			wl_surface_destroy(surfaces[i]);
		}
	}
	globals_release(&globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	assert_int_equal(fixture->server.surfaces, 0);
	assert_int_equal(fixture->quota.used[PORTAL_QUOTA_SURFACES], 0);
	assert_false(fixture->controller.ended);
}

#define KEYMAP_SIZE 150000

struct keymap {
	char content[KEYMAP_SIZE];
	int count;
};

static void handle_keymap(
	void *data, struct wl_keyboard *keyboard, uint32_t format, int32_t fd, uint32_t size) {
	struct keymap *keymap = data;
	assert_int_equal(size, KEYMAP_SIZE);
	char *content = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(content, MAP_FAILED);
	memcpy(keymap->content, content, size);
	munmap(content, size);
	/* Nobody can change it under the client, nor under another one. */
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	close(fd);
	keymap->count++;
}

static void handle_enter(void *data, struct wl_keyboard *keyboard, uint32_t serial,
	struct wl_surface *surface, struct wl_array *keys) {
}

static void handle_leave(
	void *data, struct wl_keyboard *keyboard, uint32_t serial, struct wl_surface *surface) {
}

static void handle_key(void *data, struct wl_keyboard *keyboard, uint32_t serial, uint32_t time,
	uint32_t key, uint32_t key_state) {
}

static void handle_modifiers(void *data, struct wl_keyboard *keyboard, uint32_t serial,
	uint32_t depressed, uint32_t latched, uint32_t locked, uint32_t group) {
}

static void handle_repeat_info(
	void *data, struct wl_keyboard *keyboard, int32_t rate, int32_t delay) {
}

static const struct wl_keyboard_listener keyboard_listener = {
	.keymap = handle_keymap,
	.enter = handle_enter,
	.leave = handle_leave,
	.key = handle_key,
	.modifiers = handle_modifiers,
	.repeat_info = handle_repeat_info,
};

static void test_a_keymap_arrives_whole_and_read_only(void **state) {
	static char content[KEYMAP_SIZE];
	static struct keymap keymap;
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(globals.seat);
	wl_keyboard_add_listener(keyboard, &keyboard_listener, &keymap);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	for (size_t i = 0; i < KEYMAP_SIZE; i++) {
		content[i] = (char)(i * 7 + i / 251);
	}
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	assert_int_equal(write(fd, content, KEYMAP_SIZE), KEYMAP_SIZE);
	for (int i = 0; i < 3; i++) {
		test_server_send_keymap(&fixture->server, fd, KEYMAP_SIZE);
	}
	close(fd);
	fixture_settle(fixture);
	assert_int_equal(keymap.count, 3);
	assert_memory_equal(keymap.content, content, KEYMAP_SIZE);
	wl_keyboard_release(keyboard);
	globals_release(&globals);
}

static void test_a_keymap_for_a_keyboard_just_released_is_no_trouble(void **state) {
	struct fixture *fixture = *state;
	struct globals globals;
	globals_start(&globals, fixture);
	struct wl_keyboard *keyboard = wl_seat_get_keyboard(globals.seat);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	int fd = memfd_create("keymap", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 4096), 0);
	test_server_send_keymap(&fixture->server, fd, 4096);
	close(fd);
	wl_keyboard_release(keyboard);
	assert_int_equal(fixture_roundtrip(fixture), 0);
	globals_release(&globals);
	assert_int_equal(fixture_roundtrip(fixture), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_a_client_sees_what_the_list_allows_and_no_more),
		FIXTURE_TEST(test_the_server_sees_the_pixels_where_the_client_wrote_them),
		FIXTURE_TEST(test_more_descriptors_than_one_message_takes_arrive_in_order),
		FIXTURE_TEST(test_ids_never_upset_the_server_however_objects_come_and_go),
		FIXTURE_TEST(test_a_keymap_arrives_whole_and_read_only),
		FIXTURE_TEST(test_a_keymap_for_a_keyboard_just_released_is_no_trouble),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
