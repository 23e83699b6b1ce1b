#include "titlebar.h"

#include <math.h>
#include <pango/pangocairo.h>
#include <stdint.h>
#include <string.h>

#include "buffer.h"
#include "compositor_config.h"
#include "label.h"

#define PADDING 8
#define LABEL_MARGIN 5
/* A label up to this is shown whole rather than the buttons; a longer one has half of the bar. */
#define LABEL_KEPT 160
/* The text of a guest is drawn by the compositor's own text stack: no more of it than is seen. */
#define TITLE_MAX 256

struct color {
	double r, g, b;
};

static struct color color_from(uint32_t rgb) {
	return (struct color){
		((rgb >> 16) & 0xff) / 255.0,
		((rgb >> 8) & 0xff) / 255.0,
		(rgb & 0xff) / 255.0,
	};
}

static void set_color(cairo_t *cairo, struct color color, double alpha) {
	cairo_set_source_rgba(cairo, color.r, color.g, color.b, alpha);
}

/* Black or white, whichever reads better on COLOR (WCAG 2's relative luminance). */
static struct color contrasting(struct color color) {
	double channels[] = {color.r, color.g, color.b};
	for (int i = 0; i < 3; i++) {
		channels[i] = channels[i] <= 0.04045 ? channels[i] / 12.92
						     : pow((channels[i] + 0.055) / 1.055, 2.4);
	}
	double luminance = 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2];
	// Both contrasts are equal at a luminance of about 0.18.
	return luminance > 0.2 ? color_from(0x101114) : color_from(0xffffff);
}

static PangoLayout *create_layout(
	PangoContext *context, const struct config_theme *theme, bool bold) {
	PangoLayout *layout = pango_layout_new(context);
	PangoFontDescription *font = pango_font_description_from_string(theme->font);
	if (bold) {
		pango_font_description_set_weight(font, PANGO_WEIGHT_BOLD);
	}
	pango_layout_set_font_description(layout, font);
	pango_font_description_free(font);
	pango_layout_set_single_paragraph_mode(layout, TRUE);
	return layout;
}

int titlebar_height(const struct config_theme *theme) {
	PangoContext *context = pango_font_map_create_context(pango_cairo_font_map_get_default());
	PangoLayout *layout = create_layout(context, theme, true);
	int height;
	pango_layout_set_text(layout, "Âg", -1);
	pango_layout_get_pixel_size(layout, NULL, &height);
	g_object_unref(layout);
	g_object_unref(context);
	return height + 10;
}

static double button_width(const struct titlebar *bar) {
	return bar->height + 4;
}

enum titlebar_button titlebar_button_at(const struct titlebar *bar, double x, double y) {
	if (y < 0 || y >= bar->height || x < 0 || x >= bar->width) {
		return TITLEBAR_NONE;
	}
	int index = (int)((bar->width - x) / button_width(bar));
	if (index >= bar->buttons) {
		return TITLEBAR_NONE;
	}
	switch (index) {
	case 0:
		return TITLEBAR_CLOSE;
	case 1:
		return TITLEBAR_MAXIMIZE;
	case 2:
		return TITLEBAR_MINIMIZE;
	default:
		return TITLEBAR_NONE;
	}
}

static void draw_symbol(cairo_t *cairo, enum titlebar_button button, bool maximized, double x,
	double y, double half) {
	switch (button) {
	case TITLEBAR_CLOSE:
		cairo_move_to(cairo, x - half, y - half);
		cairo_line_to(cairo, x + half, y + half);
		cairo_move_to(cairo, x + half, y - half);
		cairo_line_to(cairo, x - half, y + half);
		break;
	case TITLEBAR_MAXIMIZE:
		if (maximized) {
			cairo_rectangle(cairo, x - half, y - half + 2, 2 * half - 2, 2 * half - 2);
			cairo_move_to(cairo, x - half + 2, y - half);
			cairo_line_to(cairo, x + half, y - half);
			cairo_line_to(cairo, x + half, y + half - 2);
		} else {
			cairo_rectangle(cairo, x - half, y - half, 2 * half, 2 * half);
		}
		break;
	case TITLEBAR_MINIMIZE:
		cairo_move_to(cairo, x - half, y + half);
		cairo_line_to(cairo, x + half, y + half);
		break;
	case TITLEBAR_NONE:
		return;
	}
	cairo_stroke(cairo);
}

static void draw_buttons(cairo_t *cairo, const struct titlebar *bar, struct color text) {
	double width = button_width(bar);
	cairo_set_line_width(cairo, 1.4);
	for (int i = 0; i < bar->buttons; i++) {
		enum titlebar_button button = (enum titlebar_button)(TITLEBAR_CLOSE - i);
		double left = bar->width - (i + 1) * width;
		bool hovered = bar->hovered == button;
		if (hovered) {
			set_color(cairo, button == TITLEBAR_CLOSE ? color_from(0xd8372b) : text,
				button == TITLEBAR_CLOSE ? 1 : 0.18);
			cairo_rectangle(cairo, left, 0, width, bar->height);
			cairo_fill(cairo);
		}
		set_color(cairo, hovered && button == TITLEBAR_CLOSE ? color_from(0xffffff) : text,
			bar->focused || hovered ? 1 : 0.6);
		// Half pixels, so that thin lines fall onto whole ones.
		draw_symbol(cairo, button, bar->maximized, floor(left + width / 2) + 0.5,
			floor(bar->height / 2.0) + 0.5, 4);
	}
}

