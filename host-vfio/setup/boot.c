#include "setup/boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/text.h"
#include "setup/boot_grub.h"
#include "setup/entry_name.h"
#include "setup/words.h"

#define COMMAND_LINE "/etc/kernel/cmdline"
#define PLUGIN "/etc/kernel/install.d/99-portal-vfio.install"
#define SUFFIX "-portal.conf"
#define TITLE "(devices for VMs)"

static const char *const places[] = {
	"/boot/loader/entries", "/efi/loader/entries", "/boot/efi/loader/entries"};

/* Does kernel-install look after the entries? Where it is installed and does not, it does nothing.
 */
static bool has_kernel_install(const struct boot *boot) {
	char *path = changes_path(boot->root, "/usr/lib/kernel/install.d/90-loaderentry.install");
	bool found = access(path, F_OK) == 0;
	free(path);
	return found;
}

/* The paths of the entries below the root, without those that boot_add_entry() adds. */
static void find_entries(const struct boot *boot, struct strings *paths) {
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && paths->count == 0; i++) {
		struct strings all = {0};
		changes_list(&all, boot->root, places[i], ".conf");
		for (size_t k = 0; k < all.count; k++) {
			const char *path = all.items[k];
			const char *end = strlen(path) > strlen(SUFFIX)
						  ? path + strlen(path) - strlen(SUFFIX)
						  : "";
			if (strcmp(end, SUFFIX) != 0) {
				strings_add(paths, path);
			}
		}
		strings_finish(&all);
	}
}

static int change_lines(
	const struct boot *boot, const char *path, const char *start, const struct strings *words) {
	char *text = changes_read(boot->root, path);
	if (!text) {
		return error_set(boot->error, "%s: %s", path, strerror(errno));
	}
	char *changed = words_add_to_lines(text, start, words);
	int status =
		changed ? changes_add(boot->changes, boot->root, path, changed, 0644, boot->error)
			: 0;
	free(changed);
	free(text);
	return status;
}

/* What follows a key in an entry, to the end of its line; the caller's. NULL: it is not there. */
static char *value_of(const char *entry, const char *key) {
	static const char blanks[] = " \t";
	size_t length = strlen(key);
	for (const char *line = entry; *line != '\0'; line += *line == '\n') {
		const char *at = line + strspn(line, blanks);
		if (strncmp(at, key, length) == 0 && strspn(at + length, blanks) > 0) {
			at += length + strspn(at + length, blanks);
			return must_print("%.*s", (int)strcspn(at, "\n"), at);
		}
		line += strcspn(line, "\n");
	}
	return NULL;
}

/* The command line of the last entry that kernel-install made; the caller's. NULL: it made none. */
static char *find_command_line(const struct boot *boot, const struct strings *entries) {
	static const char maker[] = "install.d/90-loaderentry.install";
	char *found = NULL;
	for (size_t i = 0; i < entries->count; i++) {
		char *text = changes_read(boot->root, entries->items[i]);
		char *options = text && strstr(text, maker) ? value_of(text, "options") : NULL;
		if (options) {
			free(found);
			found = options;
		}
		free(text);
	}
	return found;
}

/* What unified kernel images and the entries of kernels to come are made with: one line. Where it
 * is not there, kernel-install takes what the kernel runs with, and makes not only the entries of
 * kernels to come so, but those that are there, too, whenever an initramfs is made anew (Debian's
 * update-initramfs calls it): our words would go with the first command that is to be run. */
static int change_command_line(struct boot *boot, const struct strings *entries,
	const struct strings *arguments, bool *found) {
	char *text = changes_read(boot->root, COMMAND_LINE);
	if (!text && errno != ENOENT) {
		return error_set(boot->error, COMMAND_LINE ": %s", strerror(errno));
	}
	if (!text) {
		boot->command_line = find_command_line(boot, entries);
		text = must_copy(boot->command_line);
	}
	*found = text != NULL;
	if (!text) {
		return 0;
	}
	char *rest = text, *line = strsep(&rest, "\n");
	char *longer = words_add(line, arguments);
	char *changed = must_print("%s\n%s", longer, rest ? rest : "");
	int status = strcmp(longer, line) == 0 && !boot->command_line
			     ? 0
			     : changes_add(boot->changes, boot->root, COMMAND_LINE, changed, 0644,
				       boot->error);
	free(changed);
	free(longer);
	free(text);
	return status;
}

int boot_add_arguments(struct boot *boot, const struct strings *arguments) {
	struct strings entries = {0};
	bool grub = boot_grub_is_there(boot), command_line = false;
	int status = 0;
	/* Entries that lie about beside another GRUB than Fedora's belong to nobody. */
	if (!grub || boot_grub_reads_entries(boot)) {
		find_entries(boot, &entries);
	}
	for (size_t i = 0; i < entries.count && status == 0; i++) {
		status = change_lines(boot, entries.items[i], "options", arguments);
	}
	if (status == 0) {
		status = change_command_line(boot, &entries, arguments, &command_line);
	}
	if (status == 0 && grub) {
		status = boot_grub_add_arguments(boot, arguments);
	} else if (status == 0 && entries.count == 0 && !command_line) {
		status = error_set(boot->error,
			"this system has no boot loader known here (GRUB, systemd-boot): add "
			"\"%s\" to the kernel's command line",
			arguments->items[0]);
	}
	strings_finish(&entries);
	return status;
}

/* "a.conf" and, while systemd-boot counts its tries, "a+3-0.conf" to "a-portal.conf". */
static char *path_of_copy(const char *path) {
	return must_print("%.*s" SUFFIX, (int)entry_name_length(path), path);
}

