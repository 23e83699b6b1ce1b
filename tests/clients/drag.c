/* drag [refuse|keep|internal]: a window of 240x160 with a subsurface of 80x80 at 140,40. Where it
 * is pressed, a drag of a text with an icon of 24x24 begins, beside the pointer, and what is
 * dragged is taken by either surface. At the next stage the source is destroyed, in the middle of
 * the drag if there is one. refuse: nothing is taken. keep: the source is not destroyed. internal:
 * there is no source. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feature.h"
#include "seatlog.h"
#include "window.h"

#define TEXT "text/plain"
#define CONTENT "what was dragged"
#define COPY WL_DATA_DEVICE_MANAGER_DND_ACTION_COPY

struct drag {
	struct client *client;
	struct seatlog log;
	struct wl_data_device *device;
	struct wl_data_source *source; // NULL: nothing of ours is dragged
	struct wl_data_offer *offer; // what is over the window; NULL: nothing
	struct wl_surface *icon;
	struct buffer *icon_buffer;
	int received; // descriptor that what was dropped comes from; -1: none
	bool refuse, internal;
};

/* The source */

static void drop_source(struct drag *drag) {
	wl_data_source_destroy(drag->source);
	drag->source = NULL;
}

static void handle_target(void *data, struct wl_data_source *source, const char *type) {
	client_log("source target %s", type != NULL ? type : "none");
}

/* What was dropped is read here, since one program is at both ends. */
static void handle_send(void *data, struct wl_data_source *source, const char *type, int32_t fd) {
	struct drag *drag = data;
	char text[64] = "";
	client_log("source send %s", type);
	if (write(fd, CONTENT, strlen(CONTENT)) < 0) {
		client_fail("the pipe is closed");
	}
	close(fd);
	if (drag->received < 0) {
		return;
	}
	size_t size = 0;
	for (ssize_t n; (n = read(drag->received, text + size, sizeof(text) - 1 - size)) > 0;) {
		size += (size_t)n;
	}
	close(drag->received);
	drag->received = -1;
	client_log("offer got %s", text);
	wl_data_offer_finish(drag->offer);
	wl_data_offer_destroy(drag->offer);
	drag->offer = NULL;
}

static void handle_cancelled(void *data, struct wl_data_source *source) {
	client_log("source cancelled");
	drop_source(data);
}

static void handle_dropped(void *data, struct wl_data_source *source) {
	client_log("source dropped");
}

static void handle_finished(void *data, struct wl_data_source *source) {
	client_log("source finished");
	drop_source(data);
}

static void handle_source_action(void *data, struct wl_data_source *source, uint32_t action) {
	client_log("source action %u", action);
}

static const struct wl_data_source_listener source_listener = {
	.target = handle_target,
	.send = handle_send,
	.cancelled = handle_cancelled,
	.dnd_drop_performed = handle_dropped,
	.dnd_finished = handle_finished,
	.action = handle_source_action,
};

/* The icon's content comes after its role, and its place with the content. */
static void show_icon(struct drag *drag) {
	buffer_attach(drag->icon_buffer, drag->icon);
	wl_surface_damage_buffer(drag->icon, 0, 0, 24, 24);
	wl_surface_offset(drag->icon, 5, 7);
	wl_surface_commit(drag->icon);
}

static void handle_button(struct seatlog *log, uint32_t button, bool pressed) {
	struct drag *drag = log->data;
	if (!pressed || drag->source != NULL || drag->icon != NULL) {
		return;
	}
	if (!drag->internal) {
		drag->source =
			wl_data_device_manager_create_data_source(drag->client->data_devices);
		wl_data_source_add_listener(drag->source, &source_listener, drag);
		wl_data_source_offer(drag->source, TEXT);
		wl_data_source_set_actions(drag->source, COPY);
	}
	drag->icon = wl_compositor_create_surface(drag->client->compositor);
	wl_data_device_start_drag(
		drag->device, drag->source, log->pressed_surface, drag->icon, log->button_serial);
	show_icon(drag);
}

/* The target */

static void handle_offer_type(void *data, struct wl_data_offer *offer, const char *type) {
	client_log("offer type %s", type);
}

static void handle_source_actions(void *data, struct wl_data_offer *offer, uint32_t actions) {
	client_log("offer actions %u", actions);
}

static void handle_action(void *data, struct wl_data_offer *offer, uint32_t action) {
	client_log("offer action %u", action);
}

static const struct wl_data_offer_listener offer_listener = {
	.offer = handle_offer_type,
	.source_actions = handle_source_actions,
	.action = handle_action,
};

static void handle_data_offer(
	void *data, struct wl_data_device *device, struct wl_data_offer *offer) {
	wl_data_offer_add_listener(offer, &offer_listener, data);
}

