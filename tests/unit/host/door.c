#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limit.h"
#include "door/confine.h"
#include "door/door.h"

/* A door and its callers, in one process. The backend keeps what it is asked until it is told to
 * answer. */

#define CALLERS_MAX 12

struct caller {
	struct portal_channel *channel;
	bool ready, closed;
	enum portal_bye_reason reason;
	char text[PORTAL_BYE_TEXT_MAX + 1];
	char answers[1024]; /* one line each */
};

struct scene {
	char directory[32];
	char address[64];
	sd_event *loop;
	struct door *door;
	struct door_request *open[64];
	size_t open_count;
	int lost;
	char log[4096];
	struct caller callers[CALLERS_MAX];
};

static const uint8_t key[PORTAL_KEY_SIZE] = {1, 2, 3};
static const uint8_t other_key[PORTAL_KEY_SIZE] = {3, 2, 1};

static void keep_call(void *data, struct door_request *request) {
	struct scene *scene = data;
	assert_true(scene->open_count < sizeof(scene->open) / sizeof(scene->open[0]));
	scene->open[scene->open_count++] = request;
}

static void note_lost(void *data, int error) {
	struct scene *scene = data;
	scene->lost = error;
}

static void note_log(void *data, int priority, const char *text) {
	struct scene *scene = data;
	size_t length = strlen(scene->log);
	snprintf(scene->log + length, sizeof(scene->log) - length, "%d %s\n", priority, text);
}

static const struct door_handlers door_test_handlers = {
	.call = keep_call,
	.lost = note_lost,
	.log = note_log,
};

static struct portal_transport_listener *listen_at(const struct scene *scene) {
	struct portal_transport_address address;
	assert_int_equal(portal_transport_parse(&address, scene->address, NULL), 0);
	struct portal_transport_listener *listener = portal_transport_listen(&address);
	assert_non_null(listener);
	return listener;
}

static void make_door(struct scene *scene, struct portal_transport_listener *listener) {
	const struct door_options options = {.listener = listener, .name = "host", .key = key};
	scene->door = door_create(scene->loop, &options, &door_test_handlers, scene);
	assert_non_null(scene->door);
}

static int setup(void **state) {
	struct scene *scene = calloc(1, sizeof(*scene));
	strcpy(scene->directory, "/tmp/door-XXXXXX");
	assert_non_null(mkdtemp(scene->directory));
	snprintf(scene->address, sizeof(scene->address), "unix:%s/door", scene->directory);
	assert_true(sd_event_new(&scene->loop) >= 0);
	make_door(scene, listen_at(scene));
	*state = scene;
	return 0;
}

