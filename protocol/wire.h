#ifndef PORTAL_WIRE_H
#define PORTAL_WIRE_H

/*
 * Checks the messages of one Wayland connection, in both directions, and keeps its table of
 * objects. Sees every message in the order in which it crosses, from the connection's first byte;
 * used alike at the guest's end, where the events are not trusted, and at the controller's, where
 * the requests are not. Fd-less and without time: see relay.h for who feeds it.
 */

#include <stddef.h>
#include <stdint.h>

#include "tables.h"

struct portal_quota;
struct portal_wire;

#define PORTAL_WIRE_MESSAGE_MAX 4096 /* bytes; libwayland's buffer */
#define PORTAL_WIRE_HEADER 8
#define PORTAL_WIRE_MAX_FDS 4 /* of one message; no protocol has more than one today */

enum portal_wire_verdict {
	PORTAL_WIRE_PASS, /* send it on, as it stands in the buffer: it may have been rewritten */
	PORTAL_WIRE_HIDE, /* nothing to do with the other end, such as a global that is not offered
			   */
	/*
	 * This connection must end, and no more: quota, no memory, or a use of Wayland that
	 * compositors do not survive.
	 */
	PORTAL_WIRE_REFUSE,
	PORTAL_WIRE_VIOLATION, /* whoever sent this does not keep the rules */
};

/* What a message is, for who moves it. */
struct portal_wire_info {
	uint32_t object;
	uint16_t opcode;
	uint8_t interface; /* index into portal_wire_interfaces */
	uint8_t n_fds;
	uint32_t cost; /* of a request: how many of the plainest kind make as much work */
	uint8_t fd_kinds[PORTAL_WIRE_MAX_FDS]; /* enum portal_wire_fd_kind, in the message's order
						*/
};

/*
 * A new connection. Requests come with offsets and sizes that count from the heap's header, and
 * leave with pool_base added, the header's place in this end's descriptor (0 at the guest's end);
 * no pool may then be larger than pool_max bytes: portal_heap_get_pool_size(). quota, which
 * outlives the connection, may be NULL for no limits. Returns NULL with errno ENOMEM.
 */
struct portal_wire *portal_wire_create(
	int32_t pool_max, uint32_t pool_base, struct portal_quota *quota);

/* Gives back to the quota what the connection still had. NULL is fine. */
void portal_wire_destroy(struct portal_wire *wire);

/*
 * The size of the message at the begin of data, or 0 when it cannot be told from so few bytes, or
 * -1 when no message has the size it claims.
 */
ptrdiff_t portal_wire_size(const void *data, size_t available);

/*
 * Checks one whole message of portal_wire_size() bytes, from the client or from the server, and
 * brings the table up to date. info is set for PASS and HIDE. After REFUSE or VIOLATION nothing
 * more may be fed.
 */
enum portal_wire_verdict portal_wire_request(struct portal_wire *wire, void *untrusted_message,
	size_t size, struct portal_wire_info *info);
enum portal_wire_verdict portal_wire_event(struct portal_wire *wire, void *untrusted_message,
	size_t size, struct portal_wire_info *info);

/*
 * Why the last message was not let through: "wl_shm_pool#7.create_buffer: …", without a line's end
 * and printable whatever the message held. Lives as long as the connection.
 */
const char *portal_wire_error(const struct portal_wire *wire);

/* Bytes of a pixel of a wl_shm format, 0 for one that is not let through. */
uint32_t portal_wire_pixel_bytes(uint32_t untrusted_format);

/* How many xdg_toplevels the client has. */
unsigned int portal_wire_count_toplevels(const struct portal_wire *wire);

#endif