/* Sorts behind the original, so that what is started without a choice stays the same. */
static int copy_entry(const struct boot *boot, const char *path, const struct strings *words) {
	const struct strings title = {(char *[]){(char *)TITLE}, 1};
	char *text = changes_read(boot->root, path);
	char *with_words = text ? words_add_to_lines(text, "options", words) : NULL;
	char *with_title = with_words ? words_add_to_lines(with_words, "title", &title) : NULL;
	int status = 0;
	if (with_words) {
		/* An EFI system partition has one mode for all of its files. */
		char *copy = path_of_copy(path);
		status = changes_add(boot->changes, boot->root, copy,
			with_title ? with_title : with_words, changes_mode(boot->root, path),
			boot->error);
		free(copy);
	}
	free(with_title);
	free(with_words);
	free(text);
	return status;
}

/* A kernel that comes gets an entry by kernel-install, and needs a copy of it; one that goes takes
 * its copy along. Entries that people write themselves (Arch) change without it. */
static int add_plugin(const struct boot *boot, const struct strings *words, const char *more) {
	struct text text;
	text_init(&text);
	fprintf(text.stream,
		"#!/bin/sh\n"
		"# Written by portal-host setup: kernel-install runs this for a kernel that comes "
		"or goes.\n"
		"entries=${KERNEL_INSTALL_BOOT_ROOT:-/boot}/loader/entries\n"
		"case $1 in\n"
		"add)\n"
		"\tfor entry in \"$entries\"/*\"$2\".conf \"$entries\"/*\"$2\"+[0-9]*.conf; do\n"
		"\t\t[ -f \"$entry\" ] || continue\n"
		"\t\t# systemd-boot counts tries behind a plus. Another kernel's version may go\n"
		"\t\t# on so, too.\n"
		"\t\tcounter=${entry##*\"$2\"}\n"
		"\t\tcase ${counter%%.conf} in *[!-+0-9]*) continue ;; esac\n"
		"\t\t# While the machine runs from a copy, a new kernel's own entry takes that\n"
		"\t\t# one's command line over.\n"
		"\t\tsed -i 's/ %s//' \"$entry\"\n"
		"\t\tsed",
		more);
	/* What /etc/kernel/cmdline has already is in the entry. */
	for (size_t i = 0; i < words->count; i++) {
		const char *word = words->items[i];
		fprintf(text.stream, " -e '/ %s\\( \\|$\\)/!s/^options.*/& %s/' \\\n\t\t\t", word,
			word);
	}
	fputs("-e '/^title/s/$/ " TITLE "/' \\\n"
	      "\t\t\t\"$entry\" >\"${entry%\"$counter\"}" SUFFIX "\"\n"
	      "\tdone\n"
	      "\t;;\n"
	      "remove)\n"
	      "\trm -f \"$entries\"/*\"$2" SUFFIX "\"\n"
	      "\t;;\n"
	      "esac\n",
		text.stream);
	char *content = text_take(&text);
	int status = changes_add(boot->changes, boot->root, PLUGIN, content, 0755, boot->error);
	free(content);
	return status;
}

/* One word of a shell's; the caller's. */
static char *quote(const char *text) {
	struct text quoted;
	text_init(&quoted);
	fputc('\'', quoted.stream);
	for (; *text != '\0'; text++) {
		fputs(*text == '\'' ? "'\\''" : (const char[]){*text, '\0'}, quoted.stream);
	}
	fputc('\'', quoted.stream);
	return text_take(&quoted);
}

/* The kernel runs with our words then, and kernel-install would make the entries with them. */
void boot_add_undo_commands(const struct boot *boot) {
	struct strings *commands = &boot->changes->undo_commands;
	if (!boot->command_line || boot->changes->commands.count == 0) {
		return;
	}
	char *words = quote(boot->command_line);
	strings_take(commands, must_print("echo %s >" COMMAND_LINE, words));
	for (size_t i = 0; i < boot->changes->commands.count; i++) {
		strings_add(commands, boot->changes->commands.items[i]);
	}
	strings_add(commands, "rm " COMMAND_LINE);
	free(words);
}

void boot_finish(struct boot *boot) {
	free(boot->command_line);
}

void boot_find_copies(const char *root, struct strings *paths) {
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		changes_list(paths, root, places[i], SUFFIX);
	}
}

int boot_add_entry(const struct boot *boot, const struct strings *arguments, const char *more) {
	struct strings entries = {0}, words = {0};
	if (boot_grub_is_there(boot)) {
		return boot_grub_add_entry(boot, more);
	}
	find_entries(boot, &entries);
	if (entries.count == 0) {
		return error_set(boot->error,
			"a boot menu entry of its own can be made for GRUB and systemd-boot, and "
			"this system has neither");
	}
	for (size_t i = 0; i < arguments->count; i++) {
		strings_add(&words, arguments->items[i]);
	}
	strings_add(&words, more);
	int status = 0;
	for (size_t i = 0; i < entries.count && status == 0; i++) {
		status = copy_entry(boot, entries.items[i], &words);
	}
	if (status == 0 && has_kernel_install(boot)) {
		status = add_plugin(boot, &words, more);
	}
	strings_finish(&words);
	strings_finish(&entries);
	return status;
}

const char *boot_menu_help(const struct boot *boot) {
	return boot_grub_is_there(boot)
		       ? "The devices are left to VMs when \"Devices for VMs: ...\" is chosen in "
			 "the "
			 "boot menu. Where no menu is shown, press Esc once (with a BIOS hold "
			 "Shift) "
			 "as soon as the maker's picture goes; Fedora hides it until "
			 "\"grub2-editenv - unset menu_auto_hide\" is run as root."
		       : "The devices are left to VMs when the entry \"... (devices for VMs)\" is "
			 "chosen in the boot menu. Where no menu is shown, hold the space bar "
			 "while "
			 "the machine starts.";
}
