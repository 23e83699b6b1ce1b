#include "copy.h"
#include <drm_fourcc.h>
#include <string.h>

uint64_t copy_region(void *dst, size_t dst_stride, const void *src, size_t src_stride,
	unsigned bpp, const pixman_region32_t *region) {
	uint64_t pixels = 0;
	int count = 0;
	const pixman_box32_t *boxes = pixman_region32_rectangles(region, &count);

	for (int i = 0; i < count; i++) {
		size_t width = (size_t)(boxes[i].x2 - boxes[i].x1);
		size_t height = (size_t)(boxes[i].y2 - boxes[i].y1);
		size_t length = width * bpp;
		char *to = (char *)dst + (size_t)boxes[i].y1 * dst_stride + (size_t)boxes[i].x1 * bpp;
		const char *from =
			(const char *)src + (size_t)boxes[i].y1 * src_stride + (size_t)boxes[i].x1 * bpp;

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
