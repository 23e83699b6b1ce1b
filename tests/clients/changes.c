/* test-changes: prints "changed" for every frame in which the first output shows something new,
 * the first one included, until it is ended (ext-image-copy-capture-v1, whose captures after the
 * first wait for damage). It is what a program waits on that looks at screenshots. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wayland-client.h>

#include "ext-image-capture-source-v1-client-protocol.h"
#include "ext-image-copy-capture-v1-client-protocol.h"

struct watcher {
	struct wl_shm *shm;
	struct wl_output *output;
	struct ext_output_image_capture_source_manager_v1 *sources;
	struct ext_image_copy_capture_manager_v1 *captures;
	struct ext_image_copy_capture_session_v1 *session;

	/* What the compositor asks of the buffer, and the one that was made so. */
	uint32_t width, height, format;
	bool has_format;
	struct wl_buffer *buffer;
};

static _Noreturn void fail(const char *what) {
	fprintf(stderr, "test-changes: %s\n", what);
	exit(1);
}

static void capture(struct watcher *watcher);

static void handle_transform(
	void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t transform) {
}

static void handle_damage(void *data, struct ext_image_copy_capture_frame_v1 *frame, int32_t x,
	int32_t y, int32_t width, int32_t height) {
}

static void handle_presentation_time(void *data, struct ext_image_copy_capture_frame_v1 *frame,
	uint32_t tv_sec_hi, uint32_t tv_sec_lo, uint32_t tv_nsec) {
}

static void handle_ready(void *data, struct ext_image_copy_capture_frame_v1 *frame) {
	ext_image_copy_capture_frame_v1_destroy(frame);
	puts("changed");
	fflush(stdout);
	capture(data);
}

static void handle_failed(
	void *data, struct ext_image_copy_capture_frame_v1 *frame, uint32_t reason) {
	ext_image_copy_capture_frame_v1_destroy(frame);
	/* The output changed its size: new constraints are on their way, or here already. */
	if (reason != EXT_IMAGE_COPY_CAPTURE_FRAME_V1_FAILURE_REASON_BUFFER_CONSTRAINTS) {
		fail("the compositor could not capture its output");
	}
	capture(data);
}

static const struct ext_image_copy_capture_frame_v1_listener frame_listener = {
	.transform = handle_transform,
	.damage = handle_damage,
	.presentation_time = handle_presentation_time,
	.ready = handle_ready,
	.failed = handle_failed,
};

static void capture(struct watcher *watcher) {
	struct ext_image_copy_capture_frame_v1 *frame =
		ext_image_copy_capture_session_v1_create_frame(watcher->session);
	ext_image_copy_capture_frame_v1_add_listener(frame, &frame_listener, watcher);
	ext_image_copy_capture_frame_v1_attach_buffer(frame, watcher->buffer);
	/* No damage_buffer: the pixels are of no interest. */
	ext_image_copy_capture_frame_v1_capture(frame);
}

static void handle_buffer_size(void *data, struct ext_image_copy_capture_session_v1 *session,
	uint32_t width, uint32_t height) {
	struct watcher *watcher = data;
	watcher->width = width;
	watcher->height = height;
}

static void handle_shm_format(
	void *data, struct ext_image_copy_capture_session_v1 *session, uint32_t format) {
	struct watcher *watcher = data;
	/* Any format of four bytes a pixel does, and every compositor has one of these. */
	if (format == WL_SHM_FORMAT_XRGB8888 || format == WL_SHM_FORMAT_ARGB8888) {
		watcher->format = format;
		watcher->has_format = true;
	}
}

static void handle_dmabuf_device(
	void *data, struct ext_image_copy_capture_session_v1 *session, struct wl_array *device) {
}

static void handle_dmabuf_format(void *data, struct ext_image_copy_capture_session_v1 *session,
	uint32_t format, struct wl_array *modifiers) {
}

static void handle_done(void *data, struct ext_image_copy_capture_session_v1 *session) {
	struct watcher *watcher = data;
	if (!watcher->has_format || watcher->width > 16384 || watcher->height > 16384) {
		fail("the compositor captures into no buffer this program can make");
	}
	int32_t stride = (int32_t)watcher->width * 4;
	int32_t size = stride * (int32_t)watcher->height;
	int fd = memfd_create("portal-test-changes", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, size) != 0) {
		fail("no shared memory");
	}
	struct wl_shm_pool *pool = wl_shm_create_pool(watcher->shm, fd, size);
	bool first = watcher->buffer == NULL;
	if (!first) {
		wl_buffer_destroy(watcher->buffer);
	}
	watcher->buffer = wl_shm_pool_create_buffer(pool, 0, (int32_t)watcher->width,
		(int32_t)watcher->height, stride, watcher->format);
	wl_shm_pool_destroy(pool);
	close(fd);
	if (first) {
		capture(watcher);
	}
}

static void handle_stopped(void *data, struct ext_image_copy_capture_session_v1 *session) {
	fail("the output has gone");
}

static const struct ext_image_copy_capture_session_v1_listener session_listener = {
	.buffer_size = handle_buffer_size,
	.shm_format = handle_shm_format,
	.dmabuf_device = handle_dmabuf_device,
	.dmabuf_format = handle_dmabuf_format,
	.done = handle_done,
	.stopped = handle_stopped,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct watcher *watcher = data;
	if (strcmp(interface, wl_shm_interface.name) == 0) {
		watcher->shm = wl_registry_bind(registry, name, &wl_shm_interface, 1);
	} else if (strcmp(interface, wl_output_interface.name) == 0 && watcher->output == NULL) {
		watcher->output = wl_registry_bind(registry, name, &wl_output_interface, 1);
	} else if (strcmp(interface, ext_output_image_capture_source_manager_v1_interface.name) ==
		   0) {
		watcher->sources = wl_registry_bind(
			registry, name, &ext_output_image_capture_source_manager_v1_interface, 1);
	} else if (strcmp(interface, ext_image_copy_capture_manager_v1_interface.name) == 0) {
		watcher->captures = wl_registry_bind(
			registry, name, &ext_image_copy_capture_manager_v1_interface, 1);
	}
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

int main(void) {
	struct watcher watcher = {0};
	struct wl_display *display = wl_display_connect(NULL);
	if (display == NULL) {
		fail(strerror(errno));
	}
	wl_registry_add_listener(wl_display_get_registry(display), &registry_listener, &watcher);
	wl_display_roundtrip(display);
	if (watcher.shm == NULL || watcher.output == NULL || watcher.sources == NULL ||
		watcher.captures == NULL) {
		fail("the compositor has no output, or none that can be captured");
	}
	watcher.session = ext_image_copy_capture_manager_v1_create_session(watcher.captures,
		ext_output_image_capture_source_manager_v1_create_source(
			watcher.sources, watcher.output),
		0);
	ext_image_copy_capture_session_v1_add_listener(
		watcher.session, &session_listener, &watcher);
	while (wl_display_dispatch(display) >= 0) {
	}
	/* The compositor has gone, which ends the watching. */
	return 0;
}