static void rounded_rectangle(
	cairo_t *cairo, double x, double y, double width, double height, double radius) {
	cairo_new_sub_path(cairo);
	cairo_arc(cairo, x + width - radius, y + radius, radius, -M_PI / 2, 0);
	cairo_arc(cairo, x + width - radius, y + height - radius, radius, 0, M_PI / 2);
	cairo_arc(cairo, x + radius, y + height - radius, radius, M_PI / 2, M_PI);
	cairo_arc(cairo, x + radius, y + radius, radius, M_PI, 3 * M_PI / 2);
	cairo_close_path(cairo);
}

/* Draws text vertically centred, at most WIDTH wide. */
static void draw_text(cairo_t *cairo, const struct config_theme *theme, const char *text, bool bold,
	double x, int width, int height) {
	PangoContext *context = pango_cairo_create_context(cairo);
	PangoLayout *layout = create_layout(context, theme, bold);
	int text_height;
	pango_layout_set_text(layout, text, -1);
	pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
	pango_layout_set_width(layout, width * PANGO_SCALE);
	pango_layout_get_pixel_size(layout, NULL, &text_height);
	// The direction of a guest's text must not move it away from where titles begin.
	pango_layout_set_auto_dir(layout, FALSE);
	cairo_save(cairo);
	// A mark that hangs over the character before it must not hang over what stands before the
	// text.
	cairo_rectangle(cairo, x, 0, width, height);
	cairo_clip(cairo);
	cairo_move_to(cairo, x, floor((height - text_height) / 2.0));
	pango_cairo_show_layout(cairo, layout);
	cairo_restore(cairo);
	g_object_unref(layout);
	g_object_unref(context);
}

static int text_width(cairo_t *cairo, const struct config_theme *theme, const char *text) {
	PangoContext *context = pango_cairo_create_context(cairo);
	PangoLayout *layout = create_layout(context, theme, true);
	int width;
	pango_layout_set_text(layout, text, -1);
	pango_layout_get_pixel_size(layout, &width, NULL);
	g_object_unref(layout);
	g_object_unref(context);
	return width;
}

/* Width of the pill that holds the label's name, with the space before and after it. */
static double label_width(
	cairo_t *cairo, const struct config_theme *theme, const struct titlebar *bar) {
	if (bar->label->text == NULL) {
		return PADDING;
	}
	double width = LABEL_MARGIN + text_width(cairo, theme, bar->label->text) + 3 * PADDING;
	return fmin(width, fmax(bar->width / 2.0, LABEL_KEPT));
}

/* In a narrow window the label stays and the buttons go. */
static int count_buttons(double room, double width) {
	int count = (int)floor(room / width);
	return count < 0 ? 0 : count > 3 ? 3 : count;
}

/* The label's name in a pill that the title cannot reach. */
static void draw_label(
	cairo_t *cairo, const struct config_theme *theme, const struct titlebar *bar, double end) {
	const struct label *label = bar->label;
	double width = end - LABEL_MARGIN - PADDING;
	if (label->text == NULL || width <= 2 * PADDING) {
		return;
	}
	struct color color = color_from(label->color);
	struct color text = contrasting(color);
	rounded_rectangle(cairo, LABEL_MARGIN, 4, width, bar->height - 8, 4);
	if (bar->focused && label->kind != LABEL_SANDBOX) {
		// The bar itself has the label's colour.
		set_color(cairo, text, 0.16);
	} else {
		set_color(cairo, color, 1);
	}
	cairo_fill(cairo);
	set_color(cairo, text, 1);
	draw_text(cairo, theme, label->text, true, LABEL_MARGIN + PADDING,
		(int)ceil(width - 2 * PADDING), bar->height);
}

static void draw(cairo_t *cairo, const struct config_theme *theme, struct titlebar *bar) {
	bool labelled = bar->label->kind == LABEL_VM || bar->label->kind == LABEL_UNKNOWN_VM;
	struct color back, text;
	if (!bar->focused) {
		back = color_from(theme->bar_unfocused);
		text = color_from(theme->text_unfocused);
	} else if (labelled) {
		back = color_from(bar->label->color);
		text = contrasting(back);
	} else {
		back = color_from(theme->bar_focused);
		text = color_from(theme->text_focused);
	}
	set_color(cairo, back, 1);
	cairo_paint(cairo);
	double start = label_width(cairo, theme, bar);
	bar->buttons = count_buttons(bar->width - start, button_width(bar));
	double end = bar->width - bar->buttons * button_width(bar);
	start = fmin(start, end);
	draw_buttons(cairo, bar, text);
	draw_label(cairo, theme, bar, start);
	if (bar->untrusted_title != NULL && end - start > 5 * PADDING) {
		char title[TITLE_MAX];
		label_clean_title(title, sizeof(title), bar->untrusted_title);
		set_color(cairo, text, 1);
		draw_text(cairo, theme, title, false, start, (int)(end - start - PADDING),
			bar->height);
	}
}

struct wlr_buffer *titlebar_draw(const struct config_theme *theme, struct titlebar *bar) {
	int width = (int)ceil(bar->width * bar->scale),
	    height = (int)ceil(bar->height * bar->scale);
	if (width <= 0 || height <= 0 || width > 16384) {
		return NULL;
	}
	struct buffer *buffer = buffer_create(width, height);
	if (buffer == NULL) {
		return NULL;
	}
	cairo_t *cairo = cairo_create(buffer->surface);
	cairo_scale(cairo, bar->scale, bar->scale);
	draw(cairo, theme, bar);
	cairo_destroy(cairo);
	cairo_surface_flush(buffer->surface);
	return &buffer->base;
}
