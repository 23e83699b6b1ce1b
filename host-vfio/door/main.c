#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "door/backend.h"
#include "door/confine.h"
#include "door/door.h"

/* portal-hostd has the first connection of the controller's here. */
#define HOST_FD 3

enum {
	EXIT_USAGE = 2,
	EXIT_LOST = 3, /* the stream is gone: the controller has stopped */
	EXIT_NONE = 4, /* there is none */
};

struct options {
	const char *controller, *transport, *key, *user;
	unsigned connections;
};

struct program {
	sd_event *loop;
	struct door *door;
	struct backend *backend;
	const char *controller;
	int status;
};

static void __attribute__((format(printf, 3, 4))) say(
	const struct program *program, int priority, const char *format, ...) {
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "<%d>portal-door[%s]: %s\n", priority, program->controller, text);
}

static void handle_call(void *data, struct door_request *request) {
	struct program *program = data;
	backend_call(program->backend, request);
}

static void handle_forgotten(void *data, struct door_request *request) {
	struct program *program = data;
	if (program->backend != NULL) {
		backend_forget(program->backend, request);
	}
}

static void handle_stream_lost(void *data, int error) {
	struct program *program = data;
	/* That a VM ends is for portal-hostd to say, which knows it by the status. */
	if (error != EPIPE) {
		say(program, LOG_WARNING, "the controller's stream is lost: %s", strerror(error));
	}
	program->status = EXIT_LOST;
	sd_event_exit(program->loop, 0);
}

static void handle_log(void *data, int priority, const char *text) {
	if (priority < LOG_DEBUG) {
		say(data, priority, "%s", text);
	}
}

static const struct door_handlers handlers = {
	.call = handle_call,
	.forgotten = handle_forgotten,
	.lost = handle_stream_lost,
	.log = handle_log,
};

static void handle_host_lost(void *data) {
	struct program *program = data;
	program->status = EXIT_SUCCESS;
	sd_event_exit(program->loop, 0);
}

static const char usage[] =
	"usage: portal-door --controller NAME --transport TRANSPORT [--key FILE] [--user USER]\n"
	"                   [--connections N]\n"
	"\n"
	"portal-hostd starts it, with connections of its own from descriptor 3 on: "
	"portal-door(8).\n";

static int parse(struct options *options, int argc, char **argv) {
	static const struct option known[] = {
		{"controller", required_argument, NULL, 'c'},
		{"transport", required_argument, NULL, 't'},
		{"key", required_argument, NULL, 'k'},
		{"user", required_argument, NULL, 'u'},
		{"connections", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 'c':
			options->controller = optarg;
			break;
		case 't':
			options->transport = optarg;
			break;
		case 'k':
			options->key = optarg;
			break;
		case 'u':
			options->user = optarg;
			break;
		case 'n':
			options->connections = optarg[0] >= '1' && optarg[1] == '\0'
						       ? (unsigned)(optarg[0] - '0')
						       : 0;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		case 'v':
			puts("portal-door " PORTAL_VERSION);
			exit(EXIT_SUCCESS);
		default:
			return -1;
		}
	}
	return optind == argc && options->controller != NULL && options->transport != NULL &&
			       options->connections >= 1 &&
			       options->connections <= BACKEND_CONNECTIONS_MAX
		       ? 0
		       : -1;
}

/* Everything that needs to be opened. */
static int open_all(struct program *program, const struct options *options) {
	struct portal_transport_address address;
	const char *error;
	if (portal_transport_parse(&address, options->transport, &error) < 0) {
		say(program, LOG_ERR, "--transport %s: %s", options->transport, error);
		return EXIT_USAGE;
	}
	uint8_t key[PORTAL_KEY_SIZE];
	if (options->key != NULL && portal_auth_load_key(options->key, key) < 0) {
		say(program, LOG_ERR, "the controller's key %s: %s", options->key, strerror(errno));
		return EXIT_FAILURE;
	}
	if (options->key == NULL && portal_transport_needs_key(&address)) {
		say(program, LOG_ERR, "transport %s needs the controller's key: --key",
			options->transport);
		return EXIT_USAGE;
	}
	const struct door_options door = {
		.listener = portal_transport_listen(&address),
		.name = "portal-hostd",
		.key = options->key != NULL ? key : NULL,
	};
	if (door.listener == NULL) {
		/* Whether that is to be is for portal-hostd to say. */
		say(program, LOG_INFO, "%s: %s", options->transport, strerror(errno));
		return EXIT_NONE;
	}
	program->door = door_create(program->loop, &door, &handlers, program);
	explicit_bzero(key, sizeof(key));
	if (program->door == NULL) {
		say(program, LOG_ERR, "%s: %s", options->transport, strerror(errno));
		return EXIT_FAILURE;
	}
	program->backend = backend_create(
		program->loop, HOST_FD, options->connections, handle_host_lost, program);
	if (program->backend == NULL) {
		say(program, LOG_ERR,
			"descriptors from %d on are no connections to portal-hostd: %s", HOST_FD,
			strerror(errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

static int run(struct program *program, const struct options *options) {
	int status = open_all(program, options);
	if (status != EXIT_SUCCESS) {
		return status;
	}
	const char *missing;
	struct error error;
	if (confine(options->user, &missing, &error) < 0) {
		say(program, LOG_ERR, "%s", error.text);
		return EXIT_FAILURE;
	}
	if (missing != NULL) {
		say(program, LOG_WARNING, "sandbox incomplete: this kernel has no %s", missing);
	}
	int result = sd_event_loop(program->loop);
	if (result < 0) {
		say(program, LOG_ERR, "loop: %s", strerror(-result));
		return EXIT_FAILURE;
	}
	return program->status;
}

int main(int argc, char **argv) {
	struct options options = {.connections = 1};
	if (parse(&options, argc, argv) < 0) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	/* Nothing but the connections comes along. */
	close_range(HOST_FD + options.connections, ~0u, 0);
	struct program program = {.controller = options.controller};
	for (unsigned i = 0; i < options.connections; i++) {
		if (fcntl(HOST_FD + (int)i, F_SETFD, FD_CLOEXEC) < 0) {
			say(&program, LOG_ERR,
				"descriptor %u is not open: portal-hostd starts this program",
				HOST_FD + i);
			return EXIT_USAGE;
		}
	}
	int result = sd_event_new(&program.loop);
	if (result < 0) {
		say(&program, LOG_ERR, "loop: %s", strerror(-result));
		return EXIT_FAILURE;
	}
	int status = run(&program, &options);
	backend_destroy(program.backend);
	program.backend = NULL;
	door_destroy(program.door);
	sd_event_unref(program.loop);
	return status;
}
