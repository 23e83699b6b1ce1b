/*
 * A guest that does not keep the rules, for tests of the bridge: agent's side of the channel,
 * spoken by hand. test-hostile SOCKET WHAT listens at unix:SOCKET, prints "listening", "ready" once
 * the bridge is there, does WHAT on connection 1, and prints what becomes of it: "disconnected ID
 * REASON" for a connection, "closed REASON" for the channel, after which it exits.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "guest.h"
#include "heap.h"
#include "message.h"
#include "wire-tables.h"

#define CONNECTION 1
#define HEAP_BYTES (8 << 20)

enum { ID_REGISTRY = 2, ID_COMPOSITOR, ID_SHM, ID_WM_BASE, ID_SEAT, ID_SUBCOMPOSITOR, ID_FREE };

/* The globals an act may use, in the order of their ids. */
static const struct {
	const char *interface;
	uint32_t version;
} wanted[] = {
	{"wl_compositor", 4},
	{"wl_shm", 1},
	{"xdg_wm_base", 3},
	{"wl_seat", 1},
	{"wl_subcompositor", 1},
};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

struct guest {
	struct portal_channel *channel;
	struct portal_heap heap;
	struct message message;
	uint32_t names[WANTED];
	size_t known;
	void (*act)(struct guest *guest); /* once the globals are known */
	bool acted, closed;
	bool mute; /* says nothing to what was ended, having done so already */
	uint32_t flood; /* messages still to be sent */
	uint32_t ends; /* of programs, still to be told */
	uint32_t answer; /* the wl_callback that is waited for */
};

static void send_messages(struct guest *guest) {
	if (guest->message.size > 0) {
		portal_channel_send_wayland(
			guest->channel, CONNECTION, guest->message.data, guest->message.size);
		guest->message.size = 0;
	}
}

static void make_pool(struct guest *guest, int32_t size) {
	send_messages(guest);
	portal_channel_send_heap(guest->channel, CONNECTION);
	message_add(
		&guest->message, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", ID_FREE, size);
}

static void act_nothing(struct guest *guest) {
}

static void act_half_message(struct guest *guest) {
	message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", ID_FREE);
	guest->message.size -= 4;
}

static void act_no_object(struct guest *guest) {
	message_add(&guest->message, 1234, 0, "");
}

static void act_id_gap(struct guest *guest) {
	message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", ID_FREE + 7);
}

static void act_bind_hidden(struct guest *guest) {
	message_add(&guest->message, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun", 7777,
		"zwlr_screencopy_manager_v1", 3, ID_FREE);
}

static void act_big_pool(struct guest *guest) {
	make_pool(guest, INT32_MAX);
}

static void act_buffer_outside(struct guest *guest) {
	make_pool(guest, 4096);
	message_add(&guest->message, ID_FREE, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu",
		ID_FREE + 1, 4092, 2, 1, 8, 0);
}

static void act_no_descriptor(struct guest *guest) {
	message_add(
		&guest->message, ID_SHM, PORTAL_REQUEST_WL_SHM_CREATE_POOL, "ni", ID_FREE, 4096);
}

static void act_blob(struct guest *guest) {
	portal_channel_send_blob(guest->channel, CONNECTION, "evil", 4);
}

static void act_other_connection(struct guest *guest) {
	portal_channel_send_wayland(guest->channel, 99, "12345678", 8);
}

static void act_connect_twice(struct guest *guest) {
	portal_channel_send_connect(guest->channel, CONNECTION, "again");
}

static void act_too_many_connections(struct guest *guest) {
	guest->mute = true;
	for (uint32_t id = 2; id < 700; id++) {
		portal_channel_send_connect(guest->channel, id, "many");
	}
}

/* One connection after the other, each given up at once; then the compositor is asked for an
 * answer. */
static void act_come_and_go(struct guest *guest) {
	guest->mute = true;
	for (uint32_t id = 2; id < 502; id++) {
		portal_channel_send_connect(guest->channel, id, "brief");
		portal_channel_send_disconnect(guest->channel, id, "");
	}
	message_add(&guest->message, ID_COMPOSITOR, 0, "n", ID_FREE);
	message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", ID_FREE + 1);
}

/* Objects beyond the quota: this connection is cut, the channel stays. */
static void act_hoard(struct guest *guest) {
	for (uint32_t i = 0; i < 9000; i++) {
		message_add(&guest->message, ID_COMPOSITOR, 0, "n", ID_FREE + i);
		if (guest->message.size > 4000) {
			send_messages(guest);
		}
	}
}

/* More messages than the rate allows, on one surface; then the compositor is asked for an answer.
 */
#define FLOOD 500000

static void act_flood(struct guest *guest) {
	message_add(&guest->message, ID_COMPOSITOR, 0, "n", ID_FREE);
	guest->flood = FLOOD;
}

/* As much of it as the channel takes now. */
static void pump_flood(struct guest *guest) {
	while (guest->flood > 0) {
		uint32_t count = guest->flood < 100 ? guest->flood : 100;
		for (uint32_t i = 0; i < count; i++) {
			message_add(&guest->message, ID_FREE,
				PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_SCALE, "i", 1);
		}
		if (guest->flood == count) {
			message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n",
				ID_FREE + 1);
		}
		int result = portal_channel_send_wayland(
			guest->channel, CONNECTION, guest->message.data, guest->message.size);
		guest->message.size = 0;
		if (result < 0) {
			return;
		}
		guest->flood -= count;
	}
}

