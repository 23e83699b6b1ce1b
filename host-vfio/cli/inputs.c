#include "cli/cli.h"
#include "cli/table.h"
#include "inventory/evdev.h"

static sd_json_variant *evdev_json(const struct evdev *evdev) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "name", evdev->name);
	json_set_string(&object, "kind", evdev->keyboard ? "keyboard" : "mouse");
	json_set_string(&object, "node", evdev->node);
	json_set_string(&object, "stablePath", evdev->stable);
	json_set_string(&object, "controller", evdev->controller ? evdev->controller->name : NULL);
	return object;
}

int cli_inputs(struct cli *cli) {
	static const char *const headings[] = {"DEVICE", "KIND", "BEHIND", "NAME", "STAYS AT"};
	int status = cli_check_args(cli, 0, 0);
	if (status != CLI_DONE) {
		return status;
	}
	struct evdevs evdevs;
	struct table table;
	sd_json_variant *array = json_array();
	evdevs_read(&evdevs, &cli->machine, cli->tree);
	table_init(&table, headings, 5);
	for (size_t i = 0; i < evdevs.count; i++) {
		const struct evdev *evdev = &evdevs.items[i];
		json_append(&array, evdev_json(evdev));
		table_add(&table, path_name(evdev->node));
		table_add(&table, evdev->keyboard ? "keyboard" : "mouse");
		table_add(&table, evdev->controller ? evdev->controller->name : NULL);
		table_add(&table, evdev->name);
		table_add(&table, evdev->stable);
	}
	if (cli->json) {
		cli_print_json(sd_json_variant_ref(array));
	} else {
		table_print(&table, stdout);
	}
	table_finish(&table);
	sd_json_variant_unref(array);
	evdevs_finish(&evdevs);
	return CLI_DONE;
}
