#include "agent.h"
#include "controller-channel.h"
#include "controller.h"
#include "log.h"
#include <errno.h>
#include <getopt.h>
#include <machine.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/util/log.h>

static const char usage[] =
	"usage: portal-agent [--listen TRANSPORT] [--heap HEAP] [--name NAME] [--key FILE]\n"
	"       portal-agent --wayland-display NAME [--heap memfd:SIZE]\n"
	"\n"
	"  --listen TRANSPORT      wait there for the controller's portal-bridge\n"
	"  --heap HEAP             memory shared with it\n"
	"  --name NAME             the VM's name, for the logs (default: the host's)\n"
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
	if (optind != argc || (options->listen != NULL && options->display != NULL)) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
	return -1;
}

/* What the command line does not say comes from the VM's definition; see service/machine.h. */
static bool find_in_machine(struct options *options) {
	static char transport[256], heap[256], key[512];
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");

	if (options->listen == NULL) {
		if (machine_find_transport(transport, sizeof(transport), "/sys", credentials) !=
			0) {
			fputs("portal-agent: no --listen, and this machine has no channel device\n",
				stderr);
			return false;
		}
		options->listen = transport;
	}
	if (options->heap == NULL) {
		if (machine_find_heap(heap, sizeof(heap), "/sys", credentials) != 0) {
			fputs("portal-agent: no --heap, and this machine has no heap device\n",
				stderr);
			return false;
		}
		options->heap = heap;
	}
	if (options->key == NULL && credentials != NULL) {
		snprintf(key, sizeof(key), "%s/portal.key", credentials);
		options->key = access(key, F_OK) == 0 ? key : NULL;
	}
	return true;
}

static struct controller *create_controller(const struct options *options) {
	if (options->display == NULL) {
		return controller_create_channel(options->listen, options->key, options->name);
	}
	struct controller *controller = controller_create_display(options->display);
	if (controller == NULL) {
		fail("--wayland-display", options->display, strerror(errno));
	}
	return controller;
}

int main(int argc, char *argv[]) {
	struct options options = {.verbosity = WLR_INFO};
	struct portal_heap_address heap;
	const char *error = "invalid";

	int status = parse(&options, argc, argv);
	if (status >= 0) {
		return status;
	}
	/* Whoever reads the log may go: that ends no application. */
	signal(SIGPIPE, SIG_IGN);
	agent_log_init(options.verbosity, options.name);
	if (options.display != NULL && options.heap == NULL) {
		options.heap = "memfd:256M";
	} else if (options.display == NULL && !find_in_machine(&options)) {
		return EXIT_FAILURE;
	}
	if (portal_heap_parse(&heap, options.heap, &error) != 0) {
		return fail("--heap", options.heap, error);
	}
	if (options.display != NULL && heap.kind != PORTAL_HEAP_MEMFD) {
		return fail("--heap", options.heap, "--wayland-display needs memfd:SIZE");
	}
	struct controller *controller = create_controller(&options);
	if (controller == NULL) {
		return EXIT_FAILURE;
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
