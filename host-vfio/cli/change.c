#include "cli/change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/must.h"
#include "base/size.h"

void change_finish(struct change *change) {
	strings_finish(&change->names);
	strings_finish(&change->unguarded);
	plan_finish(&change->plan);
	findings_finish(&change->findings);
}

static sd_json_variant *change_json(const struct cli *cli, const struct change *change) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "what", change->what);
	json_set_flag(&object, "holdersComplete", cli->machine.unseen_processes == 0);
	json_set(&object, "findings", findings_json(&change->findings));
	if (findings_block(&change->findings)) {
		json_set_string(&object, "plan", NULL);
	} else {
		json_set(&object, "plan", plan_json(&change->plan));
	}
	return object;
}

static void print_findings(const struct findings *findings, FILE *file) {
	for (size_t i = 0; i < findings->count; i++) {
		fprintf(file, "%s: %s\n", findings->items[i].blocks ? "refused" : "note",
			findings->items[i].text);
	}
}

static void print_progress(const char *sentence, void *user) {
	puts(sentence);
	fflush(stdout);
}

/* Nobody is asked on behalf of a machine that is not this one. */
static int may_suspend(struct error *reason, void *user) {
	return 0;
}

struct step_host change_step_host(const struct cli *cli) {
	static const struct step_calls recorded = {.may_suspend = may_suspend};
	return (struct step_host){.tree = cli->tree, .calls = cli->machine_file ? &recorded : NULL};
}

struct transaction_host change_host(const struct cli *cli, const char *journals) {
	return (struct transaction_host){
		.steps = change_step_host(cli),
		.journals = journals,
		.progress = cli->json ? NULL : print_progress,
	};
}

/* Found out before anything is begun: processes may be ended for it first. */
static bool is_read_only(const char *root) {
	struct statvfs status;
	char *path = must_print("%s/sys", root);
	bool read_only = statvfs(path, &status) == 0 && (status.f_flag & ST_RDONLY) != 0;
	free(path);
	return read_only;
}

/* Why nothing can be changed here; NULL: it can. */
static const char *find_obstacle(const struct cli *cli) {
	if (cli->machine_file) {
		return "a recorded machine cannot be changed (--dry-run shows the plan)";
	}
	/* Its processes have the numbers of others here, and modules would be loaded here. */
	if (strcmp(cli->root, "/") != 0) {
		return "--root shows another system than the one that runs, and no device changes "
		       "hands there (--dry-run shows the plan)";
	}
	if (geteuid() != 0) {
		return "only root may change who drives a device";
	}
	return is_read_only(cli->root) ? "/sys is mounted read-only here, as in a container: no "
					 "driver can be changed"
				       : NULL;
}

static void print_outcome(const char *outcome, const char *reason) {
	sd_json_variant *object = NULL;
	json_set_string(&object, "outcome", outcome);
	json_set_string(&object, "reason", reason);
	cli_print_json(object);
}

int change_refuse(const struct cli *cli, const char *reason) {
	if (cli->json) {
		print_outcome("refused", reason);
	}
	return cli_fail(CLI_REFUSED, "%s", reason);
}

int change_is_possible(const struct cli *cli) {
	const char *obstacle = find_obstacle(cli);
	return obstacle ? change_refuse(cli, obstacle) : CLI_DONE;
}

int change_report(
	const struct cli *cli, enum transaction_outcome outcome, const struct error *error) {
	static const char *const names[] = {
		[TRANSACTION_COMMITTED] = "committed",
		[TRANSACTION_UNDONE] = "undone",
		[TRANSACTION_UNFINISHED] = "unfinished",
		[TRANSACTION_REFUSED] = "refused",
	};
	if (cli->json) {
		print_outcome(
			names[outcome], outcome == TRANSACTION_COMMITTED ? NULL : error->text);
	}
	switch (outcome) {
	case TRANSACTION_COMMITTED:
		return CLI_DONE;
	case TRANSACTION_UNDONE:
		return cli_fail(CLI_FAILED, "%s", error->text);
	case TRANSACTION_REFUSED:
		return cli_fail(CLI_REFUSED, "%s", error->text);
	default:
		return cli_fail(
			CLI_UNFINISHED, "%s; \"portal-host recover\" tries again", error->text);
	}
}

