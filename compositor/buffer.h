#ifndef BUFFER_H
#define BUFFER_H

#include <cairo.h>
#include <wlr/types/wlr_buffer.h>

/* A buffer that Cairo draws into and the renderer reads. */
struct buffer {
	struct wlr_buffer base;
	cairo_surface_t *surface;
};

/**
 * A transparent buffer of WIDTH × HEIGHT pixels, NULL when memory is out. wlr_buffer_drop() it
 * after it has been handed to the scene.
 */
struct buffer *buffer_create(int width, int height);

#endif
