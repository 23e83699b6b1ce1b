/* Calls of somebody who makes more of them than he should, in one process with who answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostd/pace.h"

#define METHOD "org.portal.Test.Do"
#define CALLERS 3
#define NEVER UINT64_C(3600000000) /* µs */

struct caller {
	sd_varlink *link;
	unsigned answers;
	bool gone;
};

struct scene {
	sd_event *loop;
	sd_varlink_server *server;
	struct pace *pace;
	struct caller callers[CALLERS];
	unsigned done, slowed;
	uint64_t order[64]; /* the callers' numbers, as their calls were done */
};

static int handle_call(sd_varlink *link, sd_json_variant *parameters,
	sd_varlink_method_flags_t flags, void *data) {
	struct scene *scene = data;
	if (!pace_allows(scene->pace, link, flags)) {
		return 0;
	}
	assert_true(scene->done < sizeof(scene->order) / sizeof(scene->order[0]));
	scene->order[scene->done++] =
		sd_json_variant_unsigned(sd_json_variant_by_key(parameters, "caller"));
	return sd_varlink_reply(link, NULL);
}

static void handle_disconnect(sd_varlink_server *server, sd_varlink *link, void *data) {
	struct scene *scene = data;
	pace_forget(scene->pace, link);
}

static int handle_answer(sd_varlink *link, sd_json_variant *parameters, const char *error,
	sd_varlink_reply_flags_t flags, void *data) {
	struct caller *caller = data;
	if (flags & SD_VARLINK_REPLY_LOCAL) {
		caller->gone = true;
	} else {
		assert_null(error);
		caller->answers++;
	}
	return 0;
}

static void note_slowed(void *data) {
	struct scene *scene = data;
	scene->slowed++;
}

static void begin(struct scene *scene, unsigned most, uint64_t interval) {
	const struct pace_options options = {
		.most = most, .interval = interval, .slowed = note_slowed, .data = scene};
	scene->pace = pace_create(scene->loop, &options);
	assert_non_null(scene->pace);
}

static void connect_caller(struct scene *scene, struct caller *caller) {
	int ends[2];
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	assert_true(sd_varlink_server_add_connection(scene->server, ends[0], NULL) >= 0);
	assert_true(sd_varlink_connect_fd(&caller->link, ends[1]) >= 0);
	sd_varlink_set_userdata(caller->link, caller);
	sd_varlink_set_relative_timeout(caller->link, UINT64_MAX);
	assert_true(sd_varlink_bind_reply(caller->link, handle_answer) >= 0);
	assert_true(sd_varlink_attach_event(caller->link, scene->loop, 0) >= 0);
}

static int setup(void **state) {
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_true(sd_event_new(&scene->loop) >= 0);
	assert_true(sd_varlink_server_new(&scene->server, SD_VARLINK_SERVER_INHERIT_USERDATA) >= 0);
	sd_varlink_server_set_userdata(scene->server, scene);
	assert_true(sd_varlink_server_bind_method(scene->server, METHOD, handle_call) >= 0);
	assert_true(sd_varlink_server_bind_disconnect(scene->server, handle_disconnect) >= 0);
	assert_true(sd_varlink_server_attach_event(scene->server, scene->loop, 0) >= 0);
	for (size_t i = 0; i < CALLERS; i++) {
		connect_caller(scene, &scene->callers[i]);
	}
	*state = scene;
	return 0;
}

/* Everything that can happen at this moment. */
static void settle(struct scene *scene) {
	int result;
	while ((result = sd_event_run(scene->loop, 0)) > 0) {
	}
	assert_int_equal(result, 0);
}

static int teardown(void **state) {
	struct scene *scene = *state;
	for (size_t i = 0; i < CALLERS; i++) {
		sd_varlink_close_unref(scene->callers[i].link);
	}
	settle(scene); /* a server's connections end when it hears of it */
	sd_varlink_server_unref(scene->server);
	pace_destroy(scene->pace);
	sd_event_unref(scene->loop);
	free(scene);
	return 0;
}

