/* The pixels of a surface: what is copied when, into how many heap buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <drm_fourcc.h>
#include <heap_alloc.h>
#include <wayland-client-protocol.h>
#include <wlr/interfaces/wlr_buffer.h>

#include "agent.h"
#include "connection.h"
#include "content.h"

#define WIDTH 64
#define HEIGHT 32

/* A buffer of an application: pixels in private memory. */
struct app_buffer {
	struct wlr_buffer base;
	uint32_t pixels[HEIGHT][WIDTH];
	int reads;
	bool released;
	struct wl_listener release;
};

static void buffer_destroy(struct wlr_buffer *base) {
	wlr_buffer_finish(base);
}

static bool buffer_begin(
	struct wlr_buffer *base, uint32_t flags, void **data, uint32_t *format, size_t *stride) {
	struct app_buffer *buffer = wl_container_of(base, buffer, base);
	buffer->reads++;
	*data = buffer->pixels;
	*format = DRM_FORMAT_XRGB8888;
	*stride = sizeof(buffer->pixels[0]);
	return true;
}

static void buffer_end(struct wlr_buffer *base) {
}

static bool buffer_get_shm(struct wlr_buffer *base, struct wlr_shm_attributes *attributes) {
	*attributes = (struct wlr_shm_attributes){.fd = -1, .format = DRM_FORMAT_XRGB8888};
	return true;
}

static const struct wlr_buffer_impl buffer_impl = {
	.destroy = buffer_destroy,
	.get_shm = buffer_get_shm,
	.begin_data_ptr_access = buffer_begin,
	.end_data_ptr_access = buffer_end,
};

static void handle_release(struct wl_listener *listener, void *data) {
	struct app_buffer *buffer = wl_container_of(listener, buffer, release);
	buffer->released = true;
}

static void buffer_init(struct app_buffer *buffer, int width, int height, uint32_t colour) {
	memset(buffer, 0, sizeof(*buffer));
	wlr_buffer_init(&buffer->base, &buffer_impl, width, height);
	buffer->release.notify = handle_release;
	wl_signal_add(&buffer->base.events.release, &buffer->release);
	for (size_t y = 0; y < HEIGHT; y++) {
		for (size_t x = 0; x < WIDTH; x++) {
			buffer->pixels[y][x] = colour;
		}
	}
}

static void buffer_drop(struct app_buffer *buffer) {
	wl_list_remove(&buffer->release.link);
	wlr_buffer_drop(&buffer->base);
}

/* A content with its heap, and a connection at whose other end only this test is. */
struct fixture {
	struct agent agent;
	struct connection connection;
	struct content content;
	int peer, released;
};

static void handle_released(struct content *content) {
	struct fixture *fixture = wl_container_of(content, fixture, content);
	fixture->released++;
}

static int setup(void **state) {
	static struct fixture fixture;
	const struct portal_heap_address address = {
		.kind = PORTAL_HEAP_MEMFD, .size = PORTAL_HEAP_SIZE_MIN};
	int pair[2];

	memset(&fixture, 0, sizeof(fixture));
	wl_list_init(&fixture.agent.starved);
	assert_int_equal(portal_heap_create(&fixture.agent.heap, &address, NULL), 0);
	const struct portal_heap_header *header = &fixture.agent.heap.header;
	fixture.agent.heap_alloc =
		portal_heap_alloc_create(header->data_offset, header->size - header->data_offset);
	assert_non_null(fixture.agent.heap_alloc);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fixture.peer = pair[1];
	struct connection *connection = &fixture.connection;
	connection->remote = wl_display_connect_to_fd(pair[0]);
	connection->registry = wl_display_get_registry(connection->remote);
	connection->shm = wl_registry_bind(connection->registry, 1, &wl_shm_interface, 1);
	connection->pool = wl_shm_create_pool(connection->shm, fixture.agent.heap.fd,
		portal_heap_get_pool_size(&fixture.agent.heap));
	wl_list_init(&connection->slots);
	content_init(&fixture.content, &fixture.agent, handle_released);
	*state = &fixture;
	return 0;
}

static int teardown(void **state) {
	struct fixture *fixture = *state;
	struct connection *connection = &fixture->connection;

	content_finish(&fixture->content);
	content_unrealize_all(connection);
	assert_int_equal(portal_heap_alloc_get_used(fixture->agent.heap_alloc), 0);
	wl_shm_pool_destroy(connection->pool);
	wl_shm_destroy(connection->shm);
	wl_registry_destroy(connection->registry);
	wl_display_disconnect(connection->remote);
	close(fixture->peer);
	portal_heap_alloc_destroy(fixture->agent.heap_alloc);
	portal_heap_finish(&fixture->agent.heap);
	return 0;
}

/* The controller gives a buffer back: the event's bytes as they stand on the wire. */
static void release(struct fixture *fixture, struct wl_buffer *buffer) {
	const uint32_t event[2] = {wl_proxy_get_id((struct wl_proxy *)buffer), 8 << 16};
	assert_int_equal(write(fixture->peer, event, sizeof(event)), sizeof(event));
	wl_display_dispatch(fixture->connection.remote);
}

