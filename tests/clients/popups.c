/* popups: every anchor and gravity, offsets, constraints at the screen's edge, nested popups and
 * repositioning. grab: a popup opened by a click, with a grab, and one nested in it; whoever runs
 * it clicks. */
#include "feature.h"
#include "popup.h"
#include "seatlog.h"

#define ANCHOR(name) XDG_POSITIONER_ANCHOR_##name
#define GRAVITY(name) XDG_POSITIONER_GRAVITY_##name
#define ADJUST(name) XDG_POSITIONER_CONSTRAINT_ADJUSTMENT_##name

/* Parent geometry: 300x200. */
static const struct place places[] = {
	{"default", 100, 80, 60, 40, ANCHOR(NONE), GRAVITY(NONE), 0, 0, 0, 50, 30, false},
	{"menu", 100, 80, 60, 40, ANCHOR(BOTTOM_LEFT), GRAVITY(BOTTOM_RIGHT), 0, 0, 0, 90, 60,
		false},
	{"top", 100, 80, 60, 40, ANCHOR(TOP), GRAVITY(TOP), 0, 0, 0, 70, 50, false},
	{"left", 100, 80, 60, 40, ANCHOR(LEFT), GRAVITY(LEFT), 0, 0, 0, 70, 50, false},
	{"right", 100, 80, 60, 40, ANCHOR(RIGHT), GRAVITY(RIGHT), 0, 0, 0, 70, 50, false},
	{"bottom", 100, 80, 60, 40, ANCHOR(BOTTOM), GRAVITY(BOTTOM), 0, 0, 0, 70, 50, false},
	{"top-left", 100, 80, 60, 40, ANCHOR(TOP_LEFT), GRAVITY(TOP_LEFT), 0, 0, 0, 70, 50, false},
	{"top-right", 100, 80, 60, 40, ANCHOR(TOP_RIGHT), GRAVITY(TOP_RIGHT), 0, 0, 0, 70, 50,
		false},
	{"offset", 100, 80, 60, 40, ANCHOR(BOTTOM_RIGHT), GRAVITY(BOTTOM_LEFT), 0, 13, -7, 70, 50,
		false},
	{"flip", 290, 190, 10, 10, ANCHOR(BOTTOM_RIGHT), GRAVITY(BOTTOM_RIGHT),
		ADJUST(FLIP_X) | ADJUST(FLIP_Y), 0, 0, 600, 500, false},
	{"slide", 100, 80, 60, 40, ANCHOR(BOTTOM_RIGHT), GRAVITY(BOTTOM_RIGHT),
		ADJUST(SLIDE_X) | ADJUST(SLIDE_Y), 0, 0, 560, 440, true},
	{"resize", 100, 80, 60, 40, ANCHOR(BOTTOM_RIGHT), GRAVITY(BOTTOM_RIGHT),
		ADJUST(RESIZE_X) | ADJUST(RESIZE_Y), 0, 0, 1200, 1000, false},
};

static const struct place first = {"first", 20, 20, 80, 20, ANCHOR(BOTTOM_LEFT),
	GRAVITY(BOTTOM_RIGHT), 0, 0, 0, 120, 90, false};
static const struct place second = {"second", 0, 30, 120, 20, ANCHOR(TOP_RIGHT),
	GRAVITY(BOTTOM_RIGHT), 0, -5, 0, 100, 80, false};
static const struct place third = {
	"third", 10, 10, 30, 30, ANCHOR(BOTTOM), GRAVITY(BOTTOM), 0, 0, 0, 60, 110, false};
static const struct place moved = {"moved", 60, 60, 40, 20, ANCHOR(BOTTOM_RIGHT),
	GRAVITY(BOTTOM_RIGHT), 0, 3, 4, 150, 50, false};

static bool show_places(struct client *client, struct window *window) {
	bool going = true;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && going; i++) {
		struct popup *popup = popup_create(client, window->xdg_surface, &places[i], 0);
		popup_draw(popup, (uint32_t)i);
		going = client_show_stage(client, places[i].name);
		popup_destroy(popup);
	}
	return going;
}

static void show_nested(struct client *client, struct window *window) {
	struct popup *a = popup_create(client, window->xdg_surface, &first, 0);
	popup_draw(a, 20);
	client_wait_presented(client);
	struct popup *b = popup_create(client, a->xdg_surface, &second, 0);
	popup_draw(b, 21);
	client_wait_presented(client);
	struct popup *c = popup_create(client, b->xdg_surface, &third, 0);
	popup_draw(c, 22);
	bool going = client_show_stage(client, "nested");
	popup_destroy(c);
	if (going) {
		client_barrier(client, window->surface);
		going = client_stage(client, "innermost gone");
	}
	popup_destroy(b);
	if (going) {
		popup_reposition(a, &moved, 42);
		popup_draw(a, 23);
		going = client_show_stage(client, "repositioned");
	}
	if (going) {
		popup_reposition(a, &first, 43);
		popup_draw(a, 24);
		client_show_stage(client, "repositioned back");
	}
	popup_destroy(a);
}

void feature_popups(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "popups", 300, 200);
	window_draw(window, 300, 200, 14);
	if (client_show_stage(client, "window") && show_places(client, window)) {
		show_nested(client, window);
	}
	window_destroy(window);
}

/* Opens a popup for the next button press; the press is whatever the runner clicks on. */
static struct popup *open_by_click(struct client *client, struct seatlog *log,
	struct xdg_surface *parent, const struct place *place) {
	log->pressed = false;
	client_log("click %s", place->name);
	client_wait(client, &log->pressed);
	struct popup *popup = popup_create(client, parent, place, log->button_serial);
	if (!popup->done) {
		popup_draw(popup, (uint32_t)place->width);
	}
	return popup;
}

void feature_grab(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "grab", 300, 200);
	seatlog_name(window->surface, "window");
	window_draw(window, 300, 200, 15);
	struct seatlog log;
	seatlog_init(&log, client, false);
	client_wait_presented(client);
	struct popup *a = open_by_click(client, &log, window->xdg_surface, &first);
	bool going = client_show_stage(client, "menu");
	struct popup *b = NULL;
	if (going) {
		b = open_by_click(client, &log, a->xdg_surface, &second);
		going = client_show_stage(client, "submenu");
	}
	if (going) {
		/* A click outside dismisses all of them, the innermost first. */
		client_log("click outside");
		client_wait(client, &a->done);
	}
	popup_destroy(b);
	popup_destroy(a);
	if (going) {
		client_barrier(client, window->surface);
		client_stage(client, "dismissed");
	}
	seatlog_finish(&log);
	window_destroy(window);
}
