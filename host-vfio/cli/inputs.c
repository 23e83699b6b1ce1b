#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "cli/cli.h"
#include "cli/terminal.h"
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

static void print_evdev(const struct evdev *evdev) {
	char *name = terminal_clean(must_copy(evdev->name));
	printf("%-8s %-9s %-12s  %s\n%9s%s\n", path_name(evdev->node),
		evdev->keyboard ? "keyboard" : "mouse",
		evdev->controller ? evdev->controller->name : "-", name, "",
		evdev->stable ? evdev->stable : "udev has no path for it that stays");
	free(name);
}

int cli_inputs(struct cli *cli) {
	int status = cli_check_args(cli, 0, 0);
	if (status != CLI_DONE) {
		return status;
	}
	struct evdevs evdevs;
	sd_json_variant *array = json_array();
	evdevs_read(&evdevs, &cli->machine, cli->tree);
	for (size_t i = 0; i < evdevs.count; i++) {
		if (cli->json) {
			json_append(&array, evdev_json(&evdevs.items[i]));
		} else {
			print_evdev(&evdevs.items[i]);
		}
	}
	if (cli->json) {
		cli_print_json(sd_json_variant_ref(array));
	} else if (evdevs.count == 0) {
		puts("this machine has no keyboard or mouse");
	}
	sd_json_variant_unref(array);
	evdevs_finish(&evdevs);
	return CLI_DONE;
}
