#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

int cli_fail(int status, const char *format, ...) {
	va_list args;
	fflush(stdout); /* what was said before comes before */
	fputs("portal-host: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

static void take(struct cli *cli, const char *name, size_t index, size_t count) {
	if (!strings_contain(&cli->taken, name)) {
		strings_add(&cli->taken, name);
	}
	memmove(cli->args + index, cli->args + index + count,
		(cli->args_count - index - count) * sizeof(*cli->args));
	cli->args_count -= count;
}

bool cli_flag(struct cli *cli, const char *name) {
	for (size_t i = 0; i < cli->args_count; i++) {
		if (strcmp(cli->args[i], name) == 0) {
			take(cli, name, i, 1);
			return true;
		}
	}
	return false;
}

const char *cli_option(struct cli *cli, const char *name) {
	size_t length = strlen(name);
	for (size_t i = 0; i < cli->args_count; i++) {
		const char *arg = cli->args[i];
		if (strncmp(arg, name, length) != 0) {
			continue;
		}
		if (arg[length] == '=') {
			take(cli, name, i, 1);
			return arg + length + 1;
		}
		if (arg[length] == '\0') {
			const char *value = i + 1 < cli->args_count ? cli->args[i + 1] : "";
			take(cli, name, i, i + 1 < cli->args_count ? 2 : 1);
			return value;
		}
	}
	return NULL;
}

int cli_refuse_option(const struct cli *cli, const char *arg) {
	char *name = must_print("%.*s", (int)strcspn(arg, "="), arg);
	bool twice = strings_contain(&cli->taken, name);
	free(name);
	return twice ? cli_fail(CLI_USAGE, "said twice, and counts once: %s", arg)
		     : cli_fail(CLI_USAGE, "no such option here: %s", arg);
}

int cli_check_args(struct cli *cli, size_t least, size_t most) {
	for (size_t i = 0; i < cli->args_count; i++) {
		const char *arg = cli->args[i];
		if (arg[0] == '-' && arg[1] != '\0') {
			return cli_refuse_option(cli, arg);
		}
	}
	if (cli->args_count < least) {
		return cli_fail(CLI_USAGE, "an argument is missing (see portal-host --help)");
	}
	if (cli->args_count > most) {
		return cli_fail(CLI_USAGE, "one argument too many: %s", cli->args[most]);
	}
	return CLI_DONE;
}

int cli_print_json(sd_json_variant *variant) {
	sd_json_variant_dump(variant, SD_JSON_FORMAT_PRETTY | SD_JSON_FORMAT_NEWLINE, stdout, NULL);
	sd_json_variant_unref(variant);
	return CLI_DONE;
}

int cli_check_state(const struct cli *cli) {
	char *path = must_copy(cli->state), *slash;
	/* It is made where it is not there yet. */
	while (access(path, F_OK) < 0 && errno == ENOENT && (slash = strrchr(path, '/'))) {
		slash[slash == path] = '\0';
	}
	bool denied = geteuid() != 0 && access(path, W_OK) < 0 && errno == EACCES;
	free(path);
	return denied ? cli_fail(CLI_REFUSED, "only root may write to %s", cli->state) : CLI_DONE;
}

int cli_read_machine(struct cli *cli) {
	struct error error;
	char *names = cli_state_path(cli, "devices.scfg");
	int status = CLI_DONE;
	if (machine_read(&cli->machine, cli->tree, &error) < 0 ||
		known_load(&cli->known, names, &error) < 0) {
		status = cli_fail(CLI_FAILED, "%s", error.text);
	}
	free(names);
	return status;
}

void cli_tell_unseen(const struct cli *cli) {
	size_t count = cli->machine.unseen_processes;
	if (count > 0) {
		cli_fail(CLI_DONE,
			"what %zu process%s open could not be looked at, so that holders may be "
			"missing: only root sees all of them",
			count, count == 1 ? " has" : "es have");
	}
}

struct pci_device *cli_device(struct cli *cli, const char *text) {
	struct error error;
	struct pci_device *device = known_resolve(&cli->known, &cli->machine, text, &error);
	if (!device) {
		cli_fail(CLI_FAILED, "%s", error.text);
	}
	return device;
}

char *cli_state_path(const struct cli *cli, const char *name) {
	return must_print("%s/%s", cli->state, name);
}
