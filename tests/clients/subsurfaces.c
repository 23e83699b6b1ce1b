/* subsurfaces: position, stacking order, and the two ways of synchronising with the parent.
 * nested: subsurfaces of subsurfaces, synchronised through several levels. */
#include <stdlib.h>

#include "feature.h"
#include "window.h"

struct sub {
	struct client *client;
	struct wl_surface *surface;
	struct wl_subsurface *subsurface;
	struct buffer *buffer;
};

static void sub_init(struct sub *sub, struct client *client, struct wl_surface *parent) {
	*sub = (struct sub){.client = client};
	sub->surface = wl_compositor_create_surface(client->compositor);
	sub->subsurface = client_get_subsurface(client, sub->surface, parent);
}

static void sub_finish(struct sub *sub) {
	wl_subsurface_destroy(sub->subsurface);
	wl_surface_destroy(sub->surface);
	buffer_destroy(sub->buffer);
}

/* Commits a buffer of one colour with a dark edge; `expect` counts it as not presented. */
static void sub_draw(struct sub *sub, int width, int height, uint32_t colour, bool expect) {
	struct buffer *buffer = buffer_create_argb(sub->client, width, height);
	buffer_fill(buffer, 0xff101010);
	buffer_rect(buffer, 2, 2, width - 4, height - 4, colour);
	buffer_attach(buffer, sub->surface);
	wl_surface_damage_buffer(sub->surface, 0, 0, width, height);
	if (expect) {
		client_expect_frame(sub->client, sub->surface);
	}
	wl_surface_commit(sub->surface);
	buffer_destroy(sub->buffer);
	sub->buffer = buffer;
}

static void parent_commit(struct window *window) {
	client_expect_frame(window->client, window->surface);
	wl_surface_commit(window->surface);
}

struct scene {
	struct window *window;
	struct sub subs[3]; // red, green, blue
};

static bool stack(struct client *client, struct scene *scene) {
	struct sub *red = &scene->subs[0], *green = &scene->subs[1], *blue = &scene->subs[2];
	const int x[] = {20, 60, 100}, y[] = {20, 50, 30};
	const uint32_t colours[] = {0xffd02020, 0xff20d020, 0xff2020d0};
	for (int i = 0; i < 3; i++) {
		wl_subsurface_set_position(scene->subs[i].subsurface, x[i], y[i]);
		sub_draw(&scene->subs[i], 80, 70, colours[i], true);
	}
	parent_commit(scene->window);
	if (!client_show_stage(client, "stacked")) {
		return false;
	}
	wl_subsurface_place_above(red->subsurface, blue->surface);
	parent_commit(scene->window);
	if (!client_show_stage(client, "red above blue")) {
		return false;
	}
	wl_subsurface_place_below(blue->subsurface, green->surface);
	wl_subsurface_place_below(green->subsurface, blue->surface);
	parent_commit(scene->window);
	if (!client_show_stage(client, "green below blue")) {
		return false;
	}
	/* Below its parent, one sticks out of it on the left and top. */
	wl_subsurface_place_below(green->subsurface, scene->window->surface);
	wl_subsurface_set_position(green->subsurface, -30, -15);
	parent_commit(scene->window);
	return client_show_stage(client, "green below parent");
}

static bool synchronise(struct client *client, struct scene *scene) {
	struct sub *red = &scene->subs[0], *blue = &scene->subs[2];
	/* A synchronised commit waits for the parent's. */
	sub_draw(red, 60, 90, 0xffe0e020, false);
	client_roundtrip(client);
	if (!client_show_stage(client, "cached")) {
		return false;
	}
	parent_commit(scene->window);
	if (!client_show_stage(client, "applied")) {
		return false;
	}
	wl_subsurface_set_desync(blue->subsurface);
	sub_draw(blue, 50, 50, 0xff20e0e0, true);
	if (!client_show_stage(client, "desynchronised")) {
		return false;
	}
	/* The position belongs to the parent's state even then. */
	wl_subsurface_set_position(blue->subsurface, 5, 95);
	sub_draw(blue, 55, 45, 0xff20a0e0, true);
	if (!client_show_stage(client, "position pending")) {
		return false;
	}
	parent_commit(scene->window);
	if (!client_show_stage(client, "position applied")) {
		return false;
	}
	/* A cached commit is applied when the subsurface becomes desynchronised. */
	sub_draw(red, 70, 40, 0xffe060e0, true);
	wl_subsurface_set_desync(red->subsurface);
	return client_show_stage(client, "cache released");
}

