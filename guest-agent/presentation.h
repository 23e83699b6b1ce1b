/* When a frame was shown, in the guest's clock: wp_presentation. */
#ifndef GUEST_AGENT_PRESENTATION_H
#define GUEST_AGENT_PRESENTATION_H

struct connection;
struct surface;

/** For a connection's new wp_presentation. */
void presentation_listen(struct connection *connection);

/** The connection goes: what waits on it is discarded. */
void presentation_finish(struct connection *connection);

/** The surface's state is being sent: asks the controller when it is shown, if the client asked. */
void presentation_send(struct surface *surface);

#endif
