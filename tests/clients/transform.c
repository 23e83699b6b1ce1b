/* transform: all eight buffer transforms of a picture that looks different in each, at scale 1 and
 * 2, then partial damage in surface coordinates under each of them. */
#include <stdio.h>

#include "feature.h"
#include "window.h"

#define WIDTH 200 // surface units
#define HEIGHT 130

static const char *names[] = {
	"normal", "90", "180", "270", "flipped", "flipped-90", "flipped-180", "flipped-270"};

/* Shows the pattern so that the surface measures WIDTH x HEIGHT whatever the transform. */
static void show(struct window *window, int transform, int scale) {
	bool turned = transform & 1;
	wl_surface_set_buffer_transform(window->surface, transform);
	wl_surface_set_buffer_scale(window->surface, scale);
	window_draw(
		window, (turned ? HEIGHT : WIDTH) * scale, (turned ? WIDTH : HEIGHT) * scale, 2);
}

static void update(struct client *client, struct window *window, int transform) {
	struct buffer *old = window->buffer;
	struct buffer *next = buffer_create_argb(client, old->width, old->height);
	/* The top left 40x30 of the surface changes: its place in the buffer depends on the
	 * transform, so the whole buffer differs and only that part may be shown anew. */
	buffer_pattern(next, 2);
	bool turned = transform & 1;
	int w = turned ? 30 : 40, h = turned ? 40 : 30;
	/* Which buffer corner the surface's top left corner shows, by the definition of the
	 * transforms: the buffer is turned counter-clockwise, the flip comes first. */
	static const struct {
		bool right, bottom;
	} corners[] = {{0, 0}, {0, 1}, {1, 1}, {1, 0}, {1, 0}, {0, 0}, {0, 1}, {1, 1}};
	int x = corners[transform].right ? next->width - w : 0;
	int y = corners[transform].bottom ? next->height - h : 0;
	buffer_rect(next, x, y, w, h, 0xffff80c0);
	buffer_rect(next, x, y, 3, 3, 0xff000000);
	buffer_attach(next, window->surface);
	wl_surface_damage(window->surface, 0, 0, 40, 30);
	client_expect_frame(client, window->surface);
	wl_surface_commit(window->surface);
	client_wait_presented(client);
	buffer_destroy(old);
	window->buffer = next;
}

void feature_transform(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "transform", WIDTH, HEIGHT);
	for (int i = 0; i < 8; i++) {
		char name[64];
		show(window, i, 1);
		if (!client_show_stage(client, names[i])) {
			break;
		}
		update(client, window, i);
		snprintf(name, sizeof(name), "%s damaged", names[i]);
		if (!client_show_stage(client, name)) {
			break;
		}
		show(window, i, 2);
		snprintf(name, sizeof(name), "%s scale 2", names[i]);
		if (!client_show_stage(client, name)) {
			break;
		}
	}
	window_destroy(window);
}