static void attach(struct fixture *fixture, struct app_buffer *buffer, int width, int height) {
	pixman_region32_t damage;
	pixman_region32_init_rect(&damage, 0, 0, (unsigned)width, (unsigned)height);
	content_attach(&fixture->content, &buffer->base, &damage);
	pixman_region32_fini(&damage);
}

/* What a commit does; returns the buffer to show and the pixels that were copied for it. */
static struct wl_buffer *take(struct fixture *fixture, bool again, uint64_t *copied, int *damaged) {
	uint64_t before = fixture->agent.stats.pixels_copied;
	pixman_region32_t damage;
	pixman_region32_init(&damage);
	assert_true(content_reserve(&fixture->content));
	struct wl_buffer *shown =
		content_take(&fixture->content, &fixture->connection, again, &damage);
	*copied = fixture->agent.stats.pixels_copied - before;
	const pixman_box32_t *box = pixman_region32_extents(&damage);
	*damaged = (box->x2 - box->x1) * (box->y2 - box->y1);
	pixman_region32_fini(&damage);
	return shown;
}

static uint32_t front_pixel(struct fixture *fixture, int x, int y) {
	const struct content_slot *slot = fixture->content.front;
	uint32_t pixel;
	memcpy(&pixel,
		portal_heap_at(&fixture->agent.heap, slot->offset) + y * slot->stride + x * 4, 4);
	return pixel;
}

static void a_new_size_is_copied_whole_whatever_is_damaged(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 0xff112233);
	attach(fixture, &buffer, 1, 1);
	assert_non_null(take(fixture, false, &copied, &damaged));
	assert_int_equal(copied, WIDTH * HEIGHT);
	assert_int_equal(damaged, WIDTH * HEIGHT);
	assert_int_equal(front_pixel(fixture, WIDTH - 1, HEIGHT - 1), 0xff112233);
	buffer_drop(&buffer);
}

static void the_applications_buffer_is_released_by_the_copy(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	assert_false(buffer.released);
	take(fixture, false, &copied, &damaged);
	assert_true(buffer.released);
	buffer_drop(&buffer);
}

static void one_heap_buffer_is_enough_where_each_is_released_at_once(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged);
	for (int i = 0; i < 5; i++) {
		release(fixture, first);
		attach(fixture, &buffer, 10, 10);
		assert_ptr_equal(take(fixture, false, &copied, &damaged), first);
		assert_int_equal(copied, 100);
		assert_int_equal(damaged, 100);
	}
	assert_int_equal(fixture->released, 5);
	buffer_drop(&buffer);
}

static void a_held_buffer_gets_a_second_that_catches_up_on_what_it_missed(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged);

	buffer.pixels[5][5] = 7;
	attach(fixture, &buffer, 10, 10);
	struct wl_buffer *second = take(fixture, false, &copied, &damaged);
	assert_ptr_not_equal(second, first);
	assert_int_equal(copied, WIDTH * HEIGHT);
	assert_int_equal(damaged, 100);
	release(fixture, first);

	attach(fixture, &buffer, 2, 2);
	assert_ptr_equal(take(fixture, false, &copied, &damaged), first);
	assert_int_equal(copied, 100); // of the frame before, which covers its own
	assert_int_equal(damaged, 4);
	assert_int_equal(front_pixel(fixture, 5, 5), 7);
	buffer_drop(&buffer);
}

static void a_superseded_buffer_is_released_unread(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer first, second;
	uint64_t copied;
	int damaged;

	buffer_init(&first, WIDTH, HEIGHT, 1);
	buffer_init(&second, WIDTH, HEIGHT, 2);
	attach(fixture, &first, WIDTH, HEIGHT);
	attach(fixture, &second, 3, 3);
	assert_true(first.released);
	assert_int_equal(first.reads, 0);
	take(fixture, false, &copied, &damaged);
	assert_int_equal(second.reads, 1);
	assert_int_equal(damaged, WIDTH * HEIGHT);
	assert_int_equal(front_pixel(fixture, 20, 20), 2);
	buffer_drop(&first);
	buffer_drop(&second);
}

static void damage_adds_up_until_it_is_sent(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	pixman_region32_t damage;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	release(fixture, take(fixture, false, &copied, &damaged));

	attach(fixture, &buffer, 4, 4);
	pixman_region32_init_rect(&damage, 40, 20, 5, 5);
	content_attach(&fixture->content, &buffer.base, &damage);
	pixman_region32_fini(&damage);
	take(fixture, false, &copied, &damaged);
	assert_int_equal(copied, 4 * 4 + 5 * 5);
	assert_int_equal(damaged, 45 * 25); // the extents
	buffer_drop(&buffer);
}

static void damage_outside_the_buffer_is_not_copied(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	release(fixture, take(fixture, false, &copied, &damaged));
	attach(fixture, &buffer, INT32_MAX, INT32_MAX);
	take(fixture, false, &copied, &damaged);
	assert_int_equal(copied, WIDTH * HEIGHT);
	buffer_drop(&buffer);
}

