#include <stdio.h>
#include <string.h>

#include "keeper.h"
#include "launch.h"
#include "options.h"
#include "settings.h"
#include "standard.h"
#include "status.h"

static int act(const struct run_options *options, const struct settings *settings) {
	switch (options->action) {
	case RUN_LIST:
		return launch_list(options, settings);
	case RUN_STOP:
		return launch_stop(options, settings);
	case RUN_DEFINE:
		return launch_define(options, settings);
	default:
		return launch_run(options, settings);
	}
}

static int run(int argc, char **argv) {
	struct run_options options;
	int status = run_options_parse(&options, argc, argv);
	if (status != RUN_OK) {
		return status;
	}
	if (options.action == RUN_HELP) {
		fputs(run_options_usage, stdout);
		return RUN_OK;
	}
	if (options.action == RUN_SHOW_VERSION) {
		puts("portal-run " PORTAL_VERSION);
		return RUN_OK;
	}
	struct settings settings;
	status = settings_load(&settings, options.config);
	if (status == RUN_OK) {
		status = act(&options, &settings);
		settings_finish(&settings);
	}
	return status;
}

int main(int argc, char **argv) {
	if (argc > 1 && strcmp(argv[1], "--keep") == 0) {
		return keeper_main(argc, argv);
	}
	standard_init();
	int status = run(argc, argv);
	return !standard_finish("portal-run") && status == RUN_OK ? RUN_SYSTEM : status;
}
