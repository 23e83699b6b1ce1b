#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-varlink.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "hostd/host_interface.h"

/* The commands that portal-hostd answers. */

static int connect_daemon(struct cli *cli, sd_varlink **link) {
	const char *path = cli_option(cli, "--socket");
	path = path ? path : HOST_SOCKET;
	int result = sd_varlink_connect_address(link, path);
	if (result < 0) {
		return cli_fail(CLI_FAILED,
			"portal-hostd cannot be reached at %s: %s (systemctl start portal-hostd)",
			path, strerror(-result));
	}
	/* A switch takes as long as a VM takes to shut down. */
	sd_varlink_set_relative_timeout(*link, UINT64_MAX);
	return CLI_DONE;
}

static const char *get_text(sd_json_variant *object, const char *name) {
	sd_json_variant *value = object ? sd_json_variant_by_key(object, name) : NULL;
	return value && sd_json_variant_is_string(value) ? sd_json_variant_string(value) : NULL;
}

/* What an error of the interface comes to. */
static int refuse(const char *error, sd_json_variant *reply) {
	const char *name = strrchr(error, '.') ? strrchr(error, '.') + 1 : error;
	const char *reason = get_text(reply, "reason");
	int status = strcmp(name, "Unfinished") == 0 ? CLI_UNFINISHED
		     : strcmp(name, "Failed") == 0 || strcmp(name, "Timeout") == 0 ||
				     strcmp(name, "NoLibvirt") == 0
			     ? CLI_FAILED
			     : CLI_REFUSED;
	return cli_fail(status, "%s", reason ? reason : error);
}

/* `reply` belongs to the link. */
static int call(sd_varlink *link, const char *method, sd_json_variant *parameters,
	sd_json_variant **reply) {
	const char *error = NULL;
	int result = sd_varlink_call(link, method, parameters, reply, &error);
	if (result < 0) {
		return cli_fail(CLI_FAILED, "portal-hostd went away: %s", strerror(-result));
	}
	return error ? refuse(error, *reply) : CLI_DONE;
}

/* One more row for each object of an array. */
static void add_rows(
	struct table *table, sd_json_variant *reply, const char *array, const char *role) {
	sd_json_variant *list = sd_json_variant_by_key(reply, array);
	size_t count = list ? sd_json_variant_elements(list) : 0;
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *entry = sd_json_variant_by_index(list, i);
		table_add(table, get_text(entry, "name"));
		table_add(table, role ? role : get_text(entry, "role"));
		table_add(table, get_text(entry, "state"));
	}
}

static int print_status(struct cli *cli, sd_varlink *link) {
	static const char *const headings[] = {"NAME", "ROLE", "STATE"};
	sd_json_variant *reply = NULL;
	struct table table;
	int status = call(link, HOST_INTERFACE ".GetState", NULL, &reply);
	if (status != CLI_DONE) {
		return status;
	}
	if (cli->json) {
		return cli_print_json(sd_json_variant_ref(reply));
	}
	const char *problem = get_text(reply, "libvirtProblem");
	sd_json_variant *switching = sd_json_variant_by_key(reply, "switching");
	if (problem) {
		fprintf(stderr, "portal-host: no libvirt: %s\n", problem);
	}
	if (switching && sd_json_variant_boolean(switching)) {
		const char *target = get_text(reply, "switchingTo");
		printf("switching to %s\n", target ? target : "no controller");
	}
	table_init(&table, headings, 3);
	add_rows(&table, reply, "vms", NULL);
	status = call(link, HOST_INTERFACE ".ListGuests", NULL, &reply);
	if (status == CLI_DONE) {
		add_rows(&table, reply, "guests", "guest");
		table_print(&table, stdout);
	}
	table_finish(&table);
	return status;
}

int cli_status(struct cli *cli) {
	sd_varlink *link = NULL;
	int status = connect_daemon(cli, &link);
	if (status == CLI_DONE) {
		status = cli_check_args(cli, 0, 0);
	}
	if (status == CLI_DONE) {
		status = print_status(cli, link);
	}
	sd_varlink_flush_close_unref(link);
	return status;
}

static int handle_change(sd_varlink *link, sd_json_variant *reply, const char *error,
	sd_varlink_reply_flags_t flags, void *data) {
	int *status = data;
	if (error) {
		*status = refuse(error, reply);
	} else if (sd_json_variant_dump(reply, SD_JSON_FORMAT_NEWLINE, stdout, NULL) < 0 ||
		   fflush(stdout) != 0) {
		*status = CLI_FAILED; /* nobody reads on */
	}
	return 0;
}

