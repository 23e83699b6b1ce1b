#ifndef HOST_TRANSACTION_SYSTEM_H
#define HOST_TRANSACTION_SYSTEM_H

#include "transaction/step.h"

/* The calls of a running system: modprobe(8), processes, VFIO, systemd and logind. */
extern const struct step_calls system_calls;

#endif
