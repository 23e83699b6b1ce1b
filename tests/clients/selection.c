/* copy [primary] [SIZE]: a window that offers SIZE bytes (23) as the clipboard's selection, or the
 * primary one, once it has the keyboard, and again at each stage.
 * copy [primary] silent: the same, but what is asked for is never written.
 * paste [primary]: a window that prints what it is offered, and at each stage what it gets.
 * paste [primary] stale: the same, but each time it asks the offer that came first. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "feature.h"
#include "primary-selection-unstable-v1-client-protocol.h"
#include "seatlog.h"
#include "window.h"

static const char *const types[] = {"text/plain;charset=utf-8", "text/plain"};

/* An offer of either protocol, with the types it has. */
struct offer {
	struct wl_data_offer *data; // or
	struct zwp_primary_selection_offer_v1 *primary;
	char types[256]; // a blank before each
	struct offer *former;
};

struct selection {
	struct client *client;
	struct seatlog log;
	struct wl_data_device *device; // or
	struct zwp_primary_selection_device_v1 *primary_device;
	struct wl_data_source *source; // or
	struct zwp_primary_selection_source_v1 *primary_source;
	struct offer *offers; // the newest first
	struct offer *current; // the selection; NULL: none
	size_t size; // of what is copied
	bool primary, silent, stale;
};

static uint32_t hash(uint32_t value, const uint8_t *bytes, size_t size) {
	for (size_t i = 0; i < size; i++) {
		value = (value ^ bytes[i]) * 16777619u; // FNV-1a
	}
	return value;
}

#define HASH_START 2166136261u

/* Text without a period that a pipe's or page's size would be a multiple of. */
static uint8_t *make_content(size_t size) {
	uint8_t *content = malloc(size);
	if (content == NULL) {
		client_fail("out of memory");
	}
	for (size_t i = 0; i < size; i++) {
		content[i] = (uint8_t)('a' + (i * 7 + i / 251) % 26);
	}
	return content;
}

/* The source */

static void send_content(struct selection *selection, const char *type, int fd) {
	if (selection->silent) {
		client_log("asked %s", type);
		return; // the descriptor stays open until the end of the program
	}
	uint8_t *content = make_content(selection->size);
	size_t sent = 0;
	while (sent < selection->size) {
		ssize_t n = write(fd, content + sent, selection->size - sent);
		if (n < 0) {
			break;
		}
		sent += (size_t)n;
	}
	close(fd);
	client_log("sent %s %zu %08x", type, sent, hash(HASH_START, content, sent));
	free(content);
}

static void handle_target(void *data, struct wl_data_source *source, const char *type) {
	/* Of drags. */
}

static void handle_send(void *data, struct wl_data_source *source, const char *type, int32_t fd) {
	send_content(data, type, fd);
}

static void handle_cancelled(void *data, struct wl_data_source *source) {
	struct selection *selection = data;
	client_log("cancelled");
	wl_data_source_destroy(source);
	if (selection->source == source) {
		selection->source = NULL;
	}
}

static const struct wl_data_source_listener source_listener = {
	.target = handle_target,
	.send = handle_send,
	.cancelled = handle_cancelled,
};

static void handle_primary_send(
	void *data, struct zwp_primary_selection_source_v1 *source, const char *type, int32_t fd) {
	send_content(data, type, fd);
}

static void handle_primary_cancelled(void *data, struct zwp_primary_selection_source_v1 *source) {
	struct selection *selection = data;
	client_log("cancelled");
	zwp_primary_selection_source_v1_destroy(source);
	if (selection->primary_source == source) {
		selection->primary_source = NULL;
	}
}

static const struct zwp_primary_selection_source_v1_listener primary_source_listener = {
	.send = handle_primary_send,
	.cancelled = handle_primary_cancelled,
};

static void copy_primary(struct selection *selection) {
	struct zwp_primary_selection_source_v1 *source =
		zwp_primary_selection_device_manager_v1_create_source(
			selection->client->primary_selections);
	zwp_primary_selection_source_v1_add_listener(source, &primary_source_listener, selection);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		zwp_primary_selection_source_v1_offer(source, types[i]);
	}
	zwp_primary_selection_device_v1_set_selection(
		selection->primary_device, source, selection->log.key_serial);
	selection->primary_source = source;
}

