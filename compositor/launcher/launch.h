#ifndef PORTAL_LAUNCHER_LAUNCH_H
#define PORTAL_LAUNCHER_LAUNCH_H

#include "options.h"
#include "settings.h"

/* Each does one of portal-run's jobs and returns the status to exit with. */
int launch_run(const struct run_options *options, const struct settings *settings);
int launch_stop(const struct run_options *options, const struct settings *settings);
int launch_list(const struct run_options *options, const struct settings *settings);
int launch_define(const struct run_options *options, const struct settings *settings);

#endif
