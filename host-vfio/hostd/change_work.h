#ifndef HOST_HOSTD_CHANGE_WORK_H
#define HOST_HOSTD_CHANGE_WORK_H

#include "hostd/change.h"

/* What the process does: a line {"progress"} for each thing done, and a last one {"outcome",
 * "reason"}; of a dry run what struct change_handlers says before that. */
struct change_work {
	const struct daemon_options *options;
	const struct policy *policy;
	const struct change_order *order;
};

/* Work for job_start(). */
int change_work(void *work, int out);

#endif
