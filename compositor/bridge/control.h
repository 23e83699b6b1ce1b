#ifndef BRIDGE_CONTROL_H
#define BRIDGE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-varlink.h>

struct bridge;

/* org.portal.Bridge on the control socket; see bridge-varlink.h. */
struct bridge_control {
	struct bridge *bridge;
	sd_varlink_server *server;
	sd_varlink **watchers; /* of GetState with "more" */
	size_t n_watchers, watchers_capacity;
	uint64_t heap_told; /* bytes in buffers, as watchers know */
	uint64_t heap_peak; /* the most since then */
	uint64_t heap_told_at; /* CLOCK_MONOTONIC, µs */
	bool changed; /* watchers are to be told at the turn's end */
	bool waiting; /* and not yet: pause is to end first */
	uint64_t spent_until; /* an interval for each state that was told: CLOCK_MONOTONIC, µs */
	sd_event_source *pause; /* NULL until it is needed */
};

/*
 * The listening socket: handed over as systemd does (LISTEN_FDS), else made at
 * $XDG_RUNTIME_DIR/portal/bridge-VM.varlink, where a file that nobody listens on is replaced. -1
 * after printing why not. made: whether it was made here, so that its file is to be removed.
 */
int bridge_control_listen(const char *vm, bool *made);
void bridge_control_unlink(const char *vm);

/* Answers on a listening socket, which it takes over when it succeeds. Negative errno. */
int bridge_control_init(struct bridge_control *control, struct bridge *bridge, int listen_fd);
void bridge_control_finish(struct bridge_control *control);

/* Something GetState says has changed. */
void bridge_control_changed(struct bridge_control *control);

/* The end of a turn of the loop: tells watchers what changed, where not too much was told just now.
 */
void bridge_control_flush(struct bridge_control *control);

#endif
