#include "frame.h"

#include <stdlib.h>
#include <string.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/util/edges.h>

#include "compositor_config.h"
#include "label.h"
#include "output.h"
#include "server.h"

/* Around the border: invisible, takes the pointer, so that a thin border can be grabbed. */
#define GRIP 5
/* How far from a corner a border resizes in both directions. */
#define CORNER 18

enum side {
	SIDE_TOP,
	SIDE_BOTTOM,
	SIDE_LEFT,
	SIDE_RIGHT,
	SIDE_COUNT,
};

struct frame {
	struct server *server;
	struct wl_list link; // server.dirty_frames while its title bar has to be drawn anew
	const struct label *label;
	struct wlr_scene_tree *tree;
	struct wlr_scene_rect *grip;
	struct wlr_scene_rect *sides[SIDE_COUNT];
	struct wlr_scene_buffer *bar;
	struct titlebar titlebar;
	char *untrusted_title;
	enum frame_style style;
	int width, height; /* of the window */
	bool resizable;

	struct wl_listener outputs_update;
};

static int border_width(const struct frame *frame) {
	const struct config_theme *theme = &frame->server->config->theme;
	return frame->style == FRAME_FULLSCREEN ? theme->fullscreen_border_width
						: theme->border_width;
}

struct frame_extents frame_extents(const struct frame *frame, enum frame_style style) {
	int border = frame->server->config->theme.border_width;
	switch (style) {
	case FRAME_FULL:
		return (struct frame_extents){
			border, border, border + frame->titlebar.height, border};
	case FRAME_BORDER:
		return (struct frame_extents){border, border, border, border};
	case FRAME_FULLSCREEN:
	case FRAME_NONE:
		break;
	}
	return (struct frame_extents){0};
}

static void set_box(struct wlr_scene_rect *rect, int x, int y, int width, int height) {
	wlr_scene_node_set_position(&rect->node, x, y);
	wlr_scene_rect_set_size(rect, width > 0 ? width : 0, height > 0 ? height : 0);
}

/* The four sides of a border of WIDTH pixels whose outer edge is the given box. */
static void place_sides(struct frame *frame, int x, int y, int w, int h, int width) {
	set_box(frame->sides[SIDE_TOP], x, y, w, width);
	set_box(frame->sides[SIDE_BOTTOM], x, y + h - width, w, width);
	set_box(frame->sides[SIDE_LEFT], x, y + width, width, h - 2 * width);
	set_box(frame->sides[SIDE_RIGHT], x + w - width, y + width, width, h - 2 * width);
}

static void draw_titlebar(struct frame *frame) {
	struct wlr_buffer *buffer = NULL;
	frame->titlebar.untrusted_title = frame->untrusted_title;
	if (frame->style == FRAME_FULL) {
		buffer = titlebar_draw(&frame->server->config->theme, &frame->titlebar);
	}
	wlr_scene_buffer_set_buffer(frame->bar, buffer);
	if (buffer != NULL) {
		wlr_buffer_drop(buffer);
	}
}

void frame_draw_pending(struct server *server) {
	struct frame *frame, *next;
	wl_list_for_each_safe (frame, next, &server->dirty_frames, link) {
		wl_list_remove(&frame->link);
		wl_list_init(&frame->link);
		draw_titlebar(frame);
	}
}

/* Drawing text costs: a client that changes its title or size a thousand times between two frames
 * of the screen has it drawn once. */
static void mark_dirty(struct frame *frame) {
	if (!wl_list_empty(&frame->link)) {
		return;
	}
	wl_list_insert(&frame->server->dirty_frames, &frame->link);
	struct output *output;
	wl_list_for_each (output, &frame->server->outputs, link) {
		if (output->scene_output != NULL) {
			wlr_output_schedule_frame(output->wlr_output);
		}
	}
}

