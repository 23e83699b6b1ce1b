#ifndef OUTPUT_STATE_H
#define OUTPUT_STATE_H

struct output;
struct server;

/* Mode, scale, transform and position of outputs: from the configuration, and from programs that
 * speak wlr-output-management or -power-management (wlr-randr, kanshi, wlopm). */

void output_state_init(struct server *server);
void output_state_finish(struct server *server);

/** Applies the configuration to one output. Says on the log what it cannot do. */
void output_state_configure(struct output *output);
/** Tells those programs what is. */
void output_state_publish(struct server *server);

#endif
