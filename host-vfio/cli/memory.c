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
#include "memory/history.h"
#include "memory/memory_plan.h"
#include "policy/policy.h"

/* The guests that a plan is for, with what is known of them. */
struct scheme {
	uint64_t budget;
	const struct memory_settings *settings;
	struct history history;
	struct memory_demand *demands;
	size_t count;
	struct memory_plan plan;
};

static int find_budget(struct cli *cli, struct scheme *scheme) {
	const struct memory_settings *settings = scheme->settings;
	struct facts facts;
	facts_read(&facts, cli->tree);
	uint64_t total = facts.memory;
	facts_finish(&facts);
	if (total == 0) {
		return cli_fail(CLI_FAILED, "/proc/meminfo does not say how much memory there is");
	}
	if (settings->reserve >= total) {
		return cli_fail(CLI_REFUSED, "the host's reserve is all the memory there is");
	}
	scheme->budget = total - settings->reserve;
	if (settings->budget > scheme->budget) {
		return cli_fail(CLI_REFUSED,
			"the budget is more than the machine has beside the host's reserve");
	}
	scheme->budget = settings->budget ? settings->budget : scheme->budget;
	return CLI_DONE;
}

static void add_demand(struct scheme *scheme, const struct memory_guest *guest) {
	const struct history_guest *past = history_find(&scheme->history, guest->name);
	scheme->demands = must_grow(scheme->demands, scheme->count, sizeof(*scheme->demands));
	scheme->demands[scheme->count++] = (struct memory_demand){
		.name = guest->name,
		.memory = guest->memory,
		.heap_least = guest->heap_least,
		.heap_most = guest->heap_most,
		.used = past ? history_percentile(past, scheme->settings->percentile) : 0,
	};
}

static int find_demands(struct cli *cli, struct scheme *scheme) {
	const struct memory_settings *settings = scheme->settings;
	for (size_t i = 0; i < cli->args_count; i++) {
		const struct memory_guest *guest = memory_settings_find(settings, cli->args[i]);
		if (!guest) {
			return cli_fail(
				CLI_FAILED, "%s has no guest %s", cli->config, cli->args[i]);
		}
		add_demand(scheme, guest);
	}
	for (size_t i = 0; cli->args_count == 0 && i < settings->guests_count; i++) {
		add_demand(scheme, &settings->guests[i]);
	}
	return CLI_DONE;
}

static sd_json_variant *scheme_json(const struct scheme *scheme) {
	sd_json_variant *object = NULL, *guests = json_array();
	for (size_t i = 0; i < scheme->count; i++) {
		const struct memory_demand *demand = &scheme->demands[i];
		const struct history_guest *past = history_find(&scheme->history, demand->name);
		sd_json_variant *guest = NULL;
		json_set_string(&guest, "name", demand->name);
		json_set_number(&guest, "memory", demand->memory);
		json_set_number(&guest, "heap", scheme->plan.shares[i].heap);
		json_set_string(&guest, "reason", scheme->plan.shares[i].reason);
		json_set_number(&guest, "usedPercentile", demand->used);
		if (past) {
			json_set_number(&guest, "usedLast", past->last);
			json_set_number(&guest, "usedPeak", past->peak);
			json_set_number(&guest, "reported", (uint64_t)past->updated);
		}
		json_append(&guests, guest);
	}
	json_set_number(&object, "budget", scheme->budget);
	json_set_number(&object, "planned", scheme->plan.total);
	json_set(&object, "guests", guests);
	return object;
}

static void add_size(struct table *table, uint64_t size) {
	char text[SIZE_TEXT];
	size_format(size, text);
	table_add(table, size ? text : NULL);
}

static void print_scheme(const struct scheme *scheme) {
	static const char *const headings[] = {
		"GUEST", "MEMORY", "USED LAST", "USUALLY", "PEAK", "NEXT HEAP"};
	struct table table;
	table_init(&table, headings, 6);
	for (size_t i = 0; i < scheme->count; i++) {
		const struct memory_demand *demand = &scheme->demands[i];
		const struct history_guest *past = history_find(&scheme->history, demand->name);
		table_add(&table, demand->name);
		add_size(&table, demand->memory);
		add_size(&table, past ? past->last : 0);
		add_size(&table, demand->used);
		add_size(&table, past ? past->peak : 0);
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

static int show_scheme(struct cli *cli, struct scheme *scheme) {
	struct error error;
	int status = find_budget(cli, scheme);
	if (status == CLI_DONE) {
		status = find_demands(cli, scheme);
	}
	if (status != CLI_DONE) {
		return status;
	}
	if (memory_plan_init(&scheme->plan, scheme->budget, scheme->demands, scheme->count,
		    scheme->settings->headroom, &error) < 0) {
		return cli_fail(CLI_REFUSED, "%s", error.text);
	}
	if (cli->json) {
		return cli_print_json(scheme_json(scheme));
	}
	print_scheme(scheme);
	return CLI_DONE;
}

/* Takes a report of a guest's heap use down. */
static int add_report(struct cli *cli, struct scheme *scheme, const char *path) {
	uint64_t bytes;
	struct error error;
	if (!size_parse(cli->args[1], &bytes)) {
		return cli_fail(CLI_USAGE, "\"%s\" is no amount of memory", cli->args[1]);
	}
	if (!memory_settings_find(scheme->settings, cli->args[0])) {
		return cli_fail(CLI_FAILED, "%s has no guest %s", cli->config, cli->args[0]);
	}
	history_add(&scheme->history, cli->args[0], bytes, time(NULL), scheme->settings->half_life);
	if (file_make_directory(cli->state, 0755, &error) < 0 ||
		history_save(&scheme->history, path, &error) < 0) {
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
	struct scheme scheme = {0};
	if (policy_load(&policy, cli->config, &error) < 0) {
		free(path);
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	scheme.settings = &policy.memory;
	if (history_load(&scheme.history, path, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	} else {
		status = report ? add_report(cli, &scheme, path) : show_scheme(cli, &scheme);
	}
	memory_plan_finish(&scheme.plan);
	history_finish(&scheme.history);
	free(scheme.demands);
	free(path);
	policy_finish(&policy);
	return status;
}
