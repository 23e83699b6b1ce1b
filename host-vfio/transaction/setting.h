#ifndef HOST_TRANSACTION_SETTING_H
#define HOST_TRANSACTION_SETTING_H

#include "transaction/step.h"

/* What a setting is now; the caller's. NULL with errno; ENOENT: there is nothing of that name, such
 * as a text console whose last framebuffer is gone. */
char *setting_read(const struct step_host *host, enum setting_kind kind, const char *name);
/* Brings it to a value and looks whether that happened. 0 or an errno. What is so already is not
 * written. */
int setting_write(
	const struct step_host *host, enum setting_kind kind, const char *name, const char *value);

/* The name that a text console has after its number and mode: "frame buffer device" of "(M) frame
 * buffer device". Points into `text`. */
const char *setting_console_name(const char *text);

#endif
