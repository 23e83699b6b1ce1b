/*
 * The agent of a guest: a Wayland server without a renderer for the guest's applications, and a
 * Wayland client of the controller for each of them.
 *
 * wlroots keeps the state of every surface, the agent turns each applied state into requests on
 * *mirror* objects of the controller. A mirror can vanish at any time, when the controller goes
 * away, and is made again from wlroots' state at the next connection; so no file keeps state that
 * lives only in a mirror. "local" is always the applications' side, "mirror" or "remote" the
 * controller's.
 *
 * File by file: server.c the globals offered to applications; app.c one application; connection.c
 * its connection to the controller; surface.c, group.c, subsurface.c, xdg.c, toplevel.c, popup.c
 * the windows; content.c, slot.c, copy.c and region.c their pixels; seat.c, pointer.c, keyboard.c,
 * touch.c, cursor.c and serial.c input; output.c, presentation.c; launch.c programs; controller.c
 * how to reach one.
 */
#ifndef GUEST_AGENT_AGENT_H
#define GUEST_AGENT_AGENT_H

#include "socket.h"
#include <heap.h>
#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

struct portal_heap_alloc;

struct agent {
	struct wl_display *display; // the applications' side
	struct wl_event_loop *loop;
	bool running;
	int status; // the program's exit status

	struct controller *controller;
	struct portal_heap heap;
	struct portal_heap_alloc *heap_alloc;
	struct server *server;
	struct agent_socket socket;
	struct connection *connection; // the agent's own: outputs, seats, formats; NULL while away

	struct wl_list apps; // app.link
	struct wl_list outputs; // output.link
	struct wl_list seats; // seat.link
	struct wl_list starved; // surface.starved_link: waiting for room in the heap
	struct wl_list slots; // content_slot.age_link, the one used last at the end
	uint64_t frames; // copied so far, of all contents

	struct agent_stats {
		uint64_t commits_in, commits_out;
		uint64_t pixels_damaged, pixels_copied;
	} stats;

	struct wl_listener client_created;
	struct wl_protocol_logger *watch;
	struct wl_event_source *signals[3];
	struct wl_event_source *retry; // idle: the starved are tried again
	struct wl_event_source *hunger; // timer: the starved are told of
};

/**
 * Sets up the display and everything that needs no controller. The heap of `address` is made, the
 * controller taken over. Returns 0, or −1 after a log line; nothing is left behind then.
 */
int agent_init(struct agent *agent, const struct portal_heap_address *address,
	struct controller *controller);
void agent_finish(struct agent *agent);

/** Dispatches events until agent_stop(); returns the exit status. */
int agent_run(struct agent *agent);
void agent_stop(struct agent *agent, int status);

/** Reads the connections that the channel has brought something for, in the turn it was brought. */
void agent_read_delivered(struct agent *agent);

/** A surface is about to join those that wait for room; where that lasts, the log tells. */
void agent_starved(struct agent *agent);

/** Room in the heap was given back or became spare: surfaces that wait are tried again, soon. */
void agent_heap_freed(struct agent *agent);

/** A controller can be reached (again): opens the agent's own connection. */
void agent_controller_up(struct agent *agent);

/** The agent's own connection knows the controller's globals: windows are made, or made again. */
void agent_controller_ready(struct agent *agent);

/** The controller is gone: every mirror is dropped, applications keep running. */
void agent_controller_down(struct agent *agent);

#endif
