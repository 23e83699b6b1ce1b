#include <time.h>

#include "channel-impl.h"

uint64_t portal_channel_clock_now(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void portal_channel_clock_take(
	struct portal_channel *channel, const struct portal_frame_pong *untrusted_pong) {
	uint64_t now = portal_channel_clock_now();
	if (channel->ping_sent == 0 || untrusted_pong->ping_sent != channel->ping_sent) {
		return; /* an answer to an older PING, or to none */
	}
	uint64_t round_trip = now - channel->ping_sent;
	uint64_t middle = channel->ping_sent + round_trip / 2;
	channel->ping_sent = 0;
	channel->clock[channel->clock_count++ % CHANNEL_CLOCK_SAMPLES] = (struct clock_sample){
		.offset = (int64_t)(middle - untrusted_pong->received),
		.round_trip = round_trip,
	};
	if (channel->handlers.pong != NULL) {
		channel->handlers.pong(channel->data);
	}
}

bool portal_channel_get_clock_offset(
	const struct portal_channel *channel, int64_t *offset, uint64_t *round_trip) {
	if (channel->clock_count == 0) {
		return false;
	}
	unsigned int count = channel->clock_count < CHANNEL_CLOCK_SAMPLES ? channel->clock_count
									  : CHANNEL_CLOCK_SAMPLES;
	const struct clock_sample *best = &channel->clock[0];
	for (unsigned int i = 1; i < count; i++) {
		if (channel->clock[i].round_trip < best->round_trip) {
			best = &channel->clock[i];
		}
	}
	*offset = best->offset;
	if (round_trip != NULL) {
		*round_trip = best->round_trip;
	}
	return true;
}
