#ifndef HOST_SETUP_BOOT_GRUB_H
#define HOST_SETUP_BOOT_GRUB_H

#include "setup/boot.h"

bool boot_grub_is_there(const struct boot *boot);
/* Is the menu made of the boot loader specification's entries, as on Fedora? */
bool boot_grub_reads_entries(const struct boot *boot);
int boot_grub_add_arguments(const struct boot *boot, const struct strings *arguments);
/* Adds entries that carry one word more, for every kernel that GRUB's own script finds. */
int boot_grub_add_entry(const struct boot *boot, const char *more);

#endif
