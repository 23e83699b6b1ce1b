/* What the running kernel says of its network, in network namespaces of this test's own. */
#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/must.h"
#include "inventory/live.h"

/* The other end of a pair of virtual network cards, in another machine as far as this one knows. */
struct scene {
	struct tree *tree;
	pid_t peer;
	int to_peer, from_peer;
	int listener, connection;
};

static void run(const char *format, ...) {
	char command[256];
	va_list args;
	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command) != 0) {
		fail_msg("failed: %s", command);
	}
}

static void isolate(void) {
	int flags = geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;
	if (unshare(flags) < 0) {
		fail_msg("no network namespace of one's own: unshare(2) failed");
	}
}

static void wait_for_byte(int fd) {
	char byte;
	assert_int_equal(read(fd, &byte, 1), 1);
}

/* Says that it is apart, is told that it has its card, connects, and stays until it is ended. */
static void be_peer(int in, int out) {
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(22)};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) < 0 || write(out, "", 1) != 1) {
		_exit(1);
	}
	char byte;
	if (read(in, &byte, 1) != 1 ||
		system("ip address add 192.0.2.2/24 dev far && ip link set far up") != 0) {
		_exit(1);
	}
	inet_pton(AF_INET, "192.0.2.1", &server.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0) {
		_exit(1);
	}
	for (;;) {
		pause();
	}
}

static void begin(struct scene *scene) {
	int in[2], out[2];
	isolate();
	assert_int_equal(pipe(in) + pipe(out), 0);
	scene->peer = fork();
	if (scene->peer == 0) {
		be_peer(in[0], out[1]);
	}
	scene->to_peer = in[1];
	scene->from_peer = out[0];
	close(in[0]);
	close(out[1]);
	wait_for_byte(scene->from_peer);
	run("ip link add near type veth peer name far netns %d", scene->peer);
	run("ip address add 192.0.2.1/24 dev near");
	run("ip -6 address add 2001:db8:7::1/64 dev near nodad");
	run("ip link set near up");
	scene->tree = live_tree_create("/");
	assert_non_null(scene->tree);
}

static void connect_peer(struct scene *scene) {
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(22)};
	scene->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(scene->listener, (const struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(scene->listener, 1), 0);
	assert_int_equal(write(scene->to_peer, "", 1), 1);
	scene->connection = accept(scene->listener, NULL, NULL);
	assert_true(scene->connection >= 0);
}

static void end(struct scene *scene) {
	kill(scene->peer, SIGKILL);
	waitpid(scene->peer, NULL, 0);
	tree_destroy(scene->tree);
	close(scene->to_peer);
	close(scene->from_peer);
	close(scene->connection);
	close(scene->listener);
}

static bool has_line(struct scene *scene, const char *path, const char *wanted) {
	char *text = tree_text(scene->tree, "%s", path);
	assert_non_null(text);
	char *rest = text, *line;
	bool found = false;
	while ((line = strsep(&rest, "\n"))) {
		found |= strcmp(line, wanted) == 0;
	}
	free(text);
	return found;
}

static void routes_of_every_table_and_logins_are_told(void **state) {
	static const char routes[] = "/network/routes", logins[] = "/network/logins";
	struct scene scene;
	begin(&scene);
	connect_peer(&scene);
	assert_true(has_line(&scene, routes, "192.0.2.0/24 near main"));
	assert_true(has_line(&scene, routes, "2001:db8:7::/64 near main"));
	char *text = tree_text(scene.tree, routes);
	assert_null(strstr(text, "default"));
	assert_null(strstr(text, "fe80"));
	assert_null(strstr(text, "ff00"));
	assert_null(strstr(text, " lo "));
	free(text);
	run("ip route add default via 192.0.2.2 table 200");
	assert_true(has_line(&scene, routes, "default near 200"));
	assert_false(has_line(&scene, routes, "default near main"));
	run("ip -6 route add default via 2001:db8:7::2");
	assert_true(has_line(&scene, routes, "default near main"));
	run("ip -6 route del default");
	run("ip route add default nexthop via 192.0.2.2 nexthop via 192.0.2.3");
	assert_true(has_line(&scene, routes, "default near main"));
	/* Many networks by one interface say no more than some. */
	for (int i = 0; i < 20; i++) {
		run("ip route add 10.%d.0.0/16 via 192.0.2.2", i);
	}
	text = tree_text(scene.tree, routes);
	assert_null(strstr(text, "10.9.0.0/16"));
	free(text);
	assert_true(has_line(&scene, routes, "default near main"));
	/* A process that lets nobody in has it, then one that does. */
	assert_true(has_line(&scene, logins, ""));
	prctl(PR_SET_NAME, "sshd-session");
	char *line = must_print("sshd-session %d near 192.0.2.2", getpid());
	assert_true(has_line(&scene, logins, line));
	free(line);
	/* Other files are there as ever, and can be asked for in part. */
	char start[4];
	assert_int_equal(tree_bytes(scene.tree, start, 4, "%s", logins), 4);
	assert_memory_equal(start, "sshd", 4);
	assert_true(tree_exists(scene.tree, "/proc/self/comm"));
	end(&scene);
}

static void another_root_has_nothing_of_this_machine_s_network(void **state) {
	struct tree *tree = live_tree_create("/proc");
	assert_non_null(tree);
	assert_false(tree_exists(tree, "/network/routes"));
	assert_true(tree_exists(tree, "/self/comm"));
	tree_destroy(tree);
	assert_null(live_tree_create("/nonexistent"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_root_has_nothing_of_this_machine_s_network),
		cmocka_unit_test(routes_of_every_table_and_logins_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