/* What would refuse the change after the preflight, too. */
static void find_unfinished(const struct cli *cli, struct change *change) {
	struct error error;
	char *journals = cli_state_path(cli, "transactions");
	struct transaction_host host = change_host(cli, journals);
	/* The journals are of this machine. */
	if (!cli->machine_file && transaction_is_blocked(&host, &error)) {
		findings_add(&change->findings, true, "%s", error.text);
	}
	free(journals);
}

/* Exactly what would be done: nothing, when it would be refused. */
static int show_change(const struct cli *cli, struct change *change) {
	find_unfinished(cli, change);
	bool blocked = findings_block(&change->findings);
	if (cli->json) {
		cli_print_json(change_json(cli, change));
	} else {
		print_findings(&change->findings, stdout);
	}
	if (blocked) {
		cli_tell_unseen(cli);
		return cli_fail(CLI_REFUSED, "nothing would be changed");
	}
	if (!cli->json) {
		plan_print(&change->plan, stdout);
	}
	cli_tell_unseen(cli);
	return cli->machine.unseen_processes > 0 ? CLI_UNSEEN : CLI_DONE;
}

/* Nothing has to be done for it. */
static int change_nothing(const struct cli *cli, const struct change *change) {
	const char *reason = strcmp(change->what, "return") == 0
				     ? "nothing was taken that is still to be returned"
				     : "VFIO has it already";
	if (cli->json) {
		print_outcome("unchanged", reason);
	} else {
		printf("nothing to do: %s\n", reason);
	}
	return CLI_DONE;
}

static int refuse(const struct cli *cli, const struct change *change) {
	static const char reason[] = "nothing was changed";
	if (cli->json) {
		sd_json_variant *object = NULL;
		json_set_string(&object, "outcome", "refused");
		json_set_string(&object, "reason", reason);
		json_set(&object, "findings", findings_json(&change->findings));
		cli_print_json(object);
	}
	return cli_fail(CLI_REFUSED, "%s", reason);
}

int change_carry_out(struct cli *cli, struct change *change) {
	if (change->dry_run) {
		return show_change(cli, change);
	}
	print_findings(&change->findings, stderr);
	if (findings_block(&change->findings)) {
		return refuse(cli, change);
	}
	if (change->plan.steps_count == 0) {
		return change_nothing(cli, change);
	}
	int status = change_is_possible(cli);
	if (status != CLI_DONE) {
		return status;
	}
	struct error error;
	char *journals = cli_state_path(cli, "transactions");
	struct transaction_host host = change_host(cli, journals);
	host.confirm = change->confirm;
	enum transaction_outcome outcome =
		transaction_run(&host, change->what, &change->plan, &error);
	free(journals);
	return change_report(cli, outcome, &error);
}

int change_read_names(struct cli *cli, struct change *change, size_t least, size_t most) {
	int status = cli_check_args(cli, least, most);
	for (size_t i = 0; i < cli->args_count && status == CLI_DONE; i++) {
		const struct pci_device *device = cli_device(cli, cli->args[i]);
		if (device) {
			strings_add(&change->names, device->name);
		} else {
			status = CLI_FAILED;
		}
	}
	return status;
}

int change_read_policy(struct cli *cli, struct change *change, struct policy *policy) {
	struct error error;
	if (policy_load(policy, cli->config, &error) < 0) {
		return cli_fail(CLI_FAILED, "%s", error.text);
	}
	for (size_t i = 0; i < policy->unguarded.count; i++) {
		/* One that cannot be found cannot be taken either. */
		const struct pci_device *device = known_resolve_lasting(
			&cli->known, &cli->machine, policy->unguarded.items[i], NULL);
		if (device) {
			strings_add(&change->unguarded, device->name);
		}
	}
	return CLI_DONE;
}

static int read_memory(struct cli *cli, struct change *change) {
	const char *text = cli_option(cli, "--memory");
	uint64_t size;
	if (!text) {
		return CLI_DONE;
	}
	if (!size_parse(text, &size)) {
		return cli_fail(CLI_USAGE, "\"%s\" is no amount of memory (4G, 512M)", text);
	}
	const struct preflight_vm vm = {.memory = size};
	preflight_memory(&change->findings, cli->tree, &vm);
	return CLI_DONE;
}

int change_read_options(struct cli *cli, struct change *change) {
	const char *text;
	change->dry_run = cli_flag(cli, "--dry-run");
	while ((text = cli_option(cli, "--unguard"))) {
		const struct pci_device *device = cli_device(cli, text);
		if (!device) {
			return CLI_FAILED;
		}
		strings_add(&change->unguarded, device->name);
	}
	return read_memory(cli, change);
}
