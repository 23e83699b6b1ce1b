/* damage: partial updates. Every stage commits real pictures of which only what changed is damaged,
 * in buffer or surface coordinates, so whoever loses a piece of damage shows an old pixel. */
#include <string.h>

#include "feature.h"
#include "window.h"

#define SIZE 240 // pixels

struct picture {
	struct client *client;
	struct wl_surface *surface;
	struct buffer *shown;
};

/* The next frame: a new buffer with what is shown now. */
static struct buffer *next_frame(struct picture *picture) {
	struct buffer *next = buffer_create_argb(picture->client, SIZE, SIZE);
	memcpy(next->data, picture->shown->data, next->size);
	return next;
}

/* Commits `next` in place of what is shown; the damage has been given already. */
static void show_frame(struct picture *picture, struct buffer *next) {
	buffer_attach(next, picture->surface);
	wl_surface_commit(picture->surface);
	buffer_destroy(picture->shown);
	picture->shown = next;
}

/* Many small frames at pace, each with its damage in two pieces. */
static void scatter(struct picture *picture) {
	for (int i = 0; i < 12; i++) {
		struct buffer *next = next_frame(picture);
		int x = (5 + i * 97) % 220, y = (15 + i * 61) % 225;
		buffer_rect(next, x, y, 20, 15, 0xff000000u | (uint32_t)(i + 3) * 0x123311u);
		wl_surface_damage_buffer(picture->surface, x, y, 20, 8);
		wl_surface_damage(picture->surface, x, y + 8, 20, 7);
		client_expect_frame(picture->client, picture->surface);
		show_frame(picture, next);
		client_wait_presented(picture->client);
	}
}

/* Commits faster than frames: the last one must be shown, with the damage of all of them. */
static void burst(struct picture *picture) {
	for (int i = 0; i < 30; i++) {
		struct buffer *next = next_frame(picture);
		buffer_rect(next, i * 8, i * 8, 8, 8, 0xff00ffffu - (uint32_t)i * 4);
		wl_surface_damage_buffer(picture->surface, i * 8, i * 8, 8, 8);
		show_frame(picture, next);
		client_roundtrip(picture->client);
	}
	client_expect_frame(picture->client, picture->surface);
	wl_surface_commit(picture->surface);
}

/* Two buffers in turn, drawn into again as soon as they are released. */
static void alternate(struct picture *picture) {
	struct buffer *pair[2] = {picture->shown, next_frame(picture)};
	int missed_x = 0, missed_y = 0;
	for (int i = 1; i <= 10; i++) {
		struct buffer *next = pair[i % 2];
		buffer_wait_release(picture->client, next);
		int x = 230 - i * 20, y = i * 20;
		uint32_t colour = 0xff402000u + (uint32_t)i * 16;
		if (i > 1) {
			buffer_rect(next, missed_x, missed_y, 18, 12, colour - 16);
		}
		buffer_rect(next, x, y, 18, 12, colour);
		buffer_attach(next, picture->surface);
		wl_surface_damage_buffer(picture->surface, x, y, 18, 12);
		client_expect_frame(picture->client, picture->surface);
		wl_surface_commit(picture->surface);
		client_wait_presented(picture->client);
		missed_x = x;
		missed_y = y;
	}
	picture->shown = pair[0];
	buffer_destroy(pair[1]);
}

static void huge(struct picture *picture) {
	struct buffer *next = buffer_create_argb(picture->client, SIZE, SIZE);
	buffer_pattern(next, 9);
	wl_surface_damage_buffer(
		picture->surface, INT32_MIN / 2, INT32_MIN / 2, INT32_MAX, INT32_MAX);
	client_expect_frame(picture->client, picture->surface);
	show_frame(picture, next);
}

/* Partial damage in surface coordinates while one surface unit is two pixels. */
static void scaled(struct picture *picture) {
	wl_surface_set_buffer_scale(picture->surface, 2);
	wl_surface_damage(picture->surface, 0, 0, SIZE / 2, SIZE / 2);
	client_expect_frame(picture->client, picture->surface);
	show_frame(picture, next_frame(picture));
	client_wait_presented(picture->client);
	struct buffer *next = next_frame(picture);
	buffer_rect(next, 100, 102, 44, 38, 0xff00ff40);
	wl_surface_damage(picture->surface, 50, 51, 22, 19);
	client_expect_frame(picture->client, picture->surface);
	show_frame(picture, next);
}

void feature_damage(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "damage", SIZE, SIZE);
	struct picture picture = {.client = client, .surface = window->surface};
	picture.shown = buffer_create_argb(client, SIZE, SIZE);
	buffer_noise(picture.shown, 7);
	window_show(window, picture.shown);
	if (!client_show_stage(client, "whole")) {
		goto out;
	}
	scatter(&picture);
	if (!client_show_stage(client, "scattered")) {
		goto out;
	}
	burst(&picture);
	if (!client_show_stage(client, "burst")) {
		goto out;
	}
	alternate(&picture);
	if (!client_show_stage(client, "alternating")) {
		goto out;
	}
	huge(&picture);
	if (!client_show_stage(client, "huge")) {
		goto out;
	}
	xdg_toplevel_set_max_size(window->toplevel, 0, 0);
	xdg_toplevel_set_min_size(window->toplevel, 0, 0);
	scaled(&picture);
	client_show_stage(client, "scaled");
out:
	window_destroy(window);
	buffer_destroy(picture.shown);
}
