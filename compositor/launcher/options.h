#ifndef PORTAL_LAUNCHER_OPTIONS_H
#define PORTAL_LAUNCHER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "domain/spec.h"

enum run_action {
	RUN_LAUNCH,
	RUN_LIST,
	RUN_DEFINE,
	RUN_STOP,
	RUN_HELP,
	RUN_SHOW_VERSION,
};

enum run_virt {
	RUN_VIRT_AUTO,
	RUN_VIRT_KVM,
	RUN_VIRT_QEMU,
};

struct run_options {
	enum run_action action;
	const char *vm; /* name; NULL for RUN_LIST, RUN_HELP … */
	bool local; /* vm is CONFIG_VM_LOCAL */
	char **command; /* NULL terminated, inside argv; NULL: the configuration's */
	const char *config; /* path; NULL: the default */
	unsigned timeout; /* seconds to wait for the agent, or for the guest to stop */
	bool detach;
	bool force; /* RUN_STOP: do not ask the guest */
	bool json; /* RUN_LIST */

	/* RUN_DEFINE */
	bool replace, dry_run;
	enum run_virt virt;
	bool sound; /* false: --sound off */
	struct domain_spec spec; /* what was given, the rest unset */
};

/*
 * Reads the command line. Returns RUN_OK, or says what is wrong and returns RUN_USAGE. Strings stay
 * argv's.
 */
int run_options_parse(struct run_options *options, int argc, char **argv);

extern const char run_options_usage[];

#endif