/* A subsurface that is looked for among 4000, time and again; then the compositor is asked for an
 * answer. */
static void act_restack(struct guest *guest) {
	const uint32_t parent = ID_FREE, first = ID_FREE + 1, end = first + 2 * 4000;
	message_add(&guest->message, ID_COMPOSITOR, 0, "n", parent);
	for (uint32_t id = first; id < end; id += 2) {
		message_add(&guest->message, ID_COMPOSITOR, 0, "n", id);
		message_add(&guest->message, ID_SUBCOMPOSITOR,
			PORTAL_REQUEST_WL_SUBCOMPOSITOR_GET_SUBSURFACE, "noo", id + 1, id, parent);
		if (guest->message.size > 4000) {
			send_messages(guest);
		}
	}
	for (uint32_t i = 0; i < 2000; i++) {
		message_add(&guest->message, first + 1, PORTAL_REQUEST_WL_SUBSURFACE_PLACE_ABOVE,
			"o", end - 2);
		if (guest->message.size > 4000) {
			send_messages(guest);
		}
	}
	send_messages(guest);
	guest->answer = end;
	message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", end);
}

/* Ends of programs that nobody started, each when the bridge has heard the one before; then the
 * compositor is asked for an answer. */
static void act_restless(struct guest *guest) {
	guest->ends = 2000;
	portal_channel_send_ping(guest->channel);
}

static void handle_pong(void *data) {
	struct guest *guest = data;
	if (guest->ends == 0) {
		return;
	}
	guest->ends--;
	portal_channel_send_exited(guest->channel, guest->ends, 0, 0);
	portal_channel_send_ping(guest->channel);
	if (guest->ends == 0) {
		message_add(&guest->message, ID_COMPOSITOR, 0, "n", ID_FREE);
		message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_SYNC, "n", ID_FREE + 1);
		send_messages(guest);
	}
}

/* What the compositor itself ends a client for: a surface with two roles is left to it. */
static void act_protocol_error(struct guest *guest) {
	make_pool(guest, 4096);
	message_add(&guest->message, ID_FREE, PORTAL_REQUEST_WL_SHM_POOL_CREATE_BUFFER, "niiiiu",
		ID_FREE + 1, 0, 2, 2, 8, 0);
	message_add(&guest->message, ID_COMPOSITOR, 0, "n", ID_FREE + 2);
	message_add(
		&guest->message, ID_FREE + 2, PORTAL_REQUEST_WL_SURFACE_SET_BUFFER_SCALE, "i", -3);
}

/* A surface, its xdg_surface, and a window of it: the ids are id, and the two behind it. */
static void make_xdg_surface(struct guest *guest, uint32_t id) {
	message_add(&guest->message, ID_COMPOSITOR, 0, "n", id);
	message_add(&guest->message, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_GET_XDG_SURFACE, "no",
		id + 1, id);
}

static void make_toplevel(struct guest *guest, uint32_t id) {
	make_xdg_surface(guest, id);
	message_add(&guest->message, id + 1, PORTAL_REQUEST_XDG_SURFACE_GET_TOPLEVEL, "n", id + 2);
	message_add(&guest->message, id, PORTAL_REQUEST_WL_SURFACE_COMMIT, "");
}

static void make_positioner(struct guest *guest, uint32_t id) {
	message_add(
		&guest->message, ID_WM_BASE, PORTAL_REQUEST_XDG_WM_BASE_CREATE_POSITIONER, "n", id);
	message_add(&guest->message, id, PORTAL_REQUEST_XDG_POSITIONER_SET_SIZE, "ii", 10, 10);
	message_add(&guest->message, id, PORTAL_REQUEST_XDG_POSITIONER_SET_ANCHOR_RECT, "iiii", 0,
		0, 10, 10);
}

