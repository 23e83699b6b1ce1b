/* Contents with a heap for the tests of them: an application's buffers on one side, on the other
 * one a controller that does what the test says. */
#ifndef CONTENT_FIXTURE_H
#define CONTENT_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <wlr/interfaces/wlr_buffer.h>

#include "agent.h"
#include "connection.h"
#include "content.h"
#include "slot.h"

#define WIDTH 64
#define HEIGHT 32

/* A buffer of an application: pixels in private memory. */
struct app_buffer {
	struct wlr_buffer base;
	uint32_t pixels[HEIGHT][WIDTH];
	int reads;
	bool released;
	struct wl_listener release;
};

/* Contents with their heap, and a connection at whose other end only this test is. */
struct fixture {
	struct agent agent;
	struct connection connection;
	struct content content, other; // in most tests one is enough
	int peer, released;
};

int content_setup(void **state); // *state: a struct fixture
int content_teardown(void **state); // asserts that the heap is empty

void buffer_init(struct app_buffer *buffer, int width, int height, uint32_t colour);
void buffer_drop(struct app_buffer *buffer);

/* The controller gives a buffer back: the event's bytes as they stand on the wire. */
void release(struct fixture *fixture, struct wl_buffer *buffer);

/* The application commits `buffer`, of which the first `width` by `height` pixels are damaged. */
void attach_to(struct content *content, struct app_buffer *buffer, int width, int height);
void attach(struct fixture *fixture, struct app_buffer *buffer, int width, int height);

/* As a frame of this surface alone does: sparingly where there is no room otherwise. */
bool reserve(struct content *content);

/* What a commit does; returns the buffer to show and the pixels that were copied for it. */
struct wl_buffer *take(struct fixture *fixture, bool again, uint64_t *copied, int *damaged);

uint32_t front_pixel(struct fixture *fixture, int x, int y);

#endif
