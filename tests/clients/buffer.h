/* Shared-memory buffers with pictures in them that no two transforms, scales or crops of show the
 * same. Colours are 0xAARRGGBB with premultiplied alpha. */
#ifndef BUFFER_H
#define BUFFER_H

#include "client.h"

struct buffer {
	struct wl_buffer *wl_buffer;
	void *data;
	size_t size; // bytes
	int width, height; // pixels
	int stride; // bytes
	uint32_t format; // wl_shm.format
	bool busy; // attached and not yet released
};

/* Makes a buffer of its own pool. Ends the program when there is no memory. The caller destroys it.
 */
struct buffer *buffer_create(struct client *client, int width, int height, uint32_t format);
struct buffer *buffer_create_argb(struct client *client, int width, int height);
void buffer_destroy(struct buffer *buffer);

/* Attaches and marks it busy until wl_buffer.release. */
void buffer_attach(struct buffer *buffer, struct wl_surface *surface);

/* Waits until the compositor has released it. */
void buffer_wait_release(struct client *client, struct buffer *buffer);

/* The functions below draw into 32-bit buffers only; rectangles are cut to the buffer. */
void buffer_fill(struct buffer *buffer, uint32_t colour);
void buffer_rect(struct buffer *buffer, int x, int y, int width, int height, uint32_t colour);

/* A picture without any symmetry: corners of different colours, a gradient, an F in the middle.
 * `seed` changes the colours. Opaque. */
void buffer_pattern(struct buffer *buffer, uint32_t seed);

/* Noise in which every pixel differs from its neighbours; a copy that is one pixel or one row off
 * shows everywhere. Opaque. */
void buffer_noise(struct buffer *buffer, uint32_t seed);

/* Fills a buffer of any one-plane format with bytes that depend on their place in the row. */
void buffer_bytes(struct buffer *buffer, uint32_t seed);

#endif
