#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "hostd/audit.h"
#include "hostd/daemon.h"
#include "hostd/host_interface.h"
#include "hostd/run.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: portal-hostd [OPTION]...\n"
	"Gives the host's devices to virtual machines by policy; see portal-hostd(8).\n"
	"\n"
	"  --config FILE    the policy, /etc/portal/host.scfg by default\n"
	"  --state DIR      what is kept between runs, /var/lib/portal/host by default\n"
	"  --socket PATH    where it is spoken to, " HOST_SOCKET " by default\n"
	"  --uri URI        of libvirt, qemu:///system by default\n"
	"  --root DIR       look at /sys and /proc below a directory\n"
	"  --door PROGRAM   portal-door\n"
	"  --patience N     seconds that a VM may take to start or shut down, 120 by default\n"
	"  --version\n"
	"  --help\n";

static bool read_patience(const char *text, unsigned *seconds) {
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	*seconds = (unsigned)number;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number >= 1 && number <= 3600;
}

static int parse(struct daemon_options *options, int argc, char **argv) {
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"state", required_argument, NULL, 's'},
		{"socket", required_argument, NULL, 'S'},
		{"uri", required_argument, NULL, 'u'},
		{"root", required_argument, NULL, 'r'},
		{"door", required_argument, NULL, 'd'},
		{"patience", required_argument, NULL, 'p'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 's':
			options->state = optarg;
			break;
		case 'S':
			options->socket = optarg;
			break;
		case 'u':
			options->uri = optarg;
			break;
		case 'r':
			options->root = optarg;
			break;
		case 'd':
			options->door_program = optarg;
			break;
		case 'p':
			if (!read_patience(optarg, &options->patience_s)) {
				fprintf(stderr, "portal-hostd: --patience %s: 1 to 3600\n", optarg);
				return -1;
			}
			break;
		case 'V':
			puts("portal-hostd " PORTAL_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			return -1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "portal-hostd: one argument too many: %s\n", argv[optind]);
		return -1;
	}
	return 0;
}

static int handle_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *data) {
	struct error error;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(
		0, "RELOADING=1\nMONOTONIC_USEC=%lld", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
	if (daemon_reload(data, &error) < 0) {
		say(LOG_ERR, "%s; the policy stays as it was", error.text);
	}
	sd_notify(0, "READY=1");
	return 0;
}

/* Signals are blocked before anything is started, and unblocked in what is. */
static int watch_signals(struct daemon *daemon) {
	int result = sd_event_add_signal(daemon->loop, NULL, SIGTERM, NULL, NULL);
	if (result >= 0) {
		result = sd_event_add_signal(daemon->loop, NULL, SIGINT, NULL, NULL);
	}
	if (result >= 0) {
		result = sd_event_add_signal(daemon->loop, NULL, SIGHUP, handle_hangup, daemon);
	}
	return result;
}

int hostd_main(const struct daemon_options *defaults, int argc, char **argv) {
	struct daemon_options options = *defaults;
	options.user = options.user ? options.user : &options;
	if (parse(&options, argc, argv) < 0) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	struct error error = {""};
	struct daemon *daemon = daemon_create(&options, &error);
	if (!daemon) {
		say(LOG_ERR, "%s", error.text);
		return EXIT_FAILURE;
	}
	int result = watch_signals(daemon);
	if (result >= 0) {
		result = sd_event_loop(daemon->loop);
	}
	if (result < 0) {
		say(LOG_ERR, "the loop: %s", strerror(-result));
	}
	sd_notify(0, "STOPPING=1");
	daemon_destroy(daemon);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
