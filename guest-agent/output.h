/* Outputs of the controller as the guest's applications see them. */
#ifndef GUEST_AGENT_OUTPUT_H
#define GUEST_AGENT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_output.h>

struct agent;
struct connection;

struct output {
	struct wlr_output wlr;
	struct agent *agent;
	uint32_t global; // the controller's name for it
	bool present; // the controller of now has it
	int32_t x, y; // logical
	struct wl_list link; // agent.outputs
};

/* One connection's wl_output; those of the agent's own connection also feed the output's state. */
struct output_link {
	struct connection *connection;
	uint32_t global;
	struct wl_output *mirror;
	struct zxdg_output_v1 *xdg;
	struct output_state *state; // collected until `done`; the agent's own connection only
	struct wl_list link; // connection.outputs
};

/** Binds a wl_output global on a connection. */
void output_bind(struct connection *connection, uint32_t global, uint32_t version);
void output_link_destroy(struct output_link *link);
/** The local output of a mirror, or NULL. */
struct output *output_from_mirror(struct agent *agent, struct wl_output *mirror);
/** The mirror of a local output on a connection, or NULL. */
struct wl_output *output_mirror(struct connection *connection, const struct wlr_output *wlr);
/** Removes the output from the applications' view. */
void output_destroy(struct output *output);

#endif
