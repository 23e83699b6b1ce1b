#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "titlebar.h"

struct frame;
struct label;
struct server;
struct wlr_scene_tree;

/* How much of a frame a window has. */
enum frame_style {
	FRAME_FULL, /* title bar and border around the window */
	FRAME_BORDER, /* border only: a local window that draws its own title bar */
	FRAME_FULLSCREEN, /* the label's line along the inside of the window */
	FRAME_NONE,
};

/* Logical pixels a frame adds outside of the window on each side. */
struct frame_extents {
	int left, right, top, bottom;
};

/* What of a frame lies under a point. */
struct frame_hit {
	enum titlebar_button button;
	uint32_t edges; /* enum wlr_edges; 0: the title bar */
};

/**
 * Draws the frame of a window into PARENT, whose origin is the window's top left corner. LABEL is
 * the window's and is read again whenever the frame changes. NULL when memory is out.
 */
struct frame *frame_create(
	struct server *server, struct wlr_scene_tree *parent, const struct label *label);
/** NULL is fine. To be called before PARENT goes. */
void frame_destroy(struct frame *frame);

void frame_set_size(struct frame *frame, int width, int height);
/** Where the frame's box begins, from the origin of its tree; not 0 for small fullscreen windows.
 */
void frame_set_position(struct frame *frame, int x, int y);
void frame_set_style(struct frame *frame, enum frame_style style);
void frame_set_resizable(struct frame *frame, bool resizable);
void frame_set_title(struct frame *frame, const char *untrusted_title);
void frame_set_focused(struct frame *frame, bool focused);
void frame_set_maximized(struct frame *frame, bool maximized);
void frame_set_hovered(struct frame *frame, enum titlebar_button button);
/** Draws everything anew: the label or the theme has changed. */
void frame_refresh(struct frame *frame);

/** Draws the title bars that have changed; before an output is rendered. */
void frame_draw_pending(struct server *server);

/** What the frame adds in a style. */
struct frame_extents frame_extents(const struct frame *frame, enum frame_style style);
/** X and Y in logical pixels from the window's top left corner. */
struct frame_hit frame_hit(const struct frame *frame, double x, double y);

#endif
