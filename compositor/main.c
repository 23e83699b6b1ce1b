#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-server-core.h>
#include <wlr/util/log.h>

#include "compositor_config.h"
#include "reload.h"
#include "server.h"

struct options {
	const char *config;
	const char *socket;
	const char *startup;
	enum wlr_log_importance verbosity;
};

static const char usage[] = "usage: portal [OPTION]...\n"
			    "The compositor of Portal; see portal(1).\n"
			    "\n"
			    "  -c, --config FILE      configuration instead of portal.scfg\n"
			    "  -C, --check            check the configuration and exit\n"
			    "  -s, --socket NAME      name of the Wayland socket\n"
			    "  -S, --startup COMMAND  run a command once the compositor is ready\n"
			    "  -v, --verbose          log more\n"
			    "  -V, --version          print the version and exit\n"
			    "  -h, --help             print this and exit\n";

static int handle_terminate(int signal_number, void *data) {
	server_stop(data);
	return 0;
}

static int handle_hangup(int signal_number, void *data) {
	reload_config(data, NULL);
	return 0;
}

static struct compositor_config *read_config(const char *named) {
	struct config_error error;
	struct compositor_config *config = reload_read_config(named, &error);
	if (config == NULL) {
		fprintf(stderr, "portal: %s\n", error.message);
	}
	return config;
}

static int run(const struct options *options, struct compositor_config *config) {
	struct server *server = server_create(config, options->config);
	if (server == NULL) {
		return EXIT_FAILURE;
	}
	struct wl_event_source *sources[] = {
		wl_event_loop_add_signal(server->loop, SIGINT, handle_terminate, server),
		wl_event_loop_add_signal(server->loop, SIGTERM, handle_terminate, server),
		wl_event_loop_add_signal(server->loop, SIGHUP, handle_hangup, server),
	};
	// A client that goes away while it is written to is no reason to die.
	signal(SIGPIPE, SIG_IGN);
	bool started = server_start(server, options->socket);
	if (started) {
		if (options->startup != NULL) {
			server_spawn(server, options->startup);
		}
		wl_display_run(server->display);
	}
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		if (sources[i] != NULL) {
			wl_event_source_remove(sources[i]);
		}
	}
	server_destroy(server);
	return started ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
	static const struct option long_options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'C'},
		{"socket", required_argument, NULL, 's'},
		{"startup", required_argument, NULL, 'S'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options options = {.verbosity = WLR_INFO};
	bool check = false;
	int option;
	while ((option = getopt_long(argc, argv, "c:Cs:S:vVh", long_options, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.config = optarg;
			break;
		case 'C':
			check = true;
			break;
		case 's':
			options.socket = optarg;
			break;
		case 'S':
			options.startup = optarg;
			break;
		case 'v':
			options.verbosity = WLR_DEBUG;
			break;
		case 'V':
			puts("portal " PORTAL_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	wlr_log_init(options.verbosity, NULL);
	struct compositor_config *config = read_config(options.config);
	int status = EXIT_FAILURE;
	if (config != NULL && check) {
		compositor_config_destroy(config);
		status = EXIT_SUCCESS;
	} else if (config != NULL) {
		status = run(&options, config);
	}
	return status;
}
