#include "host_door.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "paths.h"
#include "say.h"
#include "settings.h"
#include "status.h"

/* Seconds for the door to greet; it has nothing else to do. */
#define GREETING_TIMEOUT 10
/* The host's own time limits come first, and say more. */
#define ANSWER_GRACE 10

struct conversation {
	const struct host_call *call;
	struct host_answer *answer;
	struct portal_channel *channel;
	bool greeted, answered, closed;
	enum portal_bye_reason reason;
	char text[PORTAL_BYE_TEXT_MAX + 1];
};

bool host_door_is(const char *uri) {
	return uri != NULL && strncmp(uri, HOST_DOOR_URI, strlen(HOST_DOOR_URI)) == 0;
}

static void handle_ready(void *data, const struct portal_hello *peer, int heap_fd) {
	struct conversation *conversation = data;
	const struct host_call *call = conversation->call;
	if (heap_fd >= 0) {
		close(heap_fd);
	}
	conversation->greeted = true;
	if ((portal_channel_get_features(conversation->channel) & PORTAL_FEATURE_DOOR) == 0) {
		portal_channel_fail(conversation->channel, PORTAL_BYE_VIOLATION,
			"an agent answers there, not the host");
		return;
	}
	const struct portal_frame_call frame = {
		.method = call->method,
		.flags = call->force ? PORTAL_CALL_FLAG_FORCE : 0,
		.value = call->value,
	};
	if (portal_channel_send_call(conversation->channel, 1, &frame, call->guest) < 0) {
		portal_channel_fail(
			conversation->channel, PORTAL_BYE_FAILURE, "%s", strerror(errno));
	}
}

static void handle_closed(void *data, const struct portal_channel_end *end) {
	struct conversation *conversation = data;
	conversation->closed = true;
	conversation->reason = end->reason;
	snprintf(conversation->text, sizeof(conversation->text), "%s", end->text);
}

static void handle_answer(void *data, uint32_t id, uint32_t error,
	const struct portal_frame_guest *guests, size_t count, const char *text) {
	struct conversation *conversation = data;
	struct host_answer *answer = conversation->answer;
	if (id != 1 || conversation->answered) {
		return;
	}
	answer->guests = calloc(count + 1, sizeof(*guests));
	if (answer->guests == NULL) {
		portal_channel_fail(
			conversation->channel, PORTAL_BYE_FAILURE, "%s", strerror(ENOMEM));
		return;
	}
	conversation->answered = true;
	answer->error = error;
	answer->count = count;
	if (count > 0) {
		memcpy(answer->guests, guests, count * sizeof(*guests));
	}
	snprintf(answer->text, sizeof(answer->text), "%s", text);
}

static const struct portal_channel_handlers handlers = {
	.ready = handle_ready,
	.closed = handle_closed,
	.answer = handle_answer,
};

static int64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False when the time is over. */
static bool converse(struct conversation *conversation) {
	struct portal_channel *channel = conversation->channel;
	int64_t begin = now_ms();
	while (!conversation->answered && !conversation->closed) {
		portal_channel_flush(channel);
		int64_t limit = conversation->greeted ? conversation->call->timeout + ANSWER_GRACE
						      : GREETING_TIMEOUT;
		int64_t left = begin + limit * 1000 - now_ms();
		struct pollfd poll_fd = {
			.fd = portal_channel_get_fd(channel),
			.events = portal_channel_get_events(channel),
		};
		int result = left <= 0 ? 0 : poll(&poll_fd, 1, (int)left);
		if (result == 0) {
			return false;
		}
		if (result > 0) {
			portal_channel_dispatch(channel, poll_fd.revents);
		}
	}
	return true;
}

static int judge(const struct conversation *conversation, const char *address, bool in_time) {
	if (conversation->answered) {
		return RUN_OK;
	}
	if (!in_time) {
		return say_failure(RUN_NO_LIBVIRT,
			conversation->greeted ? "the host has not answered at %s in time"
					      : "the host does not answer at %s: does portal-hostd "
						"run there, and "
						"does host.scfg give this controller a door?",
			address);
	}
	int status = conversation->reason == PORTAL_BYE_AUTH	  ? RUN_KEY
		     : conversation->reason == PORTAL_BYE_VERSION ? RUN_VERSION
								  : RUN_NO_LIBVIRT;
	return say_failure(status, "the host's door at %s: %s", address, conversation->text);
}

