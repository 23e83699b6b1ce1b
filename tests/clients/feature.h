/* The subcommands of the test client, one file each. A feature gets the connected client and the
 * arguments after its name, and returns when it has been told to end. */
#ifndef FEATURE_H
#define FEATURE_H

#include "client.h"

void feature_formats(struct client *client, int argc, char **argv);
void feature_damage(struct client *client, int argc, char **argv);
void feature_scale(struct client *client, int argc, char **argv);
void feature_fractional(struct client *client, int argc, char **argv);
void feature_transform(struct client *client, int argc, char **argv);
void feature_viewport(struct client *client, int argc, char **argv);
void feature_subsurfaces(struct client *client, int argc, char **argv);
void feature_nested(struct client *client, int argc, char **argv);
void feature_regions(struct client *client, int argc, char **argv);
void feature_states(struct client *client, int argc, char **argv);
void feature_decorations(struct client *client, int argc, char **argv);
void feature_dialog(struct client *client, int argc, char **argv);
void feature_menu(struct client *client, int argc, char **argv);
void feature_minimize(struct client *client, int argc, char **argv);
void feature_geometry(struct client *client, int argc, char **argv);
void feature_rename(struct client *client, int argc, char **argv);
void feature_remap(struct client *client, int argc, char **argv);
void feature_popups(struct client *client, int argc, char **argv);
void feature_grab(struct client *client, int argc, char **argv);
void feature_grabtwice(struct client *client, int argc, char **argv);
void feature_cursor(struct client *client, int argc, char **argv);
void feature_shapes(struct client *client, int argc, char **argv);
void feature_events(struct client *client, int argc, char **argv);
void feature_copy(struct client *client, int argc, char **argv);
void feature_paste(struct client *client, int argc, char **argv);
void feature_drag(struct client *client, int argc, char **argv);
void feature_pacing(struct client *client, int argc, char **argv);
void feature_presentation(struct client *client, int argc, char **argv);
void feature_many(struct client *client, int argc, char **argv);
void feature_resize(struct client *client, int argc, char **argv);
void feature_intrude(struct client *client, int argc, char **argv);
void feature_outputs(struct client *client, int argc, char **argv);
void feature_activated(struct client *client, int argc, char **argv);
void feature_activation(struct client *client, int argc, char **argv);
void feature_constraint(struct client *client, int argc, char **argv);
void feature_cursor_size(struct client *client, int argc, char **argv);
void feature_idle(struct client *client, int argc, char **argv);
void feature_inhibit(struct client *client, int argc, char **argv);
void feature_layer(struct client *client, int argc, char **argv);
void feature_orders(struct client *client, int argc, char **argv);
void feature_power(struct client *client, int argc, char **argv);
void feature_reposition(struct client *client, int argc, char **argv);
void feature_stubborn(struct client *client, int argc, char **argv);
void feature_twiceparent(struct client *client, int argc, char **argv);

#endif
