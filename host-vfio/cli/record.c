#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "record/record.h"
#include "tree/machine_file.h"

int cli_record(struct cli *cli) {
	int status = cli_check_args(cli, 1, 1);
	if (status != CLI_DONE) {
		return status;
	}
	const char *path = cli->args[0];
	bool to_stdout = strcmp(path, "-") == 0;
	FILE *file = to_stdout ? stdout : fopen(path, "we");
	if (!file) {
		return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	}
	if (geteuid() != 0 && !cli->machine_file) {
		fputs("portal-host: not run as root: what other users have open is not recorded\n",
			stderr);
	}
	struct memory_tree *recording = record_machine(cli->tree);
	if (machine_file_write(recording, file) < 0) {
		status = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	}
	tree_destroy(memory_tree_base(recording));
	if (!to_stdout && fclose(file) != 0 && status == CLI_DONE) {
		status = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	}
	return status;
}
