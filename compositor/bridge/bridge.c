#include "bridge.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <syslog.h>
#include <unistd.h>

#include "sandbox.h"

/* Between attempts to reach the agent: doubled each time. */
#define RETRY_FIRST_USEC 100000u
#define RETRY_DOUBLINGS 4

bool bridge_is_ready(const struct bridge *bridge) {
	return bridge->channel && bridge->heap_ready &&
	       portal_channel_get_state(bridge->channel) == PORTAL_CHANNEL_READY;
}

/* Notes why the guest is not there; says so, and returns true, where it is not what was said last.
 */
static bool tell(struct bridge *bridge, enum bridge_status status, const char *message) {
	bool waiting = bridge->options->wait && bridge_is_passing(status);
	bool news = !waiting || strcmp(message, bridge->message) != 0;
	bridge->status = status;
	if (news) {
		int priority = status == BRIDGE_DONE || waiting ? LOG_INFO : LOG_ERR;
		bridge_log(&bridge->log, priority, "%s%s", waiting ? "waiting: " : "", message);
		snprintf(bridge->message, sizeof(bridge->message), "%s", message);
	}
	return news;
}

/* Tells the guest why, where the end is not the guest's, and hears it no further: what came with
 * what it is stopped for may still lie in the channel. */
static void say_goodbye(struct bridge *bridge, enum bridge_status status) {
	if (!bridge->channel ||
		portal_channel_get_state(bridge->channel) == PORTAL_CHANNEL_CLOSED) {
		return;
	}
	enum portal_bye_reason reason = status == BRIDGE_DONE	      ? PORTAL_BYE_DONE
					: status == BRIDGE_COMPOSITOR ? PORTAL_BYE_COMPOSITOR
								      : PORTAL_BYE_FAILURE;
	portal_channel_fail(bridge->channel, reason, "%s", bridge->message);
}

void bridge_stop(struct bridge *bridge, enum bridge_status status, const char *format, ...) {
	if (bridge->stopped) {
		return;
	}
	bridge->stopped = true;
	char message[sizeof(bridge->message)];
	va_list args;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	tell(bridge, status, message);
	say_goodbye(bridge, status);
	sd_event_exit(bridge->event, status);
}

void bridge_update_paused(struct bridge *bridge) {
	if (bridge->channel) {
		portal_channel_set_paused(
			bridge->channel, bridge->throttled || bridge->connections.congested > 0);
	}
}

static int handle_throttle_end(sd_event_source *source, uint64_t usec, void *data) {
	struct bridge *bridge = data;
	bridge->throttled = false;
	bridge_connections_resume(&bridge->connections);
	bridge_update_paused(bridge);
	return 0;
}

void bridge_throttle(struct bridge *bridge, uint64_t nanoseconds) {
	uint64_t usec = nanoseconds / 1000 + 1;
	int result;
	if (bridge->throttle_source) {
		result = sd_event_source_set_time_relative(bridge->throttle_source, usec);
		if (result >= 0) {
			result = sd_event_source_set_enabled(
				bridge->throttle_source, SD_EVENT_ONESHOT);
		}
	} else {
		result = sd_event_add_time_relative(bridge->event, &bridge->throttle_source,
			CLOCK_MONOTONIC, usec, 1000, handle_throttle_end, bridge);
	}
	/* Without the timer nothing would let the channel go on. */
	bridge->throttled = result >= 0;
	bridge_update_paused(bridge);
}

static int handle_compositor(sd_event_source *source, int fd, uint32_t revents, void *data) {
	bridge_stop(data, BRIDGE_COMPOSITOR, "the compositor went away");
	return 0;
}

/* After each turn: one write for what it queued. */
static void end_turn(struct bridge *bridge) {
	if (bridge->channel && portal_channel_get_queued(bridge->channel) > 0) {
		(void)portal_channel_flush(bridge->channel);
	}
	bridge_control_flush(&bridge->control);
}

/*
 * As sd_event_loop(), without a post source for the turn's end: that one would cost two more system
 * calls a turn.
 */
static int loop(struct bridge *bridge) {
	int result = 0;
	while (result >= 0 && sd_event_get_state(bridge->event) != SD_EVENT_FINISHED) {
		end_turn(bridge);
		result = sd_event_run(bridge->event, UINT64_MAX);
	}
	if (result >= 0) {
		sd_event_get_exit_code(bridge->event, &result);
	}
	return result;
}

static int try_connect(struct bridge *bridge);

static int handle_retry(sd_event_source *source, uint64_t usec, void *data) {
	return try_connect(data);
}

/* Nothing of the guest has been read yet: say why, and try again where that was asked for. */
static int fail_attempt(
	struct bridge *bridge, enum bridge_status status, const char *what, const char *why) {
	if (!bridge->options->wait) {
		bridge_stop(bridge, status, "%s: %s", what, why);
		return 0;
	}
	char message[sizeof(bridge->message)];
	snprintf(message, sizeof(message), "%s: %s", what, why);
	if (tell(bridge, status, message)) {
		bridge_control_changed(&bridge->control);
	}
	uint64_t usec = RETRY_FIRST_USEC
			<< (bridge->retries < RETRY_DOUBLINGS ? bridge->retries : RETRY_DOUBLINGS);
	bridge->retries++;
	bridge->retry_source = sd_event_source_disable_unref(bridge->retry_source);
	return sd_event_add_time_relative(bridge->event, &bridge->retry_source, CLOCK_MONOTONIC,
		usec, 0, handle_retry, bridge);
}

