#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"
#include "base/size.h"
#include "cli/domain.h"
#include "domain/heap_follower.h"
#include "domain/info.h"

#define TIMEOUT_DEFAULT 30

struct heap_command {
	struct cli *cli;
	struct cli_libvirt controller;
	char *guest; /* its name in portal.scfg */
	const char *domain; /* its domain */
	unsigned timeout; /* s, for the guest system's answer */
	struct domain_info info;
	struct heap_follower *follower;
};

/* --timeout SECONDS, and NAME or NAME=DOMAIN, of which the first is kept. */
static int read_arguments(struct heap_command *command, size_t most) {
	struct cli *cli = command->cli;
	const char *timeout = cli_option(cli, "--timeout");
	int status = cli_check_args(cli, 2, most);
	if (status != CLI_DONE) {
		return status;
	}
	char *end = NULL;
	unsigned long seconds = timeout == NULL ? TIMEOUT_DEFAULT : strtoul(timeout, &end, 10);
	if (timeout != NULL &&
		(timeout[0] < '1' || timeout[0] > '9' || *end != '\0' || seconds > 3600)) {
		return cli_fail(CLI_USAGE, "\"%s\" is no number of seconds", timeout);
	}
	command->timeout = (unsigned)seconds;
	const char *text = cli->args[1], *equals = strchr(text, '=');
	command->guest =
		equals == NULL ? must_copy(text) : must_print("%.*s", (int)(equals - text), text);
	command->domain = equals == NULL ? text : equals + 1;
	return cli_libvirt_init(&command->controller, cli, cli->args[0], false);
}

static int read_guest(struct heap_command *command) {
	struct cli_libvirt guest = command->controller;
	guest.name = (char *)command->domain;
	struct error error;
	char *xml;
	int failure = domain_manager_get_xml(guest.manager, guest.name, false, &xml, &error);
	if (failure < 0) {
		return cli_libvirt_fail(&guest, failure, &error);
	}
	int result = domain_info_read(&command->info, xml, &error);
	free(xml);
	if (result < 0) {
		return cli_libvirt_fail(&guest, DOMAIN_FAILURE_REFUSED, &error);
	}
	return command->info.heap != DOMAIN_HEAP_UNSET
		       ? CLI_DONE
		       : cli_fail(CLI_REFUSED, "%s has no heap", guest.name);
}

/* QEMU would make a file that is not there, and a longer one of a short one: empty memory that
 * nobody else has. */
static int check_file(const struct domain_info *info) {
	struct stat status;
	if (stat(info->heap_path, &status) < 0) {
		return cli_fail(CLI_REFUSED,
			"the heap %s: %s; it is made when the guest is started (or by portal-heap)",
			info->heap_path, strerror(errno));
	}
	if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != info->heap_size) {
		return cli_fail(CLI_REFUSED,
			"the heap %s is not the file of %llu bytes that the "
			"guest's definition says",
			info->heap_path, (unsigned long long)info->heap_size);
	}
	return CLI_DONE;
}

/* The end of a wait. */
struct outcome {
	bool told;
	int result;
	struct error error;
};

static void handle_unplugged(void *data, int result, const struct error *error) {
	struct outcome *outcome = data;
	outcome->result = result;
	outcome->error = *error;
	outcome->told = true;
}

/* An enum heap_plug_result or a domain_failure. */
static int detach(struct heap_command *command, struct error *error) {
	struct outcome outcome = {0};
	struct heap_unplug *unplug;
	int result = heap_plug_detach(command->controller.manager, command->controller.name,
		command->guest, command->timeout * 1000, handle_unplugged, &outcome, &unplug,
		error);
	if (result != HEAP_PLUG_DONE) {
		return result;
	}
	while (!outcome.told && sd_event_run(command->controller.loop, UINT64_MAX) >= 0) {
	}
	heap_unplug_destroy(unplug);
	*error = outcome.error;
	return outcome.result;
}

static int report(const struct heap_command *command, int result,
	const struct heap_plug_place *place, const struct error *error) {
	if (result < 0) {
		return cli_libvirt_fail(&command->controller, result, error);
	}
	char port[DOMAIN_ADDRESS_TEXT], size[SIZE_TEXT];
	domain_address_format(&place->port, port);
	size_format(command->info.heap_size, size);
	if (command->cli->json) {
		sd_json_variant *object = NULL;
		json_set_string(&object, "guest", command->guest);
		json_set_string(&object, "controller", command->controller.name);
		json_set_number(&object, "size", command->info.heap_size);
		json_set_string(&object, "port", port);
		json_set_flag(&object, "changed", result == HEAP_PLUG_DONE);
		return cli_print_json(object);
	}
	printf("the heap of %s (%s) is %sin %s, behind its root port %s\n", command->guest, size,
		result == HEAP_PLUG_DONE ? "" : "already ", command->controller.name, port);
	return CLI_DONE;
}

