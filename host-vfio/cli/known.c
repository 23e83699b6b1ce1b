#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "identity/known.h"

static sd_json_variant *known_json(
	const struct known_device *entry, const char *state, const struct pci_device *device) {
	sd_json_variant *object = NULL;
	char ids[16];
	snprintf(ids, sizeof(ids), "%04x:%04x", entry->identity.vendor, entry->identity.device);
	json_set_string(&object, "name", entry->name);
	json_set_string(&object, "state", state);
	json_set_string(&object, "address", device ? device->name : NULL);
	json_set_string(&object, "lastAddress", entry->address);
	json_set_string(&object, "path", entry->identity.path);
	json_set_string(&object, "ids", ids);
	return object;
}

int cli_known(struct cli *cli) {
	static const char *const headings[] = {"NAME", "STATE", "ADDRESS", "LAST", "IDS", "PATH"};
	int status = cli_check_args(cli, 0, 0);
	if (status != CLI_DONE) {
		return status;
	}
	struct table table;
	sd_json_variant *array = json_array();
	table_init(&table, headings, 6);
	for (size_t i = 0; i < cli->known.count; i++) {
		const struct known_device *entry = &cli->known.devices[i];
		struct pci_device *device;
		const char *state =
			known_state_name(known_locate(&cli->known, entry, &cli->machine, &device));
		char ids[16];
		snprintf(ids, sizeof(ids), "%04x:%04x", entry->identity.vendor,
			entry->identity.device);
		table_add(&table, entry->name);
		table_add(&table, state);
		table_add(&table, device ? device->name : NULL);
		table_add(&table, entry->address);
		table_add(&table, ids);
		table_add(&table, entry->identity.path);
		json_append(&array, known_json(entry, state, device));
	}
	if (cli->json) {
		cli_print_json(sd_json_variant_ref(array));
	} else {
		table_print(&table, stdout);
	}
	sd_json_variant_unref(array);
	table_finish(&table);
	return CLI_DONE;
}

static int save(struct cli *cli) {
	struct error error;
	char *path = cli_state_path(cli, "devices.scfg");
	int status = cli_check_state(cli);
	if (status == CLI_DONE && (file_make_directory(cli->state, 0755, &error) < 0 ||
					  known_save(&cli->known, path, &error) < 0)) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	}
	free(path);
	return status;
}

int cli_remember(struct cli *cli) {
	int status = cli_check_args(cli, 2, 2);
	if (status != CLI_DONE) {
		return status;
	}
	struct error error;
	const struct pci_device *device = cli_device(cli, cli->args[0]);
	if (!device) {
		return CLI_FAILED;
	}
	const char *other = known_name_of(&cli->known, &cli->machine, device);
	if (other && strcmp(other, cli->args[1]) != 0) {
		return cli_fail(CLI_REFUSED, "%s is known as %s already", device->name, other);
	}
	const struct known_device *named = known_find(&cli->known, cli->args[1]);
	struct pci_device *present = NULL;
	if (named) {
		known_locate(&cli->known, named, &cli->machine, &present);
	}
	/* Policies go by names: none is moved to another card while its own is there. */
	if (present && present != device) {
		return cli_fail(CLI_REFUSED,
			"%s is the name of %s, which is there: forget it first", named->name,
			present->name);
	}
	if (known_add(&cli->known, cli->args[1], device, &error) < 0) {
		return cli_fail(CLI_USAGE, "%s", error.text);
	}
	return save(cli);
}

int cli_forget(struct cli *cli) {
	int status = cli_check_args(cli, 1, 1);
	if (status != CLI_DONE) {
		return status;
	}
	if (known_remove(&cli->known, cli->args[0]) < 0) {
		return cli_fail(CLI_FAILED, "no device is known as %s", cli->args[0]);
	}
	return save(cli);
}
