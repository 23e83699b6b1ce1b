#ifndef HOST_SETUP_BOOT_H
#define HOST_SETUP_BOOT_H

#include "setup/changes.h"

/* The kernel's command line in the configuration of boot loaders: GRUB by /etc/default/grub and
 * /etc/grub.d; entries of the UAPI boot loader specification, which systemd-boot and Fedora's GRUB
 * read; /etc/kernel/cmdline, which new entries and unified kernel images are made with. */

struct boot {
	struct changes *changes;
	const char *root;
	struct error *error;
	char *command_line; /* the one that was written down newly, without our words */
};

void boot_finish(struct boot *boot);

/* Adds words to every command line, those that it has already left out. -1 with the reason when no
 * known boot loader is there. */
int boot_add_arguments(struct boot *boot, const struct strings *arguments);
/* Adds entries to the menu that start the same kernels with these words and one more, and say so in
 * their titles. The usual entries stay the default. */
int boot_add_entry(const struct boot *boot, const struct strings *arguments, const char *more);
/* Adds what is to be run when the changes are taken back, where that is more than what the changes
 * themselves want. Call it when all of those commands are there. */
void boot_add_undo_commands(const struct boot *boot);

/* How a person finds the entry, in words of its own. */
const char *boot_menu_help(const struct boot *boot);

/* The paths below the root of copies of entries, among them those that were made for kernels that
 * came since. */
void boot_find_copies(const char *root, struct strings *paths);

#endif