static void copy_data(struct selection *selection) {
	struct wl_data_source *source =
		wl_data_device_manager_create_data_source(selection->client->data_devices);
	wl_data_source_add_listener(source, &source_listener, selection);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		wl_data_source_offer(source, types[i]);
	}
	wl_data_device_set_selection(selection->device, source, selection->log.key_serial);
	selection->source = source;
}

/* The offers */

static struct offer *offer_add(struct selection *selection) {
	struct offer *offer = calloc(1, sizeof(*offer));
	if (offer == NULL) {
		client_fail("out of memory");
	}
	offer->former = selection->offers;
	selection->offers = offer;
	return offer;
}

static void add_type(struct offer *offer, const char *type) {
	size_t length = strlen(offer->types);
	snprintf(offer->types + length, sizeof(offer->types) - length, " %s", type);
}

static void handle_offer_type(void *data, struct wl_data_offer *object, const char *type) {
	add_type(data, type);
}

static void handle_source_actions(void *data, struct wl_data_offer *object, uint32_t actions) {
	/* Of drags, as the next. */
}

static void handle_action(void *data, struct wl_data_offer *object, uint32_t action) {
}

static const struct wl_data_offer_listener offer_listener = {
	.offer = handle_offer_type,
	.source_actions = handle_source_actions,
	.action = handle_action,
};

static void handle_primary_type(
	void *data, struct zwp_primary_selection_offer_v1 *object, const char *type) {
	add_type(data, type);
}

static const struct zwp_primary_selection_offer_v1_listener primary_offer_listener = {
	.offer = handle_primary_type,
};

static void take_selection(struct selection *selection, struct offer *offer) {
	selection->current = offer;
	client_log("offered%s", offer != NULL ? offer->types : " none");
}

static void handle_data_offer(
	void *data, struct wl_data_device *device, struct wl_data_offer *object) {
	struct offer *offer = offer_add(data);
	offer->data = object;
	wl_data_offer_add_listener(object, &offer_listener, offer);
}

static void handle_enter(void *data, struct wl_data_device *device, uint32_t serial,
	struct wl_surface *surface, wl_fixed_t x, wl_fixed_t y, struct wl_data_offer *object) {
	client_log("drag enter");
}

static void handle_leave(void *data, struct wl_data_device *device) {
	client_log("drag leave");
}

static void handle_motion(
	void *data, struct wl_data_device *device, uint32_t time, wl_fixed_t x, wl_fixed_t y) {
	client_log("drag motion");
}

static void handle_drop(void *data, struct wl_data_device *device) {
	client_log("drag drop");
}

static void handle_selection(
	void *data, struct wl_data_device *device, struct wl_data_offer *object) {
	take_selection(data, object != NULL ? wl_data_offer_get_user_data(object) : NULL);
}

static const struct wl_data_device_listener device_listener = {
	.data_offer = handle_data_offer,
	.enter = handle_enter,
	.leave = handle_leave,
	.motion = handle_motion,
	.drop = handle_drop,
	.selection = handle_selection,
};

static void handle_primary_offer(void *data, struct zwp_primary_selection_device_v1 *device,
	struct zwp_primary_selection_offer_v1 *object) {
	struct offer *offer = offer_add(data);
	offer->primary = object;
	zwp_primary_selection_offer_v1_add_listener(object, &primary_offer_listener, offer);
}

static void handle_primary_selection(void *data, struct zwp_primary_selection_device_v1 *device,
	struct zwp_primary_selection_offer_v1 *object) {
	take_selection(
		data, object != NULL ? zwp_primary_selection_offer_v1_get_user_data(object) : NULL);
}

static const struct zwp_primary_selection_device_v1_listener primary_device_listener = {
	.data_offer = handle_primary_offer,
	.selection = handle_primary_selection,
};

