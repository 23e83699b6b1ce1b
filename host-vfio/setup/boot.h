#ifndef HOST_SETUP_BOOT_H
#define HOST_SETUP_BOOT_H

#include "setup/changes.h"

/* Boot loaders' configuration: systemd-boot's entries (UAPI boot loader specification), GRUB's
 * /etc/default/grub. */

/* Adds words to the kernel's command line of every entry, those that it has already left out. -1
 * with the reason when no known boot loader is there. */
int boot_add_arguments(struct changes *changes, struct strings *commands, const char *root,
	const struct strings *arguments, struct error *error);
/* Adds a copy of every entry with these words and one more, and a title that says so; only for
 * systemd-boot. */
int boot_add_entries(struct changes *changes, const char *root, const struct strings *arguments,
	const char *more, struct error *error);

/* `line` with the words that it lacks: behind it, or inside the value where it is a shell
 * assignment (NAME="value"), which is quoted then. The caller's. */
char *boot_add_words(const char *line, const struct strings *words);

#endif
