#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

#include "config_file.h"
#include "portalctl_table.h"
#include "standard.h"

#define INTERFACE "org.portal.Controller"

/* Exit statuses, as portalctl(1) lists them. */
enum {
	STATUS_REFUSED =
		1, /* the compositor answered with an error, or the answer cannot be written */
	STATUS_USAGE = 2,
	STATUS_UNREACHABLE = 3,
};

struct options {
	const char *display;
	bool json;
};

static const char usage[] =
	"usage: portalctl [OPTION]... COMMAND\n"
	"Asks and steers a running portal; see portalctl(1).\n"
	"\n"
	"  windows                 list windows, the most recently focused first\n"
	"  outputs                 list outputs\n"
	"  state                   both, as JSON\n"
	"  watch                   the same, again whenever it changes\n"
	"  focus ID                give a window the keyboard and raise it\n"
	"  close ID                ask an application to close its window\n"
	"  maximize ID on|off\n"
	"  fullscreen ID on|off\n"
	"  minimize ID on|off\n"
	"  place ID X Y [WIDTH HEIGHT]\n"
	"  reload                  read the configuration again\n"
	"  quit                    end the compositor\n"
	"\n"
	"  -d, --display NAME      instead of WAYLAND_DISPLAY\n"
	"  -j, --json              lists as JSON; may also stand after the command\n"
	"  -V, --version\n"
	"  -h, --help\n";

/* The control socket of a display. Returns NULL after saying what is missing. */
static char *socket_path(const char *display) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	display = display != NULL ? display : getenv("WAYLAND_DISPLAY");
	if (runtime == NULL || runtime[0] == '\0') {
		fprintf(stderr, "portalctl: XDG_RUNTIME_DIR is not set\n");
		return NULL;
	}
	if (display == NULL || display[0] == '\0') {
		fprintf(stderr, "portalctl: WAYLAND_DISPLAY is not set: name the display with "
				"--display\n");
		return NULL;
	}
	// A display can be given as the path of its socket.
	const char *slash = strrchr(display, '/');
	char *path = NULL;
	if (asprintf(&path, "%s/portal/%s.varlink", runtime, slash != NULL ? slash + 1 : display) <
		0) {
		return NULL;
	}
	return path;
}

static int connect_display(const struct options *options, sd_varlink **varlink) {
	char *path = socket_path(options->display);
	if (path == NULL) {
		return STATUS_UNREACHABLE;
	}
	int result = sd_varlink_connect_address(varlink, path);
	if (result < 0) {
		fprintf(stderr, "portalctl: no portal answers at %s: %s\n", path,
			strerror(-result));
	}
	free(path);
	return result < 0 ? STATUS_UNREACHABLE : 0;
}

static void print_error(const char *error, sd_json_variant *reply) {
	sd_json_variant *message = sd_json_variant_by_key(reply, "message");
	sd_json_variant *id = sd_json_variant_by_key(reply, "id");
	sd_json_variant *parameter = sd_json_variant_by_key(reply, "parameter");
	if (message != NULL && sd_json_variant_is_string(message)) {
		fprintf(stderr, "portalctl: %s\n", sd_json_variant_string(message));
	} else if (id != NULL) {
		fprintf(stderr, "portalctl: there is no window %llu\n",
			(unsigned long long)sd_json_variant_unsigned(id));
	} else if (parameter != NULL && sd_json_variant_is_string(parameter)) {
		fprintf(stderr, "portalctl: that %s is out of range\n",
			sd_json_variant_string(parameter));
	} else {
		fprintf(stderr, "portalctl: %s\n", error);
	}
}

/* Calls a method; *REPLY is valid as long as the connection. Returns an exit status. */
static int call(sd_varlink *varlink, const char *method, sd_json_variant *parameters,
	sd_json_variant **reply) {
	const char *error = NULL;
	int result = sd_varlink_call(varlink, method, parameters, reply, &error);
	if (result < 0) {
		fprintf(stderr, "portalctl: the connection broke: %s\n", strerror(-result));
		return STATUS_UNREACHABLE;
	}
	if (error != NULL) {
		print_error(error, *reply);
		return STATUS_REFUSED;
	}
	return 0;
}

static int print_json(sd_json_variant *variant) {
	int result = sd_json_variant_dump(
		variant, SD_JSON_FORMAT_PRETTY_AUTO | SD_JSON_FORMAT_NEWLINE, stdout, NULL);
	return result < 0 ? STATUS_REFUSED : 0;
}

