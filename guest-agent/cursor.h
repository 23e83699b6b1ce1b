/* The pointer's picture: a surface of the client, or a shape by name. */
#ifndef GUEST_AGENT_CURSOR_H
#define GUEST_AGENT_CURSOR_H

struct wlr_cursor_shape_manager_v1_request_set_shape_event;

/** For the cursor-shape manager's request_set_shape. */
void cursor_set_shape(const struct wlr_cursor_shape_manager_v1_request_set_shape_event *event);

#endif