/* Leaves no room in the heap; returns how many ranges that took. */
static size_t fill_heap(struct fixture *fixture, size_t taken[64]) {
	size_t count = 0, largest;
	while ((largest = portal_heap_alloc_get_largest(fixture->agent.heap_alloc)) > 0 &&
		count < 64) {
		taken[count++] = portal_heap_alloc_get(fixture->agent.heap_alloc, largest, NULL);
	}
	return count;
}

static void empty_heap(struct fixture *fixture, const size_t taken[64], size_t count) {
	while (count > 0) {
		portal_heap_alloc_put(fixture->agent.heap_alloc, taken[--count]);
	}
}

static void a_full_heap_makes_a_new_size_wait_for_room(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer small, large;
	size_t taken[64];
	uint64_t copied;
	int damaged;

	buffer_init(&small, WIDTH, HEIGHT / 2, 1);
	buffer_init(&large, WIDTH, HEIGHT, 2);
	attach(fixture, &small, WIDTH, HEIGHT);
	take(fixture, false, &copied, &damaged);
	size_t count = fill_heap(fixture, taken);
	attach(fixture, &large, WIDTH, HEIGHT);
	assert_false(content_reserve(&fixture->content));
	assert_false(large.released);
	empty_heap(fixture, taken, count);
	assert_non_null(take(fixture, false, &copied, &damaged));
	assert_true(large.released);
	buffer_drop(&small);
	buffer_drop(&large);
}

static void a_full_heap_lets_a_window_go_on_in_the_buffer_it_has(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	size_t taken[64];
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 1);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged);
	size_t count = fill_heap(fixture, taken);
	attach(fixture, &buffer, 3, 3);
	assert_ptr_equal(take(fixture, false, &copied, &damaged), first);
	assert_int_equal(copied, 9);
	empty_heap(fixture, taken, count);
	buffer_drop(&buffer);
}

static void a_former_size_goes_when_the_controller_releases_it(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer large, small;
	uint64_t copied;
	int damaged;

	buffer_init(&large, WIDTH, HEIGHT, 1);
	buffer_init(&small, WIDTH, HEIGHT / 2, 2);
	attach(fixture, &large, WIDTH, HEIGHT);
	struct wl_buffer *first = take(fixture, false, &copied, &damaged);
	attach(fixture, &small, 1, 1);
	take(fixture, false, &copied, &damaged);
	assert_int_equal(damaged, WIDTH * HEIGHT / 2);
	size_t used = portal_heap_alloc_get_used(fixture->agent.heap_alloc);
	release(fixture, first);
	assert_true(portal_heap_alloc_get_used(fixture->agent.heap_alloc) < used);
	buffer_drop(&large);
	buffer_drop(&small);
}

static void a_new_mirror_shows_the_last_frame_again_without_a_copy(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	buffer_init(&buffer, WIDTH, HEIGHT, 0xff445566);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	take(fixture, false, &copied, &damaged);
	content_unrealize_all(&fixture->connection);
	assert_non_null(take(fixture, true, &copied, &damaged));
	assert_int_equal(copied, 0);
	assert_int_equal(damaged, WIDTH * HEIGHT);
	assert_int_equal(front_pixel(fixture, 3, 3), 0xff445566);
	buffer_drop(&buffer);
}

static void a_format_that_the_controller_lacks_becomes_one_it_has(void **state) {
	struct fixture *fixture = *state;
	struct app_buffer buffer;
	uint64_t copied;
	int damaged;

	fixture->agent.connection = &fixture->connection; // which has no formats
	buffer_init(&buffer, WIDTH, HEIGHT, 0x00112233);
	attach(fixture, &buffer, WIDTH, HEIGHT);
	assert_non_null(take(fixture, false, &copied, &damaged));
	assert_int_equal(copied, WIDTH * HEIGHT);
	assert_int_equal(fixture->content.front->format, DRM_FORMAT_ARGB8888);
	assert_int_equal(front_pixel(fixture, 9, 9), 0xff112233);
	buffer_drop(&buffer);
}

static void nothing_new_is_nothing_to_attach(void **state) {
	struct fixture *fixture = *state;
	uint64_t copied;
	int damaged;
	assert_null(take(fixture, true, &copied, &damaged));
	assert_int_equal(copied, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_new_size_is_copied_whole_whatever_is_damaged),
		TEST(the_applications_buffer_is_released_by_the_copy),
		TEST(one_heap_buffer_is_enough_where_each_is_released_at_once),
		TEST(a_held_buffer_gets_a_second_that_catches_up_on_what_it_missed),
		TEST(a_superseded_buffer_is_released_unread),
		TEST(damage_adds_up_until_it_is_sent),
		TEST(damage_outside_the_buffer_is_not_copied),
		TEST(a_full_heap_makes_a_new_size_wait_for_room),
		TEST(a_full_heap_lets_a_window_go_on_in_the_buffer_it_has),
		TEST(a_former_size_goes_when_the_controller_releases_it),
		TEST(a_new_mirror_shows_the_last_frame_again_without_a_copy),
		TEST(a_format_that_the_controller_lacks_becomes_one_it_has),
		TEST(nothing_new_is_nothing_to_attach),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
