#include <stdio.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "policy/decide.h"

static sd_json_variant *decisions_json(const struct decisions *decisions) {
	sd_json_variant *object = NULL, *devices = json_array(), *warnings = json_array();
	for (size_t i = 0; i < decisions->count; i++) {
		const struct decision *decision = &decisions->items[i];
		sd_json_variant *entry = NULL;
		json_set_string(&entry, "address", decision->device->name);
		json_set_string(&entry, "vm", decision->vm ? decision->vm->name : NULL);
		json_set_string(&entry, "reason", decision->reason);
		json_append(&devices, entry);
	}
	for (size_t i = 0; i < decisions->warnings.count; i++) {
		json_append_string(&warnings, decisions->warnings.items[i]);
	}
	json_set(&object, "devices", devices);
	json_set(&object, "warnings", warnings);
	return object;
}

static void print_decisions(const struct decisions *decisions) {
	static const char *const headings[] = {"ADDRESS", "CATEGORY", "GOES TO", "BECAUSE"};
	struct table table;
	table_init(&table, headings, 4);
	for (size_t i = 0; i < decisions->count; i++) {
		const struct decision *decision = &decisions->items[i];
		if (decision->device->category == CATEGORY_BRIDGE) {
			continue;
		}
		table_add(&table, decision->device->name);
		table_add(&table, category_name(decision->device->category));
		table_add(&table, decision->vm ? decision->vm->name : "host");
		table_add(&table, decision->reason);
	}
	table_print(&table, stdout);
	table_finish(&table);
	for (size_t i = 0; i < decisions->warnings.count; i++) {
		fprintf(stderr, "portal-host: %s\n", decisions->warnings.items[i]);
	}
}

int cli_assignments(struct cli *cli) {
	struct strings running = {0};
	const char *name;
	while ((name = cli_option(cli, "--running"))) {
		strings_add(&running, name);
	}
	int status = cli_check_args(cli, 0, 0);
	struct policy policy = {0};
	struct error error;
	if (status == CLI_DONE && policy_load(&policy, cli->config, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	}
	for (size_t i = 0; i < running.count && status == CLI_DONE; i++) {
		if (!policy_find_vm(&policy, running.items[i])) {
			status = cli_fail(CLI_FAILED, "the policy %s has no VM \"%s\"", cli->config,
				running.items[i]);
		}
	}
	if (status == CLI_DONE) {
		struct decisions decisions;
		if (policy.absent) {
			cli_fail(CLI_DONE,
				"there is no policy (%s): everything stays with the host",
				cli->config);
		}
		decide(&decisions, &policy, &cli->known, &cli->machine, &running);
		if (cli->json) {
			cli_print_json(decisions_json(&decisions));
		} else {
			print_decisions(&decisions);
		}
		decisions_finish(&decisions);
	}
	policy_finish(&policy);
	strings_finish(&running);
	return status;
}