int cli_watch(struct cli *cli) {
	sd_varlink *link = NULL;
	int status = connect_daemon(cli, &link), result = 0;
	if (status == CLI_DONE) {
		status = cli_check_args(cli, 0, 0);
	}
	if (status == CLI_DONE) {
		sd_varlink_set_userdata(link, &status);
		result = sd_varlink_bind_reply(link, handle_change);
	}
	if (status == CLI_DONE && result >= 0) {
		result = sd_varlink_observe(link, HOST_INTERFACE ".GetState", NULL);
	}
	while (status == CLI_DONE && result >= 0) {
		result = sd_varlink_process(link);
		if (result == 0) {
			result = sd_varlink_wait(link, UINT64_MAX);
		}
	}
	if (status == CLI_DONE) {
		status = cli_fail(CLI_FAILED, "portal-hostd went away: %s", strerror(-result));
	}
	sd_varlink_flush_close_unref(link);
	return status;
}

static size_t print_texts(sd_json_variant *reply, const char *array, const char *what) {
	sd_json_variant *list = sd_json_variant_by_key(reply, array);
	size_t count = list ? sd_json_variant_elements(list) : 0;
	for (size_t i = 0; i < count; i++) {
		printf("%s %s\n", sd_json_variant_string(sd_json_variant_by_index(list, i)), what);
	}
	return count;
}

static size_t print_leaving(sd_json_variant *reply) {
	sd_json_variant *seconds = sd_json_variant_by_key(reply, "endAfterSeconds");
	if (!seconds || sd_json_variant_is_null(seconds)) {
		return print_texts(reply, "leaving", "is shut down");
	}
	char *what = must_print("is shut down, and ended if it still runs after %llu s",
		(unsigned long long)sd_json_variant_unsigned(seconds));
	size_t count = print_texts(reply, "leaving", what);
	free(what);
	return count;
}

/* Does any of them block? */
static bool print_findings(const struct cli *cli, sd_json_variant *reply) {
	sd_json_variant *list = sd_json_variant_by_key(reply, "findings");
	size_t count = list ? sd_json_variant_elements(list) : 0;
	bool blocked = false;
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *finding = sd_json_variant_by_index(list, i);
		sd_json_variant *blocks = sd_json_variant_by_key(finding, "blocks");
		bool refused = blocks && sd_json_variant_boolean(blocks);
		if (!cli->json) {
			printf("%s: %s\n", refused ? "refused" : "note", get_text(finding, "text"));
		}
		blocked |= refused;
	}
	return blocked;
}

/* Exactly what would be done: nothing, when it would be refused. */
static int print_switch(const struct cli *cli, sd_json_variant *reply) {
	sd_json_variant *plans = sd_json_variant_by_key(reply, "plans");
	size_t count = plans ? sd_json_variant_elements(plans) : 0;
	bool blocked = print_findings(cli, reply);
	if (cli->json) {
		cli_print_json(sd_json_variant_ref(reply));
	}
	if (blocked) {
		return cli_fail(CLI_REFUSED, "nothing would be changed");
	}
	if (cli->json) {
		return CLI_DONE;
	}
	size_t said = print_leaving(reply) + print_texts(reply, "returning", "returns to the host");
	for (size_t i = 0; i < count; i++) {
		fputs(get_text(sd_json_variant_by_index(plans, i), "text"), stdout);
	}
	const char *starting = get_text(reply, "starting");
	if (starting) {
		printf("%s is started\n", starting);
	} else if (said + count == 0) {
		puts("nobody is shut down, and no device is moved");
	}
	return CLI_DONE;
}

int cli_switch(struct cli *cli) {
	sd_varlink *link = NULL;
	sd_json_variant *parameters = NULL, *reply = NULL;
	bool host = cli_flag(cli, "--host"), force = cli_flag(cli, "--force");
	bool dry_run = cli_flag(cli, "--dry-run");
	int status = connect_daemon(cli, &link);
	if (status == CLI_DONE) {
		status = cli_check_args(cli, host ? 0 : 1, host ? 0 : 1);
	}
	if (status == CLI_DONE) {
		if (!host) {
			json_set_string(&parameters, "controller", cli->args[0]);
		}
		json_set_flag(&parameters, "force", force);
		json_set_flag(&parameters, "allowInteractiveAuthentication", isatty(STDIN_FILENO));
		status = call(link,
			dry_run ? HOST_INTERFACE ".PlanSwitch" : HOST_INTERFACE ".Switch",
			parameters, &reply);
	}
	if (status == CLI_DONE && dry_run) {
		status = print_switch(cli, reply);
	}
	sd_json_variant_unref(parameters);
	sd_varlink_flush_close_unref(link);
	return status;
}
