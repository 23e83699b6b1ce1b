#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "door_scene.h"

const uint8_t door_key[PORTAL_KEY_SIZE] = {1, 2, 3};
const uint8_t door_other_key[PORTAL_KEY_SIZE] = {3, 2, 1};

static void keep_call(void *data, struct door_request *request) {
	struct door_scene *scene = data;
	assert_true(scene->open_count < sizeof(scene->open) / sizeof(scene->open[0]));
	scene->open[scene->open_count++] = request;
}

static void note_forgotten(void *data, struct door_request *request) {
	struct door_scene *scene = data;
	scene->forgotten++;
}

static void note_lost(void *data, int error) {
	struct door_scene *scene = data;
	scene->lost = error;
}

static void note_log(void *data, int priority, const char *text) {
	struct door_scene *scene = data;
	size_t length = strlen(scene->log);
	snprintf(scene->log + length, sizeof(scene->log) - length, "%d %s\n", priority, text);
}

static const struct door_handlers door_test_handlers = {
	.call = keep_call,
	.forgotten = note_forgotten,
	.lost = note_lost,
	.log = note_log,
};

struct portal_transport_listener *door_scene_listen(const struct door_scene *scene) {
	struct portal_transport_address address;
	assert_int_equal(portal_transport_parse(&address, scene->address, NULL), 0);
	struct portal_transport_listener *listener = portal_transport_listen(&address);
	assert_non_null(listener);
	return listener;
}

void door_scene_open(struct door_scene *scene, struct portal_transport_listener *listener) {
	const struct door_options options = {.listener = listener, .name = "host", .key = door_key};
	scene->door = door_create(scene->loop, &options, &door_test_handlers, scene);
	assert_non_null(scene->door);
}

int door_scene_setup(void **state) {
	struct door_scene *scene = calloc(1, sizeof(*scene));
	strcpy(scene->directory, "/tmp/door-XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	snprintf(scene->address, sizeof(scene->address), "unix:%s/door", scene->directory);
	assert_true(sd_event_new(&scene->loop) >= 0);
	door_scene_open(scene, door_scene_listen(scene));
	*state = scene;
	return 0;
}

int door_scene_teardown(void **state) {
	struct door_scene *scene = *state;
	for (size_t i = 0; i < DOOR_CALLERS_MAX; i++) {
		portal_channel_destroy(scene->callers[i].channel);
	}
	door_destroy(scene->door);
	sd_event_unref(scene->loop);
	rmdir(scene->directory);
	free(scene);
	return 0;
}

static void caller_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct caller *caller = data;
	assert_string_equal(peer->name, "host");
	caller->ready = true;
}

static void caller_closed(void *data, const struct portal_channel_end *end) {
	struct caller *caller = data;
	caller->closed = true;
	caller->reason = end->reason;
	snprintf(caller->text, sizeof(caller->text), "%s", end->text);
}

static void caller_answer(void *data, uint32_t call, uint32_t error,
	const struct portal_frame_guest *guests, size_t count, const char *text) {
	struct caller *caller = data;
	size_t length = strlen(caller->answers);
	snprintf(caller->answers + length, sizeof(caller->answers) - length, "%u %u %zu%s%s%s\n",
		call, error, count, count > 0 ? " " : "", count > 0 ? guests[0].name : "", text);
}

static const struct portal_channel_handlers caller_handlers = {
	.ready = caller_ready,
	.closed = caller_closed,
	.answer = caller_answer,
};

struct portal_transport *door_scene_connect(const struct door_scene *scene) {
	struct portal_transport_address address;
	assert_int_equal(portal_transport_parse(&address, scene->address, NULL), 0);
	struct portal_transport *transport = portal_transport_connect(&address);
	assert_non_null(transport);
	return transport;
}

static struct caller *greet(
	struct door_scene *scene, size_t index, const uint8_t *key, uint64_t features, int fd) {
	struct caller *caller = &scene->callers[index];
	const struct portal_channel_options options = {
		.role = PORTAL_ROLE_CONTROLLER,
		.name = "work",
		.software = "test",
		.features = features,
		.heap_fd = fd,
		.key = key,
	};
	caller->channel = portal_channel_create(
		door_scene_connect(scene), &options, &caller_handlers, caller);
	assert_non_null(caller->channel);
	return caller;
}

struct caller *door_scene_call(
	struct door_scene *scene, size_t index, const uint8_t *key, uint64_t features) {
	return greet(scene, index, key, features, -1);
}

struct caller *door_scene_call_with_fd(struct door_scene *scene, size_t index, int fd) {
	return greet(scene, index, door_key, PORTAL_FEATURE_DOOR, fd);
}

void door_caller_leave(struct caller *caller) {
	portal_channel_destroy(caller->channel);
	*caller = (struct caller){0};
}

void door_scene_settle_door(struct door_scene *scene) {
	while (sd_event_run(scene->loop, 0) > 0) {
	}
}

void door_scene_settle(struct door_scene *scene) {
	bool worked = true;
	while (worked) {
		worked = false;
		while (sd_event_run(scene->loop, 0) > 0) {
			worked = true;
		}
		for (size_t i = 0; i < DOOR_CALLERS_MAX; i++) {
			struct caller *caller = &scene->callers[i];
			if (caller->channel == NULL || caller->closed) {
				continue;
			}
			worked = worked || portal_channel_get_queued(caller->channel) > 0;
			portal_channel_flush(caller->channel);
			struct pollfd poll_fd = {
				.fd = portal_channel_get_fd(caller->channel),
				.events = portal_channel_get_events(caller->channel),
			};
			if (poll(&poll_fd, 1, 0) > 0) {
				portal_channel_dispatch(caller->channel, poll_fd.revents);
				worked = true;
			}
		}
	}
}

void door_caller_ask(struct caller *caller, uint32_t id, uint32_t method, const char *guest) {
	const struct portal_frame_call call = {.method = method, .value = 30, .flags = 1};
	assert_int_equal(portal_channel_send_call(caller->channel, id, &call, guest), 0);
}
