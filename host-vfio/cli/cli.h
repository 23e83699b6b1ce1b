#ifndef HOST_CLI_CLI_H
#define HOST_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "identity/known.h"
#include "inventory/json.h"
#include "inventory/machine.h"
#include "tree/tree.h"

/* Exit statuses of portal-host, portal-host(1). */
enum cli_status {
	CLI_DONE = 0,
	CLI_FAILED = 1, /* it was tried, and did not work */
	CLI_USAGE = 2, /* the command line is wrong */
	CLI_REFUSED = 3, /* a check said no; nothing was changed */
	CLI_UNFINISHED = 4, /* a change could neither be completed nor undone */
	CLI_UNSEEN = 5, /* a dry run that could not look at everything found nothing against it */
};

/* What the options that every command takes come to. */
struct cli {
	const char *machine_file; /* --machine; NULL: this machine */
	const char *root; /* --root, "/" by default */
	const char *state; /* --state: the directory of what is kept between runs */
	const char *config; /* --config: the policy */
	bool json;
	struct tree *tree;
	/* Read before the command runs, where it asks for that. */
	struct machine machine;
	struct known known;
	char **args; /* what follows the command's name and is no option */
	size_t args_count;
	struct strings taken; /* the options that were taken out of them, without values */
};

struct cli_command {
	const char *name;
	const char *usage; /* arguments and options behind the name */
	const char *help; /* one line */
	bool needs_machine;
	int (*run)(struct cli *cli);
};

/* Says "portal-host: …" on standard error and returns the status. */
int cli_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes an option without a value out of the arguments: was it there? */
bool cli_flag(struct cli *cli, const char *name);
/* Takes an option with its value out of the arguments; NULL when it is not there, and "" when it is
 * there without a value. */
const char *cli_option(struct cli *cli, const char *name);
/* Says that there is no such option, or that it is there twice; CLI_USAGE. */
int cli_refuse_option(const struct cli *cli, const char *arg);
/* Complains about an option that nobody took, or about a number of arguments that is not within
 * bounds. CLI_DONE or CLI_USAGE. */
int cli_check_args(struct cli *cli, size_t least, size_t most);
/* May the state be written? CLI_DONE, or CLI_REFUSED after saying that only root may. */
int cli_check_state(const struct cli *cli);
/* Prints and frees; CLI_DONE. */
int cli_print_json(sd_json_variant *variant);

/* Reads `machine` and `known`, for commands that do so only sometimes. CLI_DONE or CLI_FAILED. */
int cli_read_machine(struct cli *cli);
/* Says on standard error where it could not be looked at who holds the machine's devices. */
void cli_tell_unseen(const struct cli *cli);
/* A device of the machine by address or known name; NULL after saying why not. */
struct pci_device *cli_device(struct cli *cli, const char *text);
/* A file in the state directory; the caller's. */
char *cli_state_path(const struct cli *cli, const char *name);

/* Closes every window onto a configuration space. CLI_DONE or another status after saying why. */
int cli_close_windows(struct cli *cli);

int cli_list(struct cli *cli);
int cli_show(struct cli *cli);
int cli_groups(struct cli *cli);
int cli_inputs(struct cli *cli);
int cli_record(struct cli *cli);
int cli_doctor(struct cli *cli);
int cli_setup(struct cli *cli);
int cli_known(struct cli *cli);
int cli_remember(struct cli *cli);
int cli_forget(struct cli *cli);
int cli_assignments(struct cli *cli);
int cli_take(struct cli *cli);
int cli_release_gpu(struct cli *cli);
int cli_return(struct cli *cli);
int cli_recover(struct cli *cli);
int cli_memory(struct cli *cli);
int cli_transactions(struct cli *cli);
int cli_status(struct cli *cli);
int cli_switch(struct cli *cli);
int cli_watch(struct cli *cli);
int cli_domain(struct cli *cli);
int cli_heap(struct cli *cli);
int cli_config_space(struct cli *cli);

#endif