/* A window that is not shown yet, and a popup of it. */
enum {
	ID_WINDOW = ID_FREE,
	ID_POSITIONER = ID_WINDOW + 3,
	ID_POPUP_SURFACE,
	ID_POPUP_XDG,
	ID_POPUP,
};

static void make_popup(struct guest *guest) {
	make_toplevel(guest, ID_WINDOW);
	make_positioner(guest, ID_POSITIONER);
	make_xdg_surface(guest, ID_POPUP_SURFACE);
	message_add(&guest->message, ID_POPUP_XDG, PORTAL_REQUEST_XDG_SURFACE_GET_POPUP, "noo",
		ID_POPUP, ID_WINDOW + 1, ID_POSITIONER);
}

static void act_early_reposition(struct guest *guest) {
	make_popup(guest);
	message_add(&guest->message, ID_POPUP, PORTAL_REQUEST_XDG_POPUP_REPOSITION, "ou",
		ID_POSITIONER, 1);
}

static void act_grab_twice(struct guest *guest) {
	make_popup(guest);
	message_add(&guest->message, ID_POPUP, PORTAL_REQUEST_XDG_POPUP_GRAB, "ou", ID_SEAT, 1);
	message_add(&guest->message, ID_POPUP, PORTAL_REQUEST_XDG_POPUP_GRAB, "ou", ID_SEAT, 1);
	message_add(&guest->message, ID_POPUP, PORTAL_REQUEST_XDG_POPUP_DESTROY, "");
}

static void act_own_parent(struct guest *guest) {
	make_positioner(guest, ID_FREE);
	make_xdg_surface(guest, ID_FREE + 1);
	message_add(&guest->message, ID_FREE + 2, PORTAL_REQUEST_XDG_SURFACE_GET_POPUP, "noo",
		ID_FREE + 3, ID_FREE + 2, ID_FREE);
	message_add(&guest->message, ID_FREE + 1, PORTAL_REQUEST_WL_SURFACE_COMMIT, "");
}

/* A tower of subsurfaces, each on the one before. */
static void act_tower(struct guest *guest) {
	message_add(&guest->message, ID_COMPOSITOR, 0, "n", ID_FREE);
	for (uint32_t id = ID_FREE + 1; id < ID_FREE + 12000; id += 2) {
		message_add(&guest->message, ID_COMPOSITOR, 0, "n", id);
		message_add(&guest->message, ID_SUBCOMPOSITOR,
			PORTAL_REQUEST_WL_SUBCOMPOSITOR_GET_SUBSURFACE, "noo", id + 1, id,
			id == ID_FREE + 1 ? ID_FREE : id - 2);
		if (guest->message.size > 4000) {
			send_messages(guest);
		}
	}
	message_add(&guest->message, ID_FREE, PORTAL_REQUEST_WL_SURFACE_COMMIT, "");
}

/* A region that takes longer to change with each rectangle. */
static void act_grid(struct guest *guest) {
	message_add(&guest->message, ID_COMPOSITOR, PORTAL_REQUEST_WL_COMPOSITOR_CREATE_REGION, "n",
		ID_FREE);
	for (int32_t i = 0; i < 4000; i++) {
		bool row = i % 2 == 0;
		message_add(&guest->message, ID_FREE, PORTAL_REQUEST_WL_REGION_ADD, "iiii",
			row ? 0 : 2 * i, row ? 2 * i : 0, row ? 20000 : 1, row ? 1 : 20000);
		if (guest->message.size > 4000) {
			send_messages(guest);
		}
	}
}

/* Commits that wait for a parent that never makes one. */
static void act_waiting_commits(struct guest *guest) {
	message_add(&guest->message, ID_COMPOSITOR, 0, "n", ID_FREE);
	message_add(&guest->message, ID_COMPOSITOR, 0, "n", ID_FREE + 1);
	message_add(&guest->message, ID_SUBCOMPOSITOR,
		PORTAL_REQUEST_WL_SUBCOMPOSITOR_GET_SUBSURFACE, "noo", ID_FREE + 2, ID_FREE + 1,
		ID_FREE);
	for (int i = 0; i < 5000; i++) {
		message_add(&guest->message, ID_FREE + 1, PORTAL_REQUEST_WL_SURFACE_COMMIT, "");
		if (guest->message.size > 4000) {
			send_messages(guest);
		}
	}
}

