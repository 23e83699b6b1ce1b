#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"

static int bytes_per_pixel(uint32_t format) {
	switch (format) {
	case WL_SHM_FORMAT_R8:
		return 1;
	case WL_SHM_FORMAT_RGB565:
	case WL_SHM_FORMAT_BGR565:
	case WL_SHM_FORMAT_ARGB4444:
	case WL_SHM_FORMAT_XRGB4444:
	case WL_SHM_FORMAT_ABGR4444:
	case WL_SHM_FORMAT_XBGR4444:
	case WL_SHM_FORMAT_RGBA4444:
	case WL_SHM_FORMAT_RGBX4444:
	case WL_SHM_FORMAT_BGRA4444:
	case WL_SHM_FORMAT_BGRX4444:
	case WL_SHM_FORMAT_ARGB1555:
	case WL_SHM_FORMAT_XRGB1555:
	case WL_SHM_FORMAT_ABGR1555:
	case WL_SHM_FORMAT_XBGR1555:
	case WL_SHM_FORMAT_RGBA5551:
	case WL_SHM_FORMAT_RGBX5551:
	case WL_SHM_FORMAT_BGRA5551:
	case WL_SHM_FORMAT_BGRX5551:
	case WL_SHM_FORMAT_GR88:
		return 2;
	case WL_SHM_FORMAT_RGB888:
	case WL_SHM_FORMAT_BGR888:
		return 3;
	case WL_SHM_FORMAT_ARGB16161616F:
	case WL_SHM_FORMAT_XRGB16161616F:
	case WL_SHM_FORMAT_ABGR16161616F:
	case WL_SHM_FORMAT_XBGR16161616F:
	case WL_SHM_FORMAT_ARGB16161616:
	case WL_SHM_FORMAT_XRGB16161616:
	case WL_SHM_FORMAT_ABGR16161616:
	case WL_SHM_FORMAT_XBGR16161616:
		return 8;
	default:
		return 4;
	}
}

static void handle_release(void *data, struct wl_buffer *wl_buffer) {
	struct buffer *buffer = data;
	buffer->busy = false;
}

static const struct wl_buffer_listener buffer_listener = {
	.release = handle_release,
};

struct buffer *buffer_create(struct client *client, int width, int height, uint32_t format) {
	struct buffer *buffer = calloc(1, sizeof(*buffer));
	if (buffer == NULL) {
		client_fail("out of memory");
	}
	buffer->width = width;
	buffer->height = height;
	buffer->format = format;
	buffer->stride = (width * bytes_per_pixel(format) + 3) & ~3;
	buffer->size = (size_t)buffer->stride * (size_t)height;
	int fd = memfd_create("portal-test-client", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)buffer->size) != 0) {
		client_fail("no shared memory");
	}
	buffer->data = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (buffer->data == MAP_FAILED) {
		client_fail("no shared memory");
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(client->shm, fd, (int32_t)buffer->size);
	buffer->wl_buffer =
		wl_shm_pool_create_buffer(pool, 0, width, height, buffer->stride, format);
	wl_buffer_add_listener(buffer->wl_buffer, &buffer_listener, buffer);
	wl_shm_pool_destroy(pool);
	close(fd);
	return buffer;
}

struct buffer *buffer_create_argb(struct client *client, int width, int height) {
	return buffer_create(client, width, height, WL_SHM_FORMAT_ARGB8888);
}

void buffer_destroy(struct buffer *buffer) {
	if (buffer == NULL) {
		return;
	}
	wl_buffer_destroy(buffer->wl_buffer);
	munmap(buffer->data, buffer->size);
	free(buffer);
}

void buffer_attach(struct buffer *buffer, struct wl_surface *surface) {
	buffer->busy = true;
	wl_surface_attach(surface, buffer->wl_buffer, 0, 0);
}

void buffer_wait_release(struct client *client, struct buffer *buffer) {
	while (buffer->busy) {
		client_dispatch(client);
	}
}

static uint32_t *row(struct buffer *buffer, int y) {
	return (uint32_t *)((char *)buffer->data + (size_t)y * (size_t)buffer->stride);
}

void buffer_rect(struct buffer *buffer, int x, int y, int width, int height, uint32_t colour) {
	for (int j = y < 0 ? 0 : y; j < y + height && j < buffer->height; j++) {
		for (int i = x < 0 ? 0 : x; i < x + width && i < buffer->width; i++) {
			row(buffer, j)[i] = colour;
		}
	}
}

void buffer_fill(struct buffer *buffer, uint32_t colour) {
	buffer_rect(buffer, 0, 0, buffer->width, buffer->height, colour);
}

/* A good 32-bit mixer (the finaliser of MurmurHash3): neighbouring inputs give unrelated colours.
 */
static uint32_t mix(uint32_t x) {
	x ^= x >> 16;
	x *= 0x85ebca6bu;
	x ^= x >> 13;
	x *= 0xc2b2ae35u;
	return x ^ (x >> 16);
}

void buffer_pattern(struct buffer *buffer, uint32_t seed) {
	int w = buffer->width, h = buffer->height;
	uint32_t tint = mix(seed) & 0x3f3f3f;
	for (int y = 0; y < h; y++) {
		for (int x = 0; x < w; x++) {
			uint32_t red = (uint32_t)(x * 160 / w), green = (uint32_t)(y * 160 / h);
			row(buffer, y)[x] = 0xff000000u | ((red << 16 | green << 8 | 0x20) + tint);
		}
	}
	int cw = w / 6, ch = h / 6;
	buffer_rect(buffer, 0, 0, cw, ch, 0xffff0000);
	buffer_rect(buffer, w - cw, 0, cw, ch, 0xff00ff00);
	buffer_rect(buffer, 0, h - ch, cw, ch, 0xff0000ff);
	buffer_rect(buffer, w - cw, h - ch, cw, ch, 0xffffff00);
	buffer_rect(buffer, w * 3 / 8, h / 4, w / 12 + 1, h / 2, 0xffffffff);
	buffer_rect(buffer, w * 3 / 8, h / 4, w / 3, h / 12 + 1, 0xffffffff);
	buffer_rect(buffer, w * 3 / 8, h * 4 / 9, w / 4, h / 12 + 1, 0xffffffff);
}

void buffer_noise(struct buffer *buffer, uint32_t seed) {
	for (int y = 0; y < buffer->height; y++) {
		for (int x = 0; x < buffer->width; x++) {
			uint32_t place = (uint32_t)(y * buffer->width + x);
			row(buffer, y)[x] = 0xff000000u | mix(place ^ mix(seed));
		}
	}
}

void buffer_bytes(struct buffer *buffer, uint32_t seed) {
	uint8_t *bytes = buffer->data;
	for (int y = 0; y < buffer->height; y++) {
		for (int x = 0; x < buffer->stride; x++) {
			bytes[(size_t)y * (size_t)buffer->stride + (size_t)x] = (uint8_t)mix(
				(uint32_t)(x / 8 + (y / 8) * 64) * 8 + (uint32_t)x % 8 + seed);
		}
	}
}
