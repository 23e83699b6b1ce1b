#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tree/tree.h"

const char *path_name(const char *path) {
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

char *path_normalise(const char *base, const char *path) {
	char *joined = path[0] == '/' ? must_copy(path) : must_print("%s/%s", base, path);
	char *result = must_alloc(strlen(joined) + 2, 1);
	size_t length = 0;
	char *rest = joined, *part;
	while ((part = strsep(&rest, "/"))) {
		if (part[0] == '\0' || strcmp(part, ".") == 0) {
			continue;
		}
		if (strcmp(part, "..") == 0) {
			while (length > 0 && result[--length] != '/') {
			}
			result[length] = '\0';
			continue;
		}
		result[length++] = '/';
		strcpy(result + length, part);
		length += strlen(part);
	}
	if (length == 0) {
		strcpy(result, "/");
	}
	free(joined);
	return result;
}