static void layout(struct frame *frame) {
	int border = border_width(frame);
	struct frame_extents extents = frame_extents(frame, frame->style);
	int x = -extents.left, y = -extents.top;
	int w = frame->width + extents.left + extents.right;
	int h = frame->height + extents.top + extents.bottom;
	bool outside = frame->style == FRAME_FULL || frame->style == FRAME_BORDER;
	wlr_scene_node_set_enabled(&frame->tree->node, frame->style != FRAME_NONE);
	wlr_scene_node_set_enabled(&frame->grip->node, outside && frame->resizable);
	set_box(frame->grip, x - GRIP, y - GRIP, w + 2 * GRIP, h + 2 * GRIP);
	place_sides(frame, x, y, w, h, border);
	wlr_scene_node_set_enabled(&frame->bar->node, frame->style == FRAME_FULL);
	wlr_scene_node_set_position(&frame->bar->node, 0, -frame->titlebar.height);
	// At once, for the pointer: the picture follows before anything is shown.
	wlr_scene_buffer_set_dest_size(frame->bar, frame->titlebar.width, frame->titlebar.height);
	// Over the window and its popups, or around them.
	if (frame->style == FRAME_FULLSCREEN) {
		wlr_scene_node_raise_to_top(&frame->tree->node);
	} else {
		wlr_scene_node_lower_to_bottom(&frame->tree->node);
	}
}

static void color_sides(struct frame *frame) {
	uint32_t rgb = frame->label->color;
	float color[4] = {((rgb >> 16) & 0xff) / 255.0f, ((rgb >> 8) & 0xff) / 255.0f,
		(rgb & 0xff) / 255.0f, 1};
	for (int i = 0; i < SIDE_COUNT; i++) {
		wlr_scene_rect_set_color(frame->sides[i], color);
	}
}

/* A title bar that moves to an output of another scale is drawn anew, sharp. */
static void handle_outputs_update(struct wl_listener *listener, void *data) {
	struct frame *frame = wl_container_of(listener, frame, outputs_update);
	const struct wlr_scene_outputs_update_event *event = data;
	double scale = 1;
	for (size_t i = 0; i < event->size; i++) {
		double output_scale = event->active[i]->output->scale;
		scale = output_scale > scale ? output_scale : scale;
	}
	if (event->size > 0 && scale != frame->titlebar.scale) {
		frame->titlebar.scale = scale;
		mark_dirty(frame);
	}
}

static bool create_nodes(struct frame *frame, struct wlr_scene_tree *parent) {
	const float transparent[4] = {0};
	frame->tree = wlr_scene_tree_create(parent);
	if (frame->tree == NULL) {
		return false;
	}
	frame->grip = wlr_scene_rect_create(frame->tree, 0, 0, transparent);
	frame->bar = wlr_scene_buffer_create(frame->tree, NULL);
	bool ok = frame->grip != NULL && frame->bar != NULL;
	for (int i = 0; i < SIDE_COUNT; i++) {
		frame->sides[i] = wlr_scene_rect_create(frame->tree, 0, 0, transparent);
		ok = ok && frame->sides[i] != NULL;
	}
	if (!ok) {
		wlr_scene_node_destroy(&frame->tree->node);
	}
	return ok;
}

struct frame *frame_create(
	struct server *server, struct wlr_scene_tree *parent, const struct label *label) {
	struct frame *frame = calloc(1, sizeof(*frame));
	if (frame == NULL) {
		return NULL;
	}
	wl_list_init(&frame->link);
	frame->server = server;
	frame->label = label;
	frame->style = FRAME_FULL;
	frame->resizable = true;
	frame->titlebar.scale = 1;
	frame->titlebar.label = label;
	if (!create_nodes(frame, parent)) {
		free(frame);
		return NULL;
	}
	frame->outputs_update.notify = handle_outputs_update;
	wl_signal_add(&frame->bar->events.outputs_update, &frame->outputs_update);
	frame_refresh(frame);
	return frame;
}

