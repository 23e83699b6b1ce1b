#include "keeper_run.h"

#include <stdlib.h>

#include "heap_use.h"
#include "host_door.h"
#include "status.h"

/* While a guest is in use. What happens in between is in the report as its highest point. */
#define REPORT_INTERVAL (10 * KEEPER_MINUTE)
#define HOST_TIMEOUT 5 /* seconds */

/* The host of a controller VM keeps the history itself. */
static int tell_host(const struct keeper *keeper, struct error *error) {
	const struct host_call call = {
		.method = PORTAL_CALL_HEAP_USE,
		.guest = keeper->guest.domain,
		.value = keeper->heap_peak,
		.timeout = HOST_TIMEOUT,
	};
	struct host_answer answer = {0};
	int status = host_door_call(keeper->guest.uri, &call, &answer);
	free(answer.guests);
	if (status != RUN_OK) {
		return error_set(error, "the host cannot be asked");
	}
	/* A host without a plan for the guest has no use for it. */
	bool taken = answer.error == PORTAL_CALL_DONE || answer.error == PORTAL_CALL_REFUSED;
	return taken ? 0 : error_set(error, "%s", answer.text);
}

static void report(struct keeper *keeper, uint64_t now) {
	struct error error = {0};
	long seconds = (long)((now - keeper->heap_since) / (KEEPER_MINUTE / 60));
	int result =
		keeper->guest.uri != NULL && host_door_is(keeper->guest.uri)
			? tell_host(keeper, &error)
			: heap_use_report(keeper->guest.vm, keeper->heap_peak, seconds, &error);
	if (result < 0 && !keeper->heap_failed) {
		/* Once: the next one fails in the same way. */
		keeper->heap_failed = true;
		keeper_log(keeper, "the use of the heap is not taken down: %s", error.text);
	}
	keeper->heap_since = now;
}

void keeper_heap_hear(struct keeper *keeper, const struct bridge_state *state) {
	uint64_t now;
	if (keeper->local || !state->ready || state->heap_in_buffers < 0 ||
		sd_event_now(keeper->loop, CLOCK_MONOTONIC, &now) < 0) {
		return;
	}
	uint64_t bytes = (uint64_t)state->heap_in_buffers;
	keeper->heap_peak = bytes > keeper->heap_peak ? bytes : keeper->heap_peak;
	if (keeper->heap_since == 0) {
		keeper->heap_since = now;
	} else if (now - keeper->heap_since >= REPORT_INTERVAL) {
		report(keeper, now);
		keeper->heap_peak = bytes;
	}
}

void keeper_heap_finish(struct keeper *keeper) {
	uint64_t now;
	if (keeper->heap_since != 0 && sd_event_now(keeper->loop, CLOCK_MONOTONIC, &now) >= 0) {
		report(keeper, now);
		keeper->heap_since = keeper->heap_peak = 0;
	}
}