/* portalctl windows, outputs, state */
static int run_list(sd_varlink *varlink, const struct options *options, const char *what) {
	sd_json_variant *reply = NULL;
	int status = call(varlink, INTERFACE ".GetState", NULL, &reply);
	if (status != 0) {
		return status;
	}
	sd_json_variant *state = sd_json_variant_by_key(reply, "state");
	if (strcmp(what, "state") == 0) {
		return print_json(state);
	}
	sd_json_variant *list = sd_json_variant_by_key(state, what);
	if (options->json) {
		return print_json(list);
	}
	if (strcmp(what, "windows") == 0) {
		portalctl_print_windows(list);
	} else {
		portalctl_print_outputs(list);
	}
	return 0;
}

static int handle_state(sd_varlink *varlink, sd_json_variant *parameters, const char *error,
	sd_varlink_reply_flags_t flags, void *data) {
	int *status = data;
	if (error != NULL) {
		// The compositor going away ends the stream as it should.
		bool gone = strcmp(error, SD_VARLINK_ERROR_DISCONNECTED) == 0;
		if (!gone) {
			print_error(error, parameters);
		}
		*status = gone ? 0 : STATUS_REFUSED;
		return 0;
	}
	sd_json_variant_dump(
		sd_json_variant_by_key(parameters, "state"), SD_JSON_FORMAT_NEWLINE, stdout, NULL);
	// One state a line, at once, for whoever reads it through a pipe.
	if (fflush(stdout) != 0 || ferror(stdout)) {
		*status = STATUS_REFUSED; // main() says why
	}
	return 0;
}

static int run_watch(sd_varlink *varlink) {
	int status = -1;
	sd_varlink_set_userdata(varlink, &status);
	sd_varlink_set_relative_timeout(varlink, UINT64_MAX);
	int result = sd_varlink_bind_reply(varlink, handle_state);
	if (result >= 0) {
		result = sd_varlink_observe(varlink, INTERFACE ".Watch", NULL);
	}
	while (result >= 0 && status < 0) {
		result = sd_varlink_process(varlink);
		if (result == 0) {
			result = sd_varlink_wait(varlink, UINT64_MAX);
		}
	}
	if (status < 0) {
		fprintf(stderr, "portalctl: the connection broke: %s\n", strerror(-result));
		status = STATUS_UNREACHABLE;
	}
	return status;
}

static bool parse_number(const char *text, long long *number) {
	char *end;
	errno = 0;
	*number = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0) {
		fprintf(stderr, "portalctl: \"%s\" is not a number\n", text);
		return false;
	}
	return true;
}

static int call_and_forget(sd_varlink *varlink, const char *method, sd_json_variant *parameters) {
	sd_json_variant *reply = NULL;
	int status = call(varlink, method, parameters, &reply);
	sd_json_variant_unref(parameters);
	return status;
}

/* portalctl focus, close */
static int run_on_window(sd_varlink *varlink, const char *method, char *args[]) {
	long long id;
	sd_json_variant *parameters = NULL;
	if (!parse_number(args[0], &id)) {
		return STATUS_USAGE;
	}
	if (sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_INTEGER("id", id)) < 0) {
		return STATUS_REFUSED;
	}
	return call_and_forget(varlink, method, parameters);
}

/* portalctl maximize, fullscreen, minimize */
static int run_set_state(sd_varlink *varlink, const char *field, char *args[]) {
	long long id;
	sd_json_variant *parameters = NULL;
	bool on = strcmp(args[1], "on") == 0;
	if (!parse_number(args[0], &id)) {
		return STATUS_USAGE;
	}
	if (!on && strcmp(args[1], "off") != 0) {
		fprintf(stderr, "portalctl: \"%s\" is neither on nor off\n", args[1]);
		return STATUS_USAGE;
	}
	if (sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_INTEGER("id", id),
		    SD_JSON_BUILD_PAIR_BOOLEAN(field, on)) < 0) {
		return STATUS_REFUSED;
	}
	return call_and_forget(varlink, INTERFACE ".SetState", parameters);
}

static int run_place(sd_varlink *varlink, char *args[], int count) {
	long long numbers[5] = {0};
	sd_json_variant *parameters = NULL;
	for (int i = 0; i < count; i++) {
		if (!parse_number(args[i], &numbers[i])) {
			return STATUS_USAGE;
		}
	}
	if (sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_INTEGER("id", numbers[0]),
		    SD_JSON_BUILD_PAIR_INTEGER("x", numbers[1]),
		    SD_JSON_BUILD_PAIR_INTEGER("y", numbers[2]),
		    SD_JSON_BUILD_PAIR_INTEGER("width", numbers[3]),
		    SD_JSON_BUILD_PAIR_INTEGER("height", numbers[4])) < 0) {
		return STATUS_REFUSED;
	}
	return call_and_forget(varlink, INTERFACE ".Place", parameters);
}

