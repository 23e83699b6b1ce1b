#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/must.h"
#include "base/size.h"
#include "cli/cli.h"
#include "cli/services.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "policy/memory_view.h"

/* What libvirt says, and the memory of the machine. */
struct sources {
	struct domain_usage *usages;
	struct memory_domain *domains;
	size_t count;
	struct memory_host host;
};

static void sources_finish(struct sources *sources) {
	domain_usages_finish(sources->usages, sources->count);
	free(sources->domains);
}

/* A machine that is recorded, or another root, has no libvirt unless one is named (`uri`, or NULL);
 * without one the policy's own figures are what there is. */
static void sources_init(struct sources *sources, const struct cli *cli, const char *uri) {
	struct error error;
	*sources = (struct sources){0};
	memory_host_read(&sources->host, cli->tree);
	bool here = !cli->machine_file && strcmp(cli->root, "/") == 0;
	uri = !uri && here ? "qemu:///system" : uri;
	if (uri && cli_read_usages(uri, &sources->usages, &sources->count, &error) < 0) {
		fprintf(stderr,
			"portal-host: libvirt does not answer at %s (%s): what runs is not "
			"counted\n",
			uri, error.text);
		domain_usages_finish(sources->usages, sources->count);
		sources->usages = NULL;
		sources->count = 0;
	}
	sources->domains = must_alloc(sources->count + 1, sizeof(*sources->domains));
	for (size_t i = 0; i < sources->count; i++) {
		const struct domain_usage *usage = &sources->usages[i];
		sources->domains[i] = (struct memory_domain){
			.name = usage->name, .runs = usage->runs, .usage = &usage->usage};
	}
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

/* Of which size they are, where its own memory is in any. */
static void add_page(struct table *table, const struct memory_view *view, uint64_t page) {
	const struct memory_host *host = view->scheme.host;
	int pool = page ? memory_host_find(host, page) : -1;
	if (pool >= 0) {
		add_size(table, host->pools[pool].page);
	} else {
		table_add(table, page ? "none there" : NULL);
	}
}

static void print_vms(const struct memory_view *view) {
	static const char *const headings[] = {
		"VM", "ROLE", "STATE", "MEMORY", "HEAPS", "COUNTED", "HUGE PAGES"};
	struct table table;
	table_init(&table, headings, 7);
	for (size_t i = 0; i < view->vms_count; i++) {
		const struct memory_view_vm *vm = &view->vms[i];
		table_add(&table, vm->name);
		table_add(&table, vm->role);
		table_add(&table, vm->runs ? "running" : "off");
		add_size(&table, vm->memory);
		add_size(&table, vm->heaps);
		table_add(&table, vm->counted ? "yes" : "no");
		add_page(&table, view, vm->page);
	}
	if (view->vms_count > 0) {
		table_print(&table, stdout);
		putchar('\n');
	}
	table_finish(&table);
}

static void print_guests(const struct memory_view *view) {
	const struct scheme *scheme = &view->scheme;
	static const char *const headings[] = {"GUEST", "MEMORY", "USED LAST", "USUALLY", "PEAK",
		"REPORTED", "NEXT HEAP", "HUGE PAGES"};
	struct table table;
	table_init(&table, headings, 8);
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
		add_page(&table, view, demand->page);
	}
	if (scheme->count > 0) {
		table_print(&table, stdout);
	}
	table_finish(&table);
}

/* What is not in the budget. */
static void print_pools(const struct scheme *scheme) {
	for (size_t i = 0; i < scheme->host->pools_count; i++) {
		const struct scheme_pool *pool = &scheme->pools[i];
		uint64_t used = pool->taken + pool->planned;
		char page[SIZE_TEXT], total[SIZE_TEXT], taken[SIZE_TEXT], planned[SIZE_TEXT],
			left[SIZE_TEXT];
		if (pool->total == 0 && used == 0) {
			continue;
		}
		size_format(pool->page, page);
		size_format(pool->total, total);
		size_format(pool->taken, taken);
		size_format(pool->planned, planned);
		size_format(pool->total > used ? pool->total - used : 0, left);
		printf("huge pages of %s: %s, taken by VMs %s, planned %s, left %s\n", page, total,
			taken, planned, left);
	}
}

