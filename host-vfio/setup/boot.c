#include "setup/boot.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"

#define GRUB "/etc/default/grub"
#define SUFFIX "-portal.conf"

static const char *const entry_places[] = {
	"/boot/loader/entries", "/efi/loader/entries", "/boot/efi/loader/entries"};

static bool has_word(const char *line, const char *word) {
	size_t length = strlen(word);
	for (const char *at = line; (at = strstr(at, word)); at += length) {
		bool starts = at == line || strchr(" \t\"'=", at[-1]);
		if (starts && (at[length] == '\0' || strchr(" \t\"'", at[length]))) {
			return true;
		}
	}
	return false;
}

/* `content` with the words that it lacks behind it; the caller's. */
static char *add_words(const char *content, const struct strings *words) {
	char *result = must_copy(content);
	for (size_t i = 0; i < words->count; i++) {
		if (has_word(content, words->items[i])) {
			continue;
		}
		char *longer = must_print("%s%s%s", result, result[0] ? " " : "", words->items[i]);
		free(result);
		result = longer;
	}
	return result;
}

/* NAME=value, NAME="value" or NAME='value', and whatever follows. The result is always quoted: a
 * space would end an unquoted value. */
static char *add_words_to_assignment(
	const char *line, const char *value, const struct strings *words) {
	char quote = value[0] == '\'' ? '\'' : '"';
	bool quoted = value[0] == quote;
	value += quoted;
	const char quotes[] = {quote, '\0'};
	size_t length = strcspn(value, quoted ? quotes : " \t");
	const char *rest = value + length;
	rest += quoted && *rest == quote;
	char *content = must_print("%.*s", (int)length, value);
	char *longer = add_words(content, words);
	char *result = must_print(
		"%.*s%c%s%c%s", (int)(value - quoted - line), line, quote, longer, quote, rest);
	free(longer);
	free(content);
	return result;
}

char *boot_add_words(const char *line, const struct strings *words) {
	size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	if (name > 0 && line[name] == '=') {
		return add_words_to_assignment(line, line + name + 1, words);
	}
	size_t length = strlen(line);
	while (length > 0 && strchr(" \t", line[length - 1])) {
		length--;
	}
	char *content = must_print("%.*s", (int)length, line);
	char *result = add_words(content, words);
	free(content);
	return result;
}

/* The text with the words added to each line that starts like this; the caller's. NULL when none
 * does. */
static char *add_to_lines(const char *text, const char *start, const struct strings *words) {
	char *copy = must_copy(text), *rest = copy, *line;
	char *result = must_copy("");
	bool found = false;
	while ((line = strsep(&rest, "\n"))) {
		bool fits = strncmp(line, start, strlen(start)) == 0;
		char *changed = fits ? boot_add_words(line, words) : must_copy(line);
		char *longer = must_print("%s%s%s", result, changed, rest ? "\n" : "");
		found |= fits;
		free(changed);
		free(result);
		result = longer;
	}
	free(copy);
	if (!found) {
		free(result);
		result = NULL;
	}
	return result;
}

/* The directory of systemd-boot's entries below the root, or NULL. */
static const char *find_entries(const char *root, struct strings *names) {
	for (size_t i = 0; i < sizeof(entry_places) / sizeof(entry_places[0]); i++) {
		char *path = must_print("%s%s", root, entry_places[i]);
		DIR *stream = opendir(path);
		free(path);
		const struct dirent *entry;
		while (stream && (entry = readdir(stream))) {
			size_t length = strlen(entry->d_name);
			bool own = length > strlen(SUFFIX) &&
				   strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) == 0;
			if (length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0 &&
				!own) {
				strings_add(names, entry->d_name);
			}
		}
		if (stream) {
			closedir(stream);
		}
		if (names->count > 0) {
			strings_sort(names);
			return entry_places[i];
		}
	}
	return NULL;
}

static int change_entry(struct changes *changes, const char *root, const char *path,
	const struct strings *arguments, struct error *error) {
	char *text = changes_read(root, path);
	char *changed = text ? add_to_lines(text, "options", arguments) : NULL;
	int status = 0;
	if (!text) {
		status = error_set(error, "%s: %s", path, strerror(errno));
	} else if (changed) {
		status = changes_add(changes, root, path, changed, 0644, error);
	}
	free(changed);
	free(text);
	return status;
}

