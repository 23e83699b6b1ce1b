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

#include "content_fixture.h"

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

void buffer_init(struct app_buffer *buffer, int width, int height, uint32_t colour) {
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

void buffer_drop(struct app_buffer *buffer) {
	wl_list_remove(&buffer->release.link);
	wlr_buffer_drop(&buffer->base);
}

static void handle_released(struct content *content) {
	struct fixture *fixture = wl_container_of(content, fixture, content);
	fixture->released++;
}

static void ignore_released(struct content *content) {
}

int content_setup(void **state) {
	static struct fixture fixture;
	const struct portal_heap_address address = {
		.kind = PORTAL_HEAP_MEMFD, .size = PORTAL_HEAP_SIZE_MIN};
	int pair[2];

	memset(&fixture, 0, sizeof(fixture));
	wl_list_init(&fixture.agent.starved);
	wl_list_init(&fixture.agent.slots);
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
	content_init(&fixture.other, &fixture.agent, ignore_released);
	*state = &fixture;
	return 0;
}

int content_teardown(void **state) {
	struct fixture *fixture = *state;
	struct connection *connection = &fixture->connection;

	content_finish(&fixture->content);
	content_finish(&fixture->other);
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

void release(struct fixture *fixture, struct wl_buffer *buffer) {
	const uint32_t event[2] = {wl_proxy_get_id((struct wl_proxy *)buffer), 8 << 16};
	assert_int_equal(write(fixture->peer, event, sizeof(event)), sizeof(event));
	wl_display_dispatch(fixture->connection.remote);
}

void attach_to(struct content *content, struct app_buffer *buffer, int width, int height) {
	pixman_region32_t damage;
	pixman_region32_init_rect(&damage, 0, 0, (unsigned)width, (unsigned)height);
	content_attach(content, &buffer->base, &damage);
	pixman_region32_fini(&damage);
}

void attach(struct fixture *fixture, struct app_buffer *buffer, int width, int height) {
	attach_to(&fixture->content, buffer, width, height);
}

bool reserve(struct content *content) {
	if (content_reserve(content, false)) {
		return true;
	}
	content_unreserve(content);
	return content_wanted(content) <= content_room(content->agent) &&
	       content_reserve(content, true);
}

struct wl_buffer *take(struct fixture *fixture, bool again, uint64_t *copied, int *damaged) {
	uint64_t before = fixture->agent.stats.pixels_copied;
	pixman_region32_t damage;
	pixman_region32_init(&damage);
	assert_true(reserve(&fixture->content));
	struct wl_buffer *shown =
		content_take(&fixture->content, &fixture->connection, again, &damage);
	*copied = fixture->agent.stats.pixels_copied - before;
	const pixman_box32_t *box = pixman_region32_extents(&damage);
	*damaged = (box->x2 - box->x1) * (box->y2 - box->y1);
	pixman_region32_fini(&damage);
	return shown;
}

uint32_t front_pixel(struct fixture *fixture, int x, int y) {
	const struct content_slot *slot = fixture->content.front;
	uint32_t pixel;
	memcpy(&pixel,
		portal_heap_at(&fixture->agent.heap, slot->offset) + y * slot->stride + x * 4, 4);
	return pixel;
}
