#ifndef CHANNEL_PAIR_H
#define CHANNEL_PAIR_H

#include <stdio.h>

#include "channel.h"

/* What one end's handlers have seen, as lines of text, so that tests compare whole conversations.
 */
struct channel_end {
	struct portal_channel *channel;
	enum portal_role role;
	char log[8192];
	size_t log_size;
	int ready_count, closed_count, writable_count;
	int heap_fd; /* received, −1 when none */
	enum portal_bye_reason closed_reason;
	bool closed_by_peer;
	char closed_text[PORTAL_BYE_TEXT_MAX + 1];
	size_t wayland_bytes;
	uint8_t *blob;
	size_t blob_size;
	bool destroy_on_wayland;
};

struct channel_pair {
	struct channel_end controller, guest;
};

extern const struct portal_channel_handlers channel_end_handlers;

/* Options of an end as tests want them; key may be NULL. */
struct portal_channel_options channel_end_options(enum portal_role role, const uint8_t *key);

/* An end over its side of a socket pair that is said to be of this address ("unix:/x"). */
void channel_end_init(struct channel_end *end, int fd, const char *address,
	const struct portal_channel_options *options);
void channel_end_finish(struct channel_end *end);

/* Both ends over a new socket pair. */
void channel_pair_init(struct channel_pair *pair, const char *address,
	const struct portal_channel_options *controller,
	const struct portal_channel_options *guest);
void channel_pair_finish(struct channel_pair *pair);

/* Dispatch both until neither has work: nothing is readable, nothing waits for space. */
void channel_pair_settle(struct channel_pair *pair);
void channel_end_settle(struct channel_end *end);

#endif
