/* formats: prints the formats offered, then waits. formats FORMAT…: a stage for each wl_shm format
 * number given, with the same bytes in it. */
#include <stdio.h>
#include <stdlib.h>

#include "feature.h"
#include "window.h"

static int compare(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void print_formats(struct client *client) {
	qsort(client->formats, client->formats_len, sizeof(client->formats[0]), compare);
	for (size_t i = 0; i < client->formats_len; i++) {
		client_log("format %u", client->formats[i]);
	}
}

void feature_formats(struct client *client, int argc, char **argv) {
	if (argc == 0) {
		print_formats(client);
		return;
	}
	struct window *window = window_create(client, "formats", 200, 120);
	bool going = true;
	for (int i = 0; i < argc && going; i++) {
		uint32_t format = (uint32_t)strtoul(argv[i], NULL, 10);
		struct buffer *buffer = buffer_create(client, 200, 120, format);
		buffer_bytes(buffer, (uint32_t)i);
		/* What bytes mean as alpha would blend with whatever stands below. */
		struct wl_region *region = wl_compositor_create_region(client->compositor);
		wl_surface_set_opaque_region(window->surface, region);
		wl_region_destroy(region);
		window_show(window, buffer);
		going = client_show_stage(client, argv[i]);
		buffer_destroy(buffer);
	}
	window_destroy(window);
}
