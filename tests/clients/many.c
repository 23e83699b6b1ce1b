/* many [COUNT]: COUNT toplevels (50) of one client, each with content of its own. */
#include <stdlib.h>

#include "feature.h"
#include "window.h"

#define MAX_WINDOWS 500

void feature_many(struct client *client, int argc, char **argv) {
	int count = argc > 0 ? atoi(argv[0]) : 50;
	if (count < 1 || count > MAX_WINDOWS) {
		client_fail("many: 1 to %d windows", MAX_WINDOWS);
	}
	struct window *windows[MAX_WINDOWS];
	for (int i = 0; i < count; i++) {
		windows[i] = window_create(client, "many", 60 + i % 7 * 10, 40 + i % 5 * 10);
		/* Frames of windows that others cover may wait for ever, so none is counted on:
		 * every window is on top when it is shown first. */
		window_draw(windows[i], 60 + i % 7 * 10, 40 + i % 5 * 10, (uint32_t)i);
	}
	bool going = client_show_stage(client, "all");
	/* The last one is on top, and stays. */
	for (int i = count - 2; i >= 0 && going; i -= 2) {
		window_destroy(windows[i]);
		windows[i] = NULL;
	}
	if (going) {
		client_barrier(client, windows[count - 1]->surface);
		client_stage(client, "half");
	}
	for (int i = 0; i < count; i++) {
		window_destroy(windows[i]);
	}
}