static int run_command(sd_varlink *varlink, const struct options *options, const char *command,
	char *args[], int count) {
	if (strcmp(command, "watch") == 0) {
		return run_watch(varlink);
	} else if (strcmp(command, "focus") == 0) {
		return run_on_window(varlink, INTERFACE ".Focus", args);
	} else if (strcmp(command, "close") == 0) {
		return run_on_window(varlink, INTERFACE ".Close", args);
	} else if (strcmp(command, "maximize") == 0) {
		return run_set_state(varlink, "maximized", args);
	} else if (strcmp(command, "fullscreen") == 0) {
		return run_set_state(varlink, "fullscreen", args);
	} else if (strcmp(command, "minimize") == 0) {
		return run_set_state(varlink, "minimized", args);
	} else if (strcmp(command, "place") == 0) {
		return run_place(varlink, args, count);
	} else if (strcmp(command, "reload") == 0) {
		return call_and_forget(varlink, INTERFACE ".Reload", NULL);
	} else if (strcmp(command, "quit") == 0) {
		return call_and_forget(varlink, INTERFACE ".Quit", NULL);
	}
	return run_list(varlink, options, command);
}

static const struct command {
	const char *name;
	const char *arguments; /* as the usage has them */
	int counts[2]; /* of arguments: either */
} commands[] = {
	{"windows", "no argument", {0, 0}},
	{"outputs", "no argument", {0, 0}},
	{"state", "no argument", {0, 0}},
	{"watch", "no argument", {0, 0}},
	{"focus", "ID", {1, 1}},
	{"close", "ID", {1, 1}},
	{"maximize", "ID and on or off", {2, 2}},
	{"fullscreen", "ID and on or off", {2, 2}},
	{"minimize", "ID and on or off", {2, 2}},
	{"place", "ID X Y or ID X Y WIDTH HEIGHT", {3, 5}},
	{"reload", "no argument", {0, 0}},
	{"quit", "no argument", {0, 0}},
};

#define COMMANDS_LEN (sizeof(commands) / sizeof(commands[0]))

/* Whether the command exists and has as many arguments as it wants; else says what is wrong. */
static bool check_command(const char *name, int count) {
	const char *names[COMMANDS_LEN + 1] = {NULL};
	for (size_t i = 0; i < COMMANDS_LEN; i++) {
		const struct command *command = &commands[i];
		names[i] = command->name;
		if (strcmp(command->name, name) != 0) {
			continue;
		}
		if (count == command->counts[0] || count == command->counts[1]) {
			return true;
		}
		fprintf(stderr, "portalctl: %s wants %s\n", name, command->arguments);
		return false;
	}
	const char *nearest = config_nearest(name, names);
	if (nearest != NULL) {
		fprintf(stderr, "portalctl: no command \"%s\"; did you mean \"%s\"?\n", name,
			nearest);
	} else {
		fprintf(stderr, "portalctl: no command \"%s\"; portalctl --help lists them\n",
			name);
	}
	return false;
}

/* --json is also understood where people write it, after the command. Returns how many arguments
 * are left. */
static int take_json(char *args[], int count, struct options *options) {
	int left = 0;
	for (int i = 0; i < count; i++) {
		if (strcmp(args[i], "--json") == 0 || strcmp(args[i], "-j") == 0) {
			options->json = true;
		} else {
			args[left++] = args[i];
		}
	}
	return left;
}

static int run(int argc, char *argv[]) {
	static const struct option long_options[] = {
		{"display", required_argument, NULL, 'd'},
		{"json", no_argument, NULL, 'j'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options options = {0};
	int option;
	// A plus: options end at the command, for coordinates can be negative.
	while ((option = getopt_long(argc, argv, "+d:jVh", long_options, NULL)) != -1) {
		switch (option) {
		case 'd':
			options.display = optarg;
			break;
		case 'j':
			options.json = true;
			break;
		case 'V':
			puts("portalctl " PORTAL_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return STATUS_USAGE;
		}
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return STATUS_USAGE;
	}
	int count = take_json(argv + optind + 1, argc - optind - 1, &options);
	if (!check_command(argv[optind], count)) {
		return STATUS_USAGE;
	}
	sd_varlink *varlink = NULL;
	int status = connect_display(&options, &varlink);
	if (status == 0) {
		status = run_command(varlink, &options, argv[optind], argv + optind + 1, count);
	}
	sd_varlink_unref(varlink);
	return status;
}

int main(int argc, char *argv[]) {
	standard_init();
	int status = run(argc, argv);
	return !standard_finish("portalctl") && status == 0 ? STATUS_REFUSED : status;
}
