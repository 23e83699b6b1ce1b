/* The one copy of a frame: damaged pixels from the application's buffer into the heap. */
#ifndef GUEST_AGENT_COPY_H
#define GUEST_AGENT_COPY_H

#include <pixman.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Copies `region` (pixels) between two buffers of one format with `bpp` bytes a pixel; strides in
 * bytes. The region must lie inside both. Returns the number of pixels copied.
 */
uint64_t copy_region(void *dst, size_t dst_stride, const void *src, size_t src_stride, unsigned bpp,
	const pixman_region32_t *region);

/**
 * The same, from a format that the controller does not know to ARGB8888; both buffers are `width`
 * by `height` pixels. 0 for a format that copy_format_converts() does not know.
 */
uint64_t copy_convert(void *dst, size_t dst_stride, const void *src, size_t src_stride,
	uint32_t drm_format, int width, int height, const pixman_region32_t *region);
bool copy_format_converts(uint32_t drm_format);

/** Bytes a pixel of a DRM format that wl_shm can carry and the agent knows; 0 otherwise. */
unsigned copy_format_bpp(uint32_t drm_format);

#endif
