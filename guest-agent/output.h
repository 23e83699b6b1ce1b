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
	struct wl_list link; // agent.outputs
};

/* What wl_output and zxdg_output_v1 describe, until `done`. */
struct output_description {
	char *name, *description, *make, *model;
	int32_t phys_width, phys_height, subpixel, transform;
	int32_t x, y, scale;
	int32_t width, height, refresh; // of the mode
	int32_t logical_x, logical_y, logical_width, logical_height; // width 0: not said
};

/* A connection's wl_output. Those of the agent's own connection describe the local outputs. */
struct output_link {
	struct connection *connection;
	uint32_t global, version;
	struct wl_output *mirror; // NULL on an application's until the output is known
	struct zxdg_output_v1 *xdg;
	struct output_description next;
	struct wl_list link; // connection.outputs
};

/** Binds a wl_output global on a connection, an application's once there is a local output. */
void output_bind(struct connection *connection, uint32_t global, uint32_t version);
/** Asks for its logical place too, once all globals are known. */
void output_describe(struct output_link *link);
/** The global or the connection is gone. */
void output_link_destroy(struct output_link *link);

/** The local output of a mirror, or NULL. */
struct output *output_from_mirror(struct agent *agent, struct wl_output *mirror);
/** The mirror of a local output on a connection, or NULL. */
struct wl_output *output_mirror(struct connection *connection, const struct wlr_output *wlr);

/** The controller is gone: outputs stay, until the next one says which it has. */
void output_forget_all(struct agent *agent);
/** The controller has described its outputs: those it lacks go. */
void output_sweep(struct agent *agent);
void output_destroy(struct output *output);

#endif