static const struct {
	const char *name;
	void (*act)(struct guest *guest);
} acts[] = {
	{"nothing", act_nothing},
	{"other-heap", act_nothing}, /* and goes on, as if the bridge had found it */
	{"half-message", act_half_message},
	{"no-object", act_no_object},
	{"id-gap", act_id_gap},
	{"bind-hidden", act_bind_hidden},
	{"big-pool", act_big_pool},
	{"buffer-outside", act_buffer_outside},
	{"no-descriptor", act_no_descriptor},
	{"blob", act_blob},
	{"other-connection", act_other_connection},
	{"connect-twice", act_connect_twice},
	{"too-many-connections", act_too_many_connections},
	{"come-and-go", act_come_and_go},
	{"hoard", act_hoard},
	{"flood", act_flood},
	{"restack", act_restack},
	{"restless", act_restless},
	{"protocol-error", act_protocol_error},
	{"early-reposition", act_early_reposition},
	{"grab-twice", act_grab_twice},
	{"own-parent", act_own_parent},
	{"tower", act_tower},
	{"grid", act_grid},
	{"waiting-commits", act_waiting_commits},
};

static void handle_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct guest *guest = data;
	puts("ready");
	portal_channel_send_connect(guest->channel, CONNECTION, "hostile");
	message_add(&guest->message, 1, PORTAL_REQUEST_WL_DISPLAY_GET_REGISTRY, "n", ID_REGISTRY);
	send_messages(guest);
}

static void handle_closed(void *data, const struct portal_channel_end *end) {
	struct guest *guest = data;
	printf("closed %s: %s\n", portal_bye_reason_name(end->reason), end->text);
	guest->closed = true;
}

static void handle_disconnect(void *data, uint32_t connection, const char *reason) {
	struct guest *guest = data;
	printf("disconnected %u %s\n", connection, reason);
	if (!guest->mute) {
		portal_channel_send_disconnect(guest->channel, connection, "");
	}
}

/* wl_registry.global of what is wanted. */
static void note_global(struct guest *guest, const uint8_t *event) {
	uint32_t name;
	memcpy(&name, event + 8, 4);
	for (size_t i = 0; i < WANTED; i++) {
		if (strcmp((const char *)event + 16, wanted[i].interface) == 0) {
			guest->names[i] = name;
			guest->known++;
		}
	}
}

static void act(struct guest *guest) {
	guest->acted = true;
	for (size_t i = 0; i < WANTED; i++) {
		message_add(&guest->message, ID_REGISTRY, PORTAL_REQUEST_WL_REGISTRY_BIND, "usun",
			guest->names[i], wanted[i].interface, wanted[i].version,
			(uint32_t)(ID_COMPOSITOR + i));
	}
	send_messages(guest);
	guest->act(guest);
	send_messages(guest);
	puts("acted");
}

static void handle_wayland(void *data, uint32_t connection, const void *messages, size_t size) {
	struct guest *guest = data;
	const uint8_t *at = messages, *end = at + size;
	while (at < end) {
		uint32_t object, word;
		memcpy(&object, at, 4);
		memcpy(&word, at + 4, 4);
		if (object == ID_REGISTRY && (word & 0xffff) == PORTAL_EVENT_WL_REGISTRY_GLOBAL) {
			note_global(guest, at);
		} else if (object == guest->answer) {
			puts("answered");
		}
		at += word >> 16;
	}
	if (!guest->acted && guest->known == WANTED) {
		act(guest);
	}
}

static const struct portal_channel_handlers handlers = {
	.ready = handle_ready,
	.closed = handle_closed,
	.disconnect = handle_disconnect,
	.wayland = handle_wayland,
	.pong = handle_pong,
};

static void run(struct guest *guest) {
	while (!guest->closed) {
		struct pollfd pollfd = {
			portal_channel_get_fd(guest->channel),
			portal_channel_get_events(guest->channel),
			0,
		};
		poll(&pollfd, 1, -1);
		if (portal_channel_dispatch(guest->channel, pollfd.revents) < 0) {
			break;
		}
		pump_flood(guest);
		portal_channel_flush(guest->channel);
	}
}

int main(int argc, char *argv[]) {
	static struct guest guest = {.answer = ID_FREE + 1};
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc == 3 && i < sizeof(acts) / sizeof(acts[0]); i++) {
		if (strcmp(argv[2], acts[i].name) == 0) {
			guest.act = acts[i].act;
		}
	}
	if (!guest.act) {
		fprintf(stderr, "usage: test-hostile SOCKET WHAT\n");
		return 2;
	}
	bool other_heap = strcmp(argv[2], "other-heap") == 0;
	guest.channel = guest_await_bridge(
		argv[1], "hostile", HEAP_BYTES, other_heap, &guest.heap, &handlers, &guest);
	if (!guest.channel) {
		perror("test-hostile");
		return 1;
	}
	run(&guest);
	portal_channel_destroy(guest.channel);
	portal_heap_finish(&guest.heap);
	return 0;
}