/* Reads what the first type of an offer is to its end. */
static void paste(struct selection *selection, struct offer *offer) {
	char type[sizeof(offer->types)], buffer[4096];
	int fds[2];
	size_t size = 0;
	uint32_t value = HASH_START;
	if (offer == NULL || sscanf(offer->types, "%255s", type) != 1) {
		client_log("pasted none");
		return;
	}
	if (pipe(fds) < 0) {
		client_fail("no pipe");
	}
	if (offer->data != NULL) {
		wl_data_offer_receive(offer->data, type, fds[1]);
	} else {
		zwp_primary_selection_offer_v1_receive(offer->primary, type, fds[1]);
	}
	/* Of a client that ends, a compositor may read nothing more: now it has read this. */
	client_roundtrip(selection->client);
	close(fds[1]);
	client_log("reading");
	for (ssize_t n; (n = read(fds[0], buffer, sizeof(buffer))) > 0;) {
		value = hash(value, (uint8_t *)buffer, (size_t)n);
		size += (size_t)n;
	}
	close(fds[0]);
	client_log("pasted %s %zu %08x", type, size, value);
}

/* Both */

static void read_arguments(struct selection *selection, int argc, char **argv) {
	selection->size = 23;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "primary") == 0) {
			selection->primary = true;
		} else if (strcmp(argv[i], "silent") == 0) {
			selection->silent = true;
		} else if (strcmp(argv[i], "stale") == 0) {
			selection->stale = true;
		} else {
			selection->size = strtoul(argv[i], NULL, 10);
		}
	}
}

static struct window *start(struct selection *selection, struct client *client, const char *name) {
	selection->client = client;
	struct window *window = window_create(client, name, 200, 160);
	window_draw(window, 200, 160, 16);
	seatlog_init(&selection->log, client, true);
	if (selection->primary ? client->primary_selections == NULL
			       : client->data_devices == NULL) {
		client_fail("the compositor has no such selection");
	}
	if (selection->primary) {
		selection->primary_device = zwp_primary_selection_device_manager_v1_get_device(
			client->primary_selections, client->seat);
		zwp_primary_selection_device_v1_add_listener(
			selection->primary_device, &primary_device_listener, selection);
	} else {
		selection->device =
			wl_data_device_manager_get_data_device(client->data_devices, client->seat);
		wl_data_device_add_listener(selection->device, &device_listener, selection);
	}
	return window;
}

static void finish(struct selection *selection, struct window *window) {
	while (selection->offers != NULL) {
		struct offer *offer = selection->offers;
		selection->offers = offer->former;
		if (offer->data != NULL) {
			wl_data_offer_destroy(offer->data);
		} else {
			zwp_primary_selection_offer_v1_destroy(offer->primary);
		}
		free(offer);
	}
	if (selection->source != NULL) {
		wl_data_source_destroy(selection->source);
	}
	if (selection->primary_source != NULL) {
		zwp_primary_selection_source_v1_destroy(selection->primary_source);
	}
	if (selection->device != NULL) {
		wl_data_device_release(selection->device);
	}
	if (selection->primary_device != NULL) {
		zwp_primary_selection_device_v1_destroy(selection->primary_device);
	}
	seatlog_finish(&selection->log);
	window_destroy(window);
}

void feature_copy(struct client *client, int argc, char **argv) {
	struct selection selection = {0};
	read_arguments(&selection, argc, argv);
	signal(SIGPIPE, SIG_IGN); // whoever asked may be gone
	struct window *window = start(&selection, client, "copy");
	do {
		client_wait(client, &selection.log.focused);
		if (selection.primary) {
			copy_primary(&selection);
		} else {
			copy_data(&selection);
		}
		client_roundtrip(client);
	} while (client_stage(client, "copied"));
	finish(&selection, window);
}

void feature_paste(struct client *client, int argc, char **argv) {
	struct selection selection = {0};
	read_arguments(&selection, argc, argv);
	struct window *window = start(&selection, client, "paste");
	struct offer *first = NULL;
	while (client_stage(client, "paste")) {
		if (first == NULL) {
			first = selection.current;
		}
		paste(&selection, selection.stale ? first : selection.current);
	}
	finish(&selection, window);
}
