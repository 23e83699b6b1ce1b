#include "copy.h"
#include <drm_fourcc.h>
#include <string.h>

uint64_t copy_region(void *dst, size_t dst_stride, const void *src, size_t src_stride, unsigned bpp,
	const pixman_region32_t *region) {
	uint64_t pixels = 0;
	int count = 0;
	const pixman_box32_t *boxes = pixman_region32_rectangles(region, &count);

	for (int i = 0; i < count; i++) {
		size_t width = (size_t)(boxes[i].x2 - boxes[i].x1);
		size_t height = (size_t)(boxes[i].y2 - boxes[i].y1);
		size_t length = width * bpp;
		char *to =
			(char *)dst + (size_t)boxes[i].y1 * dst_stride + (size_t)boxes[i].x1 * bpp;
		const char *from = (const char *)src + (size_t)boxes[i].y1 * src_stride +
				   (size_t)boxes[i].x1 * bpp;

		pixels += width * height;
		if (length == dst_stride && length == src_stride) {
			// Whole rows lie end to end: one call, which may stream past the caches.
			memcpy(to, from, length * height);
			continue;
		}
		for (size_t y = 0; y < height; y++) {
			memcpy(to + y * dst_stride, from + y * src_stride, length);
		}
	}
	return pixels;
}

/* pixman's name of a DRM format; 0 when it has none, such as for floating-point pixels. */
static pixman_format_code_t to_pixman(uint32_t drm_format) {
	static const struct {
		uint32_t drm;
		pixman_format_code_t pixman;
	} formats[] = {
		{DRM_FORMAT_ARGB8888, PIXMAN_a8r8g8b8},
		{DRM_FORMAT_XRGB8888, PIXMAN_x8r8g8b8},
		{DRM_FORMAT_ABGR8888, PIXMAN_a8b8g8r8},
		{DRM_FORMAT_XBGR8888, PIXMAN_x8b8g8r8},
		{DRM_FORMAT_RGBA8888, PIXMAN_r8g8b8a8},
		{DRM_FORMAT_RGBX8888, PIXMAN_r8g8b8x8},
		{DRM_FORMAT_BGRA8888, PIXMAN_b8g8r8a8},
		{DRM_FORMAT_BGRX8888, PIXMAN_b8g8r8x8},
		{DRM_FORMAT_ARGB2101010, PIXMAN_a2r10g10b10},
		{DRM_FORMAT_XRGB2101010, PIXMAN_x2r10g10b10},
		{DRM_FORMAT_ABGR2101010, PIXMAN_a2b10g10r10},
		{DRM_FORMAT_XBGR2101010, PIXMAN_x2b10g10r10},
		{DRM_FORMAT_RGB888, PIXMAN_r8g8b8},
		{DRM_FORMAT_BGR888, PIXMAN_b8g8r8},
		{DRM_FORMAT_RGB565, PIXMAN_r5g6b5},
		{DRM_FORMAT_BGR565, PIXMAN_b5g6r5},
	};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (formats[i].drm == drm_format) {
			return formats[i].pixman;
		}
	}
	return 0;
}

bool copy_format_converts(uint32_t drm_format) {
	return to_pixman(drm_format) != 0;
}

static uint64_t count_pixels(const pixman_region32_t *region) {
	uint64_t pixels = 0;
	int count = 0;
	const pixman_box32_t *boxes = pixman_region32_rectangles(region, &count);
	for (int i = 0; i < count; i++) {
		pixels += (uint64_t)(boxes[i].x2 - boxes[i].x1) *
			  (uint64_t)(boxes[i].y2 - boxes[i].y1);
	}
	return pixels;
}

uint64_t copy_convert(void *dst, size_t dst_stride, const void *src, size_t src_stride,
	uint32_t drm_format, int width, int height, const pixman_region32_t *region) {
	pixman_format_code_t format = to_pixman(drm_format);
	if (format == 0) {
		return 0;
	}
	pixman_image_t *from = pixman_image_create_bits_no_clear(
		format, width, height, (uint32_t *)src, (int)src_stride);
	pixman_image_t *to = pixman_image_create_bits_no_clear(
		PIXMAN_a8r8g8b8, width, height, dst, (int)dst_stride);
	uint64_t pixels = 0;
	if (from != NULL && to != NULL && pixman_image_set_clip_region32(to, region)) {
		pixman_image_composite32(
			PIXMAN_OP_SRC, from, NULL, to, 0, 0, 0, 0, 0, 0, width, height);
		pixels = count_pixels(region);
	}
	if (from != NULL) {
		pixman_image_unref(from);
	}
	if (to != NULL) {
		pixman_image_unref(to);
	}
	return pixels;
}

unsigned copy_format_bpp(uint32_t drm_format) {
	switch (drm_format) {
	case DRM_FORMAT_ARGB8888:
	case DRM_FORMAT_XRGB8888:
	case DRM_FORMAT_ABGR8888:
	case DRM_FORMAT_XBGR8888:
	case DRM_FORMAT_RGBA8888:
	case DRM_FORMAT_RGBX8888:
	case DRM_FORMAT_BGRA8888:
	case DRM_FORMAT_BGRX8888:
	case DRM_FORMAT_ARGB2101010:
	case DRM_FORMAT_XRGB2101010:
	case DRM_FORMAT_ABGR2101010:
	case DRM_FORMAT_XBGR2101010:
		return 4;
	case DRM_FORMAT_RGB888:
	case DRM_FORMAT_BGR888:
		return 3;
	case DRM_FORMAT_RGB565:
	case DRM_FORMAT_BGR565:
		return 2;
	case DRM_FORMAT_ABGR16161616:
	case DRM_FORMAT_XBGR16161616:
	case DRM_FORMAT_ABGR16161616F:
	case DRM_FORMAT_XBGR16161616F:
		return 8;
	default:
		return 0;
	}
}
