#ifndef PORTAL_TEST_RELAY_FIXTURE_H
#define PORTAL_TEST_RELAY_FIXTURE_H

/*
 * A real Wayland client and a real Wayland server in one process, with everything of Portal that
 * lies between them: client ↔ relay ↔ channel ↔ relay ↔ server.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <wayland-client.h>

#include "channel.h"
#include "heap.h"
#include "quota.h"
#include "relay.h"
#include "test_server.h"

#define CONNECTION 7

struct end {
	struct fixture *fixture;
	struct portal_channel *channel;
	struct portal_relay *relay;
	struct portal_heap heap;
	bool ended, released, congested;
	enum portal_relay_end end;
	char text[256];
	enum portal_bye_reason bye; /* 0 while the channel is there */
	bool idle; /* not dispatched: a guest that does not read, a bridge that hangs */
	int throttled;
	bool waits; /* the time that throttle asked for does not pass by itself */
};

struct fixture {
	struct end guest, controller;
	struct portal_quota quota;
	struct test_server server;
	struct wl_client *server_client;
	struct wl_listener server_client_destroy; /* wl_client.destroy */
	struct wl_display *client; /* NULL: the test speaks frames itself */
	bool server_idle;
	size_t queue_size; /* of the channels, 0 for the default */
	size_t backlog_max;
	int fds_before;
};

/* Both ends and, unless the test speaks frames itself, a client. */
void fixture_start(struct fixture *fixture, bool with_client);

/* Runs everything that is not idle until nothing moves any more. */
void fixture_settle(struct fixture *fixture);

/* wl_display_roundtrip() that lets the other parts run. -1 when the connection ended. */
int fixture_roundtrip(struct fixture *fixture);

int fixture_setup(void **state);
int fixture_teardown(void **state);

#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

#endif