static void call(struct scene *scene, size_t caller) {
	assert_true(sd_varlink_invokebo(scene->callers[caller].link, METHOD,
			    SD_JSON_BUILD_PAIR_UNSIGNED("caller", caller)) >= 0);
}

static void so_many_calls_are_done_at_once_and_the_others_wait(void **state) {
	struct scene *scene = *state;
	begin(scene, 5, NEVER);
	for (int i = 0; i < 20; i++) {
		call(scene, 0);
	}
	settle(scene);
	assert_int_equal(scene->done, 5);
	assert_int_equal(scene->callers[0].answers, 5);
	/* And nobody who comes now is done before those. */
	call(scene, 1);
	settle(scene);
	assert_int_equal(scene->done, 5);
	assert_int_equal(scene->slowed, 1);
}

static void calls_that_wait_are_done_in_time_and_in_turn(void **state) {
	struct scene *scene = *state;
	begin(scene, 2, 1000);
	for (int i = 0; i < 10; i++) {
		for (size_t caller = 0; caller < CALLERS; caller++) {
			call(scene, caller);
		}
	}
	while (scene->done < 10 * CALLERS) {
		assert_true(sd_event_run(scene->loop, UINT64_MAX) >= 0);
	}
	settle(scene);
	for (size_t i = 0; i < CALLERS; i++) {
		assert_int_equal(scene->callers[i].answers, 10);
		/* One that has much to say is heard no more often than the others. */
		for (size_t turn = 0; turn < 10; turn++) {
			unsigned heard = 0;
			for (size_t k = 0; k < CALLERS; k++) {
				heard += scene->order[turn * CALLERS + k] == i;
			}
			assert_int_equal(heard, 1);
		}
	}
}

static void who_writes_without_end_waits(void **state) {
	struct scene *scene = *state;
	begin(scene, 3, NEVER);
	static const char message[] = "{\"method\":\"" METHOD "\",\"parameters\":{\"caller\":2}}";
	int ends[2];
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	assert_true(sd_varlink_server_add_connection(scene->server, ends[0], NULL) >= 0);
	/* Until there is no room even when all has been read that is going to be. */
	size_t written = 0;
	while (write(ends[1], message, sizeof(message)) > 0) {
		do {
			written += sizeof(message);
		} while (write(ends[1], message, sizeof(message)) > 0);
		assert_true(written < (size_t)64 << 20);
		settle(scene);
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(scene->done, 3);
	close(ends[1]);
	settle(scene);
}

static void a_connection_that_ends_waits_no_longer(void **state) {
	struct scene *scene = *state;
	begin(scene, 1, 1000);
	for (size_t caller = 0; caller < CALLERS; caller++) {
		call(scene, caller);
	}
	settle(scene);
	scene->callers[1].link = sd_varlink_flush_close_unref(scene->callers[1].link);
	while (scene->callers[2].answers == 0) {
		assert_true(sd_event_run(scene->loop, UINT64_MAX) >= 0);
	}
	assert_int_equal(scene->callers[0].answers, 1);
	assert_int_equal(scene->callers[1].answers, 0);
}

static void a_call_that_wants_no_answer_ends_its_connection(void **state) {
	struct scene *scene = *state;
	begin(scene, 5, NEVER);
	assert_true(sd_varlink_sendbo(scene->callers[0].link, METHOD,
			    SD_JSON_BUILD_PAIR_UNSIGNED("caller", 0)) >= 0);
	call(scene, 1);
	settle(scene);
	assert_true(scene->callers[0].gone);
	assert_int_equal(scene->done, 1);
	assert_int_equal(scene->callers[1].answers, 1);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		IN_SCENE(so_many_calls_are_done_at_once_and_the_others_wait),
		IN_SCENE(calls_that_wait_are_done_in_time_and_in_turn),
		IN_SCENE(who_writes_without_end_waits),
		IN_SCENE(a_connection_that_ends_waits_no_longer),
		IN_SCENE(a_call_that_wants_no_answer_ends_its_connection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