static int change_grub(struct changes *changes, struct strings *commands, const char *root,
	const struct strings *arguments, struct error *error) {
	char *text = changes_read(root, GRUB);
	if (!text) {
		return error_set(error, "%s: %s", GRUB, strerror(errno));
	}
	char *changed = add_to_lines(text, "GRUB_CMDLINE_LINUX=", arguments);
	if (!changed) {
		char *line = boot_add_words("GRUB_CMDLINE_LINUX=\"\"", arguments);
		changed = must_print("%s%s\n", text, line);
		free(line);
	}
	int status = changes_add(changes, root, GRUB, changed, 0644, error);
	char *red_hat = must_print("%s/etc/grub2.cfg", root);
	char *debian = must_print("%s/usr/sbin/update-grub", root);
	/* Dangling links are as good: the target may not be mounted. */
	char target[8];
	if (readlink(red_hat, target, sizeof(target)) >= 0 || access(red_hat, F_OK) == 0) {
		strings_add(commands, "grub2-mkconfig -o /etc/grub2.cfg");
	} else if (access(debian, F_OK) == 0) {
		strings_add(commands, "update-grub");
	} else {
		strings_add(commands, "grub-mkconfig -o /boot/grub/grub.cfg");
	}
	free(debian);
	free(red_hat);
	free(changed);
	free(text);
	return status;
}

/* Fedora has GRUB and entries of the same form, made from /etc/default/grub. */
static bool has_grub(const char *root) {
	char *path = must_print("%s" GRUB, root);
	bool found = access(path, F_OK) == 0;
	free(path);
	return found;
}

int boot_add_arguments(struct changes *changes, struct strings *commands, const char *root,
	const struct strings *arguments, struct error *error) {
	struct strings names = {0};
	int status = 0;
	if (has_grub(root)) {
		return change_grub(changes, commands, root, arguments, error);
	}
	const char *place = find_entries(root, &names);
	if (!place) {
		return error_set(error,
			"this system has no boot loader known here (GRUB, "
			"systemd-boot): add \"%s\" to the kernel's command line",
			arguments->items[0]);
	}
	for (size_t i = 0; i < names.count && status == 0; i++) {
		char *path = must_print("%s/%s", place, names.items[i]);
		status = change_entry(changes, root, path, arguments, error);
		free(path);
	}
	strings_finish(&names);
	return status;
}

static int copy_entry(struct changes *changes, const char *root, const char *path,
	const struct strings *words, struct error *error) {
	const struct strings title = {(char *[]){(char *)"(devices for VMs)"}, 1};
	char *text = changes_read(root, path);
	char *with_words = text ? add_to_lines(text, "options", words) : NULL;
	char *with_title = with_words ? add_to_lines(with_words, "title", &title) : NULL;
	int status = 0;
	if (with_words) {
		char *copy = must_print("%.*s" SUFFIX, (int)(strlen(path) - strlen(".conf")), path);
		status = changes_add(
			changes, root, copy, with_title ? with_title : with_words, 0644, error);
		free(copy);
	}
	free(with_title);
	free(with_words);
	free(text);
	return status;
}

int boot_add_entries(struct changes *changes, const char *root, const struct strings *arguments,
	const char *more, struct error *error) {
	struct strings names = {0}, words = {0};
	const char *place = has_grub(root) ? NULL : find_entries(root, &names);
	int status = 0;
	if (!place) {
		return error_set(error, "a boot menu entry of its own can be made for systemd-boot "
					"only, and this system does not have it");
	}
	for (size_t i = 0; i < arguments->count; i++) {
		strings_add(&words, arguments->items[i]);
	}
	strings_add(&words, more);
	for (size_t i = 0; i < names.count && status == 0; i++) {
		char *path = must_print("%s/%s", place, names.items[i]);
		status = copy_entry(changes, root, path, &words, error);
		free(path);
	}
	strings_finish(&words);
	strings_finish(&names);
	return status;
}
