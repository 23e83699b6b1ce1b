#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"Usage: portal-bridge --vm NAME --transport TRANSPORT --heap HEAP [OPTION...]\n"
	"\n"
	"Shows the windows of one virtual machine on the compositor at WAYLAND_DISPLAY.\n"
	"\n"
	"  --vm NAME              name of the virtual machine\n"
	"  --transport TRANSPORT  unix:PATH, vsock:CID:PORT, vsock-unix:PATH:PORT or\n"
	"                         virtio-serial:PATH\n"
	"  --heap HEAP            memfd:, file:PATH, dax:PATH or ivshmem:PCI-ADDRESS\n"
	"  --key FILE             the virtual machine's key, for every transport but unix:\n"
	"  --label TEXT           what the log calls the virtual machine, default NAME\n"
	"  --copy                 copy pixels out of the heap before the compositor reads them,\n"
	"                         also where the heap is fast to read\n"
	"  --wait                 try again until the agent answers, and when it has gone\n"
	"  --version, --help\n";

static int fail(const char *format, const char *text) {
	fputs("portal-bridge: ", stderr);
	fprintf(stderr, format, text);
	fputs("\nTry 'portal-bridge --help'.\n", stderr);
	return BRIDGE_USAGE;
}

/* The name goes into paths and to the compositor. */
static bool is_name(const char *text) {
	size_t length = strlen(text);
	return length > 0 && length <= PORTAL_NAME_MAX && text[0] != '.' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       length;
}

static enum bridge_status check(struct bridge_options *options, const char *key_path) {
	const char *error;
	if (!options->vm || !options->transport_text || !options->heap_text) {
		return fail("%s are needed", "--vm, --transport and --heap");
	}
	if (!is_name(options->vm)) {
		return fail("%s is no name for a virtual machine", options->vm);
	}
	if (portal_transport_parse(&options->transport, options->transport_text, &error) < 0) {
		return fail("--transport: %s", error);
	}
	if (portal_heap_parse(&options->heap, options->heap_text, &error) < 0) {
		return fail("--heap: %s", error);
	}
	if (options->heap.kind == PORTAL_HEAP_MEMFD &&
		options->transport.kind != PORTAL_TRANSPORT_UNIX) {
		return fail("--heap: %s", "memfd: crosses unix: only");
	}
	if (!key_path && portal_transport_needs_key(&options->transport)) {
		return fail("%s: this transport needs --key", options->transport_text);
	}
	if (key_path && portal_auth_load_key(key_path, options->key) < 0) {
		fprintf(stderr, "portal-bridge: %s: %s\n", key_path,
			errno == EINVAL ? "is no key" : strerror(errno));
		return BRIDGE_KEY;
	}
	options->has_key = key_path != NULL;
	if (!options->label) {
		options->label = options->vm;
	}
	return BRIDGE_DONE;
}

enum bridge_status bridge_options_parse(
	struct bridge_options *options, int argc, char **argv, bool *help) {
	static const struct option long_options[] = {
		{"vm", required_argument, NULL, 'n'},
		{"transport", required_argument, NULL, 't'},
		{"heap", required_argument, NULL, 'm'},
		{"key", required_argument, NULL, 'k'},
		{"label", required_argument, NULL, 'l'},
		{"copy", no_argument, NULL, 'c'},
		{"wait", no_argument, NULL, 'w'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *key_path = NULL;
	*options = (struct bridge_options){0};
	*help = false;
	int option;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'n':
			options->vm = optarg;
			break;
		case 't':
			options->transport_text = optarg;
			break;
		case 'm':
			options->heap_text = optarg;
			break;
		case 'k':
			key_path = optarg;
			break;
		case 'l':
			options->label = optarg;
			break;
		case 'c':
			options->copy = true;
			break;
		case 'w':
			options->wait = true;
			break;
		case 'v':
			puts("portal-bridge " PORTAL_VERSION);
			*help = true;
			return BRIDGE_DONE;
		case 'h':
			fputs(usage, stdout);
			*help = true;
			return BRIDGE_DONE;
		default:
			fputs("Try 'portal-bridge --help'.\n", stderr);
			return BRIDGE_USAGE;
		}
	}
	if (optind < argc) {
		return fail("%s: not an option", argv[optind]);
	}
	return check(options, key_path);
}