static int confine(struct bridge *bridge) {
	uint64_t heap_size = bridge->heap_mapped ? bridge->heap.map_size : UINT64_C(2) << 30;
	heap_size *= 2; /* and its shadow, which it may turn out to need */
	return bridge_sandbox_enter(heap_size, &bridge->log);
}

/* Heap, then transport, then the sandbox: only then is the first byte of the guest read. */
static int try_connect(struct bridge *bridge) {
	const struct bridge_options *options = bridge->options;
	const char *error = "";
	if (options->heap.kind != PORTAL_HEAP_MEMFD && !bridge->heap_mapped) {
		if (portal_heap_map(&bridge->heap, &options->heap, &error) < 0) {
			return fail_attempt(bridge, BRIDGE_HEAP, options->heap_text, error);
		}
		bridge->heap_mapped = true;
	}
	struct portal_transport *transport = portal_transport_connect(&options->transport);
	if (!transport) {
		return fail_attempt(
			bridge, BRIDGE_UNREACHABLE, options->transport_text, strerror(errno));
	}
	if (bridge_channel_open(bridge, transport) < 0) {
		bridge_stop(bridge, BRIDGE_FAILURE, "channel: %s", strerror(errno));
	} else if (confine(bridge) < 0) {
		bridge_stop(bridge, BRIDGE_FAILURE, "not without the sandbox");
	}
	return 0;
}

static int handle_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data) {
	bridge_stop(data, BRIDGE_DONE, "stopped by %s", strsignal((int)info->ssi_signo));
	return 0;
}

static int init_loop(struct bridge *bridge, int control_fd) {
	int result = sd_event_new(&bridge->event);
	if (result >= 0) {
		result = sd_event_add_signal(bridge->event, NULL,
			SIGTERM | SD_EVENT_SIGNAL_PROCMASK, handle_signal, bridge);
	}
	if (result >= 0) {
		result = sd_event_add_signal(bridge->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK,
			handle_signal, bridge);
	}
	if (result >= 0) {
		result = bridge_control_init(&bridge->control, bridge, control_fd);
	}
	if (result < 0) {
		bridge_log(&bridge->log, LOG_ERR, "loop: %s", strerror(-result));
	}
	return result;
}

static int run_loop(struct bridge *bridge, int control_fd) {
	if (init_loop(bridge, control_fd) < 0) {
		return BRIDGE_FAILURE;
	}
	int result = sd_event_add_io(bridge->event, &bridge->compositor_source,
		bridge->compositor.watch_fd, EPOLLIN, handle_compositor, bridge);
	if (result >= 0) {
		/* Before the guest's connections, which end with it: that is no fault of theirs. */
		result = sd_event_source_set_priority(
			bridge->compositor_source, SD_EVENT_PRIORITY_IMPORTANT);
	}
	if (result >= 0) {
		result = try_connect(bridge);
	}
	if (result >= 0) {
		result = loop(bridge);
	}
	if (result < 0) {
		bridge_log(&bridge->log, LOG_ERR, "loop: %s", strerror(-result));
		return BRIDGE_FAILURE;
	}
	return result;
}

static void bridge_finish(struct bridge *bridge) {
	bridge_connections_finish(&bridge->connections);
	bridge_channel_close(bridge);
	bridge_launches_finish(&bridge->launches, bridge->message);
	bridge_shadow_finish(&bridge->shadow);
	if (bridge->heap_mapped) {
		portal_heap_finish(&bridge->heap);
	}
	bridge_control_finish(&bridge->control);
	bridge_compositor_finish(&bridge->compositor);
	close(bridge->broker_fd);
	sd_event_source_disable_unref(bridge->compositor_source);
	sd_event_source_disable_unref(bridge->retry_source);
	sd_event_source_disable_unref(bridge->throttle_source);
	sd_event_unref(bridge->event);
}

enum bridge_status bridge_run(
	const struct bridge_begin *begin, char *message, size_t message_size) {
	struct bridge bridge = {
		.options = begin->options,
		.status = begin->last.status,
		.compositor = begin->compositor,
		.broker_fd = begin->broker_fd,
	};
	snprintf(bridge.message, sizeof(bridge.message), "%s", begin->last.message);
	bridge_log_init(&bridge.log, begin->options->label);
	bridge.log.again = begin->last.any;
	bridge_connections_init(&bridge.connections, &bridge);
	bridge_launches_init(&bridge.launches);
	portal_hello_get_boot_id(bridge.boot_id);
	enum bridge_status status = run_loop(&bridge, begin->control_fd);
	say_goodbye(&bridge, status);
	snprintf(message, message_size, "%s", bridge.message);
	bridge_finish(&bridge);
	return status;
}
