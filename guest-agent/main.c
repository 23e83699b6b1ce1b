#include "agent.h"
#include "controller.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wlr/util/log.h>

static const char usage[] =
	"usage: portal-agent --listen TRANSPORT --heap HEAP [--name NAME] [--key FILE]\n"
	"       portal-agent --wayland-display NAME [--heap HEAP]\n"
	"\n"
	"  --listen TRANSPORT      wait there for the controller's portal-bridge\n"
	"  --heap HEAP             memory shared with it (default memfd:256M)\n"
	"  --name NAME             the VM's name, for the controller's log\n"
	"  --key FILE              the VM's key (default: the credential portal.key)\n"
	"  --wayland-display NAME  connect to a compositor of this machine instead\n"
	"  --verbose               log more\n"
	"  --version, --help\n";

struct options {
	const char *listen, *heap, *name, *key, *display;
	enum wlr_log_importance verbosity;
};

static int fail(const char *what, const char *value, const char *why) {
	fprintf(stderr, "portal-agent: %s %s: %s\n", what, value, why);
	return EXIT_FAILURE;
}

/* Returns −1 to go on, else the exit status. */
static int parse(struct options *options, int argc, char *argv[]) {
	static const struct option table[] = {
		{"listen", required_argument, NULL, 'l'},
		{"heap", required_argument, NULL, 'm'},
		{"name", required_argument, NULL, 'n'},
		{"key", required_argument, NULL, 'k'},
		{"wayland-display", required_argument, NULL, 'd'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (option) {
		case 'l':
			options->listen = optarg;
			break;
		case 'm':
			options->heap = optarg;
			break;
		case 'n':
			options->name = optarg;
			break;
		case 'k':
			options->key = optarg;
			break;
		case 'd':
			options->display = optarg;
			break;
		case 'v':
			options->verbosity = WLR_DEBUG;
			break;
		case 'V':
			puts("portal-agent " PORTAL_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind != argc || (options->listen == NULL) == (options->display == NULL)) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
	return -1;
}

int main(int argc, char *argv[]) {
	struct options options = {.heap = "memfd:256M", .verbosity = WLR_INFO};
	struct portal_heap_address heap;
	const char *error = "invalid";

	int status = parse(&options, argc, argv);
	if (status >= 0) {
		return status;
	}
	wlr_log_init(options.verbosity, NULL);
	if (portal_heap_parse(&heap, options.heap, &error) != 0) {
		return fail("--heap", options.heap, error);
	}
	if (options.display != NULL && heap.kind != PORTAL_HEAP_MEMFD) {
		return fail("--heap", options.heap, "--wayland-display needs memfd:SIZE");
	}
	struct controller *controller = controller_create_display(options.display);
	if (controller == NULL) {
		return fail("--wayland-display", options.display, strerror(errno));
	}

	struct agent agent;
	if (agent_init(&agent, &heap, controller) != 0) {
		controller_destroy(controller);
		return EXIT_FAILURE;
	}
	status = agent_run(&agent);
	agent_finish(&agent);
	return status;
}