static void drop_offer(struct drag *drag) {
	if (drag->offer != NULL) {
		wl_data_offer_destroy(drag->offer);
		drag->offer = NULL;
	}
}

static void handle_enter(void *data, struct wl_data_device *device, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y, struct wl_data_offer *offer) {
	struct drag *drag = data;
	const char *name = surface != NULL ? wl_surface_get_user_data(surface) : "?";
	client_log("drag enter %s %.2f %.2f", name, wl_fixed_to_double(x), wl_fixed_to_double(y));
	drag->offer = offer;
	if (offer != NULL && drag->refuse) {
		wl_data_offer_accept(offer, serial, NULL);
	} else if (offer != NULL) {
		wl_data_offer_accept(offer, serial, TEXT);
		wl_data_offer_set_actions(offer, COPY, COPY);
	}
}

static void handle_leave(void *data, struct wl_data_device *device) {
	struct drag *drag = data;
	client_log("drag leave");
	if (drag->received < 0) {
		drop_offer(drag);
	}
}

static void handle_motion(
	void *data, struct wl_data_device *device, uint32_t time, wl_fixed_t x, wl_fixed_t y) {
	client_log("drag motion %.2f %.2f", wl_fixed_to_double(x), wl_fixed_to_double(y));
}

static void handle_drop(void *data, struct wl_data_device *device) {
	struct drag *drag = data;
	int fds[2];
	client_log("drag drop");
	if (drag->offer == NULL) {
		return;
	}
	if (pipe(fds) < 0) {
		client_fail("no pipe");
	}
	wl_data_offer_receive(drag->offer, TEXT, fds[1]);
	close(fds[1]);
	drag->received = fds[0];
}

static void handle_selection(
	void *data, struct wl_data_device *device, struct wl_data_offer *offer) {
	if (offer != NULL) {
		wl_data_offer_destroy(offer);
	}
}

static const struct wl_data_device_listener device_listener = {
	.data_offer = handle_data_offer,
	.enter = handle_enter,
	.leave = handle_leave,
	.motion = handle_motion,
	.drop = handle_drop,
	.selection = handle_selection,
};

/* The window */

struct target {
	struct wl_surface *surface; // NULL where there are no subsurfaces
	struct wl_subsurface *subsurface;
	struct buffer *buffer;
};

static void target_init(struct target *target, struct client *client, struct window *window) {
	if (client->subcompositor == NULL) {
		return;
	}
	target->surface = wl_compositor_create_surface(client->compositor);
	seatlog_name(target->surface, "target");
	target->subsurface = wl_subcompositor_get_subsurface(
		client->subcompositor, target->surface, window->surface);
	wl_subsurface_set_position(target->subsurface, 140, 40);
	target->buffer = buffer_create_argb(client, 80, 80);
	buffer_fill(target->buffer, 0xff208020);
	buffer_attach(target->buffer, target->surface);
	wl_surface_damage_buffer(target->surface, 0, 0, 80, 80);
	wl_surface_commit(target->surface);
}

static void target_finish(struct target *target) {
	if (target->surface != NULL) {
		wl_subsurface_destroy(target->subsurface);
		wl_surface_destroy(target->surface);
		buffer_destroy(target->buffer);
	}
}

void feature_drag(struct client *client, int argc, char **argv) {
	struct drag drag = {.client = client, .received = -1};
	const char *mode = argc > 0 ? argv[0] : "";
	drag.refuse = strcmp(mode, "refuse") == 0;
	drag.internal = strcmp(mode, "internal") == 0;
	struct target target = {0};
	struct window *window = window_create(client, "drag", 240, 160);
	seatlog_name(window->surface, "window");
	target_init(&target, client, window);
	window_draw(window, 240, 160, 18);
	drag.icon_buffer = buffer_create_argb(client, 24, 24);
	buffer_fill(drag.icon_buffer, 0xfff0b010);
	seatlog_init(&drag.log, client, false);
	if (client->data_devices == NULL) {
		client_fail("no wl_data_device_manager");
	}
	drag.device = wl_data_device_manager_get_data_device(client->data_devices, client->seat);
	wl_data_device_add_listener(drag.device, &device_listener, &drag);
	drag.log.data = &drag;
	drag.log.button = handle_button;
	bool going = client_show_stage(client, "drag");
	if (going && strcmp(mode, "keep") != 0 && drag.source != NULL) {
		drop_source(&drag);
		client_roundtrip(client);
	}
	if (going) {
		client_stage(client, "source destroyed");
	}
	drop_offer(&drag);
	if (drag.source != NULL) {
		drop_source(&drag);
	}
	wl_data_device_release(drag.device);
	if (drag.icon != NULL) {
		wl_surface_destroy(drag.icon);
	}
	buffer_destroy(drag.icon_buffer);
	seatlog_finish(&drag.log);
	target_finish(&target);
	window_destroy(window);
}
