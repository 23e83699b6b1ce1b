#ifndef HOST_CLI_CHANGE_H
#define HOST_CLI_CHANGE_H

#include "cli/cli.h"
#include "policy/policy.h"
#include "transaction/preflight.h"
#include "transaction/transaction.h"

/* What a command to change something is about. */
struct change {
	struct strings names; /* addresses asked for */
	struct strings unguarded; /* addresses that the survival guard lets go */
	struct plan plan;
	struct findings findings;
	const char *what; /* "take" or "return", for the journal */
	bool dry_run;
	/* Asked before a rung that wants it; NULL: no. */
	bool (*confirm)(const char *title, void *user);
};

void change_finish(struct change *change);
/* Takes --dry-run, --unguard and --memory out of the arguments. CLI_DONE, or a status after saying
 * why. */
int change_read_options(struct cli *cli, struct change *change);
/* The arguments that are left, as addresses. */
int change_read_names(struct cli *cli, struct change *change, size_t least, size_t most);
/* Reads the policy, the caller's when CLI_DONE, and adds what it lets go. */
int change_read_policy(struct cli *cli, struct change *change, struct policy *policy);
/* Does the change where nothing stands in the way, or shows what it would do. */
int change_carry_out(struct cli *cli, struct change *change);

/* Says why not, in JSON where that is wanted; CLI_REFUSED. */
int change_refuse(const struct cli *cli, const char *reason);
/* May something be changed here at all? CLI_DONE, or CLI_REFUSED after saying why. */
int change_is_possible(const struct cli *cli);
struct step_host change_step_host(const struct cli *cli);
struct transaction_host change_host(const struct cli *cli, const char *journals);
int change_report(
	const struct cli *cli, enum transaction_outcome outcome, const struct error *error);

#endif