static int run_attach(struct heap_command *command) {
	int status = read_guest(command);
	status = status == CLI_DONE ? check_file(&command->info) : status;
	if (status != CLI_DONE) {
		return status;
	}
	const struct domain_peer peer = {
		.guest = command->guest,
		.heap = {.kind = DOMAIN_HEAP_IVSHMEM,
			.path = command->info.heap_path,
			.size = command->info.heap_size},
	};
	struct heap_plug_place place = {0};
	struct error error;
	int result = heap_plug_attach(
		command->controller.manager, command->controller.name, &peer, &place, &error);
	if (result == HEAP_PLUG_OTHER) {
		/* It was resized: what the controller has is memory that the guest does not use. */
		result = detach(command, &error);
		if (result >= 0) {
			result = heap_plug_attach(command->controller.manager,
				command->controller.name, &peer, &place, &error);
		}
	}
	return report(command, result, &place, &error);
}

static int run_detach(struct heap_command *command) {
	struct error error;
	int result = detach(command, &error);
	if (result < 0) {
		return cli_libvirt_fail(&command->controller, result, &error);
	}
	if (command->cli->json) {
		sd_json_variant *object = NULL;
		json_set_string(&object, "guest", command->guest);
		json_set_string(&object, "controller", command->controller.name);
		json_set_flag(&object, "changed", result == HEAP_PLUG_DONE);
		return cli_print_json(object);
	}
	printf(result == HEAP_PLUG_DONE ? "the heap of %s is out of %s\n"
					: "no heap of %s is in %s\n",
		command->guest, command->controller.name);
	return CLI_DONE;
}

static void handle_followed(
	void *data, const char *guest, bool came, int result, const struct error *error) {
	const struct heap_command *command = data;
	if (result < 0) {
		cli_fail(CLI_FAILED, "the heap of %s: %s", guest, error->text);
	} else {
		printf("the heap of %s %s %s\n", guest, came ? "is in" : "is out of",
			command->controller.name);
		fflush(stdout);
	}
}

static void handle_change(void *data, const char *name, enum domain_state state) {
	struct heap_command *command = data;
	heap_follower_notice(command->follower);
}

static void handle_closed(void *data) {
	struct heap_command *command = data;
	sd_event_exit(
		command->controller.loop, cli_fail(CLI_FAILED, "the connection to libvirt ended"));
}

static int follow(struct heap_command *command) {
	const struct cli *cli = command->cli;
	size_t count = cli->args_count - 1;
	struct heap_follower_guest *guests = must_alloc(count, sizeof(*guests));
	struct strings names = {0};
	for (size_t i = 0; i < count; i++) {
		const char *text = cli->args[i + 1], *equals = strchr(text, '=');
		char *name =
			equals ? must_print("%.*s", (int)(equals - text), text) : must_copy(text);
		strings_take(&names, name);
		guests[i] = (struct heap_follower_guest){name, equals ? equals + 1 : text};
	}
	command->follower =
		heap_follower_create(command->controller.manager, command->controller.name, guests,
			count, command->timeout * 1000, handle_followed, command);
	strings_finish(&names);
	free(guests);
	sd_event *loop = command->controller.loop;
	if (!command->follower ||
		sd_event_add_signal(loop, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL) <
			0 ||
		sd_event_add_signal(loop, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL) <
			0) {
		return cli_fail(CLI_FAILED, "out of memory");
	}
	domain_manager_on_close(command->controller.manager, handle_closed, command);
	return sd_event_loop(loop);
}

int cli_heap(struct cli *cli) {
	static const char *const verbs[] = {"attach", "detach", "follow"};
	static int (*const runs[])(struct heap_command *command) = {run_attach, run_detach, follow};
	enum { FOLLOW = 2, VERBS };
	struct heap_command command = {.cli = cli, .controller.uri = cli_libvirt_uri(cli)};
	size_t verb = 0;
	while (verb < VERBS && (cli->args_count == 0 || strcmp(cli->args[0], verbs[verb]) != 0)) {
		verb++;
	}
	if (verb == VERBS) {
		return cli_fail(CLI_USAGE, "expected: heap attach|detach CONTROLLER GUEST, or heap "
					   "follow CONTROLLER GUEST...");
	}
	cli->args++;
	cli->args_count--;
	if (verb == FOLLOW) {
		command.controller.handler = handle_change;
		command.controller.data = &command;
	}
	int status = read_arguments(&command, verb == FOLLOW ? SIZE_MAX : 2);
	if (status == CLI_DONE) {
		status = runs[verb](&command);
	}
	heap_follower_destroy(command.follower);
	cli_libvirt_finish(&command.controller);
	domain_info_finish(&command.info);
	free(command.guest);
	return status;
}