static int talk(const struct portal_transport_address *address, const char *text,
	const uint8_t *key, struct conversation *conversation) {
	struct portal_transport *transport = portal_transport_connect(address);
	if (transport == NULL) {
		return say_failure(
			RUN_NO_LIBVIRT, "the host's door at %s: %s", text, strerror(errno));
	}
	struct portal_channel_options options = {
		.role = PORTAL_ROLE_CONTROLLER,
		.name = "portal-run",
		.software = "portal-run " PORTAL_VERSION,
		.features = PORTAL_FEATURE_DOOR,
		.heap_fd = -1,
		.key = key,
	};
	if (getrandom(options.session, sizeof(options.session), 0) < 0) {
		portal_transport_destroy(transport);
		return say_failure(RUN_SYSTEM, "no random numbers: %s", strerror(errno));
	}
	conversation->channel = portal_channel_create(transport, &options, &handlers, conversation);
	if (conversation->channel == NULL) {
		return say_failure(RUN_SYSTEM, "the host's door at %s: %s", text, strerror(errno));
	}
	bool in_time = converse(conversation);
	if (!conversation->closed) {
		portal_channel_fail(conversation->channel, PORTAL_BYE_DONE, "done");
	}
	portal_channel_destroy(conversation->channel);
	return judge(conversation, text, in_time);
}

/* The door's key: this user's, else the machine's, else what the host handed over. */
static int load_key(uint8_t key[PORTAL_KEY_SIZE]) {
	char *own = settings_key_path("@door");
	if (own == NULL) {
		return say_failure(RUN_SYSTEM, "%s", strerror(ENOMEM));
	}
	const char *const places[] = {own, "/etc/portal/door.key", SETTINGS_KEYS "/portal.door"};
	const size_t count = sizeof(places) / sizeof(places[0]);
	size_t i = 0;
	int result = portal_auth_load_key(places[0], key);
	while (result < 0 && errno == ENOENT && ++i < count) {
		result = portal_auth_load_key(places[i], key);
	}
	int status = RUN_OK;
	if (result < 0 && i < count) {
		status = say_failure(RUN_KEY, "the key of the host's door, %s: %s%s", places[i],
			strerror(errno), errno == EACCES ? "; are you in the group portal?" : "");
	} else if (result < 0) {
		status = say_failure(RUN_KEY,
			"there is no key of the host's door: portal-host domain edit --door hands "
			"it over at the next start of this controller, where portal-keys.service "
			"puts it into " SETTINGS_KEYS
			"; else copy it to %s or /etc/portal/door.key",
			own);
	}
	free(own);
	return status;
}

static int lock_door(int *lock) {
	struct guest_paths paths;
	int status = guest_paths_init(&paths, "@door");
	if (status != RUN_OK) {
		return status;
	}
	*lock = paths_lock(paths.start, LOCK_EX, "waiting for another portal-run to ask the host…");
	return *lock >= 0 ? RUN_OK
			  : say_failure(RUN_SYSTEM, "%s: %s", paths.start, strerror(errno));
}

int host_door_call(const char *uri, const struct host_call *call, struct host_answer *answer) {
	*answer = (struct host_answer){0};
	const char *text = uri + strlen(HOST_DOOR_URI);
	struct portal_transport_address address;
	const char *error;
	if (portal_transport_parse(&address, text, &error) < 0) {
		return say_failure(RUN_CONFIG, "uri \"%s\": %s", uri, error);
	}
	uint8_t key[PORTAL_KEY_SIZE];
	bool needs_key = portal_transport_needs_key(&address);
	int lock = -1;
	int status = needs_key ? load_key(key) : RUN_OK;
	if (status == RUN_OK) {
		status = lock_door(&lock);
	}
	if (status == RUN_OK) {
		struct conversation conversation = {.call = call, .answer = answer};
		status = talk(&address, text, needs_key ? key : NULL, &conversation);
	}
	explicit_bzero(key, sizeof(key));
	if (lock >= 0) {
		close(lock);
	}
	return status;
}

const struct portal_frame_guest *host_answer_find(
	const struct host_answer *answer, const char *guest) {
	for (size_t i = 0; i < answer->count; i++) {
		if (strcmp(answer->guests[i].name, guest) == 0) {
			return &answer->guests[i];
		}
	}
	return NULL;
}
