#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "sink.h"
#include "stamp.h"

/*
 * A Wayland server that shows nothing and measures: at each commit it reads the stamp in the pixels
 * and answers the frame callbacks at once, so that no repaint cycle is in the figures. With --hold
 * it keeps the shown buffer until the next commit, as a compositor does that reads it late;
 * without, it releases inside the commit, as one does that uploads. With --refresh frame callbacks
 * wait for a clock instead. SIGUSR1 forgets what was measured so far; SIGUSR2 prints it as a line
 * of JSON.
 */

static int handle_refresh(void *data) {
	struct sink *sink = data;
	struct surface *surface;
	wl_list_for_each (surface, &sink->surfaces, link) {
		sink_answer_frames(surface);
	}
	wl_event_source_timer_update(sink->timer, sink->interval);
	return 0;
}

static int compare(const void *a, const void *b) {
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return left < right ? -1 : left > right;
}

static double percentile(const struct sink *sink, double part) {
	uint64_t count = sink->frames < SAMPLES_MAX ? sink->frames : SAMPLES_MAX;
	return count == 0 ? 0 : sink->samples[(uint64_t)((double)(count - 1) * part)] / 10.0;
}

static int handle_report(int number, void *data) {
	struct sink *sink = data;
	double seconds = (double)(stamp_now() - sink->since) / 1e9;
	size_t count = sink->frames < SAMPLES_MAX ? sink->frames : SAMPLES_MAX;
	qsort(sink->samples, count, sizeof(*sink->samples), compare);
	printf("{\"seconds\": %.6f, \"commits\": %lu, \"frames\": %lu, \"stale\": %lu, "
	       "\"torn\": %lu, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
		seconds, sink->commits, sink->frames, sink->stale, sink->torn,
		percentile(sink, 0.5), percentile(sink, 0.99));
	fflush(stdout);
	return 0;
}

static int handle_reset(int number, void *data) {
	struct sink *sink = data;
	sink->commits = sink->frames = sink->stale = sink->torn = 0;
	sink->since = stamp_now();
	puts("{}");
	fflush(stdout);
	return 0;
}

static int handle_stop(int number, void *data) {
	wl_display_terminate(((struct sink *)data)->display);
	return 0;
}

static int parse(struct sink *sink, int argc, char *argv[]) {
	static const struct option options[] = {
		{"hold", no_argument, NULL, 'h'},
		{"refresh", required_argument, NULL, 'r'},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'h':
			sink->hold = true;
			break;
		case 'r':
			sink->interval = 1000 / atoi(optarg);
			break;
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

int main(int argc, char *argv[]) {
	struct sink sink = {.since = stamp_now()};
	if (parse(&sink, argc, argv) < 0) {
		fputs("sink [--hold] [--refresh HZ]\n", stderr);
		return 2;
	}
	sink.samples = calloc(SAMPLES_MAX, sizeof(*sink.samples));
	sink.display = wl_display_create();
	wl_list_init(&sink.surfaces);
	wl_display_set_default_max_buffer_size(sink.display, 1 << 20);
	const char *socket = wl_display_add_socket_auto(sink.display);
	if (sink.samples == NULL || socket == NULL) {
		perror("sink");
		return 1;
	}
	sink_create_globals(&sink);
	struct wl_event_loop *loop = wl_display_get_event_loop(sink.display);
	if (sink.interval > 0) {
		sink.timer = wl_event_loop_add_timer(loop, handle_refresh, &sink);
		wl_event_source_timer_update(sink.timer, sink.interval);
	}
	wl_event_loop_add_signal(loop, SIGUSR1, handle_reset, &sink);
	wl_event_loop_add_signal(loop, SIGUSR2, handle_report, &sink);
	wl_event_loop_add_signal(loop, SIGTERM, handle_stop, &sink);
	printf("{\"socket\": \"%s\"}\n", socket);
	fflush(stdout);
	wl_display_run(sink.display);
	wl_display_destroy_clients(sink.display);
	wl_display_destroy(sink.display);
	free(sink.samples);
	return 0;
}
