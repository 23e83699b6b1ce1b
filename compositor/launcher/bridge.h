#ifndef PORTAL_LAUNCHER_BRIDGE_H
#define PORTAL_LAUNCHER_BRIDGE_H

#include <stdbool.h>
#include <systemd/sd-varlink.h>

/* The caller's side of org.portal.Bridge (compositor/control/bridge-varlink.h). */

struct bridge_state {
	bool ready;
	char problem[16]; /* while waiting: unreachable, key, version, heap, protocol; or empty */
	char message[256];
	int64_t windows, programs;
	int64_t heap_in_buffers; /* bytes, as the bridge counts; 0 while waiting */
};

/* Connects to a bridge's socket. NULL with errno: ENOENT and ECONNREFUSED mean that there is none.
 */
sd_varlink *bridge_connect(const char *path);

/* A member of an answer, "" where it has no such text: as portal_printable_copy() leaves it, for a
 * process that reads a guest has written it. */
void bridge_copy_text(char *to, size_t size, sd_json_variant *object, const char *key);

/* Reads the parameters of a reply to GetState. False when they are not what they should be. */
bool bridge_state_read(struct bridge_state *state, sd_json_variant *parameters);

/* Asks once and waits for the answer. Returns 0, or a negative errno. */
int bridge_get_state(const char *path, struct bridge_state *state);
/* Ends it. One that is not there is fine. */
void bridge_quit(const char *path);

#endif