static int teardown(void **state) {
	struct scene *scene = *state;
	for (size_t i = 0; i < CALLERS_MAX; i++) {
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

static struct caller *call_in(
	struct scene *scene, size_t index, const uint8_t *caller_key, uint64_t features) {
	struct caller *caller = &scene->callers[index];
	struct portal_transport_address address;
	assert_int_equal(portal_transport_parse(&address, scene->address, NULL), 0);
	struct portal_transport *transport = portal_transport_connect(&address);
	assert_non_null(transport);
	const struct portal_channel_options options = {
		.role = PORTAL_ROLE_CONTROLLER,
		.name = "work",
		.software = "test",
		.features = features,
		.heap_fd = -1,
		.key = caller_key,
	};
	caller->channel = portal_channel_create(transport, &options, &caller_handlers, caller);
	assert_non_null(caller->channel);
	return caller;
}

/* Lets both ends work until neither has anything to do. */
static void settle(struct scene *scene) {
	bool worked = true;
	while (worked) {
		worked = false;
		while (sd_event_run(scene->loop, 0) > 0) {
			worked = true;
		}
		for (size_t i = 0; i < CALLERS_MAX; i++) {
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

static void ask(struct caller *caller, uint32_t id, uint32_t method, const char *guest) {
	const struct portal_frame_call call = {.method = method, .value = 30, .flags = 1};
	assert_int_equal(portal_channel_send_call(caller->channel, id, &call, guest), 0);
}

static void a_call_is_answered_when_there_is_an_answer(void **state) {
	struct scene *scene = *state;
	struct caller *caller = call_in(scene, 0, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	assert_true(caller->ready);
	ask(caller, 7, PORTAL_CALL_STOP, "mail");
	ask(caller, 8, PORTAL_CALL_LIST, NULL);
	settle(scene);
	assert_int_equal(scene->open_count, 2);
	const struct door_call *call = door_request_get_call(scene->open[0]);
	assert_int_equal(call->untrusted_method, PORTAL_CALL_STOP);
	assert_string_equal(call->guest, "mail");
	assert_true(call->force);
	assert_int_equal(call->untrusted_value, 30);
	const struct portal_frame_guest guest = {.name = "mail", .state = PORTAL_GUEST_OFF};
	door_request_answer(scene->open[1], PORTAL_CALL_DONE, &guest, 1, NULL);
	settle(scene);
	assert_string_equal(caller->answers, "8 0 1 mail\n");
	door_request_answer(scene->open[0], PORTAL_CALL_TIMEOUT, NULL, 0, "!");
	settle(scene);
	assert_string_equal(caller->answers, "8 0 1 mail\n7 4 0!\n");
}

static void nobody_is_heard_without_the_key(void **state) {
	struct scene *scene = *state;
	struct caller *wrong = call_in(scene, 0, other_key, PORTAL_FEATURE_DOOR);
	struct caller *none = call_in(scene, 1, NULL, PORTAL_FEATURE_DOOR);
	settle(scene);
	assert_int_equal(wrong->reason, PORTAL_BYE_AUTH);
	assert_int_equal(none->reason, PORTAL_BYE_AUTH);
	assert_non_null(strstr(scene->log, "key"));
	/* The door goes on. */
	struct caller *right = call_in(scene, 2, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	assert_true(right->ready);
}

static void a_bridge_that_comes_to_the_door_is_told_so(void **state) {
	struct scene *scene = *state;
	struct caller *bridge = call_in(scene, 0, key, PORTAL_FEATURE_SHARED_HEAP);
	settle(scene);
	assert_true(bridge->closed);
	assert_non_null(strstr(bridge->text, "not an agent"));
}

static void a_call_about_nobody_and_a_list_of_somebody_end_the_session(void **state) {
	struct scene *scene = *state;
	struct caller *nobody = call_in(scene, 0, key, PORTAL_FEATURE_DOOR);
	struct caller *somebody = call_in(scene, 1, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	ask(nobody, 1, PORTAL_CALL_START, NULL);
	ask(somebody, 1, PORTAL_CALL_LIST, "mail");
	settle(scene);
	assert_int_equal(nobody->reason, PORTAL_BYE_VIOLATION);
	assert_int_equal(somebody->reason, PORTAL_BYE_VIOLATION);
	assert_int_equal(scene->open_count, 0);
}

static void an_answer_for_one_who_has_gone_is_thrown_away(void **state) {
	struct scene *scene = *state;
	struct caller *caller = call_in(scene, 0, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	ask(caller, 1, PORTAL_CALL_START, "mail");
	settle(scene);
	portal_channel_destroy(caller->channel);
	caller->channel = NULL;
	settle(scene);
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, NULL);
	settle(scene);
	struct caller *next = call_in(scene, 1, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	assert_true(next->ready);
	assert_string_equal(next->answers, "");
}

static void a_request_outlives_the_door(void **state) {
	struct scene *scene = *state;
	struct caller *caller = call_in(scene, 0, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	ask(caller, 1, PORTAL_CALL_START, "mail");
	settle(scene);
	door_destroy(scene->door);
	scene->door = NULL;
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, NULL);
	settle(scene);
	assert_true(caller->closed);
}

static void a_flood_of_calls_is_refused_and_ends_nobody_else(void **state) {
	struct scene *scene = *state;
	struct caller *flood = call_in(scene, 0, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	for (uint32_t i = 0; i < 40; i++) {
		ask(flood, i, PORTAL_CALL_START, "mail");
	}
	settle(scene);
	assert_int_equal(scene->open_count, 32);
	assert_non_null(strstr(flood->answers, "32 2 0too many calls at once"));
	/* As soon as one is answered there is room. */
	for (size_t i = 0; i < 32; i++) {
		door_request_answer(scene->open[i], PORTAL_CALL_DONE, NULL, 0, NULL);
	}
	scene->open_count = 0;
	ask(flood, 99, PORTAL_CALL_LIST, NULL);
	settle(scene);
	assert_int_equal(scene->open_count, 1);
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, NULL);
}

static size_t count(const char *text, const char *wanted) {
	size_t found = 0;
	while ((text = strstr(text, wanted)) != NULL) {
		found++;
		text += strlen(wanted);
	}
	return found;
}

static void thousands_of_calls_cost_their_host_a_few_and_one_line(void **state) {
	struct scene *scene = *state;
	struct caller *flood = call_in(scene, 0, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	size_t heard = 0;
	for (uint32_t i = 0; i < 4000; i++) {
		ask(flood, i, PORTAL_CALL_START, "mail");
		settle(scene);
		heard += scene->open_count;
		while (scene->open_count > 0) {
			door_request_answer(scene->open[--scene->open_count], PORTAL_CALL_NO_GUEST,
				NULL, 0, NULL);
		}
	}
	settle(scene);
	assert_uint_in_range(heard, 64, 4000 / 4);
	assert_false(flood->closed);
	assert_int_equal(count(scene->log, "too often"), 1);
}

static void who_breaks_rules_again_and_again_does_not_fill_the_log(void **state) {
	struct scene *scene = *state;
	for (size_t i = 0; i < 200; i++) {
		struct caller *wrong = call_in(scene, 0, other_key, PORTAL_FEATURE_DOOR);
		settle(scene);
		assert_int_equal(wrong->reason, PORTAL_BYE_AUTH);
		portal_channel_destroy(wrong->channel);
		memset(wrong, 0, sizeof(*wrong));
	}
	assert_uint_in_range(count(scene->log, "\n"), 16, 200 / 2);
	struct caller *right = call_in(scene, 1, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	assert_true(right->ready);
}

static void a_limit_gives_back_what_time_allows(void **state) {
	struct limit limit = {.most = 2, .interval = 10};
	assert_true(limit_take(&limit, 1000));
	assert_true(limit_take(&limit, 1000));
	assert_false(limit_take(&limit, 1009));
	assert_int_equal(limit_wait(&limit, 1009), 1);
	assert_true(limit_take(&limit, 1010));
	assert_false(limit_take(&limit, 1019));
	assert_true(limit_take(&limit, 5000));
	assert_true(limit_take(&limit, 5000));
	assert_false(limit_take(&limit, 5000));
}

static void silent_connections_do_not_keep_out_the_one_with_the_key(void **state) {
	struct scene *scene = *state;
	struct portal_transport_address address;
	struct portal_transport *silent[20];
	assert_int_equal(portal_transport_parse(&address, scene->address, NULL), 0);
	for (size_t i = 0; i < 20; i++) {
		silent[i] = portal_transport_connect(&address);
		assert_non_null(silent[i]);
		settle(scene);
	}
	struct caller *right = call_in(scene, 0, key, PORTAL_FEATURE_DOOR);
	settle(scene);
	assert_true(right->ready);
	for (size_t i = 0; i < 20; i++) {
		portal_transport_destroy(silent[i]);
	}
	settle(scene);
}

/* Whether something that reaches another process was let. */
static bool reaches(pid_t pid) {
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	return syscall(SYS_tgkill, pid, pid, SIGCONT) == 0 ||
	       prlimit(pid, RLIMIT_CPU, &limit, NULL) == 0 ||
	       fcntl(STDIN_FILENO, F_SETOWN, pid) == 0;
}

/* In a process of its own, since it cannot be undone. */
static int behind_confinement(struct scene *scene) {
	pid_t parent = getppid();
	bool reached = false;
	const char *missing;
	struct error error;
	if (confine(NULL, &missing, &error) < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 10;
	}
	if (missing == NULL || strstr(missing, "seccomp") == NULL) {
		if (open("/etc/passwd", O_RDONLY) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0) {
			return 11;
		}
		reached = reaches(parent);
	}
	while (scene->open_count == 0) {
		if (sd_event_run(scene->loop, UINT64_MAX) < 0) {
			return 12;
		}
	}
	door_request_answer(scene->open[0], PORTAL_CALL_DONE, NULL, 0, "confined");
	/* The caller goes when it has its answer. */
	int result = sd_event_run(scene->loop, UINT64_MAX);
	return result < 0 ? 13 : reached ? 14 : 0;
}

static void await_answer(struct caller *caller) {
	while (caller->answers[0] == '\0') {
		portal_channel_flush(caller->channel);
		struct pollfd poll_fd = {
			.fd = portal_channel_get_fd(caller->channel),
			.events = portal_channel_get_events(caller->channel),
		};
		assert_true(poll(&poll_fd, 1, -1) > 0);
		bool was_ready = caller->ready;
		portal_channel_dispatch(caller->channel, poll_fd.revents);
		assert_false(caller->closed);
		if (caller->ready && !was_ready) {
			ask(caller, 1, PORTAL_CALL_LIST, NULL);
		}
	}
}

static void a_confined_door_opens_nothing_and_answers(void **state) {
	struct scene *scene = *state;
	/* sd-event does not survive a fork, so the child makes its own. */
	door_destroy(scene->door);
	scene->door = NULL;
	scene->loop = sd_event_unref(scene->loop);
	struct portal_transport_listener *listener = listen_at(scene);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (sd_event_new(&scene->loop) < 0) {
			_exit(9);
		}
		make_door(scene, listener);
		_exit(behind_confinement(scene));
	}
	struct caller *caller = call_in(scene, 0, key, PORTAL_FEATURE_DOOR);
	await_answer(caller);
	assert_string_equal(caller->answers, "1 0 0confined\n");
	portal_channel_destroy(caller->channel);
	caller->channel = NULL;
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	portal_transport_listener_destroy(listener);
}

/* In a process of its own, which opens nothing any more. How its stream was lost, as an errno. */
static int confined_loss(struct scene *scene) {
	const char *missing;
	struct error error;
	make_door(scene, listen_at(scene));
	if (confine(NULL, &missing, &error) < 0) {
		return 255;
	}
	while (scene->lost == 0) {
		if (sd_event_run(scene->loop, UINT64_MAX) < 0) {
			return 255;
		}
	}
	return scene->lost;
}

/* As QEMU listens for who uses a port. */
static int listen_as_vm(const struct scene *scene) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/port", scene->directory);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void a_confined_door_whose_vm_ends_hears_just_that(void **state) {
	struct scene *scene = *state;
	door_destroy(scene->door);
	scene->door = NULL;
	scene->loop = sd_event_unref(scene->loop);
	snprintf(scene->address, sizeof(scene->address), "virtio-serial:%s/port", scene->directory);
	int vm = listen_as_vm(scene);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(vm);
		_exit(sd_event_new(&scene->loop) < 0 ? 255 : confined_loss(scene));
	}
	int stream = accept(vm, NULL, NULL);
	assert_true(stream >= 0);
	char byte;
	assert_int_equal(read(stream, &byte, 1), 1); /* it says that it is new */
	close(stream);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EPIPE);
	close(vm);
	unlink(scene->address + strlen("virtio-serial:"));
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		IN_SCENE(a_call_is_answered_when_there_is_an_answer),
		IN_SCENE(nobody_is_heard_without_the_key),
		IN_SCENE(a_bridge_that_comes_to_the_door_is_told_so),
		IN_SCENE(a_call_about_nobody_and_a_list_of_somebody_end_the_session),
		IN_SCENE(an_answer_for_one_who_has_gone_is_thrown_away),
		IN_SCENE(a_request_outlives_the_door),
		IN_SCENE(a_flood_of_calls_is_refused_and_ends_nobody_else),
		IN_SCENE(thousands_of_calls_cost_their_host_a_few_and_one_line),
		IN_SCENE(who_breaks_rules_again_and_again_does_not_fill_the_log),
		cmocka_unit_test(a_limit_gives_back_what_time_allows),
		IN_SCENE(silent_connections_do_not_keep_out_the_one_with_the_key),
		IN_SCENE(a_confined_door_opens_nothing_and_answers),
		IN_SCENE(a_confined_door_whose_vm_ends_hears_just_that),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
