#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/must.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "doctor/facts.h"
#include "memory/scheme.h"
#include "policy/policy.h"
#include "policy/scheme_json.h"

/* What is shown: the scheme and what it was made of. */
struct view {
	const struct memory_settings *settings;
	struct history history;
	struct scheme scheme;
};

static int find_demands(struct cli *cli, struct view *view) {
	const struct memory_settings *settings = view->settings;
	for (size_t i = 0; i < cli->args_count; i++) {
		const struct memory_guest *guest = memory_settings_find(settings, cli->args[i]);
		if (!guest) {
			return cli_fail(
				CLI_FAILED, "%s has no guest %s", cli->config, cli->args[i]);
		}
		scheme_add(&view->scheme, settings, &view->history, guest);
	}
	for (size_t i = 0; cli->args_count == 0 && i < settings->guests_count; i++) {
		scheme_add(&view->scheme, settings, &view->history, &settings->guests[i]);
	}
	return CLI_DONE;
}

static void add_size(struct table *table, uint64_t size) {
	char text[SIZE_TEXT];
	size_format(size, text);
	table_add(table, size ? text : NULL);
}

static void add_time(struct table *table, const struct history_guest *past) {
	char text[32];
	struct tm time;
	table_add(table, past && localtime_r(&past->updated, &time) &&
					 strftime(text, sizeof(text), "%F %H:%M", &time) > 0
				 ? text
				 : NULL);
}

static void print_view(const struct view *view) {
	const struct scheme *scheme = &view->scheme;
	static const char *const headings[] = {
		"GUEST", "MEMORY", "USED LAST", "USUALLY", "PEAK", "REPORTED", "NEXT HEAP"};
	struct table table;
	table_init(&table, headings, 7);
	for (size_t i = 0; i < scheme->count; i++) {
		const struct memory_demand *demand = &scheme->demands[i];
		const struct history_guest *past = history_find(&view->history, demand->name);
		table_add(&table, demand->name);
		add_size(&table, demand->memory);
		add_size(&table, past ? past->last : 0);
		add_size(&table, demand->used);
		add_size(&table, past ? past->peak : 0);
		add_time(&table, past);
		add_size(&table, scheme->plan.shares[i].heap);
	}
	table_print(&table, stdout);
	table_finish(&table);
	char budget[SIZE_TEXT], total[SIZE_TEXT], spare[SIZE_TEXT];
	size_format(scheme->budget, budget);
	size_format(scheme->plan.total, total);
	size_format(scheme->budget - scheme->plan.total, spare);
	printf("budget %s, planned %s, left %s\n\n", budget, total, spare);
	for (size_t i = 0; i < scheme->count; i++) {
		printf("%s: ", scheme->demands[i].name);
		terminal_wrap(scheme->plan.shares[i].reason, strlen(scheme->demands[i].name) + 2,
			terminal_paragraph(stdout), stdout);
	}
}

static int show(struct cli *cli, struct view *view) {
	struct error error;
	struct facts facts;
	facts_read(&facts, cli->tree);
	uint64_t total = facts.memory;
	facts_finish(&facts);
	if (total == 0) {
		return cli_fail(CLI_FAILED, "/proc/meminfo does not say how much memory there is");
	}
	if (scheme_init(&view->scheme, view->settings, total, NULL, 0, &error) < 0) {
		return cli_fail(CLI_REFUSED, "%s", error.text);
	}
	int status = find_demands(cli, view);
	if (status != CLI_DONE) {
		return status;
	}
	if (scheme_make(&view->scheme, view->settings, &error) < 0) {
		return cli_fail(CLI_REFUSED, "%s", error.text);
	}
	if (cli->json) {
		return cli_print_json(scheme_json(&view->scheme, &view->history));
	}
	if (view->scheme.count == 0) {
		printf("%s names no guest, so there is nothing to plan; see portal-host(5)\n",
			cli->config);
		return CLI_DONE;
	}
	print_view(view);
	return CLI_DONE;
}

/* Takes a report of a guest's heap use down. */
static int add_report(struct cli *cli, const struct memory_settings *settings, const char *path) {
	uint64_t bytes;
	struct error error;
	if (!size_parse(cli->args[1], &bytes)) {
		return cli_fail(CLI_USAGE, "\"%s\" is no amount of memory", cli->args[1]);
	}
	if (!memory_settings_find(settings, cli->args[0])) {
		return cli_fail(CLI_FAILED, "%s has no guest %s", cli->config, cli->args[0]);
	}
	if (file_make_directory(cli->state, 0755, &error) < 0 ||
		history_record(path, cli->args[0], bytes, HISTORY_SINCE_LAST, settings->half_life,
			&error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	return CLI_DONE;
}

int cli_memory(struct cli *cli) {
	bool report = cli_flag(cli, "--report");
	int status = cli_check_args(cli, report ? 2 : 0, report ? 2 : SIZE_MAX);
	if (status != CLI_DONE) {
		return status;
	}
	struct policy policy;
	struct error error;
	char *path = cli_state_path(cli, "heap-use.scfg");
	if (policy_load(&policy, cli->config, &error) < 0) {
		free(path);
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	struct view view = {.settings = &policy.memory};
	if (report) {
		status = add_report(cli, &policy.memory, path);
	} else if (history_load(&view.history, path, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	} else {
		status = show(cli, &view);
	}
	scheme_finish(&view.scheme);
	history_finish(&view.history);
	free(path);
	policy_finish(&policy);
	return status;
}