void frame_destroy(struct frame *frame) {
	if (frame == NULL) {
		return;
	}
	wl_list_remove(&frame->link);
	wl_list_remove(&frame->outputs_update.link);
	wlr_scene_node_destroy(&frame->tree->node);
	free(frame->untrusted_title);
	free(frame);
}

void frame_refresh(struct frame *frame) {
	frame->titlebar.height = titlebar_height(&frame->server->config->theme);
	color_sides(frame);
	layout(frame);
	mark_dirty(frame);
}

void frame_set_size(struct frame *frame, int width, int height) {
	if (frame->width == width && frame->height == height) {
		return;
	}
	bool redraw = frame->width != width;
	frame->width = width;
	frame->height = height;
	frame->titlebar.width = width;
	layout(frame);
	if (redraw) {
		mark_dirty(frame);
	}
}

void frame_set_position(struct frame *frame, int x, int y) {
	wlr_scene_node_set_position(&frame->tree->node, x, y);
}

void frame_set_style(struct frame *frame, enum frame_style style) {
	if (frame->style != style) {
		frame->style = style;
		layout(frame);
		mark_dirty(frame);
	}
}

void frame_set_resizable(struct frame *frame, bool resizable) {
	if (frame->resizable != resizable) {
		frame->resizable = resizable;
		layout(frame);
	}
}

void frame_set_title(struct frame *frame, const char *untrusted_title) {
	if (untrusted_title != NULL && frame->untrusted_title != NULL &&
		strcmp(untrusted_title, frame->untrusted_title) == 0) {
		return;
	}
	free(frame->untrusted_title);
	frame->untrusted_title = untrusted_title != NULL ? strdup(untrusted_title) : NULL;
	mark_dirty(frame);
}

void frame_set_focused(struct frame *frame, bool focused) {
	if (frame->titlebar.focused != focused) {
		frame->titlebar.focused = focused;
		mark_dirty(frame);
	}
}

void frame_set_maximized(struct frame *frame, bool maximized) {
	if (frame->titlebar.maximized != maximized) {
		frame->titlebar.maximized = maximized;
		mark_dirty(frame);
	}
}

void frame_set_hovered(struct frame *frame, enum titlebar_button button) {
	if (frame->titlebar.hovered != button) {
		frame->titlebar.hovered = button;
		mark_dirty(frame);
	}
}

struct frame_hit frame_hit(const struct frame *frame, double x, double y) {
	struct frame_hit hit = {0};
	if (frame->style != FRAME_FULL && frame->style != FRAME_BORDER) {
		return hit;
	}
	int bar = frame->style == FRAME_FULL ? frame->titlebar.height : 0;
	double top = y + bar;
	if (frame->style == FRAME_FULL) {
		hit.button = titlebar_button_at(&frame->titlebar, x, top);
	}
	bool on_border = x < 0 || x >= frame->width || top < 0 || y >= frame->height;
	if (!on_border || !frame->resizable) {
		return hit;
	}
	if (x < CORNER) {
		hit.edges |= WLR_EDGE_LEFT;
	} else if (x >= frame->width - CORNER) {
		hit.edges |= WLR_EDGE_RIGHT;
	}
	if (top < CORNER) {
		hit.edges |= WLR_EDGE_TOP;
	} else if (y >= frame->height - CORNER) {
		hit.edges |= WLR_EDGE_BOTTOM;
	}
	// Along a side, away from the corners, only that side counts.
	bool side = x < 0 || x >= frame->width;
	bool level = top < 0 || y >= frame->height;
	bool corner = (hit.edges & (WLR_EDGE_LEFT | WLR_EDGE_RIGHT)) &&
		      (hit.edges & (WLR_EDGE_TOP | WLR_EDGE_BOTTOM));
	if (!corner && side) {
		hit.edges &= WLR_EDGE_LEFT | WLR_EDGE_RIGHT;
	} else if (!corner && level) {
		hit.edges &= WLR_EDGE_TOP | WLR_EDGE_BOTTOM;
	}
	return hit;
}
