#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/must.h"
#include "cli/cli.h"
#include "record/record.h"
#include "tree/machine_file.h"

/* What an existing file holds stays there until the new recording is complete; what is no plain
 * file, such as a pipe, is written to as it is. */
static int write_to(const char *path, const char *text, size_t size) {
	struct error error;
	struct stat there;
	if (strcmp(path, "-") == 0) {
		/* Whether it could be written is seen in the end. */
		fwrite(text, 1, size, stdout);
		return CLI_DONE;
	}
	if (stat(path, &there) < 0 || S_ISREG(there.st_mode)) {
		char *real = realpath(path, NULL);
		int status = file_replace(real ? real : path, text, size, 0644, &error);
		free(real);
		return status < 0 ? cli_fail(CLI_FAILED, "%s", error.text) : CLI_DONE;
	}
	FILE *file = fopen(path, "we");
	if (!file) {
		return cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
	}
	bool good = fwrite(text, 1, size, file) == size;
	good &= fclose(file) == 0;
	return good ? CLI_DONE : cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
}

static int record(struct cli *cli, const char *path) {
	char *text = NULL;
	size_t size;
	FILE *file = must_have(open_memstream(&text, &size));
	struct memory_tree *recording = record_machine(cli->tree);
	int status = machine_file_write(recording, file);
	tree_destroy(memory_tree_base(recording));
	must_have(fclose(file) == 0 && status == 0 ? text : NULL);
	status = write_to(path, text, size);
	free(text);
	return status;
}

int cli_record(struct cli *cli) {
	int status = cli_check_args(cli, 1, 1);
	struct error error;
	if (status != CLI_DONE) {
		return status;
	}
	if (machine_read(&cli->machine, cli->tree, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	cli_tell_unseen(cli);
	return record(cli, cli->args[0]);
}
