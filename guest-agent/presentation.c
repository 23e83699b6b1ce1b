#include "presentation.h"
#include "agent.h"
#include "app.h"
#include "connection.h"
#include "controller.h"
#include "output.h"
#include "surface.h"
#include <presentation-time-client-protocol.h>
#include <stdlib.h>
#include <time.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_presentation_time.h>

#define NSEC_PER_SEC 1000000000

struct feedback {
	struct agent *agent;
	struct connection *connection;
	struct wlr_presentation_feedback *wlr;
	struct wp_presentation_feedback *mirror;
	struct output *output; // synchronised to
	struct wl_list link; // connection.feedbacks
};

static void handle_clock_id(void *data, struct wp_presentation *presentation, uint32_t clock) {
	struct connection *connection = data;
	connection->clock_known = clock == CLOCK_MONOTONIC;
}

static const struct wp_presentation_listener presentation_listener = {.clock_id = handle_clock_id};

void presentation_listen(struct connection *connection) {
	wp_presentation_add_listener(connection->presentation, &presentation_listener, connection);
}

static void feedback_destroy(struct feedback *feedback) {
	wlr_presentation_feedback_destroy(feedback->wlr); // "discarded" to who still waits
	wp_presentation_feedback_destroy(feedback->mirror);
	wl_list_remove(&feedback->link);
	free(feedback);
}

void presentation_finish(struct connection *connection) {
	struct feedback *feedback, *tmp;
	wl_list_for_each_safe (feedback, tmp, &connection->feedbacks, link) {
		feedback_destroy(feedback);
	}
}

static void handle_sync_output(
	void *data, struct wp_presentation_feedback *mirror, struct wl_output *output) {
	struct feedback *feedback = data;
	feedback->output = output_from_mirror(feedback->agent, output);
}

/* The output can be unplugged while the frame is on its way. */
static struct output *find_output(struct feedback *feedback) {
	struct output *output;
	wl_list_for_each (output, &feedback->agent->outputs, link) {
		if (output == feedback->output || feedback->output == NULL) {
			return output;
		}
	}
	return NULL;
}

/*
 * A time of the controller's clock in the guest's. The offset is known to half a round trip; what
 * that would put into the future is now.
 */
static struct timespec translate(int64_t seconds, int64_t nanoseconds, int64_t offset) {
	struct timespec now, time;

	seconds += offset / NSEC_PER_SEC;
	nanoseconds += offset % NSEC_PER_SEC;
	if (nanoseconds < 0) {
		nanoseconds += NSEC_PER_SEC;
		seconds--;
	} else if (nanoseconds >= NSEC_PER_SEC) {
		nanoseconds -= NSEC_PER_SEC;
		seconds++;
	}
	time = (struct timespec){.tv_sec = seconds > 0 ? seconds : 0, .tv_nsec = nanoseconds};
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (time.tv_sec > now.tv_sec || (time.tv_sec == now.tv_sec && time.tv_nsec > now.tv_nsec)) {
		time = now;
	}
	return time;
}

static void handle_presented(void *data, struct wp_presentation_feedback *mirror,
	uint32_t tv_sec_hi, uint32_t tv_sec_lo, uint32_t tv_nsec, uint32_t refresh, uint32_t seq_hi,
	uint32_t seq_lo, uint32_t flags) {
	struct feedback *feedback = data;
	struct output *output = find_output(feedback);
	// No machine runs 2^48 seconds, and sums stay in range.
	int64_t seconds = (int64_t)(tv_sec_hi & UINT16_MAX) << 32 | tv_sec_lo;
	int64_t offset;

	// Without a common clock there is no time to tell.
	if (output != NULL && tv_nsec < NSEC_PER_SEC && feedback->connection->clock_known &&
		controller_clock_offset(feedback->agent->controller, &offset)) {
		struct timespec time = translate(seconds, tv_nsec, offset);
		struct wlr_presentation_event event = {
			.output = &output->wlr,
			.tv_sec = (uint64_t)time.tv_sec,
			.tv_nsec = (uint32_t)time.tv_nsec,
			.refresh = refresh,
			.seq = (uint64_t)seq_hi << 32 | seq_lo,
			// It was copied once on its way, whatever the controller did with it then.
			.flags = flags & ~(uint32_t)WP_PRESENTATION_FEEDBACK_KIND_ZERO_COPY,
		};
		wlr_presentation_feedback_send_presented(feedback->wlr, &event);
	}
	feedback_destroy(feedback);
}

static void handle_discarded(void *data, struct wp_presentation_feedback *mirror) {
	struct feedback *feedback = data;
	feedback_destroy(feedback);
}

static const struct wp_presentation_feedback_listener feedback_listener = {
	.sync_output = handle_sync_output,
	.presented = handle_presented,
	.discarded = handle_discarded,
};

void presentation_send(struct surface *surface) {
	struct connection *connection = surface->app->connection;
	struct wlr_presentation_feedback *wlr = wlr_presentation_surface_sampled(surface->wlr);

	if (wlr == NULL) {
		return;
	}
	struct feedback *feedback =
		connection->presentation != NULL ? calloc(1, sizeof(*feedback)) : NULL;
	if (feedback == NULL) {
		wlr_presentation_feedback_destroy(wlr);
		return;
	}
	feedback->agent = connection->agent;
	feedback->connection = connection;
	feedback->wlr = wlr;
	feedback->mirror = wp_presentation_feedback(connection->presentation, surface->mirror);
	wp_presentation_feedback_add_listener(feedback->mirror, &feedback_listener, feedback);
	wl_list_insert(connection->feedbacks.prev, &feedback->link);
}
