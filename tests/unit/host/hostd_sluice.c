/* What a door says goes through a sluice before sd-varlink reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostd/sluice.h"

enum { MOST = 100 };

struct scene {
	sd_event *loop;
	struct sluice *sluice;
	int outside, inside; /* the test's ends */
	unsigned exceeded;
};

static void note_exceeded(void *data) {
	struct scene *scene = data;
	scene->exceeded++;
}

static int setup(void **state) {
	struct scene *scene = calloc(1, sizeof(*scene));
	int outside[2], inside[2];
	assert_true(sd_event_new(&scene->loop) >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, outside), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, inside), 0);
	const struct sluice_options options = {
		.outside = outside[1],
		.inside = inside[1],
		.most = MOST,
		.exceeded = note_exceeded,
		.data = scene,
	};
	scene->sluice = sluice_create(scene->loop, &options);
	assert_non_null(scene->sluice);
	scene->outside = outside[0];
	scene->inside = inside[0];
	*state = scene;
	return 0;
}

static int teardown(void **state) {
	struct scene *scene = *state;
	sluice_destroy(scene->sluice);
	sd_event_unref(scene->loop);
	close(scene->outside);
	close(scene->inside);
	free(scene);
	return 0;
}

/* Until there is nothing to do, which has to come. */
static void settle(struct scene *scene) {
	unsigned turns = 0;
	while (sd_event_run(scene->loop, 0) > 0) {
		assert_true(turns++ < 10000);
	}
}

static void say(int fd, const void *bytes, size_t size) {
	assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
}

/* What there is to read, at most `size` bytes; 0: the end. */
static size_t hear(int fd, void *bytes, size_t size) {
	ssize_t got = recv(fd, bytes, size, 0);
	assert_true(got >= 0);
	return (size_t)got;
}

static bool is_silent(int fd) {
	char byte;
	return recv(fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

static void what_either_side_says_is_heard_on_the_other(void **state) {
	struct scene *scene = *state;
	char text[64];
	say(scene->outside, "call", 5);
	settle(scene);
	assert_int_equal(hear(scene->inside, text, sizeof(text)), 5);
	assert_string_equal(text, "call");
	say(scene->inside, "reply", 6);
	settle(scene);
	assert_int_equal(hear(scene->outside, text, sizeof(text)), 6);
	assert_string_equal(text, "reply");
}

static void a_message_may_be_so_long_and_not_a_byte_longer(void **state) {
	struct scene *scene = *state;
	char message[MOST + 1], heard[MOST + 1];
	memset(message, 'x', sizeof(message));
	message[MOST] = '\0';
	for (int i = 0; i < 3; i++) {
		/* Also in pieces, and the next one begins at nothing. */
		say(scene->outside, message, 60);
		settle(scene);
		say(scene->outside, message + 60, sizeof(message) - 60);
		settle(scene);
		assert_int_equal(hear(scene->inside, heard, sizeof(heard)), sizeof(message));
		assert_memory_equal(heard, message, sizeof(message));
	}
	say(scene->outside, message, MOST);
	settle(scene);
	assert_int_equal(scene->exceeded, 0);
	say(scene->outside, "y", 1);
	settle(scene);
	assert_int_equal(scene->exceeded, 1);
	assert_int_equal(hear(scene->outside, heard, 1), 0);
	/* What was too long is not passed on as a whole, and the end follows. */
	assert_int_equal(hear(scene->inside, heard, sizeof(heard)), MOST);
	assert_int_equal(hear(scene->inside, heard, 1), 0);
}

static void an_answer_may_be_of_any_length(void **state) {
	struct scene *scene = *state;
	static uint8_t sent[300 * 1000], got[sizeof(sent)];
	for (size_t i = 0; i < sizeof(sent); i++) {
		sent[i] = (uint8_t)(i % 251 + 1);
	}
	size_t said = 0, heard = 0;
	while (heard < sizeof(sent)) {
		ssize_t result =
			send(scene->inside, sent + said, sizeof(sent) - said, MSG_NOSIGNAL);
		said += result > 0 ? (size_t)result : 0;
		settle(scene);
		while (!is_silent(scene->outside)) {
			heard += hear(scene->outside, got + heard, 1000);
		}
	}
	assert_memory_equal(sent, got, sizeof(sent));
}

/* Calls wait in their connection: what is full is not looked at again. */
static void who_writes_on_while_nobody_reads_waits(void **state) {
	struct scene *scene = *state;
	static const char calls[MOST];
	size_t said = 0;
	for (ssize_t sent = 1; sent > 0; said += sent > 0 ? (size_t)sent : 0) {
		sent = send(scene->outside, calls, sizeof(calls), MSG_NOSIGNAL);
		settle(scene);
	}
	assert_int_equal(scene->exceeded, 0);
	assert_true(said < 4 * 1024 * 1024);
	size_t heard = 0;
	char bytes[4096];
	while (heard < said) {
		heard += hear(scene->inside, bytes, sizeof(bytes));
		settle(scene);
	}
	assert_int_equal(heard, said);
}

static void who_goes_without_reading_leaves_nothing_to_do(void **state) {
	struct scene *scene = *state;
	static const char calls[MOST];
	while (send(scene->outside, calls, sizeof(calls), MSG_NOSIGNAL) > 0) {
		settle(scene);
	}
	close(scene->outside);
	scene->outside = -1;
	settle(scene);
	char bytes[4096];
	while (hear(scene->inside, bytes, sizeof(bytes)) > 0) {
		settle(scene);
	}
}

static void the_end_of_one_side_is_that_of_the_other_after_its_last_words(void **state) {
	struct scene *scene = *state;
	char text[64];
	say(scene->inside, "last", 5);
	shutdown(scene->inside, SHUT_RDWR);
	settle(scene);
	assert_int_equal(hear(scene->outside, text, sizeof(text)), 5);
	assert_int_equal(hear(scene->outside, text, sizeof(text)), 0);
}

#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
		IN_SCENE(what_either_side_says_is_heard_on_the_other),
		IN_SCENE(a_message_may_be_so_long_and_not_a_byte_longer),
		IN_SCENE(an_answer_may_be_of_any_length),
		IN_SCENE(who_writes_on_while_nobody_reads_waits),
		IN_SCENE(who_goes_without_reading_leaves_nothing_to_do),
		IN_SCENE(the_end_of_one_side_is_that_of_the_other_after_its_last_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
