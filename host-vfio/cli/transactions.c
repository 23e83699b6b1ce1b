#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "transaction/transaction.h"

static const char *const outcomes[] = {
	[JOURNAL_OPEN] = "open",
	[JOURNAL_COMMITTED] = "committed",
	[JOURNAL_UNDONE] = "undone",
};

static sd_json_variant *record_json(const struct journal_record *record, bool this_boot) {
	sd_json_variant *object = NULL;
	json_set_number(&object, "number", record->number);
	json_set_string(&object, "what", record->what);
	json_set_string(&object, "outcome", outcomes[record->outcome]);
	json_set_flag(&object, "thisBoot", this_boot);
	json_set_number(&object, "stepsBegun", record->steps_begun);
	sd_json_variant *plan = plan_json(&record->plan);
	json_set(&object, "devices", sd_json_variant_ref(sd_json_variant_by_key(plan, "devices")));
	sd_json_variant_unref(plan);
	return object;
}

static void add_record(struct table *table, const struct journal_record *record, bool this_boot) {
	for (size_t i = 0; i < record->plan.devices_count; i++) {
		const struct plan_device *device = &record->plan.devices[i];
		char number[24];
		snprintf(number, sizeof(number), "%" PRIu64, record->number);
		table_add(table, number);
		table_add(table, record->what);
		table_add(table, outcomes[record->outcome]);
		table_add(table, this_boot ? "this" : "earlier");
		table_add(table, device->address);
		table_add(table, device->former.driver);
		table_add(table, device->wanted.driver);
	}
}

int cli_transactions(struct cli *cli) {
	static const char *const headings[] = {
		"NUMBER", "WHAT", "OUTCOME", "BOOT", "ADDRESS", "FROM", "TO"};
	int status = cli_check_args(cli, 0, 0);
	if (status != CLI_DONE) {
		return status;
	}
	struct journal_records records;
	struct strings problems = {0};
	char *journals = cli_state_path(cli, "transactions");
	char *boot = transaction_boot(cli->tree);
	journal_read_all(&records, journals, &problems);
	struct table table;
	sd_json_variant *array = json_array();
	table_init(&table, headings, 7);
	for (size_t i = 0; i < records.count; i++) {
		bool this_boot = boot && strcmp(boot, records.items[i].boot) == 0;
		add_record(&table, &records.items[i], this_boot);
		json_append(&array, record_json(&records.items[i], this_boot));
	}
	if (cli->json) {
		cli_print_json(sd_json_variant_ref(array));
	} else {
		table_print(&table, stdout);
	}
	for (size_t i = 0; i < problems.count; i++) {
		status = cli_fail(CLI_FAILED, "%s", problems.items[i]);
	}
	sd_json_variant_unref(array);
	table_finish(&table);
	free(boot);
	free(journals);
	strings_finish(&problems);
	journal_records_finish(&records);
	return status;
}
