/* The surfaces of one frame: one, and the subsurfaces that are synchronised with it. */
#ifndef GUEST_AGENT_GROUP_H
#define GUEST_AGENT_GROUP_H

#include <stdbool.h>

struct surface;

/** Does `check` hold for a surface or one that is sent with it? */
bool group_any(struct surface *surface, bool (*check)(struct surface *surface));

/**
 * Room in the heap for all of a frame or for none of it, so that no two frames hold what the other
 * one waits for. A second buffer for one surface may be the room that another one lacks for its
 * first: where there is no room otherwise all of them take as little as they can.
 */
bool group_reserve(struct surface *root);

#endif
