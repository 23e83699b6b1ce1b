/* pacing: draws on every frame callback, as an animation does; the callbacks' times must not go
 * back and each must come exactly once. Then it asks for a callback without new content.
 * presentation: asks for feedback with every frame; each is presented or discarded, with times of
 * the compositor's clock that lie between the commit and now. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "feature.h"
#include "window.h"

#define FRAMES 60

struct pacer {
	uint32_t last; // milliseconds
	bool done, backwards;
};

static void frame_handle_done(void *data, struct wl_callback *callback, uint32_t time) {
	struct pacer *pacer = data;
	wl_callback_destroy(callback);
	/* The clock is 32 bits wide and wraps. */
	pacer->backwards =
		pacer->backwards || (pacer->last != 0 && (int32_t)(time - pacer->last) < 0);
	pacer->last = time;
	pacer->done = true;
}

static const struct wl_callback_listener frame_listener = {
	.done = frame_handle_done,
};

static void frame(struct client *client, struct window *window, struct pacer *pacer) {
	pacer->done = false;
	wl_callback_add_listener(wl_surface_frame(window->surface), &frame_listener, pacer);
	wl_surface_commit(window->surface);
	client_wait(client, &pacer->done);
}

void feature_pacing(struct client *client, int argc, char **argv) {
	struct window *window = window_create(client, "pacing", 200, 100);
	struct buffer *buffers[FRAMES];
	struct pacer pacer = {0};
	window_draw(window, 200, 100, 0);
	for (int i = 0; i < FRAMES; i++) {
		buffers[i] = buffer_create_argb(client, 200, 100);
		buffer_fill(buffers[i], 0xff203040);
		buffer_rect(buffers[i], i * 3, i, 20, 20, 0xffffffff);
		buffer_attach(buffers[i], window->surface);
		wl_surface_damage_buffer(window->surface, 0, 0, 200, 100);
		frame(client, window, &pacer);
	}
	client_log("%d frames, time %s", FRAMES, pacer.backwards ? "went back" : "in order");
	/* No damage: the callback must come all the same. */
	frame(client, window, &pacer);
	client_log("frame without content, time %s", pacer.backwards ? "went back" : "in order");
	client_stage(client, "animated");
	window_destroy(window);
	for (int i = 0; i < FRAMES; i++) {
		buffer_destroy(buffers[i]);
	}
}

struct feedback {
	struct client *client;
	uint64_t committed, last; // nanoseconds of the presentation clock
	int presented, discarded, outputs;
	bool done, wrong;
};

static uint64_t now(struct client *client) {
	struct timespec time;
	if (clock_gettime((clockid_t)client->presentation_clock, &time) != 0) {
		client_fail("presentation clock %u is unknown here", client->presentation_clock);
	}
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void feedback_sync_output(
	void *data, struct wp_presentation_feedback *feedback, struct wl_output *output) {
	struct feedback *state = data;
	state->outputs++;
}

static void feedback_presented(void *data, struct wp_presentation_feedback *feedback,
	uint32_t tv_sec_hi, uint32_t tv_sec_lo, uint32_t tv_nsec, uint32_t refresh, uint32_t seq_hi,
	uint32_t seq_lo, uint32_t flags) {
	struct feedback *state = data;
	uint64_t seconds = (uint64_t)tv_sec_hi << 32 | tv_sec_lo;
	uint64_t time = seconds * 1000000000u + tv_nsec;
	if (tv_nsec >= 1000000000u || time < state->committed || time > now(state->client) ||
		time < state->last) {
		state->wrong = true;
		client_log("presented at %" PRIu64 ", committed at %" PRIu64 ", now %" PRIu64, time,
			state->committed, now(state->client));
	}
	state->last = time;
	state->presented++;
	state->done = true;
	wp_presentation_feedback_destroy(feedback);
}

static void feedback_discarded(void *data, struct wp_presentation_feedback *feedback) {
	struct feedback *state = data;
	state->discarded++;
	state->done = true;
	wp_presentation_feedback_destroy(feedback);
}

static const struct wp_presentation_feedback_listener feedback_listener = {
	.sync_output = feedback_sync_output,
	.presented = feedback_presented,
	.discarded = feedback_discarded,
};

static void ask(struct feedback *state, struct window *window) {
	state->done = false;
	wp_presentation_feedback_add_listener(
		wp_presentation_feedback(state->client->presentation, window->surface),
		&feedback_listener, state);
}

void feature_presentation(struct client *client, int argc, char **argv) {
	if (client->presentation == NULL) {
		client_fail("no wp_presentation");
	}
	struct window *window = window_create(client, "presentation", 160, 120);
	struct feedback state = {.client = client};
	window_draw(window, 160, 120, 0);
	for (int i = 0; i < 20; i++) {
		ask(&state, window);
		state.committed = now(client);
		window_draw(window, 160, 120, (uint32_t)i);
		client_wait(client, &state.done);
	}
	client_log("presented %d discarded %d times %s", state.presented, state.discarded,
		state.wrong ? "wrong" : "right");
	/* One of them may be replaced before it is shown, and discarded. */
	state.presented = state.discarded = 0;
	struct buffer *buffers[2];
	for (int i = 0; i < 2; i++) {
		buffers[i] = buffer_create_argb(client, 160, 120);
		buffer_pattern(buffers[i], 90 + (uint32_t)i);
		ask(&state, window);
		window_show(window, buffers[i]);
	}
	while (state.presented + state.discarded < 2) {
		client_dispatch(client);
	}
	/* Whether the first one still made it to the screen depends on the time between frames. */
	client_log("two at once: %d answered, %s", state.presented + state.discarded,
		state.presented > 0 ? "presented" : "never presented");
	client_show_stage(client, "presented");
	window_destroy(window);
	buffer_destroy(buffers[0]);
	buffer_destroy(buffers[1]);
}
