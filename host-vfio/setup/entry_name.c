#include "setup/entry_name.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "setup/changes.h"

#define DIRECTORY "/loader/entries/"
#define END ".conf"

size_t entry_name_length(const char *path) {
	size_t length = strlen(path) - strlen(END);
	size_t counter = length;
	while (counter > 0 && strchr("0123456789-", path[counter - 1])) {
		counter--;
	}
	if (counter > 0 && path[counter - 1] == '+' && isdigit((unsigned char)path[counter])) {
		length = counter - 1;
	}
	return length;
}

bool entry_name_is(const char *path) {
	size_t length = strlen(path);
	return strstr(path, DIRECTORY) && length >= strlen(END) &&
	       strcmp(path + length - strlen(END), END) == 0;
}

char *entry_name_find(const char *root, const char *path) {
	if (!entry_name_is(path)) {
		return NULL;
	}
	const char *name = strstr(path, DIRECTORY);
	size_t length = entry_name_length(path);
	struct strings entries = {0};
	char *directory = must_print("%.*s", (int)(name - path + (int)strlen(DIRECTORY) - 1), path);
	char *found = NULL;
	changes_list(&entries, root, directory, END);
	for (size_t i = 0; i < entries.count && !found; i++) {
		const char *entry = entries.items[i];
		if (entry_name_length(entry) == length && strncmp(entry, path, length) == 0) {
			found = must_copy(entry);
		}
	}
	free(directory);
	strings_finish(&entries);
	return found;
}
