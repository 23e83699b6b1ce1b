#ifndef TITLEBAR_H
#define TITLEBAR_H

#include <stdbool.h>

struct config_theme;
struct label;
struct wlr_buffer;

enum titlebar_button {
	TITLEBAR_NONE,
	TITLEBAR_MINIMIZE,
	TITLEBAR_MAXIMIZE,
	TITLEBAR_CLOSE,
};

/* Everything a title bar shows. */
struct titlebar {
	int width, height; /* logical pixels */
	double scale; /* buffer pixels per logical pixel */
	const char *untrusted_title; /* NULL: none */
	const struct label *label;
	bool focused, maximized;
	enum titlebar_button hovered;
	int buttons; /* how many there is room for beside the label, set by titlebar_draw() */
};

/** The height of a title bar in logical pixels, from the theme's font. */
int titlebar_height(const struct config_theme *theme);

/** Draws it. Returns a buffer to drop, or NULL when there is no room or no memory. */
struct wlr_buffer *titlebar_draw(const struct config_theme *theme, struct titlebar *bar);

/** The button at a point of the title bar (logical pixels from its top left corner). */
enum titlebar_button titlebar_button_at(const struct titlebar *bar, double x, double y);

#endif
