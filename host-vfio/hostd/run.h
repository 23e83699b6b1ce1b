#ifndef HOST_HOSTD_RUN_H
#define HOST_HOSTD_RUN_H

#include "hostd/daemon.h"

/* The whole program: the command line on top of the defaults, and the loop to its end. Returns the
 * exit status. */
int hostd_main(const struct daemon_options *defaults, int argc, char **argv);

#endif
