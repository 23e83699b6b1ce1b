#include "buffer.h"

#include <drm_fourcc.h>
#include <stdlib.h>
#include <wlr/interfaces/wlr_buffer.h>

static void handle_destroy(struct wlr_buffer *base) {
	struct buffer *buffer = wl_container_of(base, buffer, base);
	wlr_buffer_finish(base);
	cairo_surface_destroy(buffer->surface);
	free(buffer);
}

static bool handle_begin_access(
	struct wlr_buffer *base, uint32_t flags, void **data, uint32_t *format, size_t *stride) {
	struct buffer *buffer = wl_container_of(base, buffer, base);
	if (flags & WLR_BUFFER_DATA_PTR_ACCESS_WRITE) {
		return false;
	}
	*data = cairo_image_surface_get_data(buffer->surface);
	*stride = (size_t)cairo_image_surface_get_stride(buffer->surface);
	*format = DRM_FORMAT_ARGB8888;
	return true;
}

static void handle_end_access(struct wlr_buffer *base) {
	// Nothing was mapped.
}

static const struct wlr_buffer_impl impl = {
	.destroy = handle_destroy,
	.begin_data_ptr_access = handle_begin_access,
	.end_data_ptr_access = handle_end_access,
};

struct buffer *buffer_create(int width, int height) {
	struct buffer *buffer = calloc(1, sizeof(*buffer));
	if (buffer == NULL) {
		return NULL;
	}
	buffer->surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height);
	if (cairo_surface_status(buffer->surface) != CAIRO_STATUS_SUCCESS) {
		cairo_surface_destroy(buffer->surface);
		free(buffer);
		return NULL;
	}
	wlr_buffer_init(&buffer->base, &impl, width, height);
	return buffer;
}
