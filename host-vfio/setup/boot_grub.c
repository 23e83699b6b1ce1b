#include "setup/boot_grub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "setup/words.h"

#define DEFAULTS "/etc/default/grub"
#define VARIABLE "GRUB_CMDLINE_LINUX"
#define LINUX "/etc/grub.d/10_linux"
#define OWN "/etc/grub.d/11_portal_vfio"
#define PLUGIN "/etc/kernel/install.d/99-portal-vfio.install"

static bool has(const struct boot *boot, const char *path) {
	/* Dangling links are as good: the target may not be mounted. */
	char target[8], *whole = changes_path(boot->root, path);
	bool found = access(whole, F_OK) == 0 || readlink(whole, target, sizeof(target)) >= 0;
	free(whole);
	return found;
}

bool boot_grub_is_there(const struct boot *boot) {
	return has(boot, DEFAULTS);
}

bool boot_grub_reads_entries(const struct boot *boot) {
	char *text = changes_read(boot->root, DEFAULTS), *rest = text, *line;
	bool found = false;
	/* A shell reads the file: the last assignment counts. */
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, "GRUB_ENABLE_BLSCFG=", 19) == 0) {
			found = strstr(line + 19, "true") != NULL;
		}
	}
	free(text);
	return found;
}

/* What makes the menu: Fedora and openSUSE call it grub2; the caller's. */
static char *command_of(const struct boot *boot) {
	static const char *const configs[] = {"/etc/grub2.cfg", "/etc/grub2-efi.cfg"};
	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		if (has(boot, configs[i])) {
			return must_print("grub2-mkconfig -o %s", configs[i]);
		}
	}
	return must_copy(
		has(boot, "/usr/sbin/grub2-mkconfig") ? "grub2-mkconfig -o /boot/grub2/grub.cfg"
		: has(boot, "/usr/sbin/update-grub")  ? "update-grub"
						      : "grub-mkconfig -o /boot/grub/grub.cfg");
}

static void add_command(const struct boot *boot) {
	char *command = command_of(boot);
	if (!strings_contain(&boot->changes->commands, command)) {
		strings_add(&boot->changes->commands, command);
	}
	free(command);
}

/* Debian reads these behind the file itself. */
static int clear_snippets(const struct boot *boot, const struct strings *arguments) {
	struct strings paths = {0};
	int status = 0;
	changes_list(&paths, boot->root, DEFAULTS ".d", ".cfg");
	for (size_t i = 0; i < paths.count && status == 0; i++) {
		char *text = changes_read(boot->root, paths.items[i]);
		char *clear = text ? words_clear_lines(text, VARIABLE, arguments) : NULL;
		if (clear) {
			status = changes_add(boot->changes, boot->root, paths.items[i], clear, 0644,
				boot->error);
		}
		free(clear);
		free(text);
	}
	strings_finish(&paths);
	return status;
}

int boot_grub_add_arguments(const struct boot *boot, const struct strings *arguments) {
	char *text = changes_read(boot->root, DEFAULTS);
	if (!text) {
		return error_set(boot->error, "%s: %s", DEFAULTS, strerror(errno));
	}
	/* GRUB puts GRUB_CMDLINE_LINUX_DEFAULT behind it. */
	char *clear = words_clear_lines(text, VARIABLE, arguments);
	if (clear) {
		free(text);
		text = clear;
	}
	char *changed = words_add_to_lines(text, VARIABLE "=", arguments);
	if (!changed) {
		/* Lines of another form ("+=", "export") may have given it a value. */
		char *line = words_add(VARIABLE "=\"$" VARIABLE "\"", arguments);
		size_t length = strlen(text);
		changed = must_print(
			"%s%s%s\n", text, length > 0 && text[length - 1] != '\n' ? "\n" : "", line);
		free(line);
	}
	int status = changes_add(boot->changes, boot->root, DEFAULTS, changed, 0644, boot->error);
	add_command(boot);
	free(changed);
	free(text);
	return status < 0 ? status : clear_snippets(boot, arguments);
}

/* A menu that is made of entries is not made anew when a kernel comes, ours has to be. */
static int add_plugin(const struct boot *boot, const char *more) {
	char *command = command_of(boot);
	char *text = must_print(
		"#!/bin/sh\n"
		"# Written by portal-host setup: kernel-install runs this for a kernel that comes "
		"or goes.\n"
		"case $1 in\n"
		"add)\n"
		"\t# While the machine runs from an entry for VMs, a new kernel's own entry takes\n"
		"\t# that one's command line over.\n"
		"\tsed -i 's/ %s//' /boot/loader/entries/*\"$2\"*.conf\n"
		"\t;;\n"
		"remove) ;;\n"
		"*)\n"
		"\texit 0\n"
		"\t;;\n"
		"esac\n"
		"%s\n",
		more, command);
	int status = changes_add(boot->changes, boot->root, PLUGIN, text, 0755, boot->error);
	free(text);
	free(command);
	return status;
}

int boot_grub_add_entry(const struct boot *boot, const char *more) {
	if (!has(boot, LINUX)) {
		return error_set(boot->error,
			LINUX " is not there, which the entry for VMs is to be made with");
	}
	/* Entries come in the order of the scripts' names: the usual ones first, and so by default.
	 * GRUB's menu finds an entry by its id, which has to be another one. */
	char *text = must_print(
		"#!/bin/sh\n"
		"# Written by portal-host setup; portal-host setup --undo takes it back.\n"
		"# The entries of 10_linux once more, for a start that leaves devices to VMs.\n"
		"set -e\n"
		"[ -x " LINUX " ] || exit 0\n"
		"entries=$(GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX %s\" \\\n"
		"\tGRUB_ENABLE_BLSCFG=false " LINUX ")\n"
		"printf '%%s\\n' \"$entries\" | sed -E \\\n"
		"\t-e \"s/^([[:space:]]*(menuentry|submenu) ')/\\\\1Devices for VMs: /\" \\\n"
		"\t-e \"s/(menuentry_id_option ')/\\\\1portal-/\"\n",
		more);
	int status = changes_add(boot->changes, boot->root, OWN, text, 0755, boot->error);
	free(text);
	add_command(boot);
	if (status == 0 && boot_grub_reads_entries(boot)) {
		status = add_plugin(boot, more);
	}
	return status;
}
