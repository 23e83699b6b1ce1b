#ifndef TEST_HOST_DOOR_SCENE_H
#define TEST_HOST_DOOR_SCENE_H

#include "door/door.h"

/*
 * A door and its callers, in one process, for tests with cmocka. The door's backend keeps what it
 * is asked until the test answers.
 */

#define DOOR_CALLERS_MAX 12

struct caller {
	struct portal_channel *channel;
	bool ready, closed;
	enum portal_bye_reason reason;
	char text[PORTAL_BYE_TEXT_MAX + 1];
	char answers[1024]; /* one line each */
};

struct door_scene {
	char directory[32];
	char address[64];
	sd_event *loop;
	struct door *door;
	struct door_request *open[64];
	size_t open_count;
	size_t forgotten; /* requests of those who have gone */
	int lost;
	char log[4096];
	struct caller callers[DOOR_CALLERS_MAX];
};

extern const uint8_t door_key[PORTAL_KEY_SIZE]; /* the door's */
extern const uint8_t door_other_key[PORTAL_KEY_SIZE];

int door_scene_setup(void **state);
int door_scene_teardown(void **state);

#define IN_DOOR_SCENE(test)                                                                        \
	cmocka_unit_test_setup_teardown(test, door_scene_setup, door_scene_teardown)

struct portal_transport_listener *door_scene_listen(const struct door_scene *scene);
/* The listener is the door's then. */
void door_scene_open(struct door_scene *scene, struct portal_transport_listener *listener);

/* A stream to the door on which nothing has been said; the caller's. */
struct portal_transport *door_scene_connect(const struct door_scene *scene);
/* Begins to greet the door; `key` may be NULL. */
struct caller *door_scene_call(
	struct door_scene *scene, size_t index, const uint8_t *key, uint64_t features);
/* The same with the door's key, and a descriptor that comes along. */
struct caller *door_scene_call_with_fd(struct door_scene *scene, size_t index, int fd);
/* The caller goes without a word; its place is free. */
void door_caller_leave(struct caller *caller);

/* Lets both ends work until neither has anything to do. */
void door_scene_settle(struct door_scene *scene);
/* Lets the door work, whose callers read nothing meanwhile. */
void door_scene_settle_door(struct door_scene *scene);

void door_caller_ask(struct caller *caller, uint32_t id, uint32_t method, const char *guest);

#endif