static void print_view(const struct memory_view *view) {
	const struct scheme *scheme = &view->scheme;
	print_vms(view);
	print_guests(view);
	char budget[SIZE_TEXT], taken[SIZE_TEXT], total[SIZE_TEXT], spare[SIZE_TEXT];
	size_format(scheme->budget, budget);
	size_format(scheme->taken, taken);
	size_format(scheme->plan.total, total);
	size_format(scheme->budget - scheme->taken - scheme->plan.total, spare);
	printf("budget %s", budget);
	if (scheme->taken > 0) {
		printf(", taken by VMs %s", taken);
	}
	printf(", planned %s, left %s\n", total, spare);
	print_pools(scheme);
	for (size_t i = 0; i < scheme->count; i++) {
		printf("%s%s: ", i == 0 ? "\n" : "", scheme->demands[i].name);
		terminal_wrap(scheme->plan.shares[i].reason, strlen(scheme->demands[i].name) + 2,
			terminal_paragraph(stdout), stdout);
	}
}

static int check_guests(const struct cli *cli, const struct memory_settings *settings) {
	for (size_t i = 0; i < cli->args_count; i++) {
		if (!memory_settings_find(settings, cli->args[i])) {
			return cli_fail(
				CLI_FAILED, "%s has no guest %s", cli->config, cli->args[i]);
		}
	}
	return CLI_DONE;
}

static int print(const struct cli *cli, const struct memory_view *view) {
	if (cli->json) {
		return cli_print_json(memory_view_json(view, NULL));
	}
	if (view->scheme.count == 0 && view->vms_count == 0) {
		printf("%s names no guest, so there is nothing to plan; see portal-host(5)\n",
			cli->config);
		return CLI_DONE;
	}
	print_view(view);
	return CLI_DONE;
}

static int show(
	struct cli *cli, const struct policy *policy, struct history *history, const char *uri) {
	struct error error;
	struct sources sources;
	struct memory_view view;
	struct strings guests = {0};
	int status = check_guests(cli, &policy->memory);
	if (status != CLI_DONE) {
		return status;
	}
	for (size_t i = 0; i < cli->args_count; i++) {
		strings_add(&guests, cli->args[i]);
	}
	sources_init(&sources, cli, uri);
	if (sources.host.total == 0) {
		status =
			cli_fail(CLI_FAILED, "/proc/meminfo does not say how much memory there is");
	} else if (memory_view_init(&view, policy, history, &sources.host, sources.domains,
			   sources.count, &guests, &error) < 0) {
		if (!cli->json) {
			print_vms(&view); /* so that it can be seen what to change */
			print_pools(&view.scheme);
		}
		status = cli_fail(CLI_REFUSED, "%s", error.text);
		memory_view_finish(&view);
	} else {
		status = print(cli, &view);
		memory_view_finish(&view);
	}
	sources_finish(&sources);
	strings_finish(&guests);
	return status;
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
	if (bytes > HISTORY_MOST) {
		return cli_fail(CLI_USAGE, "no heap has %s: 64G are the most that is counted",
			cli->args[1]);
	}
	int status = cli_check_state(cli);
	if (status != CLI_DONE) {
		return status;
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
	const char *uri = cli_option(cli, "--connect");
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
	struct history history = {0};
	if (report) {
		status = add_report(cli, &policy.memory, path);
	} else if (history_load(&history, path, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	} else {
		status = show(cli, &policy, &history, uri);
	}
	history_finish(&history);
	free(path);
	policy_finish(&policy);
	return status;
}
