#include <time.h>

#include "channel-impl.h"

/*
 * Clocks of two machines may run 500 ppm apart while NTP slews them: ask again while somebody wants
 * to know, and compare round trips among samples that are about as old as the newest only.
 */
#define CLOCK_ASK_AGAIN UINT64_C(2000000000)
#define CLOCK_COMPARE UINT64_C(20000000000)

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
		.taken = now,
		.offset = (int64_t)(middle - untrusted_pong->received),
		.round_trip = round_trip,
	};
	if (channel->handlers.pong != NULL) {
		channel->handlers.pong(channel->data);
	}
}

bool portal_channel_get_clock_offset(
	struct portal_channel *channel, int64_t *offset, uint64_t *round_trip) {
	if (channel->clock_count == 0) {
		return false;
	}
	const struct clock_sample *newest =
		&channel->clock[(channel->clock_count - 1) % CHANNEL_CLOCK_SAMPLES];
	const struct clock_sample *best = newest;
	for (unsigned int i = 0; i < CHANNEL_CLOCK_SAMPLES && i < channel->clock_count; i++) {
		const struct clock_sample *sample = &channel->clock[i];
		if (newest->taken - sample->taken <= CLOCK_COMPARE &&
			sample->round_trip < best->round_trip) {
			best = sample;
		}
	}
	*offset = best->offset;
	if (round_trip != NULL) {
		*round_trip = best->round_trip;
	}
	if (portal_channel_clock_now() - newest->taken > CLOCK_ASK_AGAIN &&
		channel->ping_sent == 0) {
		portal_channel_send_ping(channel);
	}
	return true;
}
