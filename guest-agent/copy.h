/* The one copy of a frame: damaged pixels from the application's buffer into the heap. */
#ifndef GUEST_AGENT_COPY_H
#define GUEST_AGENT_COPY_H

#include <pixman.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Copies `region` (pixels) between two buffers of one format with `bpp` bytes a pixel; strides in
 * bytes. The region must lie inside both. Returns the number of pixels copied.
 */
uint64_t copy_region(void *dst, size_t dst_stride, const void *src, size_t src_stride,
	unsigned bpp, const pixman_region32_t *region);

/** Bytes a pixel of a DRM format that wl_shm can carry and the agent knows; 0 otherwise. */
unsigned copy_format_bpp(uint32_t drm_format);

#endif