static bool unmap(struct client *client, struct scene *scene) {
	struct sub *red = &scene->subs[0];
	wl_surface_attach(red->surface, NULL, 0, 0);
	wl_surface_commit(red->surface);
	parent_commit(scene->window);
	if (!client_show_stage(client, "red unmapped")) {
		return false;
	}
	sub_draw(red, 40, 40, 0xffffffff, true);
	parent_commit(scene->window);
	if (!client_show_stage(client, "red mapped again")) {
		return false;
	}
	/* Removed at once, without a commit of the parent. */
	wl_subsurface_destroy(scene->subs[1].subsurface);
	wl_surface_destroy(scene->subs[1].surface);
	buffer_destroy(scene->subs[1].buffer);
	parent_commit(scene->window);
	bool going = client_show_stage(client, "green destroyed");
	sub_init(&scene->subs[1], client, scene->window->surface);
	return going;
}

void feature_subsurfaces(struct client *client, int argc, char **argv) {
	struct scene scene = {.window = window_create(client, "subsurfaces", 200, 150)};
	window_draw(scene.window, 200, 150, 4);
	for (int i = 0; i < 3; i++) {
		sub_init(&scene.subs[i], client, scene.window->surface);
	}
	(void)(stack(client, &scene) && synchronise(client, &scene) && unmap(client, &scene));
	for (int i = 0; i < 3; i++) {
		sub_finish(&scene.subs[i]);
	}
	window_destroy(scene.window);
}

void feature_nested(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "nested", 220, 160);
	window_draw(window, 220, 160, 5);
	struct sub outer, middle, inner;
	sub_init(&outer, client, window->surface);
	sub_init(&middle, client, outer.surface);
	sub_init(&inner, client, middle.surface);
	wl_subsurface_set_position(outer.subsurface, 30, 20);
	wl_subsurface_set_position(middle.subsurface, 25, 30);
	wl_subsurface_set_position(inner.subsurface, -20, 15);
	/* From the inside out: each is cached until its parent's commit is applied. */
	sub_draw(&inner, 50, 40, 0xff2020d0, true);
	sub_draw(&middle, 90, 70, 0xff20d020, true);
	sub_draw(&outer, 140, 110, 0xffd02020, true);
	parent_commit(window);
	if (!client_show_stage(client, "nested")) {
		goto out;
	}
	/* Desynchronised under a synchronised parent is still synchronised. */
	wl_subsurface_set_desync(inner.subsurface);
	sub_draw(&inner, 60, 30, 0xffe0e0e0, false);
	if (!client_show_stage(client, "inner cached")) {
		goto out;
	}
	wl_surface_commit(middle.surface);
	wl_surface_commit(outer.surface);
	parent_commit(window);
	if (!client_show_stage(client, "inner applied")) {
		goto out;
	}
	wl_subsurface_set_desync(outer.subsurface);
	wl_subsurface_set_desync(middle.subsurface);
	sub_draw(&inner, 70, 50, 0xff804000, true);
	if (!client_show_stage(client, "inner free")) {
		goto out;
	}
	/* Moving the outer one moves all; the middle goes below its own parent. */
	wl_subsurface_set_position(outer.subsurface, 60, 45);
	wl_subsurface_place_below(middle.subsurface, outer.surface);
	wl_surface_commit(outer.surface);
	parent_commit(window);
	client_show_stage(client, "moved");
out:
	sub_finish(&inner);
	sub_finish(&middle);
	sub_finish(&outer);
	window_destroy(window);
}
